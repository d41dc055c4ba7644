"""Tables that keep every version of a row: written by difference, read as of any moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import adbc_driver_manager
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.models import Row
from quantlib.store.asof import NOW, AsOf, read_as_of
from quantlib.store.counts import WriteCount, check_moment
from quantlib.store.database import Store
from quantlib.store.rows import fields_of, model_of, to_arrow, typed
from quantlib.store.turns import Turn, take_turn
from quantlib.types import DateLike, check_span

Span = tuple[DateLike | None, DateLike | None]


def write_versions(
    store: Store,
    table: str,
    frame: pd.DataFrame,
    *,
    at: datetime | None = None,
    complete: Mapping[str, Any] | None = None,
    span: Span = (None, None),
    within: Turn | None = None,
) -> WriteCount:
    """Return how many rows were new, changed (withdrawn ones included) and unchanged, all stored or none.

    A row that differs from its current version closes that and follows it at the same moment; one that is
    stored just so is not touched. Writers of a table take turns.

    Parameters
    ----------
    store
        Where to.
    table
        Key in `quantlib.models.MODELS` of a table that keeps versions.
    frame
        The first result of `check_rows`.
    at
        Moment of the write, with its zone; the server's clock if None.
    complete
        Column -> value: the frame is all there is of these, so current rows that it lacks are withdrawn.
    span
        With `complete`, only rows whose `known` column lies in these days (UTC, both included) are withdrawn.
    within
        The turn (`quantlib.store.turns`) that this write is a part of; one of its own if None.

    Raises
    ------
    DataError
        The frame has not been through `check_rows`, `complete` names no column of the table, or `at` is not
        after what is stored.

    Examples
    --------
    >>> write_versions(store, "actions", good, complete={"symbol": "KO", "source": "yahoo"})  # doctest: +SKIP
    """
    model = _versioned(table)
    if tuple(frame.columns) != model.columns():
        raise DataError(
            f"Rows to write into {table} have the columns {', '.join(map(str, frame.columns)) or 'none'}. "
            "Pass what check_rows returned first."
        )
    check_moment(at)
    gone, values = _scope(model, complete, span)
    if frame.empty and complete is None:
        return WriteCount()
    sql = _statements(model, gone)
    try:
        with take_turn(store, model.table, at=at, within=within) as turn:
            cursor, stamp = turn.cursor, turn.at
            cursor.execute(sql["incoming"])
            cursor.adbc_ingest("incoming_rows", to_arrow(model, frame), mode="append", temporary=True)
            cursor.execute("ANALYZE incoming_rows")
            cursor.execute(sql["compare"])
            cursor.execute("SELECT count(*) FILTER (WHERE is_new), count(*) FROM changed_rows")
            new, touched = cursor.fetchall()[0]
            withdrawn = 0
            if complete is not None:
                cursor.execute(sql["withdraw"], [stamp, *values])
                withdrawn = len(cursor.fetchall())
            if touched > new:
                cursor.execute(sql["close"], [stamp])
            if touched:
                cursor.execute(sql["insert"], [stamp])
            cursor.execute("DROP TABLE incoming_rows, changed_rows")  # the next write of the same turn makes its own
    except adbc_driver_manager.Error as error:
        if str(error.sqlstate or "")[:2] not in {"21", "22", "23"}:
            raise
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        raise DataError(
            f"The rows break a rule of {model.table} ({text}). Pass them through check_rows first, and write later "
            "than what is stored."
        ) from None
    return WriteCount(new, touched - new + withdrawn, len(frame) - touched)


# A live series is what was stored then. Others are as they stood when the first row of what was public then was
# recorded: whatever is written afterwards has a later stamp, so it changes nothing.
_CURRENT = "SELECT {names} FROM {table} WHERE replaced_at IS NULL AND {inner} AND {outer} ORDER BY {key}"
_AS_OF = """
SELECT {names}
FROM (SELECT {shown}
      FROM (SELECT *, min(recorded_at) OVER series AS begun,
                   min(recorded_at) FILTER (WHERE {known}) OVER series AS anchor
            FROM {table} WHERE {inner} WINDOW series AS ({by})) v
      WHERE CASE WHEN begun < {before} THEN recorded_at < {before} AND (replaced_at IS NULL OR replaced_at >= {before})
                 ELSE {known} AND recorded_at <= anchor AND (replaced_at IS NULL OR replaced_at > anchor) END) s
