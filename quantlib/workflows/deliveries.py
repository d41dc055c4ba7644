"""One delivery of a source into the store: checked, the bad rows kept aside, the rest written, all in a fixed order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from quantlib import store as db
from quantlib.sources.base import Parsed, Payload, Source
from quantlib.store import Store, WriteCount

TABLES = ("actions", "measures", "releases", "security_events", "news", "sentiment")
"""Tables of `Parsed` that keep every version, besides bars and macro observations."""


@dataclass(frozen=True)
class Delivered:
    """What became of the rows of one delivery.

    Attributes
    ----------
    count
        Rows written over all tables.
    rejected
        Rows turned away, by reason; they are in the quarantine.
    sound
        Rows that could be stored, whether or not they were there before.
    notes
        What was seen besides, one sentence each.
    """

    count: WriteCount = field(default_factory=WriteCount)
    rejected: Mapping[str, int] = field(default_factory=dict)
    sound: int = 0
    notes: tuple[str, ...] = ()


def deliver(store: Store, source: Source, payload: Payload, parsed: Parsed) -> Delivered:
    """Return what became of a parsed answer, having stored it, its payload and what was turned away.

    Bars are written last: they are what a later ingest continues from, so a delivery that was cut off before
    is asked for again as a whole. Every table is written in one transaction, and writing the same again
    changes nothing.

    Parameters
    ----------
    store
        Where to.
    source
        Whose answer it is; samples and files are not kept as payloads, for they can be read again.
    payload, parsed
        The answer, and what it says.
    """
    payload_id = None if source.sample or source.local else _keep(store, payload)
    count, rejected, sound = WriteCount(), Counter[str](), 0
    frames = {table: frame for table in TABLES if len(frame := getattr(parsed, table))}
    if source.actions and payload.kind == "bars":
        frames.setdefault("actions", parsed.actions)  # none at all may mean that some were withdrawn

    def turn_away(rows: pd.DataFrame, table: str) -> None:
        db.quarantine(store, rows, source=source.name, kind=table, name=payload.name, payload_id=payload_id)
        rejected.update(rows["reason"])

    for table, frame in frames.items():
        good, bad = db.check_rows(table, frame)
        turn_away(bad, table)
        scope = _scope(source, payload) if table == "actions" else {}
        count, sound = count.plus(db.write_versions(store, table, good, **scope)), sound + len(good)
    if len(parsed.macro):
        good, bad = db.check_observations(parsed.macro)
        turn_away(bad, "observations")
        count, sound = count.plus(db.write_observations(store, good)), sound + len(good)
    notes: tuple[str, ...] = ()
    if len(parsed.bars):
        good, bad = db.check_bars(parsed.bars)
        turn_away(bad, "bars")
        if source.actions:
            notes = db.adjustment_notes(good, parsed.actions, source.price_scale)
            good = good.assign(adj_close=float("nan"))  # as of the day of the request; the store adjusts by actions
        good = db.with_repairs(store, good)
        count, sound = count.plus(db.write_bars(store, good)), sound + len(good)
    return Delivered(count, rejected, sound, notes)


def _keep(store: Store, payload: Payload) -> str:
    asked = {"start": payload.start, "end": payload.end, "url": payload.url}
    return db.save_payload(
        store,
        source=payload.source,
        kind=payload.kind,
        name=payload.name,
        asked={key: str(value) for key, value in asked.items() if value},
        status=payload.status,
        body=payload.body,
    )


def _scope(source: Source, payload: Payload) -> dict[str, Any]:
    """Return which stored actions an answer speaks about: those of its symbol in its span."""
    return {"complete": {"symbol": payload.name, "source": source.name}, "span": (payload.start, payload.end)}
