from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ta.volatility import AverageTrueRange

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.indicators import atr, rolling_volatility


def frames(panel):
    return panel.frame("high"), panel.frame("low"), panel.frame("close")


def test_atr_by_hand():
    # True ranges from the second bar on: 2 (its own range), 4 (down from 11 to 7), 3 (up from 8 to 11).
    high = pd.DataFrame({"KO": [10.0, 12.0, 9.0, 11.0]})
    low = pd.DataFrame({"KO": [9.0, 10.0, 7.0, 10.0]})
    close = pd.DataFrame({"KO": [10.0, 11.0, 8.0, 10.5]})
    np.testing.assert_allclose(atr(high, low, close, 2)["KO"], [np.nan, np.nan, 3.0, 3.0], rtol=1e-15)
    np.testing.assert_allclose(atr(high, low, close, 1)["KO"], [np.nan, 2.0, 4.0, 3.0], rtol=1e-15)


def test_atr_is_wilders_recursion(index_bars):
    """A plain loop over the definition, start included."""
    n = 14
    high, low, close = (frame.iloc[:, 0].to_numpy() for frame in frames(index_bars))
    before = close[:-1]
    ranges = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    value = ranges[:n].mean()
    expected = [np.nan] * n + [value]
    for true_range in ranges[n:]:
        value = (value * (n - 1) + true_range) / n
        expected.append(value)
    np.testing.assert_allclose(atr(*frames(index_bars), n).iloc[:, 0], expected, rtol=1e-12)


def test_atr_meets_the_other_start_as_it_fades(index_bars):
    """`ta` counts the range of the first bar, which has no previous close, and so starts a bar earlier."""
    series = [frame.iloc[:, 0] for frame in frames(index_bars)]
    ours = atr(*frames(index_bars), 5).iloc[:, 0]
    theirs = AverageTrueRange(*series, 5).average_true_range()
    assert abs(ours.iloc[5] / theirs.iloc[5] - 1) > 1e-6
    np.testing.assert_allclose(ours.iloc[200:], theirs.iloc[200:], rtol=1e-10)


def test_atr_is_unknown_where_only_closes_are_known(small):
    assert atr(*frames(small)).isna().all(axis=None)


def test_atr_needs_frames_of_one_shape(index_bars):
    high, low, close = frames(index_bars)
    with pytest.raises(DataError, match="high and close differ in dates or symbols"):
        atr(high, low, close.iloc[1:])


@pytest.mark.parametrize("n", [2, 21, 60])
def test_rolling_volatility_is_the_metric_of_the_last_returns(small, n):
    out = rolling_volatility(small.frame(), n, periods_per_year=252)
    returns = small.returns()
    for symbol in small.symbols:
        for row in (n, 250, 499):
            expected = metrics.volatility(returns[symbol].iloc[row - n + 1 : row + 1], periods_per_year=252)
            assert out[symbol].iloc[row] == pytest.approx(expected, rel=1e-10)


def test_rolling_volatility_of_a_price_that_stands_still_is_zero():
    out = rolling_volatility(pd.DataFrame({"RRC": [3.322] * 30}), 5)
    assert (out.iloc[5:] == 0).all(axis=None)


def test_one_absurd_return_leaves_no_trace_once_out_of_the_window(small):
    """A vendor's +450,000 % day must not stay in the figures for years, as it does in a running sum."""
    close = small.frame()[["KO"]].copy()
    spoilt = close.copy()
    spoilt.iloc[100:] *= 4500
    np.testing.assert_allclose(
        rolling_volatility(spoilt, 21).iloc[121:], rolling_volatility(close, 21).iloc[121:], rtol=1e-12
    )


@pytest.mark.parametrize("bad", [0, -252, np.nan, np.inf, "252"])
def test_periods_per_year_is_checked(small, bad):
    with pytest.raises(DataError, match=r"periods_per_year is .*above 0"):
        rolling_volatility(small.frame(), 21, bad)


def test_one_return_has_no_volatility(small):
    with pytest.raises(DataError, match="n is 1; accepted: a whole number of bars, 2 or above"):
        rolling_volatility(small.frame(), 1)
