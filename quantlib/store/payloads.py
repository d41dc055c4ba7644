"""Payloads: answers of vendors as they came, to be read again when a parser has been mended."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from quantlib.errors import DataError
from quantlib.store.database import Store
from quantlib.store.upsert import as_json

_PAYLOADS = sa.Table(
    "payloads",
    sa.MetaData(schema="raw"),
    *(sa.Column(name, sa.Text) for name in ("id", "source", "kind", "name")),
    sa.Column("asked", JSONB),
    sa.Column("status", sa.Integer),
    sa.Column("body", sa.LargeBinary),
    sa.Column("fetched_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True)
class PayloadRecord:
    """A stored answer.

    Attributes
    ----------
    id
        Hash of source, kind, name and body.
    asked
        Span and address of the request, without keys.
    body
        As delivered; text is UTF-8.
    fetched_at
        When it came first.
    """

    id: str
    source: str
    kind: str
    name: str
    asked: dict[str, Any]
    status: int
    body: bytes
    fetched_at: datetime


def save_payload(
    store: Store, *, source: str, kind: str, name: str, asked: Mapping[str, Any], status: int, body: str | bytes
) -> str:
    """Return the id of an answer, having stored it; the same answer again is not stored twice.

    Parameters
    ----------
    store
        Where to.
    source, kind, name
        Vendor, and what it was asked for.
    asked
        Span and address of the request; the caller has taken out the keys.
    status
        HTTP status; 200 where there is no HTTP.
    body
        As delivered.
    """
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    digest = hashlib.sha256("\x1f".join((source, kind, name, "")).encode() + content).hexdigest()[:32]
    row = {
        "id": digest,
        "source": source,
        "kind": kind,
        "name": name,
        "asked": as_json(asked),
        "status": status,
        "body": gzip.compress(content, mtime=0),
    }
    with store.begin() as connection:
        connection.execute(insert(_PAYLOADS).values(row).on_conflict_do_nothing(index_elements=["id"]))
    return digest


def read_payload(store: Store, payload_id: str) -> PayloadRecord:
    """Return a stored answer.

    Raises
    ------
    DataError
        There is none with that id.
    """
    with store.begin() as connection:
        row = connection.execute(sa.select(_PAYLOADS).where(_PAYLOADS.c.id == payload_id)).mappings().one_or_none()
    if row is None:
        raise DataError(f"No payload {payload_id!r} is stored. The quarantine and list_payloads name those there are.")
    return PayloadRecord(**{**row, "body": gzip.decompress(row["body"])})


def list_payloads(
    store: Store, *, source: str | None = None, kind: str | None = None, name: str | None = None, limit: int = 500
) -> pd.DataFrame:
    """Return the stored answers without their bodies, the newest first.

    Returns
    -------
    DataFrame
        `id`, `source`, `kind`, `name`, `asked`, `status`, `fetched_at` and `size`, compressed, in bytes.
    """
    columns = [c for c in _PAYLOADS.c if c.name != "body"]
    query = sa.select(*columns, sa.func.length(_PAYLOADS.c.body).label("size"))
    for column, value in (("source", source), ("kind", kind), ("name", name)):
        if value is not None:
            query = query.where(_PAYLOADS.c[column] == value)
    query = query.order_by(_PAYLOADS.c.fetched_at.desc(), _PAYLOADS.c.id).limit(limit)
    with store.begin() as connection:
        rows = connection.execute(query).all()
    return pd.DataFrame(rows, columns=[*(c.name for c in columns), "size"])


def last_fetched(store: Store, source: str, kind: str, name: str) -> datetime | None:
    """Return when the newest stored answer to a question came first; None if it was never answered."""
    query = sa.select(sa.func.max(_PAYLOADS.c.fetched_at)).where(
        _PAYLOADS.c.source == source, _PAYLOADS.c.kind == kind, _PAYLOADS.c.name == name
    )
    with store.begin() as connection:
        found: datetime | None = connection.scalar(query)
    return found
