"""`workbench jobs` and `workbench worker` as the operator meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quantlib.store import Store, coverage
from quantlib.store.jobs import read_job, read_jobs
from quantlib.workflows.schedule import DEFAULTS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def worker(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a running `workbench worker`."""
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "quantlib.cli", "worker"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "Waiting for jobs. Ctrl-C ends it; a running job then goes on next time.\n"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=10)


def test_a_job_waits_is_listed_cancelled_and_retried(workbench: Run, store: Store) -> None:
    assert "There are no such jobs." in workbench("jobs", "list")[1]
    code, out, _ = workbench("jobs", "run", "ingest", "--source", "sample", "--symbol", "KO", "--alone")
    assert code == 0
    assert out.startswith("Job 1 waits for a worker.\nNo worker is running.")
    assert read_job(store, 1)["args"] == {"source": "sample", "symbols": ["KO"], "follow": False}
    repeated = workbench("jobs", "run", "ingest", "--source", "sample", "--symbol", "KO", "--alone")[1]
    assert repeated.startswith("Job 1 was waiting already for the same.")
    assert workbench("jobs", "cancel", "1")[1] == "Job 1 is cancelled; it had not begun.\n"
    assert workbench("jobs", "retry", "1")[1] == "Job 2 does again what job 1 did.\n"
    out = workbench("jobs", "list")[1]
    assert [word for word in out.split() if word in {"waiting", "cancelled"}] == ["waiting", "cancelled"]
    assert "ingest sample KO" in out
    assert "ingest sample KO" not in workbench("jobs", "list", "--task", "quality")[1]
    shown = workbench("jobs", "show", "1")[1]
    assert "said: Cancelled before it began." in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("jobs", "run", "ingst"), "There is no task 'ingst'. Did you mean ingest?"),
        (("jobs", "run", "ingest"), "Task ingest, source: Field required."),
        (("jobs", "run", "quality", "--source", "sample"), "Task quality, source: Extra inputs are not permitted."),
        (("jobs", "run", "ingest", "--source", "yaho"), "There is no source 'yaho'. Did you mean yahoo?"),
        (("jobs", "cancel", "7"), "There is no job 7. `workbench jobs list` shows those there are."),
        (("jobs", "schedule", "on", "nihgtly"), "There is no schedule 'nihgtly'. There are none yet."),
        (("jobs", "schedule", "set", "x", "quality", "XNYS clos"), "The trigger 'XNYS clos' cannot be read."),
        (("worker", "--check"), "No worker is running. `workbench run` has one;"),
    ],
)
def test_a_slip_is_one_line_and_exit_code_2(workbench: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = workbench(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {message}")
    assert "Traceback" not in err


def test_schedules_are_written_turned_on_changed_and_removed(workbench: Run) -> None:
    assert "`workbench jobs schedule --defaults` writes the usual ones." in workbench("jobs", "schedule")[1]
    out = workbench("jobs", "schedule", "--defaults")[1]
    assert out.startswith(f"{len(DEFAULTS)} schedules written.")
    assert all(record.name in out for record in DEFAULTS)
    out = workbench("jobs", "schedule", "on", "yahoo-bars")[1]
    assert out.startswith("yahoo-bars is on, next 2")
    assert out.endswith(":45 UTC.\n")
    assert workbench("jobs", "schedule", "off", "yahoo-bars")[1] == "yahoo-bars is off.\n"
    set_one = ("jobs", "schedule", "set", "mine", "ingest", "nyse close+30min", "--source", "sample")
    assert workbench(*set_one)[1].startswith("mine: XNYS close + 30 min, next 2")
    assert workbench("jobs", "schedule", "remove", "mine")[1] == "mine is removed.\n"
    assert "mine" not in workbench("jobs", "schedule")[1].split()


def test_the_worker_does_what_is_asked_and_ends_when_told(
    workbench: Run, store: Store, worker: subprocess.Popen[str]
) -> None:
    code, out, _ = workbench("jobs", "run", "ingest", "--source", "sample", "--symbol", "KO", "--alone", "--wait")
    assert code == 0, out
    assert "Job 1 done: sample: 8,313 new" in out
    assert set(coverage(store)["symbol"]) == {"KO"}
    assert workbench("worker", "--check") == (0, "A worker is running.\n", "")
    assert "1 worker running." in workbench("jobs", "list")[1]
    out = workbench("jobs", "schedule")[1]
    assert all(record.name in out for record in DEFAULTS), "a first worker writes the defaults"
    assert list(read_jobs(store)["id"]) == [1], "and asks nobody for anything"
    worker.send_signal(signal.SIGTERM)
    rest, _ = worker.communicate(timeout=10)
    assert worker.returncode == 0
    assert rest.startswith("Job 1 (ingest): sample: 8,313 new")


def test_a_job_that_fails_ends_with_exit_code_1_and_its_reason(workbench: Run, worker: subprocess.Popen[str]) -> None:
    assert worker.poll() is None
    code, out, _ = workbench("jobs", "run", "ingest", "--source", "sample", "--symbol", "KOO", "--wait")
    assert code == 1
    assert "Job 1 failed: " in out
    assert "KOO" in out
    assert "Traceback" not in out
    assert "Traceback" in workbench("jobs", "show", "1")[1]
