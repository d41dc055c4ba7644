"""The t copula against Kendall's tau in closed form, scipy's ranks and planted copulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.simulators import concordance
from quantlib.simulators import copula as room
from quantlib.simulators.concordance import elliptical, kendall
from quantlib.simulators.copula import TCopula, TCopulaCalibration, chances, fit_degrees
from quantlib.simulators.margins import Margin, Tail, fit_margin
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

DEGREES, RHO, SHAPE, SCALE = 5.0, 0.5, 0.2, 0.006
NAMES = ("A", "B", "C")


def as_panel(moves: FloatArray) -> Panel:
    prices = 100 * np.exp(np.vstack([np.zeros(moves.shape[1]), moves.cumsum(axis=0)]))
    return Panel.from_frames(
        pd.DataFrame(
            prices, index=pd.bdate_range("1990-01-01", periods=len(prices)), columns=list("ABCDEF")[: moves.shape[1]]
        )
    )


def planted(seed: int, sessions: int = 1000) -> FloatArray:
    """Return log returns of three symbols: a t copula over margins with Pareto tails on a tenth of either side."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.full((3, 3), RHO) + (1 - RHO) * np.eye(3))
    stretch = np.sqrt(rng.chisquare(DEGREES, (sessions, 1)) / DEGREES)
    chance = stats.t(DEGREES).cdf(rng.standard_normal((sessions, 3)) @ root.T / stretch)
    middle = 0.06 * (chance - 0.5)  # as dense at its ends as the tails begin
    far = 0.024 + stats.genpareto(SHAPE, scale=SCALE).ppf(np.clip(10 * np.maximum(chance, 1 - chance) - 9, 0, 1))
    return np.where(np.abs(chance - 0.5) > 0.4, np.sign(chance - 0.5) * far, middle)


@pytest.fixture(scope="module")
def fit() -> TCopulaCalibration:
    return TCopula().calibrate(as_panel(planted(1)))


def test_kendall_is_scipy_s_with_ties_and_its_error_that_of_all_pairs() -> None:
    rng = np.random.default_rng(2)
    moves = rng.standard_normal((300, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    moves[:, 1] = moves[:, 1].round(1)
    moves[::7, 0] = 0.0
    tau, error = kendall(moves, NAMES)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert tau[i, j] == tau[j, i] == pytest.approx(stats.kendalltau(moves[:, i], moves[:, j]).statistic)
        sign = np.sign(moves[:, None, i] - moves[:, i]) * np.sign(moves[:, None, j] - moves[:, j])
        agree = sign.sum(axis=1) * tau[i, j] / sign.sum(axis=1).mean()
        assert error[i, j] == pytest.approx(2 * agree.std(ddof=1) / np.sqrt(300))
    x, y = stats.rankdata(moves[:, :2], method="dense", axis=0).astype(int).T
    order = np.argsort(x, kind="stable")
    for count in (concordance._agreement_nb, concordance._agreement_nb.py_func):
        np.testing.assert_array_equal(
            count(x[order], y[order]), (np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).sum(axis=1)[order]
        )


def test_simulated_kendall_s_tau_is_the_closed_form(fit: TCopulaCalibration) -> None:
    truth = 2 / np.pi * np.arcsin(fit.shape)
    z = []
    for seed in range(20):
        tau, error = kendall(fit.draw(Streams(seed, 0, 1), 3000)[0], NAMES)
        upper = np.triu_indices(3, 1)
        z.append((tau - truth)[upper] / error[upper])
    # Each of 60 within three errors but for at most one, and so the seeds together.
    assert np.sum(np.abs(z) > 3.0) <= 1
    assert np.abs(np.sum(z, axis=0)).max() < 3.0 * np.sqrt(20)
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.3


def test_extremes_come_together_as_the_t_copula_says(fit: TCopulaCalibration) -> None:
    moves = fit.draw(Streams(3, 0, 200), 1000).reshape(-1, 3)
    low = stats.rankdata(moves[:, :2], axis=0) / len(moves) < 0.01
    rho, df = fit.shape[0, 1], fit.degrees
    # P(both below their 1 % quantile), by integrating the conditional law of one given the other.
    grid = (np.arange(20_000) + 0.5) / 20_000 * 0.01
    x, edge = stats.t(df).ppf(grid), stats.t(df).ppf(0.01)
    both = stats.t(df + 1).cdf((edge - rho * x) / np.sqrt((1 - rho**2) * (df + x**2) / (df + 1))).mean()
    seen = low.all(axis=1).sum() / low[:, 0].sum()
    assert abs(seen - both) < 4 * np.sqrt(both * (1 - both) / low[:, 0].sum())
    assert both > 1.3 * stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([stats.norm.ppf(0.01)] * 2) / 0.01


def test_margins_are_the_history_s(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "MSFT"]).tail(1501)
    history = np.diff(np.log(panel.close), axis=0)
    fit = TCopula().calibrate(panel)
    moves = fit.draw(Streams(5, 0, 40), 1000).reshape(-1, 3)
    for i in range(3):
        # No nearer than its own sampling error, the worst of which is at the tails' few sessions.
        assert stats.ks_2samp(moves[:, i], history[:, i]).statistic < 0.01
    # The variance by its integral over chances, which the worst draws hardly reach.
    tiny = np.geomspace(1e-10, 0.5, 20_000)
    for margin, volatility in zip(fit.margins, fit.volatility, strict=True):
        both = np.concatenate([margin.quantile(tiny, 1 - tiny), margin.quantile(1 - tiny[::-1], tiny[::-1])])
        chance = np.concatenate([tiny, 1 - tiny[::-1]])
        mean, square = np.trapezoid(both, chance), np.trapezoid(both**2, chance)
        assert np.sqrt(252 * (square - mean**2)) == pytest.approx(volatility, rel=2e-3)
    error = moves.std(axis=0) / np.sqrt(len(moves))
    assert (np.abs(moves.mean(axis=0) - history.mean(axis=0)) < 3.5 * error).all()


def test_without_drift_the_mean_is_minus_half_the_variance() -> None:
    fit = TCopula(drift="none").calibrate(as_panel(planted(1)))
    np.testing.assert_allclose(fit.drift, 0.0, atol=1e-14)
    moves = fit.draw(Streams(5, 0, 200), 1000).reshape(-1, 3)
    target = -0.5 * fit.volatility**2 / fit.periods_per_year
    assert (np.abs(moves.mean(axis=0) - target) < 3.5 * moves.std(axis=0) / np.sqrt(len(moves))).all()


def test_quantiles_run_through_without_a_step() -> None:
    moves = planted(4)[:, 0]
    margin = fit_margin(moves)
    below = np.concatenate([np.geomspace(1e-12, 0.5, 2000), 1 - np.geomspace(0.5, 1e-12, 2000)[1:]])
    values = margin.quantile(below, np.concatenate([1 - below[:2000], np.geomspace(0.5, 1e-12, 2000)[1:]]))
    assert (np.diff(values) >= 0).all()
    for tail, sign in ((margin.lower, -1), (margin.upper, 1)):
        law = stats.genpareto(tail.shape, scale=tail.scale)
        chance = np.array([0.05, 1e-3, 1e-8])
        np.testing.assert_allclose(tail.beyond(chance), tail.threshold + law.isf(chance / tail.share))
        beyond = sign * moves[sign * moves > tail.threshold] - tail.threshold
        assert law.mean() == pytest.approx(beyond.mean(), rel=0.02)
    assert Tail(0.02, 0.1, 0.0, 0.01, 100).beyond(np.array([0.01])) == pytest.approx(0.02 + 0.01 * np.log(10))


def test_intervals_hold_planted_parameters() -> None:
    truth = {
        "degrees of freedom": DEGREES,
        "copula correlation": RHO,
        "lower tail shape": SHAPE,
        "upper tail shape": SHAPE,
        "lower tail scale": SCALE,
        "upper tail scale": SCALE,
    }
    hits = {name: [0, 0] for name in truth}
    for seed in range(40):
        for e in TCopula().calibrate(as_panel(planted(seed))).estimates():
            hits[e.name][0] += abs(e.value - truth[e.name]) < 1.96 * e.error
            hits[e.name][1] += 1
    for name, (within, count) in hits.items():
        assert within >= stats.binom.ppf(0.001, count, 0.94), name


def test_normal_dependence_has_many_degrees_of_freedom() -> None:
    moves = np.random.default_rng(3).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 2000)
    degrees, _ = fit_degrees(moves, np.array([[1, 0.6], [0.6, 1.0]]))
    assert degrees > 20
    alone, unknown = fit_degrees(moves[:, [0, 0]], np.ones((2, 2)))
    assert alone == 100.0
    assert np.isnan(unknown)


