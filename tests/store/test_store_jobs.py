"""The job queue and the schedules' rows: nothing twice, nothing lost, whoever asks and whoever dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from database import Database
from procrastinate import exceptions

from quantlib.errors import DataError
from quantlib.store import Store
from quantlib.store import jobs as module
from quantlib.store.jobs import (
    MOST_FAULTS,
    NewJob,
    add_job,
    add_job_within,
    cancel_job,
    end_job,
    forget_jobs,
    give_back,
    hand_back,
    last_done,
    read_job,
    read_jobs,
    recover_jobs,
    report_progress,
    workers_alive,
)
from quantlib.store.schedules import (
    ScheduleRecord,
    claim_due,
    read_occurrences,
    read_schedules,
    remove_schedule,
    switch_schedule,
    write_schedule,
)

NOON = datetime(2024, 11, 29, 12, tzinfo=UTC)


def run(store: Store, statement: str, **values: Any) -> Any:
    with store.begin() as connection:
        connection.exec_driver_sql("SET LOCAL search_path = jobs, public")
        return connection.execute(sa.text(statement), values)


def begin(store: Store, number: int, *, heartbeat: str = "0 s") -> int:
    """Return the worker that has taken a job as a worker of the library would, its last sign of life so long ago."""
    statement = (
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - CAST(:age AS interval)) RETURNING id"
    )
    with store.begin() as connection:
        connection.exec_driver_sql("SET LOCAL search_path = jobs, public")
        worker = int(connection.scalar(sa.text(statement), {"age": heartbeat}) or 0)
        taken = connection.execute(sa.text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :w)"), {"w": worker})
        assert taken.scalar() == number
    return worker


def status(store: Store, number: int) -> str:
    return str(read_job(store, number)["status"])


def test_a_job_waits_with_its_reason(store: Store) -> None:
    queued = add_job(store, NewJob("ingest", {"source": "sample"}, lock="ingest:sample", reason="asked for"))
    assert queued.new
    job = read_job(store, queued.id)
    assert job["task"] == "ingest"
    assert job["args"] == {"source": "sample"}
    assert (job["status"], job["reason"], job["attempts"]) == ("waiting", "asked for", 0)
    assert job["queued_at"].tzinfo is not None
    assert list(read_jobs(store, open_only=True)["id"]) == [queued.id]


def test_the_same_job_waits_once_another_beside_it(store: Store) -> None:
    first = add_job(store, NewJob("ingest", {"source": "sample", "symbols": ["KO"]}))
    assert add_job(store, NewJob("ingest", {"symbols": ["KO"], "source": "sample"})) == (first.id, False)
    assert add_job(store, NewJob("ingest", {"source": "sample", "symbols": ["PEP"]})).new
    begin(store, first.id)
    assert add_job(store, NewJob("ingest", {"source": "sample", "symbols": ["KO"]})).new, "the first one runs already"


def test_a_job_and_the_transaction_it_was_put_in_stand_or_fall_together(store: Store) -> None:
    def change_my_mind() -> None:
        with store.begin() as connection:
            add_job_within(connection, NewJob("quality"))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        change_my_mind()
    assert read_jobs(store).empty


def test_many_at_once_put_one_job_into_the_queue(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        queued = list(pool.map(lambda _: add_job(store, NewJob("quality")), range(8)))
    assert sum(one.new for one in queued) == 1
    assert len({one.id for one in queued}) == 1


def test_two_jobs_with_one_lock_never_run_at_once(store: Store) -> None:
    first = add_job(store, NewJob("ingest", {"source": "yahoo", "symbols": ["KO"]}, lock="ingest:yahoo"))
    second = add_job(store, NewJob("ingest", {"source": "yahoo", "symbols": ["PEP"]}, lock="ingest:yahoo"))
    other = add_job(store, NewJob("ingest", {"source": "ecb"}, lock="ingest:ecb"))
    begin(store, first.id)
    begin(store, other.id)
    assert run(store, "SELECT id FROM procrastinate_fetch_job_v2(NULL, 1)").scalar() is None
    run(store, "SELECT procrastinate_finish_job_v1(:id, 'succeeded', false)", id=first.id)
    begin(store, second.id)


def test_progress_and_result_are_kept_and_the_next_step_follows_in_the_same_breath(store: Store) -> None:
    number = add_job(store, NewJob("ingest", {"source": "sample"})).id
    begin(store, number)
    report_progress(store, number, 3, 97, "KO")
    job = read_job(store, number)
    assert (job["status"], job["done"], job["total"], job["label"], job["attempts"]) == ("running", 3, 97, "KO", 1)
    end_job(store, number, "done", "All is well.", mark="m1", then=NewJob("quality", reason=f"after job {number}"))
    run(store, "SELECT procrastinate_finish_job_v1(:id, 'succeeded', false)", id=number)
    after, before = read_jobs(store).to_dict("records")
    assert (before["status"], before["said"], before["mark"]) == ("done", "All is well.", "m1")
    assert before["started_at"] <= before["finished_at"]
    assert (after["task"], after["reason"]) == ("quality", f"after job {number}")
    assert last_done(store, "ingest") == (number, "m1")
    assert last_done(store, "quality") is None


def test_a_waiting_job_is_cancelled_a_running_one_told_to_stop(store: Store) -> None:
    waiting, running = add_job(store, NewJob("report")).id, add_job(store, NewJob("quality")).id
    assert cancel_job(store, waiting) == "cancelled"
    begin(store, running)
    assert cancel_job(store, running) == "stopping"
    assert (status(store, waiting), status(store, running)) == ("cancelled", "stopping")
    assert read_job(store, waiting)["said"] == "Cancelled before it began."
    with pytest.raises(DataError, match=rf"Job {waiting} has ended already \(cancelled\)"):
        cancel_job(store, waiting)
    with pytest.raises(DataError, match="There is no job 999"):
        cancel_job(store, 999)


def test_a_job_whose_worker_died_waits_again_and_others_are_left_alone(store: Store) -> None:
    dead, alive, own = (add_job(store, NewJob("ingest", {"source": name})).id for name in ("a", "b", "c"))
    begin(store, dead, heartbeat="61 s")
    begin(store, alive, heartbeat="59 s")
    me = begin(store, own, heartbeat="3600 s")  # a laptop that has just woken up
    assert recover_jobs(store, silent=60, own=me) == [dead]
    assert [status(store, number) for number in (dead, alive, own)] == ["waiting", "running", "running"]
    assert recover_jobs(store, silent=60, own=me) == []
    assert workers_alive(store, seconds=60) == 1


def test_a_job_whose_worker_was_removed_waits_again(store: Store) -> None:
    number = add_job(store, NewJob("quality")).id
    begin(store, number, heartbeat="61 s")
    run(store, "SELECT procrastinate_prune_stalled_workers_v1(60)")
    assert recover_jobs(store, silent=60, own=1) == [number]


def test_a_cancelled_job_of_a_dead_worker_stays_cancelled(store: Store) -> None:
    number = add_job(store, NewJob("quality")).id
    begin(store, number, heartbeat="61 s")
    cancel_job(store, number)
    recover_jobs(store, silent=60)
    assert status(store, number) == "cancelled"


def test_a_job_that_kills_its_workers_is_given_up(store: Store) -> None:
    number = add_job(store, NewJob("pipeline")).id
    for life in range(MOST_FAULTS):
        assert status(store, number) == "waiting", life
        begin(store, number, heartbeat="61 s")
        recover_jobs(store, silent=60)
    assert status(store, number) == "failed"
    assert read_job(store, number)["said"].startswith(f"Given up after {MOST_FAULTS} attempts. The last worker died")


def test_a_worker_that_ends_hands_its_jobs_back_and_that_is_no_fault(store: Store) -> None:
    number, other = add_job(store, NewJob("pipeline")).id, add_job(store, NewJob("report")).id
    elsewhere = begin(store, number)
    begin(store, other)
    hand_back(store, elsewhere)
    for _ in range(2 * MOST_FAULTS):
        worker = begin(store, number)
        hand_back(store, worker)
    assert [status(store, one) for one in (number, other)] == ["waiting", "running"]
    assert workers_alive(store) == 1, "those that ended have signed off"
    worker = begin(store, number)
    cancel_job(store, number)
    hand_back(store, worker)
    assert status(store, number) == "cancelled"


def equal_pair(store: Store, *, heartbeat: str = "0 s", task: str = "quality") -> tuple[int, int, int]:
    """Return a job that runs, one that waits to do the same, and the worker of the first."""
    running = add_job(store, NewJob(task, lock=task)).id
    worker = begin(store, running, heartbeat=heartbeat)
    return running, add_job(store, NewJob(task, lock=task)).id, worker


def assert_taken_over(store: Store, first: int, heir: int, why: str) -> None:
    job = read_job(store, first)
    assert (job["status"], job["outcome"]) == ("cancelled", "cancelled")
    assert job["said"] == f"{why} Job {heir}, which does the same, takes over."
    begin(store, heir)  # the lock is free


def test_a_lost_job_gives_way_to_an_equal_one_that_waits(store: Store) -> None:
    first, heir, _ = equal_pair(store, heartbeat="61 s")
    other = add_job(store, NewJob("report", lock="report")).id
    begin(store, other, heartbeat="61 s")
    assert recover_jobs(store, silent=60) == [first, other]
    assert status(store, other) == "waiting"
    assert_taken_over(store, first, heir, "Its worker died.")
    assert recover_jobs(store, silent=60) == []


def test_a_job_handed_back_gives_way_to_an_equal_one_that_waits(store: Store) -> None:
    first, heir, worker = equal_pair(store)
    hand_back(store, worker)
    assert_taken_over(store, first, heir, "Its worker has ended.")


def test_a_job_to_be_tried_again_gives_way_to_an_equal_one_that_waits(store: Store) -> None:
    first, heir, _ = equal_pair(store)
    give_back(store, first, due=datetime.now(UTC) + timedelta(hours=1))
    assert_taken_over(store, first, heir, "It did not come to its end.")


def test_a_job_given_back_alone_waits_until_it_is_due(store: Store) -> None:
    number = add_job(store, NewJob("quality")).id
    begin(store, number)
    due = datetime.now(UTC) + timedelta(hours=1)
    give_back(store, number, due=due)
    job = read_job(store, number)
    assert (job["status"], job["due_at"]) == ("waiting", due)


def test_a_lost_job_that_cannot_be_taken_up_keeps_no_other_from_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [add_job(store, NewJob("ingest", {"source": name})).id for name in ("a", "b", "c")]
    for number in numbers:
        begin(store, number, heartbeat="61 s")
    recover = module._recover

    def broken(connection: sa.Connection, row: sa.Row[Any]) -> None:
        recover(connection, row)
        if row.id == numbers[1]:
            raise exceptions.ConnectorException

    monkeypatch.setattr(module, "_recover", broken)
    assert recover_jobs(store, silent=60) == [numbers[0], numbers[2]]
    assert [status(store, number) for number in numbers] == ["waiting", "running", "waiting"]


def test_asking_for_a_job_that_waits_to_be_tried_again_starts_it_now(store: Store) -> None:
    job = NewJob("ingest", {"source": "sample"}, lock="ingest:sample")
    number = add_job(store, job).id
    begin(store, number)
    due = datetime.now(UTC) + timedelta(minutes=15)
    give_back(store, number, due=due)
    with store.begin() as connection:
        add_job_within(connection, job)
    assert read_job(store, number)["due_at"] == due, "a schedule or a chain is in no hurry"
    assert add_job(store, job) == (number, False)
    begin(store, number)


def test_old_jobs_are_forgotten_with_all_that_is_known_of_them(store: Store) -> None:
    old, new, waiting = (add_job(store, NewJob("ingest", {"source": name})).id for name in ("a", "b", "c"))
    for number in (old, new):
        begin(store, number)
        run(store, "SELECT procrastinate_finish_job_v1(:id, 'succeeded', false)", id=number)
    run(
        store,
        "UPDATE procrastinate_events SET at = now() - interval '91 days' WHERE job_id IN (:a, :c)",
        a=old,
        c=waiting,
    )
    assert forget_jobs(store, days=90) == 1
    assert sorted(read_jobs(store)["id"]) == [new, waiting]
    assert run(store, "SELECT count(*) FROM ops.job_progress").scalar() == 2


# Schedules


def every_hour(since: datetime, until: datetime) -> list[datetime]:
    first = since.replace(minute=0, second=0, microsecond=0)
    moments = [first + timedelta(hours=n) for n in range(1 + int((until - first) / timedelta(hours=1)))]
    return [at for at in moments if since < at <= until]


def claim(store: Store, until: datetime, name: str = "hourly") -> Any:
    def job(moments: Sequence[datetime]) -> NewJob:
        return NewJob("quality", {"n": len(moments)}, reason=f"schedule {name}")

    return claim_due(store, name, lambda since: every_hour(since, until), job)


@pytest.fixture
def hourly(store: Store) -> Store:
    write_schedule(store, ScheduleRecord("hourly", "quality", "every 1 h", enabled=True), now=NOON)
    return store


def test_what_is_due_is_run_once_and_counted_on_from_there(hourly: Store) -> None:
    assert claim(hourly, NOON + timedelta(minutes=59)) is None
    queued = claim(hourly, NOON + timedelta(minutes=61))
    assert queued.new
    assert claim(hourly, NOON + timedelta(minutes=62)) is None
    later = claim(hourly, NOON + timedelta(minutes=120))
    assert later is not None
    table = read_occurrences(hourly)
    assert list(table["at"]) == [NOON + timedelta(hours=2), NOON + timedelta(hours=1)]
    assert list(table["outcome"]) == ["run", "run"]
    assert read_schedules(hourly)["job_id"].item() == later.id


def test_after_a_pause_one_job_covers_all_that_was_missed(hourly: Store) -> None:
    queued = claim(hourly, NOON + timedelta(days=5))
    assert list(read_jobs(hourly)["id"]) == [queued.id]
    table = read_occurrences(hourly, limit=1000)
    assert len(table) == 120
    assert list(table["outcome"]) == ["run"] + ["covered"] * 119
    assert set(table["job_id"]) == {queued.id}


def test_what_came_due_while_off_is_not_caught_up(hourly: Store) -> None:
    switch_schedule(hourly, "hourly", on=False, now=NOON)
    assert claim(hourly, NOON + timedelta(days=1)) is None
    switch_schedule(hourly, "hourly", on=True, now=NOON + timedelta(days=2))
    switch_schedule(hourly, "hourly", on=True, now=NOON + timedelta(days=3))  # it is on already: nothing is moved
    claim(hourly, NOON + timedelta(days=2, hours=1))
    assert list(read_occurrences(hourly)["at"]) == [NOON + timedelta(days=2, hours=1)]


def test_another_trigger_counts_from_the_moment_it_was_set(hourly: Store) -> None:
    write_schedule(hourly, ScheduleRecord("hourly", "quality", "every 1 h", enabled=True), now=NOON + timedelta(days=1))
    assert read_schedules(hourly)["since"].item() == NOON, "the same once more changes nothing"
    write_schedule(hourly, ScheduleRecord("hourly", "report", "every 2 h", enabled=True), now=NOON + timedelta(days=1))
    assert read_schedules(hourly)["since"].item() == NOON + timedelta(days=1)
    other = ScheduleRecord("hourly", "pipeline", "every 5 h")
    assert not write_schedule(hourly, other, now=NOON, replace=False)
    assert read_schedules(hourly)["task"].item() == "report"


def test_a_schedule_that_does_not_exist_is_named_with_the_nearest(hourly: Store) -> None:
    with pytest.raises(DataError, match=r"There is no schedule 'hourli'\. Did you mean hourly\?"):
        switch_schedule(hourly, "hourli", on=True, now=NOON)
    with pytest.raises(DataError, match="no schedule 'daily'"):
        remove_schedule(hourly, "daily")
    claim(hourly, NOON + timedelta(hours=1))
    remove_schedule(hourly, "hourly")
    assert read_schedules(hourly).empty
    assert read_occurrences(hourly).empty


RACE = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from quantlib.store import Store
from quantlib.store.jobs import NewJob
from quantlib.store.schedules import claim_due

url, home, noon, rounds = sys.argv[1] or None, Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), int(sys.argv[4])
hour = timedelta(hours=1)
with Store.connect(url, home) as store:
    print("ready", flush=True)
    for n in range(1, rounds + 1):
        sys.stdin.readline()
        due = lambda since: [since + k * hour for k in range(1, n + 1) if since + k * hour <= noon + n * hour]
        won = claim_due(store, "hourly", due, lambda moments: NewJob("quality", {"until": n})) is not None
        print(int(won), flush=True)
"""


def test_two_processes_that_tick_at_once_start_every_job_once(hourly: Store, database: Database) -> None:
    rounds = 60
    command = [sys.executable, "-c", RACE, database.url or "", str(database.home), NOON.isoformat(), str(rounds)]
    pair = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.stdout.readline() for one in pair if one.stdout] == ["ready\n", "ready\n"]
    won = 0
    for _ in range(rounds):
        for one in pair:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        both = [int(one.stdout.readline()) for one in pair if one.stdout]
        # One that comes while the other holds the row leaves it alone, so in a round both may not both win.
        assert sum(both) <= 1
        won += sum(both)
    for one in pair:
        one.communicate(timeout=60)
    table = read_occurrences(hourly, limit=1000)
    assert sorted(table["at"]) == [NOON + timedelta(hours=n + 1) for n in range(rounds)], "each exactly once"
    assert won == (table["outcome"] == "run").sum() == len(read_jobs(hourly, limit=1000))
