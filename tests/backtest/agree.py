"""What differs between the reference's account and the engine's, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from backtest.reference import Answer, Leg

from quantlib.backtest.result import BacktestResult

RELATIVE = 1e-9


def differences(slow: Answer, fast: BacktestResult) -> list[str]:
    """Return every difference above a billionth of the account: paths, legs, fills and trades."""
    index = fast.equity.index
    scale = max(map(abs, [fast.equity.iloc[0], *slow.equity]))
    found: list[str] = []

    def path(what: str, theirs: Iterable[float], ours: pd.Series, unit: float = scale) -> None:
        apart = np.abs(np.array(list(theirs)) - ours.to_numpy())
        if not (apart <= RELATIVE * unit).all():
            t = int(np.argmax(~(apart <= RELATIVE * unit)))
            found.append(f"{what} at bar {t}: reference {list(theirs)[t]!r}, engine {ours.iloc[t]!r}")

    path("equity", slow.equity, fast.equity)
    path("cash", slow.cash, fast.cash)
    path("written off", slow.written_off, fast.written_off)
    path("interest", [-x for x in slow.financing], fast.cost_parts["financing"])
    legs: list[Leg] = list(slow.shares[0])
    for group, symbol in legs:
        leg = (group, symbol)
        path(f"value of {leg}", [row[leg] for row in slow.leg_value], fast.leg_value[leg])
        path(f"profit of {leg}", [row[leg] for row in slow.leg_profit], fast.leg_pnl[leg])
    for symbol in {symbol for _, symbol in legs}:
        held = [sum(n for leg, n in row.items() if leg[1] == symbol) for row in slow.shares]
        path(f"shares of {symbol}", held, fast.shares[symbol], max(1.0, *map(abs, held)))

    # A change of less than a billionth of the account is rounding in one of them.
    theirs = [f for f in slow.fills if abs(f.shares * f.price) > RELATIVE * scale]
    ours = fast.trades[fast.trades["notional"].abs() > RELATIVE * scale]
    where = {day: t for t, day in enumerate(index)}
    engine = sorted(
        (where[f.ts], f.group, f.symbol, f.reason, -1 if f.reason != "decision" else where[f.decided])
        for f in ours.itertuples()
    )
    reference = sorted((f.bar, f.group, f.symbol, f.reason, -1 if f.reason != "decision" else f.row) for f in theirs)
    found += unequal("fill", reference, engine)
    if not found:
        order = ["ts", "group", "symbol", "reason", "price"]
        fills = sorted((index[f.bar], f.group, f.symbol, f.reason, f.price, f.cost) for f in theirs)
        for (*key, price, cost), row in zip(fills, ours.sort_values(order).itertuples(), strict=True):
            if not (math.isclose(price, row.price, rel_tol=RELATIVE) and abs(cost - row.cost) <= RELATIVE * scale):
                found.append(f"fill {key}: reference {price!r} for {cost!r}, engine {row.price!r} for {row.cost!r}")

    trades = [
        (trade.group, trade.entered, -1 if trade.left is None else trade.left, trade.exit_reason or "open")
        for trade in slow.trades
    ]
    rows = [
        (row.group, where[row.entered], where.get(row.left, -1), row.exit_reason)
        for row in fast.group_trades.itertuples()
    ]
    found += unequal("trade", sorted(trades), sorted(rows))
    if not found:
        amounts = {key: [] for key in trades}
        for key, trade in zip(trades, slow.trades, strict=True):
            final = trade.result / trade.base
            best, worst = max(trade.best, final), min(trade.worst, final)
            amounts[key].append([trade.result, trade.base, trade.fees, best * trade.base, worst * trade.base])
        table = fast.group_trades
        for key, row in zip(rows, table.itertuples(), strict=True):
            engine_amounts = [row.pnl, row.base, row.fees, row.mfe * row.base, row.mae * row.base]
            if not any(np.allclose(engine_amounts, one, rtol=0, atol=RELATIVE * scale) for one in amounts[key]):
                found.append(f"trade {key}: reference {amounts[key]}, engine {engine_amounts}")
    return found


def unequal(what: str, theirs: list[tuple[object, ...]], ours: list[tuple[object, ...]]) -> list[str]:
    """Return what only one of them has."""
    only_theirs = [f"{what} only in the reference: {row}" for row in theirs if row not in ours]
    return only_theirs + [f"{what} only in the engine: {row}" for row in ours if row not in theirs]
