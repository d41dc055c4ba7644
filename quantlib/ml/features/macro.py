"""What the panel carries besides prices: macro data as released, scores, positions."""

from __future__ import annotations

import re

import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import wide_table
from quantlib.types import Panel

CHANGE = 21


def macro(panel: Panel) -> pd.DataFrame:
    """Return each of the panel's extras and its change over 21 rows, one row a (ts, symbol).

    An extra is what was known at that session's close (`Panel.extra`), so a figure stands there from its release on,
    not from the period it is about. Its column is called as the extra is, with an underscore for all that is no letter
    or digit: "macro: CPIAUCSL" is `macro_CPIAUCSL`. No extras give a table without columns.

    Raises
    ------
    DataError
        Two extras give the same column.
    """
    frames: dict[str, pd.DataFrame] = {}
    for name in sorted(panel.extra):
        column, values = column_of(name), panel.frame(name)
        if column in frames:
            raise DataError(f"Two extras give the feature {column!r}, {name!r} being one. Leave one of them out.")
        frames[column] = values
        frames[f"{column}_change_{CHANGE}"] = values - values.shift(CHANGE)
    return wide_table(panel, frames)


def column_of(name: str) -> str:
    """Return what the feature of an extra is called: models take letters, digits and underscores, whatever they are."""
    return re.sub(r"\W+", "_", name).strip("_")


MACRO = FeatureGroup(
    "macro",
    "Macro and other inputs",
    "Every extra the panel carries, as known at that close, and its change over 21 sessions.",
    macro,
    {},
    CHANGE,
)
