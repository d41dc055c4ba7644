"""The backtest kernel: one pass over the bars, step by step as in `docs/backtest.md`, on bare arrays.

Where `stops` or `record` is None, numba leaves out what needs it.
"""

from __future__ import annotations

import numpy as np

from quantlib.backtest.booking import earn_nb, trade_nb, turn_nb, write_trade_nb
from quantlib.backtest.fills import fill_nb
from quantlib.backtest.market import CLOSE, DIVIDEND, SPLIT, Market
from quantlib.backtest.orders import block_nb, decide_nb, leave_nb
from quantlib.backtest.state import (
    BORROW,
    CASH,
    DELISTED,
    DIVIDENDS,
    DRAWDOWN,
    FILLED,
    FINANCING,
    GROUP,
    LEG,
    MARGIN,
    NEXT,
    NOT,
    REPLACED,
    RUIN,
    SHARES,
    VALUE,
    WRITTEN_OFF,
    BoolArray,
    Bounds,
    Clock,
    IntArray,
    Log,
    Record,
    Rows,
    Rules,
    State,
)
from quantlib.backtest.stopping import stop_nb, watch_nb
from quantlib.compiled import kernel, maker, step
from quantlib.types import FloatArray


@step
def actions_nb(s: State, stops: Rules | None, record: Record | None, t: int, cash: float) -> float:
    """Return cash after the splits and dividends of the bar (step 1)."""
    for i in range(len(s.legs)):
        leg = s.legs[i]
        split = s.market.bars[SPLIT, leg["column"], t]
        if split != 1.0:
            leg["shares"] *= split
            leg["mark"] /= split
            leg["entry"] /= split
            leg["best"] /= split
        paid = leg["shares"] * s.market.bars[DIVIDEND, leg["column"], t]
        if paid != 0.0:
            cash += paid
            earn_nb(s, stops, record, i, t, paid)
            if record is not None:
                record.bars[DIVIDENDS, t] -= paid
    return cash


@step
def carry_nb(s: State, stops: Rules | None, record: Record | None, t: int, cash: float, before: float) -> float:
    """Return cash after interest on that of the last close, `before`, and borrow on shorts (step 2)."""
    paid = -before * (s.market.financing if before < 0.0 else s.market.interest)
    cash -= paid
    if record is not None:
        record.bars[FINANCING, t] = paid
    for i in range(len(s.legs)):
        leg = s.legs[i]
        if leg["shares"] < 0.0:
            fee = -leg["shares"] * leg["mark"] * s.market.symbols[leg["column"]]["borrow"]
            cash -= fee
            earn_nb(s, stops, record, i, t, -fee)
            if record is not None:
                record.bars[BORROW, t] += fee
    return cash


@step
def mark_nb(s: State, stops: Rules | None, record: Record | None, t: int, cash: float) -> tuple[float, float, float]:
    """Return cash, equity and gross value after marking every leg at the close, delisted ones paid out (step 7)."""
    value, gross = 0.0, 0.0
    for i in range(len(s.legs)):
        leg = s.legs[i]
        close = s.market.bars[CLOSE, leg["column"], t]
        if not np.isnan(close):
            if leg["shares"] != 0.0:
                earn_nb(s, stops, record, i, t, leg["shares"] * (close - leg["mark"]))
            leg["mark"] = close
        if leg["shares"] != 0.0:
            if t >= s.market.symbols[leg["column"]]["last"]:
                cash -= trade_nb(s, stops, record, i, t, 0.0, leg["mark"], DELISTED, 0.0)[0]
            value += leg["shares"] * leg["mark"]
            gross += abs(leg["shares"] * leg["mark"])
    return cash, cash + value, gross


@step
def delist_nb(s: State, stops: Rules | None, record: Record | None, t: int) -> None:
    """Take legs whose last session this is out of what is waited for, and linked groups out for good (step 7)."""
    for g in range(len(s.groups)):
        group, went, waits = s.groups[g], False, False
        for i in range(group["first"], group["end"]):
            leg = s.legs[i]
            if not leg["gone"] and t >= s.market.symbols[leg["column"]]["last"]:
                leg["gone"] = went = True
                leg["waiting"] = False
                leg["want"] = 0.0
            waits = waits or leg["waiting"]
        if went:
            if group["pending"] and not waits:
                group["pending"] = False
                group["leaving"] = NOT
                if record is not None and group["order"] != NOT:
                    s.log.orders[group["order"], 3] = REPLACED if s.log.orders[group["order"], 4] == NOT else FILLED
            if stops is not None:
                turn_nb(s, stops, record, g, t, DELISTED, 0.0)
            if group["linked"]:
                group["dead"] = True
                leave_nb(s, record, g, t, DELISTED)


