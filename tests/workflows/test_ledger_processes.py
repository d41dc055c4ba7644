"""Trials of real processes: from the command line, a worker, a script and the app, killed or not, each counts once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared import ROOT, Home, empty_home
from pydantic import SecretStr

from quantlib.settings import Settings
from quantlib.sources.base import Call
from quantlib.store import Store
from quantlib.store.job_worker import RunningJob
from quantlib.strategies import MACross, Pair
from quantlib.strategies.document import to_yaml
from quantlib.workflows.ingest import ingest
from quantlib.workflows.jobs import job
from quantlib.workflows.ledger import ledger_table, trial_counts
from quantlib.workflows.session import Session
from quantlib.workflows.sweeping import start_sweep
from quantlib.workflows.worker import run_job

pytestmark = pytest.mark.slow

# MLflow, whose import takes seconds, has no part in this: it is asked after the work and before the trial is completed.
UNLOGGED = "from quantlib.workflows.tracking import Tracker; Tracker.log = lambda *_: 'none'; "
MIDWAY = """
import time
from quantlib.workflows import research
def run(*_, **__):
    print("midway", flush=True)
    time.sleep(600)
research.run_strategy = run
"""
COMMAND = "from quantlib.cli import main; main()"
#: A worker that comes no further than the first ten sets.
TEN_SETS = """
import time
from quantlib.workflows.ledger import SetsTried
SetsTried.AT_ONCE, write = 10, SetsTried.write
def write_ten(tried):
    write(tried)
    print("midway", flush=True)
    time.sleep(600)
SetsTried.write = write_ten
"""
#: One process is a script and the app, and then the command line: starting one takes longer than all it does.
SCRIPT = """
from app.cache import session
from quantlib.strategies import MACross
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import open_session

mine = open_session()
for fast in (3, 4):
    backtest_strategy(mine, MACross(universe=("KO",), fast=fast))
backtest_strategy(session(), MACross(universe=("KO",), fast=4))
backtest_strategy(session(), MACross(universe=("KO",), fast=5))
mine.close()
session().close()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Return a home with two stocks."""
    with empty_home() as home:
        yield home


@pytest.fixture(scope="module")
def session(home: Home) -> Iterator[Session]:
    """Return a session on it."""
    url = SecretStr(home.url) if home.url else None
    with Store.connect(home.url, home.folder) as store:
        ingest(store, "sample", ["KO", "PEP"], start="2016-01-01", call=Call(home.folder))
        yield Session(Settings(home=home.folder, database_url=url, _env_file=None), store)


def start(home: Home, code: str, *arguments: str) -> subprocess.Popen[str]:
    command, environment = home.command(code, *arguments)
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_midway(process: subprocess.Popen[str]) -> None:
    """End a process with kill -9 once it has come so far."""
    assert process.stdout is not None
    try:
        assert any(line == "midway\n" for line in process.stdout), "it never came so far"
    finally:
        process.kill()
        process.communicate()


def run(home: Home, code: str, *arguments: str) -> None:
    """Run a process to its end."""
    process = start(home, code, *arguments)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out


def counted(session: Session, idea: str) -> list[tuple[Any, ...]]:
    """Return origin, outcome and times of an idea's trials."""
    table = ledger_table(session, idea)
    return list(table[["origin", "outcome", "times"]].sort_values("times").itertuples(index=False, name=None))


def test_each_backtest_is_counted_once_wherever_it_is_asked_for_after_a_kill_too(
    home: Home, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "pair.yaml"
    file.write_text(to_yaml(Pair(y="KO", x="PEP"), "My pair"))
    asked = ("strategy", "run", str(file), "--idea", "killed")
    kill_midway(start(home, MIDWAY + COMMAND, *asked))
    assert counted(session, "killed") == [("cli", "begun", 1)]
    assert trial_counts(session)["killed"] == 1, "it may have been looked at"
    run(home, UNLOGGED + SCRIPT + COMMAND, *asked)
    assert counted(session, "killed") == [("cli", "done", 2)]
    assert trial_counts(session) == {"killed": 1, "ma_cross": 3}
    assert sorted(counted(session, "ma_cross")) == [
        ("app", "done", 1),
        ("app", "done", 2),
        ("notebook", "done", 1),
    ], "of the two who asked for the same, the last is named"


def test_a_sweep_of_a_worker_is_counted_once_after_a_kill_too(
    home: Home, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"slow": range(50, 70), "fast": [10, 20]}
    queued = start_sweep(session.asked(idea="swept"), MACross(universe=("KO",)), grid)
    kill_midway(start(home, TEN_SETS + COMMAND, "worker"))
    assert trial_counts(session)["swept"] == 40
    table = ledger_table(session, "swept", kind="set")
    assert table["outcome"].value_counts().to_dict() == {"begun": 30, "done": 10}
    asked = job(session, queued.id)
    assert asked["status"] == "running", "nobody knows yet"
    monkeypatch.setattr("quantlib.workflows.tracking.Tracker.log", lambda *_: "none")
    run_job(session.asked(origin="worker"), RunningJob(queued.id, "sweep", asked["args"], 2, lambda: ""), say=print)
    assert job(session, queued.id)["said"].startswith("40 sets")
    table = ledger_table(session, "swept")
    assert table.groupby(["kind", "origin", "outcome", "times"]).size().to_dict() == {
        ("set", "worker", "done", 2): 40,
        ("sweep", "worker", "done", 2): 1,
    }
    assert trial_counts(session)["swept"] == 40
    assert table.loc[table["kind"] == "set", "sharpe"].notna().all()
