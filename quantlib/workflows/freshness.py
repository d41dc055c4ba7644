"""Freshness: what each series should have by its exchange's calendar, and what of it is there."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.grades import GRADES, Grade, worst
from quantlib.quality import calendar_of, expected_last, sessions
from quantlib.quality.calendars import Days
from quantlib.settings import utc_now
from quantlib.sources import SOURCES
from quantlib.store import count_quarantine, coverage, read_grades
from quantlib.store.dates import stored_dates
from quantlib.workflows.session import Session

DUE = pd.Timedelta(hours=6)
"""A vendor has this long after the close before its bar counts as late."""
PERIODS: dict[str, Literal["M", "Y"]] = {"month": "M", "year": "Y"}
FRESHNESS = (
    *("symbol", "source", "calendar", "first", "last", "expected", "behind", "ended", "missing"),
    *("grade", "doubted", "quarantined", "bars"),
)


def freshness(session: Session, now: datetime | None = None) -> pd.DataFrame:
    """Return how fresh and how sound each series is, the furthest behind and worst first.

    Parameters
    ----------
    now
        The moment that says which sessions are over; the clock's if None.

    Returns
    -------
    DataFrame
        One row a symbol and source: symbol, source, calendar, first, last; expected (the last session it should
        have; NaT of a sample or file) and behind (sessions since its last bar); ended (a sample, a file, or a
        delisted instrument); missing (sessions without a bar from the first to the last), grade (the worst), doubted
        (days with a doubt), quarantined (rows turned away), bars.
    """
    table = due_sessions(session, coverage(session.store), now)
    grades = read_grades(session.store)
    by_series = dict(iter(grades.groupby(["symbol", "source"])))
    aside = count_quarantine(session.store)
    keys = list(zip(table["symbol"], table["source"], strict=True))
    doubted = [by_series.get(key, grades.iloc[:0]) for key in keys]
    # What nothing is expected of is not behind: as if its last bar were the one expected.
    until = table["expected"].fillna(table["last"])
    days = stored_dates(session.store)
    spans = list(zip(table["calendar"], table["first"], table["last"], until, keys, strict=True))
    day = pd.Timedelta(days=1)
    table = table.assign(
        behind=[len(sessions(calendar, last + day, end)) for calendar, _, last, end, _ in spans],
        missing=[_without(sessions(calendar, first, last), days[key]) for calendar, first, last, _, key in spans],
        doubted=[rows["ts"].nunique() for rows in doubted],
        quarantined=[aside.get(key, 0) for key in keys],
    )
    late = [["late"] if behind else [] for behind in table["behind"]]
    table["grade"] = [worst([*rows["grade"], *more]) for rows, more in zip(doubted, late, strict=True)]
    rank = table["grade"].map({grade: place for place, grade in enumerate(GRADES)})
    order = table.assign(rank=rank).sort_values(
        ["behind", "rank", "doubted", "symbol", "source"], ascending=[False, False, False, True, True]
    )
    return order[list(FRESHNESS)].reset_index(drop=True).astype({"grade": "str"})


def _without(expected: Days, stored: Days) -> int:
    """Return how many of the sessions are not among the dates of the bars; an extra bar makes up for none."""
    return len(expected) - int(np.isin(expected, stored, assume_unique=True).sum())


def source_grade(session: Session, source: str) -> Grade:
    """Return the worst stored grade of any bar of a source."""
    return worst(read_grades(session.store, source=source)["grade"].unique())


def coverage_matrix(
    session: Session, name: str | None = None, by: str = "month", now: datetime | None = None
) -> pd.DataFrame:
    """Return which share of the expected sessions is stored, whatever the source: one row a symbol, a column a period.

    Parameters
    ----------
    name
        List of the universe; everything stored if None.
    by
        "month" or "year".
    now
        The moment that says which sessions are over; the clock's if None.

    Returns
    -------
    DataFrame
        From 0 to 1 [symbol x period such as "2020-05" or "2020"]; NaN where no session is expected, as before the
        first bar. Of live series sessions are expected until the newest that is over, of others until the last bar.

    Raises
    ------
    DataError
        There is no such list or period, or nothing is stored.
    """
    if by not in PERIODS:
        raise DataError(f"Sessions cannot be counted by {by!r}. {nearest(by, PERIODS)}")
    listed = None if name is None else set(session.universe.symbols(name))
    stored = coverage(session.store)
    due = due_sessions(session, stored if listed is None else stored[stored["symbol"].isin(listed)], now)
    if due.empty:
        raise DataError(f"Nothing is stored{'' if name is None else f' of the list {name}'}. Run `workbench ingest`.")
    days = stored_dates(session.store, symbols=due["symbol"].unique())
    shares = {}
    for symbol, rows in due.groupby("symbol"):
        end = max(rows["last"].max(), rows["expected"].max()) if rows["expected"].notna().any() else rows["last"].max()
        expected = sessions(rows["calendar"].iloc[0], rows["first"].min(), end)
        period = np.datetime_as_string(expected, unit=PERIODS[by])
        own = np.concatenate([days[str(symbol), str(source)] for source in rows["source"]])
        shares[str(symbol)] = pd.Series(np.isin(expected, own).astype(float)).groupby(period).mean()
    return pd.DataFrame(shares).sort_index().T


def due_sessions(session: Session, stored: pd.DataFrame, now: datetime | None) -> pd.DataFrame:
    """Return `coverage` with calendar, expected (NaT where nothing more is) and ended."""
    moment = pd.Timestamp(now or utc_now()) - DUE
    calendars = calendars_of(session)
    table = stored.assign(calendar=[calendars.get(symbol) or calendar_of(symbol) for symbol in stored["symbol"]])
    due = {name: pd.Timestamp(expected_last(name, moment)) for name in table["calendar"].unique()}
    closed = {one.symbol: pd.Timestamp(one.delisted) for one in session.universe.instruments if one.delisted}
    # A sample and a file hold what they hold; only what a vendor goes on delivering can be late.
    live = {name for name, source in SOURCES.items() if not (source.sample or source.local)}
    expected = [
        min(due[calendar], closed.get(symbol, due[calendar])) if source in live else pd.NaT
        for symbol, source, calendar in zip(table["symbol"], table["source"], table["calendar"], strict=True)
    ]
    ended = ~table["source"].isin(live) | table["symbol"].isin(closed)
    return table.assign(expected=pd.Series(expected, index=table.index, dtype="datetime64[us]"), ended=ended)


def calendars_of(session: Session) -> dict[str, str]:
    """Return the calendar of every instrument of the universe; others go by the ending of their symbol."""
    described = session.universe.instruments
    return {one.symbol: calendar_of(one.symbol, kind=one.kind, exchange=one.exchange) for one in described}
