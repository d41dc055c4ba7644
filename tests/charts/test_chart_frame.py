from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from quantlib import charts
from quantlib.charts.figure import figure, line, log_axis
from quantlib.errors import DataError
from quantlib.types import Panel


def _pane(name: str, y: list[float], **more: object) -> go.Figure:
    x = pd.date_range("2024-01-01", periods=len(y)).to_numpy()
    return figure(
        [line(x, np.array(y), name, "#1a2430")], kind="Line", title=f"{name} rose; and more", y=f"{name} (%)", **more
    )


def test_alt_text_says_kind_finding_measure_and_note():
    fig = _pane("A", [1, 2], subtitle="How", note="Thinned.")
    assert charts.alt_text(fig) == "Line. A rose; and more. How. Thinned."
    assert charts.alt_text(go.Figure()) == ""


def test_a_long_title_wraps_and_makes_room_for_itself():
    short = figure([], kind="k", title="x" * 20)
    long = figure([], kind="k", title="word " * 30 + "4.1 %")
    assert "<br>" in long.layout.title.text
    assert long.layout.margin.t > short.layout.margin.t
    assert long.layout.meta["title"].endswith("4.1 %")
    assert "4.1 %" not in long.layout.title.text, "a number is never parted from its percent sign"


def test_names_and_titles_are_text_not_markup():
    fig = figure([line([1], [2], "<b>KO</b>", "#000000")], kind="k", title="A <script> & B", subtitle="<i>")
    text = fig.to_json()
    assert "<script>" not in text.replace("\\u003c", "<").split('"meta"')[0]
    assert fig.layout.title.text == "A &lt;script&gt; &amp; B"
    assert fig.data[0].name == "&lt;b&gt;KO&lt;/b&gt;"
    assert list(charts.table_behind(fig).columns) == ["<b>KO</b>"]


def test_the_table_is_the_numbers_that_are_drawn(small: Panel):
    fig = charts.price_line(small, "KO", {"mean": small.frame()["KO"].rolling(20).mean()})
    table = charts.table_behind(fig)
    close = small.frame()["KO"]
    np.testing.assert_allclose(table["KO"].to_numpy(), close.to_numpy())
    np.testing.assert_allclose(table["mean"].to_numpy(), close.rolling(20).mean().to_numpy())
    assert pd.DatetimeIndex(table.index).equals(pd.DatetimeIndex(close.index.to_numpy().astype("datetime64[D]")))


def test_a_figure_without_names_has_no_table():
    with pytest.raises(DataError, match="no named trace"):
        charts.table_behind(go.Figure(go.Scatter(x=[1], y=[2])))


def test_a_stack_shares_its_dates_and_keeps_every_pane():
    top, below = _pane("A", [1, 2, 3], height=300), _pane("B", [5, 4, 3], height=100)
    both = charts.stack([top, below])
    assert both.layout.height == 438
    assert [trace.yaxis for trace in both.data] == ["y", "y2"]
    assert {trace.xaxis for trace in both.data} == {"x"}
    upper, lower = both.layout.yaxis.domain, both.layout.yaxis2.domain
    assert upper[1] == 1.0
    assert lower[1] < upper[0]
    assert lower[0] == pytest.approx(0.0, abs=1e-9)
    assert (upper[1] - upper[0]) == pytest.approx(3 * (lower[1] - lower[0]))
    assert both.layout.xaxis.anchor == "y2"
    assert "B rose" in [note.text for note in both.layout.annotations]
    assert list(charts.table_behind(both).columns) == ["A, A (%)", "B, B (%)"]
    assert "Below it" in charts.alt_text(both)


def test_thresholds_move_with_their_pane(small: Panel):
    close = small.frame()["KO"]
    pane = charts.indicator_pane({"z": close - close.mean()}, "z", {"zero": 0.0})
    both = charts.stack([charts.price_line(small, "KO"), pane])
    assert [shape.yref for shape in both.layout.shapes] == ["y2"]
    assert "y2" in [note.yref for note in both.layout.annotations]


def test_a_stack_of_one_is_that_one():
    fig = _pane("A", [1, 2])
    assert charts.stack([fig]) is fig


@pytest.mark.parametrize(("low", "high"), [(0.8, 1.1), (2.1, 4.2), (1, 900), (0.01, 5), (0.81, 1.95), (0.99, 1.02)])
def test_log_ticks_are_round_and_at_least_three(low: float, high: float):
    ticks = log_axis(low, high)["tickvals"]
    shown = [tick for tick in ticks if low <= tick <= high]
    assert 3 <= len(shown) <= 12
    assert all(len(f"{tick:.10g}".replace("0", "").strip(".")) <= 3 for tick in shown)


def test_every_chart_of_a_long_history_stays_small(stocks: Panel):
    close = stocks.frame()
    made = [
        charts.price_line(stocks, "KO", {"mean": close["KO"].rolling(200).mean()}, log=True),
        charts.equity_curves({name: close[name] for name in ("KO", "PEP", "MSFT")}, close["XOM"]),
        charts.drawdown({"KO": close["KO"]}),
        charts.weights_over_time(close.div(close.sum(axis=1), axis=0)),
    ]
    for fig in made:
        assert len(fig.to_json()) < 150_000
        assert "drawn" in charts.alt_text(fig)
        json.loads(fig.to_json())
