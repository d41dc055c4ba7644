"""Stress: the scenarios of the data folder, completed on stored prices, and the strategies that live through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from quantlib.backtest import StressResult, run_strategy, stress
from quantlib.errors import DataError, nearest
from quantlib.scenarios import (
    FACTORS,
    Completed,
    ReverseStress,
    Scenario,
    complete,
    completed_worlds,
    read_scenarios,
    reverse_stress,
    scenario_costs,
)
from quantlib.store import coverage
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.workflows.research import choose_source, load_panel, shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

#: A symbol that shows a factor counts where its prices end at most so many days before those of the strategies.
MOST_DAYS_BEHIND = 7
#: Fewest worlds of a scenario that changes the law alone: volatility, correlation, liquidity.
LAW_WORLDS = 50


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
    own = shared_panel(session, symbols)
    bars = coverage(session.store)
    bars = bars[bars["source"] == choose_source(session)]
    fresh = bars.loc[(own.index[-1] - bars["last"]).dt.days <= MOST_DAYS_BEHIND, "symbol"]
    here = {*own.symbols, *fresh}
    # The best of each factor only: what is learned is learned on the sessions that all of them share.
    shows = [next((symbol for symbol in factor.symbols if symbol in here), "") for factor in FACTORS.values()]
    return load_panel(session, list(dict.fromkeys([*own.symbols, *filter(None, shows)])), end=own.index[-1])


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
            found = stress(strategies, {scenario.title: through}, panel, costs=scenario_costs(costs, scenario))
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
    panel = shared_panel(session, strategy.inputs)
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
