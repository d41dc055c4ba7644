"""Rows at the door: a frame held against the model of its table, the good apart from the bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from quantlib.errors import DataError, nearest
from quantlib.models import MODELS, Row
from quantlib.models.tables import ColumnInfo, columns_of

ARROW = {
    "text": pa.string(),
    "double precision": pa.float64(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "text[]": pa.list_(pa.string()),
    "jsonb": pa.string(),
    "bytea": pa.binary(),
}
"""Arrow's type of each type of a column."""
PANDAS = {
    "text": "str",
    "double precision": "float64",
    "boolean": "bool",
    "date": "datetime64[us]",
}
"""What pandas calls the types it can hold as they are."""


def model_of(table: str) -> type[Row]:
    """Return the model of a table by its key in `MODELS`.

    Raises
    ------
    DataError
        There is no such table.
    """
    if table not in MODELS:
        raise DataError(f"There is no table {table!r}. {nearest(table, MODELS)}")
    return MODELS[table]


def fields_of(model: type[Row]) -> tuple[ColumnInfo, ...]:
    """Return the columns of a model that rows are given with."""
    return columns_of(model)[: len(model.model_fields)]


@cache
def _adapter(model: type[Row]) -> TypeAdapter[list[Row]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]  # the model is chosen by name


def check_rows(table: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that can be stored, and those that cannot with the reason.

    A row is rejected where it breaks a rule of its model, where it is the second of two identical ones (the
    first is kept), or where it contradicts another row of the same key (none is kept). A missing value takes
    the default of its column. A moment without a zone is taken as UTC.

    Parameters
    ----------
    table
        Key in `quantlib.models.MODELS`.
    frame
        Columns of the model; those with a default may be missing.

    Returns
    -------
    good
        All columns of the model in their order and with their types, sorted by the key.
    rejected
        The rows as they came, under their index, with a column `reason`.

    Raises
    ------
    DataError
        A column is missing or unknown, or the table is.
    """
    model = model_of(table)
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    if missing := [name for name in needed if name not in frame.columns]:
        raise DataError(f"Rows of {table} lack the column {missing[0]}. Needed: {', '.join(needed)}.")
    if unknown := [str(name) for name in frame.columns if name not in model.model_fields]:
        raise DataError(f"Rows of {table} have a column {unknown[0]!r}. {nearest(unknown[0], model.columns())}")
    given = list(_records(frame))
    reasons = [""] * len(given)
    try:
        _adapter(model).validate_python(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            position, column = int(fault["loc"][0]), ".".join(map(str, fault["loc"][1:]))
            if not reasons[position]:
                reasons[position] = f"{column}: {fault['msg']}"
    sound = [i for i, reason in enumerate(reasons) if not reason]
    rows = _adapter(model).validate_python([given[i] for i in sound])
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(tuple(getattr(row, name) for name in model.key), []).append(place)
    kept = []
    for places in groups.values():
        if any(rows[place] != rows[places[0]] for place in places[1:]):
            for place in places:
                reasons[sound[place]] = f"contradicts another row of the same {', '.join(model.key)}"
            continue
        kept.append(rows[places[0]])
        for place in places[1:]:
            reasons[sound[place]] = "duplicate of a row that was kept"
    good = to_frame(model, kept).sort_values(list(model.key), ignore_index=True)
    bad = [i for i, reason in enumerate(reasons) if reason]
    return good, frame.iloc[bad].assign(reason=pd.array([reasons[i] for i in bad], dtype="str"))


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values; what is missing is left out, so that defaults step in."""
    columns = {}
    for name in map(str, frame.columns):
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC")
        values = column.tolist()
        columns[name] = [None if value is None or value is pd.NaT or value is pd.NA else value for value in values]
    for values in zip(*columns.values(), strict=True):
        # A NaN is the only value that is not itself.
        yield {n: _plain(v) for n, v in zip(columns, values, strict=True) if v is not None and v == v}  # noqa: PLR0124


def _plain(value: Any) -> Any:
    """Return a value as a model takes it: a Timestamp as a datetime, and with its zone."""
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime(warn=False)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def to_frame(model: type[Row], rows: list[Row]) -> pd.DataFrame:
    """Return rows as a frame in the columns and types of their model."""
    return typed(model, pd.DataFrame({c.name: [getattr(row, c.name) for row in rows] for c in fields_of(model)}))


def typed(model: type[Row], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a model in their types; what is missing is NaN, NaT or None."""
    out: dict[str, Any] = {}
    for column in fields_of(model):
        values: Any = frame[column.name]
        if column.sql == "timestamptz":
            out[column.name] = pd.to_datetime(values, utc=True).dt.as_unit("us")
        elif column.sql in {"integer", "bigint"}:
            out[column.name] = values.astype("Int64" if values.isna().any() else "int64")
        else:
            out[column.name] = values.astype(PANDAS.get(column.sql, object))
    return pd.DataFrame(out)


def to_arrow(model: type[Row], frame: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow columns in the types of the model's table; what is missing is null."""
    arrays = {}
    for column in fields_of(model):
        values: Any = frame[column.name]
        if column.sql == "date":
            values = values.to_numpy().astype("datetime64[D]")
        elif column.sql == "timestamptz":
            values = values.dt.tz_convert(None).to_numpy()
        arrays[column.name] = pa.array(values, type=ARROW[column.sql], from_pandas=True)
    return pa.table(arrays)
