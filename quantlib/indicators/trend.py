"""Moving averages: where price has been, smoothed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import talib

from quantlib.indicators.moving import moving_average, running_sums
from quantlib.indicators.runs import bars_of, by_run, frame_of


def sma(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the simple moving average of the last `n` closes, today's included [time x symbol].

    The first value is on bar `n`. An unknown close leaves the average unknown until `n` known ones follow.

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
    >>> sma(pd.DataFrame({"KO": [1.0, 2.0, 3.0, 4.0]}), 3)["KO"].tolist()
    [nan, nan, 2.0, 3.0]
    """
    close, n = frame_of(close, "close"), bars_of(n)
    # Not TA-Lib's SMA: its running sum leaves rounding behind, so two averages of a price that stands still
    # would cross. This one is exact there and faster.
    values = moving_average(running_sums(close.to_numpy(dtype=np.float64)), n)
    return pd.DataFrame(values.T, index=close.index, columns=close.columns)


def ema(close: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the exponential moving average with weight 2 / (n + 1) on today's close [time x symbol].

    The first value, on bar `n`, is the simple average of the first `n` closes; the recursion starts from it,
    and starts again after an unknown close. Differs from pandas' `ewm(adjust=False)`, which starts from the
    first close alone; the two meet as the start fades.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown.
    n
        Span in bars, 1 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of bars.

    Examples
    --------
    >>> ema(pd.DataFrame({"KO": [1.0, 2.0, 3.0, 6.0]}), 3)["KO"].tolist()
    [nan, nan, 2.0, 4.0]
    """
    close, n = frame_of(close, "close"), bars_of(n)
    return by_run(lambda x: talib.EMA(x, n), close, warmup=n)
