"""Indicators: frames [time x symbol] in, the same out, every value from that bar and earlier ones only."""

from __future__ import annotations

from typing import Any

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.indicators.bands import bollinger, zscore
from quantlib.indicators.indicator import Indicator
from quantlib.indicators.momentum import rsi
from quantlib.indicators.rolling import highest, lowest, roc
from quantlib.indicators.trend import ema, sma
from quantlib.indicators.volatility import atr, rolling_volatility
from quantlib.types import Panel

__all__ = [
    "INDICATORS",
    "Indicator",
    "atr",
    "bollinger",
    "compute",
    "ema",
    "highest",
    "lowest",
    "roc",
    "rolling_volatility",
    "rsi",
    "sma",
    "zscore",
]

INDICATORS: dict[str, Indicator] = {
    "sma": Indicator(
        name="sma",
        title="Simple moving average",
        function=sma,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n,
        overlay=True,
        unit="price",
        variant="Equal weights; the window refills after an unknown close.",
        reference="Arithmetic mean; TA-Lib SMA",
    ),
    "ema": Indicator(
        name="ema",
        title="Exponential moving average",
        function=ema,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n,
        overlay=True,
        unit="price",
        variant="Weight 2 / (n + 1), started at the simple mean of the first n closes; starts again after "
        "an unknown close.",
        reference="Exponential smoothing; TA-Lib EMA",
    ),
    "rsi": Indicator(
        name="rsi",
        title="Relative strength index",
        function=rsi,
        inputs=("close",),
        params={"n": 14},
        warmup=lambda n, **_: n + 1,
        overlay=False,
        unit="index",
        variant="Wilder smoothing 1 / n, started at the simple mean of the first n changes; starts again "
        "after an unknown close; unknown while price has not moved.",
        reference="Wilder (1978), New Concepts in Technical Trading Systems; TA-Lib RSI",
    ),
    "atr": Indicator(
        name="atr",
        title="Average true range",
        function=atr,
        inputs=("high", "low", "close"),
        params={"n": 14},
        warmup=lambda n, **_: n + 1,
        overlay=False,
        unit="price",
        variant="Wilder smoothing 1 / n, started at the simple mean of the first n true ranges, the first "
        "bar left out; starts again after an unknown bar.",
        reference="Wilder (1978), New Concepts in Technical Trading Systems; TA-Lib ATR",
    ),
    "bollinger": Indicator(
        name="bollinger",
        title="Bollinger bands",
        function=bollinger,
        inputs=("close",),
        params={"n": 20, "k": 2.0},
        warmup=lambda n, **_: n,
        overlay=True,
        unit="price",
        variant="Simple mean and population standard deviation (divided by n) of closes; the window refills "
        "after an unknown close.",
        reference="Bollinger (2001), Bollinger on Bollinger Bands",
    ),
    "zscore": Indicator(
        name="zscore",
        title="Z-score",
        function=zscore,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n,
        overlay=False,
        unit="deviations",
        variant="Distance from the simple mean in population standard deviations (divided by n), today's "
        "close included in both; the window refills after an unknown close.",
        reference="Bollinger (2001), Bollinger on Bollinger Bands: the position within the bands",
    ),
    "highest": Indicator(
        name="highest",
        title="Highest of n bars",
        function=highest,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n,
        overlay=True,
        unit="price",
        variant="Of closes, today's included; the window refills after an unknown close.",
        reference="Donchian (1960), Commodities Trend Timing; his channel takes highs; TA-Lib MAX",
    ),
    "lowest": Indicator(
        name="lowest",
        title="Lowest of n bars",
        function=lowest,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n,
        overlay=True,
        unit="price",
        variant="Of closes, today's included; the window refills after an unknown close.",
        reference="Donchian (1960), Commodities Trend Timing; his channel takes lows; TA-Lib MIN",
    ),
    "roc": Indicator(
        name="roc",
        title="Rate of change",
        function=roc,
        inputs=("close",),
        params={"n": 20},
        warmup=lambda n, **_: n + 1,
        overlay=False,
        unit="percent",
        variant="A fraction, not times 100; the window refills after an unknown close.",
        reference="Jegadeesh and Titman (1993), Returns to Buying Winners and Selling Losers; TA-Lib ROCP",
    ),
    "rolling_volatility": Indicator(
        name="rolling_volatility",
        title="Rolling volatility",
        function=rolling_volatility,
        inputs=("close",),
        params={"n": 21, "periods_per_year": None},
        warmup=lambda n, **_: n + 1,
        overlay=False,
        unit="percent",
        variant="Sample standard deviation (n - 1) of simple returns, annualised by the square root of "
        "time; the window refills after an unknown close.",
        reference="J.P. Morgan, Reuters (1996), RiskMetrics Technical Document",
    ),
}


def compute(name: str, panel: Panel, **params: Any) -> dict[str, pd.DataFrame]:
    """Return the lines of an indicator on a panel, each a frame [time x symbol].

    Parameters
    ----------
    name
        A key of INDICATORS.
    panel
        Bars; the value at a row uses that row and earlier ones only.
    params
        Parameters by name; what is not given takes the card's default, and a default of None takes the
        panel's own value (`periods_per_year`).

    Returns
    -------
    dict
        Frames by line. An indicator of one line has its name as the only key.

    Raises
    ------
    DataError
        There is no such indicator or parameter, or a value is out of bounds.

    Examples
    --------
    >>> compute("bollinger", panel, n=20)["upper"]  # doctest: +SKIP
    """
    if name not in INDICATORS:
        raise DataError(f"There is no indicator {name!r}. {nearest(name, INDICATORS)}")
    card = INDICATORS[name]
    for given in params:
        if given not in card.params:
            raise DataError(f"Indicator {name} has no parameter {given!r}. {nearest(given, card.params)}")
    values = {key: getattr(panel, key) if value is None else value for key, value in {**card.params, **params}.items()}
    lines = card.function(*(panel.frame(field) for field in card.inputs), **values)
    return lines if isinstance(lines, dict) else {name: lines}
