"""Markov regimes against the chain's closed forms, statsmodels' own smoother and planted regimes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from quantlib.errors import DataError
from quantlib.simulators import regime_switching as room
from quantlib.simulators.regime_switching import (
    RegimeSwitching,
    RegimeSwitchingCalibration,
    components,
    fit_regimes,
    long_run,
)
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

CHAIN = np.array([[0.95, 0.05], [0.1, 0.9]])
SIZE = np.array([0.008, 0.024])


def planted(seed: int, sessions: int = 1500) -> Panel:
    """Return three symbols, half correlated, whose volatility follows the chain."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.full((3, 3), 0.5) + 0.5 * np.eye(3))
    regime, moves = 0, np.empty((sessions, 3))
    for t in range(sessions):
        regime = regime if rng.random() < CHAIN[regime, regime] else 1 - regime
        moves[t] = (5e-4, -5e-4)[regime] + SIZE[regime] * root @ rng.standard_normal(3)
    return Panel.from_frames(
        pd.DataFrame(
            np.exp(moves.cumsum(axis=0)), index=pd.bdate_range("1990-01-01", periods=sessions), columns=list("ABC")
        )
    )


def log_returns(panel: Panel) -> FloatArray:
    return np.diff(np.log(panel.close), axis=0)


@pytest.fixture(scope="module")
def fit() -> RegimeSwitchingCalibration:
    return RegimeSwitching().calibrate(planted(1))


@pytest.fixture(scope="module")
def told(fit: RegimeSwitchingCalibration) -> RegimeSwitchingCalibration:
    """Return the fitted chain with regimes that show in the sign of every return."""
    return replace(
        fit,
        means=np.array([[-1.0] * 3, [1.0] * 3]),
        covariances=np.broadcast_to(1e-4 * np.eye(3), (2, 3, 3)),
        transition=CHAIN,
        today=np.array([0.2, 0.8]),
    )


def test_regimes_last_as_long_as_the_chain_says(told: RegimeSwitchingCalibration) -> None:
    truth, error = told.durations()
    np.testing.assert_allclose(truth, [20, 10])
    np.testing.assert_allclose(error, np.diag(told.transition_error) * truth**2)
    z = []
    for seed in range(20):
        regimes = told.draw(Streams(seed, 0, 2), 30_000)[:, :, 0] > 0
        for kind in (0, 1):
            lengths = []
            for path in regimes:
                edges = np.flatnonzero(np.diff(path)) + 1
                spells = np.diff(edges)  # whole ones only
                lengths.append(spells[path[edges[:-1]] == kind])
            seen = np.concatenate(lengths)
            spread = np.sqrt(CHAIN[kind, kind]) * truth[kind]  # of a geometric number
            z.append((seen.mean() - truth[kind]) / (spread / np.sqrt(len(seen))))
    assert np.abs(z).max() < 3.0
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4
    np.testing.assert_allclose(long_run(CHAIN) @ CHAIN, long_run(CHAIN))
    turbulent = told.draw(Streams(1, 0, 400), 600)[:, 100:, 0] > 0
    share = turbulent.mean(axis=1)
    assert abs(share.mean() - long_run(CHAIN)[1]) < 3 * share.std() / np.sqrt(400)


def test_a_world_starts_from_today(told: RegimeSwitchingCalibration) -> None:
    turbulent = told.draw(Streams(5, 0, 4000), 1)[:, 0, 0] > 0
    expected = told.today @ CHAIN[:, 1]
    assert abs(turbulent.mean() - expected) < 3 * np.sqrt(expected * (1 - expected) / 4000)


def test_each_regime_has_its_own_moments(fit: RegimeSwitchingCalibration) -> None:
    apart = replace(fit, means=fit.means + np.array([[-1.0], [1.0]]))
    moves = apart.draw(Streams(6, 0, 200), 500)
    turbulent = moves[:, :, 0] > 0
    for k, chosen in enumerate((moves[~turbulent], moves[turbulent])):
        error = np.sqrt(np.diag(fit.covariances[k]) / len(chosen))
        assert np.abs((chosen.mean(axis=0) - apart.means[k]) / error).max() < 4
        np.testing.assert_allclose(np.cov(chosen, rowvar=False), fit.covariances[k], rtol=0.05)


