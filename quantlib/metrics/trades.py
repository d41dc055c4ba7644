"""What the trades made: how often, how much when right, how much when wrong. Open trades are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import enough, number, over
from quantlib.types import FloatArray

COLUMNS = ("left", "return", "pnl")
"""What a table of trades must have: session of the exit (NaT while open), pnl over the trade's base, and pnl."""


def trade_hit_rate_of(r: FloatArray, _pnl: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the share of gains among the trades that made or lost something, along the last axis."""
    return over(np.count_nonzero(r > 0, axis=-1) * 1.0, np.count_nonzero(r, axis=-1) * 1.0)


def payoff_ratio_of(r: FloatArray, _pnl: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the mean gain over the mean loss, along the last axis."""
    gain = over(np.maximum(r, 0.0).sum(axis=-1), np.count_nonzero(r > 0, axis=-1) * 1.0)
    loss = over(-np.minimum(r, 0.0).sum(axis=-1), np.count_nonzero(r < 0, axis=-1) * 1.0)
    return over(gain, loss)


def profit_factor_of(_r: FloatArray, pnl: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return money made over money lost, along the last axis."""
    return over(np.maximum(pnl, 0.0).sum(axis=-1), -np.minimum(pnl, 0.0).sum(axis=-1))


def expectancy_of(r: FloatArray, _pnl: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the mean return of a trade, along the last axis."""
    return np.asarray(r.mean(axis=-1))


def closed_trades(trades: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return return and profit of the closed trades, in the order of their exits; both may be empty.

    Raises
    ------
    DataError
        A column is missing, or the result of a closed trade is unknown.
    """
    if missing := [name for name in COLUMNS if name not in trades]:
        raise DataError(
            f"The table of trades has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}. "
            "Give the table of a result's group trades."
        )
    closed = trades[trades["left"].notna()].sort_values("left", kind="stable")
    columns = closed["return"].to_numpy(dtype=np.float64), closed["pnl"].to_numpy(dtype=np.float64)
    unknown = sum(int((~np.isfinite(column)).sum()) for column in columns)
    if unknown:
        raise DataError(f"{unknown} results of {len(closed)} closed trades are not known. Leave those trades out.")
    return columns


def _some(trades: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    columns = closed_trades(trades)
    if not len(columns[0]):
        raise DataError(f"None of the {len(trades)} trades is closed. There is nothing to measure yet.")
    return columns


def trade_hit_rate(trades: pd.DataFrame) -> float:
    """Return the share of closed trades with a gain, costs included, 0 to 1; those that made nothing are left out.

    Parameters
    ----------
    trades
        One row a trade with columns left (NaT while open), return and pnl, such as a result's group trades.

    Raises
    ------
    DataError
        A column is missing, no trade is closed, or the result of a closed one is unknown.
    """
    return number(trade_hit_rate_of(*_some(trades)))


def payoff_ratio(trades: pd.DataFrame) -> float:
    """Return the mean return of the trades that gained over that of those that lost, as positive numbers.

    NaN where none gained or none lost.

    Parameters
    ----------
    trades
        One row a trade with columns left (NaT while open), return and pnl, such as a result's group trades.

    Raises
    ------
    DataError
        A column is missing, fewer than 30 trades are closed, or the result of one is unknown.
    """
    returns, pnl = _some(trades)
    return number(payoff_ratio_of(enough(returns, "A payoff ratio"), pnl))


def profit_factor(trades: pd.DataFrame) -> float:
    """Return the money that trades made over the money that trades lost; NaN where none lost.

    In money, so the trades of a grown account weigh more; `payoff_ratio` and `expectancy` weigh all the same.

    Parameters
    ----------
    trades
        One row a trade with columns left (NaT while open), return and pnl, such as a result's group trades.

    Raises
    ------
    DataError
        A column is missing, fewer than 30 trades are closed, or the result of one is unknown.
    """
    returns, pnl = _some(trades)
    return number(profit_factor_of(enough(returns, "A profit factor"), pnl))


def expectancy(trades: pd.DataFrame) -> float:
    """Return the mean return of a closed trade on its base, costs included, as a fraction.

    Parameters
    ----------
    trades
        One row a trade with columns left (NaT while open), return and pnl, such as a result's group trades.

    Raises
    ------
    DataError
        A column is missing, no trade is closed, or the result of a closed one is unknown.
    """
    return number(expectancy_of(*_some(trades)))
