"""What a scenario is: which factors and assets move how far, over how many sessions, along which path."""

from __future__ import annotations

import math
from datetime import date
from typing import Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from quantlib.errors import nearest
from quantlib.scenarios.factors import FACTORS, Unit, log_move
from quantlib.types import FloatArray

Shape = Literal["gap", "linear", "front_loaded", "crash_then_recover"]
SHAPES: tuple[str, ...] = get_args(Shape)
LONGEST = 2520
"""Sessions, ten years."""
LIMITS: dict[Unit, tuple[float, float]] = {"change": (-1.0, 10.0), "bps": (-2000.0, 2000.0), "times": (0.0, 20.0)}
"""Smallest and largest size of a shock; a price does not fall by all, nor a level to nothing."""
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def in_range(unit: Unit, value: float) -> bool:
    """Return whether a shock may have this size."""
    low, high = LIMITS[unit]
    return (low <= value if unit == "bps" else low < value) and value <= high


class Shock(BaseModel):
    """How far one factor or one asset moves: a return, basis points, or a multiple.

    Parameters
    ----------
    factor, asset
        The one of the two that moves: a name of `FACTORS`, or a symbol.
    change
        Simple return, such as -0.2 for -20 %; for all prices.
    bps
        Basis points of yield, such as 200; for rates.
    times
        Multiple of the level, such as 3; for implied volatility.
    """

    model_config = _STRICT

    factor: str | None = Field(None, title="Factor", description="A factor by its name, such as equities.")
    asset: str | None = Field(None, min_length=1, title="Asset", description="Or one symbol.")
    change: float | None = Field(
        None, title="Return", description="Simple return: -0.2 is -20 %. Above -1, at most 10. For prices."
    )
    bps: float | None = Field(None, title="Basis points", description="Of yield, -2,000 to 2,000. For rates.")
    times: float | None = Field(
        None, title="Multiple", description="Of the level, above 0, at most 20. For the factor volatility."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.factor is None) == (self.asset is None):
            raise ValueError("a shock names either a factor or an asset, exactly one of the two")
        if self.factor is not None and self.factor not in FACTORS:
            raise ValueError(f"there is no factor {self.factor!r}. {nearest(self.factor, FACTORS, limit=len(FACTORS))}")
        given = {name: value for name in get_args(Unit) if (value := getattr(self, name)) is not None}
        unit: Unit = FACTORS[self.factor].unit if self.factor else "change"
        if list(given) != [unit]:
            came = " and ".join(given) or "none"
            raise ValueError(f"the shock of {self.name} is written as `{unit}: …`; got {came}")
        value = given[unit]
        if unit == "change" and not in_range(unit, value):
            hint = f" Write {value:g} % as {value / 100:g}." if value < -1.0 else ""
            raise ValueError(
                f"the change of {self.name} is {value:g}, {value:+.0%}; accepted: above -1 (-100 %), at most 10.{hint}"
            )
        if unit == "bps" and not in_range(unit, value):
            raise ValueError(f"the change of {self.name} is {value:g} bps; accepted: -2,000 to 2,000")
        if unit == "times" and not in_range(unit, value):
            raise ValueError(f"the multiple of {self.name} is {value:g}; accepted: above 0, at most 20")
        return self

    @property
    def name(self) -> str:
        """What moves."""
        return str(self.factor or self.asset)

    @property
    def move(self) -> float:
        """The log move; for rates the yield's change as a fraction."""
        unit: Unit = FACTORS[self.factor].unit if self.factor else "change"
        return log_move(unit, getattr(self, unit))


