"""Membership: spells that follow from the drawings of a list, beside a record of changes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.store import (
    Store,
    UniverseList,
    check_rows,
    read_members,
    read_versions,
    write_universe,
    write_versions,
)

SPRING, SUMMER, AUTUMN = date(2026, 3, 1), date(2026, 6, 1), date(2026, 9, 1)


def draw(store: Store, day: date, *symbols: str, name: str = "q") -> None:
    write_universe(store, [UniverseList(name, "Quantum", day, symbols)])


def spells(store: Store, name: str = "q", **how: object) -> list[tuple[str, str, str | None, str]]:
    members = read_members(store, name, **how)  # type: ignore[arg-type]
    return [
        (m.symbol, f"{m.member_from:%m}", None if pd.isna(m.member_to) else f"{m.member_to:%m}", m.basis)
        for m in members.itertuples()
    ]


def test_a_symbol_is_a_member_from_its_first_drawing_to_the_first_without_it(store: Store) -> None:
    draw(store, SPRING, "IONQ", "RGTI")
    assert spells(store) == [("IONQ", "03", None, "drawn_up"), ("RGTI", "03", None, "drawn_up")]
    draw(store, AUTUMN, "IONQ", "QBTS")
    draw(store, AUTUMN, "IONQ", "QBTS", name="other")
    after = [
        ("IONQ", "03", None, "drawn_up"),
        ("QBTS", "09", None, "drawn_up"),
        ("RGTI", "03", "09", "drawn_up"),
    ]
    assert spells(store) == after
    draw(store, AUTUMN, "IONQ", "QBTS")
    assert spells(store) == after
    assert read_members(store, "q", on="2026-08-31")["symbol"].tolist() == ["IONQ", "RGTI"]
    assert read_members(store, "q", on=AUTUMN)["symbol"].tolist() == ["IONQ", "QBTS"]
    assert read_members(store, "q", on="2026-02-28").empty
    # One drawn up between, and written after both.
    draw(store, SUMMER, "QBTS", "RGTI")
    assert spells(store) == [
        ("IONQ", "03", "06", "drawn_up"),
        ("IONQ", "09", None, "drawn_up"),
        ("QBTS", "06", None, "drawn_up"),
        ("RGTI", "03", "09", "drawn_up"),
    ]


def test_a_record_of_changes_stands_where_there_is_one(store: Store) -> None:
    rows = pd.DataFrame(
        {
            "list": "q",
            "symbol": ["IONQ", "RGTI"],
            "member_from": ["2025-01-01", "2025-01-01"],
            "member_to": [None, "2026-02-01"],
            "basis": "history",
        }
    )
    write_versions(store, "membership", check_rows("membership", rows)[0])
    draw(store, SPRING, "IONQ", "RGTI")
    assert spells(store) == [
        ("IONQ", "01", None, "history"),
        ("RGTI", "01", "02", "history"),
        ("RGTI", "03", None, "drawn_up"),
    ]


def test_what_was_known_of_a_list_stays_what_was_known(store: Store) -> None:
    rows = pd.DataFrame({"list": "q", "symbol": ["IONQ"], "member_from": "2025-01-01", "basis": "history"})
    good = check_rows("membership", rows)[0]
    write_versions(store, "membership", good, at=datetime(2026, 3, 1, tzinfo=UTC))
    left = check_rows("membership", rows.assign(member_to="2026-02-01"))[0]
    write_versions(store, "membership", left, at=datetime(2026, 6, 1, tzinfo=UTC))
    assert spells(store, as_of="2026-05-31") == [("IONQ", "01", None, "history")]
    assert spells(store, as_of="2026-06-01") == [("IONQ", "01", "02", "history")]
    assert spells(store, as_of="2025-06-01") == [("IONQ", "01", None, "history")], "put together from the first record"
    assert spells(store, as_of="2024-12-31") == []
    with pytest.raises(DataError, match=r"No list 'p' is stored. Did you mean q\?|No list 'p' is stored. Accepted: q"):
        read_members(store, "p")
    assert len(read_versions(store, "membership")) == 1
