"""The stamp of a choice made with hindsight, from the universe into runs, MLflow and the report."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from quantlib.simulators import USUAL
from quantlib.sources import SOURCES
from quantlib.store import read_members, read_runs
from quantlib.strategies import MACross
from quantlib.types import Instrument
from quantlib.universe import Universe, UniverseList
from quantlib.workflows.ingest import write_reference
from quantlib.workflows.reading import runs_table
from quantlib.workflows.reporting import build_report
from quantlib.workflows.research import backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.worlds import ask, look_ahead

KO = MACross(universe=("KO",), fast=5, slow=20)


@pytest.fixture
def of_2015(lab: Session) -> Session:
    """Return a session on the same prices, with a list that was drawn up before they begin."""
    names = UniverseList(name="old", title="Old", drawn_up=date(2015, 6, 1), basis="By hand.", symbols=("KO", "PEP"))
    session = Session(lab.settings, lab.store)
    session.__dict__["universe"] = Universe(
        instruments=(Instrument(symbol="KO"), Instrument(symbol="PEP")), lists={"old": names}
    )
    return session


def logged(session: Session, run_id: str) -> bool:
    """Return the stamp of a run, the same in the store and in MLflow."""
    record = read_runs(session.store, id=run_id)[0]
    runs = session.tracker.runs().set_index("run_id")
    stamp = record.params["selection_biased"]
    assert runs.loc[record.mlflow_run_id, "params.selection_biased"] == str(stamp)
    return stamp


def test_todays_list_over_the_past_is_stamped(lab: Session) -> None:
    run = backtest_strategy(lab, KO)
    words = "KO was chosen from a list drawn up on 2025-06-30, but used from 2016-01-04 on: selection-biased."
    assert run.hindsight == words
    assert logged(lab, run.run_id) is True
    simulate_strategy(lab, KO, "gbm", n=5, horizon=5)
    assert [logged(lab, one.id) for one in read_runs(lab.store, kind="simulation")] == [True]


def test_a_list_that_was_there_before_is_not(lab: Session, of_2015: Session) -> None:
    later = MACross(universe=("KO",), fast=6, slow=20)
    run = backtest_strategy(of_2015, later)
    assert run.hindsight == ""
    assert logged(of_2015, run.run_id) is False
    assert backtest_strategy(of_2015, MACross(universe=("KO", "MSFT"), fast=6, slow=20)).hindsight.startswith(
        "MSFT was"
    )


def test_the_report_says_so(lab: Session, of_2015: Session) -> None:
    for session, words in ((lab, "KO was chosen from a list drawn up on 2025-06-30"), (of_2015, "")):
        run = backtest_strategy(session, KO)
        worlds = [simulate_strategy(session, KO, name, n=5, horizon=5) for name in USUAL]
        end = pd.Timestamp(run.panel.index[-1])
        report = build_report(session, "sample", end, {"KO": run}, {"KO": worlds})
        note = report.recommendations[0].data_note
        assert ("selection-biased" in note) == bool(words)
        assert words in note
        assert report.data_hindsight == run.hindsight


def test_a_report_says_it_of_all_its_strategies_in_one_sentence(lab: Session) -> None:
    runs = {symbol: backtest_strategy(lab, MACross(universe=(symbol,), fast=5, slow=20)) for symbol in ("KO", "PEP")}
    worlds = {name: [simulate_strategy(lab, run.strategy, "gbm", n=5, horizon=5)] for name, run in runs.items()}
    end = pd.Timestamp(runs["KO"].panel.index[-1])
    report = build_report(lab, "sample", end, runs, worlds)
    assert report.data_hindsight.startswith("KO and PEP were chosen")
    assert report.data_hindsight.count("selection-biased") == 1


def test_an_outlook_says_so(lab: Session, of_2015: Session) -> None:
    extent = {"horizon": 5, "worlds": 5, "seed": 1, "compare": False}
    for strategy in (KO, None):
        asked = ask("KO", strategy, "gbm", {}, extent)
        assert look_ahead(lab, asked).hindsight.startswith("KO was chosen from a list drawn up on 2025-06-30")
        assert look_ahead(of_2015, asked).hindsight == ""


def test_a_table_of_runs_says_which_are(lab: Session, of_2015: Session) -> None:
    biased = backtest_strategy(lab, MACross(universe=("KO",), fast=7, slow=20))
    free = backtest_strategy(of_2015, MACross(universe=("KO",), fast=8, slow=20))
    table = runs_table(lab)
    assert table.loc[biased.mlflow_run_id, "selection"] == "biased"
    assert table.loc[free.mlflow_run_id, "selection"] == "free"


def test_membership_is_stored_with_what_it_rests_on(lab: Session) -> None:
    dow = read_members(lab.store, "dow-jones-30", on="2019-01-02")
    assert set(dow["symbol"]) == set(lab.universe.members("dow-jones-30", "2019-01-02"))
    assert set(dow["basis"]) == {"history"}
    assert len(read_members(lab.store, "dow-jones-30")) == 40
    few = read_members(lab.store, "quantum-etfs")
    assert few["basis"].tolist() == ["drawn_up", "drawn_up"]
    assert few["member_from"].tolist() == [pd.Timestamp("2026-11-20")] * 2
    again = write_reference(lab.store, SOURCES["sample"], lab.universe)
    assert again.new == again.changed == 0
