"""Rows about how the data came here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from quantlib.models.base import BY_SERVER, Name, Row, Stamp


class StoredPayload(Row):
    """Answers as a vendor delivered them, so that they can be parsed again; keys are never part of them."""

    table: ClassVar[str] = "raw.payloads"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: Name = Field(description="Hash of source, kind, name and body.")
    source: Name = Field(description="Vendor.")
    kind: Name = Field(description="What was asked for: bars, macro, news and so on.")
    name: str = Field(description="Symbol, series or file asked for.")
    asked: dict[str, Any] = Field(description="Span and address of the request, without keys.")
    status: int = Field(description="HTTP status; 200 where there is no HTTP.")
    body: bytes = Field(description="Body as delivered, compressed with gzip.")
    fetched_at: Stamp = Field(default=None, description="When it came first.")


class QuarantinedRow(Row):
    """Rows that were turned away at the door; nothing is ever lost."""

    table: ClassVar[str] = "ops.quarantine"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: Annotated[int | None, BY_SERVER] = Field(default=None, description="Number, given by the server.")
    source: Name = Field(description="Vendor.")
    kind: Name = Field(description="Table the row was meant for.")
    name: str = Field(description="Symbol or series.")
    row: dict[str, Any] = Field(description="The row as it came.")
    reason: Name = Field(description="Rule it breaks.")
    payload_id: str | None = Field(
        default=None, description="Answer it came in; NULL for files, which name themselves."
    )
    first_seen_at: Stamp = Field(default=None, description="When it came first.")
    last_seen_at: Stamp = Field(default=None, description="When it came last.")
    times: int = Field(default=1, description="How often it came.")


class VendorState(Row):
    """How each vendor answers: for the circuit breaker, and for people."""

    table: ClassVar[str] = "ops.vendors"
    key: ClassVar[tuple[str, ...]] = ("source",)

    source: Name = Field(description="Key in SOURCES.")
    failures: int = Field(default=0, description="Faults in a row since the last success.")
    open_until: datetime | None = Field(default=None, description="Until then it is not asked; NULL while closed.")
    trial_until: datetime | None = Field(
        default=None, description="After a pause one process asks again; until then, the others wait for it."
    )
    last_success_at: datetime | None = Field(default=None, description="Last good answer.")
    last_error_at: datetime | None = Field(default=None, description="Last fault.")
    last_error: str = Field(default="", description="What it was, in words.")


class JobProgress(Row):
    """What is known of each job beside the queue's own tables: why it runs, how far it is, what came of it."""

    table: ClassVar[str] = "ops.job_progress"
    key: ClassVar[tuple[str, ...]] = ("job_id",)

    job_id: int = Field(description="Number of the job in jobs.procrastinate_jobs.")
    reason: str = Field(default="", description="Why it was started: by whom, by which schedule, after which job.")
    queued_at: Stamp = Field(default=None, description="When it was put into the queue.")
    done: int = Field(default=0, ge=0, description="Steps done.")
    total: int = Field(default=0, ge=0, description="Steps in all; 0 while not known.")
    label: str = Field(default="", description="What it is at.")
    faults: int = Field(default=0, ge=0, description="Attempts that came to nothing, through no fault of its own.")
    outcome: Literal["", "done", "skipped", "failed", "cancelled"] = Field(
        default="", description="What came of it; empty until it has ended."
    )
    said: str = Field(default="", description="Result, reason for skipping, or error, in a sentence.")
    mark: str = Field(
        default="", description="State of the data it has seen; where that is the same next time, it skips."
    )
    traceback: str = Field(default="", description="Where an error arose, for whoever mends it.")
    updated_at: Stamp = Field(default=None, description="When any of this last changed.")


class Schedule(Row):
    """What runs by itself, and when."""

    table: ClassVar[str] = "ops.schedules"
    key: ClassVar[tuple[str, ...]] = ("name",)

    name: Name = Field(description="Its name.")
    task: Name = Field(description="Key in TASKS.")
    args: dict[str, Any] = Field(default_factory=dict, description="Arguments of the task.")
    trigger: Name = Field(description="When, such as `XNYS close + 45 min` or `every day 06:00 UTC`.")
    enabled: bool = Field(default=False, description="Whether it is on.")
    enabled_at: datetime | None = Field(
        default=None, description="When it was last turned on; nothing due before that is caught up."
    )
    note: str = Field(default="", description="What it is for, for people.")


class Occurrence(Row):
    """Every moment a schedule came due: it was run, or covered by the run of a later one after a pause."""

    table: ClassVar[str] = "ops.occurrences"
    key: ClassVar[tuple[str, ...]] = ("schedule", "at")

    schedule: Name = Field(description="Name of the schedule.")
    at: datetime = Field(description="The moment it was due.")
    outcome: Literal["run", "covered"] = Field(
        description="run: a job was started for it; covered: by a later one's job."
    )
    job_id: int = Field(description="Number of that job.")
    decided_at: Stamp = Field(default=None, description="When the job was put into the queue.")
