"""How many different things were tried: the effective number of trials, and how far luck spreads their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtri, stdtr

from quantlib.errors import DataError
from quantlib.types import FloatArray

BUCKETS = 96
"""Stretches of time a trial's growth is kept in."""

_DIRECTIONS, _AT_ONCE = 4096, 1024
_GRID = np.linspace(-9.0, 9.0, 1801)
_CHANCES = log_ndtr(_GRID)


@dataclass(frozen=True)
class Trials:
    """What a number of trials amounts to.

    Parameters
    ----------
    n
        How many there were.
    effective
        How many independent ones would have luck as large: 1 to `n`.
    variance
        How far luck spreads their Sharpe ratios per session, as a variance; NaN where fewer than two are known.
    """

    n: int
    effective: float
    variance: float


def effective_trials(curves: ArrayLike, sharpes: ArrayLike | None = None, *, seed: int = 0) -> Trials:
    """Return the effective number of trials whose growth is given, and how far luck spreads their Sharpe ratios.

    Without skill the trials' Sharpe ratios are random numbers that are correlated as their growth is, and the best
    of them is expected at some height. The effective number is that of independent trials with their best at the
    same height: 1,000 equal trials are 1, 1,000 independent ones are 1,000, and no threshold says from where on
    two trials count as one. The height is found by drawing: a random course over the buckets is correlated with
    every curve, each correlation is put on the scale of a normal by its exact distribution (so the few buckets do
    not limit the number), and the largest is averaged over many courses.

    Parameters
    ----------
    curves
        Log growth [trial, bucket] over the same dates for all, of one trial a row: see `growth_curves` and
        `align_curves`. Unknown is flat; a row without any known bucket cannot be compared and counts as a trial
        unlike all others; a row without growth never traded, could not be chosen, and adds nothing.
    sharpes
        Sharpe ratio of a session by trial, NaN where unknown.
    seed
        Of the random courses.

    Returns
    -------
    Trials
        The variance weighs a trial by one over the number of those like it (the sum of its squared correlations),
        so that many neighbours of one idea are one idea. It is twice the mean square above the median, which is
        the variance where luck alone works; what lies far below, as costs make it, was never going to be chosen.

    Raises
    ------
    DataError
        There are no trials, fewer than 4 buckets, or not one Sharpe ratio a trial.

    Notes
    -----
    Time and memory grow with trials x buckets, never with their square: all 10,000 of a sweep are compared.

    References
    ----------
    Lopez de Prado, Lewis (2019), Detection of false investment strategies using unsupervised learning methods,
    Quantitative Finance 19(9): effective trials by clusters, which needs a number of clusters to be chosen.
    """
    growth = np.array(curves, dtype=np.float64, ndmin=2)
    if growth.ndim != 2 or growth.shape[0] == 0 or growth.shape[1] < 4:
        raise DataError(
            f"Curves came as {growth.shape}; accepted: [trial, bucket], a trial or more, 4 buckets or more."
        )
    n, buckets = growth.shape
    unlike = ~np.isfinite(growth).any(axis=1)
    units = np.where(np.isfinite(growth), growth, 0.0)
    units -= units.mean(axis=1, keepdims=True)
    size = np.linalg.norm(units, axis=1)
    varied = size > 1e-9
    units = units[varied] / size[varied, None]
    different = max(1, len(units) + int(unlike.sum()))
    effective = _independent(_height(units, int(unlike.sum()), seed), different)
    if sharpes is None:
        return Trials(n, effective, float("nan"))
    ratios = np.asarray(sharpes, dtype=np.float64)
    if ratios.shape != (n,):
        raise DataError(f"Sharpe ratios came as {ratios.shape} for {n} trials; accepted: one a trial.")
    weights = np.where(unlike, 1.0, 0.0)
    weights[varied] = 1.0 / _alike(units, buckets - 1)
    return Trials(n, effective, _luck(ratios, weights))


def growth_curves(variants: pd.DataFrame, *, buckets: int = BUCKETS) -> FloatArray:
    """Return log growth [variant, bucket] of daily returns [session x variant], in buckets of equal length.

    Raises
    ------
    DataError
        See `variant_returns`.
    """
    values = variant_returns(variants)
    starts = np.linspace(0, len(values), num=min(buckets, len(values)), endpoint=False).astype(np.intp)
    # A loss of everything is a very large one here: its logarithm would make the whole curve unknown.
    return np.asarray(np.add.reduceat(np.log1p(np.maximum(values, -0.9999)), starts, axis=0).T)


