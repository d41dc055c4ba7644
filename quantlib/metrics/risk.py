"""What could be lost: the spread of returns, the tail of losses, and the way down from the peak."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.metrics.series import excess, level_of, number, periods_of, values_of
from quantlib.types import FloatArray


def deviation_of(r: FloatArray) -> FloatArray:
    """Return the sample standard deviation (n - 1) of each series; NaN for a single return."""
    if r.shape[-1] < 2:
        return np.full(r.shape[:-1], np.nan)
    return np.asarray(r.std(axis=-1, ddof=1))


def semideviation_of(r: FloatArray) -> FloatArray:
    """Return the root of the mean squared shortfall below zero of each series, over all n."""
    return np.asarray(np.sqrt(np.square(np.minimum(r, 0.0)).mean(axis=-1)))


def downside_deviation_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised downside deviation of each series, along the last axis."""
    return np.asarray(semideviation_of(r) * np.sqrt(periods_per_year))


def volatility_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised standard deviation of each series, along the last axis."""
    return np.asarray(deviation_of(r) * np.sqrt(periods_per_year))


def drawdown_of(r: FloatArray) -> FloatArray:
    """Return the distance below the highest wealth so far, start included; same shape as the returns."""
    wealth = np.cumprod(1.0 + r, axis=-1)
    peak = np.maximum(np.maximum.accumulate(wealth, axis=-1), 1.0)
    return np.asarray(wealth / peak - 1.0)


def max_drawdown_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the deepest drawdown of each series, zero or negative, along the last axis."""
    return np.asarray(drawdown_of(r).min(axis=-1))


def _worst(r: FloatArray, level: float) -> tuple[FloatArray, float]:
    """Return the worst returns, ascending, down to the quantile itself, and the mass of the tail."""
    n = r.shape[-1]
    # Rounded because 100 - 0.55 * 100 is a hair below 45 and would lose a whole observation.
    mass = max(n - round(level * n, 9), 1e-9)
    last = min(int(mass), n - 1)
    return np.sort(np.partition(r, last, axis=-1)[..., : last + 1], axis=-1), mass


def value_at_risk_of(r: FloatArray, _periods_per_year: float = 1.0, level: float = 0.95) -> FloatArray:
    """Return the historical value at risk of each series, along the last axis."""
    return np.asarray(-_worst(r, level)[0][..., -1])


def expected_shortfall_of(r: FloatArray, _periods_per_year: float = 1.0, level: float = 0.95) -> FloatArray:
    """Return the historical expected shortfall of each series, along the last axis."""
    worst, mass = _worst(r, level)
    whole = worst.shape[-1] - 1
    return np.asarray(-(worst[..., :-1].sum(axis=-1) + (mass - whole) * worst[..., -1]) / mass)


def volatility(returns: pd.Series, *, periods_per_year: float) -> float:
    """Return the annualised volatility: std(r) with n - 1, times sqrt(P), as a fraction.

    The square root of time assumes returns without autocorrelation. NaN for a single return.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(volatility_of(values_of(returns), periods_of(periods_per_year)))


def downside_deviation(returns: pd.Series, *, periods_per_year: float, target: float | pd.Series = 0.0) -> float:
    """Return the annualised downside deviation: sqrt(mean(min(r - t, 0)^2)) x sqrt(P), as a fraction.

    Over all n periods, gains counting as zero, as in the Sortino ratio.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    target
        t: the return for one period (not a year) that is just acceptable, or a series on the same index.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, or the indices differ.
    """
    return number(downside_deviation_of(excess(returns, target, "target"), periods_of(periods_per_year)))


def drawdown(returns: pd.Series) -> pd.Series:
    """Return the drawdown at each period: wealth over its highest value so far minus 1, zero or negative.

    Wealth starts at 1 before the first return, so a loss in the first period is a drawdown already.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.

    Examples
    --------
    >>> drawdown(pd.Series([0.25, -0.20, 0.10])).round(2).tolist()
    [0.0, -0.2, -0.12]
    """
    return pd.Series(drawdown_of(values_of(returns)), index=returns.index, name="drawdown")


def max_drawdown(returns: pd.Series) -> float:
    """Return the deepest drawdown as a negative fraction: -0.25 is a fall of 25 %; 0 where none was.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(max_drawdown_of(values_of(returns)))


def value_at_risk(returns: pd.Series, *, level: float = 0.95) -> float:
    """Return the historical value at risk of one period as a positive loss: 0.02 is a loss of 2 %.

    The smallest loss that at least `level` of the periods did not exceed; an observed return, without
    interpolation and without a distribution assumed. Negative where even that period gained. With fewer
    than 1 / (1 - level) returns it is the worst one. Not annualised.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    level
        Confidence between 0 and 1.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, or the level is not between 0 and 1.

    References
    ----------
    McNeil, Frey, Embrechts (2015), Quantitative Risk Management, definition 2.8.
    """
    return number(value_at_risk_of(values_of(returns), level=level_of(level)))


def expected_shortfall(returns: pd.Series, *, level: float = 0.95) -> float:
    """Return the mean loss in the worst 1 - level of the periods, as a positive loss; at least the VaR.

    The quantile itself counts with the part of it that lies in the tail, which keeps the measure coherent
    where (1 - level) x n is not a whole number. Not annualised.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    level
        Confidence between 0 and 1.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, or the level is not between 0 and 1.

    References
    ----------
    Acerbi, Tasche (2002), On the coherence of expected shortfall, J. Banking & Finance 26, 1487-1503.
    """
    return number(expected_shortfall_of(values_of(returns), level=level_of(level)))
