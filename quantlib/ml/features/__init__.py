"""Features a model may learn from, in groups, each made from the past alone."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.ml.features.calendar import CALENDAR
from quantlib.ml.features.cross_section import CROSS_SECTION
from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.features.macro import MACRO
from quantlib.ml.features.own import OWN
from quantlib.ml.features.readings import READINGS
from quantlib.ml.features.worlds import WORLD_STATISTICS
from quantlib.ml.looking_ahead import refuse_looking_ahead
from quantlib.ml.table import rows_of
from quantlib.types import Panel

FEATURES: dict[str, FeatureGroup] = {
    "own": OWN,
    "indicators": READINGS,
    "cross_section": CROSS_SECTION,
    "calendar": CALENDAR,
    "macro": MACRO,
    "worlds": WORLD_STATISTICS,
}

#: What a model learns from unless told otherwise: closes are enough.
USUAL = ("own", "calendar")

__all__ = ["FEATURES", "USUAL", "FeatureGroup", "build_features", "groups_of"]


def build_features(
    panel: Panel, groups: Iterable[str | FeatureGroup] = USUAL, *, checked: bool = False
) -> pd.DataFrame:
    """Return the feature table, one row a (ts, symbol) and one column a feature, NaN where unknown.

    Every value is known at the close of its row. The groups of `FEATURES` are held to that by a test; a group of
    your own is held to it here, by cutting the future away and looking whether anything changes.

    Parameters
    ----------
    panel
        Closes are enough for all groups but `macro`, which takes `panel.extra`.
    groups
        Keys of `FEATURES`, or groups of your own.
    checked
        Your own groups were held to looking back before, as on the history whose worlds these are.

    Raises
    ------
    DataError
        A group is unknown, none is given, two give the same column, or one looks ahead.

    Examples
    --------
    >>> build_features(panel, ["own", "cross_section"]).xs("KO", level="symbol")["rsi_14"].plot()  # doctest: +SKIP
    """
    tables = []
    for group in groups_of(groups):
        if not checked and group not in FEATURES.values():
            refuse_looking_ahead(group.name, group.build, panel)
        tables.append(group.build(panel))
    table = pd.concat(tables, axis=1)
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(f"Two feature groups give the column {twice!r}. Leave one of them out or rename it.")
    return table.reindex(rows_of(panel))


def groups_of(groups: Iterable[str | FeatureGroup]) -> tuple[FeatureGroup, ...]:
    """Return the groups of these names, in order, those already built as they are."""
    found = []
    for group in [groups] if isinstance(groups, str) else groups:
        if isinstance(group, str) and group not in FEATURES:
            raise DataError(f"There is no feature group {group!r}. {nearest(group, FEATURES)}")
        found.append(FEATURES[group] if isinstance(group, str) else group)
    if not found:
        raise DataError(f"No feature group is given. {nearest('', FEATURES)}")
    return tuple(found)
