"""What the panel carries besides prices: macro data as released, scores, positions."""

from __future__ import annotations

import pandas as pd

from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import wide_table
from quantlib.types import Panel

CHANGE = 21


def macro(panel: Panel) -> pd.DataFrame:
    """Return each of the panel's extras and its change over 21 rows, one row a (ts, symbol).

    An extra is what was known at that session's close (`Panel.extra`), so a figure stands there from its release on,
    not from the period it is about. No extras give a table without columns.
    """
    frames = {}
    for name in sorted(panel.extra):
        values = panel.frame(name)
        frames[name] = values
        frames[f"{name}_change_{CHANGE}"] = values - values.shift(CHANGE)
    return wide_table(panel, frames)


MACRO = FeatureGroup(
    "macro",
    "Macro and other inputs",
    "Every extra the panel carries, as known at that close, and its change over 21 sessions.",
    macro,
    {},
    CHANGE,
)
