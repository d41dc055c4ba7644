"""Charts of strategies in worlds: titles say what was found, and the tables hold what is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts.theme import LIGHT
from quantlib.charts.worlds import MOST_DOTS
from quantlib.errors import DataError


@pytest.fixture
def worlds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    return {"calm": rng.normal(0.02, 0.03, 400), "wild": np.append(rng.normal(-0.01, 0.1, 299), 9.0)}


def test_each_simulator_has_a_pane_on_the_same_bins(worlds):
    fig = charts.outcomes_by_simulator(worlds, horizon=21)
    assert [trace.name for trace in fig.data] == ["calm", "wild"]
    assert [trace.yaxis for trace in fig.data] == ["y", "y2"]
    np.testing.assert_array_equal(fig.data[0].x, fig.data[1].x)
    assert fig.layout.yaxis.range == fig.layout.yaxis2.range
    for trace in fig.data:
        assert sum(trace.y) == pytest.approx(100), "a freak world stands in the outermost bin"
    mean = {name: f"{values.mean() * 100:+.1f} %" for name, values in worlds.items()}
    title = fig.layout.meta["title"]
    assert title == (
        f"Over 21 sessions the mean is {mean['wild']} in the worlds of wild, {mean['calm']} in those of calm"
    )
    assert "Below it: Histogram of outcomes in the worlds of wild" in charts.alt_text(fig)


def test_the_marks_of_a_pane_stand_in_it(worlds):
    fig = charts.outcomes_by_simulator(worlds, horizon=21)
    marks = {shape.yref: shape.x0 for shape in fig.layout.shapes}
    assert marks == {
        "y domain": pytest.approx(worlds["calm"].mean() * 100),
        "y2 domain": pytest.approx(worlds["wild"].mean() * 100),
    }
    headings = [note.text for note in fig.layout.annotations]
    assert [text.split(" mean")[0] for text in headings] == ["calm:", "wild:"]


def test_the_table_by_simulator_is_counted_from_all_worlds(worlds):
    table = charts.table_behind(charts.outcomes_by_simulator(worlds, horizon=21))
    assert list(table.index) == ["calm", "wild"]
    assert table.loc["wild", "worlds"] == 300
    assert table.loc["wild", "mean"] == pytest.approx(worlds["wild"].mean())
    assert table.loc["calm", "loses"] == pytest.approx((worlds["calm"] < 0).mean())
    assert table.loc["calm", "p05"] == pytest.approx(np.percentile(worlds["calm"], 5))


def test_one_simulator_is_one_pane(worlds):
    fig = charts.outcomes_by_simulator({"calm": worlds["calm"]}, horizon=1)
    assert "in those of" not in fig.layout.meta["title"]
    assert len(fig.data) == 1


def test_unknown_outcomes_are_refused(worlds):
    with pytest.raises(DataError, match="no simulated outcomes"):
        charts.outcomes_by_simulator({}, horizon=5)
    with pytest.raises(DataError, match="outcomes by calm hold 400"):
        charts.outcomes_by_simulator({"calm": np.full(400, np.nan)}, horizon=5)


def paired() -> tuple[np.ndarray, np.ndarray]:
    without = np.array([-0.3, -0.2, 0.1, 0.2])
    return np.array([-0.1, -0.1, 0.05, 0.2]), without


def test_worlds_above_the_line_are_those_in_which_stops_help():
    kept, left_out = paired()
    fig = charts.stops_paired(kept, left_out, horizon=252, mean=(0.06, 0.01, 0.11))
    shown = {trace.name: trace for trace in fig.data}
    assert list(shown) == ["Stops help", "Stops hurt", "No difference"]
    assert sorted(shown["Stops help"].x) == pytest.approx([-30, -20])
    assert list(shown["Stops help"].y) == pytest.approx([-10, -10])
    assert shown["Stops hurt"].marker.symbol != shown["Stops help"].marker.symbol, "told apart by more than colour"
    assert fig.layout.meta["title"] == (
        "Stops help in 50 % of worlds and hurt in 25 %; on average they help: +6.0 % (1.0 % to 11.0 %)"
    )
    line = fig.layout.shapes[0]
    assert (line.x0, line.x1) == (line.y0, line.y1)
    table = charts.table_behind(fig)
    assert table.loc["50% of worlds at or below", "without stops"] == pytest.approx(np.median(left_out))
    assert "Each dot is a world" in charts.alt_text(fig)


def test_stops_words_follow_the_interval():
    kept, left_out = paired()
    hurt = charts.stops_paired(left_out, kept, horizon=5, mean=(-0.06, -0.1, -0.01))
    assert "on average they hurt: -6.0 %" in hurt.layout.meta["title"]
    open_ = charts.stops_paired(kept, left_out, horizon=5, mean=(0.01, -0.1, 0.1))
    assert "make no difference beyond chance" in open_.layout.meta["title"]
    same = charts.stops_paired(kept, kept, horizon=5, mean=(0.0, 0.0, 0.0))
    assert same.layout.meta["title"] == "No stop changes anything in any world"


def test_many_worlds_are_drawn_by_their_first():
    kept = np.random.default_rng(1).normal(size=MOST_DOTS + 500)
    fig = charts.stops_paired(kept, np.zeros(len(kept)), horizon=5, mean=(0.0, -0.1, 0.1))
    assert sum(len(trace.x) for trace in fig.data) == MOST_DOTS
    assert f"the first {MOST_DOTS:,} of {len(kept):,}" in fig.layout.meta["subtitle"]


def test_pairs_must_be_pairs():
    with pytest.raises(DataError, match="3 outcomes with stops and 4 without"):
        charts.stops_paired(np.zeros(3), np.zeros(4), horizon=5, mean=(0, 0, 0))
    with pytest.raises(DataError, match="unknown"):
        charts.stops_paired(np.array([np.nan]), np.zeros(1), horizon=5, mean=(0, 0, 0))


def shares(**rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index", columns=["share", "low", "high"])


def test_a_rule_that_sees_what_is_not_there_is_named():
    table = shares(Trend=(0.02, 0.01, 0.03), Rotation=(0.09, 0.07, 0.12))
    fig = charts.zero_edge_chart(table, by_chance=0.025, horizon=252)
    assert fig.layout.meta["title"] == (
        "Rotation sees an edge where there is none in 9.0 % of worlds; chance gives 2.5 %"
    )
    dots = fig.data[0]
    assert list(dots.y) == ["Trend", "Rotation"]
    assert list(dots.marker.color) == [LIGHT.accent, LIGHT.loss]
    assert list(dots.error_x.array) == pytest.approx([1.0, 3.0])
    assert list(dots.error_x.arrayminus) == pytest.approx([1.0, 2.0])
    assert fig.layout.shapes[0].x0 == 2.5
    pd.testing.assert_frame_equal(charts.table_behind(fig), table)


def test_where_all_is_well_the_title_says_the_most():
    fig = charts.zero_edge_chart(shares(Trend=(0.02, 0.01, 0.03)), by_chance=0.025, horizon=252)
    assert fig.layout.meta["title"] == "Where there is no edge, 2.0 % of records look good at most; chance gives 2.5 %"


def test_worlds_with_an_edge_of_their_own_are_no_false_alarm():
    table = shares(Brownian=(0.02, 0.01, 0.03), Spreads=(0.6, 0.5, 0.7)).assign(edge_left=["", "spreads that revert"])
    fig = charts.zero_edge_chart(table, by_chance=0.025, horizon=252)
    assert fig.layout.meta["title"].startswith("Where there is no edge, 2.0 % of records look good at most")
    assert fig.layout.meta["subtitle"].endswith("open: worlds with an edge of their own")
    assert list(fig.data[0].marker.symbol) == ["circle", "circle-open"]
    alone = charts.zero_edge_chart(table.iloc[1:], by_chance=0.025, horizon=252)
    assert alone.layout.meta["title"] == "All of these worlds hold an edge of their own, so none shows a false alarm"


def test_a_table_without_shares_is_refused():
    with pytest.raises(DataError, match="needed: share, low, high"):
        charts.zero_edge_chart(pd.DataFrame({"share": [0.1]}), by_chance=0.025, horizon=252)
