from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts.experiments import CURVES, NAMED, PATHS, evenly
from quantlib.charts.theme import color_swap
from quantlib.errors import DataError

DATES = pd.date_range("2010-01-01", "2019-12-31", periods=9)


def title(fig: object) -> str:
    return str(fig.layout.meta["title"])  # type: ignore[attr-defined]


def growth(n: int) -> pd.DataFrame:
    ends = np.linspace(0.5, 2.5, n)
    return pd.DataFrame(np.linspace(1.0, ends, len(DATES)), index=DATES, columns=[f"trial {k}" for k in range(n)])


def results(sharpe: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"sharpe": sharpe, "cagr": np.array(sharpe) / 10, "drawdown": -0.2})


def test_places_are_even_and_keep_both_ends():
    values = np.random.default_rng(0).permutation(1000).astype(float)
    kept = values[evenly(values, 11)]
    assert kept.tolist() == sorted(kept)
    assert (kept[0], kept[-1]) == (0.0, 999.0)
    assert np.diff(kept).min() >= 99
    assert sorted(evenly(values[:5], 11)) == [0, 1, 2, 3, 4]


def test_all_are_thin_lines_in_one_trace_and_the_chosen_are_named():
    frame = growth(5)
    fig = charts.trial_curves(frame, ["trial 1", "trial 3"])
    thin, one, other = fig.data
    assert (one.name, other.name) == ("trial 1", "trial 3")
    assert one.line.color != other.line.color
    # Each line stands once, broken off from the next.
    lines = np.array(thin.y).reshape(3, len(DATES) + 1)
    assert np.isnan(lines[:, -1]).all()
    np.testing.assert_allclose(lines[:, :-1], frame[["trial 0", "trial 2", "trial 4"]].T, rtol=1e-6)
    assert pd.Timestamp(thin.x[0], unit="ms") == DATES[0]
    assert title(fig) == (
        "5 trials turned 1 into 0.50 to 2.50, the middle one into 1.50; of those chosen trial 3 made most, 2.00"
    )
    assert "log scale" in charts.alt_text(fig)
    assert charts.table_behind(fig)["Middle"].iloc[-1] == 1.5
    assert charts.table_behind(fig)["trial 1"].iloc[-1] == 1.0


def test_more_curves_than_a_surface_are_thinned_and_it_is_said():
    fig = charts.trial_curves(growth(3 * CURVES), [f"trial {k}" for k in range(NAMED + 2)])
    assert len(fig.data) == 1 + NAMED
    assert len(fig.data[0].y) == CURVES * (len(DATES) + 1)
    ends = np.array(fig.data[0].y).reshape(CURVES, -1)[:, -2]
    assert ends.max() == pytest.approx(2.5)
    assert f"{CURVES} of {3 * CURVES - NAMED - 2:,} thin lines" in charts.alt_text(fig)
    assert len(fig.to_json()) < 1_000_000


def test_a_curve_counts_from_its_own_end():
    frame = growth(2)
    frame.loc[DATES[5:], "trial 1"] = np.nan
    assert title(charts.trial_curves(frame)).startswith("2 trials turned 1 into 0.50 to 1.75")
    assert title(charts.trial_curves(frame[["trial 0"]])) == "trial 0 turned 1 into 0.50"


def test_no_curve_and_a_curve_that_is_not_there_are_said():
    with pytest.raises(DataError, match="None of these trials has a curve"):
        charts.trial_curves(pd.DataFrame())
    with pytest.raises(DataError, match="no curve of 'x'"):
        charts.trial_curves(growth(2), ["x"])


def test_parameters_stand_beside_results_words_as_codes():
    given = pd.DataFrame(
        {"legs.0.fast": [5.0, 10.0, 5.0], "hedge": ["tls", "ols", "tls"], "stop": ["10", "not set", "9"]}
    )
    fig = charts.parameter_paths(given, results([0.1, 0.5, 0.9]))
    fast, hedge, stop, sharpe, *rest = fig.data[0].dimensions
    assert (fast.label, list(fast["values"]), list(fast.ticktext)) == ("Fast", [5.0, 10.0, 5.0], ["5", "10"])
    assert (list(hedge.ticktext), list(hedge["values"])) == (["ols", "tls"], [1.0, 0.0, 1.0])
    assert list(stop.ticktext) == ["9", "10", "not set"]  # by size, not by letters
    assert (sharpe.label, list(sharpe["values"])) == ("Sharpe", [0.1, 0.5, 0.9])
    assert [one.label for one in rest] == ["Return", "Drawdown"]
    assert list(fig.data[0].line.color) == [0.1, 0.5, 0.9]
    assert charts.table_behind(fig)["hedge"].tolist() == ["tls", "ols", "tls"]
    assert title(fig) == "The best Sharpe ratio is 0.90, the middle one 0.50"


def test_the_title_names_the_parameter_that_orders_the_results():
    rng = np.random.default_rng(1)
    given = pd.DataFrame({"fast": rng.permutation(40.0 * np.arange(1, 41)), "slow": np.arange(40.0)})
    falling = charts.parameter_paths(given, results((-(given["slow"] ** 3)).tolist()))
    assert title(falling) == "The Sharpe ratio falls with slow: rank correlation -1.00"
    none = charts.parameter_paths(given[["fast"]], results(np.cos(np.arange(40.0)).tolist()))
    assert title(none).startswith("No one parameter orders the Sharpe ratio; fast does most")


def test_more_lines_than_can_be_drawn_are_thinned_and_a_trial_without_a_ratio_is_left_out():
    n = PATHS + 500
    given = pd.DataFrame({"fast": np.arange(float(n))})
    fig = charts.parameter_paths(given, results([float("nan"), *np.arange(1.0, n)]))
    drawn = np.array(fig.data[0].dimensions[0]["values"])
    assert len(drawn) == PATHS
    assert (drawn[0], drawn[-1]) == (1.0, n - 1.0)
    assert f"2,000 of {n - 1:,} lines" in charts.alt_text(fig)


def test_nothing_to_set_side_by_side_is_said():
    with pytest.raises(DataError, match="differ in no parameter"):
        charts.parameter_paths(pd.DataFrame(index=[0, 1]), results([0.1, 0.2]))
    with pytest.raises(DataError, match="known Sharpe ratio"):
        charts.parameter_paths(pd.DataFrame({"fast": [1.0]}), results([float("nan")]))


@pytest.mark.parametrize("kind", ["curves", "paths"])
def test_in_the_dark_no_light_colour_is_left(kind):
    paths = charts.parameter_paths(pd.DataFrame({"fast": [1.0, 2.0]}), results([0.1, 0.2]))
    fig = charts.trial_curves(growth(4), ["trial 2"]) if kind == "curves" else paths
    dark = charts.in_theme(fig, "dark").to_json()
    light = set(color_swap()) - set(color_swap().values())
    assert not [color for color in light if f'"{color}' in dark]
