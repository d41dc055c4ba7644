"""The main job end to end: the same numbers everywhere, once, whole, and with clear refusals."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from database import Database

from quantlib.errors import ConfigError, DataError
from quantlib.reports.render import render_html
from quantlib.settings import Settings
from quantlib.simulators import SIMULATORS
from quantlib.store import (
    Store,
    check_bars,
    coverage,
    read_recommendations,
    read_report,
    read_reports,
    read_runs,
    read_strategies,
    write_bars,
)
from quantlib.strategies import DAILY, READY, MACross, Strategy
from quantlib.types import BAR_COLUMNS
from quantlib.workflows import pipeline
from quantlib.workflows.daily_forecasts import DailyForecasts
from quantlib.workflows.grading import grade_of
from quantlib.workflows.ingest import ingest
from quantlib.workflows.pipeline import ensure_sample, run_pipeline
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.reading import newest_report
from quantlib.workflows.reporting import export_report
from quantlib.workflows.research import backtest_strategy, choose_source, load_panel, shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import TASKS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(database: Database, _migrated: tuple[Store, str], tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Return a session whose pipeline has run once on the sample, with few worlds."""
    home = tmp_path_factory.mktemp("home")
    store, empty = _migrated
    with store.begin() as connection:
        connection.exec_driver_sql(empty)
    session = Session(Settings(home=home, worlds=40, _env_file=None), store)
    run_pipeline(session)
    return session


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the baseline models, which take most of the time, where they have nothing to do with what is asked."""
    monkeypatch.setattr(pipeline, "train_models", lambda *_, **__: {})


@pytest.mark.parametrize("name", DAILY)
def test_a_strategys_numbers_are_the_same_in_the_store_mlflow_and_the_report(session: Session, name: str) -> None:
    run = backtest_strategy(session, READY[name], name=name)
    value = float(run.metrics.loc["sharpe_ratio", "value"])

    stored = read_runs(session.store, id=run.run_id)[0]
    assert stored.metrics["sharpe_ratio"] == value

    logged = session.tracker.runs().set_index("run_id").loc[run.mlflow_run_id]
    assert logged["metrics.sharpe_ratio"] == value
    assert logged["metrics.max_drawdown"] == run.metrics.loc["max_drawdown", "value"]
    equity = session.tracker.read_csv(run.mlflow_run_id or "", "equity.csv")["equity"]
    assert equity.iloc[-1] == run.result.equity.iloc[-1]

    report = newest_report(session)
    assert report is not None
    recommended = next(r for r in report.recommendations if r.name == name)
    assert recommended.metrics["sharpe_ratio"].value == value
    body = next(r.body for r in read_recommendations(session.store) if r.strategy_id == READY[name].id)
    assert body["metrics"]["sharpe_ratio"]["value"] == value


def test_the_file_is_the_stored_report_and_shows_the_numbers(session: Session, tmp_path: Path) -> None:
    report = newest_report(session)
    assert report is not None
    path = export_report(session, out=tmp_path / "deep" / "r.html")
    html = path.read_text(encoding="utf-8")
    assert html == render_html(report)
    assert read_report(session.store).html_sha256 == hashlib.sha256(html.encode()).hexdigest()
    for item in report.recommendations:
        assert item.headline in re.sub(r"&#39;|&#x27;", "'", html)
    assert code_version() in html
    assert list(tmp_path.rglob("*.part")) == []


def test_the_grade_of_the_worlds_is_the_same_beside_every_number(session: Session) -> None:
    report = newest_report(session)
    assert report is not None
    html = render_html(report)
    stored = read_runs(session.store, kind="simulation")
    logged = session.tracker.runs()
    for item in report.recommendations:
        panel = shared_panel(session, READY[item.name].inputs)
        for outcome in item.simulators:
            grade = grade_of(session, SIMULATORS[outcome.simulator](), panel)
            assert (outcome.grade, outcome.grade_sentence) == (grade.letter, grade.sentence)
            assert grade.letter != "unknown"
            mine = [
                r for r in stored if (r.strategy_id, r.params["simulator"]) == (item.strategy_id, outcome.simulator)
            ]
            assert {run.params["realism"] for run in mine} == {grade.letter}
            tagged = logged[logged["run_id"].isin([run.mlflow_run_id for run in mine])]
            assert set(tagged["tags.realism"]) == {grade.letter}
            assert html.count(f"{grade.sentence}.") >= 1
        assert any(f"graded {item.grade_sentence.removeprefix('Grade ')}" in reason for reason in item.reasons)
    letters = {outcome.simulator: outcome.grade for outcome in report.recommendations[0].simulators}
    assert letters["stationary_bootstrap"] < letters["gbm"], "the textbook's worlds are told from history more easily"


def test_everything_of_a_run_is_logged(session: Session) -> None:
    runs = session.tracker.runs()
    kinds = runs["tags.kind"].value_counts()
    assert kinds["backtest"] >= 3
    assert kinds["simulation"] >= 6
    assert kinds["model"] == 2
    children = runs[runs["tags.kind"] != "pipeline"]
    assert children["tags.snapshot_id"].notna().all()
    assert children["tags.code_version"].eq(code_version()).all()
    assert {r.id for r in read_strategies(session.store)} >= {READY[name].id for name in DAILY}


def test_a_second_run_changes_nothing_and_says_so(session: Session) -> None:
    before = (len(read_runs(session.store)), len(read_reports(session.store)), len(session.tracker.runs()))
    again = run_pipeline(session)
    assert again.reused
    assert (len(read_runs(session.store)), len(read_reports(session.store)), len(session.tracker.runs())) == before
    first = newest_report(session)
    assert first is not None
    assert again.recommendations == first.recommendations
    assert [row[-1] for row in again.rows] == [item.grade for item in first.recommendations]


def test_models_are_asked_before_anything_is_run_and_what_failed_is_said(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    usable, why = pipeline._usable, "Model up or down, version 2, was not asked: it is gone."

    def asked(given: Session, **_: object) -> DailyForecasts:
        done.append(f"asked by the {given.origin}")
        return DailyForecasts((), (why,))

    monkeypatch.setattr(pipeline, "foretell_champions", asked)
    monkeypatch.setattr(pipeline, "_usable", lambda *given: done.append("read") or usable(*given))
    result = run_pipeline(session)
    assert done == ["asked by the pipeline", "read"]
    assert (result.reused, result.skipped) == (True, (why,))
    outcome = TASKS["pipeline"].work(session, TASKS["pipeline"].args(), lambda *_: None)
    assert outcome.said.endswith(f"stands. Left out: {why}")
    done.clear()

    def refuse(*_: object) -> None:
        done.append("read")
        raise DataError("Nothing is run.")

    monkeypatch.setattr(pipeline, "_usable", refuse)
    with pytest.raises(DataError, match="Nothing is run"):
        run_pipeline(session, as_of="2021-06-15")
    assert done == ["read"], "of the past a model has spoken already"


def test_forced_again_it_gives_the_same_bytes(session: Session) -> None:
    before = read_report(session.store)
    again = run_pipeline(session, force=True)
    after = read_report(session.store, again.report_id)
    assert not again.reused
    assert after.body == before.body
    assert after.html_sha256 == before.html_sha256


@pytest.mark.usefixtures("without_models")
def test_as_of_an_earlier_date_uses_nothing_later(session: Session) -> None:
    strategies = {"Coke against Pepsi": READY["Coke against Pepsi"]}
    then = run_pipeline(session, as_of="2015-06-30", strategies=strategies)
    assert then.as_of == pd.Timestamp("2015-06-30")
    run = backtest_strategy(session, READY["Coke against Pepsi"], as_of="2015-06-30")
    assert run.panel.index[-1] == pd.Timestamp("2015-06-30")
    whole = backtest_strategy(session, READY["Coke against Pepsi"])
    pd.testing.assert_series_equal(run.result.equity, whole.result.equity.loc[:"2015-06-30"], check_freq=False)
    assert {r.as_of.isoformat() for r in read_recommendations(session.store, as_of="2015-06-30")} == {"2015-06-30"}
    path = export_report(session, as_of="2015-06-30")
    assert "2015-06-30" in path.name


@pytest.mark.usefixtures("without_models")
def test_strategies_without_prices_are_skipped_and_said_so(session: Session) -> None:
    strategies = {"Ghost": MACross(universe=("GHOST",)), "Coke against Pepsi": READY["Coke against Pepsi"]}
    result = run_pipeline(session, strategies=strategies)
    assert result.skipped == ("Ghost: no prices of GHOST from sample.",)
    assert [r.name for r in result.recommendations] == ["Coke against Pepsi"]
    with pytest.raises(DataError, match="No strategy can be run: Ghost: no prices of GHOST"):
        run_pipeline(session, strategies={"Ghost": MACross(universe=("GHOST",))})


def test_a_report_that_is_not_there_is_refused_with_what_is(session: Session, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no report up to 2001-01-01. Stored: 20"):
        export_report(session, as_of="2001-01-01")
    with pytest.raises(DataError, match="Cannot write"):
        export_report(session, out=Path("/proc/none/r.html"))


def test_the_source_in_force_is_the_newest_or_the_one_set(session: Session) -> None:
    assert choose_source(session) == "sample"
    other = Session(session.settings.model_copy(update={"source": "yahoo"}), session.store)
    with pytest.raises(ConfigError, match="WORKBENCH_SOURCE is 'yahoo'"):
        choose_source(other)
    assert load_panel(session, ["KO"]).source == "sample"


def test_ingest_again_changes_nothing(session: Session) -> None:
    result = ingest(session.store, "sample", universe=session.universe)
    assert result.changed_nothing


def test_content_ids_depend_on_content_alone() -> None:
    assert content_id("x", {"a": 1, "b": [1, 2]}) == content_id("x", {"b": [1, 2], "a": 1})
    assert content_id("x", {"a": 1}) != content_id("x", {"a": 2})
    assert json.loads(json.dumps(content_id("x", {}))).startswith("x-")


def small_pipeline(session: Session, **changes: object) -> tuple[Session, dict[str, Strategy]]:
    """Return a session with other settings, and one quick strategy."""
    other = Session(session.settings.model_copy(update=changes), session.store)
    return other, {"Pepsi trend": MACross(universe=("PEP",))}


@pytest.mark.usefixtures("without_models")
def test_the_result_shown_is_that_of_the_report_asked_for(session: Session) -> None:
    """Seed 7, then 8, then 7 again: the third says what the first said, and is the newest report from then on."""
    first_session, strategies = small_pipeline(session, seed=7)
    second_session, _ = small_pipeline(session, seed=8)
    first = run_pipeline(first_session, as_of="2021-06-15", strategies=strategies)
    second = run_pipeline(second_session, as_of="2021-06-15", strategies=strategies)
    again = run_pipeline(first_session, as_of="2021-06-15", strategies=strategies)
    assert first.recommendations != second.recommendations
    assert again.reused
    assert again.recommendations == first.recommendations
    assert export_report(session, as_of="2021-06-15") == again.path


@pytest.mark.usefixtures("without_models")
def test_a_weekend_as_of_finds_the_friday_it_made(session: Session) -> None:
    made = run_pipeline(session, as_of="2020-08-15", strategies={"Pepsi trend": MACross(universe=("PEP",))})
    assert made.as_of == pd.Timestamp("2020-08-14")
    assert export_report(session, as_of="2020-08-15") == made.path
    assert made.data_label == "sample ending 2022-12-28, used up to 2020-08-14"


@pytest.mark.usefixtures("without_models")
def test_a_date_before_some_prices_skips_those_strategies_and_runs_the_rest(session: Session) -> None:
    strategies = {"Factor ETF switch": READY["Factor ETF switch"], "Pepsi trend": MACross(universe=("PEP",))}
    result = run_pipeline(session, as_of="2010-06-04", strategies=strategies)
    assert [r.name for r in result.recommendations] == ["Pepsi trend"]
    assert any("Factor ETF switch" in line and "2014-01-02" in line for line in result.skipped)
    early = run_pipeline(session, as_of="2014-02-03", strategies=strategies)
    assert any("share 22 sessions; 61 are needed" in line for line in early.skipped)


@pytest.mark.usefixtures("without_models")
def test_a_symbol_that_ended_long_ago_holds_only_its_own_strategy_back(session: Session) -> None:
    bars = pd.DataFrame(
        {
            "symbol": "GONE",
            "ts": pd.bdate_range("2019-01-01", "2020-03-13"),
            "close": 10.0,
            "adj_close": 10.0,
            "source": "sample",
        }
    ).reindex(columns=list(BAR_COLUMNS))
    write_bars(session.store, check_bars(bars)[0])
    strategies = {"Ghost": MACross(universe=("GONE",)), "Pepsi trend": MACross(universe=("PEP",))}
    result = run_pipeline(session, strategies=strategies)
    assert result.as_of == pd.Timestamp("2022-12-28")
    assert result.skipped == ("Ghost: GONE has no price since 2020-03-13.",)


def test_a_sample_that_was_interrupted_is_completed(store: Store, tmp_path: Path) -> None:
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    ingest(store, "sample", ["KO", "AAPL"], universe=session.universe)
    assert ensure_sample(session)
    assert not ensure_sample(session)
    assert set(session.universe.symbols("sample")) <= set(coverage(store)["symbol"])


def test_one_symbol_of_a_newer_source_does_not_hide_the_others(store: Store, tmp_path: Path) -> None:
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    ingest(store, "sample", ["KO", "PEP"], universe=session.universe)
    newer = pd.DataFrame(
        {"symbol": "KO", "ts": pd.bdate_range("2023-01-02", periods=5), "close": 60.0, "source": "yahoo"}
    ).reindex(columns=list(BAR_COLUMNS))
    write_bars(store, check_bars(newer)[0])
    assert choose_source(session) == "sample"
    write_bars(store, check_bars(newer.assign(source="mycsv"))[0])
    assert choose_source(session) == "sample"
    mine = Session(session.settings.model_copy(update={"source": "mycsv"}), store)
    with pytest.raises(ConfigError, match="not in SOURCES"):
        choose_source(mine)


def test_a_quote_of_every_symbol_does_not_put_its_source_in_force(store: Store, tmp_path: Path) -> None:
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    needed = sorted({symbol for name in DAILY for symbol in READY[name].symbols})

    def load(source: str, days: pd.DatetimeIndex, symbols: list[str]) -> None:
        frame = pd.DataFrame([(s, d) for s in symbols for d in days], columns=["symbol", "ts"])
        bars = frame.assign(close=60.0, source=source).reindex(columns=list(BAR_COLUMNS))
        write_bars(store, check_bars(bars)[0])

    end = pd.Timestamp("2024-06-28")
    load("finnhub", pd.DatetimeIndex([end]), needed)
    assert choose_source(session) == "finnhub"
    load("yahoo", pd.bdate_range(end=end - pd.Timedelta(days=1), periods=750), needed)
    assert choose_source(session) == "yahoo"
    # As many symbols and more years: of two that are as fresh the lower number, of others the fresh one.
    load("polygon", pd.bdate_range(end=end, periods=800), needed)
    assert choose_source(session) == "yahoo"
    load("polygon", pd.bdate_range(start=end, periods=10), needed)
    assert choose_source(session) == "polygon"
    load("yahoo", pd.bdate_range(start=end, periods=10), needed[1:])
    assert choose_source(session) == "yahoo"
    # More symbols come before a lower number.
    load("sample", pd.bdate_range(end="2022-12-28", periods=800), [*needed, "KODK"])
    assert choose_source(session) == "yahoo"


def test_runs_are_logged_again_where_mlflow_has_been_cleared(session: Session, tmp_path: Path) -> None:
    run = backtest_strategy(session, READY["Coke against Pepsi"], name="Coke against Pepsi")
    cleared = Session(session.settings.model_copy(update={"home": tmp_path}), session.store)
    again = backtest_strategy(cleared, READY["Coke against Pepsi"], name="Coke against Pepsi")
    assert again.run_id == run.run_id
    assert again.mlflow_run_id != run.mlflow_run_id
    assert len(cleared.tracker.runs()) == 1
    backtest_strategy(cleared, READY["Coke against Pepsi"], name="Coke against Pepsi")
    assert len(cleared.tracker.runs()) == 1
