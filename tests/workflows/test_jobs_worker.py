"""Real workers in real processes: killed, told to end, bereft of their database, and two at once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from database import Database
from pydantic import SecretStr

from quantlib.settings import Settings, utc_now
from quantlib.store import Store, job_worker
from quantlib.store.job_worker import Pace, work
from quantlib.store.jobs import NewJob, add_job, cancel_job, read_job, read_jobs, workers_alive
from quantlib.store.schedules import ScheduleRecord, read_occurrences, write_schedule
from quantlib.workflows.session import Session

pytestmark = pytest.mark.slow

# A task of 25 steps of 0.08 s that goes on where it was left, as an ingest does; then one that says it was reached.
WORKER = """
import os, sys, time
from pathlib import Path
from pydantic import SecretStr
from quantlib.settings import Settings
from quantlib.store.job_worker import Pace, TryAgainError
from quantlib.store.jobs import NewJob, add_job
from quantlib.workflows import schedule
from quantlib.workflows.session import open_session
from quantlib.workflows.tasks import TASKS, Outcome, StepArgs, Task
from quantlib.workflows.worker import run_worker

url, home, logs = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
schedule.DEFAULTS = ()

def steps(session, args, progress):
    for n in range(25):
        progress(n, 25, f"step {n}")
        with session.store.begin() as connection:
            there = connection.exec_driver_sql(f"SELECT 1 FROM public.trial WHERE step = {n} AND {args.force} IS FALSE")
            if there.first() is None:
                connection.exec_driver_sql(f"INSERT INTO public.trial VALUES ({n}, {os.getpid()})")
                time.sleep(0.08)
    return Outcome("All steps are done.")

TASKS["steps"] = Task("Steps", StepArgs, steps, lambda _: "steps", then="after")
def stuck(session, args, progress):
    progress(0, 1, "a long step")
    time.sleep(60)

TASKS["stuck"] = Task("Stuck", StepArgs, stuck, lambda _: "stuck")
def again(session, args, progress):
    if not (Path(sys.argv[3]) / "met").exists():
        (Path(sys.argv[3]) / "met").touch()
        add_job(session.store, NewJob("again", lock="again"))
        raise TryAgainError(3600, "Not now.")
    return Outcome("Now.")

