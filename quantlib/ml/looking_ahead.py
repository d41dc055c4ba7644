"""Whether a table of features sees the future: cut it away and look whether the past changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.types import Panel

#: Ends at which the future is cut away; rows before each are compared, so a leak of any reach shows.
CUTS = 4
_ROWS = 70


def columns_that_look_ahead(
    build: Callable[[Panel], pd.DataFrame], panel: Panel, *, cuts: int = CUTS
) -> dict[str, pd.Timestamp]:
    """Return the columns whose values change when the panel ends there, with the first session seen to change.

    Parameters
    ----------
    build
        Takes a panel, returns a table indexed (ts, symbol).
    panel
        The data to try it on; the cuts lie in its second half, evenly, at no round distance from its end.
    cuts
        How many ends to try; at each the last 70 rows before it are compared.
    """
    whole = build(panel)
    ends = np.unique(np.linspace(len(panel) // 2, len(panel) - 2, cuts + 1).astype(int)[1:])
    found: dict[str, pd.Timestamp] = {}
    for end in ends[ends >= 0]:
        then = build(panel.until(panel.index[end]))
        here = panel.index[max(end + 1 - _ROWS, 0) : end + 1]
        for name in whole.columns.union(then.columns, sort=False):
            if name not in whole.columns or name not in then.columns:
                found.setdefault(str(name), here[-1])
                continue
            now, past = (table[name].loc[here[0] : here[-1]].to_numpy(dtype=np.float64) for table in (whole, then))
            same = np.isclose(past, now, rtol=1e-7, atol=1e-9, equal_nan=True).reshape(len(here), -1).all(axis=1)
            if not same.all():
                found.setdefault(str(name), here[int((~same).argmax())])
    return found


def refuse_looking_ahead(name: str, build: Callable[[Panel], pd.DataFrame], panel: Panel) -> None:
    """Raise a DataError naming the first column of a group that looks ahead."""
    if found := columns_that_look_ahead(build, panel):
        column, when = min(found.items(), key=lambda item: item[1])
        raise DataError(
            f"Feature {column!r} of group {name!r} looks ahead: its value on {when:%Y-%m-%d} changes when later "
            "sessions are cut away. Use each row's own session and earlier ones only, e.g. shift(1) rather than "
            "shift(-1)."
        )
