from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from scipy import stats
from ta.volatility import BollingerBands

from quantlib.errors import DataError
from quantlib.indicators import bollinger, sma, zscore


def test_bollinger_by_hand():
    # Mean 4, squared distances 4, 0 and 4 over n = 3.
    out = bollinger(pd.DataFrame({"KO": [2.0, 4.0, 6.0]}), 3, 1.5)
    width = 1.5 * (8 / 3) ** 0.5
    assert [out[line]["KO"].iloc[-1] for line in ("lower", "middle", "upper")] == pytest.approx(
        [4 - width, 4, 4 + width], rel=1e-15
    )


def test_bollinger_agrees_with_both_libraries(small):
    out = bollinger(small.frame(), 20, 2.5)
    for symbol in small.symbols:
        series = small.frame()[symbol]
        theirs = BollingerBands(series, 20, 2.5)
        upper, middle, lower = talib.BBANDS(series.to_numpy(copy=True), 20, 2.5, 2.5)
        for line, one, other in (
            ("upper", theirs.bollinger_hband(), upper),
            ("middle", theirs.bollinger_mavg(), middle),
            ("lower", theirs.bollinger_lband(), lower),
        ):
            # Where `ta` has no value for want of bars, neither have we.
            np.testing.assert_allclose(out[line][symbol], one, rtol=1e-10)
            np.testing.assert_allclose(out[line][symbol], other, rtol=1e-9)


@pytest.mark.replay
def test_bollinger_matches_published_bands(replay):
    """Bands of AAPL as a charting vendor published them: 20 bars of the typical price, 2 deviations."""
    published = pd.read_csv(
        replay / "prices" / "plotly_aapl_2015_2017_with_bollinger.csv", parse_dates=["Date"], index_col="Date"
    )
    typical = published[["AAPL.High", "AAPL.Low", "AAPL.Close"]].mean(axis=1).to_frame("AAPL")
    out = bollinger(typical, 20, 2)
    for line, column in (("middle", "mavg"), ("upper", "up"), ("lower", "dn")):
        ours = out[line]["AAPL"].iloc[19:]
        assert len(ours) > 480
        np.testing.assert_allclose(ours, published[column].iloc[19:], rtol=0, atol=1e-7)


def test_a_spread_small_beside_its_price_keeps_its_digits():
    noise = np.random.default_rng(0).normal(0, 1e-3, 300)
    close = pd.DataFrame({"BTC": 100_000 + noise})
    out = bollinger(close, 20, 1)
    expected = [close["BTC"].iloc[i - 19 : i + 1].std(ddof=0) for i in range(19, 300)]
    np.testing.assert_allclose((out["upper"] - out["middle"])["BTC"].iloc[19:], expected, rtol=1e-7)


def test_a_price_that_was_once_a_million_times_higher_leaves_no_trace():
    rng = np.random.default_rng(1)
    close = pd.DataFrame({"LUNA": np.r_[np.linspace(5e7, 6e7, 100), 1 + rng.normal(0, 0.01, 200)]})
    out, alone = zscore(close, 20).iloc[119:], zscore(close.iloc[100:], 20).iloc[19:]
    np.testing.assert_allclose(out, alone, rtol=0, atol=1e-9)


def test_zscore_agrees_with_scipy(small):
    n, close = 30, small.frame()["PEP"]
    out = zscore(close.to_frame(), n)["PEP"]
    for row in range(n - 1, len(close), 40):
        window = close.iloc[row - n + 1 : row + 1].to_numpy()
        assert out.iloc[row] == pytest.approx(stats.zscore(window)[-1], rel=1e-9)


def test_a_zscore_of_k_is_a_close_on_the_band(small):
    close = small.frame()
    bands, score = bollinger(close, 20, 2), zscore(close, 20)
    np.testing.assert_array_equal((close > bands["upper"]).to_numpy(), (score > 2).to_numpy())
    rebuilt = sma(close, 20) + score * (bands["upper"] - bands["middle"]) / 2
    np.testing.assert_allclose(rebuilt.iloc[19:], close.iloc[19:], rtol=1e-12)


def test_zscore_is_bounded_by_its_window():
    spike = pd.DataFrame({"KO": [1.0] * 9 + [1e6]})
    assert zscore(spike, 10)["KO"].iloc[-1] == pytest.approx(3.0, rel=1e-9)


def test_zscore_is_unknown_where_the_window_does_not_vary():
    assert zscore(pd.DataFrame({"RRC": [3.322] * 40}), 20).isna().all(axis=None)


def test_zscore_of_a_spread_below_zero():
    spread = pd.DataFrame({"KO/PEP": [-3.0, -1.0, -2.0]})
    assert zscore(spread, 3)["KO/PEP"].iloc[-1] == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("k", [0, -2, np.nan, np.inf, "2"])
def test_width_is_checked(small, k):
    with pytest.raises(DataError, match=r"k is .*a number above 0"):
        bollinger(small.frame(), 20, k)
