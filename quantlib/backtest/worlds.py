"""A strategy in simulated worlds: from today's position through many futures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from quantlib.backtest.accounts import Account, equity_of, run_account
from quantlib.backtest.market import prepare
from quantlib.costs import AnyCosts, Costs
from quantlib.errors import DataError
from quantlib.simulators import Simulator
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True)
class WorldsResult:
    """Outcomes of one strategy over the same horizon in `n` simulated worlds.

    Parameters
    ----------
    simulator, horizon, seed
        What made the worlds.
    calibrated_on
        How many sessions of history the simulator learned from.
    paths
        The account's value from the as-of close on, 1 at the start [n, horizon + 1].
    hold
        Return of holding the strategy's symbols in equal parts, without costs, in the same worlds [n].
    dates
        The horizon's sessions, the as-of session first [horizon + 1].
    """

    simulator: str
    horizon: int
    seed: int
    calibrated_on: int
    paths: FloatArray
    hold: FloatArray
    dates: pd.DatetimeIndex

    @property
    def returns(self) -> FloatArray:
        """Net return of the account over the horizon, one a world [n]."""
        return np.asarray(self.paths[:, -1] - 1.0)

    @property
    def mean(self) -> float:
        """Expected net return over the horizon."""
        return float(self.returns.mean())

    @property
    def mean_interval(self) -> tuple[float, float]:
        """The 95 % interval of `mean`: from the finite number of worlds, and from the finite history behind them.

        The mean of h sessions is h times a daily mean that was estimated on T sessions; where the position is
        like today's, its standard error is the outcomes' standard deviation times the root of h / T. Model error
        comes on top: compare simulators.
        """
        spread = float(self.returns.std(ddof=1))
        error = spread * np.sqrt(1.0 / len(self.returns) + self.horizon / self.calibrated_on)
        return self.mean - 1.96 * float(error), self.mean + 1.96 * float(error)

    @property
    def probability_of_loss(self) -> float:
        """Share of worlds in which the account ends lower than it starts; standing aside is no loss."""
        return float((self.returns < 0).mean())

    def quantile(self, q: float) -> float:
        """Return the net return that a share `q` of worlds stays at or below."""
        return float(np.quantile(self.returns, q))


def recent_history(strategy: Strategy, panel: Panel, costs: AnyCosts, *, least: int = 504) -> Panel:
    """Return the shortest tail of a panel on which the strategy decides and holds today what it does on all of it.

    Worlds are attached to this tail. A rule that remembers (an open pair trade, a monthly choice) and positions that
    have drifted since their last trade may need more history than the warm-up; the tail is doubled until the last
    decisions and the weights held agree.
    """
    full = _standing(strategy, panel, costs)
    rows = max(least, 2 * strategy.warmup)
    while rows < len(panel):
        tail = panel.tail(rows)
        if np.allclose(_standing(strategy, tail, costs), full, rtol=0, atol=1e-6):
            return tail
        rows *= 2
    return panel


def _standing(strategy: Strategy, panel: Panel, costs: AnyCosts) -> FloatArray:
    """Return the last two decisions, the weights held at the last close, and whether there is money left, in a row."""
    targets = strategy.targets(panel)
    account = _account(strategy, panel, targets, costs)
    marks = panel.frame("close").ffill().to_numpy()[-1]
    held = np.where(account.shares[-1] != 0.0, account.shares[-1] * marks, 0.0) / (account.equity[-1] or 1.0)
    return np.concatenate([targets.to_numpy()[-2:].ravel(), held, account.equity[-1:] > 0.0])


def _account(strategy: Strategy, panel: Panel, targets: pd.DataFrame, costs: AnyCosts) -> Account:
    return run_account(
        panel,
        targets,
        costs=costs,
        stops=strategy.risk,
        spread_z=strategy.spread_z(panel.select(strategy.inputs)),
        linked=strategy.linked,
        legs=strategy.symbols,
    )


def _without_actions(world: Panel, history: Panel) -> Panel:
    """Return a world that says of itself that nothing is split or paid, where its history says what was.

    Extras that only one of two panels has are dropped when they are joined: past splits would become price jumps.
    """
    extra = {
        name: np.full((len(world), *history.extra[name].shape[1:]), none)
        for name, none in (("split", 1.0), ("dividend", 0.0))
        if name in history.extra
    }
    return replace(world, extra=extra) if extra else world


def evaluate_in_worlds(
    strategy: Strategy,
    simulator: Simulator,
    panel: Panel,
    *,
    n: int = 1000,
    horizon: int = 21,
    seed: int = 0,
    costs: AnyCosts | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> WorldsResult:
    """Return how the strategy fares over the next `horizon` sessions in `n` worlds that start at today's prices.

    The simulator is calibrated on the sessions that all its inputs share. In every world the strategy goes on
    deciding, with its costs, from the position it holds at the panel's last close; the same code runs as on history.

    Parameters
    ----------
    panel
        History up to the as-of date; its last row is the starting point.
    on_progress
        Called with (worlds done, n) now and then.

    Raises
    ------
    DataError
        A symbol's last close is unknown, so there is no price to start from, or the account is ruined by then.
    """
    costs = Costs() if costs is None else costs
    chosen = panel.select(strategy.inputs)
    own = chosen.complete()
    if len(own) == 0 or own.index[-1] != panel.index[-1]:
        last = f"; the last shared session is {own.index[-1]:%Y-%m-%d}" if len(own) else ""
        raise DataError(
            f"Not every price of {', '.join(strategy.inputs)} is known on {panel.index[-1]:%Y-%m-%d}{last}. "
            "Choose an as-of date on which all of them traded."
        )
    history = recent_history(strategy, chosen, costs)
    start, traded = len(history) - 1, len(strategy.symbols)
    paths = np.empty((n, horizon + 1))
    hold = np.empty(n)
    dates = history.index[-1:].append(own.next_sessions(horizon))
    for i, world in enumerate(simulator.paths(own, n=n, horizon=horizon, seed=seed)):
        joined = history.append(_without_actions(world, history))
        targets = strategy.targets(joined)
        equity = equity_of(
            prepare(joined, costs),
            targets.to_numpy(dtype=np.float64),
            stops=strategy.risk,
            spread_z=strategy.spread_z(joined),
            linked=strategy.linked,
        )[start:]
        if equity[0] <= 0.0:
            raise DataError(
                f"{strategy.title} has lost its whole account by {history.index[-1]:%Y-%m-%d}, so there is nothing to "
                "go on with. Choose an earlier as-of date, or lower its weights."
            )
        paths[i] = equity / equity[0]
        hold[i] = (world.close[-1, :traded] / history.close[-1, :traded]).mean() - 1.0
        if on_progress is not None and ((i + 1) % 50 == 0 or i + 1 == n):
            on_progress(i + 1, n)
    return WorldsResult(
        simulator=simulator.name,
        horizon=horizon,
        seed=seed,
        calibrated_on=simulator.calibrate(own).sessions,
        paths=paths,
        hold=hold,
        dates=pd.DatetimeIndex(dates),
    )
