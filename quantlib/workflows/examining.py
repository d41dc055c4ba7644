"""What a strategy makes in worlds: by every simulator, where there is no edge, and with its stops or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from quantlib.backtest import (
    Comparison,
    EdgeResult,
    StopsEffect,
    check_simulable,
    compare_simulators,
    stops_effect,
    zero_edge,
)
from quantlib.errors import DataError, nearest
from quantlib.simulators import SIMULATORS, Simulator
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import RealismCard, RealismGrade
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.workflows.grading import CARD_WORLDS, grade_of
from quantlib.workflows.research import hindsight, shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

#: Laws whose returns do not depend on those before: without drift there is nothing at all to be found in them.
INDEPENDENT = ("gbm", "merton", "t_copula")


@dataclass(frozen=True, eq=False)
class Examined:
    """A strategy in worlds.

    Parameters
    ----------
    comparison
        Its outcomes by the simulator's title, and how far they are apart.
    grades
        How real the worlds of each simulator are, by the same titles.
    edges
        What it makes where all drift is taken out, by the simulator's title: those with independent returns first,
        where zero edge means most. A law with memory may hold something to be found without any drift.
    stops
        What its stops do in the first simulator's worlds; None where it has none.
    refused
        Why a simulator could not be used, a sentence each.
    panel
        The prices all learned from.
    hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    """

    comparison: Comparison
    grades: Mapping[str, RealismGrade]
    edges: Mapping[str, EdgeResult]
    stops: StopsEffect | None
    refused: tuple[str, ...]
    panel: Panel
    hindsight: str

    @property
    def table(self) -> pd.DataFrame:
        """The comparison's table with what the worlds are worth: columns grade, first, and why, last."""
        grades = [self.grades[title] for title in self.comparison.table.index]
        table = self.comparison.table.assign(why=[grade.reasons for grade in grades])
        table.insert(0, "grade", [grade.letter for grade in grades])
        return table

    @property
    def realism(self) -> str:
        """Which worlds can be told from history how easily, in one sentence."""
        by_letter: dict[str, list[str]] = {}
        for title, grade in sorted(self.grades.items(), key=lambda item: item[1].letter):  # A to F, then unknown
            by_letter.setdefault(grade.letter, []).append(title)
        groups = [f"grade {letter} for {', '.join(titles)}" for letter, titles in by_letter.items()]
        return f"How real these worlds are: {'; '.join(groups)}."


def examine(
    session: Session,
    strategy: Strategy,
    simulators: Sequence[str],
    *,
    worlds: int = 500,
    horizon: int = 252,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Examined:
    """Return what a strategy makes in the worlds of some simulators, after its usual costs.

    Parameters
    ----------
    simulators
        Names in `SIMULATORS`, at their defaults; one that cannot learn from these prices is left out, and said.
    worlds, horizon, seed
        Of every simulator.
    on_progress
        Called with (worlds done, worlds in all), those that are compared with history among them.

    Raises
    ------
    DataError
        There is no such simulator, or none of them can learn from these prices.
    """
    for name in simulators:
        if name not in SIMULATORS:
            raise DataError(f"There is no simulator {name!r}. {nearest(name, SIMULATORS)}")
    check_simulable(strategy)
    panel = shared_panel(session, strategy.inputs)
    costs = usual_costs(session, strategy.inputs)
    usable, refused = _usable([SIMULATORS[name]() for name in simulators], panel)
    edged = [simulator for simulator in usable if "drift" in type(simulator).model_fields]
    edged.sort(key=lambda simulator: _place(simulator.name))
    total = CARD_WORLDS * len(usable) + worlds * (len(usable) + len(edged) + strategy.risk.any)
    before = 0

    def tell(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(before + done, total)

    grades = {}
    for simulator in usable:
        grades[simulator.title] = grade_of(session, simulator, panel, on_progress=tell)
        before += CARD_WORLDS
    compared = compare_simulators(
        strategy, usable, panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
    )
    before += worlds * len(usable)
    edges = {}
    for simulator in edged:
        edges[simulator.title] = zero_edge(
            strategy, simulator, panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
        )
        before += worlds
    stops = None
    if strategy.risk.any:
        stops = stops_effect(
            strategy, usable[0], panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
        )
    return Examined(compared, grades, edges, stops, tuple(refused), panel, hindsight(session, panel))


def _place(simulator: str) -> int:
    return INDEPENDENT.index(simulator) if simulator in INDEPENDENT else len(INDEPENDENT)


def _usable(simulators: Sequence[Simulator], panel: Panel) -> tuple[list[Simulator], list[str]]:
    """Return the simulators that can learn from a panel, and why the others cannot."""
    usable, refused = [], []
    for simulator in simulators:
        try:
            simulator.calibrate(panel.complete())
        except DataError as error:
            refused.append(f"{simulator.title}: {error}")
        else:
            usable.append(simulator)
    if not usable:
        raise DataError(f"No simulator can learn from these prices. {' '.join(refused)}")
    return usable, refused


def realism_of(session: Session, symbols: tuple[str, ...], simulator: Simulator) -> RealismCard:
    """Return how far a simulator's worlds can be told from the stored prices of some symbols.

    Raises
    ------
    DataError
        The history is too short, or the simulator cannot learn from it.
    """
    return realism(simulator, shared_panel(session, symbols), n=CARD_WORLDS, seed=session.settings.seed)
