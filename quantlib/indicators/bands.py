"""Bands: where price stands against its own recent mean and spread."""

from __future__ import annotations

import pandas as pd
import talib

from quantlib.indicators.runs import bars_of, by_run, frame_of, positive_of
from quantlib.indicators.trend import sma


def _deviation(close: pd.DataFrame, n: int) -> pd.DataFrame:
    return by_run(lambda x: talib.STDDEV(x, n), close, warmup=n)


def bollinger(close: pd.DataFrame, n: int = 20, k: float = 2.0) -> dict[str, pd.DataFrame]:
    """Return Bollinger bands: the simple average of `n` closes, and `k` standard deviations to each side.

    The deviation is that of a population (divided by n), as Bollinger has it. The first value is on bar
    `n`. An unknown close leaves the bands unknown until `n` known ones follow.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown; pass (high + low + close) / 3 for the typical price.
    n
        Bars in the window, 2 or above.
    k
        Width in standard deviations, above 0.

    Returns
    -------
    dict
        Frames [time x symbol] by line: middle, upper, lower.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or a parameter is out of bounds.

    References
    ----------
    Bollinger (2001), Bollinger on Bollinger Bands.
    """
    close, n, k = frame_of(close, "close"), bars_of(n, least=2), positive_of(k, "k")
    middle, width = sma(close, n), k * _deviation(close, n)
    return {"middle": middle, "upper": middle + width, "lower": middle - width}


def zscore(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the distance of the close from its mean of `n` bars, in standard deviations [time x symbol].

    The deviation is that of a population, so a z-score of 2 is a close on the upper Bollinger band of k = 2;
    it cannot pass sqrt(n - 1). The first value is on bar `n`; NaN where the window does not vary.

    Parameters
    ----------
    close
        Prices, or any other level such as a spread [time x symbol], NaN where unknown.
    n
        Bars in the window, 2 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of at least 2.
    """
    close, n = frame_of(close, "close"), bars_of(n, least=2)
    deviation = _deviation(close, n)
    return (close - sma(close, n)) / deviation.where(deviation > 0)
