"""Time below the peak: how deep, how long, how often, and each drawdown with its dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError
from quantlib.metrics.returns import total_return_of
from quantlib.metrics.risk import drawdown_of, max_drawdown_of
from quantlib.metrics.series import NEGLIGIBLE, count_of, dated, enough, number, over, values_of
from quantlib.types import FloatArray


def _below(r: FloatArray) -> NDArray[np.bool_]:
    """Return where wealth is below its highest so far by more than rounding."""
    return np.asarray(drawdown_of(r) < -NEGLIGIBLE)


def ulcer_index_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the root mean square of the drawdowns of each series, along the last axis."""
    return np.asarray(np.sqrt(np.square(drawdown_of(r)).mean(axis=-1)))


def time_under_water_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the share of periods that each series ends below its peak, along the last axis."""
    return np.asarray(_below(r).mean(axis=-1))


def longest_drawdown_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the most periods in a row that each series ends below its peak, along the last axis."""
    places = np.arange(r.shape[-1], dtype=np.int64)
    at_peak = np.maximum.accumulate(np.where(_below(r), -1, places), axis=-1)
    return np.asarray((places - at_peak).max(axis=-1), dtype=np.float64)


def recovery_factor_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return total return over the depth of the maximum drawdown of each series, along the last axis."""
    return over(total_return_of(r), -max_drawdown_of(r))


def ulcer_index(returns: pd.Series) -> float:
    """Return the root mean square drawdown over all periods, as a fraction: depth and length in one number.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.

    References
    ----------
    Martin, McCann (1989), The Investor's Guide to Fidelity Funds.
    """
    return number(ulcer_index_of(values_of(returns)))


def time_under_water(returns: pd.Series) -> float:
    """Return the share of periods that end below the highest wealth so far, 0 to 1.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.
    """
    return number(time_under_water_of(values_of(returns)))


def longest_drawdown(returns: pd.Series) -> float:
    """Return the longest drawdown in periods: how many in a row ended below the peak, an open one included.

    The period that regains the peak is not counted.

    Raises
    ------
    DataError
        The series is empty, or a return is unknown or below -1.

    Examples
    --------
    >>> longest_drawdown(pd.Series([0.10, -0.10, 0.05, 0.10]))
    2.0
    """
    return number(longest_drawdown_of(values_of(returns)))


def recovery_factor(returns: pd.Series) -> float:
    """Return the compounded total return over the depth of the maximum drawdown; NaN where there was no drawdown.

    It grows with the length of the record: compare records of one length.

    Raises
    ------
    DataError
        Fewer than 30 returns came, or a return is unknown or below -1.
    """
    return number(recovery_factor_of(enough(values_of(returns), "A recovery factor")))


def drawdown_table(returns: pd.Series, top: int = 5) -> pd.DataFrame:
    """Return the deepest drawdowns, one a row, the deepest first.

    Parameters
    ----------
    returns
        Simple returns with dates as index, each -1 or above and none unknown.
    top
        How many at most.

    Returns
    -------
    DataFrame
        Index: 1, 2, ... Columns: start (first session below the peak), trough, end (session that regained the peak,
        NaT while open), depth (negative fraction), sessions (below the peak), falling (of those, up to and with the
        trough) and rising (after it).

    Raises
    ------
    DataError
        The series is empty or not dated, a return is unknown or below -1, or `top` is no whole number.
    """
    values, dates = values_of(returns), dated(returns)
    if count_of(top, "top") == 0:
        raise DataError("top is 0; accepted: a whole number, 1 or above.")
    depth, below = drawdown_of(values), _below(values)
    edges = np.diff(below.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    troughs = np.array([s + int(np.argmin(depth[s:e])) for s, e in zip(starts, ends, strict=True)], dtype=np.int64)
    deepest = np.argsort(depth[troughs], kind="stable")[:top]
    starts, troughs, ends = starts[deepest], troughs[deepest], ends[deepest]
    closed = dates.append(pd.DatetimeIndex([pd.NaT], dtype=dates.dtype))  # an open one ends behind the last session
    return pd.DataFrame(
        {
            "start": dates[starts],
            "trough": dates[troughs],
            "end": closed[ends],
            "depth": depth[troughs],
            "sessions": ends - starts,
            "falling": troughs - starts + 1,
            "rising": ends - troughs - 1,
        },
        index=pd.RangeIndex(1, len(starts) + 1, name="rank"),
    )
