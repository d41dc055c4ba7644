"""Ornstein-Uhlenbeck spreads against their closed forms, and their fit against planted ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from quantlib.errors import DataError
from quantlib.simulators import ornstein_uhlenbeck as room
from quantlib.simulators.ornstein_uhlenbeck import OrnsteinUhlenbeck, OrnsteinUhlenbeckCalibration, fit_spread
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

HEDGE, LEVEL, NOISE = 0.8, 0.3, 0.008


def legs(seed: int, *, half_life: float = 15, sessions: int = 1000, together: float = 0.3) -> FloatArray:
    """Return log prices [T + 1, 2] of a leg that wanders and one tied to it, whose shocks correlate."""
    rng = np.random.default_rng(seed)
    phi = 0.5 ** (1 / half_life)
    shocks = rng.standard_normal((sessions, 2))
    common = np.append(0.0, (0.0003 + 0.012 * shocks[:, 0]).cumsum()) + np.log(100)
    own = NOISE * (together * shocks[:, 0] + np.sqrt(1 - together**2) * shocks[:, 1])
    spread = np.empty(sessions + 1)
    spread[0] = NOISE / np.sqrt(1 - phi**2) * rng.standard_normal()
    for t in range(sessions):
        spread[t + 1] = phi * spread[t] + own[t]
    return np.column_stack([common, LEVEL + HEDGE * common + spread])


def tied(seed: int, **law: float) -> Panel:
    prices = np.exp(legs(seed, **law))
    return Panel.from_frames(
        pd.DataFrame(prices, index=pd.bdate_range("1990-01-01", periods=len(prices)), columns=["A", "B"])
    )


@pytest.fixture(scope="module")
def fit() -> OrnsteinUhlenbeckCalibration:
    return OrnsteinUhlenbeck().calibrate(tied(1))


def spreads(fit: OrnsteinUhlenbeckCalibration, moves: FloatArray) -> FloatArray:
    """Return the spread [n, horizon] that simulated log returns lead to."""
    prices = moves.cumsum(axis=1)
    return fit.now[0] + prices[:, :, 1] - fit.spreads[0].hedge * prices[:, :, 0]


def test_stationary_variance_and_half_life_are_the_closed_forms(fit: OrnsteinUhlenbeckCalibration) -> None:
    spread = fit.spreads[0]
    n, half = 1000, 8
    far = replace(
        fit,
        now=np.array([spread.level + 0.5]),
        spreads=(spread._replace(phi=0.5 ** (1 / half)),),
    )
    variance = fit.covariance[1, 1]
    phi = far.spreads[0].phi
    after = variance * (1 - phi ** (2 * half)) / (1 - phi**2)
    forever = variance / (1 - phi**2)
    z = []
    for seed in range(20):
        gaps = spreads(far, far.draw(Streams(seed, 0, n), 12 * half)) - spread.level
        z.append((gaps[:, half - 1].mean() - 0.25) / np.sqrt(after / n))
        z.append((gaps[:, -1].var(ddof=1) / forever - 1.0) / np.sqrt(2 / (n - 1)))
    assert np.abs(z).max() < 3.0
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4


def test_volatilities_and_correlation_are_those_of_the_simulated_returns(fit: OrnsteinUhlenbeckCalibration) -> None:
    moves = fit.draw(Streams(3, 0, 400), 600)[:, 300:]  # past where the spread began
    centred = moves - moves.mean(axis=(0, 1))
    per_path = np.einsum("pti,ptj->pij", centred, centred) / centred.shape[1]
    scale = fit.volatility / np.sqrt(fit.periods_per_year)
    truth = fit.correlation * np.outer(scale, scale)
    z = (per_path.mean(axis=0) - truth) / (per_path.std(axis=0) / np.sqrt(len(per_path)))
    assert np.abs(z).max() < 4


def test_the_regression_is_least_squares_and_its_errors_the_delta_method() -> None:
    prices = legs(5)
    common, leg = prices.T
    change = np.diff(common)
    ols = sm.OLS(
        np.diff(leg), np.column_stack([np.ones(len(change)), change - change.mean(), leg[:-1], common[:-1]])
    ).fit()
    found = fit_spread(common, leg, hedge=None, names=("A", "B"))
    pull, other = ols.params[2:]
    assert found.hedge == pytest.approx(-other / pull)
    assert found.level == pytest.approx(-ols.params[0] / pull)
    assert found.statistic == pytest.approx(ols.tvalues[2])
    ratio = ols.t_test(np.array([0.0, 0.0, found.hedge, 1.0])).sd.item() / (1 - found.phi)
    assert found.hedge_error == pytest.approx(ratio)
    level = ols.t_test(np.array([1.0, 0.0, found.level, 0.0])).sd.item() / (1 - found.phi)
    assert found.level_error == pytest.approx(level)
    # The bias of least squares, given to within what the common leg explains of the innovation.
    assert 0.8 < (found.phi - 1.0 - pull) / ((2 + 4 * (1 + pull)) / len(change)) < 1.0


def test_the_speed_of_small_samples_is_freed_of_most_of_its_bias() -> None:
    truth = np.log(2) / 20
    for hedge, least in ((None, 0.006), (HEDGE, 0.003)):
        plain, freed = [], []
        for seed in range(300):
            common, leg = legs(seed, half_life=20, sessions=500).T
            found = fit_spread(common, leg, hedge=hedge, names=("A", "B"))
            pull = found.statistic * found.phi_error
            plain.append(-np.log1p(pull))
            freed.append(-np.log(found.phi))
        assert np.mean(plain) - truth > least
        assert abs(np.mean(freed) - truth) < 0.3 * (np.mean(plain) - truth)


@pytest.mark.parametrize("hedge", [None, HEDGE])
def test_intervals_hold_planted_parameters(hedge: float | None) -> None:
    phi = 0.5 ** (1 / 15)
    deviation = NOISE / np.sqrt(1 - phi**2)
    truth = {
        "mean reversion": -np.log(phi) * 252,
        "half-life": 15.0,
        "level": LEVEL,
        "sigma": deviation * np.sqrt(-2 * np.log(phi) * 252),
        "deviation": deviation,
    }
    truth |= {"hedge ratio": HEDGE} if hedge is None else {}
    hits = dict.fromkeys(truth, 0)
    sets = 60
    for seed in range(sets):
        for e in OrnsteinUhlenbeck(hedge=hedge, evidence="any").calibrate(tied(seed)).estimates():
            if e.name in truth:
                hits[e.name] += abs(e.value - truth[e.name]) < 1.96 * e.error
    assert min(hits.values()) >= stats.binom.ppf(0.001, sets, 0.95), hits


def test_chance_alone_is_found_to_revert_in_one_of_twenty() -> None:
    rng = np.random.default_rng(8)
    draws = 1000
    for hedge in (None, 1.0):
        found = 0
        for _ in range(draws):
            common, leg = (0.01 * rng.standard_normal((2, 401))).cumsum(axis=1)
            if hedge:
                leg += common
            spread = fit_spread(common, leg, hedge=hedge, names=("A", "B"))
            found += spread.statistic < spread.critical
        assert 0.03 * draws < found < 0.07 * draws


def test_without_drift_no_leg_is_expected_to_gain() -> None:
    panel = tied(1)
    fit = OrnsteinUhlenbeck(drift="none").calibrate(panel)
    np.testing.assert_allclose(fit.drift, 0.0, atol=1e-15)
    moves = fit.draw(Streams(2, 0, 6000), 40)
    gross = np.exp(moves)
    z = (gross.mean(axis=0) - 1.0) / (gross.std(axis=0) / np.sqrt(len(gross)))
    assert np.abs(z).max() < 4
    np.testing.assert_allclose(moves.var(axis=0), fit.variances(40), rtol=0.1)
    # The spread still reverts: the change of the next session goes against where it is.
    gaps = moves.cumsum(axis=1) @ [-fit.spreads[0].hedge, 1.0]
    slope = np.polyfit(gaps[:, 20], gaps[:, 21] - gaps[:, 20], 1)[0]
    assert slope == pytest.approx(fit.spreads[0].phi - 1.0, abs=0.02)
    kept = OrnsteinUhlenbeck().calibrate(panel)
    assert kept.mean == pytest.approx(np.diff(np.log(panel.close[:, 0])).mean())
    assert kept.draw(Streams(2, 0, 6000), 40)[:, :, 0].mean() == pytest.approx(kept.mean, abs=1e-4)


def test_mirrored_paths_meet_in_the_middle(fit: OrnsteinUhlenbeckCalibration) -> None:
    moves = fit.draw(Streams(4, 0, 6, mirrored=True), 30)
    middle = spreads(fit, 0.5 * (moves[::2] + moves[1::2])) - fit.spreads[0].level
    expected = (fit.now[0] - fit.spreads[0].level) * fit.spreads[0].phi ** np.arange(1, 31)
    np.testing.assert_allclose(middle, np.broadcast_to(expected, middle.shape), atol=1e-12)


def test_the_compiled_draw_is_the_python_one(
    fit: OrnsteinUhlenbeckCalibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = fit.draw(Streams(7, 0, 2), 5)
    monkeypatch.setattr(room, "_draw_nb", room._draw_nb.py_func)
    np.testing.assert_allclose(fit.draw(Streams(7, 0, 2), 5), compiled, rtol=1e-12)


def test_three_legs_each_have_a_spread_of_their_own() -> None:
    prices = legs(2)
    third = 0.5 * prices[:, 0] + (legs(9)[:, 1] - HEDGE * legs(9)[:, 0])
    panel = Panel.from_frames(
        pd.DataFrame(
            np.exp(np.column_stack([prices, third])),
            index=pd.bdate_range("1990-01-01", periods=len(prices)),
            columns=["A", "B", "C"],
        )
    )
    fit = OrnsteinUhlenbeck().calibrate(panel)
    assert [round(s.hedge, 1) for s in fit.spreads] == [0.8, 0.5]
    moves = fit.draw(Streams(3, 0, 300), 400)
    prices = moves.cumsum(axis=1)
    gaps = fit.now + prices[:, :, 1:] - np.array([s.hedge for s in fit.spreads]) * prices[:, :, :1]
    deviation = np.array([e.value for e in fit.estimates() if e.name == "deviation"])
    np.testing.assert_allclose(gaps[:, -1].std(axis=0), deviation, rtol=0.15)


def walks(seed: int, sessions: int = 300) -> Panel:
    prices = np.exp((0.01 * np.random.default_rng(seed).standard_normal((sessions, 2))).cumsum(axis=0))
    return Panel.from_frames(
        pd.DataFrame(prices, index=pd.bdate_range("2020-01-01", periods=sessions), columns=["A", "B"])
    )


def test_legs_that_do_not_revert_are_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match=r"No mean reversion found in the spread of B over A: .* set evidence"):
        OrnsteinUhlenbeck().calibrate(walks(1))
    assert OrnsteinUhlenbeck(evidence="any").calibrate(walks(1)).spreads[0].phi < 1.0
    away = walks(3)
    with pytest.raises(DataError, match=r"not above zero.* longer window"):
        OrnsteinUhlenbeck(hedge=-3.0, evidence="any").calibrate(away)


def test_what_is_no_spread_is_refused() -> None:
    pair = walks(1)
    with pytest.raises(DataError, match="needs two symbols or more; this panel has 1"):
        OrnsteinUhlenbeck().calibrate(pair.select(["A"]))
    twin = Panel.from_frames(pair.frame()[["A"]].assign(B=2 * pair.frame()["A"]))
    with pytest.raises(DataError, match="B moves as A does"):
        OrnsteinUhlenbeck().calibrate(twin)
    flip = pair.frame()[["A"]].assign(B=lambda f: f["A"] * np.exp(0.01 * (-1.0) ** np.arange(len(f))))
    with pytest.raises(DataError, match="turns round within one session"):
        OrnsteinUhlenbeck(hedge=1.0).calibrate(
            Panel.from_frames(flip * np.exp(1e-4 * np.random.default_rng(1).standard_normal(flip.shape)))
        )
    with pytest.raises(DataError, match="at least 60 sessions"):
        OrnsteinUhlenbeck().calibrate(pair.tail(40))
    with pytest.raises(DataError, match="never moves"):
        OrnsteinUhlenbeck().calibrate(Panel.from_frames(pair.frame().assign(B=5.0)))
