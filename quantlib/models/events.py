"""Rows about what happened, or is due to happen, in economies, companies and the world."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import Field

from quantlib.models.base import Finite, Name, Row


class Release(Row):
    """Economic releases: what was expected, what came, and what it was changed to afterwards."""

    table: ClassVar[str] = "events.releases"
    key: ClassVar[tuple[str, ...]] = ("source", "country", "name", "released_at")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "released_at"

    source: Name = Field(description="Vendor that said so.")
    country: str = Field(description="ISO 3166 code of two letters, or EA for the euro area.")
    name: Name = Field(description="Name of the release, as the vendor gives it.")
    released_at: datetime = Field(description="Moment of publication, past or due.")
    period: str = Field(default="", description="Period described, such as 2024-05 or 2024-Q1; empty if not said.")
    actual: Finite | None = Field(default=None, description="First published value; NULL before it is out.")
    forecast: Finite | None = Field(default=None, description="Expected value.")
    forecast_kind: Literal["survey", "model", "none"] = Field(default="none", description="Where the forecast is from.")
    previous: Finite | None = Field(default=None, description="Value of the period before, as known at the release.")
    revised: Finite | None = Field(default=None, description="What the previous value was changed to by this release.")
    unit: str = Field(default="", description="Unit of the values.")
    importance: Literal["", "low", "medium", "high"] = Field(default="", description="As the vendor ranks it.")


class SecurityEvent(Row):
    """Events of one instrument: earnings, announced dividends and splits."""

    table: ClassVar[str] = "events.security_events"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "kind", "ts")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "ts"
    recorded_by: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="Symbol in the universe's spelling.")
    source: Name = Field(description="Vendor that said so.")
    kind: Literal["earnings", "dividend", "split"] = Field(description="What happens.")
    ts: date = Field(description="Day it happens, in the exchange's zone.")
    session: Literal["", "before_open", "during", "after_close"] = Field(default="", description="When on that day.")
    expected: Finite | None = Field(default=None, description="Earnings per share expected, or the amount announced.")
    actual: Finite | None = Field(default=None, description="Earnings per share reported.")
    period: str = Field(default="", description="Period described, such as 2024-Q1.")


class WorldEvent(Row):
    """Market, economic and geopolitical events that moved more than one instrument."""

    table: ClassVar[str] = "events.world_events"
    key: ClassVar[tuple[str, ...]] = ("id",)
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "happened_at"
    recorded_by: ClassVar[tuple[str, ...]] = ()

    id: Name = Field(description="Short name with the year, such as lehman-2008.")
    happened_at: datetime = Field(description="Moment it became public; midday of the day where only the day is known.")
    day: date = Field(description="Day in the time zone given.")
    time_zone: Name = Field(description="IANA zone of the place it is dated by.")
    kind: Literal["monetary", "market", "economic", "geopolitical", "disaster"] = Field(description="Its sort.")
    title: Name = Field(description="What happened, in one line.")
    affected: list[str] = Field(description="Markets it moved, such as us_equities, oil, gold or rates.")
    source: str = Field(description="Where this can be looked up.")


class News(Row):
    """Headlines with the instruments they are about."""

    table: ClassVar[str] = "events.news"
    key: ClassVar[tuple[str, ...]] = ("source", "id")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "published_at"

    source: Name = Field(description="Vendor that delivered it.")
    id: Name = Field(description="The vendor's own id, or the hash of the address.")
    published_at: datetime = Field(description="When it was published.")
    title: Name = Field(description="Headline.")
    summary: str = Field(default="", description="First lines, as far as the vendor gives them.")
    url: str = Field(default="", description="Where to read it.")
    publisher: str = Field(default="", description="Who wrote it.")
    symbols: list[str] = Field(default_factory=list, description="Instruments it is about, in the universe's spelling.")


class Sentiment(Row):
    """Scores of how news or crowds speak about an instrument."""

    table: ClassVar[str] = "events.sentiment"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "measure", "scored_at", "about")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "scored_at"
    recorded_by: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="Symbol in the universe's spelling.")
    source: Name = Field(description="Vendor that scored it.")
    measure: Name = Field(description="Which score, such as news_sentiment.")
    scored_at: datetime = Field(description="Moment the score is about.")
    score: Finite = Field(ge=-1, le=1, description="From -1, all bad, to 1, all good.")
    relevance: Finite | None = Field(default=None, ge=0, le=1, description="How much it is about this instrument.")
    about: str = Field(default="", description="Id of the news it scores; empty for a score of the whole day.")
