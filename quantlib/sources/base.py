"""What a source is: `request` asks one vendor for one thing, `parse` reads the answer, and the ways both can fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import pandas as pd
from pydantic import SecretStr

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.types import BAR_COLUMNS, MACRO_COLUMNS, DateLike, check_span

Kind = Literal["bars", "macro", "releases", "earnings", "news", "sentiment", "market_caps"]
"""What a source can be asked for; one answer may fill several tables."""
PriceScale = Literal["raw", "split_adjusted", "adjusted"]
EVERYTHING = "*"
"""The name to ask for where a kind is not about one symbol or series, as with an economic calendar."""


class NoKeyError(SourceError):
    """The vendor needs a key and none is set."""


class BadKeyError(SourceError):
    """The vendor does not accept the key, or the key does not cover what was asked."""


class NotFoundError(SourceError):
    """The vendor does not know the symbol or series."""


class LimitError(SourceError):
    """Refused for now: too many requests, at the vendor or by our own quota."""


class UnreachableError(SourceError):
    """No answer, or a server fault, after every retry."""


class PausedError(SourceError):
    """Not asked: the vendor failed too often just before, and is left alone for a while."""


class PartialError(SourceError):
    """The answer is cut short: part of what was asked for is missing, so nothing of it is used."""


class FormatError(SourceError):
    """The answer is not of the form this source reads."""


class EmptyError(SourceError):
    """The vendor knows the symbol but has nothing in the span asked for."""


@dataclass(frozen=True)
class Ask:
    """What is wanted of a vendor.

    Parameters
    ----------
    kind
        What sort of thing.
    name
        Symbol in the universe's spelling, key of a macro series, or `EVERYTHING`.
    start, end
        First and last day wanted, both included; None is open.
    """

    kind: Kind
    name: str
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None

    @classmethod
    def of(cls, kind: Kind, name: str, start: DateLike | None = None, end: DateLike | None = None) -> Ask:
        """Return the question with its span checked."""
        return cls(kind, name, *check_span(start, end))


class Gate(Protocol):
    """What every single attempt passes: our quota and circuit breaker of the vendor."""

    def enter(self, source: str) -> None:
        """Return when the vendor may be asked now.

        Raises
        ------
        LimitError
            The quota is used up for longer than is worth waiting.
        PausedError
            The circuit breaker is open.
        """

    def succeeded(self, source: str) -> None:
        """Note a usable answer."""

    def failed(self, source: str, error: Exception) -> None:
        """Note a fault of the vendor's."""


class OpenGate:
    """A gate that lets everything pass and remembers nothing."""

    def enter(self, source: str) -> None:
        """Let it pass."""

    def succeeded(self, source: str) -> None:
        """Forget it."""

    def failed(self, source: str, error: Exception) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Call:
    """How a vendor is asked: with which keys, where, and how patiently.

    Parameters
    ----------
    home
        Folder the source may keep caches in.
    keys
        Credentials by the names in the source's `keys`.
    base_url
        Scheme and host to ask instead of the vendor's own.
    timeout
        Seconds one attempt may take.
    attempts
        How often to try in all what is worth trying again.
    wait
        Seconds before the second attempt, doubling after each, with jitter of as much again.
    gate
        Passed before every attempt.
    """

    home: Path
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    base_url: str | None = None
    timeout: float = 20.0
    attempts: int = 4
    wait: float = 1.0
    gate: Gate = field(default_factory=OpenGate)

    def key(self, name: str) -> str:
        """Return a credential as text.

        Raises
        ------
        NoKeyError
            It is not set.
        """
        found = self.keys.get(name)
        if found is None or not found.get_secret_value():
            raise NoKeyError(f"No key is set. Put {name} into the environment or .env; `workbench sources` says more.")
        return found.get_secret_value()


@dataclass(frozen=True)
class Payload:
    """One answer of a vendor, as delivered, with what is needed to read it again later.

    Parameters
    ----------
    source
        Name of the source in `SOURCES`.
    kind, name
        What was asked for.
    body
        The body as delivered: text, or bytes where it is a binary file.
    start, end
        The span asked for, both ends included; None is open. `parse` leaves out what lies beyond.
    status
        The HTTP status, 200 for sources without HTTP.
    url
        Address that was asked, without any key.
    """

    source: str
    kind: Kind
    name: str
    body: str | bytes
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None
    status: int = 200
    url: str = ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body if isinstance(self.body, str) else self.body.decode("utf-8", errors="replace")


def _empty(table: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(MODELS[table].columns()))


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a payload says, as tables; columns are those of the models of the same name.

    Parameters
    ----------
    bars
        Daily bars in BAR_COLUMNS; `ts` is the session date in the exchange's own zone, without zone.
    macro
        Observations in MACRO_COLUMNS; `released_at` in UTC.
    actions, measures, releases, security_events, news, sentiment
        Rows of `quantlib.models`; moments in UTC.
    refused
        Rows of bars as they came that are not even of the right type, with a column reason.
    notes
        What was left out and why, one sentence each.
    """

    bars: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BAR_COLUMNS)))
    macro: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(MACRO_COLUMNS)))
    actions: pd.DataFrame = field(default_factory=_empty("actions"))
    measures: pd.DataFrame = field(default_factory=_empty("measures"))
    releases: pd.DataFrame = field(default_factory=_empty("releases"))
    security_events: pd.DataFrame = field(default_factory=_empty("security_events"))
    news: pd.DataFrame = field(default_factory=_empty("news"))
    sentiment: pd.DataFrame = field(default_factory=_empty("sentiment"))
    refused: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*BAR_COLUMNS, "reason"]))
    notes: tuple[str, ...] = ()


class Series(NamedTuple):
    """A macro series a source delivers; `name` is FRED's where FRED has it."""

    name: str
    title: str
    unit: str
    frequency: Literal["daily", "weekly", "monthly", "quarterly", "yearly"]


class Rate(NamedTuple):
    """At most `calls` calls in any `seconds` seconds."""

    calls: int
    seconds: int


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
        What it can be asked for.
    markets
        Kinds of instruments it has: those of the universe it is asked for by default.
    request
        Asks; the only part that may touch network or files.
    parse
        Reads a payload; pure, so that a stored payload gives the same tables again.
    note
        What a user should know before trusting a number from it.
    priority
        Of sources that are as fresh as each other, the lowest number gives the canonical series.
    price_scale
        What its prices already contain: nothing, splits, or splits and dividends.
    actions
        Whether its bars come with dividends and splits; prices are then adjusted by those on read.
    keys
        Names of the settings its credentials are in, such as FRED_API_KEY; without them it refuses.
    optional_keys
        Names of settings that raise the limits where they are set.
    history
        Whether it has past days; one that has not, such as a source of quotes, is asked for today only.
    rates
        The vendor's limits, kept by all processes together.
    verified
        Whether its parser has been tested on a recorded real answer, not only on the vendor's documentation.
    sample
        Whether the data is a fixed sample: every page must call it one.
    local
        Whether it reads files of this machine: it is pointed at a folder, and its answers are not kept.
    series
        Macro series asked for by default.
    smoke
        A cheap question that shows whether it answers.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    request: Callable[[Ask, Call], Payload]
    parse: Callable[[Payload], Parsed]
    note: str
    priority: int
    markets: tuple[str, ...] = ()
    price_scale: PriceScale = "split_adjusted"
    actions: bool = False
    history: bool = True
    keys: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()
    verified: bool = True
    sample: bool = False
    local: bool = False
    series: tuple[Series, ...] = ()
    smoke: Ask | None = None


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
