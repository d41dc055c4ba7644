"""Steps of the kernel that stop a group's trade: within the bar and at its close."""

from __future__ import annotations

import numpy as np

from quantlib.backtest.booking import judge_nb, trade_nb, turn_nb
from quantlib.backtest.market import CLOSE, HIGH, LOW, OPEN
from quantlib.backtest.orders import block_nb, leave_nb
from quantlib.backtest.state import (
    FILLED,
    LOSS,
    NOT,
    PROFIT,
    SPREAD_Z,
    TIME,
    TRAILING,
    VOLATILITY,
    Record,
    Rules,
    State,
)
from quantlib.compiled import step


@step
def watch_nb(s: State, stops: Rules, record: Record | None, t: int, cash: float, before: bool) -> float:
    """Return cash after the stops within the bar of groups that fill at its close (`before` fills) or open (step 6)."""
    bars = s.market.bars
    for g in range(len(s.groups)):
        group = s.groups[g]
        if not stops.each[g]["intrabar"] or group["began"] == NOT or group["leaving"] != NOT:
            continue
        i = group["first"]
        leg = s.legs[i]
        opened, close = bars[OPEN, leg["column"], t], bars[CLOSE, leg["column"], t]
        if np.isnan(close) or before != (s.market.at_close or np.isnan(opened)):
            continue
        opened = close if np.isnan(opened) else opened
        entered = group["began"] == t
        low, high = bars[LOW, leg["column"], t], bars[HIGH, leg["column"], t]
        if np.isnan(low) or np.isnan(high):
            low = high = opened = close
            entered = False
        price, reason = breach_nb(s, stops, g, opened, low, high, entered)
        leg["best"] = max(leg["best"], high) if group["side"] > 0.0 else min(leg["best"], low)
        if reason != NOT:
            leave_nb(s, record, g, t, reason)
            paid, fee = trade_nb(s, stops, record, i, t, 0.0, price, reason, 1.0)
            cash -= paid
            leg["waiting"] = group["pending"] = False
            group["leaving"] = NOT
            if record is not None:
                s.log.orders[group["order"], 3] = FILLED
                s.log.orders[group["order"], 4] = t
            turn_nb(s, stops, record, g, t, reason, fee)
            block_nb(s, g, t, stops.each[g]["reentry"])
    return cash


@step
def breach_nb(
    s: State, stops: Rules, g: int, opened: float, low: float, high: float, entered: bool
) -> tuple[float, int]:
    """Return price and reason of a group's exit within the bar, NOT where it stays."""
    group, rule, leg = s.groups[g], stops.each[g], s.legs[s.groups[g]["first"]]
    side, at = group["side"], leg["entry"]
    # Prices times side from here on, so that up is better for long and short.
    worst, most = (low, high) if side > 0.0 else (-high, -low)
    # One form for all: a trailing stop as wide as the loss stop is to be equal to it, to the last bit.
    target = side * at + rule["profit"] * at
    stop, reason = side * at - rule["loss"] * at, LOSS
    wide = side * at - rule["volatility"] * group["deviation"] * at
    if wide > stop:
        stop, reason = wide, VOLATILITY
    trail = side * leg["best"] - rule["trailing"] * at
    if trail > stop:
        stop, reason = trail, TRAILING
    if not entered and side * opened <= stop:
        return opened, reason
    if not entered and side * opened >= target:
        return opened, PROFIT
    if worst <= stop and (most < target or not rule["optimistic"]):
        return side * stop, reason
    return side * target, PROFIT if most >= target else NOT


@step
def stop_nb(s: State, stops: Rules, record: Record | None, t: int) -> None:
    """Order out the groups whose trade has met a stop at the close (steps 8 and 9)."""
    for g in range(len(s.groups)):
        group, rule = s.groups[g], stops.each[g]
        if group["began"] == NOT:
            continue
        result = judge_nb(s, g)
        side_z = np.nan
        if len(stops.z) > 0:
            side_z = np.sign(s.legs[group["first"]]["shares"]) * stops.z[g, t]
        reason = NOT
        if not rule["intrabar"] and result <= -rule["loss"]:
            reason = LOSS
        elif not rule["intrabar"] and result <= -rule["volatility"] * group["deviation"]:
            reason = VOLATILITY
        elif not rule["intrabar"] and result <= group["best"] - rule["trailing"]:
            reason = TRAILING
        elif side_z <= -rule["spread_z"]:
            reason = SPREAD_Z
        elif not rule["intrabar"] and result >= rule["profit"]:
            reason = PROFIT
        elif t - group["began"] + 1 >= rule["time"]:
            reason = TIME
        if reason != NOT and group["leaving"] == NOT:
            leave_nb(s, record, g, t, reason)
            block_nb(s, g, t, rule["reentry"])
