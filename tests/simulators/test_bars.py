"""Simulated bars against the S&P 500's own, and against histories whose bars are known by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.simulators.bars import BarModel, bars_nb, fit_bars
from quantlib.simulators.bootstraps import StationaryBootstrap
from quantlib.simulators.gbm import GBM
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel


@pytest.fixture(scope="module")
def replayed(ohlcv: Panel) -> FloatArray:
    """Return bars made for the very closes the index had, so that they should be like its own: [4, T]."""
    model = fit_bars(ohlcv)
    # Expecting what the index did when these closes began, not what it did when they ended.
    model = model._replace(variance=np.var(np.diff(np.log(ohlcv.close[:60]), axis=0), axis=0))
    return model.draw(ohlcv.close[None, 1:].copy(), ohlcv.close[0].copy(), Streams(7, 0, 1))[:, 0, :, 0]


def test_ranges_and_places_of_the_close_are_distributed_as_the_indexs_own(ohlcv: Panel, replayed: FloatArray) -> None:
    first, high, low, _ = replayed
    before, close = ohlcv.close[:-1, 0], ohlcv.close[1:, 0]
    theirs = {name: getattr(ohlcv, name)[1:, 0] for name in ("open", "high", "low")}
    for ours, history in (
        (np.log(high / low), np.log(theirs["high"] / theirs["low"])),
        (np.abs(np.log(first / before)), np.abs(np.log(theirs["open"] / before))),
        (
            (close - low) / (high - low),
            (close - theirs["low"]) / (theirs["high"] - theirs["low"]),
        ),
    ):
        # 5,030 sessions a side: with plain normal ranges, or ranges of any other day, this is 0.1 and more.
        assert stats.ks_2samp(ours, history).statistic < 0.035
    moved = np.abs(np.log(close / before))
    at = [np.corrcoef(moved, np.log(h / lo))[0, 1] for h, lo in ((high, low), (theirs["high"], theirs["low"]))]
    assert at[0] == pytest.approx(at[1], abs=0.05)
    assert at[1] > 0.7


def test_volume_follows_the_size_of_the_move_as_it_did(ohlcv: Panel, replayed: FloatArray) -> None:
    moved = np.abs(np.diff(np.log(ohlcv.close[:, 0])))

    def slope(volume: FloatArray) -> tuple[float, float]:
        logs = pd.Series(np.log(volume))
        usual = logs.ewm(alpha=0.06).mean().shift()
        rank = pd.Series(moved).rolling(60).rank(pct=True)
        fine = usual.notna() & rank.notna()
        beyond = (logs - usual)[fine]
        return float(np.polyfit(rank[fine], beyond, 1)[0]), float(beyond.std())

    (ours, spread), (theirs, its) = slope(replayed[3]), slope(ohlcv.volume[1:, 0])
    assert ours == pytest.approx(theirs, rel=0.2)
    assert spread == pytest.approx(its, rel=0.1)
    assert theirs > 0.1  # a day of the largest move has a seventh more volume than one without any


@pytest.mark.parametrize("simulator", [StationaryBootstrap(block=50), GBM()], ids=lambda s: s.name)
def test_bars_hold_together_in_every_world(simulator: StationaryBootstrap | GBM, ohlcv: Panel) -> None:
    plain = simulator.closes(ohlcv, n=20, horizon=252, seed=7)
    for close, world in zip(plain, simulator.paths(ohlcv, n=20, horizon=252, seed=7, bars=True), strict=True):
        assert np.array_equal(world.close, close)
        assert (world.low <= np.minimum(world.open, world.close)).all()
        assert (world.high >= np.maximum(world.open, world.close)).all()
        assert (world.volume > 0).all()
    history = np.log(ohlcv.high / ohlcv.low)[-252:]
    assert 0.3 < np.log(world.high / world.low).mean() / history.mean() < 3


def test_the_worlds_ranges_are_those_of_history_where_its_returns_are(ohlcv: Panel) -> None:
    worlds = StationaryBootstrap(block=50).paths(ohlcv, n=60, horizon=504, seed=7, bars=True)
    ours = np.concatenate([np.log(world.high / world.low)[60:, 0] for world in worlds])
    theirs = np.log(ohlcv.high / ohlcv.low)[:, 0]
    q = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(np.quantile(ours, q), np.quantile(theirs, q), rtol=0.15)


def planted(sessions: int = 400, *, seed: int = 5) -> Panel:
    """Return a history that opens at its last close, never leaves open and close, and trades 1,000 a day."""
    rng = np.random.default_rng(seed)
    close = pd.DataFrame({"A": 50 * np.exp(0.02 * rng.standard_normal(sessions).cumsum())})
    close.index = pd.bdate_range("2020-01-01", periods=sessions)
    first = close.shift().fillna(50.0)
    return Panel.from_frames(
        close,
        open=first,
        high=np.maximum(first, close),
        low=np.minimum(first, close),
        volume=close * 0 + 1000.0,
    )


def test_a_history_without_gaps_wicks_or_busy_days_gives_worlds_without() -> None:
    panel = planted()
    world = next(GBM().paths(panel, n=1, horizon=300, seed=7, bars=True))
    before = np.concatenate([panel.close[-1:], world.close[:-1]])
    np.testing.assert_allclose(world.open, before, rtol=1e-12)
    np.testing.assert_allclose(world.high, np.maximum(before, world.close), rtol=1e-12)
    np.testing.assert_allclose(world.low, np.minimum(before, world.close), rtol=1e-12)
    np.testing.assert_allclose(world.volume, 1000.0, rtol=1e-12)


def test_ways_scale_with_the_volatility_of_the_world() -> None:
    panel = planted()
    # Every high stands one and a half expected deviations above, as a hand-made recursion expects them.
    moves = np.diff(np.log(panel.close[:, 0]))
    expected = np.full(len(panel), np.nan)
    variance = np.square(moves[:20]).mean()
    for t in range(20, len(moves)):
        expected[t + 1] = np.sqrt(variance)
        variance = 0.94 * variance + 0.06 * moves[t] ** 2
    high = panel.frame("high") * np.exp(1.5 * np.nan_to_num(expected)[:, None])
    model = fit_bars(Panel.from_frames(panel.frame(), open=panel.frame("open"), high=high, low=panel.frame("low")))
    np.testing.assert_allclose(model.bars.shape[:, 1], 1.5, rtol=1e-9)
    assert model.variance == pytest.approx(variance)
    closes = panel.close[-1] * np.exp(np.array([[[0.3], [0.3], [0.3]]]))
    made = model.draw(closes, panel.close[-1].copy(), Streams(7, 0, 1))[:, 0, :, 0]
    spread = [np.sqrt(variance)]
    for move in (0.3, 0.0):
        variance = 0.94 * variance + 0.06 * move**2
        spread.append(np.sqrt(variance))
    np.testing.assert_allclose(
        np.log(made[1] / np.maximum(made[0], closes[0, :, 0])), 1.5 * np.array(spread), rtol=1e-9
    )


def test_the_session_taken_moved_alike() -> None:
    model = fit_bars(planted())
    # Each session's shape is made its own move: what is taken for a move then shows how near it was.
    told = model.bars._replace(shape=np.repeat(model.bars.move[:, None], 3, axis=1))
    model = model._replace(bars=told, variance=np.array([1.0]), floor=np.array([1.0]))
    for move in (-1.0, 0.0, 0.4, 1.5):
        taken = {
            np.log(model.draw(np.array([[[np.exp(move)]]]), np.array([1.0]), Streams(7, i, 1))[0, 0, 0, 0])
            for i in range(300)
        }
        above = int((told.move < move).sum())
        np.testing.assert_allclose(sorted(taken), told.move[above - 5 : above + 5], rtol=1e-9)
    far = np.log(model.draw(np.array([[[np.exp(50.0)]]]), np.array([1.0]), Streams(7, 1, 1))[0, 0, 0, 0])
    assert far >= told.move[-10]


def test_what_history_does_not_know_stays_unknown(ohlcv: Panel) -> None:
    whole = ohlcv.tail(400)
    names = ["ALL", "CLOSE", "VOLUME", "FEW"]

    def wide(name: str, known: list[str]) -> pd.DataFrame:
        frame = pd.DataFrame({s: whole.frame(name)["^GSPC"] if s in known else np.nan for s in names})
        frame.loc[frame.index[60:], "FEW"] = np.nan if name != "close" else frame["FEW"]
        return frame.astype(float)

    panel = Panel.from_frames(
        wide("close", names) * [1.0, 1.1, 1.2, 1.3],
        open=wide("open", ["ALL", "FEW"]),
        high=wide("high", ["ALL", "VOLUME", "FEW"]),
        low=wide("low", ["ALL", "FEW"]) * [1, 1, 1, 1.3],
        volume=wide("volume", ["ALL", "VOLUME"]),
    )
    world = next(GBM().paths(panel, n=1, horizon=30, seed=7, bars=True))
    for name, known in (("open", [0]), ("high", [0]), ("low", [0]), ("volume", [0, 2])):
        told = np.isfinite(getattr(world, name))
        assert told[:, known].all(), name
        assert told.sum() == 30 * len(known), name
    assert np.isfinite(world.close).all()


def test_bars_that_contradict_themselves_teach_nothing() -> None:
    panel = planted()
    high, volume = panel.frame("high"), panel.frame("volume")
    high.iloc[100:110] *= 0.5
    high.iloc[200] *= 1 - 1e-9  # rounding
    volume.iloc[150:155] = 0.0
    volume.iloc[-1] = np.nan
    model = fit_bars(
        Panel.from_frames(panel.frame(), open=panel.frame("open"), high=high, low=panel.frame("low"), volume=volume)
    )
    whole = fit_bars(panel)
    assert len(whole.bars.move) - len(model.bars.move) == 10
    assert len(whole.volumes.move) - len(model.volumes.move) == 6
    assert model.bars.shape[:, 1].max() < 1e-12
    np.testing.assert_allclose(np.exp(model.level), 1000.0)


def test_compiled_equals_python_and_parts_equal_the_whole(ohlcv: Panel) -> None:
    model = fit_bars(ohlcv.tail(500))
    closes = ohlcv.close[-1] * np.exp(0.01 * np.random.default_rng(1).standard_normal((6, 20, 1)).cumsum(axis=1))
    last = ohlcv.close[-1].copy()
    whole = model.draw(closes, last, Streams(7, 0, 6))
    assert np.array_equal(model.draw(closes[4:], last, Streams(7, 4, 2)), whole[:, 4:])
    with np.errstate(over="ignore"):
        plain = bars_nb.py_func(closes[:2], last, Streams(7, 0, 2).aside(1).states(), model)
    np.testing.assert_allclose(plain, whole[:, :2], rtol=1e-12)
    assert isinstance(model, BarModel)
