"""Rolling extremes and changes against loops written out and TA-Lib."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from quantlib.indicators import compute, highest, lowest, roc
from quantlib.types import Panel


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_extremes_are_those_of_a_loop(n: int, small: Panel) -> None:
    close = small.frame().iloc[:200]
    values = close.to_numpy()
    for t in range(len(close)):
        window = values[t - n + 1 : t + 1] if t >= n - 1 else np.full((1, 3), np.nan)
        np.testing.assert_array_equal(highest(close, n).to_numpy()[t], window.max(axis=0))
        np.testing.assert_array_equal(lowest(close, n).to_numpy()[t], window.min(axis=0))


def test_talib_agrees(index_bars: Panel) -> None:
    close = np.ascontiguousarray(index_bars.close[:, 0])
    oracle = {"highest": talib.MAX(close, 15), "lowest": talib.MIN(close, 15), "roc": talib.ROCP(close, 15)}
    for name, expected in oracle.items():
        got = compute(name, index_bars, n=15)[name].to_numpy()[:, 0]
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_donchian_takes_highs_and_lows(index_bars: Panel) -> None:
    upper, lower = highest(index_bars.frame("high"), 10), lowest(index_bars.frame("low"), 10)
    assert (upper >= highest(index_bars.frame(), 10)).iloc[9:].all(axis=None)
    assert (lower <= lowest(index_bars.frame(), 10)).iloc[9:].all(axis=None)


def test_rate_of_change_is_a_fraction_and_needs_every_bar_between() -> None:
    close = pd.DataFrame({"KO": [100.0, np.nan, 110.0, 121.0, 132.0]})
    np.testing.assert_allclose(roc(close, 1)["KO"], [np.nan, np.nan, np.nan, 0.1, 1 / 11], rtol=1e-12)
    np.testing.assert_allclose(roc(close, 2)["KO"], [np.nan] * 4 + [0.2], rtol=1e-12)
