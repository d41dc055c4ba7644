"""GBM against its closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.simulators.gbm import GBM, correlate_nb, normal_moves_nb, symmetric_root
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

N, HORIZON, SEED = 4000, 21, 7


def log_returns(panel: Panel, closes: FloatArray) -> FloatArray:
    last = np.broadcast_to(panel.close[-1], (len(closes), 1, closes.shape[2]))
    return np.diff(np.log(np.concatenate([last, closes], axis=1)), axis=1)


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT"]).tail(1001)


@pytest.fixture(scope="module")
def closes(panel: Panel) -> FloatArray:
    return GBM().closes(panel, n=N, horizon=HORIZON, seed=SEED)


def test_moments_are_those_of_the_history(panel: Panel, closes: FloatArray) -> None:
    history = np.log(panel.frame()).diff().dropna()
    mean, covariance = history.mean().to_numpy(), history.cov().to_numpy()
    drawn = log_returns(panel, closes).reshape(-1, 3)
    variance = np.diag(covariance)
    z = (drawn.mean(axis=0) - mean) / np.sqrt(variance / len(drawn))
    assert np.abs(z).max() < 4
    # The sampling variance of a normal sample covariance: (s_ii s_jj + s_ij^2) / M.
    z = (np.cov(drawn, rowvar=False) - covariance) / np.sqrt(
        (np.outer(variance, variance) + covariance**2) / len(drawn)
    )
    assert np.abs(z).max() < 4


def test_sessions_are_independent_and_normal(panel: Panel, closes: FloatArray) -> None:
    drawn = log_returns(panel, closes)[:, :, 0]
    lagged = np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1]
    assert abs(lagged) < 4 / np.sqrt(drawn.size)
    assert stats.jarque_bera(drawn.ravel()).pvalue > 0.001


@pytest.mark.parametrize("drift", ["history", "none"])
def test_the_end_is_lognormal_as_in_the_closed_form(panel: Panel, drift: str) -> None:
    ends = GBM(drift=drift).closes(panel, n=N, horizon=HORIZON, seed=SEED)[:, -1]
    history = np.log(panel.frame()).diff().dropna()
    for i, symbol in enumerate(panel.symbols):
        spread = history[symbol].std()
        mean = history[symbol].mean() if drift == "history" else -(spread**2) / 2
        law = stats.lognorm(s=spread * np.sqrt(HORIZON), scale=panel.close[-1, i] * np.exp(mean * HORIZON))
        assert stats.kstest(ends[:, i], law.cdf).pvalue > 0.001


def test_without_drift_the_expected_price_is_todays(panel: Panel) -> None:
    ends = GBM(drift="none").closes(panel, n=20_000, horizon=HORIZON, seed=SEED)[:, -1] / panel.close[-1]
    z = (ends.mean(axis=0) - 1) / (ends.std(axis=0) / np.sqrt(len(ends)))
    assert np.abs(z).max() < 4
    with_drift = GBM().closes(panel, n=20_000, horizon=HORIZON, seed=SEED)[:, -1] / panel.close[-1]
    z = (with_drift.mean(axis=0) - 1) / (with_drift.std(axis=0) / np.sqrt(len(ends)))
    assert z.max() > 8  # MSFT rose in those four years, and the test can tell


def test_the_root_reproduces_a_singular_covariance() -> None:
    loads = np.random.default_rng(2).standard_normal((6, 3))
    covariance = loads @ loads.T
    root = symmetric_root(covariance)
    np.testing.assert_allclose(root @ root, covariance, atol=1e-12)
    np.testing.assert_allclose(root, root.T, atol=1e-12)
    assert not symmetric_root(np.zeros((2, 2))).any()


def test_the_window_calibrates_on_the_latest_sessions(panel: Panel) -> None:
    assert np.array_equal(
        GBM(window=250).closes(panel, n=3, horizon=5, seed=1), GBM().closes(panel.tail(251), n=3, horizon=5, seed=1)
    )


@pytest.mark.parametrize("draws", ["random", "antithetic", "sobol"])
def test_terminal_moments_and_quantiles_are_the_closed_forms_over_twenty_seeds(panel: Panel, draws: str) -> None:
    simulator, n, horizon = GBM(draws=draws), 1000, 63
    fit = simulator.calibrate(panel)
    sigma = fit.volatility * np.sqrt(horizon / 252)
    mean = fit.mean * horizon
    ends = np.stack(
        [np.log(simulator.closes(panel, n=n, horizon=horizon, seed=k)[:, -1] / fit.last) for k in range(20)]
    )
    chances = np.array([0.01, 0.05, 0.5, 0.95, 0.99])
    normal = stats.norm(mean, sigma)
    density = normal.pdf(normal.ppf(chances[:, None]))
    tested = {  # what is averaged over the seeds, its truth, and the error of one seed's if its paths are independent
        "mean": (ends.mean(axis=1), mean, sigma / np.sqrt(n)),
        "variance": (ends.var(axis=1, ddof=1), sigma**2, sigma**2 * np.sqrt(2 / (n - 1))),
        "price": (
            np.exp(ends).mean(axis=1),
            np.exp(mean + sigma**2 / 2),
            np.exp(mean + sigma**2 / 2) * np.sqrt(np.expm1(sigma**2) / n),
        ),
        "quantiles": (
            np.quantile(ends, chances, axis=1).swapaxes(0, 1),
            normal.ppf(chances[:, None]),
            np.sqrt(chances * (1 - chances) / n)[:, None] / density,
        ),
    }
    for what, (seen, truth, error) in tested.items():
        worst = error * (np.sqrt(2) if draws == "antithetic" else 1)  # where a pair tells no more than one path
        assert np.abs((seen.mean(axis=0) - truth) / (worst / np.sqrt(20))).max() < 3, what
        assert np.abs((seen - truth) / worst).max() < 5, what


def test_intervals_cover_planted_parameters(panel: Panel) -> None:
    rng = np.random.default_rng(11)
    held: dict[str, list[bool]] = {"Mean log return": [], "Volatility": [], "Correlation": []}
    for _ in range(100):
        mean, sigma, rho = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.1, 0.6, 2), rng.uniform(-0.9, 0.95)
        covariance = np.outer(sigma, sigma) * np.array([[1, rho], [rho, 1]])
        moves = rng.multivariate_normal(mean / 252, covariance / 252, size=500, method="cholesky")
        close = pd.DataFrame(np.exp(moves.cumsum(axis=0)), columns=["A", "B"])
        close.index = pd.bdate_range("2020-01-01", periods=500)
        truth = {
            "Mean log return": dict(zip("AB", mean, strict=True)),
            "Volatility": dict(zip("AB", sigma, strict=True)),
        }
        for estimate in GBM().calibrate(Panel.from_frames(close)).estimates():
            planted = truth[estimate.name][estimate.symbol] if estimate.name in truth else rho
            held[estimate.name].append(abs(estimate.value - planted) < 1.96 * estimate.error)
    assert {name: len(found) for name, found in held.items()} == {
        "Mean log return": 200,
        "Volatility": 200,
        "Correlation": 100,
    }
    for name, found in held.items():
        assert 0.90 <= np.mean(found) <= 0.99, name


def test_mirrored_paths_are_each_others_opposite(panel: Panel) -> None:
    fit = GBM(draws="antithetic").calibrate(panel)
    moves = fit.draw(Streams(7, 0, 6), 10)
    np.testing.assert_allclose(moves[::2] + moves[1::2], np.broadcast_to(2 * fit.mean, (3, 10, 3)), atol=1e-15)
    assert np.array_equal(moves[::2], GBM().calibrate(panel).draw(Streams(7, 0, 6), 10)[::2])
    assert np.array_equal(fit.draw(Streams(7, 3, 2), 10), moves[3:5])


@pytest.mark.parametrize(("draws", "gain"), [("antithetic", 5), ("sobol", 10)])
def test_even_draws_need_fewer_worlds_for_an_average(panel: Panel, draws: str, gain: float) -> None:
    # The price at the end, and the average of the path, as an Asian option would have it: both smooth.
    def error(kind: str) -> np.ndarray:
        found = []
        for seed in range(12):
            growth = GBM(draws=kind, drift="none").closes(panel, n=1024, horizon=63, seed=seed) / panel.close[-1]
            found.append([growth[:, -1].mean(), growth.mean(axis=(1, 2)).mean()])
        return np.sqrt(np.square(np.array(found) - 1.0).mean(axis=0))

    assert (error("random") > gain * error(draws)).all()


def test_a_correlation_that_cannot_be_is_refused() -> None:
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    with pytest.raises(DataError, match=r"not positive semidefinite: its smallest eigenvalue is -0\.8, .* Lower"):
        symmetric_root(impossible)


def test_compiled_equals_python() -> None:
    rng = np.random.default_rng(3)
    root, mean = symmetric_root(np.cov(rng.standard_normal((3, 50)))), np.array([0.1, 0.2, 0.3])
    block = Streams(7, 4, 3, mirrored=True)
    moves = normal_moves_nb(block.states(), block.signs(), 5, mean, root)
    with np.errstate(over="ignore"):
        plain = normal_moves_nb.py_func(block.states(), block.signs(), 5, mean, root)
    np.testing.assert_allclose(moves, plain, rtol=1e-12)
    shocks = rng.standard_normal((2, 4, 3))
    np.testing.assert_allclose(correlate_nb(shocks, mean, root), mean + shocks @ root, rtol=1e-12)
    np.testing.assert_allclose(correlate_nb.py_func(shocks, mean, root), mean + shocks @ root, rtol=1e-12)
