"""The account of docs/backtest.md as a slow loop over plain dicts and floats, written from that page alone.

One method a numbered step, no arrays, nothing clever. It is the oracle of the kernel.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import Panel

PATIENCE = 5
ROUNDING = 1e-12
AVERAGE_AMOUNT_BARS = 20
VOLATILITY_BARS, VOLATILITY_KNOWN = 63, 21
BPS = 1e-4

Weights = dict[str, float]
Leg = tuple[str, str]


class Idea(NamedTuple):
    """What `run_groups` calls a group: a weight of every leg at every bar, and how it is risked."""

    name: str
    rows: Sequence[Weights]
    stops: Stops
    spread_z: Sequence[float] | None
    linked: bool


class Fill(NamedTuple):
    bar: int
    group: str
    symbol: str
    shares: float
    price: float
    cost: float
    reason: str
    row: int | None


@dataclass
class Order:
    """What a group waits for: where its legs are to go, and why."""

    want: Weights
    reason: str
    row: int | None
    exit: bool = False
    weights: Weights = field(default_factory=dict)


@dataclass
class Trade:
    """A stretch of bars with the same signs."""

    group: str
    entered: int
    base: float
    price: Weights  # of each leg at the fill that began it
    signs: dict[str, int]
    daily: float  # volatility of the group, NaN where unknown
    result: float = 0.0  # in money
    fees: float = 0.0
    closes: int = 0
    best: float = 0.0
    worst: float = 0.0
    extreme: float = math.nan  # of prices since entry, for the trailing stop within the bar
    left: int | None = None
    exit_reason: str = ""

    @property
    def first(self) -> str:
        """Return the first leg held, whose side is the trade's."""
        return next(symbol for symbol, side in self.signs.items() if side)

    @property
    def side(self) -> int:
        return self.signs[self.first]


@dataclass
class State:
    """A group while it runs."""

    idea: Idea
    order: Order | None = None
    exit_due: str | None = None  # ordered at the last close
    block: tuple[str | int, int] | None = None  # rule, close that fired
    last_filled: tuple[Weights, int] = field(default_factory=lambda: ({}, -1))  # decision and its row
    over: bool = False
    trade: Trade | None = None


@dataclass
class Answer:
    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    shares: list[dict[Leg, float]] = field(default_factory=list)
    leg_value: list[dict[Leg, float]] = field(default_factory=list)
    leg_profit: list[dict[Leg, float]] = field(default_factory=list)
    financing: list[float] = field(default_factory=list)
    written_off: list[float] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)


def known(x: float) -> bool:
    return not math.isnan(x)


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def capped(ideas: Sequence[Idea], limits: Limits) -> list[Idea]:
    """Return the groups with their decisions inside the caps: whole groups, never legs."""
    rows: list[list[Weights]] = [[] for _ in ideas]
    cut: list[list[Weights]] = [[] for _ in ideas]
    for t in range(len(ideas[0].rows)):
        now = [idea.rows[t] for idea in ideas]
        gross_of: dict[str, float] = defaultdict(float)
        for weights in now:
            for symbol, weight in weights.items():
                gross_of[symbol] += abs(weight)
        if limits.max_weight is not None:
            shares_of = {s: min(1.0, limits.max_weight / g) for s, g in gross_of.items() if g > 0}
            factors = [min([1.0, *(shares_of[s] for s, w in weights.items() if w)]) for weights in now]
            now = [{s: w * f for s, w in weights.items()} for weights, f in zip(now, factors, strict=True)]
        gross = sum(abs(w) for weights in now for w in weights.values())
        if gross > limits.max_gross:
            now = [{s: w * limits.max_gross / gross for s, w in weights.items()} for weights in now]
        net = abs(sum(w for weights in now for w in weights.values()))
        if limits.max_net is not None and net > limits.max_net:
            now = [{s: w * limits.max_net / net for s, w in weights.items()} for weights in now]
        for k, weights in enumerate(now):
            cut[k].append(weights)
            by_a_cap = any(cut[k][b] != ideas[k].rows[b] for b in (t - 1, t) if b >= 0)
            same = t > 0 and all(abs(w - cut[k][t - 1][s]) <= ROUNDING for s, w in weights.items())
            rows[k].append(rows[k][t - 1] if same and by_a_cap else weights)
    return [idea._replace(rows=rows[k]) for k, idea in enumerate(ideas)]


