"""What trading costs: commission, half the spread, impact, and the fee for borrowing what is sold short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from quantlib.errors import DataError, nearest

BPS = 1e-4
"""One basis point as a fraction."""

#: What each may be at most, and its unit.
_LIMITS = {
    "commission_bps": (1_000.0, "basis points"),
    "half_spread_bps": (1_000.0, "basis points"),
    "borrow_bps_per_year": (100_000.0, "basis points"),
    "impact_bps": (10_000.0, "basis points"),
    "assumed_participation": (1.0, "of the average daily traded amount"),
}


def _limited(field: str) -> Any:
    return Field(ge=0.0, le=_LIMITS[field][0], allow_inf_nan=False)


class Costs(BaseModel):
    """Trading costs in basis points (1 bp = 0.0001), above zero by default on purpose.

    A backtest without costs flatters whatever trades most, so leaving them out takes a decision:
    `Costs.free()`. The defaults suit a small account in liquid US stocks; `default_costs` has them for other kinds
    of instruments. What is not in here: taxes.

    A fill of a notional costs notional x (commission + half spread + impact x sqrt(participation)), participation
    being the notional over the symbol's average daily traded amount. The square root is what meta-orders of all
    sizes and markets have been found to cost (Almgren et al. 2005, "Direct estimation of equity market impact";
    Toth et al. 2011, "Anomalous price impact").

    Parameters
    ----------
    commission_bps
        Fee of the broker and the exchange for each side, on the traded notional; 0 to 1,000.
    half_spread_bps
        Distance from mid to the price one gets, for each side, on the traded notional; 0 to 1,000.
    borrow_bps_per_year
        Fee on the market value held short. It accrues each session:
        short value x `borrow_bps_per_year` / 10,000 / sessions a year. 0 to 100,000.
    impact_bps
        What an order of the whole average daily traded amount costs on top, for each side: about one daily
        standard deviation of the price. 0 to 10,000.
    assumed_participation
        An order's share of the daily traded amount where that is unknown; 0 to 1.

    Raises
    ------
    DataError
        A value is negative, too large or not a number, or a name is not one of these.

    Examples
    --------
    >>> Costs(commission_bps=0.5, half_spread_bps=1.5).per_side
    0.0002
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commission_bps: Annotated[float, _limited("commission_bps")] = 1.0
    half_spread_bps: Annotated[float, _limited("half_spread_bps")] = 2.0
    borrow_bps_per_year: Annotated[float, _limited("borrow_bps_per_year")] = 50.0
    impact_bps: Annotated[float, _limited("impact_bps")] = 100.0
    assumed_participation: Annotated[float, _limited("assumed_participation")] = 1e-4

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
                most, unit = _LIMITS[name]
                raise DataError(f"Costs: {name} is {first['input']!r}; accepted: 0 to {most:,.0f} {unit}.") from None
            raise DataError(f"Costs cannot be read from {first['input']!r}: {first['msg']}.") from None

    @classmethod
    def free(cls) -> Self:
        """Return costs of zero: for checks against closed forms, not for judging a strategy."""
        return cls(commission_bps=0.0, half_spread_bps=0.0, borrow_bps_per_year=0.0, impact_bps=0.0)

    @property
    def per_side(self) -> float:
        """Cost of buying or of selling without impact, as a fraction of the notional; a round trip pays it twice."""
        return (self.commission_bps + self.half_spread_bps) * BPS

    @property
    def usual_side(self) -> float:
        """Cost of buying or of selling an order of the assumed size, impact included, as a fraction of the notional."""
        return self.per_side + self.impact_bps * BPS * float(self.assumed_participation**0.5)

    def times(self, factor: float) -> Self:
        """Return costs that are all this many times higher, for every order alike."""
        prices = {name: value for name, value in self.model_dump().items() if name != "assumed_participation"}
        return self.model_copy(update={name: factor * value for name, value in prices.items()})


#: Costs of all symbols alike, or by symbol.
AnyCosts = Costs | Mapping[str, Costs]

#: By `Instrument.kind`: what a small account pays at a broker. An index stands for a fund on it.
_BY_KIND = {
    "stock": Costs(),
    "etf": Costs(commission_bps=1.0, half_spread_bps=1.0, borrow_bps_per_year=40.0, impact_bps=80.0),
    "fund": Costs(commission_bps=1.0, half_spread_bps=5.0, borrow_bps_per_year=100.0, impact_bps=80.0),
    "index": Costs(commission_bps=1.0, half_spread_bps=1.0, borrow_bps_per_year=40.0, impact_bps=80.0),
    "crypto": Costs(commission_bps=10.0, half_spread_bps=3.0, borrow_bps_per_year=1_000.0, impact_bps=300.0),
    "fx": Costs(commission_bps=0.2, half_spread_bps=0.5, borrow_bps_per_year=100.0, impact_bps=50.0),
    "future": Costs(commission_bps=0.3, half_spread_bps=0.5, borrow_bps_per_year=1.0, impact_bps=80.0),
}


def default_costs(kind: str) -> Costs:
    """Return the costs of trading a kind of instrument, all above zero; own assumptions, on the careful side.

    Raises
    ------
    DataError
        There is no such kind.

    Examples
    --------
    >>> default_costs("crypto").commission_bps
    10.0
    """
    if kind not in _BY_KIND:
        raise DataError(f"There are no costs of {kind!r}. {nearest(kind, _BY_KIND)}")
    return _BY_KIND[kind]


def costs_of(symbol: str, costs: AnyCosts) -> Costs:
    """Return the costs of a symbol from those of all or from those by symbol.

    Raises
    ------
    DataError
        The symbol has none.
    """
    if isinstance(costs, Costs):
        return costs
    if symbol not in costs:
        raise DataError(f"There are no costs of {symbol}. {nearest(symbol, costs)} Or give one `Costs` for all.")
    return costs[symbol]


def costs_times(costs: AnyCosts, factor: float) -> AnyCosts:
    """Return costs, of all symbols or by symbol, that are this many times higher."""
    if isinstance(costs, Costs):
        return costs.times(factor)
    return {symbol: own.times(factor) for symbol, own in costs.items()}


def costs_record(costs: AnyCosts) -> dict[str, Any]:
    """Return costs as plain numbers, by symbol where each has its own: what a run's id and its record keep."""
    if isinstance(costs, Costs):
        return costs.model_dump()
    return {symbol: own.model_dump() for symbol, own in sorted(costs.items())}
