"""The strip of a page marks prices that are in doubt, and says what is doubtful."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page(grade: str, doubts: tuple[str, ...], hindsight: str = "") -> None:
    """Draw the strip of a report with that grade."""
    from types import SimpleNamespace

    from app.prices import report_strip

    made = SimpleNamespace(universe="1 symbol", data_label="Yahoo Finance, up to 2024-03-08", is_sample=False)
    report = SimpleNamespace(
        as_of="2024-03-08", provenance=made, data_grade=grade, data_doubts=doubts, data_hindsight=hindsight
    )
    report_strip(report)  # type: ignore[arg-type]


@pytest.mark.parametrize("grade", ["late", "disagree", "suspect"])
def test_a_doubtful_grade_is_marked_with_its_doubts(grade: str) -> None:
    app = AppTest.from_function(page, args=(grade, ("KO is worth $5 or $6.",))).run()
    assert not app.exception
    assert f"Graded {grade}" in app.markdown[0].value
    assert f"**Prices graded {grade}.**" in app.warning[0].value
    assert "\\$5 or \\$6" in app.warning[0].value  # two of them would be read as a formula


def test_nothing_is_marked_where_nothing_is_in_doubt() -> None:
    app = AppTest.from_function(page, args=("ok", ())).run()
    assert not app.exception
    assert "Graded" not in app.markdown[0].value
    assert len(app.markdown) == 1
    assert not app.warning


def test_a_choice_made_with_hindsight_is_said_once() -> None:
    words = "KO was chosen from a list drawn up on 2026-11-20, but used from 1990-01-02 on: selection-biased."
    app = AppTest.from_function(page, args=("ok", (), words)).run()
    assert not app.exception
    (said,) = [element.value for element in app.markdown if "Selection-biased" in element.value]
    assert words in said.replace("\\", "")
