"""When a group is in: a band around its mean, rules in the condition grammar, a ranking, or always."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from quantlib.conditions import Condition, ConditionError, parse
from quantlib.strategies.legs import Every, Kind

#: What a group's conditions may call its own numbers.
NAMES = ("spread", "z", "hedge_ratio")

cached_parse = lru_cache(maxsize=1024)(parse)


def canonical(text: str, gives: Literal["truth", "number"] = "truth") -> str:
    """Return a condition or number in its canonical form, so that what says the same is the same.

    Raises
    ------
    ValueError
        It cannot be read, or gives the other of the two.
    """
    try:
        return cached_parse(text, gives=gives).text
    except ConditionError as error:
        raise ValueError(f"cannot be read. {error}") from None


class Band(BaseModel):
    """In when the spread stands far from its mean, out when it is near.

    The spread is measured in standard deviations from its mean over `lookback` sessions (z), at today's ratios.

    Parameters
    ----------
    entry, exit
        Absolute z at which a trade starts, and at which it ends.
    lookback
        Sessions of the mean and the standard deviation.
    way
        "revert" buys the spread below its mean; "follow" buys it above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["band"] = Field(default="band", title="Timing")
    entry: float = Field(default=2.0, gt=0, le=20, title="Entry z", description="Absolute z at which a trade starts.")
    exit: float = Field(default=0.5, ge=0, le=20, title="Exit z", description="Absolute z at which it ends.")
    lookback: int = Field(default=252, ge=5, le=5_000, title="Z look-back", description="Sessions.")
    way: Literal["revert", "follow"] = Field(default="revert", title="Way")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.exit >= self.entry:
            raise ValueError(
                f"exit ({self.exit:g}) must be below entry ({self.entry:g}), else a trade would end where it starts"
            )
        return self


class Rules(BaseModel):
    """In and out by conditions, judged at each close.

    A side without an exit of its own is held while its entry holds. An unknown condition changes nothing. An entry of
    the other side ends a trade; where both entries hold, nothing is entered. Conditions may use `spread`, `z` and
    `hedge_ratio`, the group's own numbers, and the fields of any symbol; an outright's own fields need no symbol.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rules"] = Field(default="rules", title="Timing")
    long: str | None = Field(default=None, title="Buy when")
    short: str | None = Field(default=None, title="Sell short when")
    exit_long: str | None = Field(default=None, title="Leave a long when")
    exit_short: str | None = Field(default=None, title="Leave a short when")

    @field_validator("long", "short", "exit_long", "exit_short")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        return None if text is None else canonical(text)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.long is None and self.short is None:
            raise ValueError("there is no entry; give a condition for long, for short, or for both")
        for side in ("long", "short"):
            if getattr(self, f"exit_{side}") is not None and getattr(self, side) is None:
                raise ValueError(f"exit_{side} is given without {side}; give its entry as well, or leave the exit out")
        return self

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions that are given, by field."""
        texts = {name: getattr(self, name) for name in ("long", "short", "exit_long", "exit_short")}
        return {name: cached_parse(text, gives="truth") for name, text in texts.items() if text is not None}


class Rank(BaseModel):
    """Each period, buy the highest and sell the lowest of the legs by some number.

    Decided at the close of a period's first session. Every place that is filled gets the same share of capital (or of
    risk); what is not filled stays in cash. Of equal legs the one named first ranks higher.

    Parameters
    ----------
    by
        Number that the legs are ranked by, highest first.
    top, bottom
        How many are bought, and sold short.
    filter
        Condition that a leg has to fulfil to be held; what does not is replaced by cash, not by the next.
    every
        Period.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rank"] = Field(default="rank", title="Timing")
    by: str = Field(default="close / lag(close, 126) - 1", title="Ranked by")
    top: int = Field(default=1, ge=0, le=500, title="How many to buy")
    bottom: int = Field(default=0, ge=0, le=500, title="How many to sell short")
    filter: str | None = Field(default=None, title="Only if")
    every: Every = Field(default="monthly", title="Chosen")

    @field_validator("by")
    @classmethod
    def _readable(cls, text: str) -> str:
        return canonical(text, "number")

    @field_validator("filter")
    @classmethod
    def _readable_filter(cls, text: str | None) -> str | None:
        return None if text is None else canonical(text)

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.top + self.bottom == 0:
            raise ValueError("top and bottom are both 0, so nothing would ever be held; give 1 or more for one of them")
        return self

    @property
    def conditions(self) -> dict[str, Condition]:
        """The ranking and the filter, by field."""
        found = {"by": cached_parse(self.by, gives="number")}
        return found if self.filter is None else {**found, "filter": cached_parse(self.filter, gives="truth")}


class Hold(BaseModel):
    """Always in, from the first session on which every ratio is known; weights are computed anew each period.

    Equal weights are the same decision, which the engine orders once: they drift until a weight differs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hold"] = Field(default="hold", title="Timing")
    every: Every = Field(default="monthly", title="Weights anew")


Timing = Annotated[Band | Rules | Rank | Hold, Field(discriminator="kind")]

_TIMED = ("band", "rules")
TIMINGS: dict[Kind, tuple[str, ...]] = {
    "outright": (*_TIMED, "hold"),
    "pair": _TIMED,
    "fly": _TIMED,
    "switch": _TIMED,
    "basket": (*_TIMED, "hold"),
    "rotation": ("rank",),
}
