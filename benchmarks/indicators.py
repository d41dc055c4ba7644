"""TA-Lib, on which the hot indicators run, against the package `ta`."""

from __future__ import annotations

import talib
from arch.data import sp500
from ta.trend import adx
from ta.volatility import average_true_range

from benchmarks.race import Race, best_times, must_agree
from quantlib.indicators import atr

N = 14


def races() -> list[Race]:
    """Return the races of the average true range and the directional index on one index."""
    frame = sp500.load()
    high, low, close = (frame[[name]].set_axis(["^GSPC"], axis=1) for name in ("High", "Low", "Close"))
    h, l, c = (one["^GSPC"] for one in (high, low, close))  # noqa: E741  the field's letters
    arrays = [one.to_numpy(dtype=float) for one in (h, l, c)]
    size = f"{len(frame):,} days of the S&P 500"
    must_agree("ATR", float(atr(high, low, close, N).iloc[-1, 0]), float(average_true_range(h, l, c, N).iloc[-1]), 1e-9)
    must_agree("ADX", float(talib.ADX(*arrays, N)[-1]), float(adx(h, l, c, N).iloc[-1]), 1e-6)
    note = "Both are Wilder's; they start up differently and agree to 1e-6 at the last bar."
    return [
        Race(
            f"Average true range, {N} sessions: {size}",
            best_times(
                {
                    "quantlib.indicators.atr, a frame": lambda: atr(high, low, close, N),
                    "TA-Lib, bare arrays": lambda: talib.ATR(*arrays, N),
                    "ta": lambda: average_true_range(h, l, c, N),
                },
                rounds=3,
            ),
            len(frame) / 1e6,
            "million bars",
            note,
        ),
        Race(
            f"Average directional index, {N} sessions: {size}",
            best_times({"TA-Lib, bare arrays": lambda: talib.ADX(*arrays, N), "ta": lambda: adx(h, l, c, N)}, rounds=3),
            len(frame) / 1e6,
            "million bars",
            note + " Not in our catalogue yet, so the bare function stands for what it will run on.",
        ),
    ]
