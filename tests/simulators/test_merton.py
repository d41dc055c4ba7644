"""Merton's jump diffusion against its characteristic function, and its fit against laws that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from planted import far_off, panel_of
from scipy import stats

from benchmarks.calibration import coverage
from quantlib.errors import DataError
from quantlib.simulators.merton import Merton, MertonCalibration, count_chances, merton_moves_nb, shared_moments
from quantlib.simulators.merton_fit import jump_loss_nb
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel


@pytest.fixture(scope="module")
def fit(stocks: Panel) -> MertonCalibration:
    return Merton().calibrate(stocks.select(["KO", "AMD", "JPM"]).tail(1501))


def cumulants(law: MertonCalibration, i: int, horizon: int) -> FloatArray:
    """Return the first four cumulants: derivatives of the log characteristic function by Cauchy's formula."""
    jump = law.jumps[i]

    def log_characteristic(u: np.ndarray) -> np.ndarray:
        jumps = jump.intensity * (np.exp(1j * u * jump.mean - 0.5 * jump.deviation**2 * u**2) - 1)
        return horizon * (1j * u * law.center[i] - 0.5 * jump.volatility**2 * u**2 + jumps)

    radius, angles = 20.0, 2 * np.pi * np.arange(64) / 64
    series = np.fft.fft(log_characteristic(radius * np.exp(1j * angles))) / 64
    orders = np.arange(1, 5)
    return np.real(series[1:5] / radius**orders * np.array([1, 2, 6, 24]) / 1j**orders)


@pytest.mark.parametrize("horizon", [1, 21])
def test_moments_are_those_of_the_characteristic_function(fit: MertonCalibration, horizon: int) -> None:
    law = cumulants(fit, 0, horizon)
    assert law[3] / law[1] ** 2 > 0.2  # the tails are there to be seen
    assert np.abs(far_off(fit, horizon, law, paths=5_000)).max() < 3


def test_the_stated_mean_and_volatility_are_the_laws(fit: MertonCalibration, stocks: Panel) -> None:
    moves = np.diff(np.log(stocks.select(["KO", "AMD", "JPM"]).tail(1501).close), axis=0)
    laws = np.array([cumulants(fit, i, 1) for i in range(3)])
    np.testing.assert_allclose(laws[:, 0], moves.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.sqrt(252 * laws[:, 1]), fit.volatility, rtol=1e-9)
    # Of the history the likelihood need not keep the variance, but it comes near.
    np.testing.assert_allclose(fit.volatility, moves.std(axis=0) * np.sqrt(252), rtol=0.05)


def test_without_drift_every_session_expects_nothing(stocks: Panel) -> None:
    law = Merton(drift="none").calibrate(stocks.select(["AMD"]).tail(1501))
    jump = law.jumps[0]
    growth = law.center[0] + 0.5 * jump.volatility**2
    growth += jump.intensity * (np.exp(jump.mean + 0.5 * jump.deviation**2) - 1)
    assert abs(growth) < 1e-15
    assert law.drift[0] == pytest.approx(0.0, abs=1e-12)
    gross = np.exp(law.draw(Streams(3, 0, 40_000), 5).sum(axis=1)[:, 0])
    assert abs(gross.mean() - 1) < 4 * gross.std() / np.sqrt(len(gross))


@pytest.mark.parametrize("jumps", ["together", "own"])
def test_the_total_correlation_is_the_historys(stocks: Panel, jumps: str) -> None:
    panel = stocks.select(["KO", "AMD", "RRC"]).tail(1501)
    law = Merton(jumps=jumps).calibrate(panel)
    history = np.corrcoef(np.diff(np.log(panel.close), axis=0), rowvar=False)
    np.testing.assert_allclose(law.correlation, history, atol=1e-9)
    drawn = law.draw(Streams(5, 0, 2000), 100)
    means = np.array([cumulants(law, i, 1)[0] for i in range(3)])
    standard = (drawn - means) / (law.volatility / np.sqrt(252))
    products = (standard[:, :, :1] * standard[:, :, 1:]).mean(axis=1)
    error = products.std(axis=0) / np.sqrt(len(products))
    assert np.abs((products.mean(axis=0) - history[0, 1:]) / error).max() < 4


