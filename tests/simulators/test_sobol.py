"""Sobol shocks: normal, independent from session to session, and coarse features first."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quantlib.simulators import sobol
from quantlib.simulators.sobol import bridge, bridge_nb, sobol_shocks
from quantlib.simulators.streams import Streams


@pytest.mark.parametrize("horizon", [1, 2, 7, 64, 100])
def test_the_bridge_turns_independent_numbers_into_independent_steps(horizon: int) -> None:
    nodes, weights = bridge(horizon)
    ranks = np.arange(horizon)[:, None]
    # One coordinate at a time: the columns of the linear map from the bridge's numbers to the steps.
    steps = bridge_nb(Streams(7, 0, horizon).states(), np.eye(horizon), ranks, horizon, nodes, weights)[:, :, 0]
    np.testing.assert_allclose(steps @ steps.T, np.eye(horizon), atol=1e-12)
    np.testing.assert_allclose(steps.sum(axis=1), np.sqrt(horizon) * (np.arange(horizon) == 0), atol=1e-12)


def test_shocks_are_standard_normal_and_independent_with_and_without_random_ones() -> None:
    shocks = sobol_shocks(Streams(7, 0, 4096), 200, np.array([4.0, 1.0]))  # 256 coordinates of 400
    flat = shocks.reshape(4096, -1)
    assert stats.kstest(flat[:, ::7].ravel(), stats.norm.cdf).pvalue > 0.001
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=0.06)
    pairs = np.cov(flat, rowvar=False) - np.eye(400)
    assert np.abs(pairs).max() < 6 / np.sqrt(4096)
    assert np.sqrt(np.square(pairs).mean()) < 1.1 / np.sqrt(4096)


def test_the_end_of_every_factor_is_spread_more_evenly_than_chance() -> None:
    shocks = sobol_shocks(Streams(7, 0, 1024), 50, np.array([4.0, 1.0, 0.1]))
    ends = shocks.sum(axis=1) / np.sqrt(50)
    for end in ends.T:
        assert stats.kstest(end, stats.norm.cdf).statistic < 0.004  # by chance: 0.027 in the middle of its law


def test_a_path_is_its_point_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sobol, "NET", 64)
    sobol._normal_net.cache_clear()
    variances = np.array([1.0, 0.5])
    whole = sobol_shocks(Streams(7, 0, 150), 12, variances)  # more than two nets
    for first, count in ((0, 1), (60, 10), (127, 23), (149, 1)):
        part = sobol_shocks(Streams(7, first, count), 12, variances)
        assert np.array_equal(part, whole[first : first + count])
    assert len(np.unique(whole[:, 0, 0])) == 150
    assert not np.array_equal(sobol_shocks(Streams(8, 0, 150), 12, variances), whole)
    sobol._normal_net.cache_clear()


def test_compiled_equals_python() -> None:
    nodes, weights = bridge(9)
    ranks = np.arange(18).reshape(9, 2)
    points = np.random.default_rng(1).standard_normal((3, 10))
    made = bridge_nb(Streams(7, 0, 3).states(), points, ranks, 9, nodes, weights)
    with np.errstate(over="ignore"):
        plain = bridge_nb.py_func(Streams(7, 0, 3).states(), points, ranks, 9, nodes, weights)
    np.testing.assert_allclose(made, plain, rtol=1e-12, atol=1e-14)
