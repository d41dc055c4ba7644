"""What a group is made of: its legs, how they are set against each other, and how its size follows volatility."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Kind = Literal["outright", "pair", "fly", "switch", "basket", "rotation"]
Method = Literal["fixed", "dollar_neutral", "ols", "tls", "kalman", "beta", "volatility", "pca", "dv01"]
Every = Literal["daily", "weekly", "monthly", "quarterly"]
Rehedge = Literal["entry", "daily", "weekly", "monthly"]

KINDS: tuple[Kind, ...] = get_args(Kind)

#: How many legs each kind has: at least, and at most.
LEGS: dict[Kind, tuple[int, int]] = {
    "outright": (1, 1),
    "pair": (2, 2),
    "fly": (3, 3),
    "switch": (2, 2),
    "basket": (2, 500),
    "rotation": (2, 500),
}

#: The weights of legs that give none. A kind that is not here has 1 for each.
USUAL_WEIGHTS: dict[Kind, tuple[float, ...]] = {"pair": (1.0, -1.0), "fly": (1.0, -2.0, 1.0), "switch": (-1.0, 1.0)}

#: Kinds whose legs hedge each other: one without the others makes no sense.
LINKED: tuple[Kind, ...] = ("pair", "fly", "switch")

#: Methods that find the ratio in prices, so that the legs' weights give the signs alone.
FITTED: tuple[Method, ...] = ("ols", "tls", "kalman", "beta", "pca")

_HEDGED: tuple[Method, ...] = ("fixed", "dollar_neutral", "ols", "tls", "kalman", "beta", "volatility", "dv01")
METHODS: dict[Kind, tuple[Method, ...]] = {
    "outright": ("fixed",),
    "pair": _HEDGED,
    "fly": (*_HEDGED, "pca"),
    "switch": _HEDGED,
    "basket": ("fixed", "dollar_neutral", "volatility"),
    "rotation": ("fixed", "volatility"),
}


class Leg(BaseModel):
    """One symbol of a group.

    In a definition a leg may be written as its symbol alone.

    Parameters
    ----------
    symbol
        What is traded.
    weight
        Its part while the group is long: above zero bought, below zero sold. What it is a part of is said by the
        hedge: dollars, risk or DV01. Left out, it is that of the kind: 1 and -1 in a pair, -1 and 1 in a switch,
        1, -2 and 1 in a fly, else 1.
    duration
        Modified duration in years, for DV01 ratios: the value lost per 1 of value when yields rise by 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9.^=_-]+$", title="Symbol")
    weight: float = Field(default=1.0, ge=-1e6, le=1e6, allow_inf_nan=False, title="Weight")
    duration: float | None = Field(default=None, gt=0, le=100, title="Duration", description="Years.")

    @model_validator(mode="before")
    @classmethod
    def _from_symbol(cls, data: Any) -> Any:
        return {"symbol": data} if isinstance(data, str) else data

    @field_validator("weight")
    @classmethod
    def _not_zero(cls, weight: float) -> float:
        if weight == 0:
            raise ValueError("is zero, which is no leg; give a number above zero to buy it, below zero to sell it")
        return weight


class Hedge(BaseModel):
    """How the legs are set against each other: the method, what it looks back on, and when it is done anew.

    Ratios are of money, not of shares. `fixed` takes the weights as they are; `dollar_neutral` scales them until
    what is bought equals what is sold; `volatility` reads them as shares of risk, and divides them by each leg's
    volatility; `dv01` as shares of DV01, and divides them by each leg's duration. The others find the ratio in
    prices: `ols` and `tls` regress log prices, least squares on the errors of the first leg or on those of all;
    `kalman` filters the same regression with ratios that drift; `beta` regresses daily log returns; `pca` takes
    from their covariance the factor that the first two components leave (a fly's curvature).

    Parameters
    ----------
    method
        Which of these.
    lookback
        Sessions of the window; with `kalman`, sessions before the filter is believed.
    rehedge
        When the ratio of an open trade is renewed: at its entry only, or at the first session of each day, week or
        month as well.
    drift
        With `kalman`, the variance of a ratio's daily step over that of the noise in the log price.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field(default="ols", title="Hedge ratio")
    lookback: int = Field(default=252, ge=5, le=5_000, title="Hedge look-back", description="Sessions.")
    rehedge: Rehedge = Field(default="entry", title="Re-hedge")
    drift: float = Field(
        default=1e-4, ge=0, le=1, title="Drift of the ratio", description="Kalman only: variance per session."
    )


class VolatilityTarget(BaseModel):
    """A size that follows volatility: as much of the group as would have had this volatility of late.

    Parameters
    ----------
    annual
        Volatility aimed at, a year, of the group at its full capital share.
    lookback
        Sessions of daily returns that it is measured on, at today's ratios.
    cap
        Most that the group is scaled by. 1 makes it smaller in wild times, and never larger than its capital share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    annual: float = Field(default=0.10, gt=0, le=5, title="Volatility aimed at", description="Of equity, a year.")
    lookback: int = Field(default=63, ge=5, le=2_000, title="Measured over", description="Sessions.")
    cap: float = Field(default=1.0, gt=0, le=10, title="Scaled at most by", description="Times its capital share.")
