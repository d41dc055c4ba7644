"""The job queue: what waits, what runs, how far it is and what came of it.

The queue itself is procrastinate's, in the schema `jobs`; `ops.job_progress` keeps beside it what that library does
not: why a job runs, its progress and its result in words.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

import pandas as pd
import sqlalchemy as sa
from procrastinate import SyncPsycopgConnector, exceptions, sql
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy.dialects.postgresql import insert

from quantlib.errors import DataError
from quantlib.store.database import Store
from quantlib.store.upsert import as_json

log = logging.getLogger(__name__)
Outcome = Literal["done", "skipped", "failed", "cancelled"]
QUEUE = "default"
MOST_FAULTS = 5
"""Attempts at one job that may come to nothing before it is given up: its worker died, nobody answered."""

PROGRESS = sa.Table(
    "job_progress",
    sa.MetaData(schema="ops"),
    sa.Column("job_id", sa.BigInteger, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("reason", "label", "outcome", "said", "mark", "traceback")),
    *(sa.Column(name, sa.Integer) for name in ("done", "total", "faults")),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("queued_at", "updated_at")),
)
_FRESH = dict.fromkeys(("reason", "label", "outcome", "said", "mark", "traceback"), "") | dict.fromkeys(
    ("done", "total", "faults"), 0
)
# Hands every call the connection of our own transaction; it opens none itself.
_connector = SyncPsycopgConnector()
_manager = JobManager(_connector)


@dataclass(frozen=True)
class NewJob:
    """A job to put into the queue.

    Parameters
    ----------
    task, args
        Name of the task, and its arguments as JSON can hold them.
    lock
        No two jobs with the same lock run at the same time, on however many workers.
    reason
        Why it runs, for people.
    """

    task: str
    args: Mapping[str, Any] = field(default_factory=dict)
    lock: str | None = None
    reason: str = ""

    @property
    def waiting_lock(self) -> str:
        """The same for two jobs that would do the same; only one of them may wait."""
        text = json.dumps(as_json(self.args), sort_keys=True)
        return f"{self.task}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class Queued(NamedTuple):
    """Number of a job in the queue, and whether it is new or the same was waiting already."""

    id: int
    new: bool


def add_job(store: Store, job: NewJob) -> Queued:
    """Return the number under which the job waits: that of an equal one if one did already, which is then due now."""
    with store.begin() as connection:
        queued = add_job_within(connection, job)
        if not queued.new:
            connection.execute(_AT_ONCE, {"number": queued.id})
        return queued


def add_job_within(connection: sa.Connection, job: NewJob) -> Queued:
    """Return the number of a job, put into the queue in the transaction of `connection`."""
    _enter(connection)
    wanted = Job(
        queue=QUEUE,
        lock=job.lock,
        queueing_lock=job.waiting_lock,
        task_name=job.task,
        task_kwargs=as_json(job.args),
    )
    same = sa.text("SELECT id FROM jobs.procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'")
    while True:
        if (waiting := connection.scalar(same, {"lock": job.waiting_lock})) is not None:
            return Queued(int(waiting), new=False)
        try:
            with connection.begin_nested():
                number = _manager.defer_job(wanted, connection=_driver(connection)).id
        except exceptions.AlreadyEnqueued:
            continue  # somebody else was quicker by a moment
        values = {**_FRESH, "job_id": number, "reason": job.reason, "queued_at": sa.func.now()}
        statement = insert(PROGRESS).values(values)
        connection.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=values))
        return Queued(int(number or 0), new=True)


def cancel_job(store: Store, number: int) -> Literal["cancelled", "stopping"]:
    """Return `cancelled` for a job that had not begun, `stopping` for one that ends at its next step.

    Raises
    ------
    DataError
        There is no such job, or it has ended already.
    """
    status = str(read_job(store, number)["status"])
    with store.begin() as connection:
        _enter(connection)
        if not _manager.cancel_job_by_id(number, abort=True, connection=_driver(connection)):
            raise DataError(f"Job {number} has ended already ({status}). There is nothing to cancel.")
        now = connection.scalar(
            sa.text("SELECT status::text FROM jobs.procrastinate_jobs WHERE id = :id"), {"id": number}
        )
        if now == "doing":
            return "stopping"
        _set(connection, number, outcome="cancelled", said="Cancelled before it began.")
    return "cancelled"


def report_progress(store: Store, number: int, done: int, total: int, label: str) -> None:
    """Note how far a job is."""
    with store.begin() as connection:
        _set(connection, number, done=done, total=total, label=label)


def end_job(
    store: Store,
    number: int,
    outcome: Outcome,
    said: str,
    *,
    mark: str = "",
    traceback: str = "",
    then: NewJob | None = None,
) -> None:
    """Note what came of a job and put the one that follows it into the queue, both or neither."""
    with store.begin() as connection:
        _set(connection, number, outcome=outcome, said=said, mark=mark, traceback=traceback)
        if outcome == "done":
            connection.execute(sa.update(PROGRESS).where(PROGRESS.c.job_id == number).values(done=PROGRESS.c.total))
        if then is not None:
            add_job_within(connection, then)


def note_fault(store: Store, number: int, said: str) -> int:
    """Return how many attempts at a job have come to nothing by now, having noted why this one did."""
    with store.begin() as connection:
        return _count_fault(connection, number, said)


def read_jobs(
    store: Store, *, number: int | None = None, task: str | None = None, open_only: bool = False, limit: int = 50
) -> pd.DataFrame:
    """Return jobs as a table, the newest first.

    Parameters
    ----------
    number, task, open_only
        Only that job; only those of a task; only those that wait or run.
    limit
        At most so many.

    Returns
    -------
    DataFrame
        Columns id, task, args, status (waiting, running, stopping, done, skipped, failed, cancelled), reason,
        attempts, queued_at, due_at (not before), started_at, finished_at, done, total, label, outcome, said, mark,
        traceback.
    """
    wanted = {"number": number, "task": task, "open_only": open_only, "limit": limit}
    with store.begin() as connection:
        result = connection.execute(_JOBS, wanted)
        table = pd.DataFrame(result.all(), columns=list(result.keys()))
    moments = ("queued_at", "due_at", "started_at", "finished_at")
    return table.assign(**{name: pd.to_datetime(table[name], utc=True) for name in moments})


def read_job(store: Store, number: int) -> dict[str, Any]:
    """Return one job as a mapping of the columns of `read_jobs`.

    Raises
    ------
    DataError
        There is no such job.
    """
    found = read_jobs(store, number=number)
    if found.empty:
        raise DataError(f"There is no job {number}. `workbench jobs list` shows those there are.")
    return {str(name): value for name, value in found.iloc[0].to_dict().items()}


class Done(NamedTuple):
    """A job that did its work, and the mark of what it had seen."""

    id: int
    mark: str


def last_done(store: Store, task: str) -> Done | None:
    """Return the last job of a task that did its work; None if none ever did."""
    statement = (
        sa.select(PROGRESS.c.job_id, PROGRESS.c.mark)
        .join(_QUEUE, _QUEUE.c.id == PROGRESS.c.job_id)
        .where(_QUEUE.c.task_name == task, PROGRESS.c.outcome == "done")
        .order_by(PROGRESS.c.job_id.desc())
        .limit(1)
    )
    with store.begin() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else Done(int(row.job_id), str(row.mark))


def workers_alive(store: Store, *, seconds: float = 60) -> int:
    """Return how many workers have given a sign of life in the last seconds."""
    with store.begin() as connection:
        return int(connection.scalar(_ALIVE, {"seconds": seconds}) or 0)


def recover_jobs(store: Store, *, silent: float, own: int | None = None) -> list[int]:
    """Return the jobs whose worker has died: back in the queue, or ended where that was asked or is no use.

    Parameters
    ----------
    silent
        Seconds without a sign of life after which a worker counts as dead.
    own
        Number of the calling worker, which is alive whatever its last sign says (a laptop wakes up).
    """
    with store.begin() as connection:
        _enter(connection)
        lost = connection.execute(_LOST, {"silent": silent, "own": own}).all()
        recovered = []
        for row in lost:
            try:
                with connection.begin_nested():  # one that cannot be recovered keeps no other from it
                    _recover(connection, row)
                recovered.append(int(row.id))
            except (exceptions.ConnectorException, sa.exc.DBAPIError):
                log.exception("Job %s, whose worker died, cannot be taken up.", row.id)
    return recovered


def hand_back(store: Store, worker: int) -> None:
    """Put the jobs of a worker that is about to end back into the queue, to be continued, and sign it off."""
    with store.begin() as connection:
        _enter(connection)
        for row in connection.execute(_HELD, {"worker": worker}).all():
            if row.abort_requested:
                _finish(connection, row.id, "aborted")
                _set(connection, row.id, outcome="cancelled", said="Cancelled; its worker has ended.")
            else:
                _give_back(connection, row.id, "Its worker has ended.")
        _call(connection, "unregister_worker", worker_id=worker)


def give_back(store: Store, number: int, *, due: datetime | None = None) -> None:
    """Put a running job back into the queue, not to begin before `due`; where an equal one waits, that takes over."""
    with store.begin() as connection:
        _enter(connection)
        _give_back(connection, number, "It did not come to its end.", due)


def forget_jobs(store: Store, *, days: int) -> int:
    """Return how many jobs that ended so many days ago were removed, with all that is known of them."""
    with store.begin() as connection:
        _enter(connection)
        gone = connection.scalars(_FORGET, {"days": days}).all()
        connection.execute(sa.delete(PROGRESS).where(PROGRESS.c.job_id.in_(gone)))
    return len(gone)


def _enter(connection: sa.Connection) -> None:
    """Let the queue's functions find their tables until the transaction ends."""
    connection.exec_driver_sql("SET LOCAL search_path = jobs, public")


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection


