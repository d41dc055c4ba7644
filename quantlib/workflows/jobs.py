"""Jobs: start, cancel and repeat them, and look at what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.store import jobs as queue
from quantlib.store.jobs import Queued
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import TASKS, plan

OPEN = ("waiting", "running", "stopping")


def start_job(
    session: Session, task: str, args: Mapping[str, Any] | None = None, *, reason: str = "asked for"
) -> Queued:
    """Return the number of a job that waits for a worker, and whether it is new or the same was waiting already.

    Raises
    ------
    DataError
        There is no such task, or an argument is wrong.

    Examples
    --------
    >>> start_job(session, "ingest", {"source": "yahoo", "symbols": ["KO"]})  # doctest: +SKIP
    Queued(id=12, new=True)
    """
    return queue.add_job(session.store, plan(task, args, reason=reason))


def cancel_job(session: Session, number: int) -> str:
    """Return what cancelling a job did, in a sentence: one that runs stops at its next step.

    Raises
    ------
    DataError
        There is no such job, or it has ended already.
    """
    if queue.cancel_job(session.store, number) == "cancelled":
        return f"Job {number} is cancelled; it had not begun."
    return f"Job {number} stops at its next step. What it has stored stays, whole."


def repeat_job(session: Session, number: int) -> Queued:
    """Return a new job that does the same as one that has ended.

    Raises
    ------
    DataError
        There is no such job, or it has not ended.
    """
    job = queue.read_job(session.store, number)
    if job["status"] in OPEN:
        raise DataError(f"Job {number} is {job['status']}. Cancel it first, or let it end.")
    return start_job(session, job["task"], job["args"], reason=f"again, after job {number}")


def job_history(session: Session, *, task: str | None = None, open_only: bool = False, limit: int = 50) -> pd.DataFrame:
    """Return jobs as a table, the newest first; see `quantlib.store.jobs.read_jobs` for its columns."""
    if task is not None and task not in TASKS:
        raise DataError(f"There is no task {task!r}. {nearest(task, TASKS)}")
    return queue.read_jobs(session.store, task=task, open_only=open_only, limit=limit)


def job(session: Session, number: int) -> dict[str, Any]:
    """Return all that is known of one job.

    Raises
    ------
    DataError
        There is no such job.
    """
    return queue.read_job(session.store, number)


def workers_alive(session: Session) -> int:
    """Return how many workers have given a sign of life within the last minute."""
    return queue.workers_alive(session.store)
