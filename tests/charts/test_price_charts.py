from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.errors import DataError
from quantlib.types import Panel


def test_the_title_states_the_move_and_the_place(stocks: Panel):
    year = stocks.window("2021-12-28", "2022-12-28")
    close = year.frame()["MSFT"]
    fig = charts.price_line(year, "MSFT")
    fall = 1 - close.iloc[-1] / close.iloc[0]
    below = 1 - close.iloc[-1] / close.max()
    place = f"{below * 100:.1f} % below its high of {close.idxmax():%Y-%m-%d}"
    assert fig.layout.meta["title"] == f"MSFT fell {fall * 100:.1f} % since 2021-12-28; {place}"
    assert "source: sample" in fig.layout.meta["subtitle"]
    assert fig.layout.yaxis.title.text == "Price ($)"


def test_a_flat_line_is_called_flat():
    close = pd.DataFrame({"A": [10.0, 10.0]}, index=pd.to_datetime(["2024-01-02", "2024-01-03"]))
    title = charts.price_line(Panel.from_frames(close), "A").layout.meta["title"]
    assert title == "A did not move since 2024-01-02; at its highest close"


def test_unknown_closes_are_left_out_and_none_at_all_is_said():
    index = pd.date_range("2024-01-01", periods=3)
    panel = Panel.from_frames(pd.DataFrame({"A": [1.0, np.nan, 2.0], "B": np.nan}, index=index))
    assert len(charts.price_line(panel, "A").data[0].x) == 2
    with pytest.raises(DataError, match="No close of B"):
        charts.price_line(panel, "B")
    with pytest.raises(DataError, match="not in the panel"):
        charts.price_line(panel, "C")


def test_candles_need_bars(stocks: Panel, ohlcv: Panel):
    assert charts.has_candles(ohlcv, "^GSPC")
    assert not charts.has_candles(stocks, "KO")
    with pytest.raises(DataError, match=r"Only closes of KO are known.*price_line"):
        charts.candlestick(stocks, "KO")


def test_daily_candles_skip_weekends_and_carry_their_overlay(ohlcv: Panel):
    recent = ohlcv.tail(120)
    mean = ohlcv.frame()["^GSPC"].rolling(20).mean()
    fig = charts.candlestick(recent, "^GSPC", {"SMA 20": mean})
    candles, overlay = fig.data
    np.testing.assert_array_equal(candles.high, recent.high[:, 0])
    np.testing.assert_allclose(overlay.y, mean.tail(120))
    assert fig.layout.xaxis.rangebreaks[0].bounds == ("sat", "mon")
    assert "Daily candles" in fig.layout.meta["subtitle"]
    assert list(charts.table_behind(fig).columns)[:4] == [f"^GSPC {f}" for f in ("open", "high", "low", "close")]


@pytest.mark.parametrize(("rows", "size"), [(400, "Daily"), (401, "Weekly"), (5000, "Monthly")])
def test_many_candles_are_drawn_wider_without_losing_an_extreme(ohlcv: Panel, rows: int, size: str):
    span = ohlcv.tail(rows)
    fig = charts.candlestick(span, "^GSPC")
    candles = fig.data[0]
    assert fig.layout.meta["subtitle"].startswith(f"{size} candles")
    assert len(candles.x) <= 400
    assert max(candles.high) == span.high.max()
    assert min(candles.low) == span.low.min()
    assert candles.open[0] == span.open[0, 0]
    assert candles.close[-1] == span.close[-1, 0]
    assert pd.Timestamp(candles.x[-1]) == span.index[-1]


def test_coins_trade_on_weekends_so_no_day_is_cut_out():
    index = pd.date_range("2024-01-01", periods=30)
    close = pd.DataFrame({"BTC": np.linspace(40_000, 44_000, 30)}, index=index)
    panel = Panel.from_frames(close, open=close, high=close * 1.01, low=close * 0.99)
    assert charts.candlestick(panel, "BTC").layout.xaxis.rangebreaks == ()
