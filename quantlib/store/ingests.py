"""The ingest log: what every ingest did, and what it turned away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from quantlib.store.database import Store
from quantlib.store.upsert import as_json

DETAIL_ROWS = 100
"""How many entries of each list in `detail` are kept."""


@dataclass(frozen=True)
class IngestRecord:
    """One ingest: when, from where, how many rows, and why some were rejected.

    Attributes
    ----------
    detail
        JSON, such as rejected rows with their reasons; lists are cut to the first `DETAIL_ROWS`.
    """

    source: str
    started_at: datetime
    finished_at: datetime
    status: Literal["ok", "partial", "failed"]
    rows_new: int = 0
    rows_changed: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


_LOG = sa.Table(
    "ingest_log",
    sa.MetaData(schema="ops"),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("source", sa.Text),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("started_at", "finished_at")),
    sa.Column("status", sa.Text),
    *(sa.Column(f"rows_{name}", sa.Integer) for name in ("new", "changed", "unchanged", "rejected")),
    sa.Column("detail", JSONB),
    sa.Column("message", sa.Text),
)


def save_ingest(store: Store, record: IngestRecord) -> int:
    """Return the number the ingest was logged under."""
    detail = {
        key: value[:DETAIL_ROWS] if isinstance(value, list) else value for key, value in as_json(record.detail).items()
    }
    with store.begin() as connection:
        values = asdict(record) | {"detail": detail, "message": record.message.replace("\0", "\\0")}
        statement = sa.insert(_LOG).values(**values).returning(_LOG.c.id)
        return int(connection.execute(statement).scalar_one())


def read_ingest_log(store: Store, *, source: str | None = None, limit: int = 50) -> pd.DataFrame:
    """Return the last ingests as a table, the newest first."""
    query = sa.select(_LOG).order_by(_LOG.c.started_at.desc(), _LOG.c.id.desc()).limit(limit)
    if source is not None:
        query = query.where(_LOG.c.source == source)
    with store.begin() as connection:
        result = connection.execute(query)
        return pd.DataFrame(result.all(), columns=list(result.keys()))
