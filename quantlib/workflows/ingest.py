"""Ingest: from a source into the store, symbol by symbol, with a record of what every row became."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from quantlib import store as db
from quantlib.errors import DataError, QuantError, SourceError, nearest
from quantlib.models.market import SourceRow
from quantlib.settings import get_settings, utc_now
from quantlib.sources import SOURCES
from quantlib.sources.base import (
    EVERYTHING,
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    Kind,
    LimitError,
    Parsed,
    PausedError,
    Payload,
    Source,
    UnreachableError,
)
from quantlib.store import Store, WriteCount
from quantlib.types import DateLike, check_span
from quantlib.universe import Universe, load_universe
from quantlib.workflows.deliveries import deliver
from quantlib.workflows.gate import call_for, read_answer
from quantlib.workflows.ingest_result import COLUMNS, IngestResult, Status, SymbolResult, log_ingest

__all__ = ["COLUMNS", "IngestResult", "SymbolResult", "ingest"]

Progress = Callable[[int, int, str], None]

OVERLAP = pd.Timedelta(days=30)
"""How far an incremental ingest reaches back over stored bars, to notice what the vendor has revised."""
SAME = 1e-5
"""Relative difference up to which a price counts as the one stored: vendors round."""
PATIENCE = 3
"""Symbols in a row a vendor may leave unanswered before the rest is skipped."""
USUAL: tuple[Kind, ...] = ("bars", "macro")
"""What is asked for where no kind is named, as far as the source has it; else everything it has."""
AROUND: dict[Kind, tuple[int, int]] = {
    "releases": (-30, 30),
    "earnings": (-30, 90),
    "news": (-7, 0),
    "sentiment": (-7, 0),
}
"""First and last day asked for where no span is given, counted from today; the first no later than the last answer."""


def ingest(
    store: Store,
    source_name: str,
    symbols: Sequence[str] | None = None,
    *,
    kinds: Sequence[str] | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    universe: Universe | None = None,
    call: Call | None = None,
    on_progress: Progress | None = None,
) -> IngestResult:
    """Return what became of every symbol, having stored what the source delivers and logged the ingest.

    Each symbol is stored whole or not at all, and one that fails does not stop the others. A live source is
    asked only for what is new: from 30 days before the last stored bar. Where the first of those days comes
    back with another price than the stored one, the vendor has restated its history (a split), and all of it
    is fetched again; else old and new bars would stand on different scales.

    Parameters
    ----------
    store
        Where to.
    source_name
        Key in `SOURCES`.
    symbols
        Symbols of the universe, or names of the source's macro series. None is everything: the universe's
        list `sample` for a sample source, all instruments of the source's markets for a live one, and its
        series.
    kinds
        What to ask for; prices and macro values if None, or all the source has where it has neither.
    start, end
        First and last day wanted. Without a start, a symbol that is stored already is continued. The span is
        widened where it would leave a hole beside what is stored.
    universe
        What may be asked for; the file in the settings' data folder if None.
    call
        Keys, patience and gate; by default those of the settings, with the quota and breaker all processes share.
    on_progress
        Called with symbols done, symbols in all, and the one being fetched.

    Raises
    ------
    DataError
        The source, a kind or a symbol is unknown, or the span ends before it starts. Nothing has been asked.
    NoKeyError
        The source needs a key and none is set.
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
    if source.local:
        raise DataError(f"{source.title} is read from a folder. Use `workbench ingest --folder PATH`.")
    span = check_span(start, end)
    known = universe or load_universe(get_settings().data / "universe.yaml")
    questions = _questions(source, symbols, _kinds(source, kinds), known)
    asking = call or call_for(store, get_settings(), source)
    for key in source.keys:
        asking.key(key)
    run = _Run(store, source, span, asking, _stored(store, source.name))
    if symbols is None:  # where a quota ends the round early, the next one begins with what this one left out
        questions.sort(key=lambda one: (source.kinds.index(one.kind), run.newest(one.name)))
    if source.actions:
        run.unconverted = db.vendor_adjusted(store, source.name)
    report = on_progress or (lambda done, total, label: None)

    started = utc_now()
    results: list[SymbolResult] = []
    try:
        reference = write_reference(store, source, known)
        for question in questions:
            report(len(results), len(questions), question.label)
            results.append(run.one(question))
        report(len(questions), len(questions), "")
    except BaseException as error:  # a key pressed, the database gone: say so in the log and let it out
        words = str(error) or type(error).__name__
        stopped = IngestResult(source.name, started, utc_now(), tuple(results))
        with suppress(QuantError):
            log_ingest(store, stopped, "failed", f"stopped after {len(results)} of {len(questions)} symbols: {words}")
        raise
    result = IngestResult(source.name, started, utc_now(), tuple(results), reference)
    log_ingest(store, result)
    return result


