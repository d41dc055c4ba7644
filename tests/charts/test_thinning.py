from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.charts.thinning import drawn, sparkline, thin
from quantlib.types import Panel


def test_what_is_short_enough_comes_back_as_it_is(small: Panel):
    close = small.frame()
    assert thin(close, len(close)) is close


@pytest.mark.parametrize("n", [10, 100, 999])
def test_extremes_and_both_ends_are_kept(stocks: Panel, n: int):
    close = stocks.frame()[["KO", "MSFT"]]
    shown = thin(close, n)
    assert len(shown) <= n
    assert shown.index.is_monotonic_increasing
    assert shown.index.is_unique
    assert shown.index[[0, -1]].tolist() == close.index[[0, -1]].tolist()
    pd.testing.assert_series_equal(shown.max(), close.max())
    pd.testing.assert_series_equal(shown.min(), close.min())


def test_every_stretch_keeps_its_own_low_and_high(stocks: Panel):
    close = stocks.frame()["XOM"]
    shown = thin(close, 601)
    edges = np.linspace(0, len(close), 201).astype(int)
    for a, b in pairwise(edges):
        stretch = close.iloc[a:b]
        assert {stretch.min(), stretch.max(), stretch.iloc[-1]} <= set(shown.reindex(stretch.index).dropna())


@settings(max_examples=60)
@given(st.integers(2, 400), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_never_more_than_asked_even_with_unknown_values(rows: int, n: int, seed: int):
    rng = np.random.default_rng(seed)
    values = pd.Series(np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)))
    shown = thin(values, max(n, 4))
    assert len(shown) <= max(n, 4)
    if values.notna().any():
        assert shown.max() == values.max()
        assert shown.min() == values.min()


def test_thinning_is_owned_up_to():
    assert drawn(100, 100) == ""
    assert drawn(8313, 1200).startswith("8,313 sessions drawn as 1,200 points")


def test_sparkline_ends_at_the_last_known_value():
    values = [float("nan"), *range(1, 101), None]
    line = sparkline([np.nan if v is None else v for v in values], 10)
    assert line == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert sparkline([]) == []
    assert sparkline(pd.Series([1.23456789])) == [1.23457]
