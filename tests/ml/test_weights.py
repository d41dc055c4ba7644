"""Uniqueness weights by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.ml.weights import average_uniqueness, uniqueness_weights


def test_average_uniqueness_by_hand() -> None:
    # Sessions 1 to 6. The first label is made of 1, 2, 3; the second of 3, 4; the third of 3; the last of 6.
    begin, end = np.array([0, 2, 2, 5]), np.array([3, 4, 3, 6])
    # At session 3 three labels share, elsewhere each is alone.
    expected = [(1 + 1 + 1 / 3) / 3, (1 / 3 + 1) / 2, 1 / 3, 1.0]
    np.testing.assert_allclose(average_uniqueness(begin, end), expected)
    np.testing.assert_allclose(average_uniqueness(begin + 100, end + 100), expected)
    assert average_uniqueness(begin[:0], end[:0]).tolist() == []


def test_each_symbol_counts_by_itself_and_weights_have_mean_one() -> None:
    days = pd.bdate_range("2024-01-01", periods=8)
    index = pd.MultiIndex.from_tuples(
        [(days[2], "B"), (days[0], "A"), (days[2], "A"), (days[5], "A"), (days[2], "C")], names=["ts", "symbol"]
    )
    ends = pd.Series([days[3], days[3], days[4], days[6], days[7]], index=index)
    raw = np.array([1.0, (1 + 1 + 1 / 2) / 3, (1 / 2 + 1) / 2, 1.0, 1.0])
    weights = uniqueness_weights(ends, days)
    np.testing.assert_allclose(weights, raw / raw.mean())
    assert weights.mean() == pytest.approx(1.0)


def test_labels_that_overlap_evenly_weigh_the_same_but_for_the_ends() -> None:
    days = pd.bdate_range("2024-01-01", periods=40)
    index = pd.MultiIndex.from_product([days[:35], ["A"]], names=["ts", "symbol"])
    weights = uniqueness_weights(pd.Series(days[5:], index=index), days)
    assert np.ptp(weights[4:-4]) < 1e-12
    assert weights[0] > weights[10] < weights[-1]
