from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.errors import DataError
from quantlib.types import Panel


@pytest.fixture
def curves(stocks: Panel) -> dict[str, pd.Series]:
    return {name: stocks.frame()[name] * 1e4 for name in ("KO", "MSFT")}


def _end(curve: pd.Series) -> str:
    return f"{curve.iloc[-1] / curve.iloc[0]:,.2f}"


def test_growth_starts_at_one_and_the_title_names_the_rates(curves):
    ko, msft = curves["KO"], curves["MSFT"]
    fig = charts.equity_curves({"KO": ko}, msft)
    assert fig.data[0].y[0] == fig.data[1].y[0] == 1.0
    assert fig.data[0].y[-1] == pytest.approx(ko.iloc[-1] / ko.iloc[0])
    assert fig.layout.meta["title"] == f"KO turned 1 into {_end(ko)}; buy and hold into {_end(msft)}"


def test_several_curves_name_the_best_and_the_worst(curves):
    title = charts.equity_curves(curves).layout.meta["title"]
    assert title == (f"MSFT made most and turned 1 into {_end(curves['MSFT'])}; KO least, into {_end(curves['KO'])}")


def test_colors_follow_the_name_and_a_clash_is_told_apart_by_its_dash(curves):
    ko = curves["KO"].tail(50)
    by_color: dict[str, list[str]] = {}
    for name in (f"Idea {i}" for i in range(40)):
        by_color.setdefault(charts.series_color(name), []).append(name)
    first, second = next(names[:2] for names in by_color.values() if len(names) > 1)
    a, b = charts.equity_curves({first: ko, second: ko}).data
    assert a.line.color == b.line.color == charts.series_color(first)
    assert a.line.dash != b.line.dash
    chosen = charts.equity_curves({"KO": ko}, colors={"KO": "#123456"}).data[0]
    assert chosen.line.color == "#123456"


def test_drawdown_against_a_loop(curves):
    curve = curves["KO"].tail(800)
    peak, worst = 0.0, 0.0
    for value in curve:
        peak = max(peak, value)
        worst = min(worst, value / peak - 1)
    fig = charts.drawdown({"KO": curve})
    assert min(fig.data[0].y) == pytest.approx(worst * 100)
    now = 1 - curve.iloc[-1] / curve.max()
    assert fig.layout.meta["title"] == (
        f"Drawdown never passed {-worst * 100:.1f} %; now {now * 100:.1f} % below the highest value"
    )


def test_the_deepest_day_survives_thinning(curves):
    under = curves["MSFT"] / curves["MSFT"].cummax() - 1
    fig = charts.drawdown({"MSFT": curves["MSFT"]})
    assert len(fig.data[0].y) < len(under)
    assert min(fig.data[0].y) == pytest.approx(under.min() * 100)
    assert fig.layout.meta["subtitle"] == f"Deepest on {under.idxmin():%Y-%m-%d}"


def test_a_curve_that_only_rises_has_no_drawdown():
    curve = pd.Series(np.linspace(1, 2, 50), index=pd.date_range("2024-01-01", periods=50))
    assert charts.drawdown({"a": curve}).layout.meta["title"] == "Equity never fell below its highest value so far"


def test_drawdowns_of_several_name_both_ends(curves):
    title = charts.drawdown(curves).layout.meta["title"]
    worst = {k: -(v / v.cummax() - 1).min() * 100 for k, v in curves.items()}
    deep, shallow = max(worst, key=worst.get), min(worst, key=worst.get)
    assert title == f"Deepest drawdown: {deep} {worst[deep]:.1f} %; shallowest: {shallow} {worst[shallow]:.1f} %"


def test_runs_are_compared_over_the_days_they_share(curves):
    early, late = curves["KO"].iloc[:-500], curves["MSFT"].tail(900)
    fig = charts.compare_runs({"early": early, "late": late})
    table = charts.table_behind(fig)
    shared = early.index.intersection(late.index)
    assert len(table) == len(shared) == 400
    assert table.iloc[0].tolist() == [1.0, 1.0]
    assert fig.data[0].line.color != fig.data[1].line.color


def test_runs_that_cannot_be_compared(curves):
    with pytest.raises(DataError, match="no run to compare"):
        charts.compare_runs({})
    with pytest.raises(DataError, match="share no two days"):
        charts.compare_runs({"a": curves["KO"].head(5), "b": curves["KO"].tail(5)})


def test_an_empty_curve_is_named(curves):
    with pytest.raises(DataError, match="equity of KO has 1 values"):
        charts.equity_curves({"KO": curves["KO"].head(1)})
    with pytest.raises(DataError, match="no equity curve"):
        charts.drawdown({})


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ({"A": (0.7, 0.4, 1.0), "B": (0.1, -0.2, 0.4)}, "Sharpe ratio clear of zero: A"),
        ({"A": (0.7, 0.4, 1.0), "B": (0.5, 0.1, 0.9)}, "Every strategy's Sharpe ratio is clear of zero"),
        ({"A": (0.1, -0.4, 1.0)}, "No strategy's Sharpe ratio is clear of zero"),
        ({"A": (-0.7, -1.0, -0.4)}, "Sharpe ratio clear of zero: A"),
        ({"A": (0.7, np.nan, np.nan)}, "No strategy's Sharpe ratio is clear of zero"),
    ],
)
def test_the_forest_plot_says_whose_interval_leaves_zero_out(rows, title):
    fig = charts.metric_intervals(rows)
    assert fig.layout.meta["title"] == title
    table = charts.table_behind(fig)
    assert list(table.index) == list(rows)
    assert table.iloc[0, 0] == next(iter(rows.values()))[0]
    low, high = fig.layout.xaxis.range
    assert low < 0 < high
