"""Charts of a validation say what was found, and keep the numbers behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.charts import alt_text, table_behind
from quantlib.charts.validation import (
    cost_room,
    forward_curves,
    luck_chart,
    overfitting_logits,
    parts_chart,
    plateau_line,
    spread_beside,
)
from quantlib.errors import DataError


def test_growth_begins_where_all_curves_do() -> None:
    days = pd.bdate_range("2020-01-01", periods=5)
    growth = pd.DataFrame({"The strategy": [1.0, 2.0, 3.0, 4.0, 5.0], "Chosen": [np.nan, 1.0, 1.1, 1.2, 1.3]}, days)
    drawn = forward_curves(growth, name="A", in_sample=0.9, out_of_sample=0.3)
    table = table_behind(drawn)
    assert len(table) == 4
    assert table.iloc[0].tolist() == [1.0, 1.0]
    assert table["The strategy"].iloc[-1] == 2.5
    assert "0.30 a year out of sample; 0.90 was seen in sample" in alt_text(drawn)
    with pytest.raises(DataError, match="share 0 days"):
        forward_curves(growth.assign(Chosen=np.nan), name="A", in_sample=0.9, out_of_sample=0.3)


def test_few_values_are_dots_and_many_a_histogram_with_the_mark_in_it() -> None:
    words = {"title": "T", "subtitle": "S", "of": "paths", "mark": "own"}
    few = spread_beside(np.array([0.3, -0.1, np.nan]), 0.2, **words)
    assert list(few.data[0].x) == [-0.1, 0.3]
    assert few.data[0].marker.symbol == ("diamond", "circle"), "told apart without colour"
    assert (few.layout.shapes[0].x0, few.layout.annotations[0].text) == (0.2, "own")
    many = spread_beside(np.linspace(-1, 1, 100), 0.2, **words)
    assert many.data[0].type == "bar"
    assert sum(many.data[0].y) == pytest.approx(100.0)
    with pytest.raises(DataError, match="None of the 1 values is known"):
        spread_beside(np.array([np.nan]), 0.2, **words)


def test_the_hurdle_is_beside_the_strategy_and_its_trials() -> None:
    hurdles = pd.Series([0.0, 0.4, 0.6], index=[1.0, 10.0, 100.0])
    drawn = luck_chart(hurdles, sharpe=0.5, low=0.1, high=0.9, trials=70, effective=12.0, hurdle=0.42)
    assert "0.50 a year is above the 0.42 that the best of 70 trials shows by luck" in alt_text(drawn)
    assert (drawn.data[-1].x[0], drawn.data[-1].y[0]) == (12.0, 0.42)
    below = luck_chart(hurdles, sharpe=0.3, low=0.1, high=0.9, trials=1, effective=1.0, hurdle=0.42)
    assert "is not above the 0.42 that the best of 1 trial shows" in alt_text(below)


def test_logits_below_zero_are_the_share_that_is_said() -> None:
    edges, counts = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    drawn = overfitting_logits(counts, edges, probability=0.3)
    assert "below the median of the other in 30 %" in alt_text(drawn)
    colors = drawn.data[0].marker.color
    assert colors[0] == colors[1] != colors[2] == colors[3]
    assert table_behind(drawn)["percent"].tolist() == [10.0, 20.0, 30.0, 40.0]


def test_parts_keep_their_intervals_and_order() -> None:
    parts = pd.DataFrame(
        {"sharpe": [0.5, -0.2, np.nan], "low": [0.1, -0.6, np.nan], "high": [0.9, 0.2, np.nan], "n": [500, 500, 9]},
        index=["calm", "wild", "short"],
    )
    drawn = parts_chart(parts, title="Found", what="Market")
    good, bad = drawn.data
    assert (good.error_y.array[0], good.error_y.arrayminus[0]) == pytest.approx((0.4, 0.4))
    assert (list(bad.x), bad.marker.symbol) == (["wild"], "diamond")
    assert drawn.layout.xaxis.categoryarray == ("calm", "wild")
    with pytest.raises(DataError, match="long enough"):
        parts_chart(parts.tail(1), title="Found", what="Market")


def test_one_parameter_is_a_line_and_costs_have_room() -> None:
    drawn = plateau_line(pd.Series([0.3, 0.1], index=pd.Index([20, 10], name="slow")), chosen=20.0, title="T")
    assert list(drawn.data[0].x) == [10, 20]
    assert drawn.layout.shapes[0].x0 == 20.0
    assert "3.0 times as high" in alt_text(cost_room(4.0, 12.0))
    assert "Nothing is left" in alt_text(cost_room(4.0, 1.0))