def test_jumps_of_their_own_let_through_less_than_twins_show(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"]).tail(1501)
    history = np.corrcoef(np.diff(np.log(panel.close), axis=0), rowvar=False)[0, 1]
    own, together = (Merton(jumps=jumps).calibrate(panel) for jumps in ("own", "together"))
    assert together.correlation[0, 1] == pytest.approx(history)
    assert history - 0.1 < own.correlation[0, 1] < history - 0.03


def test_jump_times_are_shared_only_where_they_should_be(fit: MertonCalibration) -> None:
    through, of_counts = shared_moments(fit.jumps, together=True)
    apart, nothing = shared_moments(fit.jumps, together=False)
    assert (through - np.diag(np.diag(through)) >= apart - np.diag(np.diag(apart)) - 1e-15).all()
    assert not np.allclose(through, apart)
    assert np.abs(nothing - np.diag(np.diag(nothing))).max() < 1e-15
    assert np.abs(of_counts - np.diag(np.diag(of_counts))).max() > 0


def test_the_loss_is_the_mixtures_and_its_slopes_are_its_own() -> None:
    moves = np.random.default_rng(4).standard_t(4, 200)
    point, slope = np.array([0.1, 0.7, 0.4, -0.2, 1.3]), np.empty(5)
    counts = np.arange(30)
    law = stats.norm(point[0] + counts * point[3], np.sqrt(point[1] ** 2 + counts * point[4] ** 2))
    density = (law.pdf(moves[:, None]) * stats.poisson.pmf(counts, point[2])).sum(axis=1)
    assert jump_loss_nb(moves, point, slope) == pytest.approx(-np.log(density).sum(), rel=1e-9)
    for k in range(5):
        step = 1e-5 * np.eye(5)[k]
        up, down = (jump_loss_nb(moves, point + side * step, np.empty(5)) for side in (1, -1))
        assert slope[k] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-5)
    again = np.empty(5)
    assert jump_loss_nb.py_func(moves, point, again) == pytest.approx(jump_loss_nb(moves, point, slope), rel=1e-12)
    np.testing.assert_allclose(again, slope, rtol=1e-9)


def test_the_kernel_is_its_python(fit: MertonCalibration) -> None:
    table = np.array([jump[:4] for jump in fit.jumps]).T.copy()
    given = (fit.center, table[0] ** 2, table[2], table[3] ** 2, count_chances(table[1]), fit.root, True)
    streams = Streams(2, 0, 2, mirrored=True)
    with np.errstate(over="ignore"):  # words wrap around
        plain = merton_moves_nb.py_func(streams.states(), streams.signs(), 6, *given)
    np.testing.assert_allclose(plain, fit.draw(streams, 6), rtol=1e-12)


def test_mirrored_paths_differ_in_the_normal_part_alone(fit: MertonCalibration) -> None:
    pair = fit.draw(Streams(2, 0, 2, mirrored=True), 200)
    middle = pair.mean(axis=0)  # center and mean jumps: a few values only
    means = np.array([jump.mean for jump in fit.jumps])
    counts = (middle - fit.center) / means
    np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
    assert counts.max() > 0.5


def test_intervals_hold_what_was_planted() -> None:
    for line in coverage("merton", 10, jobs=1):
        held = int(line.split("|")[-2].split("/")[0])
        # Of 10 true 95 % intervals, fewer than 7 hold once in 1,000.
        assert held >= 7, line


def test_returns_without_jumps_are_fitted_all_the_same() -> None:
    moves = 0.01 * np.random.default_rng(8).standard_normal((600, 1))
    law = Merton().calibrate(panel_of(moves))
    assert law.volatility[0] == pytest.approx(moves.std() * np.sqrt(252), rel=0.02)


def test_what_cannot_be_fitted_is_refused_with_a_way_out(stocks: Panel) -> None:
    with pytest.raises(DataError, match=r"jump diffusion needs 250 returns .* there are 199 .* bootstrap"):
        Merton().calibrate(stocks.select(["KO"]).tail(200))
    rng = np.random.default_rng(9)
    still = np.where(rng.random(500) < 0.8, 0.0, 0.02 * rng.standard_normal(500))[:, None]
    with pytest.raises(DataError, match=r"of A does not converge.*stands still .* \d+ of 500.*Take another window"):
        Merton().calibrate(panel_of(still))
