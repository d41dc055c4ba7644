"""Reading: what the pages show is what was stored and logged, to the last bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.reports import Provenance, Report, render_html
from quantlib.settings import Settings
from quantlib.store import ReportRecord, Store, read_runs, save_report
from quantlib.strategies import MACross, Pair
from quantlib.workflows.pipeline import export_report
from quantlib.workflows.reading import (
    RUN_NUMBERS,
    find_runs,
    freshness,
    newest_report,
    report_figures,
    report_file,
    run_link,
    runs_table,
    stored_reports,
)
from quantlib.workflows.research import StrategyRun, backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session

FAST = MACross(universe=("KO", "MSFT"), fast=20, slow=100)
SLOW = MACross(universe=("KO", "MSFT"), fast=30, slow=100)
PAIR = Pair(y="KO", x="PEP", lookback=60)


@pytest.fixture(scope="module")
def runs(lab: Session) -> dict[str, StrategyRun]:
    """Return three backtests made through the workflows; a simulation was logged after them."""
    made = {
        "Fast": backtest_strategy(lab, FAST, name="Fast"),
        "Slow": backtest_strategy(lab, SLOW, name="Slow", start="2018-01-02"),
        "Pair": backtest_strategy(lab, PAIR, name="Pair", costs=Costs(half_spread_bps=7.5)),
    }
    simulate_strategy(lab, PAIR, "gbm", name="Pair", n=20, horizon=5)
    return made


def run_ids(runs: dict[str, StrategyRun]) -> dict[str, str]:
    return {name: str(run.mlflow_run_id) for name, run in runs.items()}


def test_runs_are_a_table_with_the_numbers_that_came_out(lab: Session, runs: dict[str, StrategyRun]) -> None:
    table = runs_table(lab)
    assert table["kind"].tolist() == ["simulation", "backtest", "backtest", "backtest"]  # the newest first
    assert table["label"].is_unique
    for name, run in runs.items():
        row = table.loc[run.mlflow_run_id]
        for metric in ("sharpe_ratio", "cagr", "max_drawdown", "turnover"):
            assert row[metric] == run.metrics.loc[metric, "value"]
        assert row["sharpe_ratio_ci_low"] == run.metrics.loc["sharpe_ratio", "ci_low"]
        assert row["trades"] == len(run.result.trades)
        assert row["name"] == name
        assert (row["strategy_id"], row["snapshot_id"]) == (run.strategy.id, run.panel.snapshot_id)
        assert (row["as_of"], row["source"], row["verdict"]) == ("2022-12-28", "sample", run.verdict.outcome)
        assert pd.isna(row["expected_value"])
        assert read_runs(lab.store, id=run.run_id)[0].mlflow_run_id == run.mlflow_run_id
    simulated = table.iloc[0]
    assert simulated["name"] == "Pair in Geometric Brownian motion"
    assert pd.isna(simulated["sharpe_ratio"])
    stored = read_runs(lab.store, kind="simulation")[0].metrics
    assert simulated["expected_value"] == stored["expected_value"]


def test_a_limit_keeps_the_newest(lab: Session, runs: dict[str, StrategyRun]) -> None:
    assert runs_table(lab, 2)["kind"].tolist() == ["simulation", "backtest"]


def test_runs_are_found_by_kind_strategy_and_text(lab: Session, runs: dict[str, StrategyRun]) -> None:
    table = runs_table(lab)
    assert find_runs(table, "backtest")["name"].tolist() == ["Pair", "Slow", "Fast"]
    assert find_runs(table, "simulation", PAIR.id).index.tolist() == [table.index[0]]
    assert find_runs(table, "backtest", FAST.id)["name"].tolist() == ["Fast"]
    assert find_runs(table, "backtest", text="SLO")["name"].tolist() == ["Slow"]
    assert find_runs(table, "backtest", text=run_ids(runs)["Fast"])["name"].tolist() == ["Fast"]
    assert find_runs(table, "backtest", text=runs["Pair"].panel.snapshot_id)["name"].tolist() == ["Pair"]
    assert find_runs(table, "backtest", text="a.b(").empty  # a text, not a pattern
    assert find_runs(table, "model").empty


def test_a_run_links_into_the_ui(lab: Session, tmp_path: Path) -> None:
    assert run_link(lab, "abc") == "http://127.0.0.1:5000/#/runs/abc"
    settings = Settings(home=tmp_path, mlflow_tracking_uri="https://me:hunter2@runs.test/ml/", _env_file=None)
    assert run_link(replace(lab, settings=settings), "abc") == "https://runs.test/ml/#/runs/abc"


def test_no_run_is_an_empty_table_with_all_columns(lab: Session, runs: dict[str, StrategyRun], tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    fresh = replace(lab, settings=Settings(home=tmp_path, mlflow_tracking_uri=uri, _env_file=None))
    table = runs_table(fresh)
    assert table.empty
    assert table.dtypes.astype(str).to_dict() == runs_table(lab).dtypes.astype(str).to_dict()
    assert set(RUN_NUMBERS) < set(table.columns)
    assert find_runs(table, "backtest", text="x").empty


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    """Return a session on an empty store; from here on nothing of the runs above is left."""
    return Session(Settings(home=tmp_path, _env_file=None), store)


def report(day: str = "2022-12-28", **changes: object) -> Report:
    made = Provenance(
        source="sample",
        data_label=f"sample ending {day}",
        is_sample=True,
        universe="3 symbols",
        snapshots={"Pair": "abc"},
        strategies={"Pair": PAIR.id},
        code_version="0.1.0+0",
        seed=7,
        worlds=40,
        horizon_sessions=21,
        simulators=("Stationary bootstrap",),
    )
    return Report(title="Größe & more", as_of=date.fromisoformat(day), recommendations=(), provenance=made)


def save(session: Session, name: str, one: Report, html: str | None = None) -> None:
    digest = hashlib.sha256((html or render_html(one)).encode()).hexdigest()
    body = one.model_dump_json()
    save_report(session.store, ReportRecord(name, one.as_of, one.title, body, digest, "snap", "0.1.0+0"))


def test_nothing_stored_reads_as_nothing(session: Session) -> None:
    assert newest_report(session) is None
    assert report_figures(session, PAIR.id) == {}
    assert stored_reports(session).empty
    assert "label" in stored_reports(session)
    assert freshness(session).empty


def test_a_report_is_handed_out_as_the_command_line_writes_it(session: Session, tmp_path: Path) -> None:
    one = report()
    save(session, "report-1111", one)
    file = report_file(session, "report-1111")
    assert file.report == newest_report(session) == one
    assert file.html.encode() == export_report(session, out=tmp_path / "out.html").read_bytes()
    assert file.size == (tmp_path / "out.html").stat().st_size > len(file.html)  # ö and ß take two bytes
    assert file.unchanged
    save(session, "report-2222", report("2022-12-29"), html="<p>as it was rendered then</p>")
    assert not report_file(session, "report-2222").unchanged


def test_reports_are_listed_newest_first_under_labels_of_their_own(session: Session) -> None:
    for name, day in (("report-a1", "2022-12-27"), ("report-b2", "2022-12-28"), ("report-c3", "2022-12-28")):
        save(session, name, report(day))
    table = stored_reports(session)
    assert table["as_of"].map(str).tolist() == ["2022-12-28", "2022-12-28", "2022-12-27"]
    assert table["label"].is_unique
    assert table.loc["report-a1", "label"].startswith("2022-12-27, made ")
    found = newest_report(session)
    assert found is not None
    assert str(found.as_of) == "2022-12-28"
    older = newest_report(session, "report-a1")
    assert older is not None
    assert str(older.as_of) == "2022-12-27"
    with pytest.raises(DataError, match=r"Report 'report-c33' is not stored\. Did you mean report-c3\?"):
        report_file(session, "report-c33")