def _call(connection: sa.Connection, query: str, **arguments: Any) -> None:
    """Run one of the queue library's own statements in our transaction."""
    _connector.execute_query_all_with_connection(_driver(connection), query=sql.queries[query], **arguments)


def _finish(connection: sa.Connection, number: int, status: str) -> None:
    _call(connection, "finish_job", job_id=number, status=status, delete_job=False)


def _recover(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Put a job whose worker has died back into the queue, or end it."""
    if row.abort_requested:
        _finish(connection, row.id, "aborted")
        _set(connection, row.id, outcome="cancelled", said="Cancelled; its worker had died over it.")
    elif _count_fault(connection, row.id, "Its worker died; it waits to go on.") >= MOST_FAULTS:
        _finish(connection, row.id, "failed")
        said = f"Given up after {MOST_FAULTS} attempts. The last worker died over it; is there memory enough?"
        _set(connection, row.id, outcome="failed", said=said)
    else:
        _give_back(connection, row.id, "Its worker died.")


def _give_back(connection: sa.Connection, number: int, why: str, due: datetime | None = None) -> None:
    """Put a running job back into the queue; where an equal one waits, end it, for only one may wait."""
    same = {"new_priority": None, "new_queue_name": None, "new_lock": None}
    while (heir := connection.scalar(_EQUAL, {"number": number})) is None:
        # Where an equal one has come in this moment, the next turn finds it.
        with suppress(exceptions.UniqueViolation), connection.begin_nested():
            _call(connection, "retry_job", job_id=number, retry_at=due, **same)
            return
    _finish(connection, number, "aborted")
    _set(connection, number, outcome="cancelled", said=f"{why} Job {heir}, which does the same, takes over.")


def _count_fault(connection: sa.Connection, number: int, said: str) -> int:
    _set(connection, number, said=said)
    one_more = sa.update(PROGRESS).where(PROGRESS.c.job_id == number).values(faults=PROGRESS.c.faults + 1)
    return int(connection.scalar(one_more.returning(PROGRESS.c.faults)) or 0)


def _set(connection: sa.Connection, number: int, **values: Any) -> None:
    changed = {**values, "updated_at": sa.func.now()}
    statement = insert(PROGRESS).values({**_FRESH, "job_id": number, **changed})
    connection.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=changed))


_QUEUE = sa.table("procrastinate_jobs", sa.column("id"), sa.column("task_name"), schema="jobs")
_JOBS = sa.text("""
SELECT j.id, j.task_name AS task, j.args,
       CASE j.status::text
            WHEN 'todo' THEN 'waiting'
            WHEN 'doing' THEN CASE WHEN j.abort_requested THEN 'stopping' ELSE 'running' END
            WHEN 'succeeded' THEN CASE WHEN p.outcome = 'skipped' THEN 'skipped' ELSE 'done' END
            WHEN 'failed' THEN 'failed'
            ELSE 'cancelled' END AS status,
       coalesce(p.reason, '') AS reason, j.attempts + (j.status = 'doing')::integer AS attempts,
       coalesce(p.queued_at, e.queued_at) AS queued_at, j.scheduled_at AS due_at, e.started_at,
       CASE WHEN j.status NOT IN ('todo', 'doing') THEN e.finished_at END AS finished_at,
       coalesce(p.done, 0) AS done, coalesce(p.total, 0) AS total, coalesce(p.label, '') AS label,
       coalesce(p.outcome, '') AS outcome,
       coalesce(p.said, '') AS said, coalesce(p.mark, '') AS mark, coalesce(p.traceback, '') AS traceback
FROM jobs.procrastinate_jobs j
LEFT JOIN ops.job_progress p ON p.job_id = j.id
LEFT JOIN LATERAL (
    SELECT min(at) AS queued_at, max(at) FILTER (WHERE type = 'started') AS started_at,
           max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS finished_at
    FROM jobs.procrastinate_events WHERE job_id = j.id
) e ON true
WHERE (CAST(:number AS bigint) IS NULL OR j.id = :number)
  AND (CAST(:task AS text) IS NULL OR j.task_name = :task)
  AND (NOT :open_only OR j.status IN ('todo', 'doing'))
ORDER BY j.id DESC LIMIT :limit
""")
_LOST = sa.text("""
SELECT j.id, j.abort_requested
FROM jobs.procrastinate_jobs j LEFT JOIN jobs.procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :silent))
  AND j.worker_id IS DISTINCT FROM CAST(:own AS bigint)
FOR UPDATE OF j SKIP LOCKED
""")
_HELD = sa.text("""
SELECT id, abort_requested FROM jobs.procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker FOR UPDATE
""")
_ALIVE = sa.text(
    "SELECT count(*) FROM jobs.procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => :seconds)"
)
_EQUAL = sa.text("""
SELECT same.id FROM procrastinate_jobs j JOIN procrastinate_jobs same USING (queueing_lock)
WHERE j.id = :number AND same.status = 'todo'
""")
_AT_ONCE = sa.text("""
UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id = :number AND status = 'todo' AND scheduled_at > now()
""")
_FORGET = sa.text("""
DELETE FROM jobs.procrastinate_jobs j
WHERE j.status NOT IN ('todo', 'doing')
  AND (SELECT max(at) FROM jobs.procrastinate_events WHERE job_id = j.id) < now() - make_interval(days => :days)
RETURNING j.id
""")
