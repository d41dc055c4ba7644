"""What the kernel works on: rules and bounds that go in, its state, and what it writes down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantlib.backtest.market import Market
from quantlib.types import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Rows = NDArray[np.void]

#: Why something was ordered, filled or ended; the number of each is its place.
REASONS = (
    *("decision", "loss", "volatility", "trailing", "spread_z", "profit", "time"),
    *("drawdown", "margin", "delisted", "ruin"),
)
DECISION, LOSS, VOLATILITY, TRAILING, SPREAD_Z, PROFIT, TIME, DRAWDOWN, MARGIN, DELISTED, RUIN = range(11)

#: Stands for no row, no reason and no order.
NOT = -1

#: Rules of entering again; a number above zero is so many sessions.
RESET, NEXT = 0, -1

#: Status of an order; the number of each is its place.
STATUSES = ("waiting", "filled", "replaced")
WAITING, FILLED, REPLACED = range(3)

#: Planes of `Record.legs` and of `Record.bars`.
SHARES, VALUE, PROFITS = range(3)
CASH, BORROW, FINANCING, DIVIDENDS, WRITTEN_OFF = range(5)

#: Stops of a group, infinite where there is none; `reentry` is RESET, NEXT or a number of sessions.
RULE = np.dtype(
    [
        *((name, "f8") for name in ("loss", "profit", "trailing", "time", "volatility", "spread_z")),
        *(("intrabar", "?"), ("optimistic", "?"), ("reentry", "i8")),
    ],
    align=True,
)

#: State of a leg: its position; its order (`want` of equity, `ask` the price of a fill); sign, price at entry and best
#: price since of the group's trade. `gone` is delisted.
LEG = np.dtype(
    [
        *((name, "i8") for name in ("column", "group")),
        *((name, "f8") for name in ("shares", "mark", "want", "ask", "sign", "entry", "best")),
        *((name, "?") for name in ("waiting", "gone")),
    ],
    align=True,
)

#: State of a group, whose legs are `first` to `end`. Order: whether it is `pending`, and `ready` to fill at this bar,
#: the `row` ordered at, the row last `filled`, its number in the log, and why the group is `leaving`. Block: the close
#: that fired, the `rule` of entering again, `dead` for good. Trade: bar it `began` at, `why`, `side`, running `result`
#: over `base`, its `best` and `worst`, `fees`, and the `deviation` of the group's daily returns.
GROUP = np.dtype(
    [
        *((name, "i8") for name in ("first", "end", "row", "filled", "order", "leaving", "blocked", "rule")),
        *((name, "i8") for name in ("began", "why")),
        *((name, "f8") for name in ("side", "result", "base", "best", "worst", "fees", "deviation")),
        *((name, "?") for name in ("linked", "pending", "ready", "dead")),
    ],
    align=True,
)


class Rules(NamedTuple):
    """Stops of every group, rows of `RULE` [G], and its spread [G, T] ([0, 0] where no stop looks at it)."""

    each: Rows
    z: FloatArray


class Bounds(NamedTuple):
    """What ends everything: drawdown (infinite where there is none), sessions to stand aside, maintenance margin."""

    drawdown: float
    cool_down: int
    maintenance: float


class Clock(NamedTuple):
    """Where the run stands: the next bar, cash, peak of equity, and the row from which on decisions are taken again."""

    bar: int
    cash: float
    peak: float
    resume: int


class Record(NamedTuple):
    """What happened at each bar: shares, marked value and profit of legs [3, L, T]; amounts of the account [5, T]."""

    legs: FloatArray
    bars: FloatArray


class Log(NamedTuple):
    """Events, one row each, as many as `used` says.

    fills: bar, leg, change of shares, price, cost, impact in it, row of the decision (or close that fired), reason.
    orders: group, row ordered, reason, status, bar filled.
    trades: group, first bar, last bar (-1: open), side, result, base, worst, best, entry reason, exit reason, fees.
    """

    fills: FloatArray
    orders: FloatArray
    trades: FloatArray
    used: IntArray


class State(NamedTuple):
    """Everything a step needs: market, targets [L, T], rows of `LEG` and of `GROUP`, and the log."""

    market: Market
    targets: FloatArray
    legs: Rows
    groups: Rows
    log: Log
