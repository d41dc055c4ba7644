from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib import charts
from quantlib.charts.simulation import bin_edges
from quantlib.charts.theme import LIGHT
from quantlib.errors import DataError
from quantlib.types import Panel


@pytest.fixture
def history(stocks: Panel) -> pd.Series:
    return stocks.frame()["KO"]


@pytest.fixture
def dates(stocks: Panel) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([stocks.index[-1], *stocks.next_sessions(21)])


@pytest.fixture
def paths() -> np.ndarray:
    steps = np.random.default_rng(3).normal(0.001, 0.01, (500, 21))
    return 50 * np.exp(np.concatenate([np.zeros((500, 1)), steps.cumsum(axis=1)], axis=1))


def test_the_fan_holds_the_quantiles_and_joins_history_at_today(history, paths, dates):
    fig = charts.fan_chart(history, paths, dates)
    table = charts.table_behind(fig)
    change = (paths / 50 - 1) * 100
    for level, name in ((5, "5 % of worlds below"), (50, "Median world"), (95, "95 % below")):
        np.testing.assert_allclose(table[name].dropna(), np.percentile(change, level, axis=0), atol=1e-9)
    assert table["History"].dropna().index[-1] == table["Median world"].dropna().index[0]
    assert table["History"].dropna().iloc[-1] == table["Median world"].dropna().iloc[0] == 0.0
    assert table["History"].dropna().iloc[0] == pytest.approx((history.iloc[-43] / history.iloc[-1] - 1) * 100)


def test_the_title_is_the_outcome_in_words(history, paths, dates):
    low, middle = np.percentile(paths[:, -1] / 50 - 1, [5, 50]) * 100
    title = charts.fan_chart(history, paths, dates).layout.meta["title"]
    assert title == f"In 21 sessions half of the worlds end above {middle:+.1f} %, 1 in 20 below {low:+.1f} %"


def test_sample_worlds_are_the_first_ones_not_chosen_ones(history, paths, dates):
    single = [t for t in charts.fan_chart(history, paths, dates, samples=3).data if t.hoverinfo == "skip"]
    assert len(single) == 3
    np.testing.assert_allclose(single[0].y, (paths[0] / 50 - 1) * 100)
    assert single[0].name is None, "single worlds are no part of the table"


def test_a_strategy_without_a_position_has_no_fan(history, dates):
    fig = charts.fan_chart(history, np.ones((10, 22)), dates)
    assert fig.layout.meta["title"] == "Every simulated world stays unchanged for 21 sessions: nothing is held"
    assert not fig.layout.annotations


def test_end_labels_never_overlap(history, dates):
    wild = history.copy()
    wild.iloc[-10] *= 3
    narrow = 1 + np.random.default_rng(0).normal(0, 1e-3, (100, 22)).cumsum(axis=1)
    labels = charts.fan_chart(wild, narrow / narrow[:, :1], dates).layout.annotations
    assert len(labels) == 1
    assert "median" in labels[0].text


def test_dates_must_fit_the_paths(history, paths, dates):
    with pytest.raises(DataError, match=r"Paths have shape \(500, 22\) for 21 dates"):
        charts.fan_chart(history, paths, dates[1:])
    with pytest.raises(DataError, match="no history"):
        charts.fan_chart(history.iloc[:0], paths, dates)


def test_losing_worlds_and_only_they_are_shaded(paths):
    returns = paths[:, -1] / 50 - 1
    fig = charts.outcome_histogram({"bootstrap": returns}, horizon=21)
    bars = fig.data[0]
    assert sum(bars.y) == pytest.approx(100)
    orange = np.array([color.startswith(LIGHT.loss) for color in bars.marker.color])
    assert np.asarray(bars.y)[orange].sum() == pytest.approx((returns < 0).mean() * 100)
    error = 1.96 * returns.std(ddof=1) / np.sqrt(500)
    mean = returns.mean()
    assert fig.layout.meta["title"] == (
        f"{(returns < 0).mean() * 100:.1f} % of worlds lose money over 21 sessions; the mean is "
        f"{mean * 100:+.1f} % ({(mean - error) * 100:.1f} … {(mean + error) * 100:.1f})"
    )


def test_further_simulators_are_outlines_on_the_same_bins(paths):
    returns = paths[:, -1] / 50 - 1
    fig = charts.outcome_histogram({"a": returns, "b": returns[:100]}, horizon=21, mean_interval=(0.0, 0.1))
    bars, outline = fig.data
    np.testing.assert_array_equal(bars.x, outline.x)
    assert sum(outline.y) == pytest.approx(100)
    assert not fig.layout.showlegend, "a single outline is named in the subtitle"
    three = charts.outcome_histogram({"a": returns, "b": returns[:100], "c": returns[:50]}, horizon=21)
    assert three.layout.showlegend
    assert [trace.name for trace in three.data if trace.showlegend is not False] == ["b", "c"]
    assert "(0.0 … 10.0)" in fig.layout.meta["title"]
    assert list(charts.table_behind(fig).columns) == ["a", "b"]


def test_nothing_held_means_nothing_lost():
    fig = charts.outcome_histogram({"a": np.zeros(50)}, horizon=5)
    assert fig.layout.meta["title"] == "Nothing is held, so every world ends unchanged after 5 sessions"
    assert sum(fig.data[0].y) == pytest.approx(100)


def test_outcomes_must_be_known():
    with pytest.raises(DataError, match="no simulated outcomes"):
        charts.outcome_histogram({}, horizon=5)
    with pytest.raises(DataError, match="outcomes by a"):
        charts.outcome_histogram({"a": np.array([0.1, np.nan])}, horizon=5)


@settings(max_examples=100)
@given(st.lists(st.floats(-0.99, 5.0), min_size=1, max_size=50))
def test_bins_cover_everything_have_an_edge_at_zero_and_are_equal(values):
    edges = bin_edges(np.array(values), about=40)
    assert np.isclose(edges, 0, atol=1e-12).any()
    assert edges[0] <= min(values) + 1e-12
    assert edges[-1] > max(values)
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    assert len(edges) <= 60
