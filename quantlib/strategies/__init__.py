"""Strategies: a panel in, target weights out. A new family is one file and one line in `STRATEGIES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from quantlib.errors import StrategyError, nearest
from quantlib.strategies.base import Explanation, Strategy
from quantlib.strategies.ma_cross import MACross
from quantlib.strategies.pair import Pair
from quantlib.strategies.rotation import Rotation

STRATEGIES: dict[str, type[Strategy]] = {
    "ma_cross": MACross,
    "pair": Pair,
    "rotation": Rotation,
}

#: Ready definitions by name, over symbols that the sample source and the universe both hold.
READY: dict[str, Strategy] = {
    "Large-cap trend": MACross(
        universe=("AAPL", "CVX", "HD", "JNJ", "JPM", "KO", "MRK", "MSFT", "PG", "UNH", "WMT", "XOM"),
        fast=50,
        slow=200,
    ),
    "Coke against Pepsi": Pair(y="KO", x="PEP"),
    "Factor ETF switch": Rotation(),
}


def build(family: str, params: Mapping[str, Any]) -> Strategy:
    """Return a strategy from its family's name and parameters.

    Raises
    ------
    StrategyError
        There is no such family, or a parameter is unknown or out of range; the message names the place.
    """
    if family not in STRATEGIES:
        raise StrategyError(f"There is no strategy family {family!r}. {nearest(family, STRATEGIES)}")
    try:
        return STRATEGIES[family](**params)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            what = f"is not a parameter. {nearest(place, STRATEGIES[family].model_fields)}"
        if first["type"] == "too_short":
            what = f"needs at least {first['ctx']['min_length']}; choose more"
        message = f"{STRATEGIES[family].title}: {place} {what}".replace(":  ", ": ")
        raise StrategyError(message if not place else f"{message} (got {first['input']!r})") from None


__all__ = ["READY", "STRATEGIES", "Explanation", "MACross", "Pair", "Rotation", "Strategy", "build"]
