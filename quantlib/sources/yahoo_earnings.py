"""Yahoo's page of earnings dates: the one table in it read into security events."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pandas as pd

from quantlib.models import MODELS
from quantlib.sources.base import EmptyError, FormatError, LimitError, NotFoundError, Parsed, Payload, within
from quantlib.sources.bodies import strange
from quantlib.sources.reading import NEW_YORK

MOST = 100
"""Rows the page shows at most."""
_COLUMNS = ("Symbol", "Earnings Date", "EPS Estimate", "Reported EPS")
# The page names the zone of New York by its abbreviation of the season.
_NEW_YORK = {"EST", "EDT", "ET", NEW_YORK}
_MOMENT = re.compile(r"(\w+ \d{1,2}, \d{4})(?: at (\d{1,2})(?::(\d\d))? ([AP]M))?(?: (\S+))?")
_OPENS, _CLOSES = 9 * 60 + 30, 16 * 60


class _Table(HTMLParser):
    """The cells of the first table of a page, row by row."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.tables = 0
        self.inside = self.in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables += 1
            self.inside = self.tables == 1
        elif self.inside and tag == "tr":
            self.rows.append([])
            self.in_cell = False
        elif self.inside and tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "tr"}:
            self.in_cell = False
        elif tag == "table":
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside and self.in_cell:
            self.rows[-1][-1] += data


def parse_earnings(payload: Payload) -> Parsed:
    """Return the past and coming earnings dates of the page, one row a day, the estimate beside the result.

    The day is the one in New York, where the page gives its times. Before the opening counts as
    `before_open`, from the close on as `after_close`; nobody reports at midnight, so that is an unknown time.

    Raises
    ------
    NotFoundError, LimitError
        By the HTTP status.
    EmptyError
        The page has no table, or no date in the span asked for.
    FormatError
        No such page, the table has other columns, or a cell cannot be read.
    """
    symbol = payload.name
    if payload.status in {401, 403, 429}:
        raise LimitError(f"Yahoo refuses {symbol} for now (HTTP {payload.status}). Try again in some minutes.")
    if payload.status == 404:
        raise NotFoundError(f"Yahoo has no page of earnings dates for {symbol!r}. Write it as Yahoo does, e.g. BRK-B.")
    rows = _rows(payload)
    events = pd.DataFrame(rows, columns=["ts", "session", "expected", "actual"])
    # Where a day comes twice, as call and as report, the row that knows the result says more.
    events = events.sort_values("actual", na_position="last", kind="stable").drop_duplicates("ts").sort_values("ts")
    events = events.assign(symbol=symbol, source=payload.source, kind="earnings", period="")
    types = dict.fromkeys(("symbol", "source", "kind", "session", "period"), "str")
    events = events.astype(types | {"ts": "datetime64[us]", "expected": "float64", "actual": "float64"})
    events = within(events[list(MODELS["security_events"].columns())], "ts", payload)
    if events.empty:
        raise EmptyError(f"Yahoo has no earnings dates of {symbol} in the span asked for.")
    notes = (f"{symbol}: only the latest {MOST} earnings dates are on the page.",) if len(rows) >= MOST else ()
    return Parsed(security_events=events, notes=notes)


def _rows(payload: Payload) -> list[tuple[pd.Timestamp, str, float | None, float | None]]:
    symbol, page = payload.name, _Table()
    try:
        page.feed(payload.text)
        page.close()
    except (AssertionError, ValueError, RecursionError):  # what the parser raises on broken declarations
        raise strange("Yahoo", payload, "is no web page that can be read") from None
    rows = [[" ".join(cell.split()) for cell in row] for row in page.rows if row]
    if not page.tables:
        if payload.status == 200 and "earnings" in payload.text.lower() and "</html>" in payload.text.lower():
            raise EmptyError(f"Yahoo has no earnings dates of {symbol}.")
        raise strange("Yahoo", payload, "is not its page of earnings dates")
    if page.inside or not rows or any(name not in rows[0] for name in _COLUMNS):
        raise strange("Yahoo", payload, "has no whole table of earnings dates")
    places = [rows[0].index(name) for name in _COLUMNS]
    out = []
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            raise strange("Yahoo", payload, f"has a row of {len(row)} cells under {len(rows[0])} columns")
        of, when, expected, actual = (row[place] for place in places)
        if of.upper() != symbol.upper():
            raise FormatError(f"Asked Yahoo for {symbol} and got {of[:20]}; nothing was read.")
        if when != "-":
            out.append((*_moment(when, payload), _number(expected, payload), _number(actual, payload)))
    return out


def _moment(text: str, payload: Payload) -> tuple[pd.Timestamp, str]:
    """Return the day and when on it, such as `after_close`; empty where the time is not given."""
    found = _MOMENT.fullmatch(text)
    day = pd.to_datetime(found[1], format="%B %d, %Y", errors="coerce") if found else pd.NaT
    if found is None or pd.isna(day):
        raise strange("Yahoo", payload, f"holds {text[:40]!r} where a date should be")
    if found[2] is None:
        return day, ""
    if found[5] not in _NEW_YORK:
        raise strange("Yahoo", payload, f"gives its times in {found[5]}, not in New York's")
    minutes = int(found[2]) % 12 * 60 + int(found[3] or 0) + (12 * 60 if found[4] == "PM" else 0)
    if minutes == 0:
        return day, ""
    return day, "before_open" if minutes < _OPENS else "after_close" if minutes >= _CLOSES else "during"


def _number(text: str, payload: Payload) -> float | None:
    if text in {"", "-", "--", "N/A"}:
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise strange("Yahoo", payload, f"holds {text[:40]!r} where a number should be")
    return value
