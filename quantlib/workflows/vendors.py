"""Vendors: how each of them does, and a try at all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from quantlib.errors import ConfigError, DataError, SourceError, nearest
from quantlib.settings import utc_now
from quantlib.sources import SOURCES
from quantlib.sources.base import (
    BadKeyError,
    EmptyError,
    FormatError,
    LimitError,
    NoKeyError,
    NotFoundError,
    PartialError,
    PausedError,
    Source,
    UnreachableError,
)
from quantlib.store.quota import QuotaLeft, quota_left
from quantlib.store.vendors import vendor_states
from quantlib.workflows.gate import call_for, rate_words, read_answer
from quantlib.workflows.session import Session

__all__ = ["SmokeResult", "SourceState", "call_for", "list_sources", "rate_words", "read_answer", "smoke"]

Progress = Callable[[int, int, str], None]

SMOKE_PATIENCE = 5.0
"""Seconds a try waits for the quota."""


@dataclass(frozen=True)
class SourceState:
    """How one source does.

    Attributes
    ----------
    key
        Whether its key is set: `present`, `missing`, `not needed`, `optional` if it works without, but would do
        better with one, or `unknown: ` and why it could not be looked for.
    missing
        Names of the settings that are not set; none where that is unknown.
    limits
        Its limits, and how many calls each has left.
    breaker
        `closed` while it may be asked, `open` while it is left alone, `half-open` when one may try again.
    """

    name: str
    title: str
    kinds: tuple[str, ...]
    key: str
    missing: tuple[str, ...]
    verified: bool
    limits: tuple[QuotaLeft, ...]
    last_success_at: datetime | None
    breaker: Literal["closed", "open", "half-open"]
    open_until: datetime | None
    failures: int
    last_error: str
    last_error_at: datetime | None
    note: str

    @property
    def quota(self) -> str:
        """The calls left, in words."""
        return "; ".join(f"{one.left:,} of {rate_words(one.calls, one.seconds)}" for one in self.limits)


def list_sources(session: Session) -> list[SourceState]:
    """Return how every source does, the ones asked first before the others; no vendor is asked."""
    states = vendor_states(session.store).set_index("source").to_dict("index")
    names = [name for source in SOURCES.values() for name in (*source.keys, *source.optional_keys)]
    fault = ""
    try:
        found = session.settings.credentials(names).keys()
    except ConfigError as error:  # the Vault; what is kept elsewhere can still be told
        fault, found = str(error), session.settings.credentials(names, vault=False).keys()
    now = utc_now()
    listed = []
    for source in sorted(SOURCES.values(), key=lambda one: (one.priority, one.name)):
        state = states.get(source.name, {})
        until = _moment(state, "open_until")
        missing = tuple(name for name in (*source.keys, *source.optional_keys) if name not in found)
        listed.append(
            SourceState(
                name=source.name,
                title=source.title,
                kinds=source.kinds,
                key=f"unknown: {fault}" if fault and missing else _key_state(source, missing),
                missing=() if fault else missing,
                verified=source.verified,
                limits=tuple(quota_left(session.store, source.name, source.rates)),
                last_success_at=_moment(state, "last_success_at"),
                breaker="closed" if until is None else "open" if until > now else "half-open",
                open_until=until,
                failures=int(state.get("failures", 0)),
                last_error=str(state.get("last_error", "")),
                last_error_at=_moment(state, "last_error_at"),
                note=source.note,
            )
        )
    return listed


def _key_state(source: Source, missing: Sequence[str]) -> str:
    if set(missing) & set(source.keys):
        return "missing"
    if missing:
        return "optional"
    return "present" if source.keys or source.optional_keys else "not needed"


def _moment(state: Mapping[Hashable, Any], name: str) -> datetime | None:
    value = state.get(name)
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


@dataclass(frozen=True)
class SmokeResult:
    """What became of one try.

    Attributes
    ----------
    kind
        Sort of error in words, such as `bad key`; empty if there was none.
    rows
        Rows the answer would have given.
    seconds
        How long it took.
    why
        What went wrong, or was left out.
    """

    name: str
    status: Literal["ok", "skipped", "failed"]
    kind: str = ""
    rows: int = 0
    seconds: float = 0.0
    why: str = ""


def smoke(
    session: Session, names: Sequence[str] | None = None, on_progress: Progress | None = None
) -> list[SmokeResult]:
    """Return what became of asking each source one cheap question, live; no data is stored.

    Sources without their key are skipped. A source that answers that it has nothing has answered. Calls count
    against the quota, and a source that is being left alone is not asked.

    Parameters
    ----------
    session
        With which keys, and where quota and breaker are kept.
    names
        Keys of `SOURCES`; all if None.
    on_progress
        Called with sources done, sources in all, and the one being asked.

    Raises
    ------
    DataError
        There is no such source.
    """
    for name in names or ():
        if name not in SOURCES:
            raise DataError(f"There is no source {name!r}. {nearest(name, SOURCES)}")
    chosen = [SOURCES[name] for name in (SOURCES if names is None else dict.fromkeys(names))]
    results = []
    for number, source in enumerate(chosen):
        if on_progress is not None:
            on_progress(number, len(chosen), source.name)
        results.append(_try(session, source))
    if on_progress is not None:
        on_progress(len(chosen), len(chosen), "")
    return results


def _try(session: Session, source: Source) -> SmokeResult:
    if source.smoke is None:
        return SmokeResult(source.name, "skipped", why="There is nothing to ask it.")
    call = call_for(session.store, session.settings, source, patience=SMOKE_PATIENCE)
    if missing := [name for name in source.keys if name not in call.keys]:
        return SmokeResult(source.name, "skipped", "no key", why=f"Set {' and '.join(missing)}.")
    begun = time.monotonic()
    try:
        parsed = read_answer(source, source.request(source.smoke, call), call)
    except EmptyError as error:
        return SmokeResult(source.name, "ok", seconds=time.monotonic() - begun, why=str(error))
    except SourceError as error:
        return SmokeResult(source.name, "failed", kind_of(error), 0, time.monotonic() - begun, str(error))
    rows = sum(len(table) for table in vars(parsed).values() if isinstance(table, pd.DataFrame))
    return SmokeResult(source.name, "ok", "", rows, time.monotonic() - begun, " ".join(parsed.notes))


_KINDS: dict[type[SourceError], str] = {
    NoKeyError: "no key",
    BadKeyError: "bad key",
    NotFoundError: "not found",
    LimitError: "limit",
    UnreachableError: "unreachable",
    PausedError: "paused",
    PartialError: "partial answer",
    FormatError: "changed format",
}


def kind_of(error: SourceError) -> str:
    """Return the sort of an error in words."""
    return next((words for kind, words in _KINDS.items() if isinstance(error, kind)), "error")
