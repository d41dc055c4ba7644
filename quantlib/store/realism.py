"""Grades of simulators: what a realism card said, remembered for the same simulator, prices and code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from quantlib.store.database import Store
from quantlib.store.upsert import as_json


@dataclass(frozen=True)
class RealismRecord:
    """A simulator's grade on some prices; `id` is the hash of all that it depends on.

    `card` says its seed and number of worlds, `grade` is "A" to "F" or "unknown", `why` what is wrong with the worlds
    or why they cannot be judged, and `judged` by how many worlds of which history it was done.
    """

    id: str
    simulator: str
    params: Mapping[str, Any]
    snapshot_id: str
    code_version: str
    card: Mapping[str, Any]
    grade: str
    why: str
    judged: str


_REALISM = sa.Table(
    "realism",
    sa.MetaData(schema="derived"),
    *(sa.Column(name, sa.Text()) for name in ("id", "simulator", "snapshot_id", "code_version")),
    *(sa.Column(name, sa.Text()) for name in ("grade", "why", "judged")),
    *(sa.Column(name, JSONB()) for name in ("params", "card")),
)


def save_realism(store: Store, record: RealismRecord) -> None:
    """Store a grade; one that is there already stays as it is."""
    row = asdict(record) | {"params": as_json(record.params), "card": as_json(record.card)}
    with store.begin() as connection:
        connection.execute(insert(_REALISM).values(row).on_conflict_do_nothing(index_elements=["id"]))


def read_realism(store: Store, id: str) -> RealismRecord | None:  # noqa: A002  the field's name everywhere
    """Return the grade under an id, or None where it has not been given yet."""
    with store.begin() as connection:
        row = connection.execute(sa.select(_REALISM).where(_REALISM.c.id == id)).mappings().first()
    return None if row is None else RealismRecord(**row)
