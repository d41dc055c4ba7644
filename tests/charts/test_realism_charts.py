"""Charts of the realism card, on a card written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts import acf_comparison, realism_heatmap, realism_intervals
from quantlib.charts.realism import EDGE
from quantlib.charts.theme import LIGHT
from quantlib.errors import DataError

LAGS = (1, 5, 20)


@pytest.fixture
def measures() -> pd.DataFrame:
    rows = [
        ("volatility", "Volatility a year", "percent", 0.21, 0.20, 0.205, 0.22, True, 0.4),
        ("kurtosis", "Kurtosis", "ratio", 0.25, 0.10, 0.12, 0.14, False, 6.5),
        ("worst", "1 % quantile", "percent", -0.04, -0.035, -0.03, -0.025, False, -2.0),
        ("odd", "Odd one", "ratio", np.nan, np.nan, np.nan, np.nan, pd.NA, np.nan),
    ]
    columns = ["measure", "title", "unit", "history", "low", "median", "high", "passed", "distance"]
    return pd.DataFrame(rows, columns=columns).set_index("measure").astype({"passed": "boolean"})


@pytest.fixture
def acf() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["returns", "absolute returns"], LAGS], names=["series", "lag"])
    history = [0.0, 0.01, -0.01, 0.3, 0.2, 0.01]
    return pd.DataFrame({"history": history, "low": -0.05, "median": 0.0, "high": 0.05}, index=index)


def test_dots_tell_inside_from_outside_by_colour_and_shape(measures):
    fig = realism_intervals(measures, simulator="GBM", symbol="KO", grade="B")
    inside, outside = fig.data
    assert list(inside.y) == ["Volatility a year"]
    assert inside.x[0] == 0.4
    assert (inside.marker.color, outside.marker.color) == (LIGHT.gain, LIGHT.loss)
    assert list(outside.y) == ["Kurtosis", "1 % quantile"]
    assert list(outside.x) == [EDGE, -2.0]
    assert list(outside.marker.symbol) == ["triangle-right", "diamond"]
    assert list(inside.marker.symbol) == ["circle"]
    band = fig.layout.shapes[0]
    assert (band.x0, band.x1) == (-1, 1)


def test_the_title_counts_what_fails_and_names_the_worst(measures):
    fig = realism_intervals(measures, simulator="GBM", symbol="KO", grade="B")
    assert fig.layout.meta["title"] == "GBM fails 2 of 3 measures of KO, kurtosis most clearly: grade B"
    assert "fails 2 of 3" in charts.alt_text(fig)
    fine = measures.iloc[:1]
    assert realism_intervals(fine, simulator="GBM", symbol="").layout.meta["title"] == (
        "GBM passes all 1 measures of the symbols together"
    )


def test_every_measure_has_its_numbers_beside_it_and_the_unknown_a_dash(measures):
    fig = realism_intervals(measures, simulator="GBM", symbol="KO")
    said = {note.y: note.text for note in fig.layout.annotations}
    assert said["Volatility a year"] == "21.0 % (20.0 … 22.0)"
    assert said["Kurtosis"] == "0.25 (0.10 … 0.14)"
    assert said["Odd one"] == "–"
    colors = {note.y: note.font.color for note in fig.layout.annotations}
    assert colors["Kurtosis"] == LIGHT.loss != colors["Volatility a year"]
    table = charts.table_behind(fig)
    assert table.loc["Kurtosis", "history"] == 0.25
    assert list(table.index) == list(measures["title"])


def test_autocorrelations_say_on_which_side_history_lies(acf):
    fig = acf_comparison(acf, simulator="GBM", symbol="KO")
    title = "Absolute returns of KO: history lies above the worlds at 2 of 3 lags"
    assert fig.layout.meta["title"] == title
    assert fig.layout.meta["subtitle"].startswith("GBM; ")
    assert "history lies within the worlds at every lag" in charts.alt_text(fig)
    table = charts.table_behind(fig)
    assert list(table.index) == list(LAGS)
    assert list(table["History, Correlation, absolute returns"]) == [0.3, 0.2, 0.01]
    acf.loc[("returns", 1), "history"] = -0.2
    assert "Returns of KO: history lies below the worlds" in charts.alt_text(
        acf_comparison(acf, simulator="GBM", symbol="KO")
    )
    acf.loc[("returns", 5), "history"] = 0.2
    assert "history lies outside the worlds at 2 of 3 lags" in charts.alt_text(
        acf_comparison(acf, simulator="GBM", symbol="KO")
    )


def test_the_heatmap_puts_the_most_real_first_and_leaves_blank_what_is_not_judged():
    grades = pd.DataFrame(
        {"KO": ["D", "A", None], "PEP": ["C", "B", None], "overall": ["D", "A", None]}, index=["GBM", "FHS", "OU"]
    )
    fig = realism_heatmap(grades)
    heat = fig.data[0]
    assert list(heat.y) == ["FHS", "GBM", "OU"]
    assert list(heat.text[0]) == ["A", "B", "A"]
    assert list(heat.text[2]) == ["", "", ""]
    np.testing.assert_array_equal(np.asarray(heat.z, dtype=float)[:2], [[0, 1, 0], [3, 2, 3]])
    assert fig.layout.meta["title"] == (
        "FHS comes closest to history, mostly B (A to B); GBM stays furthest away, mostly D (C to D)"
    )
    assert charts.table_behind(fig).loc["GBM", "PEP"] == "C"


def test_a_heatmap_of_overall_grades_alone():
    fig = realism_heatmap(pd.DataFrame({"overall": ["A"]}, index=["FHS"]))
    assert fig.layout.meta["title"] == "FHS comes closest to history, grade A"
    alike = pd.DataFrame({"KO": ["F", "A", "A", "A"]}, index=["GBM", "FHS", "BLOCK", "GARCH"])
    assert realism_heatmap(alike).layout.meta["title"] == (
        "FHS and 2 more come closest to history, grade A; GBM stays furthest away, grade F"
    )


def test_nothing_to_draw_is_said(measures, acf):
    with pytest.raises(DataError, match="no measures to draw"):
        realism_intervals(measures.iloc[:0], simulator="GBM", symbol="KO")
    with pytest.raises(DataError, match="no autocorrelations of returns"):
        acf_comparison(acf.loc[["absolute returns"]], simulator="GBM", symbol="KO")
    with pytest.raises(DataError, match="no grade to draw"):
        realism_heatmap(pd.DataFrame({"KO": [None]}, index=["GBM"]))
