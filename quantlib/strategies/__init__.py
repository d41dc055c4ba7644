"""Strategies: a panel in, target weights out. A new family is one file and one line in `STRATEGIES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from quantlib.errors import StrategyError, nearest
from quantlib.strategies.base import Explanation, Strategy
from quantlib.strategies.group import Group
from quantlib.strategies.library import DAILY, LIBRARY, Definition
from quantlib.strategies.ma_cross import MACross
from quantlib.strategies.pair import Pair
from quantlib.strategies.refusal import refusal
from quantlib.strategies.rotation import Rotation

STRATEGIES: dict[str, type[Strategy]] = {
    "group": Group,
    "ma_cross": MACross,
    "pair": Pair,
    "rotation": Rotation,
}

#: Ready definitions by name; what is told about them stands in `LIBRARY`.
READY: dict[str, Strategy] = {name: definition.strategy for name, definition in LIBRARY.items()}


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
        fault = refusal(STRATEGIES[family], error, params)
        raise StrategyError(f"{STRATEGIES[family].title}: {fault.sentence}") from None


__all__ = [
    "DAILY",
    "LIBRARY",
    "READY",
    "STRATEGIES",
    "Definition",
    "Explanation",
    "Group",
    "MACross",
    "Pair",
    "Rotation",
    "Strategy",
    "build",
]
