"""The population stability index by hand, and what it says in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.ml.drift import drift, population_stability


def test_the_index_by_hand() -> None:
    training = np.repeat([1.0, 2.0], 50)  # two bins of one half each
    now = np.repeat([1.0, 2.0], [20, 80])
    assert population_stability(training, now) == pytest.approx((0.2 - 0.5) * np.log(0.4) + (0.8 - 0.5) * np.log(1.6))
    ten = np.arange(100.0)
    top = np.full(7, 95.0)  # all in the last of ten bins
    expected = 9 * (1e-4 - 0.1) * np.log(1e-4 / 0.1) + (1 - 0.1) * np.log(1 / 0.1)
    assert population_stability(ten, top) == pytest.approx(expected)
    assert population_stability(ten, ten) == 0.0
    assert population_stability(ten, np.r_[ten, np.nan]) == 0.0
    assert np.isnan(population_stability(ten, np.array([np.nan])))


def test_words_and_noise() -> None:
    rng = np.random.default_rng(2)
    training = pd.DataFrame(rng.standard_normal((5000, 4)), columns=["same", "moved", "drifted", "gone"])
    now = pd.DataFrame(rng.standard_normal((500, 4)), columns=training.columns)
    now["moved"] += 0.4
    now["drifted"] = 2 * now["drifted"] + 1
    now["gone"] = np.nan
    table = drift(training, now)
    assert table["word"].to_dict() == {"drifted": "drifted", "moved": "moved", "same": "stable", "gone": "unknown"}
    assert table.index[0] == "drifted"
    assert table.loc["same", "noise"] == pytest.approx(9 * (1 / 5000 + 1 / 500))
    # What nothing but chance gives, over many samples.
    chance = [population_stability(training["same"].to_numpy(), rng.standard_normal(500)) for _ in range(200)]
    assert np.mean(chance) == pytest.approx(table.loc["same", "noise"], rel=0.15)


def test_bad_input_is_refused() -> None:
    table = pd.DataFrame({"a": [1.0], "b": [2.0]})
    with pytest.raises(DataError, match="lack the column 'b'"):
        drift(table, table[["a"]])
    with pytest.raises(DataError, match="bins is 1"):
        population_stability(np.ones(3), np.ones(3), bins=1)
