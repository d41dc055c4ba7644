"""Charts of a trained model: titles, signs and colours say what the numbers say."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from quantlib.charts import alt_text, table_behind
from quantlib.charts.models import drift_bars, fold_gains, gain_intervals, predictions_over_time
from quantlib.charts.theme import LIGHT


def test_folds_are_the_priors_loss_less_the_models_and_the_band_is_the_interval() -> None:
    folds = pd.DataFrame(
        {"mse": [1.0, 3.0], "prior_mse": [1.5, 2.0], "test_start": pd.to_datetime(["2015-01-02", "2016-01-04"])}
    )
    figure = fold_gains(folds, "mse", gain=-0.25, low=-1.0, high=0.5)
    assert list(figure.data[0].y) == [0.5, -1.0]
    assert list(figure.data[0].x) == ["2015-01-02", "2016-01-04"]
    assert list(figure.data[0].marker.color) == [LIGHT.gain, LIGHT.loss]
    assert figure.layout.meta["title"] == "Better than the base rate in 1 of 2 folds"
    assert "zero is within it" in alt_text(figure)
    assert (figure.layout.shapes[0].y0, figure.layout.shapes[0].y1) == (-1.0, 0.5)
    assert "above zero" in alt_text(fold_gains(folds, "mse", gain=0.3, low=0.1, high=0.5))
    assert "below zero" in alt_text(fold_gains(folds, "mse", gain=-0.3, low=-0.5, high=-0.1))
    for end in (float("inf"), float("nan")):
        unknown = fold_gains(folds, "mse", gain=0.3, low=-end, high=end)
        assert "too few sessions for an interval" in alt_text(unknown)
        assert len(unknown.layout.shapes) == len(figure.layout.shapes) - 1


def test_the_hardest_yardstick_is_the_one_with_the_lower_loss() -> None:
    folds = pd.DataFrame({"mse": [1.0, 3.0], "prior_mse": [1.5, 4.0], "naive_mse": [0.5, 2.0]})
    figure = fold_gains(folds, "mse", gain=-0.75, low=-1.0, high=-0.5, over="naive")
    assert list(figure.data[0].y) == [-0.5, -1.0]
    assert figure.layout.meta["title"] == "Better than the last known value in 0 of 2 folds"


def test_predictions_name_the_highest_and_the_lowest_of_today() -> None:
    days = pd.bdate_range("2020-01-01", periods=30)
    said = pd.DataFrame({"A": np.linspace(0.4, 0.6, 30), "B": np.linspace(0.6, 0.45, 30)}, index=days)
    figure = predictions_over_time(said, date(2020, 1, 20))
    assert figure.layout.meta["title"] == "Today it says 0.6 of A, the most, and 0.45 of B, the least"
    assert [trace.name for trace in figure.data] == ["A", "B"]
    assert figure.layout.shapes[0].x0 == "2020-01-20"
    alone = predictions_over_time(said[["A"]], date(2020, 1, 20))
    assert alone.layout.meta["title"] == "Today it says 0.6 of A"
    many = predictions_over_time(pd.concat([said["A"].rename(f"S{k}") for k in range(9)], axis=1), date(2020, 1, 20))
    assert len(many.data) == 1  # their mean: nine lines would be none
    said.iloc[-1] = [np.nan, 0.45]  # a strategy that is judged may hold one of them, or neither
    assert predictions_over_time(said, date(2020, 1, 20)).layout.meta["title"] == "Today it says 0.45 of B"
    said.iloc[-1] = np.nan
    assert predictions_over_time(said, date(2020, 1, 20)).layout.meta["title"] == "Today it says nothing"


def test_drift_is_coloured_by_its_word_and_the_farthest_is_on_top() -> None:
    drift = pd.DataFrame(
        {"psi": [0.5, 0.15, 0.01, np.nan], "noise": 0.02, "word": ["drifted", "moved", "stable", "unknown"]},
        index=["a", "b", "c", "d"],
    )
    figure = drift_bars(drift, stable=0.1, drifted=0.25)
    assert figure.layout.meta["title"] == "1 of 4 have drifted, a most"
    assert list(figure.data[0].y) == ["c", "b", "a"]  # plotly draws from below
    assert list(figure.data[0].marker.color) == [LIGHT.gain, LIGHT.caution, LIGHT.loss]
    assert table_behind(figure)["word"].tolist() == ["drifted", "moved", "stable", "unknown"]
    still = drift_bars(drift.tail(2), stable=0.1, drifted=0.25)
    assert still.layout.meta["title"] == "Nothing has drifted from what it learned from"


def test_intervals_count_what_helped_and_what_hurt() -> None:
    table = pd.DataFrame(
        {"gain": [0.0, 0.2, -0.3, 0.1], "low": [0.0, 0.1, -0.4, -0.1], "high": [0.0, 0.3, -0.2, 0.3]},
        index=["history", "augment", "worlds", "pretrain"],
    )
    figure = gain_intervals(table, what="loss")
    assert figure.layout.meta["title"] == "1 of 3 helped beyond chance, 1 hurt"
    assert list(figure.data[0].y) == ["pretrain", "worlds", "augment"]
    np.testing.assert_allclose(figure.data[0].error_x.array, [0.2, 0.1, 0.1])
    np.testing.assert_allclose(figure.data[0].error_x.arrayminus, [0.2, 0.1, 0.1])
    endless = gain_intervals(table.assign(low=-np.inf, high=np.inf), what="loss")
    assert endless.layout.meta["title"] == "0 of 3 helped beyond chance, 0 hurt"
    np.testing.assert_allclose(endless.data[0].error_x.array, 0.0)
