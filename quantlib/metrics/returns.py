"""How much was earned, and how often."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.metrics.series import number, over, periods_of, values_of
from quantlib.types import FloatArray


def total_return_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the compounded return of each series, along the last axis."""
    return np.asarray(np.prod(1.0 + r, axis=-1) - 1.0)


def cagr_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the compounded return a year of each series, along the last axis."""
    return np.asarray(np.prod(1.0 + r, axis=-1) ** (periods_per_year / r.shape[-1]) - 1.0)


def hit_rate_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the share of gains among the non-zero returns of each series, along the last axis."""
    return over(np.count_nonzero(r > 0, axis=-1) * 1.0, np.count_nonzero(r, axis=-1) * 1.0)


def best_period_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the highest return of each series, along the last axis."""
    return np.asarray(r.max(axis=-1))


def worst_period_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the lowest return of each series, along the last axis."""
    return np.asarray(r.min(axis=-1))


def total_return(returns: pd.Series) -> float:
    """Return the compounded return over the whole series: prod(1 + r) - 1, as a fraction.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.

    Examples
    --------
    >>> round(total_return(pd.Series([0.10, -0.10])), 4)
    -0.01
    """
    return number(total_return_of(values_of(returns)))


def cagr(returns: pd.Series, *, periods_per_year: float) -> float:
    """Return the compound annual growth rate: prod(1 + r) ** (P / n) - 1, as a fraction.

    The years are counted in periods (n / P), not on the calendar. A short series is blown up by the
    exponent: two good weeks make a fantastic year.

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
    return number(cagr_of(values_of(returns), periods_of(periods_per_year)))


def hit_rate(returns: pd.Series) -> float:
    """Return the share of the non-zero returns that are gains, 0 to 1; NaN where all are zero.

    Periods without a return (flat, no position) are left out, so standing aside counts neither way.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(hit_rate_of(values_of(returns)))


def best_period(returns: pd.Series) -> float:
    """Return the highest return of a single period.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(best_period_of(values_of(returns)))


def worst_period(returns: pd.Series) -> float:
    """Return the lowest return of a single period.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(worst_period_of(values_of(returns)))
