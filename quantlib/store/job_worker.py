"""The worker: takes jobs from the queue, runs each in a thread, and outlives the loss of the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from quantlib.errors import ConfigError
from quantlib.store.database import Store
from quantlib.store.jobs import give_back, hand_back, recover_jobs

log = logging.getLogger(__name__)
GRACE_SECONDS = 0.5
"""How long a running job may go on after the worker was told to end, before it stops at its next step."""
LEAVE_SECONDS = 4.0
"""How long the worker waits for that step; then it leaves the job to the next worker."""
AGAIN_SECONDS = 2.0
"""Pause before a worker whose database went away begins anew."""


class JobStoppedError(Exception):
    """Raised by a job's own progress report where the job is to stop; not a fault."""


class TryAgainError(Exception):
    """Raised by a job that may succeed later.

    Parameters
    ----------
    seconds
        When to try again.
    why
        What stood in the way, in a sentence.
    """

    def __init__(self, seconds: int, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds


@dataclass(frozen=True)
class Pace:
    """How often things are looked at, in seconds.

    Parameters
    ----------
    tick
        Schedules, and jobs whose worker has died.
    heartbeat
        A worker's signs of life.
    silent
        After this long without one, a worker counts as dead.
    """

    tick: float = 20.0
    heartbeat: float = 5.0
    silent: float = 30.0


@dataclass(frozen=True)
class RunningJob:
    """A job that is being run.

    Parameters
    ----------
    id, task, args
        Which, and what it is to do.
    attempt
        Number of the attempt, from 1.
    stopping
        Returns why it is to stop: `cancelled` by somebody, `ending` with the worker, empty to go on.
    """

    id: int
    task: str
    args: dict[str, Any]
    attempt: int
    stopping: Callable[[], str]


class _Again(BaseRetryStrategy):
    """Which jobs go back into the queue: those that say so, and those that stopped because their worker ends."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, TryAgainError):
            return RetryDecision(retry_in={"seconds": exception.seconds})
        # The library asks about stopped jobs only where the worker ends; cancelled ones stay cancelled.
        return RetryDecision() if isinstance(exception, exceptions.JobAborted) else None


class _Jobs(JobManager):
    """The library's way to the queue, but a job to be tried again may meet an equal one there, which takes over."""

    def __init__(self, connector: PsycopgConnector, store: Store) -> None:
        super().__init__(connector)
        self._store = store

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        try:
            await super().retry_job(job, retry_at, priority, queue, lock)
        except exceptions.UniqueViolation:
            await asyncio.to_thread(give_back, self._store, int(job.id or 0), due=retry_at)


async def work(
    store: Store,
    tasks: list[str],
    run: Callable[[RunningJob], None],
    tick: Callable[[], None],
    *,
    ended: asyncio.Event,
    concurrency: int = 1,
    pace: Pace | None = None,
) -> bool:
    """Take jobs and run them until `ended` is set; then stop running ones at their next step, to be continued.

    Returns whether a step was too long to wait for: its job is in the queue again, but its thread still runs, and
    only the end of the process ends that.

    Parameters
    ----------
    tasks
        Names of the tasks there are.
    run
        Runs one job, in a thread. Raises `JobStoppedError` where it has stopped, `TryAgainError` to be run again
        later, anything else where it has failed.
    tick
        Called every so often, in a thread.
    """
    pace = pace or Pace()
    while not ended.is_set():
        connector = _connector(store)
        app = App(connector=connector)
        app.job_manager = _Jobs(connector, store)
        for name in tasks:
            _register(app, name, run)
        try:
            async with app.open_async():
                if await _live(app, store, tick, ended, concurrency, pace):
                    return True
        except (exceptions.ProcrastinateException, psycopg.Error, ConfigError, OSError) as error:
            log.warning("The database went away (%s); trying again.", " ".join(str(error).split())[:200])
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), AGAIN_SECONDS)
    return False


async def _live(
    app: App, store: Store, tick: Callable[[], None], ended: asyncio.Event, concurrency: int, pace: Pace
) -> bool:
    """Run one worker until `ended` is set or it loses the database; return whether it left a job running."""
    worker = Worker(
        app=app,
        concurrency=concurrency,
        install_signal_handlers=False,
        shutdown_graceful_timeout=GRACE_SECONDS,
        update_heartbeat_interval=pace.heartbeat,
        stalled_worker_timeout=pace.silent,
    )
    working = asyncio.create_task(worker.run())
    ticking = asyncio.create_task(_tick(store, worker, tick, pace))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    for side in (ticking, ending):
        side.cancel()
    await asyncio.gather(ticking, ending, return_exceptions=True)
    await asyncio.wait({working}, timeout=LEAVE_SECONDS if ended.is_set() else None)
    if not working.done() and worker.worker_id is not None:
        await asyncio.to_thread(hand_back, store, worker.worker_id)
        return True
    await working
    return False


async def _tick(store: Store, worker: Worker, tick: Callable[[], None], pace: Pace) -> None:
    while True:
        try:
            lost = await asyncio.to_thread(recover_jobs, store, silent=pace.silent, own=worker.worker_id)
            for number in lost:
                log.warning("The worker of job %s has died.", number)
        except Exception:
            # Whatever is wrong with a schedule or the database now, the next tick may find it mended.
            log.exception("Jobs of dead workers could not be looked for.")
        try:
            await asyncio.to_thread(tick)
        except Exception:
            log.exception("The schedules could not be looked at.")
        await asyncio.sleep(pace.tick)


def _connector(store: Store) -> PsycopgConnector:
    async def address() -> str:
        return await asyncio.to_thread(store.live_address)

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("SET search_path = jobs, public")
        await connection.commit()

    return PsycopgConnector(conninfo=address, configure=configure, min_size=1, max_size=4)


def _register(app: App, name: str, run: Callable[[RunningJob], None]) -> None:
    def perform(context: JobContext, /, **args: Any) -> None:
        def stopping() -> str:
            reason = context.abort_reason()
            return "" if reason is None else "cancelled" if reason is AbortReason.USER_REQUEST else "ending"

        job = RunningJob(int(context.job.id or 0), name, args, context.job.attempts + 1, stopping)
        try:
            run(job)
        except JobStoppedError:
            raise exceptions.JobAborted from None

    app.task(name=name, pass_context=True, retry=_Again())(perform)
