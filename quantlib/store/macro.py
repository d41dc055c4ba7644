"""Macro series: every vintage of every value, and what was known of a series on a date, or at each of many moments."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
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


def stored_series(store: Store) -> list[str]:
    """Return the names of the series that have values, sorted."""
    with store.bulk() as cursor:
        cursor.execute("SELECT DISTINCT series FROM macro.observations ORDER BY 1")
        return [str(row[0]) for row in cursor.fetchall()]


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
            raise _unknown(cursor, series)
        if source is not None and source not in sources:
            raise DataError(f"Series {series!r} has no values from {source!r}. {nearest(source, sources)}")
        chosen = source or next(iter(sources))
        cursor.execute(_READ_SERIES, [series, chosen, before, sources[chosen]])
        table = cursor.fetch_arrow_table()
    index = pd.DatetimeIndex(table["period"].to_numpy().astype("datetime64[us]"), name="period")
    return pd.Series(table["value"].to_numpy(), index=index, name=series, dtype="float64")


def _unknown(cursor: dbapi.Cursor, series: str) -> DataError:
    cursor.execute("SELECT DISTINCT series FROM macro.observations")
    near = nearest(series, [row[0] for row in cursor.fetchall()])
    return DataError(f"No series {series!r} is stored. {near} `workbench ingest --source fred` loads more.")


_VINTAGES = """
SELECT source, period, released_at, recorded_at, value FROM macro.observations WHERE series = $1
ORDER BY source, period, released_at
"""


def read_series_at(store: Store, series: str, moments: pd.DatetimeIndex) -> pd.Series:
    """Return the newest figure of a series that was known at each of many moments, in one query.

    At each moment that is the last value of `read_series` as of it, from the source that would be taken there.

    Parameters
    ----------
    store
        Where from.
    series
        Its key.
    moments
        With their zone, in any order.

    Returns
    -------
    Series
        float64, indexed by the moments, named by the series; NaN where nothing was released yet.

    Raises
    ------
    DataError
        The series is unknown.
    """
    with store.bulk() as cursor:
        cursor.execute(_VINTAGES, [series])
        rows = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
        if rows.empty:
            raise _unknown(cursor, series)
    # Known is what came before the tick after the moment, as in `read_as_of`.
    before = moments.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy() + np.timedelta64(1, "us")
    best = np.full((2, len(moments)), -1, dtype=np.int64)
    values = np.full(len(moments), np.nan)
    for _, own in rows.groupby("source", sort=False):
        rank, row = _known_of(own, before)
        periods = own["period"].to_numpy().astype("datetime64[D]").astype(np.int64)
        shown = np.where(row < 0, np.iinfo(np.int64).min, periods[row])
        # Of equal ones the first by name stays.
        better = (rank > best[0]) | ((rank == best[0]) & (shown > best[1]))
        best[:, better] = rank[better], shown[better]
        values[better] = np.where(row < 0, np.nan, own["value"].to_numpy()[row])[better]
    return pd.Series(values, index=moments, name=series)


def _known_of(rows: pd.DataFrame, before: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of one source's vintages, by period and release, the last one known before each moment; -1 for none.

    And in front of it whether the source was recorded by then (2), had released something (1), or neither (0), by which
    `_SOURCES` chooses.
    """
    released, recorded = (
        pd.DatetimeIndex(rows[name]).tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()
        for name in ("released_at", "recorded_at")
    )
    # Rows come by period and release, so the newest of those that are known is the one with the highest number.
    there = np.maximum(released, recorded)
    by_then = np.argsort(there, kind="stable")
    live = _at(np.maximum.accumulate(by_then), there[by_then], before)
    out = np.lexsort((recorded, released))
    first = np.minimum.accumulate(recorded[out])
    # What was recorded with the first of what had been released: a still earlier record begins anew.
    seen = np.asarray(pd.Series(np.where(recorded[out] == first, out, -1)).groupby(first).cummax(), dtype=np.int64)
    late = _at(seen, released[out], before)
    was = recorded.min() < before
    return np.where(was, 2, (late >= 0).astype(np.int64)), np.where(was, live, late)


def _at(states: NDArray[np.int64], since: NDArray[np.datetime64], before: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the last state that began before each moment, -1 where none had."""
    at = np.searchsorted(since, before, side="left")
    return np.where(at == 0, -1, states[np.maximum(at - 1, 0)])
