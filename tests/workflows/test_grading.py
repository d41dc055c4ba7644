"""Grades of simulators: the card's own, computed once for the same simulator, prices, code and seed."""

from __future__ import annotations

from typing import Any

import pytest

from quantlib.errors import DataError
from quantlib.simulators import GBM
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import RealismGrade
from quantlib.types import Panel
from quantlib.workflows import grading
from quantlib.workflows.grading import CARD_WORLDS, grade_of
from quantlib.workflows.session import Session

Calls = list[tuple[str, int]]


@pytest.fixture
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO"]).tail(400)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Return what cards are made of from now on; they are not, so that counting is quick."""
    made: Calls = []

    class Card:
        short = RealismGrade("B", "tails too thin", "judged by two worlds")

    def card(simulator: GBM, panel: Panel, *, n: int, seed: int, on_progress: object) -> Card:
        made.append((f"{simulator.window} {panel.snapshot_id}", seed))
        return Card()

    monkeypatch.setattr(grading, "realism", card)
    return made


def test_it_is_the_grade_of_the_card(here: Session, panel: Panel) -> None:
    card = realism(GBM(), panel, n=CARD_WORLDS, seed=here.settings.seed)
    said: list[tuple[int, int]] = []
    grade = grade_of(here, GBM(), panel, on_progress=lambda done, total: said.append((done, total)))
    assert grade.letter == card.grade
    assert grade.letter in "BCDEF"
    assert grade.sentence == card.sentence.split("; never saw")[0] + (
        f" (judged by 200 worlds of the 399 sessions up to {panel.index[-1]:%Y-%m-%d})"
    )
    assert said[-1] == (CARD_WORLDS, CARD_WORLDS)


def test_it_is_computed_once_for_the_same_and_again_for_what_differs(
    here: Session, panel: Panel, cards: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = grade_of(here, GBM(), panel)
    said: list[tuple[int, int]] = []
    assert grade_of(here, GBM(), panel, on_progress=lambda done, total: said.append((done, total))) == first
    assert said == [(CARD_WORLDS, CARD_WORLDS)]
    assert len(cards) == 1

    grade_of(here, GBM(window=300), panel)
    grade_of(here, GBM(), panel.tail(399))
    other = Session(here.settings.model_copy(update={"seed": 8}), here.store)
    grade_of(other, GBM(), panel)
    monkeypatch.setattr(grading, "code_version", lambda: "another")
    grade_of(here, GBM(), panel)
    assert len(cards) == 5
    assert len(set(cards)) == 4, "the last differs by the code alone"


def test_what_cannot_be_judged_is_unknown_with_the_reason_and_not_tried_again(
    here: Session, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade = grade_of(here, GBM(), panel.tail(100))
    assert grade.letter == "unknown"
    assert grade.sentence.startswith("Grade unknown: A realism card needs 250 returns; this panel has 99")
    assert not grade.sentence.endswith(".")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it was judged again")

    monkeypatch.setattr(grading, "realism", never)
    assert grade_of(here, GBM(), panel.tail(100)) == grade


def test_what_is_no_fault_of_the_prices_is_raised(here: Session, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(grading, "realism", broken)
    with pytest.raises(ZeroDivisionError):
        grade_of(here, GBM(), panel)

    def refused(*_: Any, **__: Any) -> None:
        raise DataError("No.")

    monkeypatch.setattr(grading, "realism", refused)
    assert grade_of(here, GBM(), panel) == RealismGrade("unknown", "No.")
