"""Heston's model against its characteristic function, its filter against integration, its fit against planted laws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planted import far_off
from scipy import stats

from benchmarks.calibration import CASES, coverage
from quantlib.errors import DataError
from quantlib.simulators import heston_fit
from quantlib.simulators.heston import Heston, HestonCalibration, heston_moves_nb, shock_correlation
from quantlib.simulators.heston_fit import HestonFit, filter_loss_nb, grid
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

UNKNOWN = (float("nan"),) * 4


def planted(start: float = 1.6e-4, **fields: object) -> HestonCalibration:
    law = CASES["heston"]().planted
    assert isinstance(law, HestonCalibration)
    return dataclasses.replace(law, ahead=np.array([start]), growth=np.array([3e-4]), **fields)  # type: ignore[arg-type]


def cumulants(law: HestonCalibration, horizon: int) -> FloatArray:
    """Return the first four cumulants: derivatives of the log characteristic function by Cauchy's formula."""
    kappa, theta, xi, rho = law.fits[0][:4]

    def log_characteristic(u: np.ndarray) -> np.ndarray:
        # The form of Albrecher and others (2007), without the jumps of a complex logarithm.
        pull = kappa - rho * xi * 1j * u
        d = np.sqrt(pull**2 + xi**2 * (1j * u + u**2))
        g = (pull - d) / (pull + d)
        decay = np.exp(-d * horizon)
        level = kappa * theta / xi**2 * ((pull - d) * horizon - 2 * np.log((1 - g * decay) / (1 - g)))
        return (
            1j * u * law.growth[0] * horizon + level + law.ahead[0] / xi**2 * (pull - d) * (1 - decay) / (1 - g * decay)
        )

    radius, angles = 1.0, 2 * np.pi * np.arange(64) / 64
    series = np.fft.fft(log_characteristic(radius * np.exp(1j * angles))) / 64
    orders = np.arange(1, 5)
    return np.real(series[1:5] / radius**orders * np.array([1, 2, 6, 24]) / 1j**orders)


@pytest.mark.parametrize("start", [1.6e-4, 6e-4])
def test_moments_are_those_of_the_characteristic_function(start: float) -> None:
    law = planted(start, substeps=4)
    truth = cumulants(law, 42)
    # The expected variance alone gives the mean, by hand.
    decay = (1 - np.exp(-0.03 * 42)) / 0.03
    assert truth[0] == pytest.approx(3e-4 * 42 - 0.5 * (1.6e-4 * 42 + (start - 1.6e-4) * decay), rel=1e-6)
    assert truth[2] < 0
    assert truth[3] / truth[1] ** 2 > 0.3
    assert np.abs(far_off(law, 42, truth, paths=2500)).max() < 3


def test_without_drift_every_session_expects_nothing() -> None:
    law = dataclasses.replace(planted(6e-4), growth=np.zeros(1))
    gross = np.exp(law.draw(Streams(3, 0, 40_000), 10)[:, :, 0])
    assert (np.abs(gross.mean(axis=0) - 1) < 4 * gross.std(axis=0) / np.sqrt(len(gross))).all()


def test_variance_settles_on_its_gamma_law() -> None:
    law = planted(substeps=4)
    squares = law.draw(Streams(5, 0, 6000), 260)[:, -1, 0] ** 2
    kappa, theta, xi = law.fits[0][:3]
    # E r^2 = theta and E r^4 = 3 E v^2 but for the move of v within a session.
    for power, truth in ((1, theta), (2, 3 * (theta**2 + theta * xi**2 / (2 * kappa)))):
        values = squares**power
        assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(len(values))


def test_the_filter_is_integration_over_every_variance() -> None:
    # Two returns by brute force: the chain of variances on a fine grid of its own, stepped by scipy's law.
    kappa, theta, xi, rho = 0.05, 1.5e-4, 3e-3, -0.5
    gaps = np.array([0.018, -0.022])
    shape = 2 * kappa * theta / xi**2
    v = np.linspace(1e-7, 1.2e-3, 700)
    width = v[1] - v[0]
    chance = stats.gamma(shape, scale=theta / shape).pdf(v) * width
    pace = 2 * kappa / ((1 - np.exp(-kappa)) * xi**2)
    step = stats.ncx2(2 * shape, 2 * pace * np.exp(-kappa) * v[:, None]).pdf(2 * pace * v) * 2 * pace * width
    within = 0.5 * (v[:, None] + v)
    center = rho / xi * (v - v[:, None] + kappa * (within - theta)) - 0.5 * (within - theta)
    for gap in gaps:
        chance = chance @ (step * stats.norm(center, np.sqrt((1 - rho**2) * within)).pdf(gap))
    room = np.empty(heston_fit.POINTS)
    made = grid(kappa, theta, xi, rho)
    loss = filter_loss_nb(gaps, *made, room)
    assert loss == pytest.approx(-np.log(chance.sum()), abs=0.01)
    assert room @ made.variance == pytest.approx(chance @ v / chance.sum(), rel=0.01)
    again = np.empty(heston_fit.POINTS)
    assert filter_loss_nb.py_func(gaps, *made, again) == pytest.approx(loss, rel=1e-12)


