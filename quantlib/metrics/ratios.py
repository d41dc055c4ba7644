"""Return earned for the risk taken; unknown, never infinite, where no risk was seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.returns import cagr_of
from quantlib.metrics.risk import deviation_of, max_drawdown_of
from quantlib.metrics.series import number, over, periods_of, values_of
from quantlib.types import FloatArray


def sharpe_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised Sharpe ratio of each series of excess returns, along the last axis."""
    return over(r.mean(axis=-1) * np.sqrt(periods_per_year), deviation_of(r))


def sortino_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the annualised Sortino ratio of each series of excess returns, along the last axis."""
    downside = np.sqrt(np.square(np.minimum(r, 0.0)).mean(axis=-1))
    return over(r.mean(axis=-1) * np.sqrt(periods_per_year), downside)


def calmar_ratio_of(r: FloatArray, periods_per_year: float) -> FloatArray:
    """Return the Calmar ratio of each series, along the last axis."""
    return over(cagr_of(r, periods_per_year), -max_drawdown_of(r))


def _excess(returns: pd.Series, base: float | pd.Series, name: str) -> FloatArray:
    """Return returns above a base given for each period, once or as a series."""
    values = values_of(returns)
    if isinstance(base, pd.Series):
        if not base.index.equals(returns.index):
            raise DataError(
                f"The returns and the series {name} have different dates. "
                "Put both on one index first; rates are not filled here."
            )
        return values - values_of(base)
    if not np.isfinite(base):
        raise DataError(f"{name} is {base!r}; accepted: a rate for one period, or a series of them.")
    return values - base


def sharpe_ratio(returns: pd.Series, *, periods_per_year: float, risk_free: float | pd.Series = 0.0) -> float:
    """Return the annualised Sharpe ratio: mean(r - f) / std(r - f) x sqrt(P), std with n - 1.

    NaN for a single return and where the excess return does not vary. The square root of time assumes
    returns without autocorrelation; momentum in them makes the ratio look better than it is (Lo, 2002).

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
        The series is empty, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Sharpe (1994), The Sharpe ratio, J. Portfolio Management 21(1), 49-58.

    Examples
    --------
    >>> round(sharpe_ratio(pd.Series([0.01, 0.03]), periods_per_year=4), 4)
    2.8284
    """
    return number(sharpe_ratio_of(_excess(returns, risk_free, "risk_free"), periods_of(periods_per_year)))


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
        The series is empty, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Sortino, van der Meer (1991), Downside risk, J. Portfolio Management 17(4), 27-31.
    """
    return number(sortino_ratio_of(_excess(returns, target, "target"), periods_of(periods_per_year)))


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
        The series is empty, or a return is unknown or below -1.

    References
    ----------
    Young (1991), Calmar ratio: a smoother tool, Futures 20(1).
    """
    return number(calmar_ratio_of(values_of(returns), periods_of(periods_per_year)))
