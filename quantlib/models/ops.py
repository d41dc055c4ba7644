"""Rows about how the data came here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from quantlib.models.base import Name, Row


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
    fetched_at: datetime | None = Field(default=None, description="When it came first.")


class QuarantinedRow(Row):
    """Rows that were turned away at the door; nothing is ever lost."""

    table: ClassVar[str] = "ops.quarantine"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: int | None = Field(default=None, description="Number, given by the server.")
    source: Name = Field(description="Vendor.")
    kind: Name = Field(description="Table the row was meant for.")
    name: str = Field(description="Symbol or series.")
    row: dict[str, Any] = Field(description="The row as it came.")
    reason: Name = Field(description="Rule it breaks.")
    payload_id: str | None = Field(default=None, description="Answer it came in; NULL for files, which name themselves.")
    first_seen_at: datetime | None = Field(default=None, description="When it came first.")
    last_seen_at: datetime | None = Field(default=None, description="When it came last.")
    times: int = Field(default=1, description="How often it came.")


class VendorState(Row):
    """How each vendor answers: for the circuit breaker, and for people."""

    table: ClassVar[str] = "ops.vendors"
    key: ClassVar[tuple[str, ...]] = ("source",)

    source: Name = Field(description="Key in SOURCES.")
    failures: int = Field(default=0, description="Faults in a row since the last success.")
    open_until: datetime | None = Field(default=None, description="Until then it is not asked; NULL while closed.")
    last_success_at: datetime | None = Field(default=None, description="Last good answer.")
    last_error_at: datetime | None = Field(default=None, description="Last fault.")
    last_error: str = Field(default="", description="What it was, in words.")
