"""Doubts in words, and where the report says them."""

from __future__ import annotations

import pandas as pd
import pytest
from lxml import html

from quantlib.grades import GRADES, Flag, Grade
from quantlib.reports.doubts import caution, doubt_sentences
from quantlib.reports.render import render_html
from quantlib.reports.types import Report


def flag(day: str, symbol: str, grade: Grade, reason: str = "Why.") -> Flag:
    return Flag(pd.Timestamp(day), symbol, grade, reason)


def test_the_worst_and_newest_come_first_and_one_a_symbol_and_grade() -> None:
    flags = [
        flag("2020-01-02", "KO", "late", "No bar"),
        flag("2020-01-03", "KO", "suspect", "Old."),
        flag("2020-03-04", "KO", "suspect", "New."),
        flag("2021-01-04", "PEP", "suspect", "Newer."),
        flag("2022-01-04", "PEP", "disagree", "Other."),
    ]
    assert doubt_sentences([*flags, *flags]) == (
        "PEP is suspect on 2021-01-04: Newer.",
        "KO is suspect on 2 days, last on 2020-03-04: New.",
        "PEP is disagree on 2022-01-04: Other.",
        "KO is late on 2020-01-02: No bar.",
    )


def test_what_is_left_out_is_counted() -> None:
    flags = [flag("2020-01-02", f"S{i}", "late") for i in range(8)]
    sentences = doubt_sentences(flags)
    assert len(sentences) == 6
    assert sentences[-1] == "And 3 more; the Data page has them all."
    assert len(doubt_sentences(flags[:5])) == 5
    assert doubt_sentences([]) == ()


@pytest.mark.parametrize("grade", GRADES)
def test_only_grades_that_doubt_the_number_call_for_caution(grade: Grade) -> None:
    assert bool(caution(grade)) == (grade in {"disagree", "suspect"})


def test_the_report_says_the_grade_under_its_prices(report: Report) -> None:
    doubted = report.model_copy(update={"data_grade": "suspect", "data_doubts": ("KO is suspect: <b>.",)})
    head = html.document_fromstring(render_html(doubted)).xpath("//header")[0]
    text = " ".join(head.text_content().split())
    assert "graded suspect" in text
    assert "Prices graded suspect. KO is suspect: <b>." in text
    assert "graded" not in html.document_fromstring(render_html(report)).xpath("//header")[0].text_content()
    assert Report.model_validate_json(doubted.model_dump_json()) == doubted