def test_the_grid_keeps_the_law_of_the_variance() -> None:
    made = grid(0.03, 1.6e-4, 2.5e-3, -0.6)
    spread = 2.5e-3 * np.sqrt(1.6e-4 / 0.06)
    mean = made.chance @ made.variance
    assert mean == pytest.approx(1.6e-4, rel=1e-3)
    assert np.sqrt(made.chance @ made.variance**2 - mean**2) == pytest.approx(spread, rel=5e-3)
    left = (1 - 0.36) * 0.5 * (made.variance[:, None] + made.variance)
    step = made.weight * np.sqrt(2 * np.pi * left)
    inner = slice(5, -5)
    expected = 1.6e-4 + (made.variance - 1.6e-4) * np.exp(-0.03)
    np.testing.assert_allclose((step @ made.variance)[inner], expected[inner], rtol=2e-3)


def test_returns_of_the_long_run_are_as_correlated_as_the_history(stocks: Panel) -> None:
    panel = stocks.select(["MSFT", "JPM"]).tail(751)
    law = Heston(start="long_run", substeps=1).calibrate(panel)
    history = np.corrcoef(np.diff(np.log(panel.close), axis=0), rowvar=False)
    np.testing.assert_allclose(law.correlation, history, atol=1e-6)
    assert law.root[0, 1] > 0
    drawn = law.draw(Streams(5, 0, 4000), 260)[:, 130:]
    assert np.corrcoef(drawn.reshape(-1, 2), rowvar=False)[0, 1] == pytest.approx(history[0, 1], abs=0.03)
    np.testing.assert_allclose(drawn.std(axis=(0, 1)), law.volatility / np.sqrt(252), rtol=0.03)
    inner, let = shock_correlation(law.fits, history)
    np.testing.assert_allclose(inner * let, history, atol=1e-6)


def test_it_starts_from_todays_variance(stocks: Panel) -> None:
    panel = stocks.select(["MSFT"])
    crash, calm = panel.until("2020-03-20").tail(751), panel.until("2017-12-29").tail(751)
    high, low = (Heston().calibrate(p) for p in (crash, calm))
    assert high.ahead[0] > 4 * high.fits[0].level
    assert low.ahead[0] < low.fits[0].level
    assert Heston(start="long_run").calibrate(crash).ahead[0] == high.fits[0].level
    moves = np.diff(np.log(crash.close[:, 0]))
    assert high.drift[0] == pytest.approx(252 * (moves.mean() + 0.5 * high.fits[0].level))
    assert high.volatility[0] == pytest.approx(np.sqrt(252 * high.fits[0].level))


def test_the_kernel_is_its_python_and_mirrors_its_shocks() -> None:
    fits = (HestonFit(0.03, 1.6e-4, 2.5e-3, -0.6, UNKNOWN, 1e-4), HestonFit(0.05, 4e-4, 4e-3, -0.3, UNKNOWN, 1e-4))
    law = dataclasses.replace(
        planted(),
        fits=fits,
        growth=np.array([1e-4, 2e-4]),
        ahead=np.array([1e-4, 9e-4]),
        root=np.array([[0.9, 0.3], [0.3, 0.9]]),
    )
    streams = Streams(2, 0, 2, mirrored=True)
    rules = np.array([f[:4] for f in fits])
    with np.errstate(over="ignore"):  # words wrap around
        plain = heston_moves_nb.py_func(streams.states(), streams.signs(), 4, 8, law.growth, law.ahead, rules, law.root)
    law = dataclasses.replace(law, symbols=("A", "B"), substeps=8)
    np.testing.assert_allclose(plain, law.draw(streams, 4), rtol=1e-12)
    once = dataclasses.replace(law, substeps=1).draw(streams, 1)[:, 0]
    np.testing.assert_allclose(once.mean(axis=0), law.growth - 0.5 * law.ahead, rtol=1e-12)


def test_intervals_hold_what_was_planted() -> None:
    for line in coverage("heston", 6, jobs=1):
        held = int(line.split("|")[-2].split("/")[0])
        # Of 6 true 95 % intervals, fewer than 4 hold twice in 1,000.
        assert held >= 4, line


def test_what_cannot_be_fitted_is_refused_with_a_way_out(stocks: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"Heston needs 250 returns .* there are 199 .* bootstrap"):
        Heston().calibrate(stocks.select(["KO"]).tail(200))
    monkeypatch.setattr(heston_fit, "_fitted", lambda _: "the likelihood is not a number")
    with pytest.raises(DataError, match=r"Heston fit of KO does not converge .*not a number\). Take a longer window"):
        Heston().calibrate(stocks.select(["KO"]).tail(400))
