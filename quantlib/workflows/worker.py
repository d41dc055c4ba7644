"""The worker: does jobs, starts what is scheduled, and says what happened."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from logging.handlers import RotatingFileHandler

from quantlib.errors import QuantError
from quantlib.settings import Settings, utc_now
from quantlib.sources.transport import without
from quantlib.store import jobs as queue
from quantlib.store.database import LostError
from quantlib.store.job_worker import JobStoppedError, Pace, RunningJob, TryAgainError, work
from quantlib.workflows.schedule import tick, write_defaults
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import TASKS, Args, Outcome, PartlyError, following

log = logging.getLogger(__name__)
Say = Callable[[str], None]

KEEP_DAYS = 90
"""Jobs are forgotten this long after they ended."""
REPORT_SECONDS = 0.5
"""Progress is written no more often than this."""
LOST_SECONDS = 2
"""Pause before a job whose database went away is tried again, five times as long each further time."""


def run_worker(session: Session, *, concurrency: int = 1, pace: Pace | None = None, say: Say | None = None) -> None:
    """Do jobs and start what is scheduled, until SIGTERM or Ctrl-C; a running job then stops, to be continued.

    Parameters
    ----------
    concurrency
        How many jobs at once.
    pace
        How often it looks at schedules and gives a sign of life.
    say
        Called with a line for whatever happens; `logs/jobs.log` below the settings' home has all of it.
    """

    def tell(line: str) -> None:
        if say is not None:
            say(_without_keys(session.settings, line))

    def run(one: RunningJob) -> None:
        # A new session for each: the universe's file may have changed since the last one.
        run_job(Session(session.settings, session.store, "worker"), one, say=tell)

    def look() -> None:
        for line in tick(session, utc_now()):
            log.info(line)
            tell(line)

    async def main() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def end() -> None:
            tell("Ending. A running job stops at its next step and goes on next time.")
            ended.set()
            for number in (signal.SIGTERM, signal.SIGINT):  # a second one ends at once
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if await work(session.store, list(TASKS), run, look, ended=ended, concurrency=concurrency, pace=pace):
            log.info("A step took too long to wait for; its job goes on next time.")
            sys.stdout.flush()
            os._exit(0)  # a thread cannot be stopped, a process can

    with _logged(session.settings):
        write_defaults(session, utc_now(), first_time_only=True)
        queue.forget_jobs(session.store, days=KEEP_DAYS)
        asyncio.run(main())


def run_job(session: Session, one: RunningJob, *, say: Say) -> None:
    """Run one job. Its outcome is stored in one transaction with the job that follows; a fault is stored in words.

    Raises
    ------
    JobStoppedError
        It was cancelled, or the worker ends.
    TryAgainError
        It is to be run again later.
    Exception
        It has failed; what there is to say is stored.
    """
    name = f"Job {one.id} ({one.task})"
    if queue.read_job(session.store, one.id)["outcome"] in {"done", "skipped"}:
        return  # it was done to the end; its worker died before the queue was told
    report = Reporter(session, one)

    def clean(text: str) -> str:
        return _without_keys(session.settings, text)

    def end(outcome: queue.Outcome, said: str, *, details: str = "") -> None:
        said, details = clean(said), clean(details)
        queue.end_job(session.store, one.id, outcome, said, traceback=details)
        level = logging.ERROR if outcome == "failed" else logging.INFO
        log.log(level, "%s: %s%s", name, said, f"\n{details}" if details else "")
        say(f"{name}: {said}")

    def settle(outcome: Outcome, args: Args) -> None:
        said = clean(outcome.said)
        ending: queue.Outcome = "skipped" if outcome.skipped else "done"
        then = following(one.task, args, f"after job {one.id}") if outcome.go_on else None
        queue.end_job(session.store, one.id, ending, said, mark=outcome.mark, then=then)
        log.info("%s: %s", name, said)
        say(f"{name}: {said}")

    log.info("%s begins, attempt %d: %s", name, one.attempt, one.args)
    try:
        task = TASKS[one.task]
        args = task.args.model_validate(one.args)
        settle(task.work(session, args, report), args)
    except JobStoppedError as stopped:
        if str(stopped) == "cancelled":
            end("cancelled", f"Cancelled {report.where}. What was stored before stays.")
        raise
    except (TryAgainError, LostError) as error:
        faults, why = 1, clean(str(error))
        came = "Only part came" if isinstance(error, PartlyError) else "Nothing came"
        with suppress(QuantError):  # the database may still be away
            faults = queue.note_fault(session.store, one.id, f"{came} of attempt {one.attempt}: {why}")
        if faults >= queue.MOST_FAULTS and isinstance(error, PartlyError):
            settle(replace(error.outcome, said=f"{why} Given up after {faults} attempts."), args)
            return
        if faults >= queue.MOST_FAULTS:
            end("failed", f"Given up after {faults} attempts. {why}")
            raise QuantError(why) from None
        seconds = error.seconds if isinstance(error, TryAgainError) else LOST_SECONDS * 5 ** (faults - 1)
        log.warning("%s is tried again in %d s: %s", name, seconds, why)
        raise TryAgainError(seconds, why) from None
    except QuantError as error:
        end("failed", str(error), details=traceback.format_exc())
        raise
    except Exception as error:
        said = f"An unexpected fault ({type(error).__name__}). The file logs/jobs.log has the details."
        end("failed", said, details=traceback.format_exc())
        raise


class Reporter:
    """Notes how far a job is, and stops it there where it is to stop.

    Attributes
    ----------
    where
        How far it was last, in words.
    """

    def __init__(self, session: Session, one: RunningJob) -> None:
        self._session, self._one = session, one
        self._next = 0.0
        self.where = "at its first step"

    def __call__(self, done: int, total: int, label: str) -> None:
        """Note that `done` of `total` steps are done, and which is next.

        Raises
        ------
        JobStoppedError
            Somebody has cancelled the job, or the worker ends.
        """
        if why := self._one.stopping():
            raise JobStoppedError(why)
        self.where = f"after {done} of {total} steps"
        if time.monotonic() >= self._next or done == total:
            queue.report_progress(self._session.store, self._one.id, done, total, label)
            self._next = time.monotonic() + REPORT_SECONDS


def _without_keys(settings: Settings, text: str) -> str:
    """Return the text without any key: sources keep theirs out of messages, libraries may not."""
    return without(text, *settings.secrets)


class _Silent(logging.Formatter):
    """Writes lines and tracebacks without any key."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._settings = settings

    def format(self, record: logging.LogRecord) -> str:
        return _without_keys(self._settings, super().format(record))


@contextmanager
def _logged(settings: Settings) -> Iterator[None]:
    """Write what the workbench and the queue say into a file of at most 1 MB, and three older ones."""
    path = settings.home / "logs" / "jobs.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=3, encoding="utf-8")
    handler.setFormatter(_Silent(settings))
    # Failed jobs are logged by us, in our words; the queue's own report would show them a second time.
    handler.addFilter(lambda record: not str(getattr(record, "action", "")).startswith("job_"))
    ours, theirs = logging.getLogger("quantlib"), logging.getLogger("procrastinate")
    ours.setLevel(logging.INFO)
    for logger in (ours, theirs):
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in (ours, theirs):
            logger.removeHandler(handler)
            logger.propagate = True
        handler.close()
