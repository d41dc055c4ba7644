"""Return earned for the risk taken; unknown, never infinite, where no risk was seen."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.returns import cagr_of
from quantlib.metrics.risk import deviation_of, max_drawdown_of, semideviation_of
from quantlib.metrics.series import NEGLIGIBLE, count_of, enough, excess, number, over, periods_of, values_of
from quantlib.types import FloatArray


def sharpe_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised Sharpe ratio of each series of excess returns, along the last axis."""
    return over(r.mean(axis=-1) * np.sqrt(periods_per_year), deviation_of(r))


def sortino_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised Sortino ratio of each series of excess returns, along the last axis."""
    return over(r.mean(axis=-1) * np.sqrt(periods_per_year), semideviation_of(r))


def autocorrelation_lags(n: int, periods_per_year: float) -> int:
    """Return how many lags of the autocorrelation `lo_sharpe_ratio` counts by default, for n returns.

    floor(4 (n / 100)^(2/9)), at most P - 1 as no lag within a year is longer, and n - 1.

    References
    ----------
    Newey, West (1994), Automatic lag selection in covariance matrix estimation, Review of Economic Studies 61.
    """
    return max(0, min(int(4 * (n / 100) ** (2 / 9)), math.ceil(periods_per_year) - 1, n - 1))


def lo_sharpe_ratio_of(r: FloatArray, periods_per_year: float, lags: int | None = None) -> FloatArray:
    """Return the Sharpe ratio of each series, annualised as its autocorrelation asks for, along the last axis."""
    q = periods_per_year
    lags = autocorrelation_lags(r.shape[-1], q) if lags is None else lags
    off = r - r.mean(axis=-1, keepdims=True)
    squares = np.square(off).sum(axis=-1)
    known = squares > 0.0
    total = np.full(squares.shape, float(q))
    for k in range(1, lags + 1):
        products = np.einsum("...i,...i->...", off[..., k:], off[..., :-k])
        total += 2.0 * (q - k) * products / np.where(known, squares, 1.0)
    scale = np.where(total > NEGLIGIBLE, q / np.sqrt(np.maximum(total, NEGLIGIBLE)), np.nan)
    return over(r.mean(axis=-1), deviation_of(r)) * scale


def calmar_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the Calmar ratio of each series, along the last axis."""
    return over(cagr_of(r, periods_per_year), -max_drawdown_of(r))


def sharpe_ratio(returns: pd.Series, *, periods_per_year: float, risk_free: float | pd.Series = 0.0) -> float:
    """Return the annualised Sharpe ratio: mean(r - f) / std(r - f) x sqrt(P), std with n - 1.

    NaN where the excess return does not vary. The square root of time assumes returns without
    autocorrelation; momentum in them makes the ratio look better than it is: see `lo_sharpe_ratio`.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    risk_free
        f: the rate for one period (not a year), or a series of them on the same index.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Sharpe (1994), The Sharpe ratio, J. Portfolio Management 21(1), 49-58.

    Examples
    --------
    >>> round(sharpe_ratio(pd.Series([0.01, 0.03] * 20), periods_per_year=4), 4)
    3.9497
    """
    values = enough(excess(returns, risk_free, "risk_free"), "A Sharpe ratio")
    return number(sharpe_ratio_of(values, periods_of(periods_per_year)))


def lo_sharpe_ratio(
    returns: pd.Series, *, periods_per_year: float, risk_free: float | pd.Series = 0.0, lags: int | None = None
) -> float:
    """Return the Sharpe ratio of a year from that of a period, with the returns' autocorrelation in the scaling.

    mean(r - f) / std(r - f) x P / sqrt(P + 2 sum over k of (P - k) rho(k)), k from 1 to `lags`; without
    autocorrelation that is the plain Sharpe ratio. Momentum in the returns makes it smaller, reversal larger. NaN
    where the returns do not vary, and where the autocorrelations leave a year no variance.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    risk_free
        f: the rate for one period (not a year), or a series of them on the same index.
    lags
        Autocorrelations counted, below P and the number of returns; None takes `autocorrelation_lags`, which is
        10 for 8,000 daily returns. Lo counts all P - 1: of daily returns that would be mostly noise.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, the indices differ or lags are out of bounds.

    References
    ----------
    Lo (2002), The statistics of Sharpe ratios, Financial Analysts Journal 58(4), 36-52.
    """
    values, periods = excess(returns, risk_free, "risk_free"), periods_of(periods_per_year)
    if lags is not None and not count_of(lags, "lags") < min(periods, len(values)):
        most = min(math.ceil(periods), len(values)) - 1
        raise DataError(f"lags is {lags}; accepted: 0 to {most}, within a year and within the returns.")
    return number(lo_sharpe_ratio_of(enough(values, "A Sharpe ratio"), periods, lags))


def sortino_ratio(returns: pd.Series, *, periods_per_year: float, target: float | pd.Series = 0.0) -> float:
    """Return the annualised Sortino ratio: mean(r - t) / sqrt(mean(min(r - t, 0)^2)) x sqrt(P).

    The downside deviation is taken over all n periods, gains counting as zero. NaN where no period fell
    short of the target.

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
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Sortino, van der Meer (1991), Downside risk, J. Portfolio Management 17(4), 27-31.
    """
    values = enough(excess(returns, target, "target"), "A Sortino ratio")
    return number(sortino_ratio_of(values, periods_of(periods_per_year)))


def calmar_ratio(returns: pd.Series, *, periods_per_year: float) -> float:
    """Return CAGR over the depth of the maximum drawdown; NaN where there was no drawdown.

    Over the whole series, where Young's original looks back 36 months: a longer series has seen more
    drawdown, so compare series of one length.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.

    Raises
    ------
    DataError
        Fewer than 30 returns came, or a return is unknown or below -1.

    References
    ----------
    Young (1991), Calmar ratio: a smoother tool, Futures 20(1).
    """
    return number(calmar_ratio_of(enough(values_of(returns), "A Calmar ratio"), periods_of(periods_per_year)))
