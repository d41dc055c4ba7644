"""The worst grade of the prices goes on into runs, MLflow and the report."""

from __future__ import annotations

import pandas as pd
import pytest

from quantlib.simulators import USUAL
from quantlib.store import read_runs, save_grades
from quantlib.strategies import MACross
from quantlib.workflows.freshness import source_grade
from quantlib.workflows.reporting import build_report
from quantlib.workflows.research import backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session

KO = MACross(universe=("KO",), fast=5, slow=20)
DAY = pd.Timestamp("2020-03-12")


def doubt(session: Session, symbol: str, grade: str | None) -> None:
    """Store one doubt about a symbol, or take it back."""
    columns = ["symbol", "source", "ts", "check_name", "grade", "reason"]
    rows = [] if grade is None else [(symbol, "sample", DAY, "outlier", grade, "A move of 9 %.")]
    save_grades(
        session.store, pd.DataFrame(rows, columns=columns), source="sample", symbols=[symbol], checks=["outlier"]
    )


@pytest.mark.parametrize(("grade", "careful"), [("suspect", True), ("disagree", True), ("late", False), (None, False)])
def test_runs_and_report_have_the_worst_grade(lab: Session, grade: str | None, careful: bool) -> None:
    doubt(lab, "KO", grade)
    doubt(lab, "PEP", "suspect")  # of no use here, so of no consequence
    expected = grade or "ok"
    run = backtest_strategy(lab, KO)
    record = read_runs(lab.store, id=run.run_id)[0]
    assert record.params["data_grade"] == expected
    tracked = lab.tracker.runs().set_index("run_id")
    assert tracked.loc[record.mlflow_run_id, "tags.data_grade"] == expected
    worlds = [simulate_strategy(lab, KO, name, n=5, horizon=5) for name in USUAL]
    assert expected in {one.params["data_grade"] for one in read_runs(lab.store, kind="simulation")}
    report = build_report(lab, "sample", run.panel.index[-1], {"KO": run}, {"KO": worlds})
    assert report.data_grade == expected
    assert report.data_doubts == (() if grade is None else (f"KO is {grade} on 2020-03-12: A move of 9 %.",))
    assert ("Caution" in report.recommendations[0].data_note) == careful
    assert source_grade(lab, "sample") == "suspect"


def test_a_doubt_after_the_end_is_not_inherited(lab: Session) -> None:
    doubt(lab, "KO", "suspect")
    assert backtest_strategy(lab, KO, end="2020-03-11").panel.grade == "ok"
    assert backtest_strategy(lab, KO, end="2020-03-12").panel.grade == "suspect"
    doubt(lab, "KO", None)
