"""How much the price will move: volatility, and whether the coming sessions are turbulent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.ml.table import long_table
from quantlib.ml.targets.target import Target, ends, sessions_ahead
from quantlib.types import Panel

NOW, YEAR = 21, 252


def volatility(panel: Panel, *, horizon: int = 21) -> pd.DataFrame:
    """Return the log of the realised volatility of one session over the next `horizon`.

    Realised is the root mean square of simple returns; its log is near enough to normal to be averaged. `naive` is
    the log of the last 21 sessions'. A price that does not move has none of either.

    Raises
    ------
    DataError
        The horizon is below 2.
    """
    ahead = sessions_ahead(horizon, least=2)

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        coming = _log_realised(close, ahead).shift(-ahead)
        return {
            "label": coming,
            "label_end": ends(close, ahead).where(coming.notna()),
            "forward_return": close.shift(-ahead) / close - 1.0,
            "naive": _log_realised(close, NOW),
        }

    return long_table(panel, columns)


def regime(panel: Panel, *, horizon: int = 21) -> pd.DataFrame:
    """Return 1.0 where volatility over the next `horizon` sessions is above the usual of the year before, else 0.0.

    The usual is the median over the last 252 sessions of the volatility over 21, known at the row. `naive` is by how
    much, in logs, the last 21 sessions are above it.

    Raises
    ------
    DataError
        The horizon is below 2.
    """
    ahead = sessions_ahead(horizon, least=2)

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        now = _log_realised(close, NOW)
        usual = now.rolling(YEAR).median()
        above = _log_realised(close, ahead).shift(-ahead) - usual
        return {
            "label": (above > 0).astype(float).where(above.notna()),
            "label_end": ends(close, ahead).where(above.notna()),
            "forward_return": close.shift(-ahead) / close - 1.0,
            "naive": now - usual,
        }

    return long_table(panel, columns)


def _log_realised(close: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the log root mean square of the last n simple returns, NaN where nothing moved."""
    # A sum that rolls is left with rounding where all returns are zero.
    mean = ((close / close.shift(1) - 1.0) ** 2).rolling(n).mean()
    logs = np.log(mean.where(mean > np.finfo(float).eps ** 2).to_numpy())
    return pd.DataFrame(0.5 * logs, index=close.index, columns=close.columns)


VOLATILITY = Target(
    "volatility",
    "Volatility",
    "The log of the realised volatility over the coming sessions.",
    "regression",
    volatility,
)
REGIME = Target(
    "regime",
    "Turbulence",
    "Whether the coming sessions are more volatile than the year before was as a rule.",
    "classification",
    regime,
)
