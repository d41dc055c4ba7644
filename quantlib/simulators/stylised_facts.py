"""What real prices are known to do, each as one number of a series: tails, memory, volatility clusters, drawdowns."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.special import binom

from quantlib.metrics.risk import max_drawdown_of
from quantlib.metrics.series import over
from quantlib.metrics.underwater import longest_drawdown_of
from quantlib.types import FloatArray

LAGS = (1, 2, 3, 5, 10, 20, 40, 60)
"""Lags in sessions at which autocorrelations are measured."""
TAIL = 0.05
"""Share of the sessions that counts as a tail: for the Hill estimator, and for falling together."""
AHEAD = 10
"""Sessions after a move over which the leverage effect is averaged; one lag alone is mostly noise."""

Unit = Literal["percent", "ratio", "count"]


class Measure(NamedTuple):
    """One stylised fact.

    Parameters
    ----------
    title
        What is measured, for a table.
    facet
        The side of reality it belongs to; a grade counts facets, as measures of one facet fail together.
    unit
        How the number is written.
    above, below
        What is wrong with simulated worlds where history's value lies above, or below, theirs.
    floor, ceiling
        Bounds that the measure cannot leave.
    larger_only
        Whether only a value of history above the worlds' speaks against them.
    sign
        1 or -1 for a measure that has this sign and is compared in logarithms, so that twice as deep is as far away as
        half as deep; 0 for one that is compared as it is.
    """

    title: str
    facet: str
    unit: Unit
    above: str
    below: str
    floor: float = -np.inf
    ceiling: float = np.inf
    larger_only: bool = False
    sign: int = 0


MEASURES: dict[str, Measure] = {
    "mean": Measure("Mean log return a year", "level", "percent", "growth too slow", "growth too fast"),
    "volatility": Measure(
        "Volatility a year", "level", "percent", "volatility too low", "volatility too high", 0.0, sign=1
    ),
    "skewness": Measure(
        "Skewness (L-moments)",
        "asymmetry",
        "ratio",
        "returns skewed too far down",
        "too little downside skew",
        -1.0,
        1.0,
    ),
    "kurtosis": Measure("Kurtosis (L-moments)", "tails", "ratio", "tails too thin", "tails too fat", -0.25, 1.0),
    "lower_tail": Measure(
        "Tail index of losses", "tails", "ratio", "lower tail too fat", "lower tail too thin", 0.0, sign=1
    ),
    "upper_tail": Measure(
        "Tail index of gains", "tails", "ratio", "upper tail too fat", "upper tail too thin", 0.0, sign=1
    ),
    "worst": Measure(
        "1 % quantile of returns", "tails", "percent", "worst days too bad", "worst days too mild", -1.0, sign=-1
    ),
    "best": Measure(
        "99 % quantile of returns", "tails", "percent", "best days too mild", "best days too good", -1.0, sign=1
    ),
    "memory": Measure(
        "Autocorrelation of returns, lag 1",
        "memory",
        "ratio",
        "too little momentum from day to day",
        "too little reversal from day to day",
        -1.0,
        1.0,
    ),
    **{
        f"clusters_{lag}": Measure(
            f"Autocorrelation of absolute returns, lag {lag}",
            "clustering",
            "ratio",
            "too little volatility clustering",
            "too much volatility clustering",
            -1.0,
            1.0,
        )
        for lag in (1, 5, 20)
    },
    "leverage": Measure(
        f"Leverage effect, {AHEAD} sessions ahead",
        "leverage",
        "ratio",
        "too much leverage effect",
        "too little leverage effect",
        -1.0,
        1.0,
    ),
    "drawdown": Measure(
        "Maximum drawdown", "drawdowns", "percent", "drawdowns too deep", "drawdowns too shallow", -1.0, 0.0, sign=-1
    ),
    "underwater": Measure(
        "Longest drawdown (sessions)",
        "drawdowns",
        "count",
        "drawdowns too short",
        "drawdowns too long",
        0.0,
        sign=1,
    ),
}
"""The measures of one series, in the order of the columns that `facts` returns."""

JOINT: dict[str, Measure] = {
    "correlation": Measure(
        "Mean correlation of pairs",
        "correlation",
        "ratio",
        "too little correlation",
        "too much correlation",
        -1.0,
        1.0,
    ),
    "distance": Measure(
        "Distance of the correlation matrix",
        "correlation",
        "ratio",
        "correlations misplaced",
        "",
        0.0,
        2.0,
        larger_only=True,
    ),
    "joint_falls": Measure(
        "Falls shared by a pair (lower-tail dependence)",
        "joint falls",
        "ratio",
        "too little falling together",
        "too much falling together",
        0.0,
        1.0,
    ),
}
"""The measures of several series together."""


def facts(moves: FloatArray, periods_per_year: float) -> tuple[FloatArray, FloatArray]:
    """Return the measures [k, N, M] and the autocorrelations [k, N, 2, lags] of k worlds' log returns [k, T, N].

    Skewness and kurtosis are ratios of L-moments: the sample kurtosis of a law with four moments or fewer hangs on
    its largest observation, whereas L-moments need no more than a mean to be estimated well. The tail index is
    Hill's, over the 5 % of the sessions furthest from the median on that side; small is fat, and 3 is usual for
    stocks. Quantiles and drawdowns are of simple returns. NaN is what cannot be measured, such as the
    autocorrelation of a series that never moves.

    The autocorrelations are, at each of `LAGS`, those of returns and those of absolute returns.

    References
    ----------
    Cont (2001), Empirical properties of asset returns: stylized facts and statistical issues, Quantitative Finance
    1, 223-236. Hosking (1990), L-moments, J. Royal Statistical Society B 52, 105-124. Hill (1975), A simple general
    approach to inference about the tail of a distribution, Annals of Statistics 3, 1163-1174.
    """
    series = np.ascontiguousarray(moves.transpose(0, 2, 1))
    ordered = np.sort(series, axis=-1)
    simple = np.expm1(series)
    returns, sizes = _centred(series), _centred(np.abs(series))
    waves = np.stack([_correlated(part, part, lag) for part in (returns, sizes) for lag in LAGS], axis=-1)
    acf = waves.reshape(*waves.shape[:-1], 2, len(LAGS))
    skew, kurtosis = l_ratios(ordered)
    worst, best = np.quantile(ordered, [0.01, 0.99], axis=-1)
    columns = {
        "mean": series.mean(axis=-1) * periods_per_year,
        "volatility": series.std(axis=-1, ddof=1) * np.sqrt(periods_per_year),
        "skewness": skew,
        "kurtosis": kurtosis,
        "lower_tail": tail_index(-ordered[..., ::-1]),
        "upper_tail": tail_index(ordered),
        "worst": np.expm1(worst),
        "best": np.expm1(best),
        "memory": acf[..., 0, LAGS.index(1)],
        **{f"clusters_{lag}": acf[..., 1, LAGS.index(lag)] for lag in (1, 5, 20)},
        "leverage": np.mean([_correlated(returns, sizes, lag) for lag in range(1, AHEAD + 1)], axis=0),
        "drawdown": max_drawdown_of(simple),
        "underwater": longest_drawdown_of(simple),
    }
    return np.stack([columns[name] for name in MEASURES], axis=-1), acf


def l_ratios(ordered: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return L-skewness and L-kurtosis of series in ascending order [..., T]; NaN where they do not move.

    As `scipy.stats.lmoment`, which copies the series four times and would take most of a card's time.
    """
    places, n = np.arange(ordered.shape[-1]), ordered.shape[-1]
    b0, b1, b2, b3 = (binom(places, r) / binom(n - 1, r) / n for r in range(4))
    weights = 2 * b1 - b0, 6 * b2 - 6 * b1 + b0, 20 * b3 - 30 * b2 + 12 * b1 - b0
    second, third, fourth = (np.einsum("...t,t->...", ordered, w) for w in weights)
    return over(third, second), over(fourth, second)


