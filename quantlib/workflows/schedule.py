"""The schedule: what runs by itself, when, and starting what has come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from quantlib.errors import DataError, QuantError
from quantlib.settings import utc_now
from quantlib.store.jobs import NewJob
from quantlib.store.schedules import (
    ScheduleRecord,
    claim_due,
    read_occurrences,
    read_schedules,
    remove_schedule,
    switch_schedule,
    write_schedule,
)
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import plan
from quantlib.workflows.triggers import next_after, parse_trigger

__all__ = [
    "DEFAULTS",
    "Planned",
    "list_schedules",
    "read_occurrences",
    "remove_schedule",
    "set_schedule",
    "switch",
    "tick",
    "write_defaults",
]

#: What most people want. Whatever asks a vendor is off until somebody turns it on.
DEFAULTS: tuple[ScheduleRecord, ...] = (
    ScheduleRecord(
        "nightly",
        "quality",
        "every day 03:00 UTC",
        enabled=True,
        note="Checks, derived series, strategies and report, where prices have changed since. Asks no vendor.",
    ),
    ScheduleRecord(
        "yahoo-bars",
        "ingest",
        "XNYS close + 45 min",
        {"source": "yahoo", "kinds": ["bars"]},
        note="US prices after the close, holidays and half days as they fall.",
    ),
    ScheduleRecord(
        "yahoo-earnings",
        "ingest",
        "XNYS open - 2 h",
        {"source": "yahoo", "kinds": ["earnings"], "follow": False},
        note="Dates of earnings before the open.",
    ),
    ScheduleRecord(
        "coins",
        "ingest",
        "every day 00:20 UTC",
        {"source": "binance", "kinds": ["bars"]},
        note="Prices of coins after the end of their day.",
    ),
    ScheduleRecord(
        "fred",
        "ingest",
        "every day 09:00 America/New_York",
        {"source": "fred"},
        note="US macro series after the releases of 8:30; needs a key.",
    ),
    ScheduleRecord(
        "ecb",
        "ingest",
        "every day 16:30 Europe/Berlin",
        {"source": "ecb"},
        note="Reference rates after the ECB's 16:00.",
    ),
    ScheduleRecord(
        "news",
        "ingest",
        "every 4 h",
        {"source": "finnhub", "kinds": ["news"], "follow": False},
        note="Headlines about the universe; needs a key.",
    ),
)


@dataclass(frozen=True)
class Planned:
    """A schedule and when it comes due next.

    Parameters
    ----------
    record
        The schedule.
    next_at
        When it comes due next; None while it is off, or where its trigger cannot be worked out.
    last_at
        When it came due last; None if it never did.
    job_id
        Number of the job that was started then.
    problem
        Why its next moment cannot be told; empty where it can.
    """

    record: ScheduleRecord
    next_at: datetime | None
    last_at: datetime | None
    job_id: int | None
    problem: str = ""


def write_defaults(session: Session, now: datetime | None = None, *, first_time_only: bool = False) -> int:
    """Return how many of the default schedules were written; one of the same name is left as it is.

    Parameters
    ----------
    first_time_only
        Whether to write nothing where there is a schedule already.
    """
    if first_time_only and not read_schedules(session.store).empty:
        return 0
    moment = now or utc_now()
    return sum(write_schedule(session.store, record, now=moment, replace=False) for record in DEFAULTS)


def set_schedule(
    session: Session,
    name: str,
    task: str,
    trigger: str,
    args: Mapping[str, Any] | None = None,
    *,
    enabled: bool = True,
    note: str = "",
) -> Planned:
    """Return a schedule, written or changed.

    Raises
    ------
    DataError
        The task, an argument or the trigger is wrong.
    """
    if not name.strip():
        raise DataError("A schedule needs a name.")
    job, when, now = plan(task, args, reason=""), parse_trigger(trigger), utc_now()
    due = next_after(when, now)
    record = ScheduleRecord(name.strip(), task, str(when), job.args, enabled, note)
    write_schedule(session.store, record, now=now)
    return Planned(record, due if enabled else None, None, None)


def switch(session: Session, name: str, *, on: bool) -> None:
    """Turn a schedule on or off; what came due while it was off is not caught up.

    Raises
    ------
    DataError
        There is no such schedule.
    """
    switch_schedule(session.store, name, on=on, now=utc_now())


def list_schedules(session: Session, now: datetime | None = None) -> list[Planned]:
    """Return the schedules by name, with when each comes due next."""
    moment = now or utc_now()
    return [_planned(row, moment) for _, row in read_schedules(session.store).iterrows()]


def tick(session: Session, now: datetime) -> list[str]:
    """Return a sentence for each schedule that has come due and whose job was put into the queue by this call.

    However many moments were missed, one job is started for all of them.
    """
    lines = []
    for _, row in read_schedules(session.store).iterrows():
        if not row["enabled"]:
            continue
        try:
            lines += _start(session, row, now)
        except QuantError as error:
            lines.append(f"Schedule {row['name']} could not be started: {error}")
    return lines


def _start(session: Session, row: pd.Series[Any], now: datetime) -> list[str]:
    name, trigger = str(row["name"]), parse_trigger(str(row["trigger"]))
    if not trigger.between(row["since"].to_pydatetime(), now):
        return []
    job = plan(row["task"], row["args"], reason="")

    def told(moments: Sequence[datetime]) -> NewJob:
        missed = f", and {len(moments) - 1} missed before" if len(moments) > 1 else ""
        return replace(job, reason=f"schedule {name}: {moments[-1]:%Y-%m-%d %H:%M} UTC{missed}")

    queued = claim_due(session.store, name, lambda since: trigger.between(since, now), told)
    if queued is None:
        return []
    return [f"Schedule {name} has come due: job {queued.id}{'' if queued.new else ', which was waiting already'}."]


def _planned(row: pd.Series[Any], now: datetime) -> Planned:
    record = ScheduleRecord(row["name"], row["task"], row["trigger"], row["args"], bool(row["enabled"]), row["note"])
    due, problem = None, ""
    try:
        due = next_after(parse_trigger(record.trigger), now) if record.enabled else None
    except DataError as error:
        problem = str(error)
    last = None if pd.isna(row["last_at"]) else row["last_at"].to_pydatetime()
    return Planned(record, due, last, None if pd.isna(row["job_id"]) else int(row["job_id"]), problem)
