"""Filtered historical simulation: rows of its own history, at the volatility its recursion has reached."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quantlib.errors import DataError
from quantlib.simulators import filtered_historical
from quantlib.simulators.filtered_historical import (
    STEPS,
    FilteredCalibration,
    FilteredHistorical,
    filtered_moves_nb,
    growth_by_volatility,
    growth_nb,
)
from quantlib.simulators.garch import GARCH, GJRGARCH
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "JPM"]).tail(1001)


@pytest.fixture(scope="module")
def law(panel: Panel) -> FilteredCalibration:
    return FilteredHistorical().calibrate(panel)


def walked(law: FilteredCalibration, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return shocks and variances [n, horizon, N] behind drawn log returns, by the recursion written out."""
    variance = np.broadcast_to(law.ahead, drawn[:, 0].shape).copy()
    shocks, variances = np.empty_like(drawn), np.empty_like(drawn)
    omega, alpha, gamma, beta = np.array([[f.omega, f.alpha, f.gamma, f.beta] for f in law.fits]).T
    for t in range(drawn.shape[1]):
        gap = drawn[:, t] - law.mean
        shocks[:, t], variances[:, t] = gap / np.sqrt(variance), variance
        variance = omega + (alpha + gamma * (gap < 0)) * gap**2 + beta * variance
    return shocks, variances


def test_every_session_is_a_row_of_residuals_at_the_recursions_volatility(law: FilteredCalibration) -> None:
    drawn = law.draw(Streams(3, 0, 40), 60)
    shocks, _ = walked(law, drawn)
    distance = np.abs(shocks[:, :, None, :] - law.shocks).max(axis=3)
    assert distance.min(axis=2).max() < 1e-8  # both symbols from the same row
    rows = distance.argmin(axis=2)
    # Uniform over rows: the mean rank of 2,400 draws, within four errors.
    assert abs(rows.mean() / len(law.shocks) - 0.5) < 4 / np.sqrt(12 * rows.size)
    assert len(np.unique(rows)) > 800


def test_residuals_are_the_filters_own(law: FilteredCalibration, panel: Panel) -> None:
    theirs = GJRGARCH().calibrate(panel)
    np.testing.assert_allclose(law.ahead, theirs.ahead)
    residuals = np.array([f.residuals for f in theirs.fits]).T
    standard = (residuals - residuals.mean(axis=0)) / residuals.std(axis=0)
    order = np.lexsort(standard.T)
    np.testing.assert_allclose(law.shocks[np.lexsort(law.shocks.T)], standard[order])
    np.testing.assert_allclose(law.correlation, np.corrcoef(residuals, rowvar=False))
    plain = FilteredHistorical(asymmetric=False).calibrate(panel)
    np.testing.assert_allclose(plain.ahead, GARCH().calibrate(panel).ahead)
    assert {e.name for e in plain.estimates()} == {"omega", "alpha", "beta", "degrees of freedom"}


def test_mean_and_long_run_volatility_are_as_stated(panel: Panel) -> None:
    law = FilteredHistorical(start="long_run").calibrate(panel)
    moves = np.diff(np.log(panel.close), axis=0)
    drawn = law.draw(Streams(5, 0, 4000), 60)
    means = drawn.mean(axis=1)
    assert np.abs((means.mean(axis=0) - moves.mean(axis=0)) / (means.std(axis=0) / np.sqrt(4000))).max() < 4
    # From the long-run variance its expectation stays there, by the residuals' own share of losses.
    _, variances = walked(law, drawn)
    last = variances[:, -1]
    error = last.std(axis=0) / np.sqrt(4000)
    assert np.abs((last.mean(axis=0) - (law.volatility**2 / 252)) / error).max() < 4
    np.testing.assert_allclose(law.ahead, law.volatility**2 / 252)


def test_without_drift_no_session_expects_anything_at_any_volatility(panel: Panel) -> None:
    law = FilteredHistorical(drift="none").calibrate(panel)
    np.testing.assert_allclose(law.drift, 0.0, atol=1e-12)
    kept = dataclasses.replace(law, drag=np.zeros_like(law.drag)).draw(Streams(3, 0, 30), 40)
    moved = law.draw(Streams(3, 0, 30), 40)
    _, variances = walked(law, kept)
    for j in range(2):
        gross = np.exp(np.sqrt(variances[:, :, j, None]) * law.shocks[:, j]).mean(axis=2)
        np.testing.assert_allclose((kept - moved)[:, :, j], np.log(gross), rtol=1e-6)


def test_the_kept_growth_is_exact_near_and_far() -> None:
    shocks = np.random.default_rng(2).standard_t(4, size=(500, 1))
    shocks -= shocks.mean()
    step = np.array([2e-4])
    table = growth_by_volatility(shocks, step)
    for volatility in (5e-5, 2e-4, 0.0123, 2e-4 * (STEPS - 0.5), 2e-4 * STEPS, 0.3, 60.0):
        top = (volatility * shocks).max()
        exact = top + np.log(np.exp(volatility * shocks - top).mean())
        for found in (growth_nb, growth_nb.py_func):
            assert found(volatility, shocks[:, 0], table[0], step[0]) == pytest.approx(exact, rel=1e-5, abs=1e-12)


def test_a_mirrored_path_draws_the_opposite_days(law: FilteredCalibration) -> None:
    pair = law.draw(Streams(3, 0, 2, mirrored=True), 200)
    shocks, _ = walked(law, pair)
    rows = np.abs(shocks[:, :, None, :] - law.shocks).max(axis=3).argmin(axis=2)
    assert (rows[0] + rows[1] == len(law.shocks) - 1).all()
    sums = shocks.sum(axis=2)
    assert np.corrcoef(sums)[0, 1] < -0.9


def test_the_kernel_is_its_python(panel: Panel) -> None:
    law = FilteredHistorical(drift="none").calibrate(panel)
    rules = np.array([[f.omega, f.alpha, f.gamma, f.beta] for f in law.fits])
    streams = Streams(2, 0, 2, mirrored=True)
    with np.errstate(over="ignore"):  # words wrap around
        plain = filtered_moves_nb.py_func(
            streams.states(), streams.signs(), 6, law.mean, law.ahead, rules, law.shocks, law.drag, law.step
        )
    np.testing.assert_allclose(plain, law.draw(streams, 6), rtol=1e-12)


def test_what_cannot_be_fitted_is_refused_with_a_way_out(stocks: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"Filtered historical simulation needs 250 returns .* there are 199 .*Take"):
        FilteredHistorical().calibrate(stocks.select(["KO"]).tail(200))
    # Losses weigh so much that the residuals' own share of them takes the persistence beyond one.
    fit = GJRGARCH().calibrate(stocks.select(["KO"]).tail(1001)).fits[0]
    heavy = fit._replace(alpha=0.0, gamma=0.6, beta=0.6999, residuals=fit.residuals - 2.0 * (fit.residuals < -2))
    monkeypatch.setattr(filtered_historical, "fit_garch", lambda *_, **__: (heavy,))
    with pytest.raises(
        DataError, match=r"filter of KO is not stationary: with \d+% .*persistence is 1\..*Take a longer"
    ):
        FilteredHistorical().calibrate(stocks.select(["KO"]).tail(1001))
