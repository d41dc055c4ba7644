"""Records: saved once however often they are given, read back as they were."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantlib.errors import DataError
from quantlib.store import (
    IngestRecord,
    RecommendationRecord,
    ReportRecord,
    RunRecord,
    Store,
    StrategyRecord,
    WriteCount,
    check_bars,
    decide_repair,
    propose_repairs,
    quarantine,
    read_ingest_log,
    read_recommendations,
    read_report,
    read_reports,
    read_runs,
    read_strategies,
    save_grades,
    save_ingest,
    save_recommendations,
    save_report,
    save_runs,
    save_strategies,
    touch_report,
    watermark,
    write_bars,
)
from quantlib.store.jobs import NewJob, add_job, cancel_job
from quantlib.types import BAR_COLUMNS

CROSS = StrategyRecord("a1", "ma_cross", "KO 50/200", {"fast": 50, "slow": 200, "symbols": ("KO",)})
PAIR = StrategyRecord("b2", "pair", "KO/PEP", {"window": 60})
RUN = RunRecord(
    "r1", "backtest", date(2022, 12, 28), "5f2c", "0.1.0", "a1", 7, {"cash": 1e6}, {"sharpe_ratio": 0.61803398875}, "m1"
)
REPORT = ReportRecord("rep1", date(2022, 12, 28), "Recommendations", '{"title": "é €"}', "0" * 64, "5f2c", "0.1.0")


def test_strategies_are_saved_once_and_read_as_they_were(store: Store) -> None:
    assert save_strategies(store, [CROSS, PAIR]) == WriteCount(new=2)
    first = read_strategies(store)
    assert [record.id for record in first] == ["a1", "b2"]
    assert first[0].params == {"fast": 50, "slow": 200, "symbols": ["KO"]}
    assert first[0].created_at is not None
    assert first[0].created_at.utcoffset() == timedelta(0)
    assert save_strategies(store, [CROSS, PAIR]) == WriteCount(unchanged=2)
    assert save_strategies(store, [CROSS, replace(PAIR, title="Cola pair")]) == WriteCount(changed=1, unchanged=1)
    second = read_strategies(store, ["b2", "a1"])
    assert [(r.title, r.created_at) for r in second] == [
        ("Cola pair", first[1].created_at),
        ("KO 50/200", first[0].created_at),
    ]
    assert save_strategies(store, []) == WriteCount()
    with pytest.raises(DataError, match=r"Strategy 'a2' is not stored\. Accepted: a1, b2\."):
        read_strategies(store, ["a2"])
    with pytest.raises(DataError, match=r"strategies.definitions have the same id"):
        save_strategies(store, [CROSS, CROSS])


def test_runs_keep_their_key_and_unknown_numbers_are_null(store: Store) -> None:
    save_strategies(store, [CROSS])
    worlds = replace(RUN, id="r2", kind="simulation", metrics={"es": math.nan, "n": np.int64(3), "v": np.float64(0.5)})
    model = RunRecord("r3", "model", date(2022, 6, 1), "77aa", "0.1.0")
    assert save_runs(store, [RUN, worlds, model]) == WriteCount(new=3)
    assert save_runs(store, [RUN, worlds, model]) == WriteCount(unchanged=3)
    found = {run.id: run for run in read_runs(store)}
    assert replace(found["r1"], created_at=None) == RUN
    assert found["r2"].metrics == {"es": None, "n": 3, "v": 0.5}
    assert found["r3"].strategy_id is None
    assert [run.id for run in read_runs(store, kind="model")] == ["r3"]
    assert [run.id for run in read_runs(store, strategy_id="a1", as_of="2022-12-28")] == ["r1", "r2"]
    assert len(read_runs(store, limit=2)) == 2
    assert read_runs(store, as_of="2001-01-01") == []


def test_a_rule_broken_is_said_and_nothing_is_saved(store: Store) -> None:
    save_strategies(store, [CROSS])
    with pytest.raises(DataError, match=r"strategies.runs.*zz.*Save what it refers to first"):
        save_runs(store, [RUN, replace(RUN, id="r2", strategy_id="zz")])
    with pytest.raises(DataError, match=r"strategies\.runs breaks a rule"):
        save_runs(store, [RUN, replace(RUN, id="r2", kind="guess")])
    with pytest.raises(DataError, match="object cannot be stored as JSON"):
        save_runs(store, [replace(RUN, params={"what": object()})])
    assert read_runs(store) == []


def test_recommendations_of_a_date_are_the_last_given_per_strategy(store: Store) -> None:
    save_strategies(store, [CROSS, PAIR])
    save_runs(store, [RUN])
    old = RecommendationRecord("x0", "a1", date(2022, 11, 30), {"hold": 0.0}, "1111", "0.1.0")
    first = RecommendationRecord("x1", "a1", date(2022, 12, 28), {"hold": 1.0}, "5f2c", "0.1.0", 7, "r1")
    other = RecommendationRecord(
        "x2", "b2", date(2022, 12, 28), {"hold": -1.0, "why": ["spread 2.1 σ"]}, "5f2c", "0.1.0"
    )
    assert save_recommendations(store, [old, first, other]) == WriteCount(new=3)
    assert [r.id for r in read_recommendations(store)] == ["x1", "x2"]
    again = replace(first, id="x3", code_version="0.2.0")
    save_recommendations(store, [again])
    assert [r.id for r in read_recommendations(store)] == ["x3", "x2"]
    assert [r.id for r in read_recommendations(store, as_of="2022-11-30")] == ["x0"]
    assert [r.body for r in read_recommendations(store, strategy_id="b2")] == [other.body]
    assert read_recommendations(store, as_of="2020-01-01") == []
    assert save_recommendations(store, [old, first, other, again]) == WriteCount(unchanged=4)


def test_reports_come_back_byte_for_byte(store: Store) -> None:
    with pytest.raises(DataError, match="workbench pipeline"):
        read_report(store)
    assert save_report(store, REPORT) == WriteCount(new=1)
    assert save_report(store, REPORT) == WriteCount(unchanged=1)
    save_report(store, replace(REPORT, id="rep0", as_of=date(2022, 11, 30)))
    newest = read_report(store)
    assert replace(newest, created_at=None, used_at=None) == REPORT
    assert read_report(store, "rep0").as_of == date(2022, 11, 30)
    table = read_reports(store)
    assert table["id"].tolist() == ["rep1", "rep0"]
    assert table["size"].tolist() == [len(REPORT.body.encode())] * 2
    assert "body" not in table
    save_report(store, replace(REPORT, id="rep2"))
    assert read_report(store).id == "rep2"
    touch_report(store, "rep1")
    assert read_report(store).id == "rep1"  # asked for again, it is the newest of its date
    with pytest.raises(DataError, match=r"Report 'rep9' is not stored\. Did you mean rep\d\?"):
        read_report(store, "rep9")


def test_the_ingest_log(store: Store) -> None:
    assert read_ingest_log(store).empty
    start = datetime(2024, 1, 6, 9, tzinfo=UTC)
    rejected = [{"symbol": "KO", "ts": date(2024, 1, 2), "close": math.nan, "reason": "no close"}] * 300
    record = IngestRecord(
        "yahoo", start, start + timedelta(seconds=4), "partial", 10, 2, 0, 300, {"rejected": rejected}, "slow"
    )
    assert save_ingest(store, record) == 1
    assert save_ingest(store, IngestRecord("sample", start + timedelta(days=1), start + timedelta(days=1), "ok")) == 2
    log = read_ingest_log(store)
    assert log["source"].tolist() == ["sample", "yahoo"]
    kept = log.loc[1, "detail"]["rejected"]
    assert len(kept) == 100
    assert kept[0] == {"symbol": "KO", "ts": "2024-01-02", "close": None, "reason": "no close"}
    assert log.loc[1, "started_at"] == pd.Timestamp(start)
    assert read_ingest_log(store, source="yahoo")["rows_rejected"].tolist() == [300]
    assert len(read_ingest_log(store, limit=1)) == 1
    with pytest.raises(sa.exc.IntegrityError):
        save_ingest(store, replace(record, finished_at=start - timedelta(days=1)))


def test_the_mark_changes_with_whatever_pages_show(store: Store) -> None:
    bars = pd.DataFrame({"symbol": "KO", "ts": pd.to_datetime(["2024-01-02"]), "close": 60.0, "source": "sample"})
    write_bars(store, check_bars(bars.reindex(columns=list(BAR_COLUMNS)))[0])
    key = {"symbol": "KO", "source": "sample", "ts": pd.Timestamp("2024-01-02"), "check_name": "test"}
    doubt = pd.DataFrame([{**key, "grade": "late", "reason": "a test"}])
    repair = pd.DataFrame([{**key, "before": {"close": 60.0}, "after": {"close": 61.0}, "reason": "a test"}])
    turned_away = pd.DataFrame({"close": [-1.0], "reason": ["close is not above zero"]})
    job: list[int] = []

    def end_job() -> None:
        cancel_job(store, job[0])

    steps = {
        "a doubt": lambda: save_grades(store, doubt, source="sample", symbols=["KO"], checks=["test"]),
        "a proposal": lambda: propose_repairs(store, repair),
        "a repair": lambda: decide_repair(store, **key, apply=True),
        "a repair undone": lambda: decide_repair(store, **key, apply=False),
        "a row turned away": lambda: quarantine(store, turned_away, source="sample", kind="bars", name="KO"),
        "the same row again": lambda: quarantine(store, turned_away, source="sample", kind="bars", name="KO"),
        "the end of a job": end_job,
    }
    job.append(add_job(store, NewJob("derive")).id)
    marks = [watermark(store)]
    for name, step in steps.items():
        assert watermark(store) == marks[-1], "it stays where nothing is stored"
        step()
        marks.append(watermark(store))
        assert marks[-1] not in marks[:-1], name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-9e15, 9e15)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("abcdef", min_size=1), json_values, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_comes_back_to_the_last_bit(store: Store, params: dict[str, object]) -> None:
    record = StrategyRecord("json", "ma_cross", "", params)
    save_strategies(store, [record])
    assert read_strategies(store)[0].params == params
    assert save_strategies(store, [record]) == WriteCount(unchanged=1)
