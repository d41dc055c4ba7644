"""The tables of a backtest, from what the kernel wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.backtest.result import BacktestResult
from quantlib.backtest.state import (
    BORROW,
    CASH,
    DELISTED,
    DIVIDENDS,
    FINANCING,
    NOT,
    PROFITS,
    REASONS,
    RUIN,
    SHARES,
    STATUSES,
    VALUE,
    WRITTEN_OFF,
    IntArray,
    Log,
    Record,
)
from quantlib.costs import Costs, costs_of
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True)
class Plan:
    """What was handed to the kernel: names of the groups [G], first legs [G + 1], symbols [L] and targets [L, T]."""

    names: tuple[str, ...]
    first: IntArray
    column: IntArray
    targets: FloatArray

    @property
    def group(self) -> IntArray:
        """The group of each leg [L]."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.first))


def result_of(
    panel: Panel, plan: Plan, costs: Costs | Mapping[str, Costs], equity: FloatArray, record: Record, log: Log
) -> BacktestResult:
    """Return a backtest's result from the arrays of the kernel."""
    index = panel.index
    fills = log.fills[: log.used[0]]
    trades = _fills(panel, plan, costs, fills)
    bars = fills[:, 0].astype(np.int64)

    def by_bar(values: pd.Series) -> FloatArray:
        return np.asarray(np.bincount(bars, weights=values.to_numpy(), minlength=len(index)), dtype=np.float64)

    parts = {name: by_bar(trades[name]) for name in ("commission", "spread", "impact")}
    parts |= {"borrow": record.bars[BORROW], "financing": record.bars[FINANCING], "dividends": record.bars[DIVIDENDS]}
    legs = pd.MultiIndex.from_arrays(
        [_words(plan.names, plan.group), _words(panel.symbols, plan.column)], names=["group", "symbol"]
    )
    held = _by_symbol(panel, plan, record.legs[VALUE])
    weights = np.divide(held, equity[:, None], out=np.zeros(held.shape), where=equity[:, None] > 0)
    return BacktestResult(
        equity=pd.Series(equity, index=index, name="equity"),
        cash=pd.Series(record.bars[CASH], index=index, name="cash"),
        shares=_wide(panel, _by_symbol(panel, plan, record.legs[SHARES])),
        weights=_wide(panel, weights),
        targets=_wide(panel, _by_symbol(panel, plan, plan.targets)),
        trades=trades,
        orders=_orders(panel, plan, log.orders[: log.used[1]]),
        group_trades=_group_trades(panel, plan, log.trades[: log.used[2]], fills),
        leg_pnl=pd.DataFrame(record.legs[PROFITS].T, index=index, columns=legs, copy=False),
        leg_value=pd.DataFrame(record.legs[VALUE].T, index=index, columns=legs, copy=False),
        costs=pd.Series(sum(parts[name] for name in ("commission", "spread", "impact", "borrow")), index, name="costs"),
        cost_parts=pd.DataFrame(parts, index=index),
        traded=pd.Series(by_bar(trades["notional"]), index=index, name="traded"),
        written_off=pd.Series(record.bars[WRITTEN_OFF], index=index, name="written_off"),
        periods_per_year=panel.periods_per_year,
    )


def _words(words: Sequence[str], codes: IntArray) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(words), dtype="str").take(codes)


def _dates(index: pd.DatetimeIndex, rows: FloatArray) -> pd.DatetimeIndex:
    """Return the dates of rows, NaT where the row is -1."""
    return pd.DatetimeIndex(np.append(index.to_numpy(), np.datetime64("NaT"))[rows.astype(np.int64)])


def _by_symbol(panel: Panel, plan: Plan, legs: FloatArray) -> FloatArray:
    """Return the sum over groups of something known by leg [L, T], by symbol [T, N]; a view where they are the same."""
    if np.array_equal(plan.column, np.arange(len(panel.symbols))):
        return legs.T
    summed = np.zeros((len(panel.symbols), len(panel)))
    for leg, column in enumerate(plan.column):
        summed[column] += legs[leg]
    return summed.T


def _wide(panel: Panel, values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(values, index=panel.index, columns=pd.Index(panel.symbols, name="symbol"), copy=False)


def _fills(panel: Panel, plan: Plan, costs: Costs | Mapping[str, Costs], fills: FloatArray) -> pd.DataFrame:
    bar, leg, change, price, cost, impact, row, reason = fills.T
    legs, columns = leg.astype(np.int64), plan.column[leg.astype(np.int64)]
    each = [costs_of(symbol, costs) for symbol in panel.symbols]
    of_linear = [one.commission_bps / ((one.commission_bps + one.half_spread_bps) or 1.0) for one in each]
    share = np.array(of_linear)[columns]
    return pd.DataFrame(
        {
            "ts": _dates(panel.index, bar),
            "symbol": _words(panel.symbols, columns),
            "side": _words(("sell", "buy"), (change > 0).astype(np.int64)),
            "shares": np.abs(change),
            "price": price,
            "notional": np.abs(change * price),
            "cost": cost,
            "decided": _dates(panel.index, row),
            "group": _words(plan.names, plan.group[legs]),
            "reason": _words(REASONS, reason.astype(np.int64)),
            "commission": share * (cost - impact),
            "spread": (1.0 - share) * (cost - impact),
            "impact": impact,
        }
    )


def _orders(panel: Panel, plan: Plan, orders: FloatArray) -> pd.DataFrame:
    """Return one row a leg of every order."""
    group, row, reason, status, filled = orders.astype(np.int64).T
    size = np.diff(plan.first)[group]
    each = np.repeat(np.arange(len(orders)), size)
    legs = plan.first[group][each] + np.arange(len(each)) - np.repeat(np.cumsum(size) - size, size)
    return pd.DataFrame(
        {
            "ordered": _dates(panel.index, row)[each],
            "group": _words(plan.names, group[each]),
            "symbol": _words(panel.symbols, plan.column[legs]),
            "weight": np.where(reason[each] == 0, plan.targets[legs, row[each]], 0.0),
            "reason": _words(REASONS, reason[each]),
            "status": _words(STATUSES, status[each]),
            "filled": _dates(panel.index, filled)[each],
        }
    )


def _group_trades(panel: Panel, plan: Plan, trades: FloatArray, fills: FloatArray) -> pd.DataFrame:
    group, began, last, side, pnl, base, worst, best, why, reason, fees = trades.T
    # A close of its own, not a fill, ends what is delisted or ruined: it was held at that close too.
    bar, leg, row, of = fills[:, 0], fills[:, 1].astype(np.int64), fills[:, 6], fills[:, 7]
    gone = (bar == row) & ((of == DELISTED) | (of == RUIN))
    at_close = ((reason == DELISTED) | (reason == RUIN)) & np.isin(
        group * len(panel) + last, plan.group[leg[gone]] * len(panel) + bar[gone]
    )
    return pd.DataFrame(
        {
            "group": _words(plan.names, group.astype(np.int64)),
            "side": _words(("short", "long"), (side > 0).astype(np.int64)),
            "entered": _dates(panel.index, began),
            "left": _dates(panel.index, last),
            "sessions": (np.where(last == NOT, len(panel), last + at_close) - began).astype(np.int64),
            "pnl": pnl,
            "return": pnl / base,
            "mae": worst,
            "mfe": best,
            "entry_reason": _words(REASONS, why.astype(np.int64)),
            "exit_reason": _words((*REASONS, "open"), reason.astype(np.int64)),
            "base": base,
            "fees": fees,
        }
    )
