"""Momentum: how one-sided the recent moves were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import talib

from quantlib.indicators.runs import bars_of, by_run, frame_of
from quantlib.types import FloatArray


def rsi(close: pd.DataFrame, n: int = 14) -> pd.DataFrame:
    """Return Wilder's relative strength index, 0 to 100 [time x symbol].

    100 x average gain / (average gain + average loss), both smoothed by Wilder's factor 1 / n from a start
    at the simple mean of the first `n` changes. The first value is on bar `n` + 1. NaN while price has not
    moved at all; the smoothing starts again after an unknown close.

    Parameters
    ----------
    close
        Prices [time x symbol], NaN where unknown.
    n
        Changes in the smoothing, 2 or above.

    Raises
    ------
    DataError
        `close` is not a frame of numbers, or `n` is not a whole number of at least 2.

    References
    ----------
    Wilder (1978), New Concepts in Technical Trading Systems, section VI.
    """
    close, n = frame_of(close, "close"), bars_of(n, least=2)

    def of_run(x: FloatArray) -> FloatArray:
        # TA-Lib says 0, "nothing but losses", where there were neither gains nor losses.
        moved = np.maximum.accumulate(x) > np.minimum.accumulate(x)
        return np.where(moved, talib.RSI(x, n), np.nan)

    return by_run(of_run, close, warmup=n + 1)
