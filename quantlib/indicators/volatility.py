"""Volatility: how far price moves, in its own units or as a share of itself."""

from __future__ import annotations

import pandas as pd
import talib

from quantlib.errors import DataError
from quantlib.indicators.runs import bars_of, by_run, frame_of, positive_of


def atr(high: pd.DataFrame, low: pd.DataFrame, close: pd.DataFrame, n: int = 14) -> pd.DataFrame:
    """Return Wilder's average true range in units of price [time x symbol].

    True range: the day's range, widened to include the previous close. Smoothed by Wilder's factor 1 / n
    from a start at the simple mean of the first `n` true ranges; the first value is on bar `n` + 1, as the
    first bar has no previous close. NaN throughout where only closes are known; the smoothing starts again
    after an unknown bar.

    Parameters
    ----------
    high, low, close
        Prices [time x symbol] with the same index and columns, NaN where unknown.
    n
        True ranges in the smoothing, 1 or above.

    Raises
    ------
    DataError
        An input is not a frame of numbers, the frames differ in shape, or `n` is not a whole number.

    References
    ----------
    Wilder (1978), New Concepts in Technical Trading Systems, section III.
    """
    high, low, close = frame_of(high, "high"), frame_of(low, "low"), frame_of(close, "close")
    for name, frame in (("low", low), ("close", close)):
        if not (frame.index.equals(high.index) and frame.columns.equals(high.columns)):
            raise DataError(f"high and {name} differ in dates or symbols. Take all three from one panel.")
    n = bars_of(n)
    return by_run(lambda h, l, c: talib.ATR(h, l, c, n), high, low, close, warmup=n + 1)  # noqa: E741


def rolling_volatility(close: pd.DataFrame, n: int = 21, periods_per_year: float = 252) -> pd.DataFrame:
    """Return the annualised volatility of the last `n` simple returns, as a fraction [time x symbol].

    Standard deviation with n - 1, times the square root of `periods_per_year`: the same number as
    `metrics.volatility` of those returns. The first value is on bar `n` + 1. An unknown close leaves it
    unknown until `n` + 1 known ones follow.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown.
    n
        Returns in the window, 2 or above.
    periods_per_year
        252 for daily stock prices, 365 for crypto.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or a parameter is out of bounds.
    """
    close, n = frame_of(close, "close"), bars_of(n, least=2)
    # TA-Lib divides by n; the sample deviation divides by n - 1.
    scale = (positive_of(periods_per_year, "periods_per_year") * n / (n - 1)) ** 0.5
    returns = close / close.shift(1) - 1.0
    return by_run(lambda r: talib.STDDEV(r, n) * scale, returns, warmup=n)
