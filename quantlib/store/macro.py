"""Macro series: every vintage of every value, and what was known of a series on a date."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from quantlib.errors import DataError, nearest
from quantlib.store.asof import AsOf, read_as_of
from quantlib.store.counts import WriteCount, check_moment
from quantlib.store.database import Store
from quantlib.store.upsert import upsert
from quantlib.types import MACRO_COLUMNS

BASES = ("recorded", "estimated")
_SERIES = sa.Table(
    "series",
    sa.MetaData(schema="macro"),
    sa.Column("series", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("title", "unit", "frequency", "source")),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
)


def check_observations(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the observations that can be stored, and those that cannot with a column `reason`.

    Rejected are rows without a series or source name, without a readable period or release time, with a
    value that is missing, no number or infinite, with a release basis other than `recorded` or `estimated`,
    and rows given twice (one is kept if they are identical, none if they contradict each other).

    Parameters
    ----------
    frame
        Columns `quantlib.types.MACRO_COLUMNS`. A release time without a zone is taken as UTC.

    Raises
    ------
    DataError
        A column is missing or unknown.
    """
    wrong = [n for n in MACRO_COLUMNS if n not in frame.columns] + [
        str(n) for n in frame.columns if n not in MACRO_COLUMNS
    ]
    if wrong:
        raise DataError(f"Observations have a wrong or missing column: {wrong[0]}. Needed: {', '.join(MACRO_COLUMNS)}.")
    text = {
        name: frame[name].map(lambda v: v if isinstance(v, str) else "").astype("str").fillna("")
        for name in ("series", "source", "release_basis")
    }
    period = pd.to_datetime(frame["period"], errors="coerce")
    released = pd.to_datetime(frame["released_at"], errors="coerce", utc=True).dt.as_unit("us")
    value = pd.to_numeric(frame["value"], errors="coerce").astype("float64")
    clean = pd.DataFrame(
        {
            "series": text["series"],
            "period": period.dt.tz_localize(None).dt.normalize().dt.as_unit("us"),
            "value": value,
            "released_at": released,
            "release_basis": text["release_basis"],
            "source": text["source"],
        },
        index=frame.index,
    )[list(MACRO_COLUMNS)].reset_index(drop=True)
    reason = np.full(len(frame), "", dtype=object)

    def reject(rows: pd.Series | NDArray[np.bool_], why: str) -> None:
        reason[(reason == "") & np.asarray(rows, dtype=bool)] = why

    reject(clean["series"] == "", "series is not a name")
    reject(clean["source"] == "", "source is not a name")
    reject(clean["period"].isna(), "period is missing or unreadable")
    reject(clean["released_at"].isna(), "released_at is missing or unreadable")
    reject(~clean["release_basis"].isin(BASES), f"release_basis is none of {', '.join(BASES)}")
    reject(clean["value"].isna(), "value is missing or not a number")
    reject(np.isinf(clean["value"]), "value is infinite")
    key = ["series", "source", "period", "released_at"]
    sound = clean[reason == ""]
    reject(clean.index.isin(sound.index[sound.duplicated(keep="first")]), "duplicate of a row that was kept")
    sound = clean[reason == ""]
    reject(clean.index.isin(sound.index[sound.duplicated(key, keep=False)]), "contradicts another row")
    good = clean[reason == ""].sort_values(key, ignore_index=True)
    return good, frame[reason != ""].assign(reason=pd.array(reason[reason != ""], dtype="str"))


_INCOMING = """
CREATE TEMP TABLE incoming_observations (
    series text NOT NULL, source text NOT NULL, period date NOT NULL, released_at timestamptz NOT NULL,
    release_basis text NOT NULL, value double precision NOT NULL
) ON COMMIT DROP
"""
# same: the very row is there. then: what was known at the incoming row's release. latest: what is known now.
_COMPARE = """
CREATE TEMP TABLE new_observations ON COMMIT DROP AS
SELECT i.*, same.value IS NOT NULL OR i.release_basis = 'estimated' AND latest.value IS NOT NULL AS restated,
       latest.value IS NULL AS is_new
FROM incoming_observations i
LEFT JOIN macro.observations same USING (series, source, period, released_at)
LEFT JOIN LATERAL (
    SELECT o.value FROM macro.observations o
    WHERE o.series = i.series AND o.source = i.source AND o.period = i.period AND o.released_at <= i.released_at
    ORDER BY o.released_at DESC LIMIT 1) known ON true
LEFT JOIN LATERAL (
    SELECT o.value FROM macro.observations o
    WHERE o.series = i.series AND o.source = i.source AND o.period = i.period
    ORDER BY o.released_at DESC LIMIT 1) latest ON true
WHERE CASE
    WHEN latest.value IS NULL THEN true
    WHEN i.release_basis = 'estimated' THEN latest.value <> i.value
    WHEN same.value IS NOT NULL THEN same.value <> i.value AND latest.value <> i.value
    ELSE known.value IS DISTINCT FROM i.value
END
"""
_INSERT = """
INSERT INTO macro.observations (series, source, period, released_at, release_basis, value, recorded_at)
SELECT series, source, period, CASE WHEN restated THEN $1 ELSE released_at END,
       CASE WHEN restated THEN 'recorded' ELSE release_basis END, value, $1
FROM new_observations
ON CONFLICT DO NOTHING
"""


