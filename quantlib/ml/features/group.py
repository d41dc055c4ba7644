"""What a group of features is: some columns of one idea, made from a panel's past alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from quantlib.types import Panel


@dataclass(frozen=True)
class FeatureGroup:
    """A group of features as the builder, the forms and the model card see it.

    Parameters
    ----------
    name
        Its key in `FEATURES`.
    title
        Its name for people.
    description
        What it says, in a sentence.
    build
        Takes a panel; returns a table indexed (ts, symbol) of float columns, NaN where unknown. A row may use
        that session and earlier ones only: the table of `panel.until(t)` is the table of the panel up to t.
    columns
        Names and titles of its columns; empty where they depend on what the panel carries.
    warmup
        Sessions of a symbol before its first complete row.
    """

    name: str
    title: str
    description: str
    build: Callable[[Panel], pd.DataFrame]
    columns: Mapping[str, str]
    warmup: int
