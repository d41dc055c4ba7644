"""Derived series: stored beside the version of the code that computed them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import pyarrow as pa

from quantlib.errors import DataError, nearest
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.types import DateLike, check_span

_INCOMING = """
CREATE TEMP TABLE incoming_values (name text, symbol text, ts date, value double precision, source text)
ON COMMIT DROP
"""
_GONE = """
DELETE FROM derived.values d
WHERE d.symbol = ANY ($1::text[]) AND d.code_version = $2
  AND NOT EXISTS (SELECT FROM incoming_values i WHERE i.name = d.name AND i.symbol = d.symbol AND i.ts = d.ts)
RETURNING 1
"""
# A new dividend moves the whole history of adjusted prices, and what is computed of them by rounding.
_CHANGED = """
UPDATE derived.values d SET value = i.value, source = i.source, computed_at = $1
FROM incoming_values i
WHERE d.name = i.name AND d.symbol = i.symbol AND d.ts = i.ts AND d.code_version = $2
  AND (d.source <> i.source OR abs(d.value - i.value) > 1e-9 * greatest(abs(d.value), abs(i.value)))
RETURNING 1
"""
_NEW = """
INSERT INTO derived.values (name, symbol, ts, value, source, code_version, computed_at)
SELECT name, symbol, ts, value, source, $2, $1 FROM incoming_values
ON CONFLICT DO NOTHING
RETURNING 1
"""


def write_derived(
    store: Store, frame: pd.DataFrame, *, symbols: Sequence[str], code_version: str, at: datetime | None = None
) -> WriteCount:
    """Return how many values were new, changed (those that are gone included) and unchanged; all or none.

    The frame is all there is of these symbols by this version of the code: what it lacks is taken away. Values of
    other versions stay. Two values within 1e-9 of each other are the same.

    Parameters
    ----------
    store
        Where to.
    frame
        Columns `name`, `symbol`, `ts`, `value`, `source`; no value unknown or infinite, none given twice.
    symbols
        Which instruments it speaks of.
    code_version
        What computed it.
    at
        Moment of computing, with its zone; the server's clock if None.

    Raises
    ------
    DataError
        A value breaks a rule, or is of another symbol.
    """
    if strange := set(frame["symbol"]) - set(symbols):
        raise DataError(f"Derived values came for {min(strange)}, but were announced for {', '.join(symbols)}.")
    if twice := int(frame.duplicated(["name", "symbol", "ts"]).sum()):
        raise DataError(f"{twice} derived values came twice. Give one for each name, symbol and day.")
    if not frame["value"].abs().lt(float("inf")).all():
        raise DataError("A derived value is unknown or infinite. Leave those out.")
    with store.bulk() as cursor:
        cursor.execute(_INCOMING)
        cursor.adbc_ingest("incoming_values", _to_arrow(frame), mode="append", temporary=True)
        cursor.execute("ANALYZE incoming_values")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('derived.values'))")
        cursor.fetchall()
        cursor.execute("SELECT clock_timestamp()")
        stamp = at or cursor.fetchall()[0][0]
        cursor.execute(_GONE, [list(symbols), code_version])
        gone = len(cursor.fetchall())
        cursor.execute(_CHANGED, [stamp, code_version])
        changed = len(cursor.fetchall())
        cursor.execute(_NEW, [stamp, code_version])
        new = len(cursor.fetchall())
    return WriteCount(new, changed + gone, len(frame) - new - changed)


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    columns = {name: pa.array(frame[name], type=pa.string()) for name in ("name", "symbol", "source")}
    columns["ts"] = pa.array(frame["ts"].to_numpy().astype("datetime64[D]"))
    return pa.table(columns | {"value": pa.array(frame["value"], type=pa.float64())})


# Symbols are derived one by one, so each has a newest version of its own.
_VALUES = """
WITH made AS (
    SELECT symbol, code_version, max(computed_at) AS at FROM derived.values
    WHERE name = $1 AND ($2::text IS NULL OR code_version = $2)
      AND ($3::text[] IS NULL OR symbol = ANY ($3::text[]))
    GROUP BY symbol, code_version
), newest AS (
    SELECT DISTINCT ON (symbol) symbol, code_version FROM made ORDER BY symbol, at DESC, code_version
)
SELECT v.symbol, v.ts, v.value FROM derived.values v JOIN newest USING (symbol, code_version)
WHERE v.name = $1 AND v.ts BETWEEN $4 AND $5
ORDER BY v.ts, v.symbol
"""


def derived_versions(store: Store, name: str) -> list[str]:
    """Return the versions of the code that a derived series is stored of, sorted; none where there is none."""
    with store.bulk() as cursor:
        cursor.execute("SELECT DISTINCT code_version FROM derived.values WHERE name = $1 ORDER BY 1", [name])
        return [str(row[0]) for row in cursor.fetchall()]


def read_derived(
    store: Store,
    name: str,
    symbols: Sequence[str] | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    code_version: str | None = None,
) -> pd.DataFrame:
    """Return a derived series [time x symbol], NaN where it is not known.

    Parameters
    ----------
    store
        Where from.
    name
        Key in `DERIVED`.
    symbols
        Columns wanted, in this order; all that have it if None, sorted.
    start, end
        First and last session, both included.
    code_version
        Which version of the code computed it; of each symbol the one that computed it last if None.

    Raises
    ------
    DataError
        There is no such series, or not of one of the symbols.
    """
    first, last = check_span(start, end)
    span = [
        (first or pd.Timestamp(1, 1, 1)).date(),
        (last or pd.Timestamp(9999, 12, 31)).date(),
    ]
    with store.bulk() as cursor:
        cursor.execute(_VALUES, [name, code_version, None if symbols is None else list(symbols), *span])
        rows = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
        if rows.empty and code_version is None:
            cursor.execute("SELECT DISTINCT name FROM derived.values")
            names = [row[0] for row in cursor.fetchall()]
            if name not in names:
                raise DataError(f"No derived series {name!r} is stored. {nearest(name, names)}")
    frame: pd.DataFrame = rows.set_index(["ts", "symbol"])["value"].unstack()  # noqa: PD010 - keys are unique
    if symbols is not None:
        if missing := [symbol for symbol in symbols if symbol not in frame.columns]:
            raise DataError(
                f"{missing[0]} has no {name} in that span. Choose a longer one, or run `workbench jobs run derive`."
            )
        frame = frame[list(symbols)]
    frame.index = pd.DatetimeIndex(frame.index).as_unit("us")
    return frame.rename_axis(index=None, columns=None)