def write_observations(store: Store, good: pd.DataFrame, *, at: datetime | None = None) -> WriteCount:
    """Return how many observations were new, changed what was known, or were known already.

    Rows are only ever added. A value that contradicts what is stored under the same release time, or under
    an estimated one, becomes a vintage of its own, known from the moment of this write: that is when it was
    learnt. A release that repeats the value known before it adds nothing.

    Parameters
    ----------
    store
        Where to.
    good
        The first result of `check_observations`.
    at
        Moment of the write, with its zone; the server's clock if None.
    """
    if tuple(good.columns) != MACRO_COLUMNS:
        raise DataError("Observations to write have the wrong columns. Pass what check_observations returned first.")
    check_moment(at)
    if good.empty:
        return WriteCount()
    table = pa.table(
        {
            "series": pa.array(good["series"], pa.string()),
            "source": pa.array(good["source"], pa.string()),
            "period": pa.array(good["period"].to_numpy().astype("datetime64[D]"), pa.date32()),
            "released_at": pa.array(good["released_at"].dt.tz_convert(None).to_numpy(), pa.timestamp("us", tz="UTC")),
            "release_basis": pa.array(good["release_basis"], pa.string()),
            "value": pa.array(good["value"], pa.float64()),
        }
    )
    with store.bulk() as cursor:
        cursor.execute(_INCOMING)
        cursor.adbc_ingest("incoming_observations", table, mode="append", temporary=True)
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('macro.observations'))")
        cursor.fetchall()
        cursor.execute("SELECT clock_timestamp()")
        stamp = at or cursor.fetchall()[0][0]
        cursor.execute(_COMPARE)
        cursor.execute("SELECT count(*) FILTER (WHERE is_new), count(*) FROM new_observations")
        new, touched = cursor.fetchall()[0]
        cursor.execute(_INSERT, [stamp])
    return WriteCount(new, touched - new, len(good) - touched)


def write_series(store: Store, frame: pd.DataFrame) -> WriteCount:
    """Return how many descriptions of series were new, changed and unchanged.

    Parameters
    ----------
    store
        Where to.
    frame
        Columns series, title, unit, frequency, source.
    """
    names = ["series", "title", "unit", "frequency", "source"]
    if missing := [name for name in names if name not in frame.columns]:
        raise DataError(f"Series descriptions lack the column {missing[0]}. Needed: {', '.join(names)}.")
    rows = [{name: str(row[name]) for name in names} for row in frame[names].to_dict("records")]
    if not rows:
        return WriteCount()
    with store.begin() as connection:
        return upsert(connection, _SERIES, rows, stamp="updated_at")


# Of a source that was not yet recorded, what had been recorded when the first of what was released by then was: a
# row written afterwards has a later stamp, so it changes nothing.
_SOURCES = """
SELECT o.source, s.before
FROM (SELECT source, CASE WHEN min(recorded_at) < $2 THEN $2::timestamptz
                          ELSE min(recorded_at) FILTER (WHERE released_at < $2) + interval '1 microsecond' END AS before
      FROM macro.observations WHERE series = $1 GROUP BY source) s
JOIN macro.observations o ON o.series = $1 AND o.source = s.source
GROUP BY o.source, s.before
ORDER BY s.before <= $2 DESC NULLS LAST,
         max(o.period) FILTER (WHERE o.released_at < $2 AND o.recorded_at < s.before) DESC NULLS LAST, o.source
"""
_READ_SERIES = """
SELECT DISTINCT ON (period) period, value FROM macro.observations
WHERE series = $1 AND source = $2 AND released_at < $3 AND recorded_at < $4
ORDER BY period, released_at DESC
"""


def read_series(store: Store, series: str, as_of: AsOf | None = None, *, source: str | None = None) -> pd.Series:
    """Return a series by period, each value in its newest vintage released by the end of `as_of` (UTC).

    Parameters
    ----------
    store
        Where from.
    series
        Its key.
    as_of
        Nothing released after that day (or moment with its zone) is seen; everything if None. Where the series
        was recorded by then, nothing recorded later is seen either, whenever it was released; where it was not,
        nothing recorded later than the first of what was released by then.
    source
        None takes the source with the newest period (of equal ones the first by name); of those recorded then, if
        there is any.

    Returns
    -------
    Series
        float64, indexed by `period`, named by the series; empty if nothing was released by then.

    Raises
    ------
    DataError
        The series, or the source for it, is unknown.
    """
    before = read_as_of(as_of).before
    with store.bulk() as cursor:
        # Of sources that were recorded then the newest; loading another's history later changes nothing.
        cursor.execute(_SOURCES, [series, before])
        sources = dict(cursor.fetchall())
        if not sources:
            cursor.execute("SELECT DISTINCT series FROM macro.observations")
            raise DataError(f"No series {series!r} is stored. {nearest(series, [r[0] for r in cursor.fetchall()])}")
        if source is not None and source not in sources:
            raise DataError(f"Series {series!r} has no values from {source!r}. {nearest(source, sources)}")
        chosen = source or next(iter(sources))
        cursor.execute(_READ_SERIES, [series, chosen, before, sources[chosen]])
        table = cursor.fetch_arrow_table()
    index = pd.DatetimeIndex(table["period"].to_numpy().astype("datetime64[us]"), name="period")
    return pd.Series(table["value"].to_numpy(), index=index, name=series, dtype="float64")
