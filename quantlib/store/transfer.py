"""Every row of a database into another one, and a checksum of each table that tells whether it arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Literal, cast

import pandas as pd
import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

import quantlib
from quantlib.errors import ConfigError, DataError
from quantlib.store.database import Store
from quantlib.store.migrations import SCHEMA, TABLE

SCHEMAS = (
    "raw", "market_data", "events", "macro", "derived", "strategies", "execution", "reports", "ops", "jobs",
)  # fmt: skip
"""What is ours; a server may hold schemas of others."""
NOT_DATA = (f"{SCHEMA}.{TABLE}", "ops.capabilities")
"""Tables about the database itself, which every one makes for itself."""
BLOCK = 1 << 20
LOCK_SECONDS = 20

Progress = Callable[[int, int, str], None]
"""Called with rows done, rows in all, and the table at hand."""
Cursor = psycopg.Cursor[tuple[Any, ...]]


class TableSum(BaseModel):
    """What a table holds: how many rows, and a number that changes with any of them.

    Parameters
    ----------
    table
        Schema and name.
    columns
        In alphabetical order, as the rows are written.
    rows
        Number of rows.
    checksum
        Sum over the rows of a 64-bit hash of their text. The order of rows, of columns on disk, chunks, the
        version of the server and TimescaleDB make no difference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    columns: tuple[str, ...] = Field(min_length=1)
    rows: int = Field(ge=0)
    checksum: str


class Contents(BaseModel):
    """What a database holds at one moment.

    Parameters
    ----------
    revision
        Of the schema.
    version
        Of the code that looked.
    made_at
        When, by the server's clock.
    tables
        In an order in which they can be filled: what is referred to comes first.
    sequences
        Last value of each counter, and whether it has been given out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    revision: str
    version: str
    made_at: datetime
    tables: tuple[TableSum, ...]
    sequences: dict[str, tuple[int, bool]]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True)
class Transfer:
    """What came of a copy, a backup or a restore: whole, for otherwise there was an error.

    Parameters
    ----------
    contents
        What is now on both sides, counts and checksums compared.
    written
        False where the target held exactly this already.
    """

    contents: Contents
    written: bool


def checksums(store: Store) -> pd.DataFrame:
    """Return what each table holds, by name: `table`, `rows`, `checksum`; equal checksums mean equal rows.

    All tables are read at one moment, to the last row.
    """
    with snapshot(store) as cursor:
        contents = read_contents(cursor)
    rows = sorted((table.table, table.rows, table.checksum) for table in contents.tables)
    return pd.DataFrame(rows, columns=["table", "rows", "checksum"])


def copy(source: Store, target: Store, on_progress: Progress | None = None) -> Transfer:
    """Return what was copied, having put every row of `source` into `target`, or none.

    All schemas of the workbench go over, job history and counters included, as they are at one moment; the
    source may be in use meanwhile, the target may not. Counts and checksums are compared before the commit.

    Parameters
    ----------
    source, target
        Two databases at the same revision; the kind of server makes no difference.
    on_progress
        Called as rows go over.

    Raises
    ------
    ConfigError
        They are one and the same database, their revisions differ, a server failed, or the target is in use.
    DataError
        The target holds rows, and not exactly these.
    """
    with snapshot(source) as reader:
        # Advisory locks are per database: whoever cannot have this one is where it is held.
        reader.execute("SELECT pg_advisory_xact_lock(hashtext('quantlib.store.transfer'))")
        contents = read_contents(reader)
        written = fill(target, contents, lambda table: read_rows(reader, table), on_progress)
    return Transfer(contents, written)


@contextmanager
def snapshot(store: Store) -> Iterator[Cursor]:
    """Give a cursor that sees the database as it is at this moment for as long as it is open."""
    with _cursor(store) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield cursor


@contextmanager
def _cursor(store: Store) -> Iterator[Cursor]:
    """Give a driver's cursor inside one transaction, with every setting that text depends on pinned."""
    with store.begin() as connection:
        driver = cast("psycopg.Connection[tuple[Any, ...]]", connection.connection.driver_connection)
        try:
            with driver.cursor() as cursor:
                yield cursor
        except psycopg.Error as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ConfigError(f"The database stopped the transfer: {reason.strip()}. Nothing was written.") from None


