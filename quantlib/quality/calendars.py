"""Exchange calendars: which one an instrument goes by, the sessions it should have, and the last one that is over."""

from __future__ import annotations

import warnings
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError, nearest

Days = NDArray[np.datetime64]
"""Session dates as numpy days, ascending."""

US, EVERY_DAY, WEEKDAYS = "XNYS", "24/7", "24/5"

#: Exchanges as the universe and vendors write them; all US exchanges keep the same sessions.
EXCHANGES: dict[str, str] = {
    "NYSE": US,
    "NYSE Arca": US,
    "NYSE American": US,
    "Nasdaq": US,
    "Cboe BZX": US,
    "SNP": US,
    "CCC": EVERY_DAY,
    "CCY": WEEKDAYS,
    "LSE": "XLON",
    "Xetra": "XETR",
    "Euronext Paris": "XPAR",
    "Euronext Amsterdam": "XAMS",
    "SIX": "XSWX",
    "TSX": "XTSE",
    "TSE": "XTKS",
    "HKEX": "XHKG",
    "ASX": "XASX",
}
#: Kinds of instruments that trade apart from any exchange.
KINDS: dict[str, str] = {"crypto": EVERY_DAY, "fx": WEEKDAYS}
#: Endings of symbols in the universe's spelling, for instruments nobody described; a plain ticker is a US one.
ENDINGS: dict[str, str] = {
    "-USD": EVERY_DAY,
    "-USDT": EVERY_DAY,
    "-EUR": EVERY_DAY,
    "=X": WEEKDAYS,
    "=F": "CMES",
    ".L": "XLON",
    ".DE": "XETR",
    ".PA": "XPAR",
    ".AS": "XAMS",
    ".SW": "XSWX",
    ".TO": "XTSE",
    ".T": "XTKS",
    ".HK": "XHKG",
    ".AX": "XASX",
    "": US,
}


def calendar_of(symbol: str, *, kind: str = "", exchange: str = "") -> str:
    """Return the name of the calendar an instrument goes by.

    Parameters
    ----------
    symbol
        In the universe's spelling; its ending tells where nothing else is known.
    kind, exchange
        As in the universe. An exchange may also be the name of a calendar of exchange_calendars, such as XNYS.

    Raises
    ------
    DataError
        The exchange is not known.

    Examples
    --------
    >>> calendar_of("KO", exchange="NYSE"), calendar_of("BTC-USD"), calendar_of("EURUSD=X")
    ('XNYS', '24/7', '24/5')
    """
    if kind in KINDS:
        return KINDS[kind]
    if exchange in EXCHANGES:
        return EXCHANGES[exchange]
    if exchange:
        names = exchange_calendars.get_calendar_names()
        if exchange in names:
            return exchange
        raise DataError(
            f"No calendar is known for the exchange {exchange!r}. {nearest(exchange, [*EXCHANGES, *names])}"
        )
    return next(calendar for ending, calendar in ENDINGS.items() if symbol.endswith(ending))


def sessions(calendar: str, start: date | pd.Timestamp, end: date | pd.Timestamp) -> Days:
    """Return the session dates from `start` to `end`, both included; half days are sessions like others.

    Days before the calendar's first or after its last known year are left out: nothing is expected of them.
    """
    first, last = np.datetime64(pd.Timestamp(start).date(), "D"), np.datetime64(pd.Timestamp(end).date(), "D")
    if last < first:
        return np.array([], dtype="datetime64[D]")
    days, _ = _closes(calendar, _decade(first), _decade(last) + 10)
    return days[np.searchsorted(days, first) : np.searchsorted(days, last, side="right")]


def closing_times(calendar: str, days: pd.DatetimeIndex) -> NDArray[np.datetime64]:
    """Return the moment in UTC at which each day's session closes, in microseconds; NaT where the day has none.

    Examples
    --------
    >>> closing_times("XNYS", pd.DatetimeIndex(["2024-11-29", "2024-11-30"])).astype(str).tolist()
    ['2024-11-29T18:00:00.000000', 'NaT']
    """
    wanted = days.to_numpy().astype("datetime64[D]")
    out = np.full(len(wanted), np.datetime64("NaT"), dtype="datetime64[us]")
    if len(wanted):
        known, closes = _closes(calendar, _decade(wanted.min()), _decade(wanted.max()) + 10)
        at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
        here = known[at] == wanted if len(known) else np.zeros(len(wanted), dtype=np.bool_)
        out[here] = closes[at[here]]
    return out


def expected_last(calendar: str, now: datetime | pd.Timestamp) -> date:
    """Return the last session whose close is past.

    Parameters
    ----------
    now
        The moment of asking, with its zone.

    Raises
    ------
    DataError
        `now` has no zone, or the calendar does not know the days around it.

    Examples
    --------
    >>> expected_last("XNYS", pd.Timestamp("2024-11-29 13:30", tz="America/New_York"))  # half day, closes at 13:00
    datetime.date(2024, 11, 29)
    """
    moment = pd.Timestamp(now)
    if moment.tzinfo is None:
        raise DataError(f"The moment {moment} has no zone, so nobody can say which sessions are over. Give it one.")
    moment = moment.tz_convert(None)
    day = np.datetime64(moment.date(), "D")
    days, closes = _closes(calendar, _decade(day - 60), _decade(day + 60) + 10)
    past = int(np.searchsorted(closes, moment.to_datetime64(), side="right"))
    if not 0 < past < len(days):
        raise DataError(f"The calendar {calendar} does not know the days around {moment:%Y-%m-%d}. Is the clock right?")
    return pd.Timestamp(days[past - 1]).date()


def _decade(day: np.datetime64) -> int:
    return int(str(day)[:4]) // 10 * 10


def _known(calendar: str, first_year: int, last_year: int) -> Any:
    """Return a calendar from one New Year to another, within its own bounds; None where those leave nothing.

    Left to itself the library knows twenty years only. It builds what is asked for once and keeps it.
    """
    start, end = pd.Timestamp(first_year, 1, 1), pd.Timestamp(last_year, 1, 1) - pd.Timedelta(days=1)
    with warnings.catch_warnings():
        # The library still calls pandas in a way that pandas 4 will change; the values are right.
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        low, high = _bounds(calendar)
        start, end = max(start, low or start), min(end, high or end)
        return exchange_calendars.get_calendar(calendar, start=start, end=end) if start < end else None


@cache
def _bounds(calendar: str) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    known = type(exchange_calendars.get_calendar(calendar))
    return known.bound_min(), known.bound_max()


@lru_cache(maxsize=64)
def _closes(calendar: str, first_year: int, last_year: int) -> tuple[Days, NDArray[np.datetime64]]:
    """Return sessions, and the moments in UTC they close."""
    known = _known(calendar, first_year, last_year)
    if known is None:
        return np.array([], dtype="datetime64[D]"), np.array([], dtype="datetime64[s]")
    closes = known.closes.dt.tz_convert(None).to_numpy().astype("datetime64[s]")
    return known.sessions.to_numpy().astype("datetime64[D]"), closes