def tail_index(ordered: FloatArray) -> FloatArray:
    """Return Hill's index of the upper tail of series in ascending order [..., T]; NaN where the tail is no tail.

    The largest 5 % of the distances above the median, against the next one below them.
    """
    beyond = ordered - np.median(ordered, axis=-1, keepdims=True)
    k = int(np.ceil(TAIL * ordered.shape[-1]))
    threshold = beyond[..., -k - 1]
    known = threshold > 0
    excess = np.log(beyond[..., -k:].clip(min=np.finfo(float).tiny)).mean(axis=-1)
    excess = excess - np.log(np.where(known, threshold, 1.0))
    known &= excess > 0
    return np.where(known, 1.0 / np.where(known, excess, 1.0), np.nan)


def joint_facts(moves: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the correlations [k, pairs] of k worlds' log returns [k, T, N], and how often pairs fall together [k].

    The latter is the share of one symbol's worst 5 % of sessions that are also among the other's, averaged over all
    pairs: 0.05 where they have nothing to do with each other, 1 where they fall as one.
    """
    _, length, width = moves.shape
    pairs = np.triu_indices(width, 1)
    series = np.ascontiguousarray(moves.transpose(0, 2, 1))
    units = _centred(series)
    # Not matmul: its library starts threads of its own inside ours, which then wait for each other.
    correlation = np.einsum("knt,kmt->knm", units, units)
    m = int(np.ceil(TAIL * length))
    bad = (series <= np.partition(series, m - 1, axis=-1)[..., m - 1 : m]).astype(np.float64)
    shared = np.einsum("knt,kmt->knm", bad, bad) / m
    return correlation[:, *pairs], shared[:, *pairs].mean(axis=-1)


def _centred(series: FloatArray) -> FloatArray:
    """Return series [..., T] with mean zero and sum of squares one; NaN where they do not move."""
    away = series - series.mean(axis=-1, keepdims=True)
    length = np.sqrt(np.einsum("...t,...t->...", away, away))[..., None]
    # Rounding leaves a constant series a hair of spread, which is not a movement.
    moved = length > 1e-12 * np.abs(series).max(axis=-1, keepdims=True)
    return np.asarray(np.divide(away, length, out=np.full_like(away, np.nan), where=moved))


def _correlated(earlier: FloatArray, later: FloatArray, lag: int) -> FloatArray:
    """Return the correlation of one series with another `lag` sessions later, both from `_centred`."""
    return np.asarray(np.einsum("...t,...t->...", earlier[..., :-lag], later[..., lag:]))
