"""Rolling extremes and changes: where price stands against the range and the level of its recent past."""

from __future__ import annotations

import pandas as pd

from quantlib.indicators.runs import bars_of, frame_of


def highest(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the highest of the last `n` closes, today's included [time x symbol].

    A close can therefore not be above it: a breakout is a close above the value of one bar ago. The first value is on
    bar `n`. An unknown close leaves it unknown until `n` known ones follow.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown; pass highs for Donchian's upper channel.
    n
        Bars in the window, 1 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of bars.

    Examples
    --------
    >>> highest(pd.DataFrame({"KO": [3.0, 1.0, 2.0, 4.0]}), 2)["KO"].tolist()
    [nan, 3.0, 2.0, 4.0]
    """
    close, n = frame_of(close, "close"), bars_of(n)
    return close.rolling(n).max()


def lowest(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the lowest of the last `n` closes, today's included [time x symbol].

    As `highest`, turned around; pass lows for Donchian's lower channel.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown.
    n
        Bars in the window, 1 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of bars.

    Examples
    --------
    >>> lowest(pd.DataFrame({"KO": [3.0, 1.0, 2.0, 4.0]}), 2)["KO"].tolist()
    [nan, 1.0, 1.0, 2.0]
    """
    close, n = frame_of(close, "close"), bars_of(n)
    return close.rolling(n).min()


def roc(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the rate of change: the close over that of `n` bars ago minus one, as a fraction [time x symbol].

    The first value is on bar `n` + 1. An unknown close leaves it unknown until `n` + 1 known ones follow.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown.
    n
        Bars between the two closes, 1 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of bars.

    Examples
    --------
    >>> roc(pd.DataFrame({"KO": [100.0, 110.0, 121.0]}), 2)["KO"].round(6).tolist()
    [nan, nan, 0.21]
    """
    close, n = frame_of(close, "close"), bars_of(n)
    whole = close.rolling(n + 1).count() == n + 1
    return (close / close.shift(n) - 1.0).where(whole)
