"""What the models say of their tables: columns, types and meaning, as database and documentation have them."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from quantlib.models import MODELS
from quantlib.models.base import BY_SERVER, Row

SQL_TYPES: dict[Any, str] = {
    str: "text",
    float: "double precision",
    int: "integer",
    bool: "boolean",
    date: "date",
    datetime: "timestamptz",
    list: "text[]",
    dict: "jsonb",
    bytes: "bytea",
}
"""Type of a column by that of its field."""
VERSION_COLUMNS = {
    "recorded_at": ("NOT NULL", "From this moment the version was what was known."),
    "replaced_at": ("", "Until this moment; NULL for the current version."),
}
"""What tables that keep every version have besides."""


class ColumnInfo(NamedTuple):
    """A column: its SQL type, whether it may be NULL, what it means, and the values it is restricted to."""

    name: str
    sql: str
    nullable: bool
    meaning: str
    choices: tuple[str, ...] = ()


@cache
def columns_of(model: type[Row]) -> tuple[ColumnInfo, ...]:
    """Return the columns of a model's table, those of its versions included."""
    columns = []
    for name, field in model.model_fields.items():
        plain, optional = _plain(field.annotation)
        choices = get_args(plain) if get_origin(plain) is Literal else ()
        kind = type(choices[0]) if choices else get_origin(plain) or plain
        nullable = optional and BY_SERVER not in field.metadata
        # The server numbers rows without an end in sight.
        sql = "bigint" if kind is int and name.rpartition("_")[2] == "id" else SQL_TYPES[kind]
        columns.append(ColumnInfo(name, sql, nullable, field.description or "", choices))
    if model.versioned:
        columns += [ColumnInfo(name, "timestamptz", not rule, words) for name, (rule, words) in VERSION_COLUMNS.items()]
    return tuple(columns)


def _plain(annotation: Any) -> tuple[Any, bool]:
    """Return a field's type without None and constraints, and whether it may be None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return _plain(next(part for part in get_args(annotation) if part is not NoneType))[0], True
    return annotation, False


def key_of(model: type[Row]) -> tuple[str, ...]:
    """Return the primary key of a model's table."""
    return (*model.key, "recorded_at") if model.versioned else model.key


def summary_of(model: type[Row]) -> str:
    """Return what a table holds, in one line."""
    return (model.__doc__ or "").strip().splitlines()[0]


def markdown() -> str:
    """Return the documentation of all tables with a model, as Markdown."""
    lines = [
        "# Tables",
        "",
        "Written by `python -m quantlib.models` from the models in `quantlib/models`; do not edit. Other "
        "tables, of strategies, reports and jobs, are described in the database itself (`\\d+` in "
        "`workbench db shell`).",
        "",
        "Days are session dates in the exchange's own zone, moments have a zone. NULL is unknown, never a guess. "
        "A table that *keeps versions* changes no row: a change closes the current version and adds the next, so "
        "any moment of the past can be read again; see [what was known when](data.md#what-was-known-when).",
    ]
    for schema in dict.fromkeys(model.table.partition(".")[0] for model in MODELS.values()):
        lines += ["", f"## {schema}"]
        for model in (m for m in MODELS.values() if m.table.partition(".")[0] == schema):
            lines += ["", f"### {model.table}", "", summary_of(model), ""]
            lines.append(f"Key: {', '.join(f'`{name}`' for name in model.key)}.")
            if model.versioned:
                lines[-1] += f" Keeps versions; before a series was recorded, `{model.known}` says what was known."
            lines += ["", "| Column | Type | Meaning |", "|---|---|---|"]
            for column in columns_of(model):
                kind = column.sql + ("" if column.nullable else ", not null")
                lines.append(f"| `{column.name}` | {kind} | {_meaning(column)} |")
    return "\n".join(lines) + "\n"


def _meaning(column: ColumnInfo) -> str:
    if not column.choices:
        return column.meaning
    return f"{column.meaning} One of {', '.join(f'`{value}`' if value else 'empty' for value in column.choices)}."
