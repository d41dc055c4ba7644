"""Steps of the kernel that book: what a fill costs, whose profit it is, and the trades of a group."""

from __future__ import annotations

import numpy as np
from numba import literal_unroll

from quantlib.backtest.market import AMOUNT, CLOSE, DIVIDEND, SPLIT, Market
from quantlib.backtest.state import NOT, PROFITS, IntArray, Record, Rules, State
from quantlib.compiled import step
from quantlib.types import FloatArray

#: Sessions that the volatility stop learns from, and the fewest that tell anything.
LEARN, LEARN_LEAST = 63, 21


@step
def write_nb(rows: FloatArray, used: IntArray, which: int, values: tuple[float, ...]) -> None:
    """Add a row to the log."""
    k = 0
    for value in literal_unroll(values):
        rows[used[which], k] = value
        k += 1  # noqa: SIM113 - numba unrolls no enumerate
    used[which] += 1


@step
def earn_nb(s: State, stops: Rules | None, record: Record | None, i: int, t: int, amount: float) -> None:
    """Book the profit of a leg."""
    if stops is not None:
        s.groups[s.legs[i]["group"]]["result"] += amount
    if record is not None:
        record.legs[PROFITS, i, t] += amount


@step
def fee_nb(market: Market, column: int, t: int, notional: float) -> tuple[float, float]:
    """Return the cost of trading a notional, and the part of it that is impact."""
    symbol, notional = market.symbols[column], abs(notional)
    impact = symbol["assumed"]
    if len(market.bars) > AMOUNT and market.bars[AMOUNT, column, t] > 0.0:
        impact = symbol["impact"] * np.sqrt(notional / market.bars[AMOUNT, column, t])
    return notional * (symbol["side"] + impact), notional * impact


@step
def trade_nb(
    s: State,
    stops: Rules | None,
    record: Record | None,
    i: int,
    t: int,
    shares: float,
    price: float,
    reason: int,
    charged: float,
) -> tuple[float, float]:
    """Return the cash paid to hold so many shares of a leg, and the fee in it; the price becomes the leg's mark."""
    leg = s.legs[i]
    change = shares - leg["shares"]
    if change == 0.0:
        return 0.0, 0.0
    fee, impact = fee_nb(s.market, leg["column"], t, charged * change * price)
    if leg["shares"] != 0.0:
        earn_nb(s, stops, record, i, t, leg["shares"] * (price - leg["mark"]))
    leg["mark"] = price
    leg["shares"] = shares
    if record is not None:
        record.legs[PROFITS, i, t] -= fee
        row = s.groups[leg["group"]]["row"] if charged > 0.0 else t
        write_nb(s.log.fills, s.log.used, 0, (t, i, change, price, fee, impact, row, reason))
    return change * price + fee, fee


@step
def turn_nb(s: State, stops: Rules, record: Record | None, g: int, t: int, reason: int, fees: float) -> None:
    """End the group's trade where the signs of its shares are others now, and begin the next one (step 8)."""
    group, same, side, base = s.groups[g], True, 0.0, 0.0
    for i in range(group["first"], group["end"]):
        leg = s.legs[i]
        sign = np.sign(leg["shares"])
        same = same and sign == leg["sign"]
        leg["sign"] = sign
        side = sign if side == 0.0 else side
        if sign != 0.0:
            base += abs(leg["shares"] * leg["mark"])
    if same or base == 0.0:
        group["result"] -= fees
        group["fees"] += fees
    if same:
        return
    if group["began"] != NOT:
        judge_nb(s, g)
        write_trade_nb(s, record, g, t, reason)
        group["began"] = NOT
    if base == 0.0:
        return
    group["began"], group["why"], group["side"], group["base"] = t, reason, side, base
    group["result"], group["fees"], group["best"], group["worst"] = -fees, fees, 0.0, 0.0
    if stops.each[g]["volatility"] < np.inf:
        group["deviation"] = deviation_nb(s, g, group["filled"])
    for i in range(group["first"], group["end"]):
        s.legs[i]["entry"] = s.legs[i]["best"] = s.legs[i]["mark"]


@step
def judge_nb(s: State, g: int) -> float:
    """Return the result of the group's trade over its base, after noting the best and the worst of it."""
    group = s.groups[g]
    result = group["result"] / group["base"]
    group["best"] = max(group["best"], result)
    group["worst"] = min(group["worst"], result)
    return float(result)


@step
def write_trade_nb(s: State, record: Record | None, g: int, last: int, reason: int) -> None:
    """Write the group's trade down."""
    if record is not None:
        of = s.groups[g]
        when = (g, of["began"], last, of["side"])
        what = (of["result"], of["base"], of["worst"], of["best"], of["why"], reason, of["fees"])
        write_nb(s.log.trades, s.log.used, 2, when + what)


@step
def deviation_nb(s: State, g: int, row: int) -> float:
    """Return the daily standard deviation of a row's weights over their gross, NaN where it cannot be told."""
    bars, group, gross = s.market.bars, s.groups[g], 0.0
    for i in range(group["first"], group["end"]):
        gross += 0.0 if s.legs[i]["gone"] else abs(s.targets[i, row])
    n, mean, squares = 0, 0.0, 0.0
    for t in range(max(row - LEARN + 1, 1), row + 1):
        earned = 0.0
        for i in range(group["first"], group["end"]):
            column = s.legs[i]["column"]
            if s.targets[i, row] != 0.0 and not s.legs[i]["gone"]:
                now = bars[CLOSE, column, t]
                if len(bars) > SPLIT:
                    now = now * bars[SPLIT, column, t] + bars[SPLIT, column, t] * bars[DIVIDEND, column, t]
                earned += s.targets[i, row] / gross * (now / bars[CLOSE, column, t - 1] - 1.0)
        if not np.isnan(earned):
            n += 1
            apart = earned - mean
            mean += apart / n
            squares += apart * (earned - mean)
    return np.sqrt(squares / (n - 1)) if n >= LEARN_LEAST and squares > 0.0 else np.nan