_SETTINGS = """
SET LOCAL client_encoding = 'UTF8';
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
_TABLES = """
SELECT format('%%s.%%s', n.nspname, c.relname),
       (SELECT array_agg(a.attname::text ORDER BY a.attname COLLATE "C") FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
       (SELECT coalesce(array_agg(format('%%s.%%s', m.nspname, r.relname)), '{}') FROM pg_constraint f
        JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace m ON m.oid = r.relnamespace
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY (%s)
ORDER BY 1
"""
_SEQUENCES = """
SELECT format('%%s.%%s', schemaname, sequencename) FROM pg_sequences WHERE schemaname = ANY (%s) ORDER BY 1
"""


def read_contents(cursor: Cursor) -> Contents:
    """Return what the database of a cursor holds; reads every row."""
    cursor.execute(_SETTINGS)
    cursor.execute(_TABLES, [list(SCHEMAS)])
    found = {str(name): (columns, refers) for name, columns, refers in cursor.fetchall() if name not in NOT_DATA}
    order = TopologicalSorter({name: refers for name, (_, refers) in found.items()}).static_order()
    tables = [_sum(cursor, name, found[name][0]) for name in order]
    cursor.execute(_SEQUENCES, [list(SCHEMAS)])
    sequences = {}
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(_identifier(str(name))))
        sequences[str(name)] = cursor.fetchone()
    version = sql.SQL("SELECT version_num, clock_timestamp() FROM {}").format(sql.Identifier(SCHEMA, TABLE))
    revision, now = cursor.execute(version).fetchone() or ("", None)
    return Contents.model_validate(
        {
            "revision": revision,
            "version": quantlib.__version__,
            "made_at": now,
            "tables": tables,
            "sequences": sequences,
        }
    )


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _sum(cursor: Cursor, name: str, columns: Sequence[str]) -> TableSum:
    statement = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)), 0)::text FROM {}")
    rows, total = cursor.execute(statement.format(_names(columns), _identifier(name))).fetchone() or (0, "0")
    return TableSum.model_validate({"table": name, "columns": columns, "rows": rows, "checksum": total})


def read_rows(cursor: Cursor, table: TableSum) -> Iterator[bytes]:
    """Yield a table's rows in blocks, in PostgreSQL's text form of COPY."""
    # COPY of a hypertable itself would give nothing; of a query, its rows.
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_names(table.columns), _identifier(table.table))
    block, size = [], 0
    with cursor.copy(statement) as rows:
        for row in rows:
            block.append(row)
            size += len(row)
            if size >= BLOCK:
                yield b"".join(block)
                block, size = [], 0
    yield b"".join(block)


def fill(
    target: Store,
    contents: Contents,
    rows_of: Callable[[TableSum], Iterator[bytes]],
    on_progress: Progress | None = None,
) -> bool:
    """Return whether rows were written, having made `target` hold exactly `contents`; all of it or nothing.

    Parameters
    ----------
    target
        Empty, or it holds exactly this already.
    contents
        What it shall hold.
    rows_of
        Gives a table's rows in blocks, as `read_rows` does.
    on_progress
        Called as rows are written.

    Raises
    ------
    ConfigError
        The schemas differ, the server failed, or the target is in use.
    DataError
        The target holds other rows, or what arrived is not what was announced.
    """
    with _cursor(target) as cursor:
        free = cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('quantlib.store.transfer'))").fetchone()
        if free != (True,):
            raise ConfigError(
                "Source and target are one and the same database, or another transfer runs there. Name another target."
            )
        _lock(cursor)
        before = read_contents(cursor)
        _check_schema(contents, before)
        if before.rows:
            _check_same(contents, before, "The target is not empty")
            return False
        done = 0
        for table in contents.tables:
            with _triggers_off(cursor, table.table):
                statement = sql.SQL("COPY {} ({}) FROM STDIN")
                with cursor.copy(statement.format(_identifier(table.table), _names(table.columns))) as into:
                    for block in rows_of(table):
                        into.write(block)
                        done += block.count(b"\n")  # a line break inside a value is written as \n
                        if on_progress is not None:
                            on_progress(done, contents.rows, table.table)
        _check_same(contents, read_contents(cursor), "What arrived is not what was sent; nothing was kept")
        for name, (last, given_out) in contents.sequences.items():
            cursor.execute("SELECT setval(%s::regclass, %s, %s)", [name, last, given_out])
    return True


def _lock(cursor: Cursor) -> None:
    """Keep all other writers out until the end of the transaction."""
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    cursor.execute(_TABLES, [list(SCHEMAS)])
    names = sql.SQL(", ").join(_identifier(str(name)) for name, *_ in cursor.fetchall())
    try:
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
    except psycopg.errors.LockNotAvailable:
        raise ConfigError("The target is in use. Stop what writes to it (app, worker, jobs), then try again.") from None


_TRIGGERS = """
SELECT tgname FROM pg_trigger
WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgname !~ '^ts_'
"""  # ts_: TimescaleDB's own, which do no more than route rows


@contextmanager
def _triggers_off(cursor: Cursor, table: str) -> Iterator[None]:
    """Let rows in as they are: the triggers of the job queue would add events that have been copied too."""
    names = [str(name) for (name,) in cursor.execute(_TRIGGERS, [table]).fetchall()]
    for word in ("DISABLE", "ENABLE"):
        for name in names:
            change = sql.SQL("ALTER TABLE {} " + word + " TRIGGER {}")
            cursor.execute(change.format(_identifier(table), sql.Identifier(name)))
        if word == "DISABLE":
            yield


def _check_schema(wanted: Contents, found: Contents) -> None:
    """Refuse a target whose tables are not those of the source."""
    if wanted.revision != found.revision:
        raise ConfigError(
            f"The rows are of schema revision {wanted.revision} (version {wanted.version}), the target is at "
            f"{found.revision}. Bring both to the same with the same version of the code."
        )
    here, there = ({table.table: table.columns for table in side.tables} for side in (wanted, found))
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            raise ConfigError(
                f"The table {name} is not the same on both sides: {', '.join(here.get(name, ())) or 'missing'} "
                f"against {', '.join(there.get(name, ())) or 'missing'}."
            )


def _check_same(wanted: Contents, found: Contents, what: str) -> None:
    """Refuse a target that does not hold the very rows."""
    there = {table.table: table for table in found.tables}
    for table in wanted.tables:
        other = there[table.table]
        if (table.rows, table.checksum) != (other.rows, other.checksum):
            kind = "as many, but others" if other.rows == table.rows else f"{other.rows:,} instead of {table.rows:,}"
            raise DataError(
                f"{what}: its {table.table} has {kind}. Use an empty database: a new one on the server, or for the "
                "embedded one stop it and move its folder pg away."
            )