@step
def ruin_nb(s: State, stops: Rules | None, record: Record | None, t: int, equity: float) -> None:
    """Close every leg at its mark and write off what is below zero (step 12)."""
    for i in range(len(s.legs)):
        trade_nb(s, stops, record, i, t, 0.0, s.legs[i]["mark"], RUIN, 0.0)
    for g in range(len(s.groups)):
        group = s.groups[g]
        if stops is not None:
            turn_nb(s, stops, record, g, t, RUIN, 0.0)
        if record is not None and group["pending"] and group["order"] != NOT:
            s.log.orders[group["order"], 3] = REPLACED
    if record is not None:
        record.bars[WRITTEN_OFF, t] = -equity


@step
def note_nb(s: State, record: Record, t: int, cash: float) -> None:
    """Write down cash, shares and values of the bar."""
    record.bars[CASH, t] = cash
    for i in range(len(s.legs)):
        leg = s.legs[i]
        if leg["shares"] != 0.0:
            record.legs[SHARES, i, t] = leg["shares"]
            record.legs[VALUE, i, t] = leg["shares"] * leg["mark"]


@maker
def before_nb(column: IntArray, first: IntArray, linked: BoolArray) -> tuple[Rows, Rows]:
    """Return the state of legs and groups before the first bar."""
    legs = np.zeros(len(column), dtype=LEG)
    groups = np.zeros(len(linked), dtype=GROUP)
    for g in range(len(groups)):
        group = groups[g]
        group["first"], group["end"], group["linked"] = first[g], first[g + 1], linked[g]
        group["row"] = group["filled"] = group["order"] = group["leaving"] = group["blocked"] = group["began"] = NOT
        group["deviation"] = np.nan
        for i in range(first[g], first[g + 1]):
            legs[i]["column"], legs[i]["group"], legs[i]["mark"] = column[i], g, np.nan
    return legs, groups


@maker
def room_nb(old: FloatArray, used: int, more: int) -> FloatArray:
    """Return the rows, with room for `more` of them."""
    if used + more <= len(old):
        return old
    new = np.empty((max(2 * len(old), used + 64 * more), old.shape[1]))
    new[:used] = old[:used]
    return new


@step
def limit_nb(s: State, record: Record | None, bounds: Bounds, t: int, value: float, gross: float, fall: float) -> int:
    """Order every group out at the drawdown limit or a margin call; return the reason (steps 10 and 11)."""
    if fall <= -bounds.drawdown:
        reason = DRAWDOWN
    elif value < bounds.maintenance * gross:
        reason = MARGIN
    else:
        return NOT
    for g in range(len(s.groups)):
        if s.groups[g]["leaving"] == NOT:
            leave_nb(s, record, g, t, reason)
            if reason == MARGIN:
                block_nb(s, g, t, NEXT)
    return reason


@step
def bars_nb(
    s: State,
    stops: Rules | None,
    bounds: Bounds,
    clock: Clock,
    lag: int,
    every_bar: bool,
    equity: FloatArray,
    record: Record | None,
) -> Clock:
    """Run bars until the last one, or until the log may have no room for another; return where it stands."""
    t, cash, peak, resume = clock
    delists, any_intrabar = False, False
    for i in range(len(s.market.symbols)):
        delists = delists or s.market.symbols[i]["last"] < len(equity)
    if stops is not None:
        for g in range(len(s.groups)):
            any_intrabar = any_intrabar or stops.each[g]["intrabar"]
    while t < len(equity):
        if record is not None:  # noqa: SIM102 - numba leaves it out by this condition alone
            if full_nb(s):
                break
        before = cash
        if len(s.market.bars) > SPLIT:
            cash = actions_nb(s, stops, record, t, cash)
        if t > 0:
            cash = carry_nb(s, stops, record, t, cash, before)
        if t >= lag:
            decide_nb(s, record, t - lag, resume, every_bar)
        if stops is not None:  # noqa: SIM102 - as above
            if any_intrabar:
                cash = watch_nb(s, stops, record, t, cash, before=True)
        cash = fill_nb(s, stops, record, t, cash)
        if stops is not None:  # noqa: SIM102 - as above
            if any_intrabar:
                cash = watch_nb(s, stops, record, t, cash, before=False)
        cash, value, gross = mark_nb(s, stops, record, t, cash)
        if delists:
            delist_nb(s, stops, record, t)
        if stops is not None:
            stop_nb(s, stops, record, t)
        if value <= 0.0:
            ruin_nb(s, stops, record, t, value)
            equity[t:] = 0.0
            t = len(equity)
            break
        if t >= resume:
            peak = value if t == resume else max(peak, value)
        if limit_nb(s, record, bounds, t, value, gross, value / peak - 1.0 if t >= resume else 0.0) == DRAWDOWN:
            resume = t + bounds.cool_down
        equity[t] = value
        if record is not None:
            note_nb(s, record, t, cash)
        t += 1
    return Clock(t, cash, peak, resume)


