"""A strategy in worlds on stored prices: simulators beside each other, no edge, and stops."""

from __future__ import annotations

import pytest

from quantlib.backtest import evaluate_in_worlds
from quantlib.errors import DataError
from quantlib.simulators import GBM
from quantlib.strategies import Group
from quantlib.workflows.examining import examine, realism_of
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

HELD = Group(kind="basket", legs=("KO", "MSFT"), timing={"kind": "hold"}, stops={"trailing": 0.1, "reentry": 5})


def test_a_strategy_is_asked_the_same_in_every_kind_of_world(lab: Session) -> None:
    said: list[tuple[int, int]] = []
    done = examine(
        lab, HELD, ["gbm", "stationary_bootstrap"], worlds=40, horizon=63, seed=3,
        on_progress=lambda k, of: said.append((k, of)),
    )  # fmt: skip
    assert list(done.comparison.results) == ["Geometric Brownian motion", "Stationary bootstrap"]
    alone = evaluate_in_worlds(
        HELD, GBM(), shared_panel(lab, HELD.inputs), n=40, horizon=63, seed=3, costs=usual_costs(lab, HELD.inputs)
    )
    assert done.comparison.results["Geometric Brownian motion"].returns == pytest.approx(alone.returns)
    assert set(done.edges) == set(done.comparison.results)
    assert all(edge.without_drift for edge in done.edges.values())
    assert done.stops is not None
    assert done.stops.kept.returns == pytest.approx(alone.returns)
    assert done.refused == ()
    assert said[-1] == (200, 200)
    assert [k for k, _ in said] == sorted(k for k, _ in said)


def test_an_unknown_simulator_is_named(lab: Session) -> None:
    with pytest.raises(DataError, match=r"There is no simulator 'gmb'\. Did you mean gbm\?"):
        examine(lab, HELD, ["gmb"])


def test_a_card_says_what_is_wrong_with_brownian_worlds(lab: Session) -> None:
    card = realism_of(lab, ("KO",), GBM())
    assert card.symbols == ("KO",)
    assert card.grade != "A"
    assert "tail" in card.sentence
