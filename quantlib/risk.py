"""What bounds a strategy's losses and its size: stops, limits and how orders are filled, as definitions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quantlib.errors import StrategyError, nearest

Fraction = Annotated[float, Field(gt=0.0, le=10.0, allow_inf_nan=False)]


class _Plain(BaseModel):
    """A definition that says in plain words what is wrong with it.

    Raises
    ------
    StrategyError
        A value is out of range or contradicts another, or a name is not one of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise StrategyError(self._fault(error)) from None

    # As a part of another definition it is not made by the above: what is wrong is then told with its place in that.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # a function has no such attribute

    @classmethod
    def _fault(cls, error: ValidationError) -> str:
        faults = error.errors(include_url=False)
        first = faults[0]
        if not first["loc"]:
            return f"{cls.__name__}: {first['msg'].removeprefix('Value error, ')}."
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            return f"{cls.__name__} has no {name!r}. {nearest(name, cls.model_fields)}"
        # A union says one thing for each of its kinds.
        said = [fault["msg"].split(", unable")[0] for fault in faults if fault["loc"][0] == name]
        accepted = ", or ".join(dict.fromkeys(words.removeprefix("Input should be ") for words in said))
        return f"{cls.__name__}: {name} is {first['input']!r}; accepted: {accepted}."


class Stops(_Plain):
    """When a group's trade is given up or taken home; all its legs go at once.

    Fractions are of the group's gross notional at entry. None leaves a stop out. What each does to the cent is in
    `docs/backtest.md`.

    Parameters
    ----------
    loss
        Result at or below minus this.
    profit
        Result at or above this.
    trailing
        Result this far below its best since entry.
    time
        Sessions held.
    volatility
        Loss of this many daily standard deviations of the group.
    spread_z
        Spread this many standard deviations on the wrong side.
    watch
        Whether prices are looked at on the close only, or within the bar (groups of one leg).
    same_bar
        What counts if stop and target are touched in one bar.
    reentry
        "reset": after the decision has been flat or turned around; "next": at its next change; a number: after that
        many sessions.
    """

    loss: Fraction | None = Field(default=None, title="Stop loss", description="Share of the gross notional at entry.")
    profit: Fraction | None = Field(
        default=None, title="Take profit", description="Share of the gross notional at entry."
    )
    trailing: Fraction | None = Field(
        default=None, title="Trailing stop", description="Share of the gross notional at entry, from the best result."
    )
    time: int | None = Field(default=None, ge=1, le=10_000, title="Time stop", description="Sessions.")
    volatility: float | None = Field(
        default=None, gt=0, le=100, title="Volatility stop", description="Daily standard deviations of the group."
    )
    spread_z: float | None = Field(default=None, gt=0, le=50, title="Spread stop", description="Standard deviations.")
    watch: Literal["close", "intrabar"] = Field(default="close", title="Watched")
    same_bar: Literal["pessimistic", "optimistic"] = Field(default="pessimistic", title="Both in one bar")
    reentry: Literal["reset", "next"] | Annotated[int, Field(ge=1, le=10_000)] = Field(
        default="reset", title="Enter again"
    )

    @property
    def any(self) -> bool:
        """Whether there is any stop at all."""
        kinds = (self.loss, self.profit, self.trailing, self.time, self.volatility, self.spread_z)
        return any(kind is not None for kind in kinds)


class Limits(_Plain):
    """What one account may carry, and when it stands aside.

    Parameters
    ----------
    max_gross
        Sum of absolute weights.
    max_net
        Absolute sum of weights; None for no cap beyond the gross one.
    max_weight
        Absolute weight of one symbol over all groups; None for no cap.
    drawdown
        Loss from the peak at which everything is sold; None for no limit.
    cool_down
        Sessions to stand aside after that.
    maintenance
        Margin call where equity falls below this share of the gross value.
    """

    max_gross: Fraction = Field(default=2.0, title="Gross exposure", description="Of equity.")
    max_net: Fraction | None = Field(default=None, title="Net exposure", description="Of equity.")
    max_weight: Fraction | None = Field(default=None, title="One symbol", description="Of equity, over all groups.")
    drawdown: float | None = Field(default=None, gt=0, lt=1, title="Drawdown limit", description="From the peak.")
    cool_down: int = Field(default=21, ge=1, le=2_000, title="Stand aside for", description="Sessions.")
    maintenance: float = Field(default=0.25, ge=0, lt=1, title="Maintenance margin", description="Of gross value.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("max_net", "max_weight"):
            cap = getattr(self, name)
            if cap is not None and cap > self.max_gross:
                raise ValueError(
                    f"{name} ({cap:g}) is above max_gross ({self.max_gross:g}), so it could never bind; "
                    f"give {self.max_gross:g} or less"
                )
        if self.maintenance and self.max_gross * self.maintenance >= 1.0:
            raise ValueError(
                f"max_gross ({self.max_gross:g}) with maintenance {self.maintenance:g} is a margin call at once; "
                f"max_gross must be below {1.0 / self.maintenance:g}"
            )
        return self


class Execution(_Plain):
    """How orders become fills.

    Parameters
    ----------
    fill
        Price of the bar that orders fill at.
    limit_bps
        Entries and changes only at this much better than the last close, or better still; None for any price.
    whole_shares
        Whether shares come in whole numbers only.
    financing_bps_per_year
        Interest on cash below zero.
    cash_bps_per_year
        Interest on cash above zero.
    """

    fill: Literal["open", "close"] = Field(default="open", title="Filled at")
    limit_bps: float | None = Field(default=None, gt=-10_000, lt=10_000, title="Limit", description="Basis points.")
    whole_shares: bool = Field(default=False, title="Whole shares only")
    financing_bps_per_year: float = Field(default=600.0, ge=0, le=100_000, title="Financing (bps a year)")
    cash_bps_per_year: float = Field(default=0.0, ge=0, le=100_000, title="Interest on cash (bps a year)")
