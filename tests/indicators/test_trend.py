from __future__ import annotations

import numpy as np
import pandas as pd
import talib
from ta.trend import EMAIndicator, SMAIndicator

from quantlib.indicators import ema, sma


def test_sma_by_hand():
    close = pd.DataFrame({"KO": [2.0, 4.0, 9.0, 5.0]})
    np.testing.assert_array_equal(sma(close, 2)["KO"], [np.nan, 3.0, 6.5, 7.0])


def test_sma_of_one_bar_is_the_close(small):
    pd.testing.assert_frame_equal(sma(small.frame(), 1), small.frame())


def test_ema_by_hand():
    # Start at the mean of 2, 4 and 9; then half of the way to each close.
    close = pd.DataFrame({"KO": [2.0, 4.0, 9.0, 7.0, 2.0]})
    np.testing.assert_allclose(ema(close, 3)["KO"], [np.nan, np.nan, 5.0, 6.0, 4.0], rtol=1e-15)


def test_two_averages_of_a_price_that_stands_still_do_not_cross(stocks):
    """RRC did not move for weeks in early 1990; rounding must not make a signal of that."""
    still = pd.DataFrame({"RRC": stocks.frame()["RRC"].iloc[:60], "FLAT": 37.62})
    assert still["RRC"].min() == still["RRC"].max()
    gap = (sma(still, 10) - sma(still, 40)).dropna()
    assert len(gap) == 21
    assert (gap == 0).all(axis=None)


def test_sma_agrees_with_both_libraries(small):
    close = small.frame()
    for symbol in small.symbols:
        series = close[symbol]
        np.testing.assert_allclose(sma(close, 20)[symbol], talib.SMA(series.to_numpy(copy=True), 20), rtol=1e-12)
        np.testing.assert_allclose(sma(close, 20)[symbol], SMAIndicator(series, 20).sma_indicator(), rtol=1e-12)


def test_ema_meets_the_other_start_as_it_fades(small):
    """`ta` starts from the first close alone: different at first, the same once both starts have faded."""
    close = small.frame()["KO"]
    ours = ema(close.to_frame(), 10)["KO"]
    theirs = EMAIndicator(close, 10).ema_indicator()
    assert abs(ours.iloc[9] / theirs.iloc[9] - 1) > 1e-5
    np.testing.assert_allclose(ours.iloc[200:], theirs.iloc[200:], rtol=1e-12)


def test_ema_after_a_gap_is_that_of_the_part_alone(gappy):
    close = gappy.frame()[["HOLES"]]
    pd.testing.assert_frame_equal(
        ema(close, 8).iloc[102:180], ema(close.iloc[102:180], 8), check_exact=True, check_freq=False
    )
