"""Moving averages from sums: as exact as adding every window up, and still where prices stand still."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from quantlib.indicators.moving import moving_average, running_sums, running_sums_nb, sma_nb
from quantlib.types import FloatArray, Panel


def added_up(close: FloatArray, n: int) -> FloatArray:
    """Return the mean of every window [T, N], each added up exactly."""
    out = np.full(close.shape, np.nan)
    for t in range(n - 1, len(close)):
        for i in range(close.shape[1]):
            window = close[t - n + 1 : t + 1, i]
            if np.isfinite(window).all():
                out[t, i] = float(sum(map(Fraction, window.tolist()), Fraction(0)) / n)
    return out


@pytest.mark.parametrize("n", [1, 2, 7, 50, 99, 101])
def test_every_window_is_its_exact_mean_to_the_last_digit_but_one(stocks: Panel, n: int) -> None:
    close = stocks.close[-100:, :4].copy()
    close[30, 0] = close[60:63, 1] = np.nan
    close[:, 2] *= 1e9 ** np.linspace(0, 1, 100)
    found = moving_average(running_sums(close), n).T
    np.testing.assert_allclose(found, added_up(close, n), rtol=1e-15)


def test_rounding_does_not_grow_with_history(stocks: Panel) -> None:
    found = moving_average(running_sums(stocks.close), 5)[:, -1]
    exact = [math.fsum(column) / 5 for column in stocks.close[-5:].T]
    np.testing.assert_allclose(found, exact, rtol=1e-15)


def test_a_price_that_stands_still_is_its_own_mean() -> None:
    rng = np.random.default_rng(5)
    close = np.concatenate([rng.uniform(1, 100, (50, 30)), np.repeat(rng.uniform(0.01, 999, (1, 30)), 200, axis=0)])
    sums = running_sums(close)
    for n in (3, 10, 49, 150):
        np.testing.assert_array_equal(moving_average(sums, n)[:, -1], close[-1])


def test_the_compiled_code_is_its_python(stocks: Panel) -> None:
    close = np.ascontiguousarray(stocks.close[-60:, :2].T).copy()
    close[0, 20] = np.nan
    fast, slow = running_sums_nb(close), running_sums_nb.py_func(close)
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(sma_nb(*fast, 7), sma_nb.py_func(*slow, 7))
