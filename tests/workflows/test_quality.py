"""Checking what is stored: grades and repairs are kept, again changes nothing, and freshness goes by the calendar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.quality import calendar_of, sessions
from quantlib.settings import Settings
from quantlib.sources.base import bars_frame
from quantlib.store import (
    Store,
    check_bars,
    propose_repairs,
    read_bars,
    read_grades,
    read_panel,
    read_repairs,
    write_bars,
)
from quantlib.store.dates import stored_dates
from quantlib.workflows.quality import (
    check_quality,
    coverage_matrix,
    decide,
    disagreements,
    doubts,
    freshness,
    repairs,
)
from quantlib.workflows.research import load_panel, shared_panel
from quantlib.workflows.session import Session

NOW = pd.Timestamp("2024-03-11 12:00", tz="UTC").to_pydatetime()  # a Monday before the open in New York


def series(symbol: str, source: str, seed: int, start: str = "2023-01-03", end: str = "2024-03-08") -> pd.DataFrame:
    """Return a random walk on the exchange's sessions, with open, high, low and volume."""
    days = sessions(calendar_of(symbol), pd.Timestamp(start), pd.Timestamp(end))
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days))))
    opening = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, 0.004, len(days)))
    return pd.DataFrame(
        {
            "symbol": symbol,
            "ts": days.astype("datetime64[us]"),
            "open": opening,
            "high": np.maximum(opening, close) * 1.004,
            "low": np.minimum(opening, close) * 0.996,
            "close": close,
            "volume": rng.integers(1_000_000, 2_000_000, len(days)).astype(float),
            "adj_close": close,
            "source": source,
        }
    )


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    return Session(Settings(home=tmp_path, _env_file=None), store)


def load(store: Store, *frames: pd.DataFrame) -> None:
    good, rejected = check_bars(pd.concat(frames, ignore_index=True))
    assert rejected.empty
    write_bars(store, good)


def test_a_hundredfold_bar_is_graded_and_a_repair_proposed_once(session: Session) -> None:
    ko = series("KO", "yahoo", 1)
    ko.loc[100, ["open", "high", "low", "close", "adj_close"]] *= 100
    load(session.store, ko, series("PEP", "yahoo", 2))
    first = check_quality(session, now=NOW)
    day = ko.loc[100, "ts"]
    assert first.worst == {"KO": "suspect"}
    assert first.counts.iloc[0][["check", "findings"]].tolist() == ["hundredfold", 1]
    assert first.grades.new == first.repairs.new == 1
    assert "hundredfold" not in first.headline
    assert "powers of ten" in first.headline

    again = check_quality(session, now=NOW)
    assert (again.grades.new, again.grades.changed, again.repairs.new, again.repairs.changed) == (0, 0, 0, 0)
    assert read_grades(session.store)["ts"].tolist() == [day]
    assert read_panel(session.store, ["KO", "PEP"]).grade == "suspect"
    assert read_panel(session.store, ["PEP"]).grade == "ok"

    proposed = repairs(session).iloc[0]
    assert "close" in proposed["change"]
    assert "→" in proposed["change"]
    decide(session, "KO", "yahoo", day, "hundredfold", apply=True)
    stored = read_bars(session.store, symbols=["KO"]).set_index("ts")
    np.testing.assert_allclose(stored.loc[day, "close"], ko.loc[100, "close"] / 100)
    after = check_quality(session, now=NOW)
    assert after.findings.empty
    assert read_grades(session.store)["grade"].tolist() == ["repaired"]
    decide(session, "KO", "yahoo", day, "hundredfold", apply=False)
    stored = read_bars(session.store, symbols=["KO"]).set_index("ts")
    assert stored.loc[day, "close"] == ko.loc[100, "close"]


def test_a_proposal_whose_fault_is_gone_is_withdrawn(session: Session) -> None:
    right = [series("KO", "yahoo", 1), series("PEP", "yahoo", 2)]
    wrong = [one.copy() for one in right]
    for one in wrong:
        one.loc[100, ["open", "high", "low", "close", "adj_close"]] *= 100
    load(session.store, *wrong)
    check_quality(session, now=NOW)
    assert read_repairs(session.store)["symbol"].tolist() == ["KO", "PEP"]
    load(session.store, *right)
    assert check_quality(session, symbols=["KO"], now=NOW).repairs.changed == 1
    assert read_repairs(session.store)["symbol"].tolist() == ["PEP"], "of what was not checked nothing is known"
    check_quality(session, now=NOW)
    assert read_repairs(session.store).empty


def test_a_doubt_that_is_gone_is_taken_back(session: Session) -> None:
    ko = series("KO", "yahoo", 1)
    load(session.store, ko.drop(index=50))
    assert check_quality(session, now=NOW).findings["ts"].tolist() == [ko.loc[50, "ts"]]
    assert doubts(session, "KO")["check_name"].tolist() == ["missing_sessions"]
    load(session.store, ko.loc[[50]])
    assert check_quality(session, now=NOW).grades.changed == 1
    assert read_grades(session.store).empty


