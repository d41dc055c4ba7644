"""Rows about instruments and their prices."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import Field

from quantlib.models.base import Finite, Name, Positive, Row, Stamp


class Bar(Row):
    """Daily bars as last delivered, one series per source; NULL where a value is unknown."""

    table: ClassVar[str] = "market_data.bars"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts")
    known: ClassVar[str] = "ts"
    recorded_by: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="Symbol in the universe's spelling.")
    source: Name = Field(description="Vendor, a key of SOURCES.")
    ts: date = Field(description="Session date in the exchange's own zone; the UTC day for crypto.")
    open: Positive | None = Field(default=None, description="First price, on the scale of the source.")
    high: Positive | None = Field(default=None, description="Highest price.")
    low: Positive | None = Field(default=None, description="Lowest price.")
    close: Positive = Field(description="Last price.")
    volume: Finite | None = Field(default=None, ge=0, description="Units traded.")
    adj_close: Positive | None = Field(
        default=None, description="Close adjusted by the vendor; NULL where the store adjusts by actions on read."
    )
    recorded_at: Stamp = Field(default=None, description="When this version was written.")


class BarRevision(Row):
    """Versions of bars that a later delivery has replaced."""

    table: ClassVar[str] = "market_data.bar_revisions"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts", "replaced_at")

    symbol: Name = Field(description="As in bars.")
    source: Name = Field(description="As in bars.")
    ts: date = Field(description="As in bars.")
    open: float | None = Field(default=None, description="As it was.")
    high: float | None = Field(default=None, description="As it was.")
    low: float | None = Field(default=None, description="As it was.")
    close: float = Field(description="As it was.")
    volume: float | None = Field(default=None, description="As it was.")
    adj_close: float | None = Field(default=None, description="As it was.")
    recorded_at: datetime = Field(description="From this moment the version was what was known.")
    replaced_at: datetime = Field(description="Until this moment.")


class BarSeries(Row):
    """What there is of each series of bars; whoever writes bars keeps it."""

    table: ClassVar[str] = "market_data.bar_series"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="As in bars.")
    source: Name = Field(description="As in bars.")
    first: date = Field(description="First session.")
    last: date = Field(description="Last session.")
    bars: int = Field(ge=0, description="Number of bars.")
    first_recorded_at: datetime = Field(description="When its first version of a bar was written.")
    recorded_at: datetime = Field(description="When a bar was written last.")


class Action(Row):
    """Dividends and splits; prices are adjusted by them on read."""

    table: ClassVar[str] = "market_data.actions"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts", "kind")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "ts"
    recorded_by: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="Symbol in the universe's spelling.")
    source: Name = Field(description="Vendor that said so.")
    ts: date = Field(description="Ex-date: the first session without the dividend, or on the new share count.")
    kind: Literal["dividend", "split"] = Field(description="What happened.")
    value: Positive = Field(description="Dividend in currency per share on the source's scale; split as new per old.")


class Measure(Row):
    """Numbers about an instrument that are no price, such as its market capitalisation."""

    table: ClassVar[str] = "market_data.measures"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts", "measure")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "ts"
    recorded_by: ClassVar[tuple[str, ...]] = ("symbol", "source")

    symbol: Name = Field(description="Symbol in the universe's spelling.")
    source: Name = Field(description="Vendor that said so.")
    ts: date = Field(description="Day it describes.")
    measure: Name = Field(description="What is measured, such as market_cap.")
    value: Finite = Field(description="The number.")
    unit: str = Field(default="", description="Unit, such as USD.")


class Membership(Row):
    """Who was on a universe list from when to when, as far as anybody wrote it down."""

    table: ClassVar[str] = "market_data.membership"
    key: ClassVar[tuple[str, ...]] = ("list", "symbol", "member_from")
    versioned: ClassVar[bool] = True
    known: ClassVar[str] = "member_from"
    recorded_by: ClassVar[tuple[str, ...]] = ("list",)
    ends: ClassVar[tuple[str, ...]] = ("member_to",)

    list: Name = Field(description="Name of the list.")
    symbol: Name = Field(description="Member.")
    member_from: date = Field(description="First day on the list; the day it was drawn up where no earlier is known.")
    member_to: date | None = Field(default=None, description="First day off the list; NULL while on it.")
    basis: Literal["history", "drawn_up"] = Field(
        description="history: dates from a record of changes; drawn_up: only known as a list of that day."
    )


class SourceRow(Row):
    """Vendors as the code describes them, so that SQL can choose and adjust as the code does."""

    table: ClassVar[str] = "market_data.sources"
    key: ClassVar[tuple[str, ...]] = ("source",)

    source: Name = Field(description="Key in SOURCES.")
    title: str = Field(description="Name for people.")
    priority: int = Field(description="Of sources that are as fresh as each other, the lowest number is canonical.")
    price_scale: Literal["raw", "split_adjusted", "adjusted"] = Field(
        description="What the prices already contain: nothing, splits, or splits and dividends."
    )
    has_actions: bool = Field(description="Whether it delivers dividends and splits to adjust by.")


class BarGrade(Row):
    """Doubts about bars, or about days without one; what has no row is ok."""

    table: ClassVar[str] = "market_data.bar_grades"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts", "check_name")

    symbol: Name = Field(description="As in bars.")
    source: Name = Field(description="As in bars.")
    ts: date = Field(description="Session date; there may be no bar, which is what is wrong then.")
    check_name: Name = Field(description="The check that found it.")
    grade: Literal["late", "filled", "repaired", "disagree", "suspect"] = Field(description="How bad it is.")
    reason: str = Field(description="What was seen, with numbers.")
    found_at: Stamp = Field(default=None, description="When it was found first.")


class Repair(Row):
    """Proposed changes of bars, applied only when somebody asks."""

    table: ClassVar[str] = "market_data.repairs"
    key: ClassVar[tuple[str, ...]] = ("symbol", "source", "ts", "check_name")

    symbol: Name = Field(description="As in bars.")
    source: Name = Field(description="As in bars.")
    ts: date = Field(description="Session date.")
    check_name: Name = Field(description="The check that proposes it.")
    before: dict[str, float | None] = Field(description="Values as delivered, by column.")
    after: dict[str, float | None] = Field(description="Values proposed, by column.")
    reason: str = Field(description="Why.")
    status: Literal["proposed", "applied", "dismissed"] = Field(default="proposed", description="What was decided.")
    proposed_at: Stamp = Field(default=None, description="When it was proposed first.")
    decided_at: datetime | None = Field(default=None, description="When it was decided.")
    doubt: dict[str, str] | None = Field(
        default=None, description="While applied, the doubt it has lifted: grade, reason, found_at."
    )
