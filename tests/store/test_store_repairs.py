"""Grades and repairs: what checks say is replaced by what they say next, and nothing is repaired unasked."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import adbc_driver_manager
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store import (
    BARS,
    Store,
    WriteCount,
    check_bars,
    decide_repair,
    propose_repairs,
    read_grades,
    read_panel,
    read_repairs,
    save_grades,
    take_turn,
    with_repairs,
    write_bars,
)

DAY = pd.Timestamp("2024-01-03")
KEY = ("KO", "yahoo", DAY, "hundredfold")


def findings(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "ts", "check_name", "grade", "reason"])
    return frame.assign(source="yahoo", ts=pd.to_datetime(frame["ts"]))


FOUND = findings(
    ("KO", "2024-01-03", "hundredfold", "suspect", "5993 after 59.82"),
    ("KO", "2024-01-05", "gaps", "late", "no bar"),
    ("PEP", "2024-01-04", "gaps", "late", "no bar"),
)
SCOPE = {"source": "yahoo", "symbols": ["KO", "PEP"], "checks": ["hundredfold", "gaps"]}


def test_grades_are_those_the_checks_gave_last(store: Store) -> None:
    assert save_grades(store, FOUND, **SCOPE) == WriteCount(new=3)
    first = read_grades(store)
    assert save_grades(store, FOUND, **SCOPE) == WriteCount(unchanged=3)
    pd.testing.assert_frame_equal(read_grades(store), first)
    changed = FOUND.iloc[[0, 1]].assign(reason=["5993 after 59.82", "no bar, and none expected"])
    assert save_grades(store, changed, **SCOPE) == WriteCount(changed=2, unchanged=1)
    second = read_grades(store)
    assert second["reason"].tolist() == ["5993 after 59.82", "no bar, and none expected"]
    assert second["found_at"].tolist() == first["found_at"].tolist()[:2], "when it was found first"
    # Only what was checked is replaced: one check of one symbol says nothing about the rest.
    one = {"source": "yahoo", "symbols": ["KO"], "checks": ["hundredfold"]}
    assert save_grades(store, FOUND.iloc[:0], **one) == WriteCount(changed=1)
    assert read_grades(store)["check_name"].tolist() == ["gaps"]


def test_grades_are_found_by_symbol_source_and_span(store: Store) -> None:
    save_grades(store, FOUND, **SCOPE)
    save_grades(store, FOUND.assign(source="other"), **(SCOPE | {"source": "other"}))
    assert len(read_grades(store)) == 6
    assert len(read_grades(store, source="other")) == 3
    assert read_grades(store, symbols=["PEP"])["source"].tolist() == ["other", "yahoo"]
    assert read_grades(store, source="yahoo", start="2024-01-04", end="2024-01-04")["symbol"].tolist() == ["PEP"]
    assert read_grades(store, symbols=[]).empty


def test_findings_that_are_not_valid_or_beside_the_point_are_refused(store: Store) -> None:
    for wrong, words in (
        (FOUND.assign(grade="ok"), "A finding of hundredfold about KO is not valid: grade"),
        (FOUND.assign(symbol="MSFT"), "about MSFT from yahoo by hundredfold, which was not among"),
        (FOUND.assign(source="other"), "about KO from other"),
        (FOUND.assign(check_name="stale"), "by stale"),
    ):
        with pytest.raises(DataError, match=words):
            save_grades(store, wrong, **SCOPE)
    assert read_grades(store).empty


@pytest.fixture
def faulty(store: Store, bars: pd.DataFrame) -> pd.DataFrame:
    """Return bars with one close a hundredfold, stored, graded and with a repair proposed."""
    bars.loc[1, ["high", "close"]] = [6030.0, 5993.0]
    write_bars(store, bars)
    save_grades(store, FOUND, **SCOPE)
    assert propose_repairs(store, proposal()) == WriteCount(new=1)
    return bars


def proposal(after: float = 59.93, reason: str = "a hundredfold") -> pd.DataFrame:
    before = {"high": 6030.0, "close": 5993.0}
    row = (*KEY, before, {"high": 60.30, "close": after}, reason)
    return pd.DataFrame([row], columns=["symbol", "source", "ts", "check_name", "before", "after", "reason"])


def close(store: Store) -> float:
    return float(read_panel(store, "KO", adjust=False).frame().loc[DAY, "KO"])


def test_a_repair_is_applied_when_asked_and_can_be_undone(store: Store, faulty: pd.DataFrame) -> None:
    assert close(store) == 5993.0, "a proposal changes nothing"
    doubts = read_grades(store, symbols=["KO"])
    decide_repair(store, *KEY, apply=True)
    assert close(store) == 59.93
    assert read_repairs(store)["status"].tolist() == ["applied"]
    marks = read_grades(store, symbols=["KO"]).set_index("check_name")
    assert marks["grade"].to_dict() == {"gaps": "late", "repair:hundredfold": "repaired"}
    assert marks.loc["repair:hundredfold", "reason"] == "high 6030 to 60.3, close 5993 to 59.93: a hundredfold"
    # The checks run again and find nothing: the mark of the repair stays.
    save_grades(store, FOUND.iloc[1:], **SCOPE)
    assert read_panel(store, "KO", end=DAY).grade == "repaired"
    with store.begin() as connection:
        assert connection.scalar(sa.text("SELECT close FROM market_data.bar_revisions")) == 5993.0
    decide_repair(store, *KEY, apply=True)  # again: nothing happens
    decide_repair(store, *KEY, apply=False)
    assert close(store) == 5993.0
    assert read_repairs(store, status="dismissed")["check_name"].tolist() == ["hundredfold"]
    # The doubt is back as it was, with the time it was found first.
    pd.testing.assert_frame_equal(read_grades(store, symbols=["KO"]), doubts)
    assert read_panel(store, "KO", end=DAY).grade == "suspect"
    pd.testing.assert_series_equal(
        read_panel(store, "KO", adjust=False).frame("volume")["KO"].reset_index(drop=True),
        faulty["volume"].iloc[:3],
        check_names=False,
    )


def test_a_fault_that_comes_again_is_repaired_again(store: Store, faulty: pd.DataFrame) -> None:
    assert with_repairs(store, faulty) is faulty
    decide_repair(store, *KEY, apply=True)
    assert write_bars(store, with_repairs(store, faulty)) == WriteCount(unchanged=6)
    assert close(store) == 59.93
    assert faulty.loc[1, "close"] == 5993.0, "the frame given is not changed"
    rounded = faulty.assign(close=faulty["close"] * (1 + 1e-7))
    assert with_repairs(store, rounded).loc[1, "close"] == 59.93, "single precision is no other value"
    # The vendor mends it, in its own way: that is taken as it comes.
    mended = faulty.copy()
    mended.loc[1, ["high", "close"]] = [60.4, 59.95]
    write_bars(store, with_repairs(store, check_bars(mended)[0]))
    assert close(store) == 59.95
    assert read_grades(store, symbols=["KO"])["check_name"].tolist() == ["gaps"], "the mark of the repair is gone"
    ended = read_repairs(store).iloc[0]
    assert ended["status"] == "dismissed"
    assert ended["reason"] == "a hundredfold Dismissed since the source now says high 60.4, close 59.95."
    decide_repair(store, *KEY, apply=False)
    assert close(store) == 59.95, "there is nothing of the repair left to undo"
    assert read_grades(store, symbols=["KO"])["check_name"].tolist() == ["gaps"], "nor a doubt to bring back"
    # The fault once more is as it comes: there is no applied repair any more, and this one can be applied again.
    write_bars(store, with_repairs(store, faulty))
    assert close(store) == 5993.0
    decide_repair(store, *KEY, apply=True)
    assert close(store) == 59.93


def test_a_source_that_comes_to_the_repaired_value_itself_ends_the_repair(store: Store, faulty: pd.DataFrame) -> None:
    decide_repair(store, *KEY, apply=True)
    mended = faulty.copy()
    mended.loc[1, ["high", "close"]] = [60.30, 59.93]
    assert write_bars(store, with_repairs(store, mended)) == WriteCount(unchanged=6)
    assert read_panel(store, "KO", end=DAY).grade == "ok"


@pytest.mark.parametrize("table", ["bar_grades", "repairs"])
def test_a_decision_that_is_cut_off_leaves_nothing(store: Store, faulty: pd.DataFrame, table: str) -> None:
    column = {"bar_grades": "grade <> 'repaired'", "repairs": "status <> 'applied'"}[table]
    with store.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE market_data.{table} ADD CONSTRAINT stop CHECK ({column})"))
    with pytest.raises(adbc_driver_manager.Error, match="stop"):
        decide_repair(store, *KEY, apply=True)
    assert close(store) == 5993.0
    assert read_repairs(store)["status"].tolist() == ["proposed"]
    assert read_grades(store, symbols=["KO"])["grade"].tolist() == ["suspect", "late"]
    with store.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE market_data.{table} DROP CONSTRAINT stop"))
        assert connection.scalar(sa.text("SELECT count(*) FROM market_data.bar_revisions")) == 0
    decide_repair(store, *KEY, apply=True)
    assert close(store) == 59.93


def test_bars_that_come_while_a_repair_is_decided_are_not_lost(store: Store, faulty: pd.DataFrame) -> None:
    revised = faulty.assign(volume=123.0)
    with ThreadPoolExecutor(1) as pool:
        with take_turn(store, BARS) as turn:
            write_bars(store, revised, within=turn)
            job = pool.submit(decide_repair, store, *KEY, apply=True)
            wait_for_lock(store)
        job.result(20)
    panel = read_panel(store, "KO", adjust=False)
    assert (panel.close[1, 0], panel.volume[1, 0]) == (59.93, 123.0)
    with ThreadPoolExecutor(1) as pool:
        decide_repair(store, *KEY, apply=False)
        with take_turn(store, BARS) as turn:
            write_bars(store, revised.assign(close=revised["close"].where(revised.index != 1, 5994.0)), within=turn)
            job = pool.submit(decide_repair, store, *KEY, apply=True)
            wait_for_lock(store)
        with pytest.raises(DataError, match="has changed since"):
            job.result(20)
    assert close(store) == 5994.0


def wait_for_lock(store: Store) -> None:
    """Return once somebody waits for a turn."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    for _ in range(500):
        with store.begin() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.02)
    pytest.fail("nobody came to wait")


