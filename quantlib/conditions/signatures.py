"""How every function and indicator is called: one form for both, looked up by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from quantlib.conditions.extras import EXTRAS
from quantlib.conditions.functions import FUNCTIONS
from quantlib.indicators import INDICATORS

MAX_WINDOW = 5000


@dataclass(frozen=True)
class Parameter:
    """A parameter: its default (None where there is none), whether it counts bars, and whether it may stay away."""

    default: float | None
    bars: bool = True
    least: int = 1
    optional: bool = False


@dataclass(frozen=True)
class Signature:
    """What a call takes and gives.

    `fields` are the subject's fields an indicator of whole bars reads, such as `atr(14)`; it takes no arguments and
    may be asked of another symbol, as `SPY.atr(14)`.
    """

    name: str
    takes: tuple[Literal["number", "truth", "either"], ...] = ("number",)
    gives: Literal["number", "truth", "same"] = "number"
    params: Mapping[str, Parameter] = field(default_factory=dict)
    repeats: bool = False
    keywords: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    written: str = ""

    def form(self, symbol: str | None = None) -> str:
        """Return how it is written, of another symbol where one is given."""
        if self.written:
            return self.written
        before = f"{symbol}." if symbol else ""
        params = [f"{p.default:g}" for p in self.params.values() if p.default is not None]
        if self.fields:
            return f"{before}{self.name}({', '.join(params)})"
        return f"{self.name}({', '.join([before + INDICATORS[self.name].inputs[0], *params])})"


def names() -> list[str]:
    """Return the names of all functions, indicators and kinds of extras."""
    return [*FUNCTIONS, *INDICATORS, *EXTRAS]


def signature_of(name: str) -> Signature:
    """Return how a function or indicator is called; raises KeyError where there is none of that name."""
    if function := FUNCTIONS.get(name):
        params = {key: Parameter(default, least=function.least) for key, default in function.params.items()}
        return Signature(
            name, function.takes, function.gives, params, function.repeats, function.keywords, written=function.form
        )
    card = INDICATORS[name]
    return Signature(
        name,
        takes=() if len(card.inputs) > 1 else ("number",),
        params={
            key: Parameter(value, bars=isinstance(value, int), optional=value is None)
            for key, value in card.params.items()
            if value is None or isinstance(value, int | float)
        },
        fields=card.inputs if len(card.inputs) > 1 else (),
    )


@lru_cache(maxsize=512)
def lines_of(name: str, params: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """Return the lines of an indicator that has several, else (); refuses parameters that are out of bounds.

    Asks the function itself, on a frame without rows, so that its bounds are written down in one place only.

    Raises
    ------
    DataError
        A parameter is out of the indicator's bounds.
    """
    if name not in INDICATORS:
        return ()
    card = INDICATORS[name]
    empty = pd.DataFrame(np.empty((0, 1)), index=pd.DatetimeIndex([]))
    result = card.function(*(empty for _ in card.inputs), **dict(params))
    return tuple(result) if isinstance(result, dict) else ()
