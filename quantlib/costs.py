"""What trading costs: commission, half the spread, and the fee for borrowing what is sold short."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from quantlib.errors import DataError, nearest

BPS = 1e-4
"""One basis point as a fraction."""

_LIMITS = {"commission_bps": 1_000.0, "half_spread_bps": 1_000.0, "borrow_bps_per_year": 100_000.0}


def _bps(field: str) -> Any:
    return Field(ge=0.0, le=_LIMITS[field], allow_inf_nan=False)


class Costs(BaseModel):
    """Linear trading costs, all in basis points (1 bp = 0.0001) and above zero by default on purpose.

    A backtest without costs flatters whatever trades most, so leaving them out takes a decision:
    `Costs.free()`. The defaults suit a small account in liquid US stocks and ETFs; raise them for anything
    thinner. What is not in here: market impact, which grows with the size of an order, and taxes.

    Parameters
    ----------
    commission_bps
        Fee of the broker and the exchange for each side, on the traded notional; 0 to 1,000.
    half_spread_bps
        Distance from mid to the price one gets, for each side, on the traded notional; 0 to 1,000.
    borrow_bps_per_year
        Fee on the market value held short. It accrues each session:
        short value x `borrow_bps_per_year` / 10,000 / sessions a year. 0 to 100,000.

    Raises
    ------
    DataError
        A value is negative, too large or not a number, or a name is not one of the three.

    Examples
    --------
    >>> Costs(commission_bps=0.5, half_spread_bps=1.5).per_side
    0.0002
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commission_bps: Annotated[float, _bps("commission_bps")] = 1.0
    half_spread_bps: Annotated[float, _bps("half_spread_bps")] = 2.0
    borrow_bps_per_year: Annotated[float, _bps("borrow_bps_per_year")] = 50.0

    @model_validator(mode="wrap")
    @classmethod
    def _say_it_plainly(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                raise DataError(f"Costs have no {name!r}. {nearest(name, cls.model_fields)}") from None
            if name in _LIMITS:
                raise DataError(
                    f"Costs: {name} is {first['input']!r}; accepted: 0 to {_LIMITS[name]:,.0f} basis points."
                ) from None
            raise DataError(f"Costs cannot be read from {first['input']!r}: {first['msg']}.") from None

    @classmethod
    def free(cls) -> Self:
        """Return costs of zero: for checks against closed forms, not for judging a strategy."""
        return cls(commission_bps=0.0, half_spread_bps=0.0, borrow_bps_per_year=0.0)

    @property
    def per_side(self) -> float:
        """Cost of buying or of selling, as a fraction of the traded notional; a round trip pays it twice."""
        return (self.commission_bps + self.half_spread_bps) * BPS
