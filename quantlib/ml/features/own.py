"""What each symbol's own closes say at each close."""

from __future__ import annotations

import pandas as pd

from quantlib.indicators import rolling_volatility, rsi, zscore
from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import long_table
from quantlib.types import Panel

LAGS = (1, 2, 5, 10, 21, 63)


def own_closes(panel: Panel) -> pd.DataFrame:
    """Return returns, volatility and place in the recent range of each symbol, one row a (ts, symbol).

    A row uses closes up to and including its own, counted in the symbol's own sessions, so a calendar shared with
    other symbols changes nothing. Returns, distances and volatility (of one session, so that it needs no calendar)
    are fractions, RSI is 0 to 100.
    """

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {
            **{f"return_{n}": close / close.shift(n) - 1.0 for n in LAGS},
            "volatility_21": rolling_volatility(close, 21, periods_per_year=1),
            "zscore_50": zscore(close, 50),
            "rsi_14": rsi(close, 14),
            "from_high_252": close / close.rolling(252).max() - 1.0,
        }

    return long_table(panel, columns)


OWN = FeatureGroup(
    "own",
    "Own closes",
    "Past returns, volatility and place in the recent range of the symbol itself.",
    own_closes,
    {
        **{f"return_{n}": f"Return over the last {n} session{'s' * (n > 1)}" for n in LAGS},
        "volatility_21": "Volatility of a session, over the last 21",
        "zscore_50": "Close against its 50-session mean, in standard deviations",
        "rsi_14": "Relative strength index over 14 sessions",
        "from_high_252": "Distance from the highest close of 252 sessions",
    },
    251,
)