class _Question(NamedTuple):
    kind: Kind
    name: str

    @property
    def label(self) -> str:
        """The name, with the kind where that is not what is usually meant."""
        if self.kind in USUAL:
            return self.name
        return self.kind if self.name == EVERYTHING else f"{self.name} {self.kind}"


def _kinds(source: Source, kinds: Sequence[str] | None) -> tuple[Kind, ...]:
    if kinds is None:
        return tuple(kind for kind in source.kinds if kind in USUAL) or source.kinds
    for kind in kinds:
        if kind not in source.kinds:
            raise DataError(f"{source.title} has no {kind!r}. {nearest(kind, source.kinds)}")
    return tuple(kind for kind in source.kinds if kind in kinds)


def _questions(
    source: Source, symbols: Sequence[str] | None, kinds: tuple[Kind, ...], universe: Universe
) -> list[_Question]:
    series = [one.name for one in source.series]
    if symbols is not None:
        if not symbols:
            raise DataError("No symbol was asked for. Name at least one, or leave them out to take all.")
        for symbol in symbols:
            if symbol not in series:
                universe.instrument(symbol)
    if source.sample:
        followed = list(universe.symbols("sample"))
    else:
        trading = (one for one in universe.instruments if one.delisted is None)
        followed = [one.symbol for one in trading if one.kind in source.markets]
    questions = []
    for kind in kinds:
        if kind == "releases":
            names = [EVERYTHING] if symbols is None else []
        elif kind == "macro":
            names = [name for name in dict.fromkeys(symbols if symbols is not None else series) if name in series]
        else:
            names = [name for name in dict.fromkeys(symbols if symbols is not None else followed) if name not in series]
        questions += [_Question(kind, name) for name in names]
    if not questions:
        raise DataError(f"There is nothing to ask {source.title} for: {', '.join(kinds)} of {symbols or 'everything'}.")
    return questions


