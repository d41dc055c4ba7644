from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.errors import DataError

MONTHS = ["2024-01", "2024-02", "2024-03"]
DAYS = pd.bdate_range("2024-01-01", periods=40)


def test_the_heatmap_names_the_symbol_with_the_most_holes_and_leaves_blank_what_nobody_expects():
    present = pd.DataFrame({"AAA": [1, 1, 1], "BBB": [np.nan, 0.5, 0], "CCC": [1, 0.9, 1]}, index=MONTHS).T
    fig = charts.coverage_heatmap(present)
    assert fig.layout.meta["title"] == "2 of 3 symbols miss sessions, BBB in the most periods"
    heat = fig.data[0]
    assert list(heat.y) == ["AAA", "BBB", "CCC"]
    assert np.isnan(np.asarray(heat.z, dtype=float)[1, 0])
    assert charts.table_behind(fig).loc["BBB", "2024-02"] == 0.5


def test_a_heatmap_without_holes_says_so():
    present = pd.DataFrame(1.0, index=["AAA"], columns=MONTHS)
    assert charts.coverage_heatmap(present).layout.meta["title"] == "No session is missing in 1 symbols"


def test_a_heatmap_of_nothing_is_refused():
    with pytest.raises(DataError, match="nothing to draw"):
        charts.coverage_heatmap(pd.DataFrame({"2024-01": [np.nan]}, index=["AAA"]))


def test_vendors_are_drawn_from_one_and_the_days_that_differ_are_marked():
    first = pd.Series(100 * 1.01 ** np.arange(40), index=DAYS)
    second = first * 0.5
    second.iloc[20:] *= 1.1  # one move of ten percent that the other does not have
    closes = pd.DataFrame({"one": first, "two": second})
    apart = closes.pct_change().diff(axis=1)["two"].abs()
    fig = charts.vendors_side_by_side(closes, apart, tolerance=0.002)
    assert fig.layout.meta["title"] == f"1 of 40 days differ, most on {DAYS[20]:%Y-%m-%d}, by 10.10 %"
    assert [trace.name for trace in fig.data] == ["one", "two", "moves differ"]
    assert fig.data[0].y[0] == fig.data[1].y[0] == 1
    assert pd.Timestamp(fig.data[2].x[0]) == DAYS[20]


def test_vendors_that_agree_have_no_marks():
    closes = pd.DataFrame({"one": np.arange(1.0, 41), "two": np.arange(2.0, 82, 2)}, index=DAYS)
    fig = charts.vendors_side_by_side(closes, closes.pct_change().diff(axis=1)["two"].abs(), tolerance=0.002)
    assert fig.layout.meta["title"] == "The sources agree on all 40 days they share"
    assert len(fig.data) == 2


def test_one_vendor_alone_cannot_be_compared():
    with pytest.raises(DataError, match="Only one source"):
        charts.vendors_side_by_side(pd.DataFrame({"one": [1.0, 2.0]}, index=DAYS[:2]), pd.Series(), tolerance=0.002)
