"""The card of an indicator: which variant it is, what it needs and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd


@dataclass(frozen=True)
class Indicator:
    """An indicator as `compute`, the charts and the forms see it.

    Parameters
    ----------
    name
        Its name in code and in stored definitions.
    title
        Its name for people.
    function
        Takes the input frames in order, then the parameters by name; returns one frame or several by line.
    inputs
        Fields of the panel it is made from.
    params
        Parameters and their defaults; None stands for the panel's own value of that name.
    warmup
        Takes the parameters; returns the bars needed up to and including the first value, so that the
        first known row is row `warmup - 1` of a history without gaps whose price moves.
    overlay
        Whether it is drawn over the price (its lines are prices) or in a pane of its own.
    unit
        "price": units of price; "index": 0 to 100; "deviations": standard deviations; "percent": a fraction
        shown as percent.
    variant
        Which of the field's variants this is, and how its start and its unknown values are treated.
    reference
        Where it is defined.
    causal
        Whether the value at a bar depends on that bar and earlier ones only.
    """

    name: str
    title: str
    function: Callable[..., pd.DataFrame | dict[str, pd.DataFrame]]
    inputs: tuple[str, ...]
    params: Mapping[str, Any]
    warmup: Callable[..., int]
    overlay: bool
    unit: Literal["price", "index", "deviations", "percent"]
    variant: str
    reference: str
    causal: bool = True