def test_a_proposal_that_is_not_made_any_more_is_withdrawn(store: Store, faulty: pd.DataFrame) -> None:
    scope = {"symbol": ["KO", "PEP"], "source": ["yahoo"], "check_name": ["hundredfold"]}
    assert propose_repairs(store, proposal(), complete=scope) == WriteCount(unchanged=1)
    # Other series, sources and checks say nothing about it.
    for name, other in (("symbol", "PEP"), ("source", "other"), ("check_name", "swapped")):
        assert propose_repairs(store, proposal().iloc[:0], complete=scope | {name: [other]}) == WriteCount()
    assert propose_repairs(store, proposal().iloc[:0]) == WriteCount()
    moved = proposal().assign(ts=pd.Timestamp("2024-01-04"))
    assert propose_repairs(store, moved, complete=scope) == WriteCount(new=1, changed=1)
    assert read_repairs(store)["ts"].tolist() == [pd.Timestamp("2024-01-04")]
    propose_repairs(store, proposal())
    decide_repair(store, *KEY, apply=True)
    assert propose_repairs(store, moved.iloc[:0], complete=scope) == WriteCount(changed=1)
    assert read_repairs(store)["status"].tolist() == ["applied"], "what was decided stays"


def test_doubts_found_later_are_not_known_then(store: Store, bars: pd.DataFrame) -> None:
    write_bars(store, bars, at=datetime(2024, 1, 6, tzinfo=UTC))
    save_grades(store, FOUND, **SCOPE)
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE market_data.bar_grades SET found_at = '2024-02-01 12:00+00'"))
    assert read_panel(store, "KO", as_of="2024-02-01").grade == "suspect"
    assert read_panel(store, "KO", as_of="2024-02-01 11:59+00:00").grade == "ok"
    assert read_panel(store, "KO").grade == "suspect"
    # Before the series was recorded, its past is put together by what is known now.
    assert read_panel(store, "KO", as_of="2024-01-04").grade == "suspect"