WHERE {outer}
ORDER BY {key}
"""


def read_versions(
    store: Store,
    table: str,
    *,
    where: Mapping[str, Any] | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    as_of: AsOf | None = None,
) -> pd.DataFrame:
    """Return the rows of a table that keeps versions, as they are or as they were known.

    Parameters
    ----------
    store
        Where from.
    table
        Key in `quantlib.models.MODELS`.
    where
        Column -> value, or a list of values; of a column with lists, rows that hold any of them.
    start, end
        First and last day (UTC) of the table's `known` column, both included; open where None.
    as_of
        Read what was known at the end of that day (UTC), or at a moment with its zone. Of series recorded by
        then, exactly what was stored then. Of those recorded later, the rows whose `known` column lies before, as
        they stood when the first of them was recorded, without the ends (`Row.ends`) that lie after.

    Returns
    -------
    DataFrame
        The columns of the model, sorted by its key.

    Raises
    ------
    DataError
        The table or a column is unknown, or a date is none.
    """
    model = _versioned(table)
    first, last = check_span(start, end)
    bounds = read_as_of(as_of)
    conditions, values = _where(model, where or {}, first=1)
    inner = [c for name, c in conditions if name in model.recorded_by]
    outer = [c for name, c in conditions if name not in model.recorded_by]
    ranges, more = _range(model, first, last, first=len(values) + 1)
    outer, values = outer + ranges, values + more
    parts = {
        "names": ", ".join(model.columns()),
        "table": model.table,
        "inner": _all(*inner),
        "outer": _all(*outer),
        "key": ", ".join(model.key),
    }
    if bounds == NOW:
        query = _CURRENT.format(**parts)
    else:
        parts["by"] = f"PARTITION BY {', '.join(model.recorded_by)}" if model.recorded_by else ""
        before, limit = f"${len(values) + 1}", f"{'<=' if _is_day(model) else '<'} ${len(values) + 2}"
        parts |= {"before": before, "known": f"{model.known} {limit}"}
        parts["shown"] = ", ".join(
            f"CASE WHEN begun < {before} OR {name} {limit} THEN {name} END AS {name}" if name in model.ends else name
            for name in model.columns()
        )
        query = _AS_OF.format(**parts)
        values = [*values, bounds.before, bounds.whole if _is_day(model) else bounds.before]
    with store.bulk() as cursor:
        cursor.execute(query, values)
        frame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    for column in fields_of(model):
        if column.sql == "text[]":
            frame[column.name] = [list(items) for items in frame[column.name]]
    return typed(model, frame)


def _versioned(table: str) -> type[Row]:
    model = model_of(table)
    if not model.versioned:
        raise DataError(f"The table {table} keeps no versions; it has functions of its own to write and read it.")
    return model


def _all(*conditions: str) -> str:
    return " AND ".join(conditions) or "true"


def _where(model: type[Row], where: Mapping[str, Any], first: int) -> tuple[list[tuple[str, str]], list[Any]]:
    """Return a condition for each column with numbered places for values, and the values."""
    kinds = {column.name: column.sql for column in fields_of(model)}
    conditions, values = [], []
    for place, (name, value) in enumerate(where.items(), start=first):
        if name not in kinds:
            raise DataError(f"The table {model.table} has no column {name!r}. {nearest(name, kinds)}")
        kind = kinds[name]
        many = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
        if kind == "text[]":
            conditions.append((name, f"{name} && ${place}::text[]"))
        else:
            conditions.append((name, f"{name} = ANY (${place}::{kind}[])"))
        values.append(many)
    return conditions, values


def _range(
    model: type[Row], start: pd.Timestamp | None, end: pd.Timestamp | None, first: int
) -> tuple[list[str], list[Any]]:
    """Return conditions that the `known` column lies in some days, and their values."""
    conditions: list[str] = []
    values: list[Any] = []
    for stamp, sign, days in ((start, ">=", 0), (end, "<", 1)):
        if stamp is not None:
            moment = (stamp + timedelta(days=days)).tz_localize(UTC).to_pydatetime()
            conditions.append(f"{model.known} {sign} ${first + len(values)}")
            values.append(moment.date() if _is_day(model) else moment)
    return conditions, values


def _is_day(model: type[Row]) -> bool:
    return next(column.sql for column in fields_of(model) if column.name == model.known) == "date"


def _scope(model: type[Row], complete: Mapping[str, Any] | None, span: Span) -> tuple[str, list[Any]]:
    """Return the condition on current rows that a complete delivery speaks about, with its values from $2 on."""
    if complete is None:
        if span != (None, None):
            raise DataError("A span is given without `complete`: say of which rows the frame is all there is.")
        return "false", []
    if not complete:
        raise DataError(f"`complete` names no column. Name at least one of {', '.join(model.key)}.")
    conditions, values = _where(model, complete, first=2)
    ranges, more = _range(model, *check_span(*span), first=len(values) + 2)
    return _all(*(condition for _, condition in conditions), *ranges), values + more


# Names come from the models, values never: those are parameters.
_STATEMENTS = {
    "incoming": "CREATE TEMP TABLE incoming_rows ({typed}) ON COMMIT DROP",
    "compare": """
        CREATE TEMP TABLE changed_rows ON COMMIT DROP AS
        SELECT i.*, t.recorded_at IS NULL AS is_new
        FROM incoming_rows i LEFT JOIN {table} t ON {same} AND t.replaced_at IS NULL
        WHERE t.recorded_at IS NULL OR ({ours}) IS DISTINCT FROM ({theirs})""",
    "withdraw": """
        UPDATE {table} t SET replaced_at = $1
        WHERE t.replaced_at IS NULL AND {gone} AND NOT EXISTS (SELECT FROM incoming_rows i WHERE {same})
        RETURNING 1""",
    "close": """
        UPDATE {table} t SET replaced_at = $1 FROM changed_rows i
        WHERE {same} AND t.replaced_at IS NULL AND NOT i.is_new""",
    "insert": "INSERT INTO {table} ({names}, recorded_at) SELECT {names}, $1 FROM changed_rows",
}


def _statements(model: type[Row], gone: str) -> dict[str, str]:
    """Return the statements of a write."""
    names = model.columns()
    parts = {
        "table": model.table,
        "names": ", ".join(names),
        "typed": ", ".join(f"{column.name} {column.sql}" for column in fields_of(model)),
        "same": _all(*(f"t.{name} = i.{name}" for name in model.key)),
        "ours": ", ".join(f"t.{name}" for name in names),
        "theirs": ", ".join(f"i.{name}" for name in names),
        "gone": gone,
    }
    return {name: statement.format(**parts) for name, statement in _STATEMENTS.items()}
