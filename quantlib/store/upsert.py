"""Rows into small tables: inserted, updated where they differ, left alone where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from quantlib.errors import DataError
from quantlib.store.counts import WriteCount

BATCH = 2_000
"""Rows a statement; the protocol allows 65,535 values."""


def upsert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, stamp: str | None = None
) -> WriteCount:
    """Return how many rows were new, changed and unchanged; unchanged ones are not touched.

    Parameters
    ----------
    connection
        Inside a transaction.
    table
        Its primary key tells which row is meant. Columns with a server default, such as the time of
        creation, keep what they have.
    rows
        One mapping per row, all with the same columns.
    stamp
        Column set to the present moment where a row changes.
    """
    key = [column.name for column in table.primary_key.columns]
    if len({tuple(row[name] for name in key) for row in rows}) != len(rows):
        raise DataError(f"Two rows for {table.fullname} have the same {' and '.join(key)}. Give each once.")
    returned: list[bool] = []
    for begin in range(0, len(rows), BATCH):
        batch = rows[begin : begin + BATCH]
        statement = insert(table).values(list(batch))
        rest = [name for name in batch[0] if name not in key]
        new = {name: statement.excluded[name] for name in rest}
        if rest:
            differs = sa.tuple_(*(table.c[name] for name in rest)).is_distinct_from(
                sa.tuple_(*(statement.excluded[name] for name in rest))
            )
            upsertion = statement.on_conflict_do_update(
                index_elements=key, set_={**new, stamp: sa.func.now()} if stamp else new, where=differs
            )
        else:
            upsertion = statement.on_conflict_do_nothing(index_elements=key)
        # A row version made by an insert has never been locked or deleted: xmax is 0.
        returned += connection.scalars(upsertion.returning(sa.literal_column("xmax = 0"))).all()
    created = sum(returned)
    return WriteCount(created, len(returned) - created, len(rows) - len(returned))


def as_json(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity as null, dates as text, arrays as lists.

    Raises
    ------
    DataError
        It holds something that is none of these.
    """
    if isinstance(value, str):
        return value.replace("\0", "\\0")  # the one sign that PostgreSQL's text cannot hold
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise DataError(
        f"A {type(value).__name__} cannot be stored as JSON: {value!r}. Use numbers, text, lists and dicts."
    )
