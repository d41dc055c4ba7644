"""What a price source is: one request for one symbol, one pure parse, and the ways both can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd

from quantlib.errors import SourceError
from quantlib.types import BAR_COLUMNS, MACRO_COLUMNS, DateLike

ACTION_COLUMNS = ("symbol", "ts", "kind", "value")
Kind = Literal["bars", "actions", "macro"]


class NotFoundError(SourceError):
    """The vendor does not know the symbol."""


class LimitError(SourceError):
    """The vendor refuses for now: too many requests, or no permission."""


class UnreachableError(SourceError):
    """No answer, or a server fault, after every retry."""


class FormatError(SourceError):
    """The answer is not of the form this source reads."""


class EmptyError(SourceError):
    """The vendor knows the symbol but has nothing in the span asked for."""


@dataclass(frozen=True)
class Payload:
    """One answer of a vendor, as delivered, with what is needed to read it again later.

    Parameters
    ----------
    source
        Name of the source in `SOURCES`.
    symbol
        What was asked for: a symbol, or the name of a macro series.
    body
        The body as delivered, decoded to text.
    start, end
        The span asked for, both ends included; None is open. `parse` leaves out what lies beyond.
    status
        The HTTP status, 200 for sources without HTTP.
    """

    source: str
    symbol: str
    body: str
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None
    status: int = 200


def _empty(columns: tuple[str, ...]) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(columns))


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a payload says, as tables.

    Parameters
    ----------
    bars
        Daily bars in BAR_COLUMNS; `ts` is the session date in the exchange's own zone, without zone.
    actions
        Columns symbol, ts (ex-date), kind (`dividend` in currency per share, `split` as new shares per
        old share) and value.
    macro
        Observations in MACRO_COLUMNS; `released_at` in UTC.
    notes
        What was left out and why, one sentence each.
    """

    bars: pd.DataFrame = field(default_factory=_empty(BAR_COLUMNS))
    actions: pd.DataFrame = field(default_factory=_empty(ACTION_COLUMNS))
    macro: pd.DataFrame = field(default_factory=_empty(MACRO_COLUMNS))
    notes: tuple[str, ...] = ()


class Request(Protocol):
    """Fetch one symbol; `home` is a folder the source may keep its caches in."""

    def __call__(
        self, symbol: str, start: DateLike | None = None, end: DateLike | None = None, *, home: Path
    ) -> Payload:
        """Return the vendor's answer.

        Raises
        ------
        SourceError
            Nothing usable came; the subclass says which way it failed.
        """


@dataclass(frozen=True)
class Series:
    """A macro series a source delivers; `name` is FRED's where FRED has it."""

    name: str
    title: str
    unit: str
    frequency: Literal["daily", "weekly", "monthly", "quarterly"]


@dataclass(frozen=True)
class Source:
    """One vendor: how to ask it, how to read it, and what a user should know about it.

    Parameters
    ----------
    name
        Key in `SOURCES`, and the `source` of every row it delivers.
    title
        Name for people.
    kinds
        Tables its payloads may fill.
    needs_key
        Whether an account key is needed.
    sample
        Whether the data is a fixed sample: every page must call it one.
    request
        Fetches one symbol; the only part that may touch network or files.
    parse
        Reads a payload; pure, so that a stored payload gives the same tables again.
    note
        What a user should know before trusting a number from it.
    series
        Macro series it delivers, asked for by name through the same `request`.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    needs_key: bool
    sample: bool
    request: Request
    parse: Callable[[Payload], Parsed]
    note: str
    series: tuple[Series, ...] = ()


def bars_frame(values: pd.DataFrame, symbol: str, source: str) -> pd.DataFrame:
    """Return bars in BAR_COLUMNS; a column that is not in `values` is unknown (NaN).

    Parameters
    ----------
    values
        Columns ts (session dates) and any of open, high, low, close, volume, adj_close.
    symbol, source
        Written on every row.
    """
    frame = values.reindex(columns=list(BAR_COLUMNS)).reset_index(drop=True)
    frame["symbol"], frame["source"] = symbol, source
    prices = ["open", "high", "low", "close", "volume", "adj_close"]
    return frame.astype({"symbol": "str", "source": "str", "ts": "datetime64[us]"} | dict.fromkeys(prices, "float64"))


def within(frame: pd.DataFrame, column: str, payload: Payload) -> pd.DataFrame:
    """Return the rows whose `column` lies in the payload's span, numbered from zero."""
    keep = pd.Series(data=True, index=frame.index)
    if payload.start is not None:
        keep &= frame[column] >= payload.start
    if payload.end is not None:
        keep &= frame[column] <= payload.end
    return frame[keep].reset_index(drop=True)
