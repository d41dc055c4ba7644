"""The stationary bootstrap against theory and against arch's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import StationaryBootstrap as ArchBootstrap
from scipy import stats

from quantlib.simulators.stationary_bootstrap import StationaryBootstrap, automatic_block
from quantlib.types import FloatArray, Panel

SEED = 7


def log_returns(panel: Panel, closes: FloatArray) -> FloatArray:
    last = np.broadcast_to(panel.close[-1], (len(closes), 1, closes.shape[2]))
    return np.diff(np.log(np.concatenate([last, closes], axis=1)), axis=1)


def rows_drawn(panel: Panel, closes: FloatArray) -> np.ndarray:
    """Return which history row each simulated session repeats, told by all symbols' returns together."""
    history = np.log(panel.frame()).diff().dropna().to_numpy()
    drawn = log_returns(panel, closes)
    distance = np.abs(drawn[:, :, None, :] - history).max(axis=3)
    assert distance.min(axis=2).max() < 1e-10, "a simulated session is no session of the history"
    return distance.argmin(axis=2)


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT"]).window("2019-06-01", "2020-06-30")


@pytest.mark.parametrize("block", [1, 4, 20])
def test_blocks_are_geometric_and_starts_uniform(panel: Panel, block: int) -> None:
    closes = StationaryBootstrap(block=block).closes(panel, n=400, horizon=50, seed=SEED)
    rows = rows_drawn(panel, closes)
    length = len(panel) - 1
    follows = (rows[:, 1:] - rows[:, :-1]) % length == 1
    expected = 1 - 1 / block + 1 / (block * length)
    z = (follows.mean() - expected) / np.sqrt(expected * (1 - expected) / follows.size)
    assert abs(z) < 4
    # First rows are independent across paths, so they alone suit a plain chi-square test of uniformity.
    first = np.bincount(rows[:, 0] * 10 // length, minlength=10)
    assert (
        stats.chisquare(first, f_exp=np.diff(np.ceil(np.arange(11) * length / 10)) * len(rows) / length).pvalue > 0.001
    )


def test_block_lengths_follow_the_geometric_law(panel: Panel) -> None:
    fit = StationaryBootstrap(block=4).calibrate(panel)
    rows = fit.rows([np.random.default_rng(SEED)], 40_000)[0]
    breaks = np.flatnonzero((np.diff(rows) % fit.sessions) != 1)
    lengths = np.diff(breaks)
    seen = np.bincount(np.minimum(lengths, 12), minlength=13)[1:]
    law = stats.geom(0.25)
    expected = np.append(law.pmf(np.arange(1, 12)), law.sf(11)) * len(lengths)
    assert stats.chisquare(seen, expected).pvalue > 0.001


def test_moments_and_correlations_are_those_of_the_history(panel: Panel) -> None:
    history = np.log(panel.frame()).diff().dropna()
    drawn = log_returns(panel, StationaryBootstrap(block=5).closes(panel, n=3000, horizon=40, seed=SEED))

    def z(per_path: FloatArray, truth: FloatArray) -> float:
        # Paths are independent, so their spread gives the error whatever the dependence within.
        return float(np.abs((per_path.mean(axis=0) - truth) / (per_path.std(axis=0) / np.sqrt(len(per_path)))).max())

    centred = drawn - history.mean().to_numpy()
    products = np.einsum("pti,ptj->pij", centred, centred) / drawn.shape[1]
    assert z(drawn.mean(axis=1), history.mean().to_numpy()) < 4
    assert z(products, history.cov(ddof=0).to_numpy()) < 4


def test_volatility_clusters_fade_with_the_block_length(panel: Panel) -> None:
    lag, block = 3, 8
    size = np.log(panel.frame())["KO"].diff().dropna().abs().to_numpy()
    circular = np.mean((size - size.mean()) * (np.roll(size, -lag) - size.mean()))
    drawn = np.abs(log_returns(panel, StationaryBootstrap(block=block).closes(panel, n=4000, horizon=40, seed=SEED)))
    centred = drawn[:, :, 0] - size.mean()
    per_path = (centred[:, lag:] * centred[:, :-lag]).mean(axis=1)
    # Two sessions `lag` apart lie in one block with chance (1 - 1/b)^lag, else they are independent.
    truth = circular * (1 - 1 / block) ** lag
    error = per_path.std() / np.sqrt(len(per_path))
    assert abs(per_path.mean() - truth) < 4 * error
    assert truth > 8 * error  # the crash of March 2020 does cluster, and the test can tell


@pytest.mark.parametrize("block", [2, 10])
def test_same_distribution_as_arch(panel: Panel, block: int) -> None:
    history = np.log(panel.frame()).diff().dropna().to_numpy()
    ours = log_returns(panel, StationaryBootstrap(block=block).closes(panel, n=1500, horizon=len(history), seed=SEED))
    theirs = np.stack([data[0][0] for data in ArchBootstrap(block, history, seed=SEED).bootstrap(1500)])
    for statistic in (
        lambda x: x.sum(axis=1)[:, 0],
        lambda x: (x[:, :, 0] * x[:, :, 2]).sum(axis=1),
        lambda x: (np.abs(x[:, 1:, 0]) * np.abs(x[:, :-1, 0])).sum(axis=1),
        lambda x: x.cumsum(axis=1).min(axis=1)[:, 1],
    ):
        assert stats.ks_2samp(statistic(ours), statistic(theirs)).pvalue > 0.001


def test_without_drift_every_session_expects_nothing(panel: Panel) -> None:
    fit = StationaryBootstrap(drift="none", block=5).calibrate(panel)
    np.testing.assert_allclose(np.exp(fit.moves).mean(axis=0), 1.0, rtol=1e-12)
    kept = np.log(panel.frame()).diff().dropna().to_numpy()
    np.testing.assert_allclose(fit.moves - fit.moves[0], kept - kept[0], atol=1e-12)


def test_the_automatic_block_grows_with_volatility_clustering() -> None:
    rng = np.random.default_rng(4)
    plain = 0.01 * rng.standard_normal((3000, 2))
    variance = np.empty(3000)
    clustered = np.empty(3000)
    variance[0] = clustered[0] = 1e-4
    for t in range(1, 3000):  # GARCH(1,1)
        variance[t] = 2e-6 + 0.12 * clustered[t - 1] ** 2 + 0.86 * variance[t - 1]
        clustered[t] = np.sqrt(variance[t]) * rng.standard_normal()
    assert 1 <= automatic_block(plain) < 10
    assert automatic_block(clustered[:, None]) > 30


def test_the_automatic_block_is_shown_and_used(panel: Panel) -> None:
    automatic = StationaryBootstrap().calibrate(panel).block
    assert automatic > 2
    assert np.array_equal(
        StationaryBootstrap().closes(panel, n=3, horizon=30, seed=1),
        StationaryBootstrap(block=automatic).closes(panel, n=3, horizon=30, seed=1),
    )
    assert StationaryBootstrap(drift="none").calibrate(panel).block == automatic


def test_prices_that_never_move_need_no_block() -> None:
    index = pd.bdate_range("2024-01-01", periods=80)
    still = Panel.from_frames(pd.DataFrame({"A": 5.0, "B": 7.0}, index=index))
    fit = StationaryBootstrap().calibrate(still)
    assert fit.block == 1.0
    assert not fit.volatility.any()
    assert np.isnan(fit.correlation).all()


@pytest.mark.parametrize("block", [0, 0.5, float("nan"), float("inf")])
def test_a_block_below_one_session_is_refused(block: float) -> None:
    with pytest.raises(ValueError, match="block"):
        StationaryBootstrap(block=block)
