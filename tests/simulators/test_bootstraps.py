"""The three block bootstraps against theory and against arch's own."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, MovingBlockBootstrap, optimal_block_length
from arch.bootstrap import StationaryBootstrap as ArchBootstrap
from scipy import stats

from quantlib.errors import DataError
from quantlib.simulators.base import Simulator
from quantlib.simulators.bootstraps import BlockBootstrap, CircularBootstrap, StationaryBootstrap
from quantlib.types import FloatArray, Panel

SEED = 7
KINDS = [StationaryBootstrap, CircularBootstrap, BlockBootstrap]
THEIRS = {
    StationaryBootstrap: ArchBootstrap,
    CircularBootstrap: CircularBlockBootstrap,
    BlockBootstrap: MovingBlockBootstrap,
}
every = pytest.mark.parametrize("kind", KINDS)


def log_returns(panel: Panel, closes: FloatArray) -> FloatArray:
    last = np.broadcast_to(panel.close[-1], (len(closes), 1, closes.shape[2]))
    return np.diff(np.log(np.concatenate([last, closes], axis=1)), axis=1)


def history_of(panel: Panel) -> FloatArray:
    return np.log(panel.frame()).diff().dropna().to_numpy()


def rows_drawn(panel: Panel, closes: FloatArray, shift: FloatArray | float = 0.0) -> np.ndarray:
    """Return which history row each simulated session repeats, told by all symbols' returns together."""
    distance = np.abs((log_returns(panel, closes) + shift)[:, :, None, :] - history_of(panel)).max(axis=3)
    assert distance.min(axis=2).max() < 1e-10, "a simulated session is no session of the history"
    return distance.argmin(axis=2)


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT"]).window("2019-06-01", "2020-06-30")