class Account:
    """One account, bar by bar."""

    def __init__(
        self,
        panel: Panel,
        ideas: Sequence[Idea],
        *,
        costs: Mapping[str, Costs],
        limits: Limits,
        execution: Execution,
        cash: float,
        lag: int,
        rebalance: str,
        delisted: Mapping[str, date],
    ) -> None:
        self.symbols = list(panel.symbols)
        self.bars = len(panel.index)
        column = {
            name: {s: [float(x) for x in getattr(panel, name)[:, i]] for i, s in enumerate(self.symbols)}
            for name in ("open", "high", "low", "close", "volume")
        }
        self.open, self.high, self.low = column["open"], column["high"], column["low"]
        self.close, self.volume = column["close"], column["volume"]
        self.split = self.extra(panel, "split", 1.0)
        self.dividend = self.extra(panel, "dividend", 0.0)
        self.year = panel.periods_per_year
        self.costs, self.limits, self.execution = costs, limits, execution
        self.lag, self.every_bar = lag, rebalance == "every_bar"
        self.last_session = {
            symbol: sum(session.date() <= day for session in panel.index) - 1
            for symbol, day in delisted.items()
            if day <= panel.index[-1].date()  # one after the last row has not happened yet
        }
        self.gone = {symbol for symbol, last in self.last_session.items() if last < 0}
        self.without_price = dict.fromkeys(self.symbols, 0)  # bars in a row
        self.states = [State(idea) for idea in capped(ideas, limits)]
        for state in self.states:
            state.over = state.idea.linked and bool(self.gone & set(state.idea.rows[0]))
        self.legs = [(s.idea.name, symbol) for s in self.states for symbol in s.idea.rows[0]]
        self.cash = cash
        self.shares: dict[Leg, float] = dict.fromkeys(self.legs, 0.0)
        self.mark: dict[Leg, float] = dict.fromkeys(self.legs, math.nan)
        self.profit: dict[Leg, float] = {}
        self.financed = 0.0
        self.peak = -math.inf
        self.cool_row = -1
        self.dead = False
        self.answer = Answer()

    @staticmethod
    def extra(panel: Panel, name: str, otherwise: float) -> dict[str, list[float]]:
        if name not in panel.extra:
            return {s: [otherwise] * len(panel.index) for s in panel.symbols}
        return {s: [float(x) for x in panel.extra[name][:, i]] for i, s in enumerate(panel.symbols)}

    def run(self) -> Answer:
        for t in range(self.bars):
            written_off, self.financed = 0.0, 0.0
            self.profit = dict.fromkeys(self.legs, 0.0)
            if not self.dead:
                cash_at_last_close = self.cash
                self.splits_and_dividends(t)
                self.carry(t, cash_at_last_close)
                self.decisions(t)
                self.exits(t)
                self.within_the_bar(t, at_close=True)
                self.fills(t)
                self.within_the_bar(t, at_close=False)
                self.marks(t)
                self.delistings(t)
                self.records()
                self.stops_at_the_close(t)
                self.drawdown(t)
                self.margin(t)
                written_off = self.ruin(t)
            self.answer.equity.append(self.equity())
            self.answer.cash.append(self.cash)
            self.answer.shares.append(dict(self.shares))
            value = {leg: n * self.mark[leg] if n else 0.0 for leg, n in self.shares.items()}
            self.answer.leg_value.append(value)
            self.answer.leg_profit.append(self.profit)
            self.answer.financing.append(self.financed)
            self.answer.written_off.append(written_off)
        self.answer.trades += [s.trade for s in self.states if s.trade]
        return self.answer

    # What everything below needs

    def legs_of(self, state: State) -> list[Leg]:
        return [leg for leg in self.legs if leg[0] == state.idea.name]

    def equity(self) -> float:
        return self.cash + sum(n * self.mark[leg] for leg, n in self.shares.items() if n)

    def gross(self) -> float:
        return sum(abs(n * self.mark[leg]) for leg, n in self.shares.items() if n)

    def open_or_close(self, symbol: str, t: int) -> float:
        return self.open[symbol][t] if known(self.open[symbol][t]) else self.close[symbol][t]

    def price(self, symbol: str, t: int) -> float:
        """Return the price of the bar that orders fill at, NaN where there is none."""
        return self.close[symbol][t] if self.execution.fill == "close" else self.open_or_close(symbol, t)

    def value_at(self, leg: Leg, t: int) -> float:
        """Return what a leg is worth for sizing at its price of the bar."""
        if not self.shares[leg]:
            return 0.0
        price = self.price(leg[1], t)
        if known(price):
            return self.shares[leg] * price
        order = next(state.order for state in self.states if state.idea.name == leg[0])
        stuck = order is not None and leg[1] in order.want and self.without_price[leg[1]] > PATIENCE
        return 0.0 if stuck and self.shares[leg] > 0 else self.shares[leg] * self.mark[leg]

    def leaving(self, state: State) -> bool:
        ordered_out = state.exit_due or (state.order and state.order.exit)
        return bool(ordered_out) and any(self.signs(state).values())

    def fills_at_close(self, symbol: str, t: int) -> bool:
        return self.execution.fill == "close" or not known(self.open[symbol][t])

    def cost(self, symbol: str, notional: float, t: int) -> float:
        costs = self.costs[symbol]
        before = range(max(0, t - AVERAGE_AMOUNT_BARS), t)
        amounts = [self.close[symbol][k] * self.volume[symbol][k] for k in before]
        amounts = [amount for amount in amounts if known(amount)]
        average = sum(amounts) / len(amounts) if amounts else 0.0
        participation = abs(notional) / average if average > 0 else costs.assumed_participation
        rate = costs.commission_bps + costs.half_spread_bps + costs.impact_bps * math.sqrt(participation)
        return abs(notional) * rate * BPS

    def weights(self, state: State, d: int) -> Weights:
        row = state.idea.rows[d] if d >= 0 else dict.fromkeys(state.idea.rows[0], 0.0)
        return {s: 0.0 if s in self.gone else w for s, w in row.items()}

    def signs(self, state: State) -> dict[str, int]:
        return {leg[1]: sign(self.shares[leg]) for leg in self.legs_of(state)}

    def earn(self, state: State, leg: Leg, amount: float) -> None:
        self.profit[leg] += amount
        if state.trade:
            state.trade.result += amount

    def move(self, state: State, leg: Leg, price: float) -> None:
        """Book a leg's profit from its mark to this price, its mark from now on."""
        if self.shares[leg]:
            self.earn(state, leg, self.shares[leg] * (price - self.mark[leg]))
        self.mark[leg] = price

    # The steps

    def splits_and_dividends(self, t: int) -> None:  # 1
        for state in self.states:
            for leg in self.legs_of(state):
                split, dividend = self.split[leg[1]][t], self.dividend[leg[1]][t]
                self.shares[leg] *= split
                self.mark[leg] /= split
                if state.trade:
                    state.trade.price[leg[1]] /= split
                    state.trade.extreme /= split if leg[1] == state.trade.first else 1.0
                if self.shares[leg]:
                    self.cash += self.shares[leg] * dividend
                    self.earn(state, leg, self.shares[leg] * dividend)

    def carry(self, t: int, cash: float) -> None:  # 2
        if t == 0:
            return
        for state in self.states:
            for leg in self.legs_of(state):
                if self.shares[leg] < 0:
                    value = -self.shares[leg] * self.mark[leg]
                    fee = value * self.costs[leg[1]].borrow_bps_per_year * BPS / self.year
                    self.cash -= fee
                    self.earn(state, leg, -fee)
        rate = self.execution.financing_bps_per_year if cash < 0 else self.execution.cash_bps_per_year
        self.financed = cash * rate * BPS / self.year
        self.cash += self.financed

    def decisions(self, t: int) -> None:  # 3
        d = t - self.lag
        if d < 0:
            return
        for state in self.states:
            now = self.weights(state, d)
            changed = now != self.weights(state, d - 1)
            let_in = state.block is not None and self.lets_in(state, now, changed, d)
            if let_in:
                state.block = None
            if state.block or state.over or d < self.cool_row:
                continue
            if changed or self.every_bar or let_in or d == self.cool_row:
                state.order = Order(dict(now), "decision", d, weights=now)

    def lets_in(self, state: State, now: Weights, changed: bool, d: int) -> bool:
        rule, fired = state.block
        if d <= fired:
            return False
        if rule == "reset":
            before = state.last_filled[0]
            return not any(now.values()) or any(
                sign(w) != sign(before[s]) for s, w in now.items() if s not in self.gone
            )
        if rule == "next":
            return changed
        return d >= fired + int(rule)

    def exits(self, t: int) -> None:  # 4
        for state in self.states:
            if state.exit_due:
                held = {leg[1]: 0.0 for leg in self.legs_of(state) if self.shares[leg]}
                state.order = Order(held, state.exit_due, None, exit=True) if held else None
                state.exit_due = None

    def fills(self, t: int) -> None:  # 5
        for symbol in self.symbols:
            missing = not known(self.price(symbol, t))
            self.without_price[symbol] = self.without_price[symbol] + 1 if missing else 0
        value = self.cash + sum(self.value_at(leg, t) for leg in self.legs)
        filling = [(state, at) for state in self.states if (at := self.fills_now(state, value, t)) is not None]
        estimate = sum(
            self.cost(s, state.order.want[s] * value - self.shares[state.idea.name, s] * price, t)
            for state, at in filling
            for s, price in at.items()
        )
        if value - estimate <= 0:
            return
        for state, at in filling:
            order = state.order
            goal = {s: order.want[s] * (value - estimate) / price for s, price in at.items()}
            if self.execution.whole_shares:
                goal = {s: float(math.trunc(n)) for s, n in goal.items()}
            if order.row is not None and at:
                state.last_filled = (order.weights, order.row)
            self.fill_group(state, goal, at, t)
            order.want = {s: w for s, w in order.want.items() if s not in at and self.missing(state, s, t)}
            if not order.want:
                state.order = None

    def missing(self, state: State, symbol: str, t: int) -> bool:
        """Whether a leg that is held, or is to be held, has no price."""
        wanted = state.order.want[symbol] or self.shares[state.idea.name, symbol]
        return bool(wanted) and not known(self.price(symbol, t))

    def fills_now(self, state: State, value: float, t: int) -> dict[str, float] | None:
        """Return which legs of a group fill at this bar, at which price; None while it waits."""
        order = state.order
        if order is None or any(self.missing(state, s, t) and self.without_price[s] <= PATIENCE for s in order.want):
            return None
        at = {s: self.price(s, t) for s, w in order.want.items() if w or self.shares[state.idea.name, s]}
        at = {s: price for s, price in at.items() if known(price)}
        if self.execution.limit_bps is None or order.exit:
            return at
        sides = {s: sign(order.want[s] * value - self.shares[state.idea.name, s] * price) for s, price in at.items()}
        at = {s: self.limit_price((state.idea.name, s), side, t) for s, side in sides.items() if side}
        return at if all(known(price) for price in at.values()) else None

    def limit_price(self, leg: Leg, side: int, t: int) -> float:
        """Return the price a limit order fills at, NaN where the bar does not reach it."""
        first, last = self.price(leg[1], t), self.close[leg[1]][t]
        prices = [p for p in (first, last, self.low[leg[1]][t], self.high[leg[1]][t]) if known(p)]
        if self.fills_at_close(leg[1], t):
            prices = [last]
        limit = self.mark[leg] * (1.0 - side * self.execution.limit_bps * BPS)
        if side > 0:
            return min(first, limit) if min(prices) <= limit else math.nan
        return max(first, limit) if max(prices) >= limit else math.nan

    def fill_group(self, state: State, goal: Weights, at: Weights, t: int) -> None:
        """Bring legs to their numbers of shares, and see whether that begins or ends a trade."""
        order, before, paid = state.order, self.signs(state), 0.0
        for symbol, price in at.items():
            leg = (state.idea.name, symbol)
            change = goal[symbol] - self.shares[leg]
            if change == 0:
                continue
            self.move(state, leg, price)
            cost = self.cost(symbol, change * price, t)
            self.shares[leg] = goal[symbol]
            self.cash -= change * price + cost
            self.profit[leg] -= cost
            paid += cost
            self.answer.fills.append(Fill(t, *leg, change, price, cost, order.reason, order.row))
        old = state.trade
        self.signs_changed(state, before, t, order.reason)
        if bearer := state.trade or old:
            bearer.result -= paid
            bearer.fees += paid
        if state.trade and state.trade is not old:
            state.trade.extreme = state.trade.price[state.trade.first]

    def signs_changed(self, state: State, before: dict[str, int], t: int, reason: str) -> None:
        """End the trade and begin the next where signs are others now."""
        now = self.signs(state)
        if now == before:
            return
        if state.trade:
            state.trade.left, state.trade.exit_reason = t, reason
            self.answer.trades.append(state.trade)
            state.trade = None
        if any(now.values()):
            price = {leg[1]: self.mark[leg] for leg in self.legs_of(state)}
            base = sum(abs(self.shares[leg] * self.mark[leg]) for leg in self.legs_of(state) if self.shares[leg])
            state.trade = Trade(state.idea.name, t, base, price, now, self.daily_volatility(state))

    def daily_volatility(self, state: State) -> float:
        """Return the group's standard deviation as of the decision last filled, NaN where too little is known."""
        decided, row = state.last_filled
        weights = {s: w for s, w in decided.items() if s not in self.gone}
        gross = sum(abs(w) for w in weights.values())
        days: list[float] = []
        for t in range(max(1, row - VOLATILITY_BARS + 1), row + 1):
            day = 0.0
            for s, weight in weights.items():
                if weight:
                    total = self.split[s][t] * (self.close[s][t] + self.dividend[s][t])
                    day += weight / gross * (total / self.close[s][t - 1] - 1.0)
            days += [day] if known(day) else []
        if len(days) < VOLATILITY_KNOWN:
            return math.nan
        mean = sum(days) / len(days)
        return math.sqrt(sum((day - mean) ** 2 for day in days) / (len(days) - 1)) or math.nan

    def within_the_bar(self, t: int, *, at_close: bool) -> None:  # 6, before 5 where orders fill at the close
        for state in self.states:
            trade, stops = state.trade, state.idea.stops
            if stops.watch != "intrabar" or len(self.legs_of(state)) != 1 or trade is None or self.leaving(state):
                continue
            symbol, entry_bar = trade.first, trade.entered == t
            if not known(self.close[symbol][t]) or self.fills_at_close(symbol, t) != at_close:
                continue
            if found := self.touched(trade, stops, t, entry_bar=entry_bar):
                price, reason = found
                state.order = Order({}, reason, None, exit=True)
                self.block(state, t)
                self.fill_group(state, {symbol: 0.0}, {symbol: price}, t)
                state.order = None
                continue
            high, low = self.range_of(symbol, t)
            trade.extreme = max(trade.extreme, high) if trade.side > 0 else min(trade.extreme, low)

    def range_of(self, symbol: str, t: int) -> tuple[float, float]:
        """Return high and low of a bar, both its close where one of them is unknown."""
        high, low, close = self.high[symbol][t], self.low[symbol][t], self.close[symbol][t]
        return (high, low) if known(high) and known(low) else (close, close)

    def touched(self, trade: Trade, stops: Stops, t: int, *, entry_bar: bool) -> tuple[float, str] | None:
        """Return the price and the reason of an exit within the bar; a short is a long in negative prices."""
        side, symbol = trade.side, trade.first
        entry = trade.price[symbol]
        levels: dict[str, float] = {}
        if stops.loss is not None:
            levels["loss"] = side * entry - stops.loss * entry
        if stops.volatility is not None and known(trade.daily):
            levels["volatility"] = side * entry - stops.volatility * trade.daily * entry
        if stops.trailing is not None:
            levels["trailing"] = side * trade.extreme - stops.trailing * entry
        stop = max(levels.values(), default=-math.inf)
        reason = next((name for name, level in levels.items() if level == stop), "")
        target = math.inf if stops.profit is None else side * entry + stops.profit * entry
        high, low = self.range_of(symbol, t)
        by_close = not (known(self.high[symbol][t]) and known(self.low[symbol][t]))
        first = self.close[symbol][t] if by_close else self.open_or_close(symbol, t)
        if by_close or not entry_bar:
            if side * first <= stop:
                return first, reason
            if side * first >= target:
                return first, "profit"
        if by_close:
            return None
        worst, best = (low, high) if side > 0 else (-high, -low)
        if worst <= stop and not (best >= target and stops.same_bar == "optimistic"):
            return side * stop, reason
        return (side * target, "profit") if best >= target else None

    def marks(self, t: int) -> None:  # 7
        for state in self.states:
            for leg in self.legs_of(state):
                if known(self.close[leg[1]][t]):
                    self.move(state, leg, self.close[leg[1]][t])

    def delistings(self, t: int) -> None:  # 7, the end of a symbol
        for symbol, last in self.last_session.items():
            if t != last:
                continue
            self.gone.add(symbol)
            for state in self.states:
                leg = (state.idea.name, symbol)
                if leg not in self.shares:
                    continue
                if self.shares[leg]:
                    before = self.signs(state)
                    price = self.mark[leg]
                    self.cash += self.shares[leg] * price
                    self.answer.fills.append(Fill(t, *leg, -self.shares[leg], price, 0.0, "delisted", None))
                    self.shares[leg] = 0.0
                    self.signs_changed(state, before, t, "delisted")
                if state.order:
                    state.order.want.pop(symbol, None)
                if state.idea.linked:
                    state.over = True
                    state.exit_due = "delisted"

    def records(self) -> None:  # 8
        for state in self.states:
            if trade := state.trade:
                trade.closes += 1
                trade.best = max(trade.best, trade.result / trade.base)
                trade.worst = min(trade.worst, trade.result / trade.base)

    def block(self, state: State, t: int) -> None:
        state.block = (state.idea.stops.reentry, t)

    def order_out(self, state: State, reason: str) -> None:
        if not self.leaving(state):
            state.exit_due = reason

    def stops_at_the_close(self, t: int) -> None:  # 9
        for state in self.states:
            trade, stops = state.trade, state.idea.stops
            if trade is None or self.leaving(state):
                continue
            result = trade.result / trade.base
            side = trade.signs[self.legs_of(state)[0][1]]
            z = state.idea.spread_z[t] if state.idea.spread_z is not None else math.nan
            on_close = stops.watch == "close" or len(self.legs_of(state)) > 1
            held = {
                "loss": on_close and stops.loss is not None and result <= -stops.loss,
                "volatility": on_close and stops.volatility is not None and result <= -stops.volatility * trade.daily,
                "trailing": on_close and stops.trailing is not None and result <= trade.best - stops.trailing,
                "spread_z": stops.spread_z is not None and side * z <= -stops.spread_z,
                "profit": on_close and stops.profit is not None and result >= stops.profit,
                "time": stops.time is not None and trade.closes >= stops.time,
            }
            for reason, yes in held.items():
                if yes:
                    self.order_out(state, reason)
                    self.block(state, t)
                    break

    def drawdown(self, t: int) -> None:  # 10
        equity = self.equity()
        if t < self.cool_row:
            return
        self.peak = equity if t == self.cool_row else max(self.peak, equity)
        if self.limits.drawdown is not None and equity / self.peak - 1.0 <= -self.limits.drawdown:
            self.cool_row = t + self.limits.cool_down
            for state in self.states:
                self.order_out(state, "drawdown")

    def margin(self, t: int) -> None:  # 11
        if self.equity() < self.limits.maintenance * self.gross():
            for state in self.states:
                if not self.leaving(state):
                    state.block = ("next", t)
                    self.order_out(state, "margin")

    def ruin(self, t: int) -> float:  # 12
        equity = self.equity()
        if equity > 0:
            return 0.0
        for state in self.states:
            before = self.signs(state)
            for leg in self.legs_of(state):
                if self.shares[leg]:
                    price = self.mark[leg]
                    self.answer.fills.append(Fill(t, *leg, -self.shares[leg], price, 0.0, "ruin", None))
                    self.shares[leg] = 0.0
            self.signs_changed(state, before, t, "ruin")
        self.cash, self.dead = 0.0, True
        return -equity
