"""Ratios between legs, against numpy, scipy, statsmodels and a textbook filter on the same windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

from quantlib.strategies.hedge import DIFFUSE, kalman_nb, ratios, rolling_moments_nb
from quantlib.strategies.legs import Hedge
from quantlib.types import FloatArray, Panel

N = 120
PAIR = np.array([1.0, -1.0])
FLY = np.array([1.0, -2.0, 1.0])
NONE = np.full(3, np.nan)
ROWS = (N, 500, 1200)


@pytest.fixture(scope="module")
def log(stocks: Panel) -> FloatArray:
    """Return log closes of four related stocks."""
    return np.log(stocks.select(["JNJ", "MRK", "PFE", "KO"]).tail(1300).close)


def found(method: str, log: FloatArray, weights: FloatArray, explained: int = 0, **fields: object) -> FloatArray:
    hedge = Hedge.model_validate({"method": method, "lookback": N, **fields})
    return ratios(hedge, log, weights, NONE[: len(weights)], explained)[0]


def test_moments_are_those_of_each_window(log: FloatArray) -> None:
    values = log[:300].copy()
    values[150, 1] = np.nan
    means, covariances = rolling_moments_nb(values, N)
    for t in range(300):
        window = values[t - N + 1 : t + 1]
        if t < N - 1 or np.isnan(window[:, 1]).any():
            assert np.isnan(means[t, 1])
            assert np.isnan(covariances[t, 1]).all()
        else:
            np.testing.assert_allclose(means[t], window.mean(axis=0), rtol=1e-13)
            np.testing.assert_allclose(covariances[t], np.cov(window.T), rtol=1e-10)
    for jit, plain in zip(rolling_moments_nb(values, 50), rolling_moments_nb.py_func(values, 50), strict=True):
        np.testing.assert_allclose(jit, plain, rtol=1e-12)


def test_a_window_does_not_know_what_came_before_it(log: FloatArray) -> None:
    whole = rolling_moments_nb(log, N)[1]
    later = rolling_moments_nb(log[700:], N)[1]
    np.testing.assert_array_equal(whole[700 + N :], later[N:])


@pytest.mark.parametrize("t", ROWS)
def test_ols_equals_statsmodels(log: FloatArray, t: int) -> None:
    window = log[t - N + 1 : t + 1]
    pair = sm.OLS(window[:, 0], sm.add_constant(window[:, 1])).fit().params
    np.testing.assert_allclose(found("ols", log[:, :2], PAIR)[t], [1.0, -pair[1]], rtol=1e-9)
    fly = sm.OLS(window[:, 1], sm.add_constant(window[:, [0, 2]])).fit().params
    np.testing.assert_allclose(found("ols", log[:, :3], FLY, 1)[t], [fly[1], -1.0, fly[2]], rtol=1e-8)


@pytest.mark.parametrize("t", ROWS)
def test_beta_is_the_slope_of_returns(log: FloatArray, t: int) -> None:
    moves = np.diff(log, axis=0)[t - N : t]
    slope = np.polyfit(moves[:, 1], moves[:, 0], 1)[0]
    np.testing.assert_allclose(found("beta", log[:, :2], PAIR)[t], [1.0, -slope], rtol=1e-9)


@pytest.mark.parametrize("t", ROWS)
def test_tls_is_the_line_nearest_to_the_points_at_right_angles(log: FloatArray, t: int) -> None:
    window = log[t - N + 1 : t + 1, :2]
    least = np.linalg.svd(window - window.mean(axis=0))[2][-1]
    expected = least / least[0]
    a = found("tls", log[:, :2], PAIR)[t]
    np.testing.assert_allclose(a, expected, rtol=1e-8)
    # No other slope has smaller squared distances.
    distance = [
        ((window - window.mean(axis=0)) @ [1.0, b]).var() / (1 + b**2) for b in a[1] + np.linspace(-0.2, 0.2, 41)
    ]
    assert np.argmin(distance) == 20


@pytest.mark.parametrize("t", ROWS)
def test_pca_is_neutral_to_the_first_two_components_of_returns(log: FloatArray, t: int) -> None:
    moves = np.diff(log[:, :3], axis=0)[t - N : t]
    components = np.linalg.svd(moves - moves.mean(axis=0))[2]
    a = found("pca", log[:, :3], FLY, 1)[t]
    np.testing.assert_allclose(components[:2] @ a, 0.0, atol=1e-10 * np.abs(a).max())
    np.testing.assert_allclose(a, -components[2] / components[2][1], rtol=1e-7)
    assert a[1] == -1.0


def test_volatility_gives_legs_shares_of_risk(log: FloatArray) -> None:
    a = found("volatility", log[:, :3], FLY, 1)
    for t in ROWS:
        risk = a[t] * np.diff(log[:, :3], axis=0)[t - N : t].std(axis=0, ddof=1)
        np.testing.assert_allclose(risk / risk[0], FLY, rtol=1e-10)
        assert a[t, 1] == pytest.approx(-2.0)
    assert np.isnan(a[N - 1]).all()
    assert np.isfinite(a[N]).all()


def test_dollar_neutral_buys_as_much_as_it_sells(log: FloatArray) -> None:
    np.testing.assert_allclose(found("dollar_neutral", log[:, :3], np.array([1.0, -3.0, 4.0]))[7], [0.2, -1.0, 0.8])


def test_dv01_of_all_legs_cancels(log: FloatArray) -> None:
    durations = np.array([1.9, 4.6, 8.5])
    a, usable = ratios(Hedge(method="dv01"), log[:, :3], FLY, durations, 1)
    np.testing.assert_allclose(a[0] * durations, np.array([1.0, -2.0, 1.0]) * 4.6)
    assert a[0, 1] == -2.0
    assert usable.all()


def textbook(y: FloatArray, x: FloatArray, drift: float) -> list[FloatArray]:
    """Return the states of the Kalman filter as its equations stand in any book, with matrices."""
    k = x.shape[1] + 1
    state, cov, out = np.zeros((k, 1)), np.eye(k) * DIFFUSE, []
    for t in range(len(y)):
        h = np.append(x[t], 1.0)[None, :]
        cov = cov + drift * np.eye(k)
        s = h @ cov @ h.T + 1.0
        gain = cov @ h.T / s
        state = state + gain * (y[t] - h @ state)
        cov = (np.eye(k) - gain @ h) @ cov
        out.append(state[:, 0])
    return out


@pytest.mark.parametrize("others", [[1], [1, 2]])
def test_kalman_equals_the_textbook(log: FloatArray, others: list[int]) -> None:
    y, x = log[:600, 0] - log[0, 0], log[:600, others] - log[0, others]
    states = kalman_nb(y, x, 1e-4, DIFFUSE)
    np.testing.assert_allclose(states[50:], textbook(y, x, 1e-4)[50:], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(states, kalman_nb.py_func(y, x, 1e-4, DIFFUSE), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("others", "drift"), [([1], 1e-4), ([1, 2], 1e-3)])
def test_kalman_equals_the_filter_of_statsmodels(log: FloatArray, others: list[int], drift: float) -> None:
    y, x = log[:600, 0] - log[0, 0], log[:600, others] - log[0, others]
    k = len(others) + 1
    oracle = KalmanFilter(k_endog=1, k_states=k)
    oracle.bind(y)
    oracle["design"] = np.column_stack([x, np.ones(len(y))]).T[None]
    oracle["transition"] = oracle["selection"] = np.eye(k)
    oracle["obs_cov"] = np.eye(1)
    oracle["state_cov"] = drift * np.eye(k)
    # Its first state is the one predicted for the first row, after a step.
    oracle.initialize_known(np.zeros(k), (DIFFUSE + drift) * np.eye(k))
    expected = oracle.filter().filtered_state.T
    np.testing.assert_allclose(kalman_nb(y, x, drift, DIFFUSE)[50:], expected[50:], rtol=1e-5, atol=1e-7)


def test_kalman_without_drift_is_a_regression_on_all_so_far(log: FloatArray) -> None:
    a = found("kalman", log[:, :2], PAIR, drift=0.0)
    for t in (400, 1200):
        y, x = (log[: t + 1, i] - log[0, i] for i in (0, 1))
        slope = sm.OLS(y, sm.add_constant(x)).fit().params[1]
        assert a[t, 1] == pytest.approx(-slope, rel=1e-4)
    assert np.isnan(a[: N - 1]).all()
    assert np.isfinite(a[N - 1 :]).all()


def test_kalman_does_not_depend_on_the_unit_of_prices(log: FloatArray) -> None:
    in_cents = log[:, :2] + [np.log(100.0), 0.0]
    np.testing.assert_allclose(found("kalman", in_cents, PAIR), found("kalman", log[:, :2], PAIR), rtol=1e-6)


def test_kalman_follows_a_ratio_that_changes() -> None:
    rng = np.random.default_rng(4)
    x = np.cumsum(rng.normal(0, 0.02, 1500))
    slope = np.where(np.arange(1500) < 700, 0.5, 1.5)
    y = np.cumsum(slope * np.diff(x, prepend=0.0)) + rng.normal(0, 0.005, 1500)
    a = found("kalman", np.stack([y, x], axis=1), PAIR, drift=1e-2)
    assert a[690, 1] == pytest.approx(-0.5, abs=0.15)
    assert a[1490, 1] == pytest.approx(-1.5, abs=0.15)


@pytest.mark.parametrize("method", ["ols", "tls", "kalman", "beta"])
def test_the_sold_leg_of_a_switch_is_the_hedge(log: FloatArray, method: str) -> None:
    pair = found(method, log[:, [1, 0]], PAIR)
    switch = found(method, log[:, :2], np.array([-1.0, 1.0]), 1)
    np.testing.assert_allclose(switch[:, ::-1], pair, rtol=1e-9)


@pytest.mark.parametrize("method", ["ols", "tls", "beta", "kalman"])
def test_legs_that_move_against_each_other_hedge_nothing(method: str) -> None:
    x = np.cumsum(np.random.default_rng(3).normal(0, 0.01, 400))
    hedge = Hedge(method=method, lookback=60)
    a, usable = ratios(
        hedge, np.stack([-x, x], axis=1) + 1e-4 * np.random.default_rng(5).normal(size=(400, 2)), PAIR, NONE[:2], 0
    )
    assert (a[100:, 1] > 0).all()
    assert not usable.any()


def test_nothing_is_found_where_nothing_moves_or_two_legs_are_one() -> None:
    x = np.cumsum(np.random.default_rng(3).normal(0, 0.01, 300))
    still = np.stack([x, np.full(300, 3.0)], axis=1)
    twins = np.stack([x, np.sin(x), np.sin(x)], axis=1)
    for method in ("ols", "tls", "beta", "volatility"):
        a, usable = ratios(Hedge(method=method, lookback=60), still, PAIR, NONE[:2], 0)
        assert np.isnan(a).all(), method
        assert not usable.any()
    a, usable = ratios(Hedge(method="ols", lookback=60), twins, np.array([-1.0, 1.0, 1.0]), NONE, 0)
    assert np.isnan(a).all()
    assert not usable.any()


@pytest.mark.parametrize("method", ["ols", "tls", "beta", "volatility", "kalman", "pca"])
def test_no_ratio_knows_the_future(log: FloatArray, method: str) -> None:
    whole = found(method, log[:, :3], FLY, 1)
    for t in (200, 777):
        np.testing.assert_array_equal(found(method, log[: t + 1, :3], FLY, 1)[t], whole[t])


def test_pandas_agrees_on_volatility(log: FloatArray) -> None:
    a = found("volatility", log[:, :2], PAIR)
    deviation = pd.DataFrame(log[:, :2]).diff().rolling(N).std()
    np.testing.assert_allclose(-a[N:, 1], (deviation[0] / deviation[1]).to_numpy()[N:], rtol=1e-7)
