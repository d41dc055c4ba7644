from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.errors import DataError
from quantlib.types import Panel


@pytest.fixture
def z(stocks: Panel) -> pd.Series:
    spread = np.log(stocks.frame()["KO"] / stocks.frame()["PEP"])
    return (spread - spread.rolling(120).mean()) / spread.rolling(120).std()


LEVELS = {"enter short": 2.0, "leave": 0.0, "enter long": -2.0}


def test_today_is_a_dot_at_its_value_and_the_title_says_where_it_stands(z):
    fig = charts.signal_chart(z.to_frame("z"), LEVELS, 0.5, signal="spread z", percentile=0.58)
    assert fig.data[-1].mode == "markers"
    assert list(fig.data[-1].y) == [0.5]
    assert pd.Timestamp(fig.data[-1].x[0]) == z.index[-1]
    assert fig.layout.meta["title"] == (
        "Spread z is 0.50, between “leave” (0.00) and “enter short” (2.00); at or above 58 % of its history"
    )
    assert sorted(shape.y0 for shape in fig.layout.shapes) == sorted(LEVELS.values())


@pytest.mark.parametrize(
    ("value", "tail"),
    [(2.5, "above “enter short” (2.00)"), (-3.0, "below “enter long” (-2.00)"), (0.0, "“leave” (0.00) and")],
)
def test_the_place_among_thresholds(z, value, tail):
    assert tail in charts.signal_chart(z.to_frame("z"), LEVELS, value, signal="z").layout.meta["title"]


def test_percent_signals_are_drawn_and_written_in_percent(z):
    fig = charts.signal_chart(z.to_frame("gap") / 100, {"cross": 0.01}, 0.034, signal="gap", unit="percent")
    assert fig.layout.meta["title"] == "Gap is 3.4 %, above “cross” (1.0 %)"
    assert fig.data[0].y[-1] == pytest.approx(z.iloc[-1])
    assert fig.layout.shapes[0].y0 == pytest.approx(1.0)
    assert fig.layout.yaxis.title.text == "Signal (%)"


def test_only_the_recent_years_are_drawn(z):
    fig = charts.signal_chart(z.to_frame("z"), {}, 0.0, signal="z", years=1)
    assert pd.Timestamp(fig.data[0].x[0]) >= z.index[-1] - pd.Timedelta(days=366)


def test_an_unknown_value_has_no_dot(z):
    fig = charts.signal_chart(z.to_frame("z"), LEVELS, float("nan"), signal="z", percentile=float("nan"))
    assert [trace.mode for trace in fig.data] == ["lines"]
    assert fig.layout.meta["title"] == "Z is –"


def test_warming_up_is_said(z):
    empty = z.to_frame("z").iloc[:50]
    with pytest.raises(DataError, match="no value yet"):
        charts.signal_chart(empty, {}, float("nan"), signal="z")
    with pytest.raises(DataError, match="needs more bars"):
        charts.indicator_pane({"z": empty["z"]}, "z")


def test_an_indicator_pane_says_its_last_value(z):
    fig = charts.indicator_pane({"z": z}, "Spread z 120", LEVELS, unit="σ")
    assert fig.layout.meta["title"].startswith(f"Spread z 120 is {z.iloc[-1]:.2f}, between")
    assert fig.layout.yaxis.title.text == "σ"


def test_of_several_lines_the_deciding_one_stands_out(stocks: Panel):
    momentum = stocks.frame()[["KO", "PEP", "MSFT"]].pct_change(126)
    best = momentum.iloc[-1].idxmax()
    fig = charts.signal_chart(momentum, {"cash": 0.0}, momentum.iloc[-1].max(), signal="return", unit="percent")
    widths = {trace.name: trace.line.width for trace in fig.data if trace.name}
    assert max(widths, key=widths.get) == best
    assert len(set(widths.values())) == 2
