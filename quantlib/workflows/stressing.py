"""Stress: the scenarios of the data folder, completed on stored prices, and the strategies that live through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.backtest import StressResult, check_simulable, evaluate_in_worlds, run_strategy, stress
from quantlib.errors import DataError, nearest
from quantlib.scenarios import (
    FACTORS,
    Completed,
    ReverseStress,
    Scenario,
    complete,
    completed_worlds,
    likeliest_worlds,
    read_scenarios,
    reverse_stress,
    scenario_costs,
)
from quantlib.simulators import SIMULATORS, Simulator
from quantlib.simulators.realism_card import RealismGrade
from quantlib.store import coverage
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.workflows.grading import grade_of
from quantlib.workflows.research import choose_source, load_panel, shared_panel, strategy_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

#: A symbol that shows a factor counts where its prices end at most so many days before those of the strategies.
MOST_DAYS_BEHIND = 7
#: Fewest worlds of a scenario that changes the law alone: volatility, correlation, liquidity.
LAW_WORLDS = 50
#: Worlds that are searched for those that breach a loss.
SEARCHED = 2_000
#: Most of them that are listed.
LISTED = 10
#: Whose worlds they are: days as they were, in whole stretches, so that symbols still fall together.
SEARCHED_IN = "stationary_bootstrap"


@dataclass(frozen=True, eq=False)
class Stressed:
    """Strategies in scenarios.

    Parameters
    ----------
    result
        What they came to, by strategy name and the scenario's title.
    completed
        What each scenario does to every symbol, by title.
    panel
        The prices it was learned from, up to the session all start from.
    left_out
        Sentences on scenarios that cannot be seen in these prices.
    """

    result: StressResult
    completed: Mapping[str, Completed]
    panel: Panel
    left_out: tuple[str, ...]


def scenarios(session: Session) -> dict[str, Scenario]:
    """Return the scenarios of the data folder by id, historical ones first, each kind from the oldest on."""
    found = read_scenarios(session.settings.data / "scenarios")
    return dict(sorted(found.items(), key=lambda item: _order(item[1])))


def _order(scenario: Scenario) -> tuple[bool, str, str]:
    window = scenario.window
    return window is None, "" if window is None else f"{window.start:%Y-%m-%d}", scenario.title


def stress_panel(session: Session, symbols: Sequence[str]) -> Panel:
    """Return the prices of some symbols and of one stored that shows each factor, up to the last session all share.

    Raises
    ------
    DataError
        A symbol is unknown, or they share no session.
    """
    own, bars = shared_panel(session, symbols), _stored(session)
    fresh = bars.loc[(own.index[-1] - bars["last"]).dt.days <= MOST_DAYS_BEHIND, "symbol"]
    here = {*own.symbols, *fresh}
    # The best of each factor only: what is learned is learned on the sessions that all of them share.
    shows = [next((symbol for symbol in factor.symbols if symbol in here), "") for factor in FACTORS.values()]
    return load_panel(session, list(dict.fromkeys([*own.symbols, *filter(None, shows)])), end=own.index[-1])


def _stored(session: Session) -> pd.DataFrame:
    """Return what there is of the source in force: a row a symbol."""
    bars = coverage(session.store)
    return bars[bars["source"] == choose_source(session)]


def stored_symbols(session: Session) -> tuple[str, ...]:
    """Return the symbols of which the source in force has prices."""
    return tuple(_stored(session)["symbol"])


def complete_here(session: Session, scenario: Scenario) -> tuple[Completed, Panel]:
    """Return what a scenario does to every stored symbol that is still traded, and the prices it was learned from.

    Raises
    ------
    DataError
        There is too little history, or nothing of the scenario can be seen in it.
    """
    bars = _stored(session)
    fresh = bars[(bars["last"].max() - bars["last"]).dt.days <= MOST_DAYS_BEHIND]
    panel = load_panel(session, fresh["symbol"], end=fresh["last"].min())
    return complete(panel, scenario), panel


def stress_strategies(
    session: Session,
    strategies: Mapping[str, Strategy],
    chosen: Sequence[Scenario],
    *,
    worlds: int = 1,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Stressed:
    """Return what strategies come to in scenarios, each from the position it holds now, with its stops and costs.

    Parameters
    ----------
    strategies
        By name.
    chosen
        The scenarios; their titles are the columns.
    worlds
        Worlds of each: one is the scenario's own path, more add what history leaves open around it.
    on_progress
        Called with (scenarios done, scenarios in all).

    Raises
    ------
    DataError
        There is no strategy or scenario, prices are missing, or none of the scenarios can be seen in them.
    """
    if not strategies or not chosen:
        raise DataError("Choose one strategy and one scenario, or more.")
    for strategy in strategies.values():
        check_simulable(strategy)
    panel = stress_panel(session, sorted({symbol for one in strategies.values() for symbol in one.inputs}))
    costs = usual_costs(session, panel.symbols)
    completed: dict[str, Completed] = {}
    left_out, tables = [], []
    for number, scenario in enumerate(chosen):
        try:
            done = complete(panel, scenario)
        except DataError as error:
            left_out.append(str(error))
        else:
            # Where nothing is named, only the law changes, and a single world says nothing of that.
            n = worlds if scenario.shocks else max(worlds, LAW_WORLDS)
            through = completed_worlds(panel, done, n=n, seed=seed, noise=n > 1)
            during = {scenario.title: scenario_costs(costs, scenario)}
            found = stress(strategies, {scenario.title: through}, panel, costs=costs, during=during)
            completed[scenario.title] = done
            tables.append(found.outcomes)
        if on_progress is not None:
            on_progress(number + 1, len(chosen))
    if not tables:
        raise DataError(f"None of these scenarios can be seen in the stored prices. {left_out[0]}")
    order = {name: k for k, name in enumerate(strategies)}
    outcomes = pd.concat(tables).sort_values("strategy", key=lambda names: names.map(order), kind="stable")
    return Stressed(StressResult(outcomes.reset_index(drop=True), panel.index[-1]), completed, panel, tuple(left_out))


def held_now(session: Session, strategy: Strategy) -> pd.Series:
    """Return the weights that a strategy holds at the last close, as fractions of its equity, by symbol."""
    panel = strategy_panel(session, strategy)
    weights = run_strategy(strategy, panel, costs=usual_costs(session, strategy.inputs)).weights.iloc[-1]
    return weights[weights != 0.0]


@dataclass(frozen=True, eq=False)
class Breach:
    """The smallest move that costs a book so much.

    Parameters
    ----------
    weights
        The book, as fractions of equity by symbol.
    shock
        The move of each symbol held.
    found
        Its distance and how plausible it is.
    sessions
        Over how many of them.
    """

    weights: pd.Series
    shock: pd.Series
    found: ReverseStress
    sessions: int


def smallest_breach(session: Session, strategy: Strategy, loss: float, sessions: int = 21) -> Breach:
    """Return the smallest plausible move that costs what a strategy holds now a given share of its equity.

    Raises
    ------
    DataError
        Nothing is held, or no move of this size is possible.
    """
    weights = held_now(session, strategy)
    if weights.empty:
        raise DataError(f"{strategy.title} holds nothing now, so no move costs it anything. Choose another strategy.")
    panel = shared_panel(session, list(weights.index))
    shock, found = reverse_stress(panel, {str(s): float(w) for s, w in weights.items()}, loss, sessions=sessions)
    return Breach(weights, shock, found, sessions)


@dataclass(frozen=True, eq=False)
class BreachingWorlds:
    """The simulated worlds in which a strategy loses so much.

    Parameters
    ----------
    table
        The ten likeliest of them, the least extraordinary first; those in which everything moves the same stand once.
        Index: number of the world. Columns: loss, distance and plausibility as in `likeliest_worlds`, and the return of
        each symbol over the sessions.
    symbols
        Whose moves the distance is of.
    breaching, worlds
        How many worlds lose so much, of how many.
    loss, sessions, drawdown
        As asked for.
    simulator
        Title of what made the worlds.
    grade
        How real they are.
    """

    table: pd.DataFrame
    symbols: tuple[str, ...]
    breaching: int
    worlds: int
    loss: float
    sessions: int
    drawdown: bool
    simulator: str
    grade: RealismGrade


def breaching_worlds(
    session: Session,
    strategy: Strategy,
    loss: float,
    sessions: int = 21,
    drawdown: bool = False,
    simulator: Simulator | str = SEARCHED_IN,
    *,
    worlds: int = SEARCHED,
) -> BreachingWorlds:
    """Return the simulated worlds in which a strategy, with its stops and costs, loses so much of its equity.

    Parameters
    ----------
    loss
        As a fraction of its equity today.
    drawdown
        Whether the loss counts from the highest equity on the way, at any close, instead of from today to the end.
    simulator
        Whose worlds; a name stands for its defaults.
    worlds
        How many are searched.

    Raises
    ------
    DataError
        There is no such simulator, it cannot learn from these prices, or no world loses so much.
    """
    check_simulable(strategy)
    if isinstance(simulator, str):
        if simulator not in SIMULATORS:
            raise DataError(f"There is no simulator {simulator!r}. {nearest(simulator, SIMULATORS)}")
        simulator = SIMULATORS[simulator]()
    panel, seed = shared_panel(session, strategy.inputs), session.settings.seed
    costs = usual_costs(session, strategy.inputs)
    found = evaluate_in_worlds(strategy, simulator, panel, n=worlds, horizon=sessions, seed=seed, costs=costs)
    paths = found.paths / found.paths[:, :1]
    kept = (paths / np.maximum.accumulate(paths, axis=1)).min(axis=1) if drawdown else paths[:, -1]
    # The same numbers of the worlds, so the same worlds: path i depends on the seed and i alone.
    closes = simulator.closes(panel, n=worlds, horizon=sessions, seed=seed)[:, -1]
    moves = closes / panel.complete().close[-1] - 1.0
    table = likeliest_worlds(moves, 1.0 - kept, loss, names=panel.symbols, keep=worlds)
    return BreachingWorlds(
        # A bootstrap draws the same stretch of history more than once.
        table.drop_duplicates(list(panel.symbols)).head(LISTED),
        panel.symbols,
        int((1.0 - kept >= loss).sum()),
        worlds,
        loss,
        sessions,
        drawdown,
        simulator.title,
        grade_of(session, simulator, panel),
    )


def pick(there: Mapping[str, Scenario], names: Sequence[str]) -> list[Scenario]:
    """Return scenarios by id or title.

    Raises
    ------
    DataError
        There is none of that name.
    """
    known = dict(there) | {scenario.title: scenario for scenario in there.values()}
    for name in names:
        if name not in known:
            raise DataError(f"There is no scenario {name!r}. {nearest(name, known)}")
    return [known[name] for name in names]
