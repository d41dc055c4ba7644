"""Numbers of a session's date, known at that session without looking at later ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.types import FloatArray


def session_of_month(index: pd.DatetimeIndex) -> FloatArray:
    """Return which session of its month each date is, 1 for the first; Saturdays and Sundays are not counted.

    A weekend row of a panel that holds crypto keeps the count of the Friday before it. The month a panel starts in is
    unknown, unless it starts on or before the month's first weekday.
    """
    out = np.full(len(index), np.nan)
    if not len(index):
        return out
    month = index.year.to_numpy() * 12 + index.month.to_numpy()
    weekday = index.day_of_week.to_numpy() < 5
    total = np.cumsum(weekday)
    first = np.flatnonzero(np.diff(month, prepend=month[0] - 1))
    rows_in_month = np.diff([*first, len(index)])
    before: NDArray[np.int64] = np.repeat(total[first] - weekday[first], rows_in_month)
    out[:] = total - before
    opening = np.busday_offset(index[:1].to_numpy().astype("datetime64[M]").astype("datetime64[D]"), 0, roll="forward")
    if index[0].to_datetime64().astype("datetime64[D]") > opening[0]:
        out[: rows_in_month[0]] = np.nan
    return out


def sessions_left(index: pd.DatetimeIndex) -> FloatArray:
    """Return how many weekdays of the month follow each date, by the calendar alone: holidays count."""
    days = index.to_numpy().astype("datetime64[D]")
    next_month = (days.astype("datetime64[M]") + 1).astype("datetime64[D]")
    return np.asarray(np.busday_count(days + 1, next_month), dtype=np.float64)


CALENDAR_NUMBERS: dict[str, Callable[[pd.DatetimeIndex], FloatArray]] = {
    "year": lambda index: index.year.to_numpy(dtype=np.float64),
    "month": lambda index: index.month.to_numpy(dtype=np.float64),
    "day": lambda index: index.day.to_numpy(dtype=np.float64),
    "weekday": lambda index: index.day_of_week.to_numpy(dtype=np.float64) + 1.0,
    "session_of_month": session_of_month,
    "sessions_left": sessions_left,
}
