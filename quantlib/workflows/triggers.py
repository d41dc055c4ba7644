"""Triggers: when a schedule comes due, read from words. Pure: they never look at the clock themselves."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from quantlib.errors import DataError, nearest

FORMS = (
    "`XNYS close + 30 min`, `XNYS open - 1 h`, `every day 06:00 UTC`, `every day 07:30 Europe/Berlin`, `every 15 min`"
)
LONGEST = timedelta(days=1)
_UNITS = {"min": 1, "minute": 1, "minutes": 1, "h": 60, "hour": 60, "hours": 60}
_LENGTH = r"(?P<number>\d+) ?(?P<unit>[a-z]+)"
_SESSION = re.compile(rf"(?P<calendar>\S+) (?P<edge>open|close)(?: ?(?P<sign>[+-]) ?{_LENGTH})?", re.IGNORECASE)
_DAILY = re.compile(r"every day (?P<at>\S+) (?P<zone>\S+)", re.IGNORECASE)
_INTERVAL = re.compile(rf"every {_LENGTH}", re.IGNORECASE)


@dataclass(frozen=True)
class SessionTrigger:
    """Some time before or after each open or close of an exchange: holidays, half days and clock changes included.

    Parameters
    ----------
    calendar
        Code of the exchange, such as XNYS.
    edge
        Which end of the session.
    offset
        Time after it; negative before it.
    """

    calendar: str
    edge: Literal["open", "close"]
    offset: timedelta

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the moments after `after` up to and including `until`, ascending, in UTC."""
        room = timedelta(days=10)
        moments = _edges(self.calendar, self.edge, (after - room).date(), (until + room).date())
        return [at for at in (moment + self.offset for moment in moments) if after < at <= until]

    def __str__(self) -> str:
        minutes = int(self.offset.total_seconds() // 60)
        return f"{self.calendar} {self.edge}" + (f" {'+-'[minutes < 0]} {_length(abs(minutes))}" if minutes else "")


@dataclass(frozen=True)
class DailyTrigger:
    """A time on the clock of a place, once every day there.

    Where the clock jumps over it in spring, it comes that much later; where the clock shows it twice in autumn, it
    is the first.
    """

    at: time
    zone: str

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the moments after `after` up to and including `until`, ascending, in UTC."""
        zone = ZoneInfo(self.zone)
        day, last = after.astimezone(zone).date(), until.astimezone(zone).date()
        days = [day + timedelta(days=n) for n in range((last - day).days + 1)]
        moments = [datetime.combine(one, self.at, tzinfo=zone).astimezone(UTC) for one in days]
        return [at for at in moments if after < at <= until]

    def __str__(self) -> str:
        return f"every day {self.at:%H:%M} {self.zone}"


@dataclass(frozen=True)
class IntervalTrigger:
    """Every so many minutes, counted from midnight UTC of 1 January 1970."""

    every: timedelta

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the moments after `after` up to and including `until`, ascending, in UTC."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        first, last = (after - epoch) // self.every + 1, (until - epoch) // self.every
        return [epoch + n * self.every for n in range(first, last + 1)]

    def __str__(self) -> str:
        return f"every {_length(int(self.every.total_seconds() // 60))}"


Trigger = SessionTrigger | DailyTrigger | IntervalTrigger


def parse_trigger(text: str) -> Trigger:
    """Return the trigger some words stand for.

    Raises
    ------
    DataError
        They cannot be read, or name an exchange or a time zone nobody knows.

    Examples
    --------
    >>> str(parse_trigger("xnys close+90 min"))
    'XNYS close + 90 min'
    """
    words = " ".join(text.split())
    if found := _DAILY.fullmatch(words):
        return DailyTrigger(_clock(found["at"], text), _zone(found["zone"]))
    if found := _INTERVAL.fullmatch(words):
        return IntervalTrigger(_span(found, text))
    if found := _SESSION.fullmatch(words):
        offset = _span(found, text) if found["sign"] else timedelta(0)
        edge: Literal["open", "close"] = "open" if found["edge"].lower() == "open" else "close"
        return SessionTrigger(_calendar(found["calendar"]), edge, -offset if found["sign"] == "-" else offset)
    raise DataError(f"The trigger {text!r} cannot be read. Write it like one of these: {FORMS}.")


def next_after(trigger: Trigger, moment: datetime) -> datetime | None:
    """Return the first moment after `moment`; None if there is none within a year."""
    for days in (1, 14, 366):
        if found := trigger.between(moment, moment + timedelta(days=days)):
            return found[0]
    return None


def _length(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes and minutes % 60 == 0 else f"{minutes} min"


def _span(found: re.Match[str], text: str) -> timedelta:
    unit = _UNITS.get(found["unit"].lower())
    if unit is None:
        raise DataError(f"The trigger {text!r} counts in {found['unit']!r}. Count in min or h.")
    minutes = int(found["number"]) * unit
    if not 0 < minutes <= LONGEST.total_seconds() / 60:
        raise DataError(f"The trigger {text!r} asks for {found['number']} {found['unit']}. Give 1 min to 24 h.")
    return timedelta(minutes=minutes)


def _clock(words: str, text: str) -> time:
    try:
        return datetime.strptime(words, "%H:%M").time()  # noqa: DTZ007 - a time of day has no date to be aware of
    except ValueError:
        raise DataError(f"The trigger {text!r} has no time of day where {words!r} stands. Write it as 07:30.") from None


def _zone(name: str) -> str:
    zones = available_timezones()
    if found := next((zone for zone in zones if zone.lower() == name.lower()), None):
        return found
    raise DataError(f"There is no time zone {name!r}. {nearest(name, zones, limit=4)}")


def _calendar(name: str) -> str:
    from exchange_calendars import get_calendar_names, resolve_alias  # noqa: PLC0415 - takes half a second

    names = get_calendar_names(include_aliases=True)
    found = next((one for one in names if one.lower() == name.lower()), None)
    if found is None:
        raise DataError(f"There is no exchange calendar {name!r}. {nearest(name, names)}")
    return str(resolve_alias(found))


@lru_cache(maxsize=64)
def _edges(calendar: str, edge: str, first: date, last: date) -> list[datetime]:
    """Return opens or closes of the sessions from `first` to `last`, in UTC."""
    from exchange_calendars import get_calendar  # noqa: PLC0415 - as above

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library still uses what pandas means to change
        try:
            sessions = get_calendar(calendar, start=str(first), end=str(last))
        except (ValueError, NotImplementedError) as error:
            raise DataError(f"The sessions of {calendar} from {first} to {last} are not known: {error}.") from None
        moments = sessions.opens if edge == "open" else sessions.closes
        return [moment.to_pydatetime() for moment in pd.DatetimeIndex(moments.dropna())]
