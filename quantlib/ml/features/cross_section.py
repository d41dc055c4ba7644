"""Where a symbol stands among the others of its session, and how the others are doing."""

from __future__ import annotations

import pandas as pd

from quantlib.indicators import rolling_volatility
from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import long_table, wide_table
from quantlib.types import Panel

_RANKED = {
    "return_5": "return over 5 sessions",
    "return_21": "return over 21 sessions",
    "momentum_12_1": "return over 252 sessions, the last 21 left out",
    "volatility_21": "volatility over 21 sessions",
    "from_high_252": "distance from the 252-session high",
}


def cross_section(panel: Panel) -> pd.DataFrame:
    """Return ranks among the symbols known at each session, and the session's mean and spread.

    A rank is 0 for the lowest and 1 for the highest, ties share their mean; with a single symbol known there is
    none to compare with, and it is NaN.
    """

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {
            "return_5": close / close.shift(5) - 1.0,
            "return_21": close / close.shift(21) - 1.0,
            "momentum_12_1": close.shift(21) / close.shift(252) - 1.0,
            "volatility_21": rolling_volatility(close, 21, periods_per_year=1),
            "from_high_252": close / close.rolling(252).max() - 1.0,
        }

    table = long_table(panel, columns)
    wide = {
        name: pd.DataFrame(table[name].to_numpy().reshape(len(panel), -1), index=panel.index, columns=panel.symbols)
        for name in _RANKED
    }
    frames = {}
    for name, values in wide.items():
        others = values.notna().sum(axis=1) - 1
        frames[f"rank_{name}"] = (values.rank(axis=1) - 1.0).div(others.where(others > 0), axis=0)
    month = wide["return_21"]
    for name, series in (("market_return_21", month.mean(axis=1)), ("dispersion_21", month.std(axis=1))):
        frames[name] = month.notna().astype(float).where(month.notna()).mul(series, axis=0)
    return wide_table(panel, frames)


CROSS_SECTION = FeatureGroup(
    "cross_section",
    "Cross-section",
    "Ranks among the symbols of the same session, and what they do on average.",
    cross_section,
    {
        **{f"rank_{name}": f"Rank by {words}, 0 to 1" for name, words in _RANKED.items()},
        "market_return_21": "Mean return of all symbols over 21 sessions",
        "dispersion_21": "Standard deviation between the symbols' returns over 21 sessions",
    },
    252,
)
