"""What an ingest did: for every symbol and series, as a table, in one line, and in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from quantlib import store as db
from quantlib.store import Store, WriteCount

Status = Literal["ok", "failed", "unanswered", "skipped"]
NOTHING = WriteCount()
COLUMNS = ("symbol", "status", "new", "changed", "unchanged", "rejected", "why")


@dataclass(frozen=True)
class SymbolResult:
    """What became of one symbol, macro series, calendar or file.

    Attributes
    ----------
    symbol
        Its name; with the kind behind it where that is not prices or macro values.
    status
        `ok`; `failed`; `unanswered` if the vendor refused or could not be reached; `skipped` if it was not
        asked any more after that.
    rejected
        Rows turned away, by reason.
    notes
        What was left out or done besides, and why.
    error
        Why nothing was stored; empty if `ok`.
    """

    symbol: str
    status: Status
    count: WriteCount = NOTHING
    rejected: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class IngestResult:
    """What became of every symbol of one ingest.

    Attributes
    ----------
    reference
        Rows of instruments, universe lists, sources and series descriptions brought up to date.
    """

    source: str
    started_at: datetime
    finished_at: datetime
    symbols: tuple[SymbolResult, ...]
    reference: WriteCount = NOTHING

    @property
    def total(self) -> WriteCount:
        """Rows over all symbols."""
        total = NOTHING
        for one in self.symbols:
            total = total.plus(one.count)
        return total

    @property
    def rejected(self) -> Counter[str]:
        """Rows turned away over all symbols, by reason."""
        return sum((Counter(s.rejected) for s in self.symbols), Counter())

    @property
    def failed(self) -> tuple[SymbolResult, ...]:
        """Symbols nothing could be stored for."""
        return tuple(s for s in self.symbols if s.status != "ok")

    @property
    def ok(self) -> bool:
        """Whether every symbol was read and stored."""
        return not self.failed

    @property
    def status(self) -> Literal["ok", "partial", "failed"]:
        """`ok`, `partial` if some symbols failed, `failed` if all did."""
        return "ok" if self.ok else "failed" if len(self.failed) == len(self.symbols) else "partial"

    @property
    def changed_nothing(self) -> bool:
        """Whether the store holds exactly what it held before."""
        total = self.total.plus(self.reference)
        return total.new == total.changed == 0

    @property
    def headline(self) -> str:
        """The ingest in one line."""
        total, rejected = self.total, self.rejected.total()
        rows = (
            f"{total.new:,} new, {total.changed:,} changed, {total.unchanged:,} unchanged, {rejected:,} rejected rows"
        )
        text = f"{self.source}: {rows} of {len(self.symbols)} symbols and series."
        if self.changed_nothing:
            text += " Nothing changed."
        if self.failed:
            text += f" {len(self.failed)} failed, first {self.failed[0].symbol}: {self.failed[0].error}"
        return text

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of the ingest as text: one row per symbol in COLUMNS, and a last one of totals."""
        table = [_row(s.symbol, s.status, s.count, s.rejected, (s.error, *s.notes)) for s in self.symbols]
        return [*table, _row("total", self.status, self.total, self.rejected, ())]


def _row(
    name: str, status: str, count: WriteCount, rejected: Mapping[str, int], words: Sequence[str]
) -> tuple[str, ...]:
    why = [f"{reason} ({rows:,})" for reason, rows in rejected.items()] + [word for word in words if word]
    return (name, status, *(f"{n:,}" for n in count), f"{sum(rejected.values()):,}", "; ".join(why))


def log_ingest(
    store: Store,
    result: IngestResult,
    status: Literal["ok", "partial", "failed"] | None = None,
    message: str | None = None,
) -> None:
    """Write an ingest into the log, under its own status and headline unless others are given."""
    total = result.total
    detail: dict[str, Any] = {
        "failed": [{"symbol": s.symbol, "status": s.status, "error": s.error} for s in result.failed],
        "rejected": [
            {"symbol": s.symbol, "reason": reason, "rows": rows}
            for s in result.symbols
            for reason, rows in s.rejected.items()
        ],
        "notes": [{"symbol": s.symbol, "note": note} for s in result.symbols for note in s.notes],
    }
    db.save_ingest(
        store,
        db.IngestRecord(
            source=result.source,
            started_at=result.started_at,
            finished_at=result.finished_at,
            status=status or result.status,
            rows_new=total.new,
            rows_changed=total.changed,
            rows_unchanged=total.unchanged,
            rows_rejected=result.rejected.total(),
            detail=detail,
            message=message or result.headline,
        ),
    )
