"""Steps of the kernel that order: decisions, exits, and who is let in again."""

from __future__ import annotations

import numpy as np

from quantlib.backtest.booking import write_nb
from quantlib.backtest.state import DECISION, NEXT, NOT, REPLACED, RESET, WAITING, Record, State
from quantlib.compiled import step


@step
def changed_nb(s: State, g: int, d: int) -> bool:
    """Return whether the decision of row `d` differs from that of the row before."""
    for i in range(s.groups[g]["first"], s.groups[g]["end"]):
        if s.targets[i, d] != (s.targets[i, d - 1] if d > 0 else 0.0) and not s.legs[i]["gone"]:
            return True
    return False


@step
def let_in_nb(s: State, g: int, d: int) -> bool:
    """Return whether row `d` lets a blocked group in again."""
    group = s.groups[g]
    if d <= group["blocked"]:
        return False
    if group["rule"] == NEXT:
        return changed_nb(s, g, d)
    if group["rule"] != RESET:
        return bool(d >= group["blocked"] + group["rule"])
    flat = True
    for i in range(group["first"], group["end"]):
        if not s.legs[i]["gone"]:
            flat = flat and s.targets[i, d] == 0.0
            if np.sign(s.targets[i, d]) != np.sign(s.targets[i, group["filled"]]):
                return True
    return flat


@step
def order_nb(s: State, record: Record | None, g: int, row: int, reason: int) -> None:
    """Replace whatever the group waits to do by what its legs `want`; nothing where nothing is held or wanted."""
    group, work = s.groups[g], False
    for i in range(group["first"], group["end"]):
        leg = s.legs[i]
        if leg["gone"]:
            leg["want"] = 0.0
        leg["waiting"] = leg["shares"] != 0.0 or leg["want"] != 0.0
        work = work or leg["waiting"]
    if record is not None:
        if group["pending"] and group["order"] != NOT:
            s.log.orders[group["order"], 3] = REPLACED
        group["order"] = NOT
        if work:
            group["order"] = s.log.used[1]
            write_nb(s.log.orders, s.log.used, 1, (g, row, reason, WAITING, NOT))
    group["pending"] = work
    group["row"] = row


@step
def leave_nb(s: State, record: Record | None, g: int, t: int, reason: int) -> None:
    """Order all legs of a group out at the next bar (step 4)."""
    for i in range(s.groups[g]["first"], s.groups[g]["end"]):
        s.legs[i]["want"] = 0.0
    order_nb(s, record, g, t, reason)
    s.groups[g]["leaving"] = reason if s.groups[g]["pending"] else NOT


@step
def block_nb(s: State, g: int, t: int, rule: int) -> None:
    """Let the group decide nothing until its rule lets it in again."""
    s.groups[g]["blocked"] = t
    s.groups[g]["rule"] = rule


@step
def decide_nb(s: State, record: Record | None, d: int, resume: int, every_bar: bool) -> None:
    """Order what was decided at row `d` (step 3)."""
    for g in range(len(s.groups)):
        group = s.groups[g]
        if group["dead"]:
            continue
        if group["blocked"] != NOT:
            if not let_in_nb(s, g, d):
                continue
            group["blocked"] = NOT
        elif not (every_bar or d == resume or changed_nb(s, g, d)):
            continue
        if d >= resume:
            for i in range(group["first"], group["end"]):
                s.legs[i]["want"] = s.targets[i, d]
            group["leaving"] = NOT
            order_nb(s, record, g, d, DECISION)
