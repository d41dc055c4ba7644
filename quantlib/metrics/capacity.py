"""How large an account could follow a strategy before its own trading eats the edge."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import level_of, periods_of
from quantlib.types import FloatArray


def capacity(
    traded: pd.DataFrame,
    equity: pd.Series,
    daily_amount: pd.DataFrame,
    *,
    edge: float,
    impact_bps: float,
    periods_per_year: float,
    share: float = 0.5,
) -> float:
    """Return the equity at which market impact costs a stated share of the edge, in the account's currency.

    An order of q over an average daily traded amount of v moves the price by impact x sqrt(q / v). With the orders of
    this record as shares w of equity, an account of size A pays sqrt(A) x c a year, as a share of its equity, with
    c = impact x mean over sessions of sum(w^1.5 / sqrt(v)) x P. It has paid `share` of the edge at
    A = (share x edge / c)^2. Orders stay what they were: an account that spread them over days could be larger.

    Parameters
    ----------
    traded
        Notional bought and sold of each symbol in each session [time x symbol], both positive, 0 where none.
    equity
        Equity at each close, above zero, on the same dates.
    daily_amount
        Average amount traded a day in each symbol as known before the session [time x symbol], such as
        (close x volume).rolling(20).mean().shift(1); needed only where something was traded.
    edge
        What the strategy makes a year before impact, as a fraction of equity.
    impact_bps
        Cost in basis points of an order as large as the average daily traded amount.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    share
        Share of the edge that impact may eat, between 0 and 1; half by default: profit in money, A x edge -
        A^1.5 x c, would be largest at 2/3.

    Returns
    -------
    float
        0 where there is no edge, NaN where nothing was traded.

    Raises
    ------
    DataError
        Dates or symbols differ, an amount is unknown where something was traded, or a parameter is out of bounds.

    References
    ----------
    Almgren, Thum, Hauptmann, Li (2005), Direct estimation of equity market impact, Risk 18(7).
    Tóth et al. (2011), Anomalous price impact and the critical nature of liquidity, Physical Review X 1, 021006.
    """
    share, periods = level_of(share, "share"), periods_of(periods_per_year)
    if not math.isfinite(edge):
        raise DataError(f"edge is {edge!r}; accepted: what the strategy makes a year, as a fraction.")
    if not (math.isfinite(impact_bps) and impact_bps > 0):
        raise DataError(
            f"impact_bps is {impact_bps!r}; accepted: above 0. Without impact there is no capacity to find."
        )
    orders, amounts = _orders(traded, equity, daily_amount)
    if not orders.any():
        return float("nan")
    on = orders > 0.0
    cost = impact_bps / 1e4 * float((orders[on] ** 1.5 / np.sqrt(amounts[on])).sum()) / len(orders) * periods
    return (share * max(edge, 0.0) / cost) ** 2


def _orders(traded: pd.DataFrame, equity: pd.Series, daily_amount: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return orders as shares of equity and average daily amounts [time, symbol], checked."""
    if not (traded.index.equals(equity.index) and traded.index.equals(daily_amount.index)):
        raise DataError("Traded notional, equity and daily amounts have different dates. Put all on one index.")
    if not traded.columns.equals(daily_amount.columns):
        raise DataError(
            "Traded notional and daily amounts have different symbols. Give both for the same, in one order."
        )
    notional, base = traded.to_numpy(dtype=np.float64), equity.to_numpy(dtype=np.float64)
    if not (np.isfinite(notional).all() and (notional >= 0).all()):
        raise DataError("Traded notional must be known and not negative; sales count as positive amounts.")
    if not (np.isfinite(base).all() and (base > 0).all()):
        raise DataError("Equity must be known and above zero in every session; orders are shares of it.")
    amounts = daily_amount.to_numpy(dtype=np.float64)
    unknown = (notional > 0.0) & ~(np.isfinite(amounts) & (amounts > 0.0))
    if unknown.any():
        t, i = np.argwhere(unknown)[0]
        raise DataError(
            f"{int(unknown.sum())} of {int((notional > 0.0).sum())} orders have no known daily traded amount; the "
            f"first is {traded.columns[i]} at {traded.index[t]}. Capacity needs volume; this source may have none."
        )
    return notional / base[:, None], amounts