class Law(BaseModel):
    """How the law of the moves differs from history's, beside any shock.

    Parameters
    ----------
    volatility
        Multiple of every volatility: 2 doubles them.
    correlation
        Correlation of every pair; `one` (or 1) is all together. None leaves history's.
    liquidity
        Share of the traded amount that is left: 0.5 halves it, and spreads double.
    """

    model_config = _STRICT

    volatility: float = Field(1.0, gt=0.0, le=20.0, title="Volatility", description="Multiple of every volatility.")
    correlation: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        title="Correlation",
        description="Of every pair: one, or a number from -1 to 1.",
        json_schema_extra={"empty": "history's"},
    )
    liquidity: float = Field(
        1.0, gt=0.0, le=10.0, title="Liquidity", description="Share of the traded amount that is left; 0.5 halves it."
    )

    @field_validator("correlation", mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        return 1.0 if value == "one" else value

    @property
    def changed(self) -> bool:
        """Whether anything differs from history."""
        return self != Law()


class Window(BaseModel):
    """Closes between which the facts of a historical scenario are measured."""

    model_config = _STRICT

    start: date = Field(description="The last session before: moves are counted from its close.")
    end: date = Field(description="The session at whose close they are measured.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"the window ends on {self.end}, not after its start {self.start}")
        return self


class Scenario(BaseModel):
    """A scenario: shocks by the close of its last session, and the way there.

    Parameters are the fields; `docs/scenarios.md` says how to write one.
    """

    model_config = _STRICT

    schema_version: Literal[1] = Field(description="1, the form described here.")
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="Lower case with hyphens; its own.")
    title: str = Field(min_length=3, max_length=60, title="Title", description="A few words.")
    kind: Literal["historical", "hypothetical"] = Field(title="Kind", description="historical or hypothetical.")
    story: str = Field(min_length=20, title="Story", description="What happened, or why it might; in own words.")
    source: str = Field(min_length=3, title="Source", description="Where the numbers are from, in words.")
    window: Window | None = Field(None, description="start and end; for historical ones.", validate_default=True)
    sessions: int = Field(ge=1, le=LONGEST, title="Sessions", description=f"How many it lasts, 1 to {LONGEST:,}.")
    path: Shape | tuple[float, ...] = Field(
        "linear",
        title="Path",
        description="gap, linear, front_loaded or crash_then_recover; or, session by session, the share of the "
        "whole log move that has come by its close, the last one 1.",
    )
    recovers: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        title="Made good",
        description="Share of the crash that is made good by the end; for crash_then_recover.",
        validate_default=True,
    )
    shocks: tuple[Shock, ...] = Field((), description="What moves how far. What is not named follows by history.")
    law: Law = Field(
        Law(), description="Volatility, correlation and liquidity, where they change.", validate_default=True
    )

    @field_validator("path", mode="before")
    @classmethod
    def _known_path(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in SHAPES:
            raise ValueError(f"there is no path {value!r}. {nearest(value, SHAPES)}")
        given = value if isinstance(value, list | tuple) else (value,)
        if not isinstance(value, str) and (strange := [one for one in given if not isinstance(one, int | float)]):
            raise ValueError(f"a path is one of {', '.join(SHAPES)}, or a list of shares; got {strange[0]!r}")
        return value

    # What two fields have to do with each other is told at the later one, so that a form can say it beside it.

    @field_validator("window")
    @classmethod
    def _window_of_its_kind(cls, window: Window | None, info: ValidationInfo) -> Window | None:
        kind = info.data.get("kind")
        if kind is not None and (kind == "historical") != (window is not None):
            raise ValueError(f"a {kind} scenario has {'a' if window is None else 'no'} window")
        return window

    @field_validator("path")
    @classmethod
    def _as_long_as_it_lasts(cls, path: Shape | tuple[float, ...], info: ValidationInfo) -> Shape | tuple[float, ...]:
        sessions = info.data.get("sessions")
        if path == "crash_then_recover" and sessions == 1:
            raise ValueError("a crash and a recovery take 2 sessions or more")
        if not isinstance(path, str):
            if sessions is not None and len(path) != sessions:
                raise ValueError(f"the path has {len(path)} sessions, the scenario {sessions}")
            if not path:
                raise ValueError("the path has no session; give the share of each, the last one 1")
            if path[-1] != 1.0:
                raise ValueError(f"the path ends at {path[-1]:g}; by the last session the whole move has come: 1")
        return path

    @field_validator("recovers")
    @classmethod
    def _of_a_crash(cls, recovers: float | None, info: ValidationInfo) -> float | None:
        if "path" in info.data and (info.data["path"] == "crash_then_recover") != (recovers is not None):
            raise ValueError("`recovers` belongs to the path crash_then_recover, which needs it")
        return recovers

    @field_validator("shocks")
    @classmethod
    def _each_once(cls, shocks: tuple[Shock, ...]) -> tuple[Shock, ...]:
        names = [shock.name for shock in shocks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is shocked {names.count(name)} times. Keep one")
        return shocks

    @field_validator("law")
    @classmethod
    def _something_happens(cls, law: Law, info: ValidationInfo) -> Law:
        if info.data.get("shocks") == () and not law.changed:
            raise ValueError("nothing happens: give shocks or a law")
        return law

    @property
    def trough(self) -> int:
        """Session by whose close the whole move has come: the table of shocks holds as of then."""
        if self.path == "gap":
            return 1
        return math.ceil(self.sessions / 3) if self.path == "crash_then_recover" else self.sessions

    def shares(self) -> FloatArray:
        """Return which share of the whole log move has come by each close [sessions].

        `gap` has all of it in the first session; `linear` equal steps; `front_loaded` steps that shrink to nothing,
        1 - (1 - t / T) ** 2; `crash_then_recover` falls in equal steps for a third of the time and makes a share
        good, in log terms, in equal steps.
        """
        done = np.arange(1, self.sessions + 1)
        if not isinstance(self.path, str):
            return np.array(self.path)
        if self.path == "gap":
            return np.ones(self.sessions)
        if self.path == "front_loaded":
            return 1.0 - (1.0 - done / self.sessions) ** 2
        end = 1.0 - (self.recovers or 0.0)
        return np.interp(done, (0, self.trough, self.sessions), (0.0, 1.0, end if self.recovers else 1.0))

    def pinned(self) -> tuple[int, ...]:
        """Return the sessions at whose close what is named stands exactly where the path says, noise or not."""
        if not isinstance(self.path, str):
            return tuple(range(1, self.sessions + 1))
        return tuple(sorted({self.trough, self.sessions}))