def test_only_what_is_asked_for_is_checked(session: Session) -> None:
    load(session.store, series("KO", "yahoo", 1).drop(index=50), series("PEP", "yahoo", 2).drop(index=60))
    assert set(check_quality(session, symbols=["KO"], now=NOW).findings["symbol"]) == {"KO"}
    assert set(read_grades(session.store)["symbol"]) == {"KO"}
    with pytest.raises(DataError, match="source 'yaho' are stored"):
        check_quality(session, source="yaho", now=NOW)
    with pytest.raises(DataError, match="'PEPP' are stored"):
        check_quality(session, symbols=["PEPP"], now=NOW)


def test_nothing_stored_is_nothing_found(session: Session) -> None:
    result = check_quality(session, now=NOW)
    assert (result.bars, result.series, len(result.findings)) == (0, 0, 0)
    assert freshness(session, now=NOW).empty
    with pytest.raises(DataError, match="Nothing is stored"):
        coverage_matrix(session)


def test_freshness_counts_sessions_of_each_calendar(session: Session) -> None:
    load(
        session.store,
        series("KO", "yahoo", 1),
        series("PEP", "yahoo", 2, end="2024-03-06").drop(index=[10, 11]),
        series("BTC-USD", "yahoo", 3, end="2024-03-08"),
        series("KO", "sample", 4, end="2023-12-29"),
    )
    check_quality(session, now=NOW)
    table = freshness(session, now=NOW).set_index(["symbol", "source"])
    # Friday's session is the last over in New York; two days of the weekend are in crypto.
    assert table["behind"].to_dict() == {
        ("KO", "yahoo"): 0,
        ("PEP", "yahoo"): 2,
        ("BTC-USD", "yahoo"): 2,
        ("KO", "sample"): 0,
    }
    assert table.loc[("PEP", "yahoo"), ["missing", "grade", "ended"]].tolist() == [2, "late", False]
    assert table.loc[("KO", "sample"), "ended"]
    assert pd.isna(table.loc[("KO", "sample"), "expected"])
    assert table.loc[("KO", "yahoo"), "expected"] == pd.Timestamp("2024-03-08")
    assert table.loc[("PEP", "yahoo"), "doubted"] == 3  # two days inside, and the first of those since the last


def test_an_extra_bar_makes_up_for_no_missing_one(session: Session) -> None:
    ko = series("KO", "yahoo", 1)
    wednesdays = ko.index[ko["ts"].dt.day_of_week == 2][5:9]
    friday = ko.index[ko["ts"].dt.day_of_week == 4][20]
    ko.loc[friday, "ts"] += pd.Timedelta(days=1)
    load(session.store, ko.drop(index=wednesdays), series("PEP", "yahoo", 2), series("KO", "sample", 3))
    table = freshness(session, NOW).set_index(["symbol", "source"])
    assert table["missing"].to_dict() == {("KO", "yahoo"): 5, ("PEP", "yahoo"): 0, ("KO", "sample"): 0}
    assert stored_dates(session.store, symbols=["PEP"]).keys() == {("PEP", "yahoo")}


def test_a_matrix_takes_the_moment_it_is_asked_for(session: Session) -> None:
    load(session.store, series("KO", "yahoo", 1, start="2024-01-02", end="2024-03-08"))
    assert coverage_matrix(session, None, "month", NOW).loc["KO"].tolist() == [1.0, 1.0, 1.0]
    later = pd.Timestamp("2024-03-16 12:00", tz="UTC").to_pydatetime()
    assert coverage_matrix(session, None, "month", later).loc["KO", "2024-03"] == 6 / 11


@pytest.mark.parametrize("stale", [["KO"], ["KO", "PEP"]])
def test_a_shared_panel_is_late_where_a_series_has_stopped(session: Session, stale: list[str]) -> None:
    ends = {symbol: "2024-02-23" if symbol in stale else "2024-03-08" for symbol in ("KO", "PEP")}
    load(session.store, *(series(symbol, "yahoo", i, end=end) for i, (symbol, end) in enumerate(ends.items())))
    check_quality(session, now=NOW)
    assert load_panel(session, ["KO", "PEP"]).grade == "late"
    shared = shared_panel(session, ["KO", "PEP"])
    assert shared.index[-1] == pd.Timestamp("2024-02-23")
    assert shared.grade == shared.complete().grade == "late"
    assert {flag.symbol for flag in shared.flags} == set(stale)
    assert shared_panel(session, ["KO", "PEP"], end="2024-02-20").grade == "ok", "nothing was late then"


