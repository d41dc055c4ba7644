"""Where a strategy leaves history: the accounts it runs, the positions they hold at the last close, and why."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from quantlib.backtest.accounts import Account, run_account
from quantlib.backtest.market import Market, prepare
from quantlib.costs import AnyCosts, Costs
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Execution, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

#: What splits and dividends are on a day without any.
ACTIONS = {"split": 1.0, "dividend": 0.0}


@dataclass(frozen=True)
class Variant:
    """How one account of a strategy is run; several beside each other see the same worlds.

    Parameters
    ----------
    costs
        One for all symbols, or by symbol.
    stops
        When a trade is given up.
    execution
        How orders fill. The variants of one departure all fill at the same price of a bar.
    """

    costs: AnyCosts
    stops: Stops
    execution: Execution = field(default_factory=Execution)

    @classmethod
    def own(cls, strategy: Strategy, costs: AnyCosts | None) -> Variant:
        """Return the account of a strategy with its own stops, at these costs or the usual ones."""
        return cls(Costs() if costs is None else costs, strategy.risk)

    @classmethod
    def without_cost(cls, strategy: Strategy) -> Variant:
        """Return the account of a strategy that pays nothing: no fee, spread, impact, borrow or interest."""
        return cls(Costs.free(), strategy.risk, Execution(financing_bps_per_year=0.0))


@dataclass(frozen=True)
class Departure:
    """A strategy at the end of history, ready to go on.

    Parameters
    ----------
    strategy
        What decides.
    accounts
        How its accounts are run.
    history
        The tail of history that the accounts are run through first; its last row is the starting point.
    shared
        The sessions on which all inputs have a close: what a simulator learns from.
    """

    strategy: Strategy
    accounts: tuple[Variant, ...]
    history: Panel
    shared: Panel

    @property
    def start(self) -> int:
        """The row of the starting point."""
        return len(self.history) - 1

    @cached_property
    def markets(self) -> tuple[Market, ...]:
        """The market of history for each account."""
        return tuple(prepare(self.history, one.costs, one.execution) for one in self.accounts)

    def sessions(self, horizon: int) -> pd.DatetimeIndex:
        """Return the as-of session and the `horizon` sessions after it."""
        return pd.DatetimeIndex(self.history.index[-1:].append(self.shared.next_sessions(horizon)))

    def ruined(self) -> DataError:
        """Return what to say where nothing is left to go on with."""
        return DataError(
            f"{self.strategy.title} has lost its whole account by {self.history.index[-1]:%Y-%m-%d}, so there is "
            "nothing to go on with. Choose an earlier as-of date, or lower its weights."
        )


def depart(strategy: Strategy, panel: Panel, *accounts: Variant) -> Departure:
    """Return a strategy at the panel's last close, with the shortest history that tells where it stands.

    Raises
    ------
    DataError
        A symbol's last close is unknown, so there is no price to start from.
    StrategyError
        It reads an extra that the panel does not carry.
    """
    check_simulable(strategy, carried=panel.extra)
    chosen = panel.select(strategy.inputs)
    shared = chosen.complete()
    if len(shared) == 0 or shared.index[-1] != panel.index[-1]:
        last = f"; the last shared session is {shared.index[-1]:%Y-%m-%d}" if len(shared) else ""
        raise DataError(
            f"Not every price of {', '.join(strategy.inputs)} is known on {panel.index[-1]:%Y-%m-%d}{last}. "
            "Choose an as-of date on which all of them traded."
        )
    return Departure(strategy, accounts, recent_history(strategy, chosen, *accounts), shared)


def recent_history(strategy: Strategy, panel: Panel, *accounts: Variant, least: int = 504) -> Panel:
    """Return the shortest tail of a panel on which the strategy decides and holds today what it does on all of it.

    Worlds are attached to this tail. A rule that remembers (an open pair trade, a monthly choice) and positions that
    have drifted since their last trade may need more history than the warm-up; the tail is doubled until the last
    decisions and the weights held agree in every account.
    """
    full = _standing(strategy, panel, accounts)
    rows = max(least, 2 * strategy.warmup)
    while rows < len(panel):
        tail = panel.tail(rows)
        if np.allclose(_standing(strategy, tail, accounts), full, rtol=0, atol=1e-6):
            return tail
        rows *= 2
    return panel


def _standing(strategy: Strategy, panel: Panel, accounts: tuple[Variant, ...]) -> FloatArray:
    """Return the last two decisions and, of each account, weights at the last close and whether money is left."""
    targets = strategy.targets(panel)
    marks = panel.frame("close").ffill().to_numpy()[-1]
    found = [targets.to_numpy()[-2:].ravel()]
    for one in accounts:
        account = account_of(strategy, panel, targets, one)
        held = np.where(account.shares[-1] != 0.0, account.shares[-1] * marks, 0.0) / (account.equity[-1] or 1.0)
        found += [held, account.equity[-1:] > 0.0]
    return np.concatenate(found)


def account_of(strategy: Strategy, panel: Panel, targets: pd.DataFrame, one: Variant) -> Account:
    """Return the account that follows a strategy's targets on a panel of its inputs."""
    return run_account(
        panel,
        targets,
        costs=one.costs,
        stops=one.stops,
        execution=one.execution,
        spread_z=strategy.spread_z(panel),
        linked=strategy.linked,
        legs=strategy.symbols,
    )


def check_simulable(strategy: Strategy, *, carried: Container[str] = ()) -> None:
    """Refuse a strategy that reads extras which simulated worlds do not carry.

    Parameters
    ----------
    carried
        Extras that its worlds have; those of the simulators here have none.

    Raises
    ------
    StrategyError
        With what it reads.
    """
    if lacking := [key for key in strategy.extras if key not in carried]:
        raise StrategyError(
            f"{strategy.title} reads {', '.join(lacking)}. Simulated worlds and scenarios have prices alone, so it "
            "cannot be run in them; run and validate it on history."
        )


def joined(history: Panel, world: Panel, strategy: Strategy) -> Panel:
    """Return history followed by a world that says of itself what is split or paid, where its history does.

    Extras that only one of two panels has are dropped when they are joined: past splits would become price jumps.

    Raises
    ------
    StrategyError
        The strategy reads an extra that the world does not carry.
    """
    check_simulable(strategy, carried=world.extra)
    missing = {
        name: np.full((len(world), *history.extra[name].shape[1:]), none)
        for name, none in ACTIONS.items()
        if name in history.extra and name not in world.extra
    }
    return history.append(replace(world, extra={**world.extra, **missing}) if missing else world)
