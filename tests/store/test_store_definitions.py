"""Definitions under a name: numbered versions, none lost, whoever saves at once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from database import Database

from quantlib.errors import DataError
from quantlib.store import (
    RunRecord,
    Store,
    StrategyRecord,
    delete_definition,
    read_definition_versions,
    read_runs,
    read_strategies,
    rename_definition,
    save_runs,
    save_strategies,
    save_version,
    watermark,
)

FIRST = StrategyRecord("pair-1", "pair", "Pair", {"y": "KO", "exit": 0.5, "legs": ("a", "b")})
SECOND = StrategyRecord("pair-2", "pair", "Pair", {"y": "KO", "exit": 0.3, "legs": ("a", "b")})

WRITER = """
import sys
from pathlib import Path
from quantlib.store import Store, StrategyRecord, save_version
url, home, who = sys.argv[1] or None, Path(sys.argv[2]), sys.argv[3]
with Store.connect(url, home) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(15):
        save_version(store, "shared", StrategyRecord(f"{who}-{i}", "pair", "Pair", {"i": i}), note=who)
        save_version(store, "same", StrategyRecord("same-1", "pair", "Pair", {}))
"""


def numbers(store: Store, name: str | None = None) -> list[tuple[str, int, str]]:
    return [(v.name, v.version, v.strategy_id) for v in read_definition_versions(store, name)]


def test_a_change_is_a_version_and_the_same_again_is_none(store: Store) -> None:
    first = save_version(store, "Cola", FIRST, note="as published", why="They share their fortunes.")
    assert (first.name, first.version, first.family, first.note) == ("Cola", 1, "pair", "as published")
    assert first.params == {"y": "KO", "exit": 0.5, "legs": ["a", "b"]}
    assert save_version(store, "Cola", FIRST) == first
    second = save_version(store, "Cola", SECOND, reference="Author (2020)")
    assert (second.version, second.note, second.why, second.reference) == (
        2,
        "",
        "They share their fortunes.",
        "Author (2020)",
    )
    assert second.saved_at > first.saved_at
    third = save_version(store, "Cola", FIRST)
    assert third.version == 3, "back to what it was is a change as well"
    assert read_definition_versions(store, "Cola") == [first, second, third]
    save_version(store, "Another", SECOND)
    assert numbers(store) == [
        ("Another", 1, "pair-2"),
        ("Cola", 1, "pair-1"),
        ("Cola", 2, "pair-2"),
        ("Cola", 3, "pair-1"),
    ]


def test_words_of_the_newest_version_can_be_put_right(store: Store) -> None:
    first = save_version(store, "Cola", FIRST, note="tpyo", why="Because.")
    again = save_version(store, "Cola", FIRST, note="typo")
    assert again == replace(first, note="typo")
    assert save_version(store, "Cola", FIRST, why="") == replace(again, why="")


def test_a_definition_that_is_known_keeps_its_title(store: Store) -> None:
    save_strategies(store, [replace(FIRST, title="As it was run")])
    save_version(store, "Cola", FIRST)
    assert [record.title for record in read_strategies(store)] == ["As it was run"]


def test_a_deleted_name_is_out_of_use_and_nothing_is_lost(store: Store) -> None:
    for record in (FIRST, SECOND):
        save_version(store, "Cola", record)
    save_runs(store, [RunRecord("r1", "backtest", date(2022, 12, 28), "5f", "0.1", "pair-1")])
    delete_definition(store, "Cola")
    assert numbers(store) == []
    assert len(read_strategies(store)) == 2
    assert read_runs(store)[0].strategy_id == "pair-1"
    with pytest.raises(DataError, match="No definition is kept under the name 'Cola'"):
        delete_definition(store, "Cola")
    save_version(store, "Cola", SECOND)
    assert numbers(store, "Cola") == [("Cola", 1, "pair-1"), ("Cola", 2, "pair-2")]


def test_a_version_cannot_be_taken_from_under_its_runs(store: Store) -> None:
    save_version(store, "Cola", FIRST)
    with pytest.raises(sa.exc.IntegrityError), store.begin() as connection:
        connection.execute(sa.text("DELETE FROM strategies.definitions"))


def test_a_name_moves_with_all_its_versions(store: Store) -> None:
    for record in (FIRST, SECOND):
        save_version(store, "Cola", record)
    save_version(store, "Kept", FIRST)
    rename_definition(store, "Cola", "Soda")
    assert numbers(store, "Soda") == [("Soda", 1, "pair-1"), ("Soda", 2, "pair-2")]
    with pytest.raises(DataError, match="Did you mean Soda"):
        read_definition_versions(store, "Sodda")
    with pytest.raises(DataError, match="'Kept' is taken by 1 version"):
        rename_definition(store, "Soda", "Kept")
    delete_definition(store, "Kept")
    with pytest.raises(DataError, match="'Kept' is taken"):
        rename_definition(store, "Soda", "Kept")
    with pytest.raises(DataError, match="No definition is kept under the name 'Cola'"):
        rename_definition(store, "Cola", "Free")


def test_pages_are_told_of_every_change(store: Store) -> None:
    marks = [watermark(store)]
    for change in (
        lambda: save_version(store, "Cola", FIRST),
        lambda: save_version(store, "Cola", SECOND),
        lambda: save_version(store, "Cola", SECOND, note="a word"),
        lambda: rename_definition(store, "Cola", "Soda"),
        lambda: delete_definition(store, "Soda"),
    ):
        change()
        marks.append(watermark(store))
    assert len(set(marks)) == len(marks)
    save_version(store, "Other", FIRST)
    mark = watermark(store)
    save_version(store, "Other", FIRST)
    assert watermark(store) == mark, "it stays where nothing has changed"


def test_two_processes_that_save_at_once_lose_nothing(store: Store, database: Database) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, database.url or "", str(database.home), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ended = [writer.communicate() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ended
    found = read_definition_versions(store, "shared")
    assert [v.version for v in found] == list(range(1, 31))
    assert {v.strategy_id for v in found} == {f"{who}-{i}" for who in ("one", "two") for i in range(15)}
    assert numbers(store, "same") == [("same", 1, "same-1")]
