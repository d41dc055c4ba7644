"""The return over the coming sessions, and its direction."""

from __future__ import annotations

import pandas as pd

from quantlib.ml.table import long_table
from quantlib.ml.targets.target import Target, ends, sessions_ahead
from quantlib.types import Panel


def forward_return(panel: Panel, *, horizon: int = 5) -> pd.DataFrame:
    """Return the simple return from each close to the one `horizon` of the symbol's own sessions later.

    Raises
    ------
    DataError
        The horizon is below 1.
    """
    ahead = sessions_ahead(horizon)

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        forward = close.shift(-ahead) / close - 1.0
        return {"label": forward, "label_end": ends(close, ahead), "forward_return": forward}

    return long_table(panel, columns)


def direction(panel: Panel, *, horizon: int = 5) -> pd.DataFrame:
    """Return 1.0 where the close `horizon` sessions later is higher, else 0.0; see `forward_return`."""
    table = forward_return(panel, horizon=horizon)
    rise = table["forward_return"]
    return table.assign(label=(rise > 0).astype(float).where(rise.notna()))


FORWARD_RETURN = Target(
    "forward_return",
    "Return",
    "The simple return over the coming sessions.",
    "regression",
    forward_return,
)
DIRECTION = Target(
    "direction",
    "Direction",
    "Whether the close is higher so many sessions later.",
    "classification",
    direction,
)
