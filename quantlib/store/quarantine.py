"""The quarantine: rows that were turned away at the door, kept with the reason."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store.database import Store

COLUMNS = (*("id", "source", "kind", "name", "row", "reason", "payload_id", "first_seen_at", "last_seen_at", "times"),)
# Numbers equal in value count as the same row, so rows are grouped as jsonb before they meet the stored ones.
_KEEP = sa.text("""
INSERT INTO ops.quarantine AS q (source, kind, name, row, reason, payload_id, times)
SELECT :source, :kind, :name, row, reason, :payload_id, count(*)
FROM unnest(CAST(:rows AS jsonb[]), CAST(:reasons AS text[])) AS i (row, reason)
GROUP BY row, reason
ON CONFLICT (source, kind, name, reason, md5(row::text)) DO UPDATE
SET times = q.times + excluded.times, last_seen_at = now(), payload_id = coalesce(excluded.payload_id, q.payload_id)
RETURNING xmax = 0
""")
_READ = sa.text("""
SELECT id, source, kind, name, row, reason, payload_id, first_seen_at, last_seen_at, times
FROM ops.quarantine
WHERE (CAST(:source AS text) IS NULL OR source = :source) AND (CAST(:name AS text) IS NULL OR name = :name)
ORDER BY last_seen_at DESC, id DESC LIMIT :limit
""")


def quarantine(
    store: Store, rejected: pd.DataFrame, *, source: str, kind: str, name: str, payload_id: str | None = None
) -> int:
    """Return how many of the rows were not in quarantine before, having put all there.

    A row that comes again for the same reason is counted and dated, not kept twice.

    Parameters
    ----------
    store
        Where to.
    rejected
        The second result of a check: rows as they came with a column `reason`.
    source, kind, name
        Vendor, table the rows were meant for, and symbol or series asked for.
    payload_id
        Stored answer they came in; None for files, which name themselves.

    Raises
    ------
    DataError
        There is no column `reason`, or no such payload.
    """
    if "reason" not in rejected.columns:
        raise DataError("Rows for the quarantine lack the column reason. Pass what a check returned second.")
    if rejected.empty:
        return 0
    # By column, for one row across all would turn whole numbers into floats.
    given = rejected.drop(columns="reason")
    names = [str(column) for column in given.columns]
    columns = [[_plain(value) for value in given.iloc[:, i].tolist()] for i in range(given.shape[1])]
    rows = [json.dumps(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
    values = {"source": source, "kind": kind, "name": name, "payload_id": payload_id}
    try:
        with store.begin() as connection:
            found = connection.scalars(_KEEP, {**values, "rows": rows, "reasons": rejected["reason"].tolist()})
            return sum(found)
    except sa.exc.IntegrityError as error:
        said = str(error.orig).splitlines()[0]
        raise DataError(f"The quarantine refused rows of {source} {name} ({said}).") from None


def _plain(value: Any) -> Any:
    """Return a value as JSON and the server can hold it, and a reader can recognise it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or value is pd.NaT or value is pd.NA or isinstance(value, bool | int):
        return None if value is pd.NaT or value is pd.NA else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, date):  # datetimes and timestamps too
        return value.isoformat()
    text = value if isinstance(value, str) else str(value)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")


def read_quarantine(
    store: Store, *, source: str | None = None, name: str | None = None, limit: int = 500
) -> pd.DataFrame:
    """Return rows in quarantine, those that came last first.

    Returns
    -------
    DataFrame
        The columns of the model `QuarantinedRow`; `row` is a dict.
    """
    with store.begin() as connection:
        rows = connection.execute(_READ, {"source": source, "name": name, "limit": limit}).all()
    return pd.DataFrame(rows, columns=list(COLUMNS))


def count_quarantine(store: Store) -> dict[tuple[str, str], int]:
    """Return how many rows are in quarantine by symbol and source; a file's name where a row has no symbol."""
    query = "SELECT coalesce(row ->> 'symbol', name), source, count(*) FROM ops.quarantine GROUP BY 1, 2"
    with store.begin() as connection:
        return {(symbol, source): rows for symbol, source, rows in connection.exec_driver_sql(query)}
