"""What runs by itself: schedules, and every moment one of them came due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from quantlib.errors import DataError, nearest
from quantlib.store.database import Store
from quantlib.store.jobs import NewJob, Queued, add_job_within
from quantlib.store.upsert import as_json

_META = sa.MetaData(schema="ops")
_SCHEDULES = sa.Table(
    "schedules",
    _META,
    sa.Column("name", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("task", "trigger", "note")),
    sa.Column("args", JSONB),
    sa.Column("enabled", sa.Boolean),
    sa.Column("enabled_at", sa.DateTime(timezone=True)),
)
_OCCURRENCES = sa.Table(
    "occurrences",
    _META,
    sa.Column("schedule", sa.Text, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("outcome", sa.Text),
    sa.Column("job_id", sa.BigInteger),
    sa.Column("decided_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True)
class ScheduleRecord:
    """One schedule.

    Parameters
    ----------
    name
        Its name.
    task, args
        What it starts.
    trigger
        When, in words.
    enabled
        Whether it is on.
    note
        What it is for.
    """

    name: str
    task: str
    trigger: str
    args: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = False
    note: str = ""


def write_schedule(store: Store, record: ScheduleRecord, *, now: datetime, replace: bool = True) -> bool:
    """Return whether a schedule was written; what is due is counted from `now` where it is turned on by this.

    Parameters
    ----------
    replace
        Whether one of that name is changed, or left as it is.
    """
    values = {
        "name": record.name,
        "task": record.task,
        "args": as_json(record.args),
        "trigger": record.trigger,
        "enabled": record.enabled,
        "enabled_at": now if record.enabled else None,
        "note": record.note,
    }
    statement = insert(_SCHEDULES).values(values)
    if replace:
        # With another trigger the moments before now are other moments: they were never due.
        same = _SCHEDULES.c.enabled & statement.excluded.enabled & (_SCHEDULES.c.trigger == statement.excluded.trigger)
        since = sa.case((same, _SCHEDULES.c.enabled_at), else_=statement.excluded.enabled_at)
        changed = {name: statement.excluded[name] for name in values if name not in {"name", "enabled_at"}}
        upsertion = statement.on_conflict_do_update(index_elements=["name"], set_={**changed, "enabled_at": since})
    else:
        upsertion = statement.on_conflict_do_nothing(index_elements=["name"])
    with store.begin() as connection:
        return connection.execute(upsertion.returning(_SCHEDULES.c.name)).first() is not None


def switch_schedule(store: Store, name: str, *, on: bool, now: datetime) -> None:
    """Turn a schedule on or off; what came due while it was off is never caught up.

    Raises
    ------
    DataError
        There is no such schedule.
    """
    since = sa.case((_SCHEDULES.c.enabled, _SCHEDULES.c.enabled_at), else_=now) if on else None
    statement = sa.update(_SCHEDULES).where(_SCHEDULES.c.name == name).values(enabled=on, enabled_at=since)
    with store.begin() as connection:
        found = connection.execute(statement).rowcount
    if not found:
        raise _unknown(store, name)


def remove_schedule(store: Store, name: str) -> None:
    """Remove a schedule and the record of when it came due; jobs it started stay.

    Raises
    ------
    DataError
        There is no such schedule.
    """
    with store.begin() as connection:
        found = connection.execute(sa.delete(_SCHEDULES).where(_SCHEDULES.c.name == name)).rowcount
    if not found:
        raise _unknown(store, name)


def read_schedules(store: Store) -> pd.DataFrame:
    """Return the schedules as a table by name.

    Returns
    -------
    DataFrame
        Columns name, task, args, trigger, enabled, enabled_at, note, last_at (moment it came due last), since (from
        when on moments count as due; NaT while off) and job_id (the job started last; <NA> if none).
    """
    last = (
        sa.select(_OCCURRENCES.c.at, _OCCURRENCES.c.job_id)
        .where(_OCCURRENCES.c.schedule == _SCHEDULES.c.name)
        .order_by(_OCCURRENCES.c.at.desc())
        .limit(1)
        .lateral("last")
    )
    columns = [_SCHEDULES.c[name] for name in ("name", "task", "args", "trigger", "enabled", "enabled_at", "note")]
    since = sa.case((_SCHEDULES.c.enabled, sa.func.greatest(_SCHEDULES.c.enabled_at, last.c.at)))
    query = sa.select(*columns, last.c.at.label("last_at"), since.label("since"), last.c.job_id)
    query = query.select_from(_SCHEDULES.outerjoin(last, sa.true())).order_by(_SCHEDULES.c.name)
    with store.begin() as connection:
        result = connection.execute(query)
        table = pd.DataFrame(result.all(), columns=list(result.keys()))
    moments = {name: pd.to_datetime(table[name], utc=True) for name in ("enabled_at", "last_at", "since")}
    return table.assign(**moments).astype({"job_id": "Int64"})


def read_occurrences(store: Store, schedule: str | None = None, *, limit: int = 50) -> pd.DataFrame:
    """Return the moments schedules came due as a table, the latest first."""
    query = sa.select(_OCCURRENCES).order_by(_OCCURRENCES.c.at.desc(), _OCCURRENCES.c.schedule).limit(limit)
    if schedule is not None:
        query = query.where(_OCCURRENCES.c.schedule == schedule)
    with store.begin() as connection:
        result = connection.execute(query)
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def claim_due(
    store: Store,
    name: str,
    due: Callable[[datetime], Sequence[datetime]],
    job: Callable[[Sequence[datetime]], NewJob],
) -> Queued | None:
    """Return the job started for all moments a schedule has come due; None if there are none, or another was quicker.

    Claim and job are one transaction: each moment is run or covered exactly once, however many ask at once and
    wherever they are killed.

    Parameters
    ----------
    due
        Given the moment since which it counts, the moments that are due, ascending; the last is run, those before
        are covered by it.
    job
        Given those moments, the job to start.
    """
    with store.begin() as connection:
        # The row is the lock: whoever holds it decides, and others need not wait.
        row = connection.execute(
            sa.select(_SCHEDULES.c.enabled, _SCHEDULES.c.enabled_at)
            .where(_SCHEDULES.c.name == name)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None or not row.enabled:
            return None
        last = connection.scalar(sa.select(sa.func.max(_OCCURRENCES.c.at)).where(_OCCURRENCES.c.schedule == name))
        moments = due(row.enabled_at if last is None else max(row.enabled_at, last))
        if not moments:
            return None
        queued = add_job_within(connection, job(moments))
        # One array instead of many rows: a trigger of every minute misses half a million moments a year.
        connection.execute(_CLAIM, {"schedule": name, "job": queued.id, "last": moments[-1], "moments": list(moments)})
        return queued


def _unknown(store: Store, name: str) -> DataError:
    return DataError(f"There is no schedule {name!r}. {nearest(name, read_schedules(store)['name'])}")


_CLAIM = sa.text("""
INSERT INTO ops.occurrences (schedule, at, outcome, job_id)
SELECT :schedule, at, CASE WHEN at = CAST(:last AS timestamptz) THEN 'run' ELSE 'covered' END, :job
FROM unnest(CAST(:moments AS timestamptz[])) AS at
""")
