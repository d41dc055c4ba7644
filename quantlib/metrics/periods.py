"""Returns by month and year, and metrics over a window that moves."""

from __future__ import annotations

import calendar

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import ENOUGH, count_of, dated, over, paired, periods_of, values_of

MONTHS = tuple(calendar.month_abbr[1:])


def monthly_returns(returns: pd.Series) -> pd.Series:
    """Return the compounded return of each month that has a return, on a PeriodIndex of months.

    A month that the record enters or leaves on the way counts with what it has.

    Raises
    ------
    DataError
        The series is empty or not dated, or a return is unknown or below -1.
    """
    values, dates = values_of(returns), dated(returns)
    months = dates.tz_localize(None).to_period("M")
    return (pd.Series(1.0 + values).groupby(months).prod() - 1.0).rename_axis("month").rename("return")


def monthly_table(returns: pd.Series) -> pd.DataFrame:
    """Return compounded returns, a row a year and a column a month, with the year's in the last.

    The months of a year compound to its last column, and the years to the total return.

    Returns
    -------
    DataFrame
        Index: years, each from first to last. Columns: Jan ... Dec, Year; NaN where there is no return.

    Raises
    ------
    DataError
        The series is empty or not dated, or a return is unknown or below -1.
    """
    months = monthly_returns(returns)
    index = pd.PeriodIndex(months.index)
    years = pd.RangeIndex(index.year[0], index.year[-1] + 1, name="year")
    grid = np.full((len(years), 12), np.nan)
    grid[index.year - years[0], index.month - 1] = months.to_numpy()
    table = pd.DataFrame(grid, index=years, columns=list(MONTHS))
    return table.assign(Year=(1.0 + table).prod(axis=1, min_count=1) - 1.0)


def rolling(
    returns: pd.Series, window: int, *, periods_per_year: float, benchmark: pd.Series | None = None
) -> pd.DataFrame:
    """Return Sharpe ratio and volatility over the last `window` returns at each period, and beta with a benchmark.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    window
        Returns looked back on, the period's own included; 30 or more.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    benchmark
        Returns on the same index.

    Returns
    -------
    DataFrame
        On the dates of the returns. Columns: sharpe_ratio, volatility, and beta where a benchmark is given; NaN
        until the window is full, and where there is no risk to divide by.

    Raises
    ------
    DataError
        The window is below 30, a return is unknown or below -1, or the indices differ.
    """
    values_of(returns)
    root = np.sqrt(periods_of(periods_per_year))
    if count_of(window, "window") < ENOUGH:
        raise DataError(f"window is {window}; accepted: {ENOUGH} or more, as a Sharpe ratio of fewer says nothing.")
    series = returns.astype("float64")
    moving = series.rolling(window)
    deviation = moving.std()
    table = {
        "sharpe_ratio": over(moving.mean().to_numpy() * root, deviation.to_numpy()),
        "volatility": deviation * root,
    }
    if benchmark is not None:
        paired(returns, benchmark, "benchmark")
        other = benchmark.astype("float64")
        spread = other.rolling(window).std().to_numpy()
        table["beta"] = over(over(moving.cov(other).to_numpy(), spread), spread)
    return pd.DataFrame(table, index=returns.index)
