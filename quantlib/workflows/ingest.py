"""Ingest: from a source into the store, symbol by symbol, with a record of what every row became."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from quantlib import store as db
from quantlib.errors import DataError, QuantError, SourceError, nearest
from quantlib.settings import get_settings, utc_now
from quantlib.sources import SOURCES
from quantlib.sources.base import EmptyError, LimitError, Parsed, Source, UnreachableError
from quantlib.store import Store, WriteCount
from quantlib.types import DateLike, check_span
from quantlib.universe import Universe, load_universe

Status = Literal["ok", "failed", "unanswered", "skipped"]
Progress = Callable[[int, int, str], None]

OVERLAP = pd.Timedelta(days=30)
"""How far an incremental ingest reaches back over stored bars, to notice what the vendor has revised."""
SAME = 1e-5
"""Relative difference up to which a price counts as the one stored: vendors round."""
PATIENCE = 3
"""Symbols in a row a vendor may leave unanswered before the rest is skipped."""
NOTHING = WriteCount()
COLUMNS = ("symbol", "status", "new", "changed", "unchanged", "rejected", "why")


@dataclass(frozen=True)
class SymbolResult:
    """What became of one symbol or macro series.

    Attributes
    ----------
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
        Rows of instruments, universe lists and series descriptions brought up to date.
    """

    source: str
    started_at: datetime
    finished_at: datetime
    symbols: tuple[SymbolResult, ...]
    reference: WriteCount = NOTHING

    @property
    def total(self) -> WriteCount:
        """Rows of bars and observations over all symbols."""
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


def ingest(
    store: Store,
    source_name: str,
    symbols: Sequence[str] | None = None,
    *,
    start: DateLike | None = None,
    end: DateLike | None = None,
    universe: Universe | None = None,
    home: Path | None = None,
    on_progress: Progress | None = None,
) -> IngestResult:
    """Return what became of every symbol, having stored what the source delivers and logged the ingest.

    Each symbol is stored whole or not at all, and one that fails does not stop the others. A live source is
    asked only for what is new: from 30 days before the last stored bar. Where the first of those days comes
    back with another price than the stored one, the vendor has restated its history (a split, a dividend),
    and all of it is fetched again; else old and new bars would stand on different scales.

    Parameters
    ----------
    store
        Where to.
    source_name
        Key in `SOURCES`.
    symbols
        Symbols of the universe, or names of the source's macro series. None is everything: the universe's
        list `sample` and the series for a sample source, the whole universe for a live one.
    start, end
        First and last session wanted. Without a start, a symbol that is stored already is continued. The
        span is widened where it would leave a hole beside what is stored.
    universe
        What may be asked for; the file in the settings' data folder if None.
    home
        Folder for the sources' caches; below the settings' home if None.
    on_progress
        Called with symbols done, symbols in all, and the one being fetched.

    Raises
    ------
    DataError
        The source or a symbol is unknown, or the span ends before it starts. Nothing has been asked or stored.
    ConfigError
        The database has gone away.

    Examples
    --------
    >>> result = ingest(store, "sample", ["KO", "PEP"])  # doctest: +SKIP
    >>> result.headline  # doctest: +SKIP
    'sample: 16,626 new, 0 changed, 0 unchanged, 0 rejected rows of 2 symbols and series.'
    """
    if source_name not in SOURCES:
        raise DataError(f"There is no source {source_name!r}. {nearest(source_name, SOURCES)}")
    source = SOURCES[source_name]
    span = check_span(start, end)
    known = universe or load_universe(get_settings().data / "universe.yaml")
    names = _names(source, symbols, known)
    run = _Run(store, source, span, home or get_settings().home / "cache" / source.name, _stored(store, source.name))
    report = on_progress or (lambda done, total, label: None)

    started = utc_now()
    results: list[SymbolResult] = []
    try:
        reference = _write_reference(store, source, known)
        for name in names:
            report(len(results), len(names), name)
            silent = [r for r in results[-PATIENCE:] if r.status in {"unanswered", "skipped"}]
            results.append(run.one(name) if len(silent) < PATIENCE else run.skip(name))
        report(len(names), len(names), "")
    except BaseException as error:  # a key pressed, the database gone: say so in the log and let it out
        words = str(error) or type(error).__name__
        stopped = IngestResult(source.name, started, utc_now(), tuple(results))
        with suppress(QuantError):
            _log(store, stopped, "failed", f"stopped after {len(results)} of {len(names)} symbols: {words}")
        raise
    result = IngestResult(source.name, started, utc_now(), tuple(results), reference)
    _log(store, result, result.status, result.headline)
    return result


def _names(source: Source, symbols: Sequence[str] | None, universe: Universe) -> list[str]:
    series = [one.name for one in source.series]
    if symbols is None:
        return [*universe.symbols("sample" if source.sample else "all"), *series]
    if not symbols:
        raise DataError("No symbol was asked for. Name at least one, or leave them out to take all.")
    for symbol in symbols:
        if symbol not in series:
            universe.instrument(symbol)
    return list(dict.fromkeys(symbols))


def _stored(store: Store, source: str) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the first and last stored session by symbol."""
    table = db.coverage(store)
    mine = table[table["source"] == source]
    return {
        symbol: (pd.Timestamp(first), pd.Timestamp(last))
        for symbol, first, last in zip(mine["symbol"], mine["first"], mine["last"], strict=True)
    }


