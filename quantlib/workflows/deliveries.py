"""One delivery of a source into the store: checked, the bad rows kept aside, the rest written, all in a fixed order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from quantlib import store as db
from quantlib.models import MODELS
from quantlib.sources.base import Parsed, PartialError, Payload, Source
from quantlib.store import BARS, GRADES, REPAIRS, Store, WriteCount

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

    All of it is written in one transaction under one moment: a restatement after a split never shows rescaled
    dividends beside old prices, and a delivery that is cut off leaves nothing. Writing the same again changes
    nothing. What is turned away, and the payload, are kept even if the write fails.

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

    goods: dict[str, pd.DataFrame] = {}
    for table, frame in frames.items():
        goods[table], bad = db.check_rows(table, frame)
        turn_away(bad, table)
    if len(parsed.macro):
        good, bad = db.check_observations(parsed.macro)
        turn_away(bad, "observations")
        count, sound = count.plus(db.write_observations(store, good)), sound + len(good)
    notes: tuple[str, ...] = ()
    bars = pd.DataFrame()
    turn_away(parsed.refused, "bars")
    if len(parsed.bars):
        bars, bad = db.check_bars(parsed.bars)
        turn_away(bad, "bars")
        if source.actions:
            notes = db.adjustment_notes(bars, parsed.actions, source.price_scale)
            if notes and (gone := _withdrawn(store, source, payload, goods["actions"])):
                raise PartialError(
                    f"{source.title} lacks {gone} of the stored dividends and splits of {payload.name}, but its own "
                    "adjusted closes still contain them. Nothing was written; try again later."
                )
            bars = bars.assign(adj_close=float("nan"))  # as of the day of the request; the store adjusts by actions
    with db.take_turn(store, *_written(goods, bars)) as turn:
        for table, good in goods.items():
            scope = _scope(source, payload) if table == "actions" else {}
            written = db.write_versions(store, table, good, within=turn, **scope)
            count, sound = count.plus(written), sound + len(good)
        if len(bars):
            good = db.with_repairs(store, bars, within=turn)
            count, sound = count.plus(db.write_bars(store, good, within=turn)), sound + len(good)
    return Delivered(count, rejected, sound, notes)


def _withdrawn(store: Store, source: Source, payload: Payload, actions: pd.DataFrame) -> int:
    """Return how many stored actions of its span an answer does not have."""
    where = {"symbol": payload.name, "source": source.name}
    stored = db.read_versions(store, "actions", where=where, start=payload.start, end=payload.end)
    key = ["ts", "kind"]
    return len(pd.MultiIndex.from_frame(stored[key]).difference(pd.MultiIndex.from_frame(actions[key])))


def _written(goods: Mapping[str, pd.DataFrame], bars: pd.DataFrame) -> list[str]:
    """Return the tables a delivery is going to write; bars may end repairs and take their marks away."""
    return [MODELS[table].table for table in goods] + ([BARS, GRADES, REPAIRS] if len(bars) else [])


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
