"""Measured against a benchmark on the same dates: what moves with it, what is left, and what each side captures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.metrics.ratios import sharpe_ratio_of
from quantlib.metrics.risk import deviation_of, volatility_of
from quantlib.metrics.series import enough, excess, number, over, paired, periods_of, values_of
from quantlib.types import FloatArray


def _covariance(r: FloatArray, b: FloatArray) -> FloatArray:
    off_r, off_b = r - r.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    return np.asarray(np.einsum("...i,...i->...", off_r, off_b) / (r.shape[-1] - 1))


def beta_of(r: FloatArray, b: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the slope of each series of returns on its benchmark, along the last axis."""
    deviation = deviation_of(b)
    return over(over(_covariance(r, b), deviation), deviation)


def alpha_of(r: FloatArray, b: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised return of each series beyond its beta, along the last axis."""
    return np.asarray((r.mean(axis=-1) - beta_of(r, b) * b.mean(axis=-1)) * periods_per_year)


def correlation_of(r: FloatArray, b: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the correlation of each series with its benchmark, along the last axis."""
    return over(over(_covariance(r, b), deviation_of(r)), deviation_of(b))


def tracking_error_of(r: FloatArray, b: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised deviation of each series from its benchmark, along the last axis."""
    return volatility_of(r - b, periods_per_year)


def information_ratio_of(r: FloatArray, b: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised gain on the benchmark over the tracking error of each series, along the last axis."""
    return sharpe_ratio_of(r - b, periods_per_year)


def _mean_growth(r: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """Return the geometric mean return over the periods chosen; NaN where none is."""
    with np.errstate(divide="ignore"):  # the logarithm of ruin
        logs = np.log1p(r)
    return np.asarray(np.expm1(over(np.where(where, logs, 0.0).sum(axis=-1), where.sum(axis=-1) * 1.0)))


def up_capture_of(r: FloatArray, b: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return mean growth over the benchmark's, in the periods it rose, of each series, along the last axis."""
    return over(_mean_growth(r, b > 0), _mean_growth(b, b > 0))


def down_capture_of(r: FloatArray, b: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return mean growth over the benchmark's, in the periods it fell, of each series, along the last axis."""
    return over(_mean_growth(r, b < 0), _mean_growth(b, b < 0))


def _both(returns: pd.Series, benchmark: pd.Series, what: str) -> tuple[FloatArray, FloatArray]:
    values, other = values_of(returns), paired(returns, benchmark, "benchmark")
    return enough(values, what), other


def beta(returns: pd.Series, benchmark: pd.Series, *, risk_free: float | pd.Series = 0.0) -> float:
    """Return the slope on the benchmark: cov(r - f, b - f) / var(b - f); NaN where the benchmark does not vary.

    Parameters
    ----------
    returns, benchmark
        Simple returns on the same dates, one a period, each -1 or above and none unknown.
    risk_free
        f: the rate for one period (not a year), or a series of them on the same index.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Sharpe (1964), Capital asset prices, J. Finance 19(3), 425-442.
    """
    _both(returns, benchmark, "Beta")
    return number(beta_of(excess(returns, risk_free, "risk_free"), excess(benchmark, risk_free, "risk_free")))


def alpha(
    returns: pd.Series, benchmark: pd.Series, *, periods_per_year: float, risk_free: float | pd.Series = 0.0
) -> float:
    """Return what was earned a year beyond beta, not compounded: (mean(r - f) - beta x mean(b - f)) x P.

    Parameters
    ----------
    returns, benchmark
        Simple returns on the same dates, one a period, each -1 or above and none unknown.
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
    Jensen (1968), The performance of mutual funds in the period 1945-1964, J. Finance 23(2), 389-416.
    """
    _both(returns, benchmark, "Alpha")
    r, b = excess(returns, risk_free, "risk_free"), excess(benchmark, risk_free, "risk_free")
    return number(alpha_of(r, b, periods_of(periods_per_year)))


def correlation(returns: pd.Series, benchmark: pd.Series) -> float:
    """Return the correlation with the benchmark, -1 to 1; NaN where one of the two does not vary.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.
    """
    return number(correlation_of(*_both(returns, benchmark, "Correlation")))


def tracking_error(returns: pd.Series, benchmark: pd.Series, *, periods_per_year: float) -> float:
    """Return the annualised deviation from the benchmark: std(r - b) with n - 1, times sqrt(P).

    NaN for a single return.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Grinold, Kahn (2000), Active Portfolio Management, chapter 3: active risk.
    """
    values, other = values_of(returns), paired(returns, benchmark, "benchmark")
    return number(tracking_error_of(values, other, periods_of(periods_per_year)))


def information_ratio(returns: pd.Series, benchmark: pd.Series, *, periods_per_year: float) -> float:
    """Return the annualised gain on the benchmark over the tracking error: mean(r - b) / std(r - b) x sqrt(P).

    NaN where the difference does not vary.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Goodwin (1998), The information ratio, Financial Analysts Journal 54(4), 34-43.
    """
    pair = _both(returns, benchmark, "An information ratio")
    return number(information_ratio_of(*pair, periods_of(periods_per_year)))


def up_capture(returns: pd.Series, benchmark: pd.Series) -> float:
    """Return the share of the benchmark's rise that was caught: geometric means over the periods in which it rose.

    NaN where it never rose.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Morningstar, Upside and downside capture ratio (methodology paper); here a period's mean, not compounded to a year.
    """
    return number(up_capture_of(*_both(returns, benchmark, "Up capture")))


def down_capture(returns: pd.Series, benchmark: pd.Series) -> float:
    """Return the share of the benchmark's fall that was suffered: geometric means over the periods in which it fell.

    Below zero where money was made while it fell; NaN where it never fell.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Morningstar, Upside and downside capture ratio (methodology paper); here a period's mean, not compounded to a year.
    """
    return number(down_capture_of(*_both(returns, benchmark, "Down capture")))
