"""What a strategy makes in worlds: by every simulator, where there is no edge, and with its stops or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quantlib.backtest import Comparison, EdgeResult, StopsEffect, compare_simulators, stops_effect, zero_edge
from quantlib.errors import DataError, nearest
from quantlib.simulators import SIMULATORS, Simulator
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import RealismCard
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.workflows.research import hindsight, shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

#: Worlds that a card is made of.
CARD_WORLDS = 200


@dataclass(frozen=True, eq=False)
class Examined:
    """A strategy in worlds.

    Parameters
    ----------
    comparison
        Its outcomes by the simulator's title, and how far they are apart.
    edges
        What it makes where all drift is taken out, by the simulator's title.
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
    edges: Mapping[str, EdgeResult]
    stops: StopsEffect | None
    refused: tuple[str, ...]
    panel: Panel
    hindsight: str


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
        Called with (worlds done, worlds in all).

    Raises
    ------
    DataError
        There is no such simulator, or none of them can learn from these prices.
    """
    for name in simulators:
        if name not in SIMULATORS:
            raise DataError(f"There is no simulator {name!r}. {nearest(name, SIMULATORS)}")
    panel = shared_panel(session, strategy.inputs)
    costs = usual_costs(session, strategy.inputs)
    usable, refused = _usable([SIMULATORS[name]() for name in simulators], panel)
    edged = [simulator for simulator in usable if "drift" in type(simulator).model_fields]
    total = worlds * (len(usable) + len(edged) + strategy.risk.any)
    before = 0

    def tell(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(before + done, total)

    compared = compare_simulators(
        strategy, usable, panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
    )
    edges = {}
    for number, simulator in enumerate(edged):
        before = worlds * (len(usable) + number)
        edges[simulator.title] = zero_edge(
            strategy, simulator, panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
        )
    stops = None
    if strategy.risk.any:
        before = worlds * (len(usable) + len(edged))
        stops = stops_effect(
            strategy, usable[0], panel, n=worlds, horizon=horizon, seed=seed, costs=costs, on_progress=tell
        )
    return Examined(compared, edges, stops, tuple(refused), panel, hindsight(session, panel))


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
