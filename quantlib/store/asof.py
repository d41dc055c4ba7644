"""As of when: a day or a moment as the bounds that reads of what was known then go by."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import pandas as pd

from quantlib.errors import DataError
from quantlib.types import DateLike, as_date

AsOf = DateLike | datetime
"""A day, which ends at midnight UTC, or a moment with its zone."""
TICK = timedelta(microseconds=1)


class Bounds(NamedTuple):
    """What was known at a moment M.

    Attributes
    ----------
    before
        What was recorded before this is known; the server's resolution after M.
    day
        The day of M in UTC: no session of a later day has ended anywhere.
    whole
        The last day that was over in UTC.
    """

    before: datetime
    day: date
    whole: date


NOW = Bounds(datetime(9999, 12, 31, tzinfo=UTC), date(9999, 12, 31), date(9999, 12, 31))
"""Everything that is stored."""


def read_as_of(as_of: AsOf | None) -> Bounds:
    """Return the bounds of a read as of the end of a day (UTC), or of a moment; of everything for None.

    Raises
    ------
    DataError
        It is no date, or has a time of day but no zone.
    """
    if as_of is None:
        return NOW
    day = as_date(as_of, "as_of")
    stamp = pd.Timestamp(str(as_of).strip())
    if stamp.tz is None:
        if stamp != day:
            raise DataError(
                f"as_of has a time of day but no zone: {as_of}. Give a day, or a moment with its zone such as "
                f"{stamp:%Y-%m-%d %H:%M}+00:00."
            )
        if day.date() >= NOW.day:
            return NOW
        before = datetime.combine(day.date() + timedelta(days=1), time(), UTC)
    else:
        before = stamp.tz_convert("UTC").floor("us").to_pydatetime() + TICK
    return Bounds(before, (before - TICK).date(), before.date() - timedelta(days=1))