def _stored(store: Store, source: str) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the first and last stored session by symbol."""
    table = db.coverage(store)
    mine = table[table["source"] == source]
    return {
        symbol: (pd.Timestamp(first), pd.Timestamp(last))
        for symbol, first, last in zip(mine["symbol"], mine["first"], mine["last"], strict=True)
    }


def write_reference(store: Store, source: Source, universe: Universe) -> WriteCount:
    """Return the count of instruments, lists, sources and series descriptions brought up to date."""
    lists = [db.UniverseList(one.name, one.title, one.drawn_up, one.symbols) for one in universe.lists.values()]
    series = pd.DataFrame(
        [(one.name, one.title, one.unit, one.frequency, source.name) for one in source.series],
        columns=["series", "title", "unit", "frequency", "source"],
    )
    sources = [
        SourceRow(
            source=one.name,
            title=one.title,
            priority=one.priority,
            price_scale=one.price_scale,
            has_actions=one.actions,
        )
        for one in SOURCES.values()
    ]
    # What is on record comes first: where it speaks, the days on which lists were drawn up say nothing.
    history = db.write_versions(store, "membership", universe.history(), complete={"basis": "history"})
    count = db.write_instruments(store, universe.instruments).plus(history).plus(db.write_universe(store, lists))
    return count.plus(db.write_sources(store, sources)).plus(db.write_series(store, series))


@dataclass
class _Run:
    """What every symbol of an ingest shares."""

    store: Store
    source: Source
    span: tuple[pd.Timestamp | None, pd.Timestamp | None]
    call: Call
    stored: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]]
    unconverted: Collection[str] = ()
    silent: int = 0
    refused: int = 0

    def newest(self, name: str) -> pd.Timestamp:
        """Return the last stored session of a symbol, the beginning of time where there is none."""
        return self.stored[name][1] if name in self.stored else pd.Timestamp.min

    def one(self, question: _Question) -> SymbolResult:
        """Return what became of one question, or that it was not asked after too many had no answer."""
        if self.refused >= PATIENCE or self.silent >= PATIENCE:
            what = "refused the key" if self.refused >= PATIENCE else f"left {PATIENCE} others unanswered"
            return SymbolResult(question.label, "skipped", error=f"not asked: {self.source.title} {what}")
        refused = self.refused
        result = self._answered(question)
        self.silent = self.silent + 1 if result.status == "unanswered" else 0
        self.refused = self.refused if self.refused > refused else 0
        return result

    def _answered(self, question: _Question) -> SymbolResult:
        """Return what became of one question: fetched, checked and stored whole, or not at all."""
        label = question.label

        def without(status: Status, error: Exception) -> SymbolResult:
            return SymbolResult(label, status, error=str(error))

        try:
            payload, parsed, notes = self.fetch(question)
            done = deliver(self.store, self.source, payload, parsed)
        except EmptyError as error:
            if question.kind not in USUAL or question.name in self.stored:
                return SymbolResult(label, "ok", notes=(str(error),))
            return without("failed", error)
        except (LimitError, UnreachableError, PausedError) as error:
            return without("unanswered", error)
        except BadKeyError as error:  # one that the plan does not cover is no reason to leave out the others
            self.refused += 1
            return without("failed", error)
        except (SourceError, DataError) as error:
            return without("failed", error)
        notes = (*parsed.notes, *notes, *done.notes)
        if not done.sound:
            return SymbolResult(label, "failed", done.count, done.rejected, notes, "no row could be stored")
        return SymbolResult(label, "ok", done.count, done.rejected, notes)

    def fetch(self, question: _Question) -> tuple[Payload, Parsed, tuple[str, ...]]:
        """Return what the source says, from the beginning where it has restated what is stored."""
        start, end = self.span
        kind, name = question
        if kind in AROUND and start is None and end is None:
            start, end = self.around(kind, name)
        if kind != "bars" or self.source.sample or not self.source.history or name not in self.stored:
            return (*self.ask(Ask(kind, name, start, end)), ())
        first, last = self.stored[name]
        reach = last - OVERLAP
        end = None if end is None else max(end, first + OVERLAP)
        begin = reach if start is None else min(start, reach)
        payload, parsed = self.ask(Ask(kind, name, begin if end is None else min(begin, end), end))
        if name in self.unconverted:
            why = "earlier prices were stored with the vendor's own adjustment"
        elif self.restated(name, parsed.bars, last):
            why = "earlier prices were restated"
        else:
            return payload, parsed, ()
        payload, parsed = self.ask(Ask(kind, name, first if start is None else min(start, first)))
        return payload, parsed, (f"{why}; the whole history was fetched again",)

    def around(self, kind: Kind, name: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the days to ask for where none are given: those around today, and all since the last answer."""
        today = pd.Timestamp(utc_now().date())
        start, end = (today + pd.Timedelta(days=days) for days in AROUND[kind])
        answered = db.last_fetched(self.store, self.source.name, kind, name)
        if answered is not None:
            start = min(start, pd.Timestamp(answered.date()) - pd.Timedelta(days=1))
        return start, end

    def ask(self, ask: Ask) -> tuple[Payload, Parsed]:
        payload = self.source.request(ask, self.call)
        return payload, read_answer(self.source, payload, self.call)

    def restated(self, name: str, bars: pd.DataFrame, last: pd.Timestamp) -> bool:
        """Return whether the first day known to both sides has another close, or adjusted close."""
        overlap = bars[bars["ts"] <= last].set_index("ts")
        if overlap.empty:
            return True
        columns = {"close": False} if self.source.actions else {"close": False, "adj_close": True}
        for column, adjust in columns.items():
            panel = db.read_panel(self.store, name, overlap.index[0], last, adjust=adjust, source=self.source.name)
            ratio = (overlap[column] / panel.frame("close")[name]).dropna()
            if len(ratio) and abs(ratio.iloc[0] - 1) > SAME:
                return True
        return False