def test_the_mean_is_the_history_s_and_volatility_close_to_it(fit: RegimeSwitchingCalibration) -> None:
    moves = log_returns(planted(1))
    np.testing.assert_allclose(fit.share @ fit.means, moves.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(fit.volatility, moves.std(axis=0) * np.sqrt(252), rtol=0.05)
    assert fit.seen.sum() == pytest.approx(len(moves))


def test_without_drift_no_regime_has_an_edge() -> None:
    fit = RegimeSwitching(drift="none").calibrate(planted(1))
    np.testing.assert_allclose(fit.drift, 0.0, atol=1e-14)
    variances = np.diagonal(fit.covariances, axis1=1, axis2=2)
    np.testing.assert_allclose(np.exp(fit.means + 0.5 * variances), 1.0, rtol=1e-15)
    gross = np.exp(fit.draw(Streams(2, 0, 3000), 20))
    assert (np.abs(gross.mean(axis=(0, 1)) - 1.0) < 3 * gross.std(axis=(0, 1)) / np.sqrt(60_000)).all()


def test_the_climb_ends_no_lower_than_statsmodels_own(stocks: Panel) -> None:
    for panel in (planted(2, 600), stocks.select(["KO", "PEP", "MSFT"]).tail(500)):
        common = components(log_returns(panel))[:, 0]
        fit, order = fit_regimes(common)
        theirs = MarkovRegression(common, k_regimes=2, switching_variance=True).fit(search_reps=10, rng=1)
        assert fit.llf > theirs.llf - 1e-3
        assert fit.params[4 + order[0]] < fit.params[4 + order[1]]


def test_the_smoother_is_statsmodels_for_one_component() -> None:
    common = components(log_returns(planted(3, 500)))[:, 0]
    fit, _ = fit_regimes(common)
    p = fit.params
    transition = np.array([[p[0], 1 - p[0]], [p[1], 1 - p[1]]])
    height = stats.norm(p[2:4], np.sqrt(p[4:6])).pdf(common[:, None])
    for smooth in (room._smooth_nb, room._smooth_nb.py_func):
        chances, today = smooth(height, transition, long_run(transition))
        np.testing.assert_allclose(chances, fit.smoothed_marginal_probabilities, atol=1e-8)
        np.testing.assert_allclose(today, fit.filtered_marginal_probabilities[-1], atol=1e-8)


def test_intervals_hold_planted_parameters() -> None:
    year = np.sqrt(252)
    truth = {"calm: volatility": SIZE[0] * year, "turbulent: volatility": SIZE[1] * year}
    truth |= {"calm: expected duration": 20.0, "turbulent: expected duration": 10.0}
    hits = {name: [0, 0] for name in truth}
    for seed in range(8):
        for e in RegimeSwitching().calibrate(planted(seed)).estimates():
            if e.name in truth:
                hits[e.name][0] += abs(e.value - truth[e.name]) < 1.96 * e.error
                hits[e.name][1] += 1
    for name, (within, count) in hits.items():
        assert within >= stats.binom.ppf(0.001, count, 0.95), name


def test_the_compiled_draw_is_the_python_one(fit: RegimeSwitchingCalibration, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = fit.draw(Streams(7, 0, 2), 40)
    monkeypatch.setattr(room, "_draw_nb", room._draw_nb.py_func)
    np.testing.assert_allclose(fit.draw(Streams(7, 0, 2), 40), compiled, rtol=1e-12)


def test_mirrored_paths_share_their_regimes(told: RegimeSwitchingCalibration) -> None:
    moves = told.draw(Streams(4, 0, 6, mirrored=True), 60)
    middle = 0.5 * (moves[::2] + moves[1::2])
    np.testing.assert_allclose(np.abs(middle), 1.0, atol=1e-12)


def test_a_symbol_twice_moves_as_one() -> None:
    frame = planted(4).frame()
    fit = RegimeSwitching().calibrate(Panel.from_frames(frame.assign(TWIN=frame["A"])))
    moves = fit.draw(Streams(1, 0, 3), 50)
    np.testing.assert_allclose(moves[:, :, 3], moves[:, :, 0], atol=1e-12)


def test_a_few_odd_days_are_no_regime() -> None:
    moves = 0.01 * np.random.default_rng(3).standard_normal((300, 2))
    moves[[50, 120]] *= 60.0
    panel = Panel.from_frames(
        pd.DataFrame(np.exp(moves.cumsum(axis=0)), index=pd.bdate_range("2020-01-01", periods=300), columns=["A", "B"])
    )
    with pytest.raises(DataError, match=r"No two regimes found.* Take a longer window, or another law"):
        RegimeSwitching().calibrate(panel)
    with pytest.raises(DataError, match="at least 60 sessions"):
        RegimeSwitching().calibrate(panel.tail(30))


def test_what_is_not_known_of_the_regimes_widens_the_errors(fit: RegimeSwitchingCalibration) -> None:
    moves = log_returns(planted(1))
    sure = np.zeros((len(moves), 2))
    sure[:1000, 0] = sure[1000:, 1] = 1.0
    means, covariances = room.by_regime(moves, sure)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    np.testing.assert_allclose(means[1], moves[1000:].mean(axis=0))
    np.testing.assert_allclose(covariances[0], np.cov(moves[:1000], rowvar=False, ddof=0))
    known = room.known_of(moves, sure, means, variances)
    np.testing.assert_allclose(known, np.broadcast_to(sure.sum(axis=0)[:, None], (2, 2, 3)))
    assert (fit.known < fit.seen[:, None]).all()
    assert np.isnan(room.known_of(moves, np.full_like(sure, 0.5), means, variances)).any()
