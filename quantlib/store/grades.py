"""Grades of bars: what each check last said about each series."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from quantlib.errors import DataError
from quantlib.models.market import BarGrade
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.rows import check_rows, to_arrow, typed
from quantlib.store.turns import GRADES, take_turn
from quantlib.types import DateLike, check_span

_INCOMING = """
CREATE TEMP TABLE incoming_grades (
    symbol text, source text, ts date, check_name text, grade text, reason text, found_at timestamptz
) ON COMMIT DROP
"""
_WITHDRAW = """
DELETE FROM market_data.bar_grades g
WHERE g.source = $1 AND g.symbol = ANY ($2::text[]) AND g.check_name = ANY ($3::text[])
  AND NOT EXISTS (SELECT FROM incoming_grades i
                  WHERE i.symbol = g.symbol AND i.ts = g.ts AND i.check_name = g.check_name)
RETURNING 1
"""
# A doubt that stays keeps the time it was found first, even where its words or its grade have changed.
_UPSERT = """
INSERT INTO market_data.bar_grades AS g (symbol, source, ts, check_name, grade, reason)
SELECT symbol, source, ts, check_name, grade, reason FROM incoming_grades
ON CONFLICT (symbol, source, ts, check_name) DO UPDATE
SET grade = excluded.grade, reason = excluded.reason
WHERE (g.grade, g.reason) IS DISTINCT FROM (excluded.grade, excluded.reason)
RETURNING xmax = 0
"""
_READ = """
SELECT symbol, source, ts, check_name, grade, reason, found_at FROM market_data.bar_grades
WHERE ($1::text[] IS NULL OR symbol = ANY ($1::text[])) AND ($2::text IS NULL OR source = $2::text)
  AND ts BETWEEN $3 AND $4
ORDER BY symbol, source, ts, check_name
"""


def save_grades(
    store: Store, findings: pd.DataFrame, *, source: str, symbols: Iterable[str], checks: Iterable[str]
) -> WriteCount:
    """Return how many doubts were new, changed (withdrawn ones included) and unchanged, all stored or none.

    What these checks said before about these series is replaced: a doubt that is not among the findings any
    more is taken back. Doubts of other checks, such as the mark of an applied repair, stay.

    Parameters
    ----------
    store
        Where to.
    findings
        Columns symbol, source, ts, check_name, grade, reason; may be empty.
    source, symbols, checks
        Which series were checked, and by what.

    Raises
    ------
    DataError
        A finding is not valid, or is about something else than what was checked.
    """
    wanted, names = list(symbols), list(checks)
    good, rejected = check_rows("bar_grades", findings)
    if len(rejected):
        first = rejected.iloc[0]
        raise DataError(f"A finding of {first['check_name']} about {first['symbol']} is not valid: {first['reason']}.")
    beside = good[~(good["symbol"].isin(wanted) & (good["source"] == source) & good["check_name"].isin(names))]
    if len(beside):
        first = beside.iloc[0]
        raise DataError(
            f"A finding is about {first['symbol']} from {first['source']} by {first['check_name']}, which was not "
            "among what was checked."
        )
    with take_turn(store, GRADES) as turn:
        cursor = turn.cursor
        cursor.execute(_INCOMING)
        cursor.adbc_ingest("incoming_grades", to_arrow(BarGrade, good), mode="append", temporary=True)
        cursor.execute("ANALYZE incoming_grades")
        cursor.execute(_WITHDRAW, [source, wanted, names])
        withdrawn = len(cursor.fetchall())
        cursor.execute(_UPSERT)
        returned = [row[0] for row in cursor.fetchall()]
    new = sum(returned)
    return WriteCount(new, len(returned) - new + withdrawn, len(good) - len(returned))


def read_grades(
    store: Store,
    *,
    symbols: Iterable[str] | None = None,
    source: str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
) -> pd.DataFrame:
    """Return doubts about bars, and about days without one, sorted by symbol, source and day.

    Returns
    -------
    DataFrame
        The columns of the model `BarGrade`.
    """
    first, last = check_span(start, end)
    wanted = None if symbols is None else list(symbols)
    low, high = first or pd.Timestamp("0001-01-01"), last or pd.Timestamp("9999-12-31")
    with store.bulk() as cursor:
        cursor.execute(_READ, [wanted, source, low.date(), high.date()])
        return typed(BarGrade, cursor.fetch_arrow_table().to_pandas(date_as_object=False))