def test_what_was_decided_is_not_proposed_again(store: Store, faulty: pd.DataFrame) -> None:
    decide_repair(store, *KEY, apply=False)
    assert propose_repairs(store, proposal(reason="in other words")) == WriteCount(unchanged=1)
    assert read_repairs(store)["status"].tolist() == ["dismissed"]
    assert propose_repairs(store, proposal(after=59.94)) == WriteCount(changed=1)
    assert read_repairs(store)["status"].tolist() == ["proposed"]
    decide_repair(store, *KEY, apply=True)
    again = proposal().assign(before=[{"high": 60.30, "close": 59.94}], after=[{"high": 60.30, "close": 1.0}])
    assert propose_repairs(store, again) == WriteCount(unchanged=1), "the way back from an applied repair stays"
    decide_repair(store, *KEY, apply=False)
    assert close(store) == 5993.0


def test_a_repair_of_a_volume_that_was_none_is_undone_to_unknown(store: Store, bars: pd.DataFrame) -> None:
    bars.loc[1, "volume"] = math.nan
    write_bars(store, bars)
    row = (*KEY, {"volume": math.nan}, {"volume": 5.0}, "known elsewhere")
    propose_repairs(store, pd.DataFrame([row], columns=proposal().columns))
    assert read_repairs(store)["before"].tolist() == [{"volume": None}]
    decide_repair(store, *KEY, apply=True)
    assert read_panel(store, "KO").volume[1, 0] == 5.0
    decide_repair(store, *KEY, apply=False)
    assert math.isnan(read_panel(store, "KO").volume[1, 0])


def test_a_repair_that_fits_no_more_is_refused(store: Store, faulty: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="No repair is proposed for symbol KO and source yahoo and ts 2024-01-04"):
        decide_repair(store, "KO", "yahoo", "2024-01-04", "hundredfold", apply=True)
    for wrong, words in (
        (proposal().assign(after=[{"close": 1.0}]), "before and after for the same"),
        (proposal().assign(before=[{"price": 1.0}], after=[{"price": 1.0}]), "changes price"),
        (proposal().drop(columns="reason"), "lack the column reason"),
    ):
        with pytest.raises(DataError, match=words):
            propose_repairs(store, wrong)
    propose_repairs(store, proposal(after=1.0))
    with pytest.raises(DataError, match="gives no valid bar: close is outside low and high"):
        decide_repair(store, *KEY, apply=True)
    write_bars(store, faulty.assign(close=faulty["close"].where(faulty.index != 1, 5994.0)))
    propose_repairs(store, proposal())
    with pytest.raises(DataError, match="has changed since the repair was proposed"):
        decide_repair(store, *KEY, apply=True)
    assert close(store) == 5994.0
    assert read_repairs(store)["status"].tolist() == ["proposed"]