def test_the_compiled_draw_is_the_python_one(fit: TCopulaCalibration, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = fit.draw(Streams(7, 0, 2), 20)
    monkeypatch.setattr(room, "_draw_nb", room._draw_nb.py_func)
    np.testing.assert_allclose(fit.draw(Streams(7, 0, 2), 20), compiled, rtol=1e-12)


def test_mirrored_paths_are_at_opposite_ranks(fit: TCopulaCalibration) -> None:
    moves = fit.draw(Streams(4, 0, 4, mirrored=True), 500)
    for i, margin in enumerate(fit.margins):
        low, high = (np.searchsorted(margin.body + margin.shift, moves[k, :, i]) for k in (0, 1))
        assert np.abs(low + high - len(margin.body)).max() < 12


def test_correlations_a_little_off_are_brought_back_and_contradictions_refused() -> None:
    fine = np.array([[1, 0.3], [0.3, 1]])
    np.testing.assert_allclose(elliptical(fine, ("A", "B")), np.sin(0.5 * np.pi * fine))
    slight = np.array([[1, 0.9, 0.6], [0.9, 1, 0.9], [0.6, 0.9, 1]])
    repaired = elliptical(2 / np.pi * np.arcsin(slight), NAMES)
    assert np.linalg.eigvalsh(repaired)[0] > -1e-12
    np.testing.assert_allclose(np.diag(repaired), 1.0)
    assert 0 < np.abs(repaired - slight).max() < 0.1
    wrong = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    with pytest.raises(DataError, match=r"not positive definite: .* turn A and B from 0.99 to 0.5"):
        elliptical(wrong, NAMES)


def test_what_no_copula_can_be_fitted_to_is_refused() -> None:
    moves = planted(1, 100)
    with pytest.raises(DataError, match="at least 60 sessions"):
        TCopula().calibrate(as_panel(moves[:40]))
    with pytest.raises(DataError, match="B closed at 100 on all"):
        TCopula().calibrate(as_panel(moves * [1, 0, 1]))
    with pytest.raises(DataError, match="B has the same log return on all 100 sessions"):
        kendall(moves * [1, 0, 1], NAMES)


def test_a_tail_without_excess_ends_where_it_begins() -> None:
    margin = fit_margin(np.tile([-3.0, 3.0], 50))
    assert isinstance(margin, Margin)
    assert margin.upper.scale == margin.lower.scale == 0.0
    assert np.abs(margin.quantile(*chances(4.0))).max() == 3.0
