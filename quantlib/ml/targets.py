"""What a model is asked to foretell: the direction of the coming sessions."""

from __future__ import annotations

import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.features import long_table
from quantlib.types import Panel


def targets(panel: Panel, *, horizon: int = 5) -> pd.DataFrame:
    """Return the label table, one row a (ts, symbol): `forward_return`, `up` and `label_end`.

    `forward_return` is the simple return from the row's close to the one `horizon` of the symbol's own sessions
    later; `up` is 1.0 where it is above zero, else 0.0; `label_end` is the session at whose close both are known,
    which is what a purge goes by. Unknown, as at the end of the panel, is NaN or NaT.

    Raises
    ------
    DataError
        The horizon is below 1.
    """
    if horizon < 1:
        raise DataError(f"horizon is {horizon}; accepted: a whole number of sessions, 1 or more.")

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        forward = close.shift(-horizon) / close - 1.0
        dates = pd.Series(close.index, index=close.index).shift(-horizon)
        return {
            "forward_return": forward,
            "up": (forward > 0).astype(float).where(forward.notna()),
            "label_end": pd.DataFrame(dict.fromkeys(close.columns, dates)),
        }

    return long_table(panel, columns)