def _write_reference(store: Store, source: Source, universe: Universe) -> WriteCount:
    """Return the count of instruments, lists and series descriptions brought up to date."""
    lists = [db.UniverseList(one.name, one.title, one.drawn_up, one.symbols) for one in universe.lists.values()]
    series = pd.DataFrame(
        [(one.name, one.title, one.unit, one.frequency, source.name) for one in source.series],
        columns=["series", "title", "unit", "frequency", "source"],
    )
    count = db.write_instruments(store, universe.instruments).plus(db.write_universe(store, lists))
    return count.plus(db.write_series(store, series))


@dataclass(frozen=True)
class _Run:
    """What every symbol of an ingest shares."""

    store: Store
    source: Source
    span: tuple[pd.Timestamp | None, pd.Timestamp | None]
    home: Path
    stored: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]]

    def one(self, name: str) -> SymbolResult:
        """Return what became of one symbol: fetched, checked and stored whole, or not at all."""
        try:
            parsed, notes = self.fetch(name)
            if len(parsed.macro):
                good, rejected = db.check_observations(parsed.macro)
                count = db.write_observations(self.store, good)
            else:
                good, rejected = db.check_bars(parsed.bars)
                count = db.write_bars(self.store, good)
        except EmptyError as error:
            if name in self.stored:
                return SymbolResult(name, "ok", notes=(str(error),))
            return SymbolResult(name, "failed", error=str(error))
        except (LimitError, UnreachableError) as error:
            return SymbolResult(name, "unanswered", error=str(error))
        except (SourceError, DataError) as error:
            return SymbolResult(name, "failed", error=str(error))
        reasons, notes = Counter(rejected["reason"]), (*parsed.notes, *notes)
        if good.empty:
            return SymbolResult(name, "failed", count, reasons, notes, "no row could be stored")
        return SymbolResult(name, "ok", count, reasons, notes)

    def skip(self, name: str) -> SymbolResult:
        """Return that a symbol was not asked for."""
        return SymbolResult(name, "skipped", error=f"not asked: {self.source.title} left {PATIENCE} others unanswered")

    def fetch(self, name: str) -> tuple[Parsed, tuple[str, ...]]:
        """Return what the source says, from the beginning where it has restated what is stored."""
        start, end = self.span
        if self.source.sample or name not in self.stored:
            return self.ask(name, start, end), ()
        first, last = self.stored[name]
        reach = last - OVERLAP
        end = None if end is None else max(end, first + OVERLAP)
        begin = reach if start is None else min(start, reach)
        parsed = self.ask(name, begin if end is None else min(begin, end), end)
        if not self.restated(name, parsed.bars, last):
            return parsed, ()
        whole = self.ask(name, first if start is None else min(start, first), None)
        return whole, ("earlier prices were restated; the whole history was fetched again",)

    def ask(self, name: str, start: pd.Timestamp | None, end: pd.Timestamp | None) -> Parsed:
        return self.source.parse(self.source.request(name, start, end, home=self.home))

    def restated(self, name: str, bars: pd.DataFrame, last: pd.Timestamp) -> bool:
        """Return whether the first day known to both sides has another close, or adjusted close."""
        overlap = bars[bars["ts"] <= last].set_index("ts")
        if overlap.empty:
            return True
        for column, adjust in (("close", False), ("adj_close", True)):
            panel = db.read_panel(self.store, name, overlap.index[0], last, adjust=adjust, source=self.source.name)
            ratio = (overlap[column] / panel.frame("close")[name]).dropna()
            if len(ratio) and abs(ratio.iloc[0] - 1) > SAME:
                return True
        return False


def _log(store: Store, result: IngestResult, status: Literal["ok", "partial", "failed"], message: str) -> None:
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
            status=status,
            rows_new=total.new,
            rows_changed=total.changed,
            rows_unchanged=total.unchanged,
            rows_rejected=result.rejected.total(),
            detail=detail,
            message=message,
        ),
    )
