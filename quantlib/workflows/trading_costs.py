"""What trading costs where nobody said otherwise: the costs of each symbol's kind of instrument."""

from __future__ import annotations

from collections.abc import Iterable

from quantlib.charts.numbers import bps
from quantlib.costs import BPS, AnyCosts, Costs, default_costs
from quantlib.workflows.session import Session


def usual_costs(session: Session, symbols: Iterable[str]) -> dict[str, Costs]:
    """Return the default costs of each symbol by its kind; one that the universe does not know counts as a stock."""
    known = {one.symbol: one.kind for one in session.universe.instruments}
    return {symbol: default_costs(known.get(symbol, "stock")) for symbol in symbols}


def costs_in_words(costs: AnyCosts) -> str:
    """Return what trading and selling short cost, as a range where symbols differ.

    Examples
    --------
    >>> costs_in_words(Costs())
    '3.0 bps of every amount traded, 50.0 bps a year on shorts'
    """
    each = [costs] if isinstance(costs, Costs) else list(costs.values())
    sides = _range([one.per_side for one in each])
    shorts = _range([one.borrow_bps_per_year * BPS for one in each])
    return f"{sides} of every amount traded, {shorts} a year on shorts"


def costs_by_field(costs: AnyCosts) -> dict[str, str]:
    """Return each part of the costs as text, as a range where symbols differ: what runs are told apart by.

    Examples
    --------
    >>> costs_by_field({"KO": Costs(), "BTC": Costs(half_spread_bps=3.0)})["half_spread_bps"]
    '2.0 to 3.0'
    """
    each = [costs] if isinstance(costs, Costs) else list(costs.values())
    return {name: _ends([getattr(one, name) for one in each]) for name in Costs.model_fields}


def _ends(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _range(values: list[float]) -> str:
    low, high = min(values), max(values)
    return bps(low) if low == high else f"{bps(low)} to {bps(high)}"
