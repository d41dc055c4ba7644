"""World events as written down by hand: the CSV files of `data/events`, checked line by line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.models.events import WorldEvent

COLUMNS = ("id", "date", "weekend", "time", "time_zone", "kind", "title", "affected", "source")
"""Header of every file."""
KINDS: tuple[str, ...] = get_args(WorldEvent.model_fields["kind"].annotation)
AFFECTED: dict[str, str] = {
    "us_equities": "US shares",
    "european_equities": "European shares",
    "japanese_equities": "Japanese shares",
    "chinese_equities": "Shares of China and Hong Kong",
    "emerging_equities": "Shares of other emerging markets",
    "technology": "Technology shares",
    "banks": "Shares and debt of banks",
    "insurers": "Shares of insurers",
    "airlines": "Shares of airlines",
    "real_estate": "Property and what is lent against it",
    "rates": "Government bond yields and money market rates",
    "credit": "Corporate and structured debt",
    "volatility": "Implied volatility",
    "usd": "US dollar",
    "eur": "Euro and the currencies it replaced",
    "gbp": "Pound sterling",
    "jpy": "Japanese yen",
    "chf": "Swiss franc",
    "cny": "Chinese yuan",
    "emerging_fx": "Other emerging market currencies",
    "oil": "Crude oil and its products",
    "gas": "Natural gas",
    "uranium": "Uranium and nuclear power",
    "gold": "Gold",
    "metals": "Other metals",
    "grains": "Grains and oilseeds",
    "crypto": "Cryptocurrencies",
}
"""What an event can be said to have moved."""
MIDDAY = time(12)


def read_events(folder: Path) -> pd.DataFrame:
    """Return the events of every CSV file in a folder, in the columns of `MODELS["world_events"]`, oldest first.

    A file has the columns `COLUMNS`. `date` and `time` (HH:MM, empty if only the day is known) are those of
    `time_zone`; `weekend` is `yes` for a Saturday or Sunday, so that a mistyped day is noticed; `affected` lists
    keys of `AFFECTED` with semicolons.

    Returns
    -------
    DataFrame
        `happened_at` in UTC, midday of the place where only the day is known; `affected` holds lists.

    Raises
    ------
    DataError
        There are no files, or a line breaks a rule. The message names file and line.

    Examples
    --------
    >>> events = read_events(Path("data/events")).set_index("id")
    >>> print(events.loc["lehman-2008", "happened_at"])
    2008-09-15 05:45:00+00:00
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise DataError(f"No event files in {folder}. Restore data/events, or set WORKBENCH_DATA.")
    events: dict[str, WorldEvent] = {}
    written: dict[str, str] = {}
    for path in paths:
        for line, cells in _lines(path):
            place = f"{path.name}, line {line}"
            try:
                event = _event(cells)
            except DataError as error:
                raise DataError(f"{place}: {error}") from None
            if event.id in events:
                raise DataError(
                    f"{place}: the id {event.id!r} is that of {written[event.id]}. Give each event its own."
                )
            events[event.id], written[event.id] = event, place
    rows = sorted(events.values(), key=lambda event: (event.happened_at, event.id))
    frame = pd.DataFrame([event.model_dump() for event in rows], columns=list(WorldEvent.columns()))
    texts = dict.fromkeys(("id", "time_zone", "kind", "title", "source"), "str")
    return frame.astype(texts | {"happened_at": "datetime64[us, UTC]", "day": "datetime64[us]"})


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column) of a file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = tuple(next(reader, ()))
            if header != COLUMNS:
                raise DataError(
                    f"{path.name}, line 1: the header is {','.join(header)}; it must be {','.join(COLUMNS)}."
                )
            for cells in reader:
                if len(cells) != len(COLUMNS):
                    raise DataError(
                        f"{path.name}, line {reader.line_num}: {len(cells)} cells where {len(COLUMNS)} belong. "
                        "Quote a text that holds a comma."
                    )
                yield reader.line_num, dict(zip(COLUMNS, cells, strict=True))
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 ({error.reason}).") from None
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: {error}.") from None


def _event(cells: dict[str, str]) -> WorldEvent:
    for name, cell in cells.items():
        if cell != cell.strip():
            raise DataError(f"{name} has spaces around it: {cell!r}.")
        if not cell and name not in {"weekend", "time"}:
            raise DataError(f"{name} is empty.")
    day = _day(cells["date"], cells["weekend"])
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cells["id"]) or str(day.year) not in cells["id"].split("-"):
        raise DataError(f"the id is {cells['id']!r}; it must be lower case with hyphens and hold the year {day.year}.")
    if cells["kind"] not in KINDS:
        raise DataError(f"there is no kind {cells['kind']!r}. {nearest(cells['kind'], KINDS)}")
    affected = cells["affected"].split(";")
    for name in affected:
        if name not in AFFECTED:
            raise DataError(f"nothing can be affected as {name!r}. {nearest(name, AFFECTED, limit=len(AFFECTED))}")
        if affected.count(name) > 1:
            raise DataError(f"{name} is affected twice. Name it once.")
    return WorldEvent(
        id=cells["id"],
        happened_at=_moment(day, cells["time"], cells["time_zone"]),
        day=day,
        time_zone=cells["time_zone"],
        kind=cells["kind"],
        title=cells["title"],
        affected=affected,
        source=cells["source"],
    )


def _day(text: str, weekend: str) -> date:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        day = None
    if day is None:
        raise DataError(f"the date is {text!r}; it must be a day written YYYY-MM-DD.")
    if weekend not in {"", "yes"}:
        raise DataError(f"weekend is {weekend!r}; it must be yes or empty.")
    if (day.weekday() >= 5) != (weekend == "yes"):
        raise DataError(f"{day} is a {day:%A}, but weekend is {weekend or 'empty'}. Mend the date or the mark.")
    return day


def _moment(day: date, clock: str, time_zone: str) -> datetime:
    """Return the moment in UTC; a time that clocks in that zone skipped or showed twice is an error."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise DataError(f"there is no time zone {time_zone!r}. {nearest(time_zone, available_timezones())}") from None
    at = MIDDAY
    if clock:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", clock):
            raise DataError(f"the time is {clock!r}; it must be written HH:MM, or left empty.")
        at = time.fromisoformat(clock)
    local = datetime.combine(day, at, zone)
    offsets: set[timedelta | None] = {local.replace(fold=fold).utcoffset() for fold in (0, 1)}
    if len(offsets) > 1:
        raise DataError(f"on {day} clocks changed in {time_zone}, and {clock} does not name one moment.")
    return local.astimezone(UTC)
