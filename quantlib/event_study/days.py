"""On which session an event could first be traded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.typing import NaTType

from quantlib.errors import DataError, nearest
from quantlib.quality import calendar_of, expected_last, sessions

Rows = NDArray[np.intp]
Day = pd.Timestamp | NaTType

WHEN = ("", "before_open", "during", "after_close")
"""When on its day something of one company comes out, as `security_events` says it; empty where it is not known."""
#: No exchange was ever closed for longer, wars aside.
LONGEST_CLOSE = 21


def event_days(events: pd.DataFrame, index: pd.DatetimeIndex, *, calendar: str = "XNYS") -> pd.Series:
    """Return the session each event belongs to: the first whose close came after the news; NaT outside the index.

    News at the close or later, and at weekends and holidays, belong to the next session. Moments are compared with
    the closes of the exchange, so half days and both time zones count. An event of which only the day is known
    stands in the store at midday of its place: in New York that is the session of that day, in Tokyo the session of
    New York that opens hours later on the same date.

    Parameters
    ----------
    events
        Either `happened_at` (moments with a zone), or `day` and `session` (one of `WHEN`; where it is not known the
        day itself counts). The index, or a column `id`, names the events.
    index
        Sessions of the prices, ascending. Where the session of an event is missing among them, the next one counts:
        its return spans the gap.
    calendar
        Name of the exchange calendar the prices go by, such as XNYS or 24/7.

    Returns
    -------
    Series
        Sessions (datetime64[us]) by event, in the order given.

    Raises
    ------
    DataError
        A column is missing, a moment has no zone, or `session` or the calendar is unknown.

    Examples
    --------
    >>> late = pd.DataFrame({"happened_at": pd.to_datetime(["2024-05-22 20:20"], utc=True)}, index=["nvda"])
    >>> print(event_days(late, pd.bdate_range("2024-05-01", "2024-05-31"))["nvda"])
    2024-05-23 00:00:00
    """
    calendar_of("", exchange=calendar)  # says which calendars there are
    names = pd.Index(events.get("id", events.index), name="id")
    if "happened_at" in events:
        days = _after_moments(events["happened_at"], index, calendar)
    elif {"day", "session"} <= set(events):
        days = _after_days(events, index, calendar)
    else:
        have = ", ".join(map(str, events.columns)) or "no column"
        raise DataError(f"Events have {have}; needed: happened_at, or day and session.")
    rows = rows_of(pd.DatetimeIndex(days), index)
    found = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[us]")
    found[rows >= 0] = index.to_numpy().astype("datetime64[us]")[rows[rows >= 0]]
    return pd.Series(found, index=names, name="session")


def rows_of(days: pd.DatetimeIndex, index: pd.DatetimeIndex) -> Rows:
    """Return the row of the first session at or after each day; -1 for NaT and for days outside the index."""
    rows = np.asarray(index.searchsorted(days.tz_localize(None).normalize()), dtype=np.intp)
    outside = np.asarray(days.isna()) | (rows >= len(index))
    if len(index):
        outside |= np.asarray(days < index[0])
    return np.where(outside, -1, rows)


def _after_moments(moments: pd.Series, index: pd.DatetimeIndex, calendar: str) -> list[Day]:
    if not isinstance(moments.dtype, pd.DatetimeTZDtype):
        raise DataError(f"happened_at is {moments.dtype}; accepted: moments with a zone, such as those of the store.")
    out: list[Day] = []
    for moment in moments:
        if not _near(moment.tz_convert(None), index):
            out.append(pd.NaT)
            continue
        over = pd.Timestamp(expected_last(calendar, moment))
        out.append(_first(calendar, over + pd.Timedelta(days=1)))
    return out


def _after_days(events: pd.DataFrame, index: pd.DatetimeIndex, calendar: str) -> list[Day]:
    out: list[Day] = []
    for day, when in zip(pd.to_datetime(events["day"]).tolist(), events["session"], strict=True):
        if when not in WHEN:
            raise DataError(f"There is no time of day {when!r} of an event. {nearest(str(when), WHEN[1:])}")
        if not _near(day, index):
            out.append(pd.NaT)
            continue
        out.append(_first(calendar, day + pd.Timedelta(days=int(when == "after_close"))))
    return out


def _near(moment: Day, index: pd.DatetimeIndex) -> bool:
    """Return whether a moment can belong to a session of the index, NaT to none; the calendar is not asked then."""
    margin = pd.Timedelta(days=LONGEST_CLOSE)
    return bool(len(index) and index[0] - margin <= moment <= index[-1] + margin)


def _first(calendar: str, day: pd.Timestamp) -> Day:
    """Return the first session from a day on, NaT where the calendar knows none."""
    days = sessions(calendar, day, day + pd.Timedelta(days=LONGEST_CLOSE))
    return pd.Timestamp(days[0]) if len(days) else pd.NaT
