"""What indicators of trend, range and momentum read, made free of the price's level."""

from __future__ import annotations

import pandas as pd

from quantlib.indicators import atr, ema, highest, lowest, roc, rsi, sma
from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import long_table, wide_table
from quantlib.types import Panel


def readings(panel: Panel) -> pd.DataFrame:
    """Return indicator readings as ratios, one row a (ts, symbol).

    All but the true range need closes only and count a symbol's own sessions. `atr_14` needs highs and lows on
    consecutive rows of the panel, and is NaN where they are unknown.
    """

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        low, high = lowest(close, 55), highest(close, 55)
        return {
            "ema_gap_20": close / ema(close, 20) - 1.0,
            "sma_gap_200": close / sma(close, 200) - 1.0,
            "range_place_55": ((close - low) / (high - low)).where(high > low),
            "momentum_12_1": (1.0 + roc(close, 252)) / (1.0 + roc(close, 21)) - 1.0,
            "rsi_2": rsi(close, 2),
        }

    closes = panel.frame()
    true_range = atr(panel.frame("high"), panel.frame("low"), closes, 14) / closes
    return long_table(panel, columns).join(wide_table(panel, {"atr_14": true_range}))


READINGS = FeatureGroup(
    "indicators",
    "Indicators",
    "Distance from moving averages, place in the channel, momentum and true range.",
    readings,
    {
        "ema_gap_20": "Close against its 20-session exponential average",
        "sma_gap_200": "Close against its 200-session average",
        "range_place_55": "Place between the lowest and highest close of 55 sessions, 0 to 1",
        "momentum_12_1": "Return over 252 sessions, the last 21 left out",
        "rsi_2": "Relative strength index over 2 sessions",
        "atr_14": "Average true range over 14 sessions, as a fraction of the close",
    },
    252,
)