def align_curves(
    curves: Sequence[ArrayLike],
    first: Sequence[pd.Timestamp],
    last: Sequence[pd.Timestamp],
    *,
    buckets: int = BUCKETS,
) -> FloatArray:
    """Return log growth [trial, bucket] on dates common to all, from curves over spans of their own.

    A curve's buckets are taken as equally long parts of its span, and growth as even within a bucket. Outside its
    span a trial is flat. A strategy tried again a month later is then nearly the trial it was.

    Parameters
    ----------
    curves
        Log growth by bucket of each trial; an empty one is unknown and comes out as NaN.
    first, last
        The span of each trial.
    """
    begins, ends = (pd.DatetimeIndex(list(dates)).as_unit("us").asi8.astype(np.float64) for dates in (first, last))
    edges = np.linspace(begins.min(), ends.max(), buckets + 1)
    out = np.full((len(curves), buckets), np.nan)
    # The sets of a sweep share one span: all of them are put on the common dates at once.
    sizes = [float(np.size(curve)) for curve in curves]
    spans, which = np.unique(np.array([begins, ends, sizes]), axis=1, return_inverse=True)
    for k, (begin, end, known) in enumerate(spans.T):
        if (size := int(known)) == 0:
            continue
        rows = np.flatnonzero(which == k)
        grown = np.zeros((len(rows), size + 1))
        np.nan_to_num(np.array([curves[int(i)] for i in rows], dtype=np.float64)).cumsum(axis=1, out=grown[:, 1:])
        place = np.interp(edges, np.linspace(begin, end, size + 1), np.arange(size + 1))
        left = np.minimum(place.astype(np.intp), size - 1)
        out[rows] = np.diff(grown[:, left] + (place - left) * (grown[:, left + 1] - grown[:, left]))
    return out


def variant_returns(variants: pd.DataFrame) -> FloatArray:
    """Return daily returns [session, variant] as numbers, flat before a variant's first session.

    Raises
    ------
    DataError
        There are no sessions or no variants, or a return is unknown after a variant's first.
    """
    values = variants.to_numpy(dtype=np.float64)
    if values.size == 0:
        raise DataError(f"Variants came as {values.shape}; accepted: a session or more of a variant or more.")
    known = np.isfinite(values)
    gaps = np.logical_or.accumulate(known, axis=0) & ~known
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        raise DataError(
            f"The return of variant {variants.columns[column]} is {values[row, column]} at {variants.index[row]}, "
            "after its first session. Accepted: numbers from there on; a session without a position has 0."
        )
    return np.where(known, values, 0.0)


def _height(units: FloatArray, unlike: int, seed: int) -> float:
    """Return the expected largest of standard normal numbers, correlated as unit rows are, and `unlike` more."""
    rng = np.random.default_rng(seed)
    peaks = np.full(2 * _DIRECTIONS, -np.inf)
    if len(units):
        courses = rng.standard_normal((units.shape[1], _DIRECTIONS))
        courses -= courses.mean(axis=0)
        courses = (courses / np.linalg.norm(courses, axis=0)).astype(np.float32)
        most = np.full((2, _DIRECTIONS), -1.0, dtype=np.float32)
        for start in range(0, len(units), _AT_ONCE):
            found = units[start : start + _AT_ONCE].astype(np.float32) @ courses
            # Each course counts in both directions: the smallest correlation is the largest with its mirror image.
            np.maximum(most, np.stack([found.max(axis=0), -found.min(axis=0)]), out=most)
        r = np.clip(most.ravel().astype(np.float64), -1.0 + 1e-9, 1.0 - 1e-9)
        degrees = units.shape[1] - 2  # of the correlation of a fixed with a random course, both without their means
        peaks = -ndtri(stdtr(degrees, -r * np.sqrt(degrees / (1.0 - r * r))))
    if unlike:
        peaks = np.maximum(peaks, ndtri(rng.random(len(peaks)) ** (1.0 / unlike)))
    return float(peaks.mean()) if np.isfinite(peaks).all() else 0.0


def _expected_max(n: float) -> float:
    """Return the expected largest of n independent standard normal numbers; n need not be whole."""
    return float(_GRID[-1] - np.trapezoid(np.exp(n * _CHANCES), _GRID))  # that all lie below x, for every x


def _independent(height: float, n: int) -> float:
    """Return how many independent trials have their best expected at `height`, at most n."""
    counts = np.geomspace(1.0, n, num=100)
    heights = np.array([_expected_max(count) for count in counts])
    return min(float(np.exp(np.interp(height, heights, np.log(counts)))), float(n))


def _alike(units: FloatArray, dimensions: int) -> FloatArray:
    """Return how many trials each is like, itself among them: its summed squared correlations, less what noise adds."""
    total = np.einsum("ij,ij->i", units @ (units.T @ units), units)
    noise = (len(units) - 1) / dimensions
    return np.asarray(np.maximum(1.0 + (total - 1.0 - noise) / (1.0 - 1.0 / dimensions), 1.0))


def _luck(ratios: FloatArray, weights: FloatArray) -> float:
    """Return twice the weighted mean square above the weighted median, of known ratios with a weight."""
    known: NDArray[np.bool_] = np.isfinite(ratios) & (weights > 0.0)
    if known.sum() < 2:
        return float("nan")
    order = np.argsort(ratios[known])
    values, share = ratios[known][order], weights[known][order]
    middle = np.interp(0.5, (share.cumsum() - share / 2.0) / share.sum(), values)
    return float(2.0 * np.average(np.maximum(values - middle, 0.0) ** 2, weights=share))
