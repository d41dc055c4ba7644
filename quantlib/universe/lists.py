"""A list of the universe: who is on it, and who was on which day, as far as anybody wrote it down."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quantlib.errors import DataError
from quantlib.types import DateLike, as_date


class Change(BaseModel):
    """Who joined and who left a list on a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Span(NamedTuple):
    """One stay on a list: from the first day on it to the first day off it, None while on it."""

    symbol: str
    start: date
    end: date | None


class UniverseList(BaseModel):
    """A named list of symbols, and on what day and ground it was drawn up.

    Parameters
    ----------
    name, title
        Key, and what a reader sees.
    drawn_up
        The day `symbols` were its members.
    basis
        On what ground.
    tags
        Given to every instrument that is or was on it.
    symbols
        Members on the day it was drawn up.
    since
        The day from which on every change is written down; None where only `symbols` is known.
    changes
        All changes after `since`, up to `drawn_up`, oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str = Field(min_length=1)
    drawn_up: date
    basis: str = Field(min_length=1)
    tags: tuple[str, ...] = ()
    symbols: tuple[str, ...] = Field(min_length=1)
    since: date | None = None
    changes: tuple[Change, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.changes and self.since is None:
            raise ValueError("changes need `since`, the day from which on all of them are written down")
        if self.since is not None and self.since > self.drawn_up:
            raise ValueError(f"since {self.since} is after drawn_up {self.drawn_up}")
        days = [self.since, *(change.day for change in self.changes)]
        for before, day in pairwise(days):
            if before is not None and day is not None and not before < day <= self.drawn_up:
                raise ValueError(f"the change on {day} must lie after {before} and not after {self.drawn_up}")
        members = set(self.symbols)
        for change in reversed(self.changes):
            if strange := set(change.joined) - members:
                raise ValueError(f"{min(strange)} joined on {change.day}, but is no member afterwards")
            if strange := set(change.left) & members:
                raise ValueError(f"{min(strange)} left on {change.day}, but is a member afterwards")
            members = members - set(change.joined) | set(change.left)
        return self

    @property
    def known_from(self) -> date:
        """The first day of which its members are known."""
        return self.since or self.drawn_up

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Every stay on the list as far as it is known, the latest to join first."""
        ends: dict[str, date | None] = dict.fromkeys(self.symbols)
        found = []
        for change in reversed(self.changes):
            found += [Span(symbol, change.day, ends.pop(symbol)) for symbol in change.joined]
            ends |= dict.fromkeys(change.left, change.day)
        return (*found, *(Span(symbol, self.known_from, end) for symbol, end in ends.items()))

    @property
    def everyone(self) -> tuple[str, ...]:
        """Its members, then those that left, each once."""
        return tuple(dict.fromkeys((*self.symbols, *(span.symbol for span in self.spans))))

    def members(self, on: DateLike) -> tuple[str, ...]:
        """Return who was on the list on a day, in its order; after it was drawn up, who was on it then.

        Raises
        ------
        DataError
            Nobody wrote down who was on it that early.
        """
        day = as_date(on, "on").date()
        if day < self.known_from:
            raise DataError(
                f"The list {self.name} is known from {self.known_from} on, not on {day}. Choose a later day, or "
                f"take its `symbols` and call the result selection-biased."
            )
        there = {span.symbol for span in self.spans if span.start <= day and (span.end is None or day < span.end)}
        return tuple(symbol for symbol in self.everyone if symbol in there)
