"""The part of a sweep that travels: parameter sets in, one row of metrics an account out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from threading import Lock
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.backtest.accounts import Rebalance, equities_of, simulate
from quantlib.backtest.curves import traces_nb
from quantlib.backtest.groups import GroupTargets
from quantlib.backtest.limits import surely_within
from quantlib.backtest.market import CLOSE, Market, prepare
from quantlib.backtest.sweep_grid import Definition, Grid
from quantlib.backtest.sweep_lone import lone_equities, plain, short
from quantlib.compiled import kernel
from quantlib.costs import AnyCosts
from quantlib.errors import QuantError, StrategyError
from quantlib.metrics import METRICS
from quantlib.metrics.equity import equities_metrics_nb
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel

By = Literal["account", "symbol"]

#: The metrics of `equities_metrics_nb`, in its order.
QUICK = ("total_return", "sharpe_ratio", "max_drawdown")

_numbers = count()
_arrived: dict[int, _Warm] = {}


@dataclass(frozen=True)
class Rules:
    """How every account of a sweep is run; as in `run`."""

    costs: AnyCosts | None
    limits: Limits
    execution: Execution
    cash: float
    lag: int
    rebalance: Rebalance
    delisted: Mapping[str, date] | None


@dataclass(frozen=True)
class _Ground:
    """What a strategy stands on: the panel of what it reads, the market of what it trades, and what is true of them.

    Parameters
    ----------
    plain
        Whether the short loop for accounts of one symbol fits this market.
    traded
        The panel of what the strategy trades.
    exact
        Whether a decision is filled `lag` bars later for sure.
    shows
        Whether every fill costs something.
    year
        Periods a year.
    """

    panel: Panel
    traded: Panel
    market: Market
    plain: bool
    exact: bool
    shows: bool
    year: int


@dataclass
class _Warm:
    """What the sets of a sweep share within one process: grounds by symbols, and arrays."""

    memo: Memo = field(default_factory=Memo)
    lock: Lock = field(default_factory=Lock)
    grounds: dict[tuple[tuple[str, ...], tuple[str, ...]], _Ground] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """Runs parameter sets of a grid on a panel; what is made on the way stays for the next call in the process."""

    grid: Grid
    panel: Panel
    rules: Rules
    by: By
    metrics: tuple[str, ...]
    curves: int = 0
    number: int = field(default_factory=lambda: next(_numbers))

    def __call__(self, sets: Sequence[Mapping[str, Any]]) -> list[FloatArray | str]:
        """Return for each set its metrics [accounts, metrics], or the reason why it was not run.

        With curves, the moments and growth of its accounts follow the metrics in each row.
        """
        warm = _warm(self.number)
        room: dict[int, FloatArray] = {}
        found: list[FloatArray | str] = []
        for parameters in sets:
            try:
                found.append(self._run(self.grid.definition(parameters), warm, room))
            except QuantError as error:
                found.append(str(error))
        return found

    def _run(self, one: Definition, warm: _Warm, room: dict[int, FloatArray]) -> FloatArray:
        strategy, stops, rules = one.strategy, one.stops, self.rules
        ground = self._ground(strategy, warm)
        panel, market, alone = ground.panel, ground.market, self.by == "symbol"
        made = strategy.weights_alone(panel, warm.memo) if alone else strategy.weights(panel, warm.memo)
        targets = np.ascontiguousarray(made.T)
        accounts = len(targets) if alone else 1
        if accounts not in room:
            room[accounts] = np.empty((accounts, len(panel)))
        groups = targets[:, None, :] if alone else targets[None, :, :]
        # What is not a number is not within any limit, so only the longer road has to look for it.
        if ground.plain and len(targets) == accounts and short(stops) and surely_within(groups, rules.limits):
            equity = lone_equities(
                market,
                targets,
                stops=stops,
                limits=rules.limits,
                cash=rules.cash,
                lag=rules.lag,
                every_bar=rules.rebalance == "every_bar",
                out=room[accounts],
            )
        else:
            if not np.isfinite(targets).all():
                raise StrategyError(f"{strategy.title} decided an infinite weight. Check its parameters: {strategy!r}.")
            legs = np.arange(len(targets))
            equity = equities_of(
                market,
                groups,
                legs[:, None] if alone else legs[None, :],
                stops=stops,
                spread_z=self._spread(strategy, stops, panel, accounts, warm.memo),
                linked=strategy.linked,
                limits=rules.limits,
                cash=rules.cash,
                lag=rules.lag,
                rebalance=rules.rebalance,
                out=room[accounts],
            )
        if ground.exact or ground.shows:
            first = first_fills_nb(groups, equity, rules.cash, market.interest, rules.lag, ground.exact)
        else:
            first = self._first_fills(one, ground, targets, accounts, warm.memo)
        return self._told(equity, first, ground.year)

    def _told(self, equity: FloatArray, first: NDArray[np.int64], year: int) -> FloatArray:
        """Return what is told of accounts [A, T] whose first fills are at these bars."""
        found = measured(equity, first, year, self.metrics)
        if not self.curves:
            return found
        return np.concatenate([found, traces_nb(equity, first, min(self.curves, equity.shape[1] - 1))], axis=1)

    def _first_fills(
        self, one: Definition, ground: _Ground, targets: FloatArray, accounts: int, memo: Memo
    ) -> NDArray[np.int64]:
        """Return the bar of the first fill of every account [A], 0 where there is none, as the engine has it."""
        strategy, rules, first = one.strategy, self.rules, np.zeros(accounts, dtype=np.int64)
        spread = self._spread(strategy, one.stops, ground.panel, 1, memo)
        for a in range(accounts):
            weights, legs = targets, strategy.symbols
            if accounts > 1:
                weights, legs = np.zeros_like(targets), (strategy.symbols[a],)
                weights[a] = targets[a]
            frame = pd.DataFrame(weights.T, ground.traded.index, list(ground.traded.symbols))
            z = None if spread is None else spread[0]
            group = GroupTargets(strategy.title, frame, one.stops, z, strategy.linked, legs)
            account = (rules.limits, rules.cash, rules.lag, rules.rebalance)
            _, _, _, log = simulate(ground.traded, ground.market, [group], *account)
            first[a] = log.fills[0, 0] if log.used[0] else 0
        return first

    def _ground(self, strategy: Strategy, warm: _Warm) -> _Ground:
        key = strategy.inputs, strategy.symbols
        with warm.lock:
            if key not in warm.grounds:
                panel = self.panel.select(strategy.inputs)
                traded, rules = panel.select(strategy.symbols), self.rules
                gone = {s: day for s, day in (rules.delisted or {}).items() if s in traded.symbols}
                market = prepare(traded, rules.costs, rules.execution, delisted=gone)
                warm.grounds[key] = _Ground(
                    panel,
                    traded,
                    market,
                    plain=plain(market),
                    exact=_on_time(market, rules.limits),
                    shows=bool((market.symbols["side"] > 0.0).all()),
                    year=panel.periods_per_year,
                )
            return warm.grounds[key]

    def _spread(self, strategy: Strategy, stops: Stops, panel: Panel, accounts: int, memo: Memo) -> FloatArray | None:
        if stops.watch == "intrabar" and len(strategy.symbols) > 1 and accounts == 1:
            raise StrategyError(
                f"Stops within the bar are for one leg, and {strategy.title} has {len(strategy.symbols)}. "
                'Use watch="close".'
            )
        if stops.spread_z is None:
            return None
        spread = strategy.spread(panel, memo)
        if spread is None:
            raise StrategyError(f"{strategy.title} has a spread stop but no spread. Leave the stop out.")
        return np.repeat(spread[None, :], accounts, axis=0)


def _on_time(market: Market, limits: Limits) -> bool:
    """Return whether every decision is filled when it is due: priced, in any size, never gone, and never too dear."""
    symbols = market.symbols
    known = bool(np.isfinite(market.bars[CLOSE]).all()) and np.isnan(market.limit) and not market.whole
    stays = bool((symbols["last"] >= market.bars.shape[2]).all())
    paid = symbols["side"] * limits.max_gross < 1.0
    return bool(known and stays and (paid & (symbols["impact"] == 0.0) & (symbols["assumed"] == 0.0)).all())


def _warm(number: int) -> _Warm:
    """Return what a sweep shares in this process; one that is over makes room for the next few."""
    for old in sorted(_arrived)[:-4]:
        _arrived.pop(old, None)
    return _arrived.setdefault(number, _Warm())


def forget(chunk: Chunk) -> None:
    """Drop what a sweep shared in this process."""
    _arrived.pop(chunk.number, None)


@kernel
def first_fills_nb(
    targets: FloatArray,
    equity: FloatArray,
    cash: float,
    interest: float,
    lag: int,
    exact: bool,
) -> NDArray[np.int64]:
    """Return the bar of the first fill of every account [A], 0 where there is none; targets [A, L, T].

    Where a fill may come later than `lag` bars after the decision (not `exact`), it is the first bar at which equity is
    not what cash alone would be. That holds where every fill costs something, and so shows.
    """
    n_bars = targets.shape[2]
    first = np.zeros(len(targets), dtype=np.int64)
    for a in range(len(targets)):
        begin = n_bars
        for leg in range(targets.shape[1]):
            for t in range(min(begin, n_bars - lag)):
                if targets[a, leg, t] != 0.0:
                    begin = t
                    break
        if begin + lag >= n_bars:
            continue
        if exact:
            first[a] = begin + lag
            continue
        alone = cash
        for t in range(n_bars):
            if t > 0:
                alone -= -alone * interest
            if t >= begin + lag and equity[a, t] != alone:
                first[a] = t
                break
    return first


def measured(equity: FloatArray, first: NDArray[np.int64], periods_per_year: int, metrics: Sequence[str]) -> FloatArray:
    """Return the metrics of accounts [A, T] from their first fill on [A, metrics]."""
    found = np.empty((len(equity), len(metrics)))
    if quick := [k for k, key in enumerate(metrics) if key in QUICK]:
        three = equities_metrics_nb(equity, float(periods_per_year), first)
        found[:, quick] = three[:, [QUICK.index(metrics[k]) for k in quick]]
    if rest := [k for k in range(len(metrics)) if k not in quick]:
        for a, row in enumerate(np.maximum(equity, 0.0)):
            before = np.concatenate([row[:1], row[:-1]])
            returns = (np.divide(row, before, out=np.ones_like(row), where=before > 0) - 1.0)[first[a] :]
            for k in rest:
                metric = METRICS[metrics[k]]
                enough = metric.kernel is not None and len(returns) >= metric.least
                found[a, k] = metric.kernel(returns, float(periods_per_year)) if enough and metric.kernel else np.nan
    return found
