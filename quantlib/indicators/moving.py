"""Moving averages of many windows over one history: sums from the start once, then a subtraction a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.types import FloatArray


class RunningSums(NamedTuple):
    """What every window's mean is made from; arrays [N, T], each symbol's bars beside each other in memory.

    Parameters
    ----------
    close
        The prices.
    total, rest
        Sum of the known closes so far, and what rounding took off it: together as exact as twice the digits.
    known, same
        How many closes up to here were known in a row, and how many stood at this very price.
    """

    close: FloatArray
    total: FloatArray
    rest: FloatArray
    known: NDArray[np.int32]
    same: NDArray[np.int32]


@kernel
def running_sums_nb(
    close: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int32], NDArray[np.int32]]:
    """Return the fields of `RunningSums` for closes [N, T]."""
    n_symbols, n_bars = close.shape
    total, rest = np.empty((n_symbols, n_bars)), np.empty((n_symbols, n_bars))
    known = np.empty((n_symbols, n_bars), dtype=np.int32)
    same = np.empty((n_symbols, n_bars), dtype=np.int32)
    for i in range(n_symbols):
        high, low = 0.0, 0.0
        run, still = 0, 0
        before = np.nan
        for t in range(n_bars):
            price = close[i, t]
            if np.isfinite(price):
                # Knuth's two-sum: `lost` is exactly what rounding took off `grown`.
                grown = high + price
                back = grown - high
                lost = (high - (grown - back)) + (price - back)
                low += lost
                high = grown
                run += 1
                still = still + 1 if price == before else 1
                before = price
            else:
                run, still = 0, 0
                before = np.nan
            total[i, t], rest[i, t], known[i, t], same[i, t] = high, low, run, still
    return close, total, rest, known, same


@kernel
def sma_nb(
    close: FloatArray,
    total: FloatArray,
    rest: FloatArray,
    known: NDArray[np.int32],
    same: NDArray[np.int32],
    n: int,
) -> FloatArray:
    """Return the mean of the last `n` closes [N, T], NaN until `n` in a row are known.

    A price that stands still over the window is its own mean exactly, so that two averages of it do not cross.
    """
    n_symbols, n_bars = close.shape
    out = np.empty((n_symbols, n_bars))
    for i in range(n_symbols):
        for t in range(min(n, n_bars)):
            out[i, t] = np.nan
        if n <= n_bars and known[i, n - 1] >= n:
            out[i, n - 1] = close[i, n - 1] if same[i, n - 1] >= n else (total[i, n - 1] + rest[i, n - 1]) / n
        for t in range(n, n_bars):
            mean = ((total[i, t] - total[i, t - n]) + (rest[i, t] - rest[i, t - n])) / n
            mean = close[i, t] if same[i, t] >= n else mean
            out[i, t] = mean if known[i, t] >= n else np.nan
    return out


def running_sums(close: FloatArray) -> RunningSums:
    """Return the sums of closes [T, N], for `moving_average` with any number of windows."""
    return RunningSums(*running_sums_nb(np.ascontiguousarray(close.T)))


def moving_average(sums: RunningSums, n: int) -> FloatArray:
    """Return the simple moving average over `n` closes [N, T], symbols first."""
    return np.asarray(sma_nb(*sums, n))