TASKS["again"] = Task("Again", StepArgs, again, lambda _: "again")
TASKS["after"] = Task("After", StepArgs, lambda *_: Outcome("Reached."), lambda _: "after")
session = open_session(Settings(home=home, database_url=SecretStr(url) if url else None, _env_file=None))
object.__setattr__(session.settings, "home", logs)
run_worker(session, pace=Pace(tick=0.3, heartbeat=0.3, silent=1.5), say=lambda line: print(line, flush=True))
session.close()
print("ended", flush=True)
"""
PATIENCE = 120


@pytest.fixture
def session(store: Store, database: Database, tmp_path: Path) -> Iterator[Session]:
    """Return a session on the test database, with a table for what the trial task does."""
    with store.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS public.trial (step integer, process integer)")
        connection.exec_driver_sql("TRUNCATE public.trial")
    url = SecretStr(database.url) if database.url else None
    yield Session(Settings(home=tmp_path, database_url=url, _env_file=None), store)
    with store.begin() as connection:
        connection.exec_driver_sql("DROP TABLE public.trial")


@pytest.fixture
def worker(database: Database, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return a function that starts a worker; all are ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, database.url or "", str(database.home), str(tmp_path)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def until(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.05)


def steps(session: Session) -> list[int]:
    with session.store.begin() as connection:
        return [row.step for row in connection.exec_driver_sql("SELECT step FROM public.trial ORDER BY step")]


def status(session: Session, number: int) -> str:
    return str(read_job(session.store, number)["status"])


def start_job(session: Session, **args: bool) -> int:
    return add_job(session.store, NewJob("steps", args, lock="steps")).id


def test_a_job_goes_on_after_its_worker_is_killed_and_nothing_is_done_twice(
    session: Session, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    number, first = start_job(session), worker()
    until(lambda: len(steps(session)) >= 3)
    first.kill()
    first.wait()
    done = steps(session)
    assert len(done) < 25
    assert status(session, number) == "running", "nobody knows yet"
    worker()
    until(lambda: not read_jobs(session.store, task="after").empty)
    until(lambda: read_jobs(session.store, open_only=True).empty)
    job = read_job(session.store, number)
    assert (job["status"], job["attempts"], job["said"]) == ("done", 2, "All steps are done.")
    assert steps(session) == list(range(25)), "each step once, though two processes took part"
    assert len(read_jobs(session.store)) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_end_leaves_its_job_to_the_next(
    session: Session, worker: Callable[[], subprocess.Popen[str]], number: signal.Signals
) -> None:
    job, first = start_job(session), worker()
    until(lambda: len(steps(session)) >= 2)
    first.send_signal(number)
    out, _ = first.communicate(timeout=5)
    assert first.returncode == 0
    assert out.endswith("ended\n")
    assert status(session, job) == "waiting"
    assert len(steps(session)) < 25
    assert workers_alive(session.store) == 0
    worker()
    until(lambda: status(session, job) == "done")
    assert steps(session) == list(range(25))


@pytest.mark.parametrize("task", ["steps", "stuck"])
def test_a_job_of_a_worker_told_to_end_gives_way_to_an_equal_one_that_waits(
    session: Session, worker: Callable[[], subprocess.Popen[str]], task: str
) -> None:
    first, process = add_job(session.store, NewJob(task, lock=task)).id, worker()
    until(lambda: read_job(session.store, first)["label"] != "")
    heir = add_job(session.store, NewJob(task, lock=task)).id
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=8) == 0
    assert [status(session, number) for number in (first, heir)] == ["cancelled", "waiting"]
    assert read_job(session.store, first)["said"].endswith(f"Job {heir}, which does the same, takes over.")


def test_a_job_to_be_tried_again_gives_way_to_an_equal_one_that_waits(
    session: Session, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    first = add_job(session.store, NewJob("again", lock="again")).id
    worker()
    until(lambda: read_jobs(session.store, open_only=True).empty)
    heir, before = read_jobs(session.store).to_dict("records")
    assert (before["id"], before["status"]) == (first, "cancelled")
    assert before["said"] == f"It did not come to its end. Job {heir['id']}, which does the same, takes over."
    assert (heir["status"], heir["said"]) == ("done", "Now.")


def test_a_fault_with_dead_workers_jobs_stops_no_schedule(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(job_worker, "recover_jobs", broken)
    ticked: list[int] = []

    async def live() -> None:
        ended = asyncio.Event()

        def tick() -> None:
            ticked.append(1)
            loop.call_soon_threadsafe(ended.set)

        loop = asyncio.get_running_loop()
        await asyncio.wait_for(work(store, [], lambda _: None, tick, ended=ended, pace=Pace(tick=0.1)), 20)

    asyncio.run(live())
    assert ticked


def test_a_worker_told_to_end_does_not_wait_for_a_long_step(
    session: Session, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    job, process = add_job(session.store, NewJob("stuck")).id, worker()
    until(lambda: read_job(session.store, job)["label"] == "a long step")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=8) == 0, "in less time than `workbench run` gives it"
    assert status(session, job) == "waiting"
    assert workers_alive(session.store) == 0


def test_a_running_job_is_cancelled_from_another_process_within_a_second(
    session: Session, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    number = start_job(session)
    worker()
    until(lambda: len(steps(session)) >= 2)
    asked = time.monotonic()
    assert cancel_job(session.store, number) == "stopping"
    until(lambda: status(session, number) == "cancelled")
    assert time.monotonic() - asked < 2
    assert read_job(session.store, number)["said"].startswith("Cancelled after ")
    assert read_jobs(session.store, task="after").empty


def test_two_workers_share_jobs_and_never_run_one_lock_at_once(
    session: Session, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    worker(), worker()
    until(lambda: workers_alive(session.store) == 2)
    numbers = [start_job(session), start_job(session, force=True)]
    until(lambda: read_jobs(session.store, open_only=True).empty)
    first, second = (read_job(session.store, number) for number in numbers)
    assert [first["status"], second["status"]] == ["done", "done"]
    assert first["finished_at"] <= second["started_at"]
    assert sorted(steps(session)) == sorted([*range(25)] * 2)


def test_two_workers_start_each_due_moment_once(session: Session, worker: Callable[[], subprocess.Popen[str]]) -> None:
    worker(), worker()
    until(lambda: workers_alive(session.store) == 2)
    record = ScheduleRecord("often", "after", "every 1 min", enabled=True)
    write_schedule(session.store, record, now=utc_now() - timedelta(days=100))
    until(lambda: not read_jobs(session.store, task="after").empty)
    time.sleep(1)
    # Whatever comes due between two readings is put into the queue with its occurrence, so it is in the later of them.
    jobs, occurrences = read_jobs(session.store), read_occurrences(session.store, limit=10**6)
    runs = occurrences[occurrences["outcome"] == "run"]
    assert len(jobs) in {1, 2}, "two only where a full minute passed by meanwhile"
    assert set(jobs["id"]) <= set(runs["job_id"])
    assert runs["job_id"].is_unique
    assert not occurrences.duplicated(["schedule", "at"]).any()


def test_a_worker_outlives_the_loss_of_its_database(
    session: Session, database: Database, worker: Callable[[], subprocess.Popen[str]]
) -> None:
    if database.url:
        pytest.skip("the server is not ours to kill")
    number, process = start_job(session), worker()
    until(lambda: len(steps(session)) >= 2)
    postmaster = psutil.Process(int((database.home / "pg" / "postmaster.pid").read_text().split()[0]))
    for one in [postmaster, *postmaster.children(recursive=True)]:
        one.kill()
    until(lambda: status(session, number) == "done")
    assert steps(session) == list(range(25))
    assert process.poll() is None
    later = start_job(session, force=True)
    until(lambda: status(session, later) == "done")
    assert "All steps are done." in (session.settings.home / "logs" / "jobs.log").read_text()