@step
def full_nb(s: State) -> bool:
    """Return whether one more bar, and the end, may need more rows than the log has left."""
    legs, groups, log = len(s.legs), len(s.groups), s.log
    return bool(
        log.used[0] + 2 * legs > len(log.fills)
        or log.used[1] + 4 * groups > len(log.orders)
        or log.used[2] + 5 * groups > len(log.trades)
    )


@kernel(error_model="numpy")
def simulate_nb(
    market: Market,
    later: Market,
    since: int,
    targets: FloatArray,
    column: IntArray,
    first: IntArray,
    linked: BoolArray,
    stops: Rules | None,
    bounds: Bounds,
    cash: float,
    lag: int,
    every_bar: bool,
    equity: FloatArray,
    record: Record | None,
) -> Log:
    """Run one account: fill `equity` [T] and `record`, and return the events (none without a record).

    Parameters
    ----------
    later, since
        The market from a row on, 1 or later: the same prices, maybe other costs. Where there is none, `market` and T.
    targets
        Decided weights [L, T].
    column, first, linked
        Symbol of each leg [L]; first leg of each group, and L at the end [G + 1]; whether a group's legs hedge each
        other [G].
    stops
        None where no group has any and nothing is recorded.
    """
    legs, groups = before_nb(column, first, linked)
    log = Log(np.empty((0, 8)), np.empty((0, 5)), np.empty((0, 11)), np.zeros(3, dtype=np.int64))
    s = State(market, targets, legs, groups, log)
    clock = Clock(0, cash, cash, NOT)
    while clock.bar < len(equity):
        if record is not None:
            fills = room_nb(s.log.fills, log.used[0], 2 * len(legs))
            orders = room_nb(s.log.orders, log.used[1], 4 * len(groups))
            trades = room_nb(s.log.trades, log.used[2], 5 * len(groups))
            s = State(market, targets, legs, groups, Log(fills, orders, trades, log.used))
        until = since
        if clock.bar >= since:
            s, until = State(later, targets, legs, groups, s.log), len(equity)
        clock = bars_nb(s, stops, bounds, clock, lag, every_bar, equity[:until], record)
        if clock.bar == since and equity[since - 1] <= 0.0:
            equity[since:] = 0.0
            break
    if record is not None:
        for g in range(len(groups)):
            if groups[g]["began"] != NOT:
                write_trade_nb(s, record, g, NOT, NOT)
    return s.log


@kernel(error_model="numpy")
def simulate_each_nb(
    market: Market,
    targets: FloatArray,
    columns: IntArray,
    linked: BoolArray,
    stops: Rules | None,
    bounds: Bounds,
    cash: float,
    lag: int,
    every_bar: bool,
    equity: FloatArray,
) -> None:
    """Run A accounts of one group of L legs each: targets [A, L, T], columns [A, L], linked and stops [A].

    Fills equity [A, T].
    """
    first = np.array([0, targets.shape[1]])
    for a in range(len(targets)):
        rules = stops
        if stops is not None:
            rules = Rules(stops.each[a : a + 1], stops.z[a : a + 1])
        at = slice(a, a + 1)
        simulate_nb(
            *(market, market, targets.shape[2], targets[a], columns[a], first, linked[at], rules, bounds),
            *(cash, lag, every_bar, equity[a], None),
        )
