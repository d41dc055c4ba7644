"""The walk through time: from what holds at each close to the side that is taken and the ratio that is in force."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.strategies.legs import Every
from quantlib.types import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: Sessions that a ranking waits for a leg that was known and is not: longer than any weekend with holidays.
PATIENCE = 5


@kernel
def walk_nb(
    go_long: FloatArray,
    go_short: FloatArray,
    leave_long: FloatArray,
    leave_short: FloatArray,
    usable: BoolArray,
    renew: BoolArray,
    min_hold: int,
) -> tuple[FloatArray, IntArray]:
    """Return the side [T] (1 long, -1 short, 0 out) and the row whose ratio is in force [T] (-1 while out).

    Truths are 1, 0, or NaN where unknown; the unknown changes nothing. A trade ends where its exit holds, or the
    other side's entry without its own, not before `min_hold` rows. A trade begins where one entry holds, its exit
    does not, and the ratio is usable; the row it begins at is the row of its ratio until one at which it is to be
    renewed and is usable.
    """
    n = go_long.shape[0]
    sides = np.zeros(n)
    rows = np.full(n, -1, dtype=np.int64)
    side, row, began = 0.0, -1, -1
    for t in range(n):
        into_long = go_long[t] == 1.0 and go_short[t] != 1.0
        into_short = go_short[t] == 1.0 and go_long[t] != 1.0
        if side != 0.0 and t - began >= min_hold:
            ends = (leave_long[t] == 1.0 or into_short) if side > 0.0 else (leave_short[t] == 1.0 or into_long)
            if ends:
                side, row = 0.0, -1
        if side == 0.0 and usable[t]:
            if into_long and leave_long[t] != 1.0:
                side, row, began = 1.0, t, t
            elif into_short and leave_short[t] != 1.0:
                side, row, began = -1.0, t, t
        elif side != 0.0 and renew[t] and usable[t]:
            row = t
        sides[t] = side
        rows[t] = row
    return sides, rows


@kernel
def choose_nb(
    values: FloatArray, starts: BoolArray, top: int, bottom: int, patience: int
) -> tuple[FloatArray, IntArray]:
    """Return the place of each leg [T, L] (1 top, -1 bottom, 0 neither) and the row of its choice [T].

    A choice is made at a period's first row, or put off until no leg is unknown that was known within the last
    `patience` rows. Where fewer than `top` + `bottom` legs are known then, that of the last period stands. The row is
    -1 before the first. Of equal legs the one named first ranks higher.
    """
    n, n_legs = values.shape
    places = np.zeros((n, n_legs))
    rows = np.full(n, -1, dtype=np.int64)
    silent = np.full(n_legs, patience + 1, dtype=np.int64)
    place = np.zeros(n_legs)
    row = -1
    due = False
    for t in range(n):
        due = due or starts[t]
        known = 0
        waits = False
        for i in range(n_legs):
            if np.isfinite(values[t, i]):
                silent[i] = 0
                known += 1
            else:
                silent[i] += 1
                waits = waits or silent[i] <= patience
        choosing = due and not waits
        if choosing:
            due = False
        if choosing and known >= top + bottom:
            row = t
            for i in range(n_legs):
                place[i] = 0.0
                if not np.isfinite(values[t, i]):
                    continue
                above = 0
                for j in range(n_legs):
                    if values[t, j] > values[t, i] or (values[t, j] == values[t, i] and j < i):
                        above += 1
                if above < top:
                    place[i] = 1.0
                elif above >= known - bottom:
                    place[i] = -1.0
        places[t] = place
        rows[t] = row
    return places, rows


def period_starts(index: pd.DatetimeIndex, every: Every) -> BoolArray:
    """Return which sessions are the first of their day, week (from Monday), month or quarter [T]."""
    if every == "daily":
        return np.ones(len(index), dtype=np.bool_)
    span = {"weekly": "W-SUN", "monthly": "M", "quarterly": "Q"}[every]
    period = index.to_period(span).asi8
    return np.concatenate([[True], period[1:] != period[:-1]])[: len(index)]
