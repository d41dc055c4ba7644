"""Steps of the kernel that fill: who can be filled, on what value, at what price."""

from __future__ import annotations

import numpy as np

from quantlib.backtest.booking import fee_nb, trade_nb, turn_nb
from quantlib.backtest.market import CLOSE, HIGH, LOW, OPEN, PRICE
from quantlib.backtest.state import DECISION, FILLED, NOT, WAITING, Record, Rules, State
from quantlib.compiled import step
from quantlib.types import FloatArray

#: Bars in a row without a price after which a leg is no longer waited for: longer than any weekend with holidays.
PATIENCE = 5


@step
def stuck_nb(bars: FloatArray, column: int, t: int) -> bool:
    """Return whether a symbol has had no price for longer than is waited for."""
    if t < PATIENCE:
        return False
    for k in range(t - PATIENCE, t + 1):  # noqa: SIM110 - numba compiles no generators
        if not np.isnan(bars[PRICE, column, k]):
            return False
    return True


@step
def ready_nb(s: State, t: int) -> bool:
    """Note which groups have something to fill and every price they wait for; return whether any has."""
    bars, any_ready = s.market.bars, False
    for g in range(len(s.groups)):
        group = s.groups[g]
        ready = group["pending"]
        if ready:
            for i in range(group["first"], group["end"]):
                column = s.legs[i]["column"]
                if s.legs[i]["waiting"] and np.isnan(bars[PRICE, column, t]) and not stuck_nb(bars, column, t):
                    ready = False
        group["ready"] = ready
        any_ready = any_ready or ready
    return any_ready


@step
def value_nb(s: State, t: int, cash: float) -> float:
    """Return what positions are sized on before costs, and set every leg's `ask` to its price of the bar."""
    bars, value = s.market.bars, cash
    for i in range(len(s.legs)):
        leg = s.legs[i]
        leg["ask"] = bars[PRICE, leg["column"], t]
        if leg["shares"] != 0.0:
            if not np.isnan(leg["ask"]):
                value += leg["shares"] * leg["ask"]
            elif leg["shares"] < 0.0 or not (leg["waiting"] and stuck_nb(bars, leg["column"], t)):
                value += leg["shares"] * leg["mark"]
    return value


@step
def within_limit_nb(s: State, i: int, t: int, value: float) -> bool:
    """Set `ask` to the price a leg gets under the limit; return whether it gets one."""
    leg, bars = s.legs[i], s.market.bars
    side = np.sign(leg["want"] * value - leg["shares"] * leg["ask"])
    if side == 0.0:
        return True
    price = low = high = leg["ask"]
    if not (s.market.at_close or np.isnan(bars[OPEN, leg["column"], t])):
        # fmin and fmax pass over what is unknown.
        close = bars[CLOSE, leg["column"], t]
        low = np.fmin(np.fmin(bars[LOW, leg["column"], t], close), price)
        high = np.fmax(np.fmax(bars[HIGH, leg["column"], t], close), price)
    limit = leg["mark"] * (1.0 - side * s.market.limit)
    leg["ask"] = min(price, limit) if side > 0.0 else max(price, limit)
    return bool(low <= limit if side > 0.0 else high >= limit)


@step
def fill_nb(s: State, stops: Rules | None, record: Record | None, t: int, cash: float) -> float:
    """Return cash after what waits and can be had has been filled (step 5)."""
    if not ready_nb(s, t):
        return cash
    value = value_nb(s, t, cash)
    estimate = 0.0
    for g in range(len(s.groups)):
        group = s.groups[g]
        limited = group["leaving"] == NOT and not np.isnan(s.market.limit)
        if group["ready"] and limited:
            for i in range(group["first"], group["end"]):
                if s.legs[i]["waiting"] and not np.isnan(s.legs[i]["ask"]):
                    group["ready"] = within_limit_nb(s, i, t, value) and group["ready"]
        if group["ready"]:
            for i in range(group["first"], group["end"]):
                leg = s.legs[i]
                if leg["waiting"] and not np.isnan(leg["ask"]):
                    change = leg["want"] * value - leg["shares"] * leg["ask"]
                    estimate += fee_nb(s.market, leg["column"], t, change)[0]
                    # Without a side there is no limit to trade it within.
                    leg["waiting"] = not (limited and change == 0.0)
    if value - estimate > 0.0:
        for g in range(len(s.groups)):
            if s.groups[g]["ready"]:
                cash = fill_group_nb(s, stops, record, g, t, cash, value - estimate)
    return cash


@step
def fill_group_nb(
    s: State, stops: Rules | None, record: Record | None, g: int, t: int, cash: float, sized_on: float
) -> float:
    """Return cash after every leg of a group that waits and has a price has been brought to what is wanted."""
    group, fees, any_filled = s.groups[g], 0.0, False
    reason = group["leaving"] if group["leaving"] != NOT else DECISION
    group["pending"] = False
    for i in range(group["first"], group["end"]):
        leg = s.legs[i]
        if leg["waiting"] and np.isnan(leg["ask"]):
            group["pending"] = True
        elif leg["waiting"]:
            leg["waiting"] = False
            any_filled = True
            shares = leg["want"] * sized_on / leg["ask"]
            shares = np.trunc(shares) if s.market.whole else shares
            paid, fee = trade_nb(s, stops, record, i, t, shares, leg["ask"], reason, 1.0)
            cash -= paid
            fees += fee
    if record is not None and group["order"] != NOT and (any_filled or not group["pending"]):
        s.log.orders[group["order"], 3] = WAITING if group["pending"] else FILLED
        s.log.orders[group["order"], 4] = t
    if reason == DECISION and any_filled:
        group["filled"] = group["row"]
    if not group["pending"]:
        group["leaving"] = NOT
    if stops is not None and any_filled:
        turn_nb(s, stops, record, g, t, reason, fees)
    return cash
