"""What a strategy is compared with: its own positions at other times, and holding the same symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from quantlib.backtest import equities_of, group_of, hold_equal_parts, prepare, run
from quantlib.backtest.groups import plan_of
from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.compute import Progress, map_work
from quantlib.costs import AnyCosts
from quantlib.metrics.ratios import sharpe_ratio_of
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

_AT_ONCE = 5


@dataclass(frozen=True, eq=False)
class RandomEntries:
    """A strategy against itself at other times.

    Parameters
    ----------
    sharpe
        Sharpe ratio per session of the strategy; NaN where it never has a position.
    others
        Those of its positions shifted in time; empty where the positions never change, or none was run.
    """

    sharpe: float
    others: FloatArray

    @property
    def p_value(self) -> float:
        """Share of the shifted ones, and the strategy itself, that did as well; NaN where there is none."""
        if not len(self.others) or np.isnan(self.sharpe):
            return float("nan")
        return float((1 + (np.nan_to_num(self.others) >= self.sharpe).sum()) / (1 + len(self.others)))


def random_entries(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    delisted: Mapping[str, date] | None = None,
    samples: int = 200,
    seed: int = 0,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> RandomEntries:
    """Return how a strategy does against its own decisions at random other times.

    All its decisions since the first are moved by the same random number of sessions, the end going around to the
    beginning, and run with the same stops and costs. What is moved is as often in, for as long, in the same groups,
    and pays as much; it only does not know when. A strategy that beats most of them knows something about the time.

    Parameters
    ----------
    costs, limits, execution, cash, lag, delisted
        Of the backtest, as in `run`.
    samples
        How many to draw; fewer where there are not so many sessions to move by.
    seed
        Of the draw.
    on_progress, cancelled
        As in `map_work`; what was done when it was cancelled is returned.

    Raises
    ------
    StrategyError
        A stop lacks what it needs, or the account cannot be run so; as in `run`.

    References
    ----------
    Random positions as the null after Aronson (2006), Evidence-based technical analysis, chapter 6.
    """
    group, traded = group_of(strategy, panel), panel.select(strategy.symbols)
    plan_of(panel, [group], limits or Limits())  # the bare accounts below check little
    targets = group.targets[list(strategy.symbols)].to_numpy(dtype=np.float64)
    decided = np.flatnonzero(targets.any(axis=1))
    first = int(decided[0]) if len(decided) else len(targets)
    length = len(targets) - first
    gone = {symbol: day for symbol, day in (delisted or {}).items() if symbol in traded.symbols}
    market = prepare(traded, costs, execution, delisted=gone)

    def sharpes(shifts: np.ndarray) -> FloatArray:
        moved, spreads = np.repeat(targets.T[None], len(shifts), axis=0), None
        if group.spread_z is not None:
            spreads = np.repeat(group.spread_z[None], len(shifts), axis=0)
        for a, shift in enumerate(shifts):
            moved[a, :, first:] = np.roll(moved[a, :, first:], shift, axis=1)
            if spreads is not None:
                spreads[a, first:] = np.roll(spreads[a, first:], shift)
        legs = np.repeat(np.arange(targets.shape[1])[None], len(shifts), axis=0)
        equity = equities_of(
            market,
            moved,
            legs,
            stops=strategy.risk,
            spread_z=spreads,
            linked=strategy.linked,
            limits=limits,
            cash=cash,
            lag=lag,
        )
        return _sharpes(equity[:, first:])

    if length < 2 + lag:
        return RandomEntries(float("nan"), np.empty(0))
    own = float(sharpes(np.array([0]))[0])
    if not np.diff(targets[first:], axis=0).any():
        return RandomEntries(own, np.empty(0))
    rng = np.random.default_rng(seed)
    shifts = rng.choice(np.arange(1, length), size=min(samples, length - 1), replace=False)
    parts = [shifts[k : k + _AT_ONCE] for k in range(0, len(shifts), _AT_ONCE)]

    def progress(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(min(done * _AT_ONCE, len(shifts)), len(shifts))

    found = list(map_work(sharpes, parts, on_progress=progress, cancelled=cancelled))
    return RandomEntries(own, np.concatenate(found) if found else np.empty(0))


def _sharpes(equity: FloatArray) -> FloatArray:
    """Return the Sharpe ratio per session of accounts [A, T]; a ruined one stays where it is."""
    alive = np.maximum(equity, 0.0)
    before = alive[:, :-1]
    returns = np.divide(alive[:, 1:], before, out=np.ones_like(before), where=before > 0) - 1.0
    return sharpe_ratio_of(returns, 1.0)


def hold(panel: Panel, costs: AnyCosts, since: pd.Timestamp, *, rebalanced: bool) -> BacktestResult:
    """Return the account that holds all symbols in equal parts, bought once or brought back to them every session.

    It begins at the first session from `since` on that has a price of every symbol.

    Raises
    ------
    DataError
        The symbols share no session from then on.
    """
    held = hold_equal_parts(panel, costs=costs, since=since)
    if not rebalanced:
        return held
    weights = pd.DataFrame(1.0 / len(panel.symbols), index=panel.index, columns=pd.Index(panel.symbols, name="symbol"))
    weights.loc[weights.index < held.trades["decided"].iloc[0]] = 0.0
    return run(panel, weights, costs=costs, rebalance="every_bar")


def beside(returns: pd.Series, held: BacktestResult) -> tuple[pd.Series, pd.Series]:
    """Return a strategy's returns and those of holding, both from the first session that they share."""
    theirs = active_returns(held)
    return returns.loc[theirs.index[0] :], theirs.loc[returns.index[0] :]
