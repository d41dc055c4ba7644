"""Grades of simulators in the store: read back as they were, the first one given stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from quantlib.store import RealismRecord, Store, read_realism, save_realism, watermark

GRADE = RealismRecord(
    "realism-1",
    "gbm",
    {"window": None, "drift": "history"},
    "5f2c",
    "0.1.0",
    {"seed": 7, "worlds": 200},
    "F",
    "tails too thin",
    "200 worlds",
)


def test_a_grade_is_read_as_it_was_and_the_first_one_stays(store: Store) -> None:
    assert read_realism(store, GRADE.id) is None
    save_realism(store, GRADE)
    assert read_realism(store, GRADE.id) == GRADE
    save_realism(store, replace(GRADE, grade="A"))
    assert read_realism(store, GRADE.id) == GRADE
    assert read_realism(store, "realism-2") is None


def test_only_letters_and_unknown_are_grades(store: Store) -> None:
    save_realism(store, replace(GRADE, grade="unknown", judged=""))
    with pytest.raises(sa.exc.IntegrityError, match="grade_check"):
        save_realism(store, replace(GRADE, id="realism-3", grade="G"))


def test_pages_keep_what_they_have_when_a_grade_is_remembered(store: Store) -> None:
    before = watermark(store)
    save_realism(store, GRADE)
    assert watermark(store) == before
