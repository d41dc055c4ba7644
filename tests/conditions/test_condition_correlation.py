"""The correlation kernel: compiled and plain are the same, and no digits are lost on large levels."""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.conditions.correlation import correlation, correlation_nb


@pytest.mark.parametrize("n", [3, 10, 60])
def test_the_kernel_is_its_python(n):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(2, 90))
    a[[4, 70]], b[30], b[80:] = np.nan, np.nan, 1.5
    np.testing.assert_allclose(correlation_nb(a, b, n), correlation_nb.py_func(a, b, n), rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1e3, 1e8])
def test_against_numpy_at_any_level(level):
    a, b = np.random.default_rng(2).normal(size=(2, 80))
    b += a
    got = correlation((a + level)[:, None], np.stack([b, -a], axis=1) - level, 20)
    wanted = [np.corrcoef(a[t - 19 : t + 1], b[t - 19 : t + 1])[0, 1] for t in range(19, 80)]
    np.testing.assert_allclose(got[19:, 0], wanted, rtol=1e-6)
    np.testing.assert_allclose(got[19:, 1], -1)
    assert np.isnan(got[:19]).all()
    assert (np.abs(got[19:]) <= 1).all()


def test_what_stands_still_has_no_correlation():
    a = np.full(30, 0.1)
    assert np.isnan(correlation_nb(a, np.arange(30.0), 3)).all()
    assert np.isnan(correlation_nb(np.arange(30.0), a, 3)).all()
    assert len(correlation_nb(a[:0], a[:0], 5)) == 0
