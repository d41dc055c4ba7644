"""A strategy in worlds on stored prices: simulators beside each other, no edge, and stops."""

from __future__ import annotations

import pytest

from quantlib.backtest import evaluate_in_worlds
from quantlib.errors import DataError
from quantlib.simulators import GBM
from quantlib.simulators.copula import TCopula
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import RealismGrade
from quantlib.strategies import Group
from quantlib.workflows.examining import Examined, examine, realism_of
from quantlib.workflows.grading import CARD_WORLDS
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
    assert said[-1] == (600, 600), "five times forty worlds, and two cards of two hundred"
    assert [k for k, _ in said] == sorted(k for k, _ in said)


def test_an_unknown_simulator_is_named(lab: Session) -> None:
    with pytest.raises(DataError, match=r"There is no simulator 'gmb'\. Did you mean gbm\?"):
        examine(lab, HELD, ["gmb"])


def test_a_card_says_what_is_wrong_with_brownian_worlds(lab: Session) -> None:
    card = realism_of(lab, ("KO",), GBM())
    assert card.symbols == ("KO",)
    assert card.grade != "A"
    assert "tail" in card.sentence


def test_every_answer_stands_beside_the_grade_of_its_worlds(lab: Session) -> None:
    done = examine(lab, HELD, ["stationary_bootstrap", "ornstein_uhlenbeck", "gbm"], worlds=20, horizon=21)
    card = realism(GBM(), shared_panel(lab, HELD.inputs), n=CARD_WORLDS, seed=lab.settings.seed)
    assert done.grades[GBM.title] == card.short
    table = done.table
    assert list(table["grade"]) == [done.grades[title].letter for title in done.comparison.results]
    assert table.loc[GBM.title, "grade"] == card.grade
    assert "tails too thin" in str(table.loc[GBM.title, "why"])
    assert table["mean"].tolist() == done.comparison.table["mean"].tolist()
    assert done.realism.startswith("How real these worlds are: grade A for Stationary bootstrap; ")
    assert f"grade {card.grade} for Geometric Brownian motion" in done.realism


def test_where_nothing_can_be_earned_independent_returns_come_first(lab: Session) -> None:
    done = examine(lab, HELD, ["stationary_bootstrap", "t_copula", "gbm"], worlds=20, horizon=21)
    assert next(iter(done.comparison.results)) == "Stationary bootstrap", "answers stay in the order asked"
    assert list(done.edges) == [GBM.title, TCopula.title, "Stationary bootstrap"]
    alone = examine(lab, HELD, ["gbm"], worlds=20, horizon=21)
    assert done.edges[GBM.title].net.returns == pytest.approx(alone.edges[GBM.title].net.returns)


def test_worlds_that_cannot_be_judged_are_said_to_be_so() -> None:
    unknown, plain = RealismGrade("unknown", "Too short."), RealismGrade("C", "tails too thin")

    def said(**grades: RealismGrade) -> str:
        return Examined(None, grades, {}, None, (), None, "").realism  # type: ignore[arg-type]  only grades are read

    assert said(One=unknown) == "How real these worlds are: grade unknown for One."
    assert said(One=unknown, Two=plain) == "How real these worlds are: grade C for Two; grade unknown for One."
    assert said(One=plain, Two=plain) == "How real these worlds are: grade C for One, Two."