def even(rows: FloatArray, length: int) -> float:
    """Return the p-value that rows are drawn with the same chance, in ten parts of the history."""
    expected = np.diff(np.ceil(np.arange(11) * length / 10)) * len(rows) / length
    return float(stats.chisquare(np.bincount(rows * 10 // length, minlength=10), expected).pvalue)


@pytest.mark.parametrize("block", [1, 4, 20])
def test_stationary_blocks_are_geometric_and_starts_uniform(panel: Panel, block: int) -> None:
    closes = StationaryBootstrap(block=block).closes(panel, n=400, horizon=50, seed=SEED)
    rows = rows_drawn(panel, closes)
    length = len(panel) - 1
    follows = (rows[:, 1:] - rows[:, :-1]) % length == 1
    expected = 1 - 1 / block + 1 / (block * length)
    z = (follows.mean() - expected) / np.sqrt(expected * (1 - expected) / follows.size)
    assert abs(z) < 4
    # Rows of one session are independent across paths, so they alone suit a plain chi-square test of uniformity.
    assert even(rows[:, 0], length) > 0.001
    assert even(rows[:, -1], length) > 0.001


@pytest.mark.parametrize("block", [4, 2.5])
def test_stationary_block_lengths_follow_the_geometric_law(panel: Panel, block: float) -> None:
    closes = StationaryBootstrap(block=block).closes(panel, n=200, horizon=200, seed=SEED)
    rows = rows_drawn(panel, closes)
    lengths = np.concatenate([np.diff(np.flatnonzero(np.diff(path) % (len(panel) - 1) != 1)) for path in rows])
    # Only blocks that surely fit into a path between two breaks; a chance start that follows on is rare enough.
    seen = np.bincount(np.minimum(lengths, 12), minlength=13)[1:]
    law = stats.geom(1 / block)
    expected = np.append(law.pmf(np.arange(1, 12)), law.sf(11)) * len(lengths)
    assert stats.chisquare(seen, expected).pvalue > 0.001
    # Short paths cut the longest blocks off, by less than the error of the mean.
    assert abs(lengths.mean() - block) < 4 * law.std() / np.sqrt(len(lengths)) + 0.03 * block


@pytest.mark.parametrize("kind", [CircularBootstrap, BlockBootstrap])
@pytest.mark.parametrize("block", [1, 7])
def test_fixed_blocks_have_their_length(kind: type[CircularBootstrap], panel: Panel, block: int) -> None:
    simulator, place = kind(block=block), np.arange(40) % block
    # What is taken off by the place in the block is not of history; it is nothing but for moving blocks.
    shift = np.broadcast_to(simulator.calibrate(panel).shift, (block, 3))[place]
    assert np.abs(shift).max() < 1e-3
    rows = rows_drawn(panel, simulator.closes(panel, n=300, horizon=40, seed=SEED), shift)
    length = len(panel) - 1
    starts = rows[:, ::block]
    whole = np.repeat(starts, block, axis=1)[:, :40]
    assert np.array_equal(rows, (whole + place) % length)
    if kind is BlockBootstrap:
        assert starts.max() == length - block
        assert even(starts.ravel(), length - block + 1) > 0.001
    else:
        assert starts.max() > length - 3
        assert even(starts.ravel(), length) > 0.001


@every
def test_the_end_is_not_where_history_ended(kind: type[Simulator], panel: Panel) -> None:
    """Shuffled without replacement every world would end at one price: the mistake of a well-known library."""
    length = len(panel) - 1
    closes = kind(block=1).closes(panel, n=4000, horizon=length, seed=SEED)
    ends = log_returns(panel, closes).sum(axis=1)
    variance = history_of(panel).var(axis=0) * length
    error = ((ends - ends.mean(axis=0)) ** 2).std(axis=0) / np.sqrt(len(ends))
    assert (np.abs(ends.var(axis=0) - variance) < 4 * error).all()
    assert (variance > 20 * error).all()


@every
@pytest.mark.parametrize("block", [5, 21])
def test_terminal_variance_is_that_of_independent_blocks(kind: type[Simulator], panel: Panel, block: int) -> None:
    moves = history_of(panel)[:, 0]
    length, horizon = len(moves), 42
    centred = moves - moves.mean()
    if kind is StationaryBootstrap:
        lags = np.arange(horizon)
        circular = np.array([np.mean(centred * np.roll(centred, -lag)) for lag in lags])
        together = (1 - 1 / block) ** lags  # the chance that two sessions lie in one block
        truth = horizon * circular[0] + 2 * ((horizon - lags) * circular * together)[1:].sum()
    else:
        ahead = np.concatenate([centred, centred[: block - 1]]) if kind is CircularBootstrap else centred
        sums = np.convolve(ahead, np.ones(block), mode="valid")
        spans = [block] * (horizon // block) + [horizon % block] * (horizon % block > 0)
        part = {span: np.convolve(ahead, np.ones(span), mode="valid")[: len(sums)].var() for span in set(spans)}
        truth = sum(part[span] for span in spans)
    ends = log_returns(panel, kind(block=block).closes(panel, n=6000, horizon=horizon, seed=SEED))[:, :, 0].sum(axis=1)
    error = ((ends - ends.mean()) ** 2).std() / np.sqrt(len(ends))
    assert abs(ends.var() - truth) < 4 * error
    assert length > horizon


@every
def test_moments_and_correlations_are_those_of_the_history(kind: type[Simulator], panel: Panel) -> None:
    history = history_of(panel)
    simulator = kind(block=5)
    drawn = log_returns(panel, simulator.closes(panel, n=3000, horizon=40, seed=SEED))

    def z(per_path: FloatArray, truth: FloatArray) -> float:
        # Paths are independent, so their spread gives the error whatever the dependence within.
        return float(np.abs((per_path.mean(axis=0) - truth) / (per_path.std(axis=0) / np.sqrt(len(per_path)))).max())

    assert z(drawn.mean(axis=1), history.mean(axis=0)) < 4
    assert z(drawn[:, 2], history.mean(axis=0)) < 4
    centred = drawn - history.mean(axis=0)
    fit = simulator.calibrate(panel)
    covariance = np.outer(fit.volatility, fit.volatility) / 252 * fit.correlation
    assert z(np.einsum("pti,ptj->pij", centred, centred) / drawn.shape[1], covariance) < 4
    slack = 0.02 if kind is BlockBootstrap else 1e-9  # its ends count less
    np.testing.assert_allclose(covariance, np.cov(history, rowvar=False, ddof=0), rtol=slack)


def test_volatility_clusters_fade_with_the_block_length(panel: Panel) -> None:
    lag, block = 3, 8
    size = np.abs(history_of(panel)[:, 0])
    circular = np.mean((size - size.mean()) * (np.roll(size, -lag) - size.mean()))
    drawn = np.abs(log_returns(panel, StationaryBootstrap(block=block).closes(panel, n=4000, horizon=40, seed=SEED)))
    centred = drawn[:, :, 0] - size.mean()
    per_path = (centred[:, lag:] * centred[:, :-lag]).mean(axis=1)
    # Two sessions `lag` apart lie in one block with chance (1 - 1/b)^lag, else they are independent.
    truth = circular * (1 - 1 / block) ** lag
    error = per_path.std() / np.sqrt(len(per_path))
    assert abs(per_path.mean() - truth) < 4 * error
    assert truth > 8 * error  # the crash of March 2020 does cluster, and the test can tell


@every
@pytest.mark.parametrize("block", [2, 10])
def test_same_distribution_as_arch(kind: type[Simulator], panel: Panel, block: int) -> None:
    history = history_of(panel)
    ours = log_returns(panel, kind(block=block).closes(panel, n=1500, horizon=len(history), seed=SEED))
    theirs = np.stack([data[0][0] for data in THEIRS[kind](block, history, seed=SEED).bootstrap(1500)])
    for statistic in (
        lambda x: x.sum(axis=1)[:, 0],
        lambda x: (x[:, :, 0] * x[:, :, 2]).sum(axis=1),
        lambda x: (np.abs(x[:, 1:, 0]) * np.abs(x[:, :-1, 0])).sum(axis=1),
        lambda x: x.cumsum(axis=1).min(axis=1)[:, 1],
    ):
        assert stats.ks_2samp(statistic(ours), statistic(theirs)).pvalue > 0.001


@every
@pytest.mark.parametrize("drift", ["none", "history"])
def test_every_session_expects_the_same(kind: type[Simulator], drift: str, panel: Panel) -> None:
    """Add up every start a block may have: each session is one of these rows, at one of these places."""
    block, history = 6, history_of(panel)
    fit = kind(block=block, drift=drift).calibrate(panel)
    length = len(history)
    starts = np.arange(length - block + 1 if kind is BlockBootstrap else length)
    for place in range(block):
        there = history[(starts + place) % length] - fit.shift[min(place, len(fit.shift) - 1)]
        if drift == "none":
            np.testing.assert_allclose(np.exp(there).mean(axis=0), 1.0, rtol=1e-12)
        else:
            np.testing.assert_allclose(there.mean(axis=0), history.mean(axis=0), atol=1e-15)
    if drift == "none":
        np.testing.assert_allclose(fit.drift, 0.0, atol=1e-12)
        closes = kind(block=block, drift=drift).closes(panel, n=4000, horizon=10, seed=SEED)
        growth = closes[:, -1] / panel.close[-1]
        assert (np.abs(growth.mean(axis=0) - 1) < 4 * growth.std(axis=0) / np.sqrt(4000)).all()
    elif kind is not BlockBootstrap:
        assert not fit.shift.any()


@pytest.mark.parametrize(
    ("kind", "law"),
    [(StationaryBootstrap, "stationary"), (CircularBootstrap, "circular"), (BlockBootstrap, "circular")],
)
def test_the_block_length_is_that_of_arch(kind: type[Simulator], law: str, stocks: Panel) -> None:
    three = stocks.select(["KO", "PEP", "MSFT"])
    found = optimal_block_length(np.abs(history_of(three)))[law]
    assert (found > 1).all()
    block = kind().calibrate(three).block
    assert block == pytest.approx(found.mean() if law == "stationary" else round(found.mean()), rel=1e-12)
    assert np.array_equal(
        kind().closes(three, n=3, horizon=30, seed=1), kind(block=block).closes(three, n=3, horizon=30, seed=1)
    )
    assert kind(drift="none").calibrate(three).block == block
    [estimate] = kind().calibrate(three).estimates()
    assert estimate.value == block
    assert estimate.unit == "sessions"


@pytest.mark.parametrize("kind", [CircularBootstrap, BlockBootstrap])
def test_a_block_of_most_of_the_history_is_refused(kind: type[Simulator], panel: Panel) -> None:
    with pytest.raises(DataError, match=r"A block of 200 sessions is more than half of the \d+ .* Take \d+ or less"):
        kind(block=200).calibrate(panel)


@every
@pytest.mark.parametrize("block", [0, 0.5, float("nan"), float("inf")])
def test_a_block_below_one_session_is_refused(kind: type[Simulator], block: float) -> None:
    with pytest.raises(ValueError, match="block"):
        kind(block=block)