def test_a_bar_is_not_late_in_the_first_hours_after_the_close(session: Session) -> None:
    load(session.store, series("KO", "yahoo", 1))
    evening, night = (
        pd.Timestamp(f"2024-03-11 {t}", tz="America/New_York").to_pydatetime() for t in ("21:59", "22:01")
    )
    assert freshness(session, now=evening)["behind"].tolist() == [0]
    assert freshness(session, now=night)["behind"].tolist() == [1]


def test_the_matrix_is_the_share_of_sessions_by_period(session: Session) -> None:
    ko = series("KO", "sample", 1, end="2023-03-31")
    february = ko.index[ko["ts"].dt.month == 2]
    load(session.store, ko.drop(index=february[:4]), series("PEP", "sample", 2, start="2023-03-01", end="2023-03-31"))
    matrix = coverage_matrix(session, None, "month")
    assert matrix.columns.tolist() == ["2023-01", "2023-02", "2023-03"]
    assert matrix.loc["KO"].tolist() == [1.0, 1 - 4 / len(february), 1.0]
    assert matrix.loc["PEP"].isna().tolist() == [True, True, False]
    assert coverage_matrix(session, None, "year").columns.tolist() == ["2023"]
    with pytest.raises(DataError, match="month"):
        coverage_matrix(session, None, "months")


def test_sources_are_compared_on_one_footing(session: Session) -> None:
    ours = series("KO", "yahoo", 1)
    theirs = ours.assign(source="alpaca", adj_close=np.nan)
    theirs[["open", "high", "low", "close"]] *= 2  # another share count, the same moves
    theirs.loc[80, ["high", "close"]] *= 1.02
    load(session.store, ours, theirs)
    closes, apart = disagreements(session, "KO")
    assert set(closes.columns) == {"yahoo", "alpaca"}
    assert apart.nlargest(2).index.tolist() == [ours.loc[80, "ts"], ours.loc[81, "ts"]]
    assert apart.drop(ours.loc[[80, 81], "ts"]).max() < 1e-9
    found = check_quality(session, now=NOW).findings
    named = found[found["check_name"] == "vendor_disagreement"]
    assert named["ts"].tolist() == [ours.loc[80, "ts"]] * 2
    assert set(named["grade"]) == {"disagree"}
    load(session.store, series("PEP", "yahoo", 2))
    with pytest.raises(DataError, match="second source"):
        disagreements(session, "PEP")


def test_a_repair_of_exchanged_days_puts_both_back(session: Session) -> None:
    right = series("BTC-USD", "kraken", 5)
    right["open"] = right["close"].shift().fillna(100.0)  # trading never stops
    right["high"], right["low"] = right[["open", "close"]].max(axis=1), right[["open", "close"]].min(axis=1)
    wrong = right.assign(source="binance")
    columns = ["open", "high", "low", "close", "volume", "adj_close"]
    wrong.loc[[100, 101], columns] = wrong.loc[[101, 100], columns].to_numpy()
    load(session.store, right, wrong)
    check_quality(session, now=NOW)
    mine = read_repairs(session.store)
    assert set(mine["source"]) == {"binance"}
    for row in mine.itertuples():
        decide(session, row.symbol, row.source, row.ts, row.check_name, apply=True)
    stored = read_bars(session.store, source="binance").sort_values("ts", ignore_index=True)
    np.testing.assert_allclose(stored[columns], right[columns])
    assert check_quality(session, now=NOW).findings["check_name"].isin(["missing_sessions"]).all()


def test_two_exchanged_days_are_mended_together_and_put_back_together(store: Store, tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-01", periods=4).as_unit("us")
    close = pd.Series([10.0, 12.0, 11.0, 13.0])
    frame = pd.DataFrame({"ts": days, "open": close, "high": close, "low": close, "close": close, "volume": 1.0})
    write_bars(store, check_bars(bars_frame(frame, "AAA", "vendor"))[0])
    halves = [
        {"symbol": "AAA", "source": "vendor", "ts": days[i], "check_name": "swapped_days", "reason": "Exchanged.",
         "before": {"close": close[i], "open": close[i], "high": close[i], "low": close[i]},
         "after": {"close": close[k], "open": close[k], "high": close[k], "low": close[k]}}
        for i, k in ((1, 2), (2, 1))
    ]  # fmt: skip
    propose_repairs(store, pd.DataFrame(halves))
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    assert decide(session, "AAA", "vendor", days[2], "swapped_days", apply=True) == (days[2], days[1])
    assert read_panel(store, "AAA").close[:, 0].tolist() == [10.0, 11.0, 12.0, 13.0]
    assert decide(session, "AAA", "vendor", days[1], "swapped_days", apply=False) == (days[1], days[2])
    assert read_panel(store, "AAA").close[:, 0].tolist() == [10.0, 12.0, 11.0, 13.0]
