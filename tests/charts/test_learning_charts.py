"""Charts of models: their titles say what the numbers say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.charts import calibration_chart, fold_losses, importance_bars, table_behind


def test_calibration_is_weighed_by_rows() -> None:
    table = pd.DataFrame({"predicted": [0.4, 0.6], "observed": [0.5, 0.6], "n": [30, 10]})
    figure = calibration_chart(table)
    assert figure.layout.meta["title"] == "What came true is 0.075 from what was said on average"
    dots = figure.data[1]
    np.testing.assert_array_equal((dots.x, dots.y), ([0.4, 0.6], [0.5, 0.6]))
    assert table_behind(figure)["n"].tolist() == [30, 10]


def test_the_most_important_feature_is_on_top_and_unknown_ones_are_left_out() -> None:
    figure = importance_bars(pd.Series({"a": 0.1, "b": 0.3, "c": np.nan}))
    assert figure.layout.meta["title"] == "It leans on b most"
    assert list(figure.data[0].y) == ["a", "b"]  # plotly draws from below
    nothing = importance_bars(pd.Series({"a": -0.1, "b": 0.0}))
    assert nothing.layout.meta["title"] == "No feature makes a difference out of sample"


def test_folds_are_counted_by_their_loss() -> None:
    folds = pd.DataFrame({"log_loss": [0.6, 0.7, 0.69], "prior_log_loss": [0.69, 0.69, 0.69]})
    figure = fold_losses(folds, "log_loss")
    assert figure.layout.meta["title"] == "Better than the prior in 1 of 3 folds"
    assert list(figure.data[1].y) == [0.6, 0.7, 0.69]
