"""GBM against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quantlib.simulators.gbm import GBM, symmetric_root
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
