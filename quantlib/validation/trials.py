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
from quantlib.validation.windows import LEAST, Window, Windows, by_span, resampled

BUCKETS = 96
"""Stretches of time a trial's growth is kept in."""

_DIRECTIONS, _AT_ONCE, _THROWN = 4096, 1024, 512
_DAY = 86_400e6  # in microseconds
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
    sessions
        How many sessions the variance is about; NaN where nobody said, as of trials over one span.
    """

    n: int
    effective: float
    variance: float
    sessions: float = float("nan")

    def variance_over(self, sessions: int) -> float:
        """Return how far luck spreads Sharpe ratios over so many sessions, as the record has that is judged."""
        return self.variance if np.isnan(self.sessions) else self.variance * (self.sessions - 1) / (sessions - 1)


def effective_trials(
    curves: Sequence[ArrayLike] | FloatArray,
    sharpes: ArrayLike | None = None,
    *,
    first: Sequence[pd.Timestamp] | None = None,
    last: Sequence[pd.Timestamp] | None = None,
    sessions: ArrayLike | None = None,
    seed: int = 0,
) -> Trials:
    """Return the effective number of trials whose growth is given, and how far luck spreads their Sharpe ratios.

    Without skill the trials' Sharpe ratios are random numbers that are correlated as their growth is, and the best
    of them is expected at some height. The effective number is that of independent trials with their best at the
    same height: 1,000 equal trials are 1, 1,000 independent ones are 1,000, and no threshold says from where on
    two trials count as one. The height is found by drawing: a random course through time is correlated with every
    curve over the curve's own span, each correlation is put on the scale of a normal by its exact distribution (so
    few buckets do not limit the number), and the largest is averaged over many courses. Trials whose spans overlap
    meet the same course there and are alike as far as their growth is; where a trial has none it is flat.

    Parameters
    ----------
    curves
        Log growth by bucket of each trial, over the same dates for all or, with `first` and `last`, each over its
        own span in equal parts: see `growth_curves`. Unknown is flat; a trial without any known bucket, or with too
        few, cannot be compared and counts as unlike all others; one without growth never traded, could not be
        chosen, and adds nothing.
    sharpes
        Sharpe ratio of a session by trial, NaN where unknown.
    first, last
        The span of each trial.
    sessions
        How many sessions each Sharpe ratio is of: the shorter, the further luck spreads it. None where all are of
        the same number.
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
        There are no trials, fewer than 4 buckets over dates common to all, or not one span or Sharpe ratio a trial.

    Notes
    -----
    Time and memory grow with trials x buckets, never with their square: all 10,000 of a sweep are compared.

    References
    ----------
    Lopez de Prado, Lewis (2019), Detection of false investment strategies using unsupervised learning methods,
    Quantitative Finance 19(9): effective trials by clusters, which needs a number of clusters to be chosen.
    """
    if first is None or last is None:
        growth = np.array(curves, dtype=np.float64, ndmin=2)
        if growth.ndim != 2 or growth.shape[0] == 0 or growth.shape[1] < LEAST:
            raise DataError(
                f"Curves came as {growth.shape}; accepted: [trial, bucket], a trial or more, {LEAST} buckets or more."
            )
        laid = Windows.of(list(growth), np.zeros(len(growth)), np.ones(len(growth)))
    elif not 0 < len(curves) == len(first) == len(last):
        raise DataError(
            f"{len(curves)} curves came with {len(first)} first and {len(last)} last sessions; accepted: a curve or "
            "more, with one of each."
        )
    else:
        begins, ends = _times(first), _times(last)
        laid = Windows.of(list(curves), begins, np.maximum(ends, begins + _DAY))
    n, unlike = len(curves), int(laid.unlike.sum())
    different = max(1, laid.n + unlike)
    effective = _independent(_height(laid, unlike, seed), different)
    if sharpes is None:
        return Trials(n, effective, float("nan"))
    ratios = np.asarray(sharpes, dtype=np.float64)
    if ratios.shape != (n,):
        raise DataError(f"Sharpe ratios came as {ratios.shape} for {n} trials; accepted: one a trial.")
    weights = np.where(laid.unlike, 1.0, 0.0)
    for window, alike in zip(laid.windows, _alike(laid, seed), strict=True):
        weights[window.rows] = 1.0 / alike
    if sessions is None:
        return Trials(n, effective, _luck(ratios, weights))
    degrees = np.asarray(sessions, dtype=np.float64) - 1.0
    known = np.isfinite(ratios) & (degrees > 0.0)
    if not known.any():
        return Trials(n, effective, float("nan"))
    usual = float(np.median(degrees[known]))
    # Each as if it were of as many sessions as the usual one.
    ratios = np.where(known, ratios * np.sqrt(np.where(known, degrees, 1.0) / usual), np.nan)
    return Trials(n, effective, _luck(ratios, weights), usual + 1.0)


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
    begins, ends = _times(first), _times(last)
    edges = np.linspace(begins.min(), ends.max(), buckets + 1)
    out = np.full((len(curves), buckets), np.nan)
    sizes = np.array([np.size(curve) for curve in curves], dtype=np.float64)
    for rows, begin, end in by_span(begins, ends, sizes):
        out[rows] = resampled(np.array([curves[int(i)] for i in rows], dtype=np.float64), begin, end, edges)
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


def _times(dates: Sequence[pd.Timestamp]) -> FloatArray:
    return np.asarray(pd.DatetimeIndex(list(dates)).as_unit("us").asi8.astype(np.float64))


def _height(laid: Windows, unlike: int, seed: int) -> float:
    """Return the expected largest of standard normal numbers, correlated as curves are, and `unlike` more."""
    rng = np.random.default_rng(seed)
    peaks = np.full((2, _DIRECTIONS), -np.inf)
    # Correlations of the same number of degrees of freedom stay in order when they are put on the scale of a normal.
    most: dict[int, FloatArray] = {}
    at_once = max(_DIRECTIONS // 16, min(_DIRECTIONS, 2**21 // max(laid.finest, 1)))
    for start in range(0, _DIRECTIONS if laid.windows else 0, at_once):
        part = slice(start, min(start + at_once, _DIRECTIONS))
        courses = laid.coarsened(rng.standard_normal((laid.finest, part.stop - part.start)))
        sums, squares = ({k: _summed(v**power) for k, v in courses.items()} for power in (1, 2))
        for window in laid.windows:
            level, cells, count = window.level, window.cells, window.units.shape[1]
            total, square = (of[level][cells.stop] - of[level][cells.start] for of in (sums, squares))
            size = np.sqrt(square - total**2 / count)  # of the course within the window, without its mean
            course = (courses[level][cells] / size).astype(np.float32)
            largest = most.setdefault(count - 2, np.full((2, _DIRECTIONS), -1.0))[:, part]
            for k in range(0, len(window.units), _AT_ONCE):
                found = window.units[k : k + _AT_ONCE].astype(np.float32) @ course
                # Each course counts both ways: the smallest correlation is the largest with its mirror image.
                np.maximum(largest, np.stack([found.max(axis=0), -found.min(axis=0)]), out=largest)
    for degrees, largest in most.items():
        r = np.clip(largest, -1.0 + 1e-9, 1.0 - 1e-9)
        # Of the correlation of a fixed with a random course, both without their means.
        np.maximum(peaks, -ndtri(stdtr(degrees, -r * np.sqrt(degrees / (1.0 - r * r)))), out=peaks)
    if unlike:
        peaks = np.maximum(peaks, ndtri(rng.random(peaks.shape) ** (1.0 / unlike)))
    return float(peaks.mean()) if np.isfinite(peaks).all() else 0.0


def _summed(values: FloatArray) -> FloatArray:
    """Return what all cells before each one add up to, and all of them."""
    return np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])


def _expected_max(n: float) -> float:
    """Return the expected largest of n independent standard normal numbers; n need not be whole."""
    return float(_GRID[-1] - np.trapezoid(np.exp(n * _CHANCES), _GRID))  # that all lie below x, for every x


def _independent(height: float, n: int) -> float:
    """Return how many independent trials have their best expected at `height`, at most n."""
    counts = np.geomspace(1.0, n, num=100)
    heights = np.array([_expected_max(count) for count in counts])
    return min(float(np.exp(np.interp(height, heights, np.log(counts)))), float(n))


def _alike(laid: Windows, seed: int) -> list[FloatArray]:
    """Return how many trials each is like, itself among them: its summed squared correlations, less what noise adds.

    Very many cells are thrown together at random into fewer, which keeps correlations but for noise that is known.
    """
    if not laid.windows:
        return []
    thrown = laid.finest > _THROWN
    into = np.eye(laid.finest)
    if thrown:
        into = np.random.default_rng(seed).standard_normal((laid.finest, _THROWN))
    levels = laid.coarsened(into)

    def placed(window: Window) -> FloatArray:
        rows = window.units @ levels[window.level][window.cells]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    moments = sum((rows.T @ rows for rows in map(placed, laid.windows)), np.zeros((into.shape[1], into.shape[1])))
    many = np.array([len(window.rows) for window in laid.windows], dtype=np.float64)
    found = []
    for k, window in enumerate(laid.windows):
        rows = placed(window)
        chance = laid.chance(window) + (1.0 / _THROWN if thrown else 0.0)
        others = np.einsum("ij,ij->i", rows @ moments, rows) - 1.0 - (chance @ many - chance[k])
        found.append(np.maximum(1.0 + others / (1.0 - chance[k]), 1.0))
    return found


def _luck(ratios: FloatArray, weights: FloatArray) -> float:
    """Return twice the weighted mean square above the weighted median, of known ratios with a weight."""
    known: NDArray[np.bool_] = np.isfinite(ratios) & (weights > 0.0)
    if known.sum() < 2:
        return float("nan")
    order = np.argsort(ratios[known])
    values, share = ratios[known][order], weights[known][order]
    middle = np.interp(0.5, (share.cumsum() - share / 2.0) / share.sum(), values)
    return float(2.0 * np.average(np.maximum(values - middle, 0.0) ** 2, weights=share))
