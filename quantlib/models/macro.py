"""Rows about economic series, and about what is computed here: series, and grades of simulators."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from quantlib.models.base import Finite, Name, Row, Stamp


class MacroSeries(Row):
    """What a macro series measures."""

    table: ClassVar[str] = "macro.series"
    key: ClassVar[tuple[str, ...]] = ("series",)

    series: Name = Field(description="Its key; FRED's where FRED has it.")
    title: str = Field(default="", description="Name for people.")
    unit: str = Field(default="", description="Unit of its values.")
    frequency: str = Field(default="", description="daily, weekly, monthly, quarterly or yearly.")
    source: str = Field(default="", description="Vendor.")
    updated_at: Stamp = Field(default=None, description="When the description last changed.")


class Observation(Row):
    """Every vintage of every value; rows are added, never changed."""

    table: ClassVar[str] = "macro.observations"
    key: ClassVar[tuple[str, ...]] = ("series", "source", "period", "released_at")
    known: ClassVar[str] = "released_at"
    recorded_by: ClassVar[tuple[str, ...]] = ("series", "source")

    series: Name = Field(description="Key of the series.")
    source: Name = Field(description="Vendor.")
    period: date = Field(description="First day of the period the value describes.")
    released_at: datetime = Field(description="From this moment the value was known.")
    release_basis: Literal["recorded", "estimated"] = Field(
        description="recorded: a known release time; estimated: the period plus the usual delay."
    )
    value: Finite = Field(description="The value.")
    recorded_at: Stamp = Field(default=None, description="When the row was written.")


class DerivedValue(Row):
    """Series computed here from stored data, with the code that made them."""

    table: ClassVar[str] = "derived.values"
    key: ClassVar[tuple[str, ...]] = ("name", "symbol", "ts", "code_version")

    name: Name = Field(description="Key in DERIVED.")
    symbol: Name = Field(description="Instrument it describes.")
    ts: date = Field(description="Session whose close it uses last.")
    value: Finite = Field(description="The value.")
    source: Name = Field(description="Source of the prices it was computed from.")
    code_version: Name = Field(description="Hash of the code that computed it.")
    computed_at: Stamp = Field(default=None, description="When it was computed.")


class SimulatorGrade(Row):
    """How real the worlds of a simulator are, judged by the prices it learned from."""

    table: ClassVar[str] = "derived.realism"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: Name = Field(description="Hash of the simulator, its parameters, the prices, the code and the card.")
    simulator: Name = Field(description="Key in SIMULATORS.")
    params: dict[str, Any] = Field(description="Its parameters.")
    snapshot_id: Name = Field(description="Content hash of the prices.")
    code_version: Name = Field(description="The code that judged it.")
    card: dict[str, Any] = Field(description="Seed and number of worlds of the realism card.")
    grade: Literal["A", "B", "C", "D", "E", "F", "unknown"] = Field(description="The card's grade.")
    why: str = Field(description="What is wrong with the worlds, or why they cannot be judged.")
    judged: str = Field(description="By how many worlds of which history; empty where not judged.")
    made_at: Stamp = Field(default=None, description="When it was judged.")
