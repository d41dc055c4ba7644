"""Tables that keep versions: what is refused, what a write leaves, and what any moment of the past reads."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.models import MODELS
from quantlib.store import Store, WriteCount, check_rows, read_versions, write_versions

ACTIONS = pd.DataFrame(
    [
        ("KO", "yahoo", "2024-03-14", "dividend", 0.485),
        ("KO", "yahoo", "2024-06-14", "dividend", 0.485),
        ("NVDA", "yahoo", "2024-06-10", "split", 10.0),
    ],
    columns=["symbol", "source", "ts", "kind", "value"],
).assign(ts=lambda f: pd.to_datetime(f["ts"]))
MAY, JUNE, JULY, AUGUST = (datetime(2024, month, 1, 12, tzinfo=UTC) for month in (5, 6, 7, 8))


def good(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    accepted, rejected = check_rows(table, frame)
    assert rejected.empty, rejected["reason"].tolist()
    return accepted


def versions(store: Store, table: str) -> list[tuple[Any, ...]]:
    """Return every version with the marks that move when a row is touched."""
    with store.begin() as connection:
        return [tuple(r) for r in connection.execute(sa.text(f"SELECT *, xmin::text FROM {table} ORDER BY 1, 2, 3, 4"))]


def news(*rows: tuple[str, str, str, list[str]], source: str = "wire") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["id", "published_at", "title", "symbols"])
    return good("news", frame.assign(source=source))


# ---- at the door


def test_good_rows_come_back_complete_typed_and_sorted() -> None:
    frame = ACTIONS.iloc[::-1].assign(ts=["2024-06-10", date(2024, 6, 14), pd.Timestamp("2024-03-14")])
    accepted = good("actions", frame)
    pd.testing.assert_frame_equal(accepted, ACTIONS.astype({"ts": "datetime64[us]", "symbol": "str"}))
    release = pd.DataFrame(
        {
            "source": "fred",
            "country": "US",
            "name": "CPI",
            "released_at": [datetime(2024, 1, 11, 14, 30, tzinfo=timezone(timedelta(hours=1))), "2024-02-13 13:30"],
            "actual": [3.4, math.nan],
        }
    )
    accepted = good("releases", release)
    assert tuple(accepted.columns) == MODELS["releases"].columns()
    assert accepted["released_at"].tolist() == [
        pd.Timestamp("2024-01-11 13:30", tz="UTC"),
        pd.Timestamp("2024-02-13 13:30", tz="UTC"),
    ]
    assert accepted["forecast_kind"].tolist() == ["none", "none"]
    np.testing.assert_array_equal(accepted["actual"], [3.4, math.nan])
    assert accepted["forecast"].dtype == "float64"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("symbol", True, "symbol: Input should be a valid string"),
        ("symbol", "", "symbol: String should have at least 1 character"),
        ("symbol", None, "symbol: Field required"),
        ("symbol", math.nan, "symbol: Field required"),
        ("ts", pd.NaT, "ts: Field required"),
        ("ts", "yesterday", "ts: Input should be a valid date"),
        ("ts", pd.Timestamp("2024-03-14 09:30"), "ts: Datetimes provided to dates should have zero time"),
        ("kind", "spin-off", "kind: Input should be 'dividend' or 'split'"),
        ("value", 0.0, "value: Input should be greater than 0"),
        ("value", math.inf, "value: Input should be a finite number"),
        ("value", "a lot", "value: Input should be a valid number"),
        ("value", True, "value: a truth value is no number"),
    ],
)
def test_a_row_that_breaks_a_rule_is_set_aside_as_it_came(column: str, value: object, reason: str) -> None:
    frame = ACTIONS.astype(object).set_axis(["a", "b", "c"])
    frame.loc["b", column] = value
    accepted, rejected = check_rows("actions", frame)
    assert accepted["ts"].dt.strftime("%m-%d").tolist() == ["03-14", "06-10"]
    assert rejected.index.tolist() == ["b"]
    assert rejected["reason"].iloc[0].startswith(reason)
    pd.testing.assert_frame_equal(rejected.drop(columns="reason"), frame.loc[["b"]])


def test_the_second_of_two_is_a_duplicate_or_both_contradict_each_other() -> None:
    twice = pd.concat([ACTIONS, ACTIONS.iloc[[0]], ACTIONS.iloc[[1]].assign(value=0.5)], ignore_index=True)
    accepted, rejected = check_rows("actions", twice)
    assert accepted["symbol"].tolist() == ["KO", "NVDA"]
    assert rejected["reason"].to_dict() == {
        1: "contradicts another row of the same symbol, source, ts, kind",
        3: "duplicate of a row that was kept",
        4: "contradicts another row of the same symbol, source, ts, kind",
    }


def test_wrong_columns_and_tables_are_refused() -> None:
    with pytest.raises(DataError, match="actions lack the column value"):
        check_rows("actions", ACTIONS.drop(columns="value"))
    with pytest.raises(DataError, match=r"a column 'valeu'. Did you mean value\?"):
        check_rows("actions", ACTIONS.assign(valeu=1))
    with pytest.raises(DataError, match=r"no table 'action'. Did you mean actions\?"):
        check_rows("action", ACTIONS)
    accepted, rejected = check_rows("actions", ACTIONS.iloc[:0])
    assert (len(accepted), len(rejected)) == (0, 0)
    assert accepted.dtypes.tolist() == good("actions", ACTIONS).dtypes.tolist()


# ---- writing


def test_a_second_write_touches_no_row(store: Store) -> None:
    assert write_versions(store, "actions", good("actions", ACTIONS), at=MAY) == WriteCount(new=3)
    before = versions(store, "market_data.actions")
    assert write_versions(store, "actions", good("actions", ACTIONS)) == WriteCount(unchanged=3)
    assert versions(store, "market_data.actions") == before


def test_a_change_closes_the_old_version_and_opens_the_new_one_at_one_moment(store: Store) -> None:
    write_versions(store, "actions", good("actions", ACTIONS), at=MAY)
    before = versions(store, "market_data.actions")
    changed = ACTIONS.iloc[:2].assign(value=[0.485, 0.51])
    assert write_versions(store, "actions", good("actions", changed), at=JUNE) == WriteCount(changed=1, unchanged=1)
    after = versions(store, "market_data.actions")
    assert [row for row in after if row in before] == [before[0], before[2]]
    assert {row[4:7] for row in after if row not in before} == {(0.485, MAY, JUNE), (0.51, JUNE, None)}


def test_every_type_of_column_comes_back(store: Store) -> None:
    rows = news(("1", "2024-05-01 10:00", "Cut", ["KO", "PEP"]), ("2", "2024-05-02", "None", []))
    write_versions(store, "news", rows)
    read = read_versions(store, "news")
    pd.testing.assert_frame_equal(read, rows)
    assert read_versions(store, "news", where={"symbols": "PEP"})["id"].tolist() == ["1"]
    assert read_versions(store, "news", where={"symbols": ["KO", "MSFT"]})["id"].tolist() == ["1"]
    assert write_versions(store, "news", rows) == WriteCount(unchanged=2)
    fewer = news(("1", "2024-05-01 10:00", "Cut", ["KO"]))
    assert write_versions(store, "news", fewer) == WriteCount(changed=1)
    measures = pd.DataFrame({"symbol": ["BTC-USD"], "source": "coingecko", "ts": "2024-05-01", "measure": "market_cap"})
    write_versions(store, "measures", good("measures", measures.assign(value=1.2e12)))
    assert read_versions(store, "measures")["value"].tolist() == [1.2e12]


def test_a_complete_delivery_withdraws_what_it_lacks_and_nothing_else(store: Store) -> None:
    write_versions(store, "actions", good("actions", ACTIONS), at=MAY)
    scope = {"symbol": "KO", "source": "yahoo"}
    only = good("actions", ACTIONS.iloc[[0]])
    april = ("2024-04-01", "2024-04-30")
    assert write_versions(store, "actions", only, at=JUNE, complete=scope, span=april) == WriteCount(unchanged=1)
    assert write_versions(store, "actions", only, at=JUNE, complete={"symbol": "K", "source": "yahoo"}).changed == 0
    june = ("2024-06-14", "2024-06-14")
    assert write_versions(store, "actions", only, at=JUNE, complete=scope, span=june) == WriteCount(0, 1, 1)
    assert read_versions(store, "actions")["symbol"].tolist() == ["KO", "NVDA"]
    # It comes again: a version of its own, with a gap in which it was not known.
    assert write_versions(store, "actions", good("actions", ACTIONS), at=JULY) == WriteCount(new=1, unchanged=2)
    assert [len(read_versions(store, "actions", as_of=at)) for at in (MAY, JUNE, JULY)] == [3, 2, 3]
    nothing = good("actions", ACTIONS.iloc[:0])
    assert write_versions(store, "actions", nothing, at=AUGUST) == WriteCount()
    assert write_versions(store, "actions", nothing, at=AUGUST, complete=scope) == WriteCount(changed=2)
    assert read_versions(store, "actions")["symbol"].tolist() == ["NVDA"]


def test_what_cannot_be_written_is_refused_whole(store: Store) -> None:
    rows = good("actions", ACTIONS)
    with pytest.raises(DataError, match="Pass what check_rows returned"):
        write_versions(store, "actions", rows[["symbol", "value", "ts", "kind", "source"]])
    with pytest.raises(DataError, match="Pass them through check_rows"):
        write_versions(store, "actions", rows.assign(value=[1.0, 2.0, -3.0]))
    with pytest.raises(DataError, match="keeps no versions"):
        write_versions(store, "bars", rows)
    with pytest.raises(DataError, match="names no column"):
        write_versions(store, "actions", rows, complete={})
    with pytest.raises(DataError, match=r"no column 'symbl'. Did you mean symbol\?"):
        write_versions(store, "actions", rows, complete={"symbl": "KO"})
    with pytest.raises(DataError, match="without `complete`"):
        write_versions(store, "actions", rows, span=("2024-01-01", None))
    with pytest.raises(DataError, match="no zone"):
        write_versions(store, "actions", rows, at=datetime(2024, 1, 1))  # noqa: DTZ001  that is the point
    assert versions(store, "market_data.actions") == []
    write_versions(store, "actions", rows, at=JUNE)
    for earlier in (MAY, JUNE):
        with pytest.raises(DataError, match="write later than what is stored"):
            write_versions(store, "actions", rows.assign(value=7.0), at=earlier)
    assert read_versions(store, "actions")["value"].tolist() == rows["value"].tolist()


def test_writers_of_the_same_rows_take_turns(store: Store) -> None:
    gate = threading.Barrier(6)

    def write(value: float) -> WriteCount:
        gate.wait()
        return write_versions(store, "actions", good("actions", ACTIONS.assign(value=value)))

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(write, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    assert sorted(counts) == [WriteCount(changed=3)] * 5 + [WriteCount(new=3)]
    assert len(set(read_versions(store, "actions")["value"])) == 1, "versions are mixed"
    rows = versions(store, "market_data.actions")
    ends, begins = sorted({r[6] for r in rows if r[6]}), sorted({r[5] for r in rows})
    assert begins[1:] == ends, "each version took over from the one before without gap or overlap"


# ---- reading


def test_rows_are_found_by_column_and_span(store: Store) -> None:
    write_versions(store, "actions", good("actions", ACTIONS))
    read = read_versions(store, "actions", where={"symbol": ["KO", "NVDA"], "kind": "dividend"}, end="2024-03-14")
    assert read["ts"].tolist() == [pd.Timestamp("2024-03-14")]
    assert len(read_versions(store, "actions", start="2024-06-10")) == 2
    assert read_versions(store, "actions", where={"symbol": "'; DROP TABLE market_data.actions; --"}).empty
    write_versions(
        store, "news", news(("1", "2024-05-01 23:59:59.999999", "Late", []), ("2", "2024-05-02", "Next", []))
    )
    assert read_versions(store, "news", start="2024-05-01", end="2024-05-01")["id"].tolist() == ["1"]
    with pytest.raises(DataError, match=r"no column 'valeu'. Did you mean value\?"):
        read_versions(store, "actions", where={"valeu": 1})
    with pytest.raises(DataError, match="has a time of day but no zone: 2024-05-01 10:00:00"):
        read_versions(store, "actions", as_of=pd.Timestamp("2024-05-01 10:00"))


def test_while_a_series_is_recorded_a_moment_reads_what_was_stored_then(store: Store) -> None:
    write_versions(store, "actions", good("actions", ACTIONS.iloc[[0]]), at=MAY)
    write_versions(store, "actions", good("actions", ACTIONS.iloc[[0]].assign(value=0.49)), at=JUNE)
    write_versions(store, "actions", good("actions", ACTIONS.iloc[[1]].assign(ts="2024-02-01")), at=JULY)  # late
    for moment, expected in (
        (MAY - timedelta(microseconds=1), [0.485]),  # not yet recorded: as it stood at the first record
        (MAY, [0.485]),
        (JUNE - timedelta(microseconds=1), [0.485]),
        (JUNE, [0.49]),
        (pd.Timestamp("2024-06-01 14:00", tz="Europe/Berlin"), [0.49]),
        ("2024-06-01T13:59:59+02:00", [0.485]),
        ("2024-05-31", [0.485]),
        ("2024-06-01", [0.49]),
        ("2024-06-30", [0.49]),
        ("2024-07-01", [0.485, 0.49]),
    ):
        assert read_versions(store, "actions", as_of=moment)["value"].tolist() == expected, moment
    # Of days before the first load begins, what was loaded later is found.
    assert read_versions(store, "actions", as_of="2024-03-13")["ts"].tolist() == [pd.Timestamp("2024-02-01")]
    assert read_versions(store, "actions", as_of="2024-01-31").empty


def test_before_it_was_recorded_what_was_public_counts(store: Store) -> None:
    rows = [("1", "2024-03-01 09:00", "Old", []), ("2", "2024-04-01 09:00", "Newer", [])]
    write_versions(store, "news", news(*rows), at=MAY)
    write_versions(store, "news", news(("1", "2024-03-01 09:00", "Corrected", [])), at=JUNE)
    write_versions(store, "news", news(("9", "2024-02-01", "Of another wire", []), source="other"), at=AUGUST)
    assert read_versions(store, "news", as_of="2024-03-31")["title"].tolist() == ["Of another wire", "Old"]
    nine = pd.Timestamp("2024-04-01 09:00", tz="UTC")
    assert read_versions(store, "news", where={"source": "wire"}, as_of=nine)["id"].tolist() == ["1", "2"]
    earlier = nine - pd.Timedelta(microseconds=1)
    assert read_versions(store, "news", where={"source": "wire"}, as_of=earlier)["id"].tolist() == ["1"]
    # Its past comes into view with the first row of a series; the other one's is as it was.
    assert read_versions(store, "news", as_of="2024-06-30")["title"].tolist() == [
        "Of another wire",
        "Corrected",
        "Newer",
    ]


def test_nothing_written_later_changes_what_a_recorded_moment_reads(store: Store) -> None:
    """Random deliveries, withdrawals included; every moment reads afterwards as it did right then."""
    rng = np.random.default_rng(3)
    at, seen = MAY, []
    days = pd.bdate_range("2024-04-01", periods=6)
    for _ in range(12):
        picks = [day for day in days if rng.random() < 0.6]
        frame = pd.DataFrame({"ts": picks, "value": rng.integers(1, 4, len(picks)).astype(float)})
        frame = good("actions", frame.assign(symbol="KO", source="yahoo", kind="dividend"))
        scope = {"symbol": "KO", "source": "yahoo"} if rng.random() < 0.5 else None
        write_versions(store, "actions", frame, at=at, complete=scope)
        seen.append((at, read_versions(store, "actions")))
        at += timedelta(hours=int(rng.integers(1, 48)))
    for moment, then in seen:
        if len(seen[0][1]):
            pd.testing.assert_frame_equal(read_versions(store, "actions", as_of=moment), then)
            later = moment + timedelta(minutes=59)
            pd.testing.assert_frame_equal(read_versions(store, "actions", as_of=later), then)


def test_nothing_written_later_changes_a_moment_before_the_series_was_recorded(store: Store) -> None:
    """Changes, late rows, withdrawals and returns; each day of which something was recorded reads as it first did."""
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2024-04-01", periods=8)
    seen: dict[pd.Timestamp, pd.DataFrame] = {}
    for n in range(12):
        picks = [day for day in days if rng.random() < 0.4]
        frame = pd.DataFrame({"ts": picks, "value": rng.integers(1, 4, len(picks)).astype(float)})
        frame = good("actions", frame.assign(symbol="KO", source="yahoo", kind="dividend"))
        scope = {"symbol": "KO", "source": "yahoo"} if rng.random() < 0.5 else None
        write_versions(store, "actions", frame, at=MAY + timedelta(hours=n), complete=scope)
        for day in days:
            read = read_versions(store, "actions", as_of=day)
            pd.testing.assert_frame_equal(read, seen.get(day, read))
            if len(read):
                seen[day] = read
    assert set(seen) == set(days), "the days lie before and after what was loaded first"


def test_an_end_that_lay_ahead_is_not_known_before_the_series_was_recorded(store: Store) -> None:
    left = {"list": "dow", "symbol": "INTC", "member_from": "1999-11-01", "member_to": "2024-11-08", "basis": "history"}
    write_versions(store, "membership", good("membership", pd.DataFrame([left])), at=MAY)

    def end(as_of: object, **where: object) -> list[str]:
        rows = read_versions(store, "membership", where=where, as_of=as_of)  # type: ignore[arg-type]
        return rows["member_to"].dt.strftime("%Y-%m-%d").fillna("").tolist()

    assert end("2024-04-30") == [""]
    assert end("2024-04-30", list="dow", member_to="2024-11-08") == [], "nor can it be found by it"
    assert end("1999-10-31") == []
    # From its record on, a leave announced ahead is read as it was written; and a past end is an end.
    assert end(MAY) == end(None) == ["2024-11-08"]
    past = {**left, "symbol": "KODK", "member_to": "2004-04-08"}
    write_versions(store, "membership", good("membership", pd.DataFrame([{**past, "list": "old"}])), at=MAY)
    assert [end(day, list="old") for day in ("2004-04-07", "2004-04-08")] == [[""], ["2004-04-08"]]
    assert end("2004-04-08T12:00Z", list="old") == [""], "the day is not over"
