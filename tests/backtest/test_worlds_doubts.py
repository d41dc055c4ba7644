"""What worlds say about an edge, about stops and about the simulator itself: planted cases and plain counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.backtest import compare_simulators, edge_in_worlds, evaluate_in_worlds, stops_effect, zero_edge
from quantlib.backtest.worlds_edge import BY_CHANCE, EdgeResult, without_drift
from quantlib.backtest.worlds_result import outcomes_of
from quantlib.backtest.worlds_stops import StopsEffect
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Stops
from quantlib.simulators import GBM, Calibration, Simulator, StationaryBootstrap
from quantlib.simulators.learning import described, history
from quantlib.simulators.ornstein_uhlenbeck import OrnsteinUhlenbeck
from quantlib.simulators.streams import Streams
from quantlib.strategies import Group, MACross, Pair, Rotation, Strategy
from quantlib.types import FloatArray, Panel


class Held(Strategy):
    """Buy once, and hold."""

    family: ClassVar[str] = "held"
    title: ClassVar[str] = "Held"
    description: ClassVar[str] = "For tests."
    universe: tuple[str, ...] = ("A",)
    stops: Stops = Stops()

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.universe

    @property
    def warmup(self) -> int:
        return 1

    @property
    def risk(self) -> Stops:
        return self.stops

    def decide(self, panel: Panel) -> pd.DataFrame:
        return pd.DataFrame(1.0 / len(self.universe), index=panel.index, columns=list(self.universe))


def walk(mean: float, deviation: float = 0.01, n: int = 600, seed: int = 1) -> Panel:
    """Return one symbol whose log returns have exactly this mean and deviation."""
    moves = np.random.default_rng(seed).normal(size=n)
    moves = mean + deviation * (moves - moves.mean()) / moves.std(ddof=1)
    close = 100 * np.exp(np.append(0.0, moves.cumsum()))
    return Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2015-01-01", periods=n + 1)))


REVERSION, STEP = 0.8, 0.012
# Less half the variance of each, so that neither of them rises by itself.
MEAN = -(0.008**2 + STEP**2 * 2 / (1 + REVERSION) / 4) / 2


def apart(rng: np.random.Generator, gap: float, n: int) -> FloatArray:
    """Return log returns [n, 2] of two that go together, and whose gap forgets a tenth of itself every session."""
    moves = np.empty((n, 2))
    for t in range(n):
        common, step = rng.normal(MEAN, 0.008), (REVERSION - 1.0) * gap + rng.normal(0, STEP)
        gap += step
        moves[t] = common + step / 2, common - step / 2
    return moves


@dataclass(frozen=True, eq=False)
class RevertingFit(Calibration):
    """A planted law: what two have drifted apart comes back."""

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        gap = float(np.log(self.last[0] / self.last[1]))
        return np.stack([apart(generator, gap, horizon) for generator in streams.generators()])


class Reverting(Simulator):
    """Worlds of the planted law."""

    name: ClassVar[str] = "reverting"
    title: ClassVar[str] = "Planted reversion"
    description: ClassVar[str] = "For tests."

    def calibrate(self, panel: Panel) -> RevertingFit:
        known, moves = history(panel, None)
        return RevertingFit(**described(panel, known, moves.mean(axis=0), np.cov(moves, rowvar=False)))


@pytest.mark.parametrize("simulator", [GBM(), StationaryBootstrap(block=1)], ids=["gbm", "bootstrap"])
@pytest.mark.parametrize(
    "strategy",
    [
        MACross(universe=("KO", "PEP", "XOM"), fast=5, slow=20, allow_short=True),
        Group(kind="basket", legs=("KO", "PEP", "XOM"), stops=Stops(loss=0.04, trailing=0.04, reentry=5)),
        Pair(lookback=30, entry=1.2),
        Rotation(universe=("KO", "PEP", "XOM"), lookback=40),
    ],
    ids=["averages", "basket with stops", "pair", "rotation"],
)
def test_without_an_edge_nothing_is_made_beyond_cost(strategy: Strategy, simulator: Simulator, stocks: Panel) -> None:
    found = zero_edge(strategy, simulator, stocks.select(strategy.inputs).tail(700), n=300, horizon=126, seed=4)
    mean, error = found.beyond_cost
    assert abs(mean) < 3 * error
    cost, cost_error = found.cost
    assert cost > 3 * cost_error, "these trade often enough for costs to show beyond doubt"
    assert found.mean[0] == pytest.approx(mean - cost)
    assert found.without_drift
    assert found.share_good <= stats.binom(300, BY_CHANCE).ppf(0.999) / 300


def test_the_rule_calls_as_many_good_by_chance_as_it_says() -> None:
    """Held without a cost in worlds without drift: one end of a 95 % interval is wrong in 2.5 % of them."""
    n = 1500
    found = zero_edge(Held(), GBM(), walk(0.0003), n=n, horizon=252, seed=3, costs=Costs.free())
    low, high = stats.binom(n, BY_CHANCE).ppf([0.001, 0.999]) / n
    assert low <= found.share_good <= high
    assert found.share_interval[0] < BY_CHANCE < found.share_interval[1]
    np.testing.assert_allclose(found.net.returns, found.gross.returns, atol=1e-12)
    assert "without any drift" in found.sentences[0]
    assert "no more than chance in the draws explains" in found.sentences[0]


def test_a_planted_drift_is_found() -> None:
    """A yearly Sharpe ratio of 3: in a year the interval is above zero in about five worlds of six."""
    panel = walk(3 * 0.01 / np.sqrt(252) - 0.01**2 / 2)
    found = edge_in_worlds(Held(), GBM(), panel, n=400, horizon=252, seed=3)
    assert not found.without_drift
    assert found.has_edge
    expected = np.exp(252 * (3 * 0.01 / np.sqrt(252))) - 1
    assert abs(found.beyond_cost[0] - expected) < 3 * found.beyond_cost[1]
    power = stats.norm.sf(1.96 - 3)
    assert found.share_good == pytest.approx(power, abs=4 * np.sqrt(power * (1 - power) / 400) + 0.02)
    taken = zero_edge(Held(), GBM(), panel, n=400, horizon=252, seed=3)
    assert not taken.has_edge
    assert taken.share_good < 0.06


def test_planted_reversion_is_found_by_a_pair_and_not_by_holding() -> None:
    moves = apart(np.random.default_rng(5), 0.0, 600)
    close = 100 * np.exp(np.vstack([np.zeros(2), moves.cumsum(axis=0)]))
    index = pd.bdate_range("2015-01-01", periods=601)
    panel = Panel.from_frames(pd.DataFrame(close, index=index, columns=["A", "B"]))
    rule = Pair(y="A", x="B", lookback=30, entry=1.2)
    pair = edge_in_worlds(rule, Reverting(), panel, n=200, horizon=252, seed=2)
    mean, error = pair.beyond_cost
    assert mean > 5 * error
    assert pair.mean[0] > 0
    assert pair.share_interval[0] > 3 * BY_CHANCE
    held = edge_in_worlds(Held(universe=("A", "B")), Reverting(), panel, n=200, horizon=252, seed=2)
    assert abs(held.beyond_cost[0]) < 3 * held.beyond_cost[1]
    assert "would have been called good" in pair.sentences[1]


def test_one_that_never_trades_is_not_good() -> None:
    paths = np.ones((4, 50))
    told = outcomes_of(paths, 252)
    found = EdgeResult("x", without_drift=True, horizon=49, periods_per_year=252, net=told, gross=told)
    assert np.isnan(told.sharpe).all()
    assert found.share_good == 0.0
    assert not found.has_edge


def test_an_edge_that_is_left_without_drift_is_said() -> None:
    """B is A and a spread that loses a fifth of itself a session: who trades it gains, drift or none."""
    rng = np.random.default_rng(5)
    common, spread = 0.01 * rng.standard_normal(600).cumsum(), np.zeros(600)
    for t in range(1, 600):
        spread[t] = 0.8 * spread[t - 1] + 0.01 * rng.standard_normal()
    prices = 100 * np.exp(np.column_stack([common, common + spread]))
    panel = Panel.from_frames(pd.DataFrame(prices, index=pd.bdate_range("2020-01-01", periods=600), columns=["A", "B"]))
    pair = Pair(y="B", x="A", lookback=30, entry=1.0)
    found = zero_edge(pair, OrnsteinUhlenbeck(), panel, n=60, horizon=126, seed=1)
    assert found.without_drift
    assert found.has_edge
    assert found.edge_left == "spreads that revert"
    assert "without any drift, but with spreads that revert, an edge of their own, it makes" in found.sentences[0]
    fitted = edge_in_worlds(pair, OrnsteinUhlenbeck(), panel, n=2, horizon=5, seed=1)
    assert "as fitted it makes" in fitted.sentences[0]


def test_only_a_drift_that_is_there_can_be_taken_out() -> None:
    assert without_drift(GBM(window=300)) == GBM(window=300, drift="none")
    assert not GBM.edge_without_drift
    with pytest.raises(DataError, match="Planted reversion has no drift that can be taken out"):
        zero_edge(Held(), Reverting(), walk(0.0))


CALM = walk(0.0)
GUARD = Stops(loss=0.05, reentry=250)


def test_stops_are_compared_world_by_world() -> None:
    panel, guard = walk(-0.001, n=400), Stops(loss=0.4)
    found = stops_effect(Held(stops=Stops(loss=3.0)), GBM(), panel, stops=guard, n=120, horizon=60, seed=1)
    bare, guarded = Held(), Held(stops=guard)
    kept, left_out = (evaluate_in_worlds(s, GBM(), panel, n=120, horizon=60, seed=1) for s in (guarded, bare))
    np.testing.assert_allclose(found.kept.returns, kept.returns, rtol=1e-12)
    np.testing.assert_allclose(found.left_out.returns, left_out.returns, rtol=1e-12)
    gap = kept.returns - left_out.returns
    assert 0.1 < (gap != 0).mean() < 0.9
    assert found.better == np.mean([g > 1e-9 for g in gap])
    assert found.worse == np.mean([g < -1e-9 for g in gap])
    mean, low, high = found.mean
    half = 1.96 * np.std(gap, ddof=1) / np.sqrt(120)
    assert (mean, low, high) == pytest.approx((gap.mean(), gap.mean() - half, gap.mean() + half))


def effect(kept: FloatArray, left_out: FloatArray) -> StopsEffect:
    told = [outcomes_of(np.column_stack([np.ones(len(r)), 1 + r]), 252) for r in (kept, left_out)]
    return StopsEffect("gbm", 1, 3, Stops(loss=0.1), *told)


def test_the_tail_is_the_mean_of_the_worst_twentieth_of_each() -> None:
    rng = np.random.default_rng(2)
    left_out = rng.normal(0, 0.1, 400)
    kept = np.maximum(left_out, -0.1)
    found = effect(kept, left_out)
    value, low, high = found.tail
    assert value == pytest.approx(np.sort(kept)[:20].mean() - np.sort(left_out)[:20].mean())
    assert low < value < high
    assert low > 0
    # The bootstrap's standard error, from a plain loop of its own.
    drawn = [rng.integers(400, size=400) for _ in range(300)]
    plain = np.std([np.sort(kept[d])[:20].mean() - np.sort(left_out[d])[:20].mean() for d in drawn])
    assert (high - low) / 3.92 == pytest.approx(plain, rel=0.25)
    assert found.better == np.mean(left_out < -0.1)
    assert found.worse == 0.0
    assert "On average they help" in found.sentences[1]
    assert "shallower with them" in found.sentences[2]


def test_stops_that_hurt_are_called_so() -> None:
    left_out = np.random.default_rng(2).normal(0.05, 0.02, 400)
    hurt = effect(left_out - 0.01, left_out)
    assert "On average they hurt: -1.0 %" in hurt.sentences[1]
    assert "deeper with them" in hurt.sentences[2]
    same = effect(left_out, left_out)
    assert (same.better, same.worse) == (0.0, 0.0)
    assert "neither help nor hurt beyond chance" in same.sentences[1]


def test_a_stop_that_fires_leaves_the_twin_alone() -> None:
    """Held from 100; the guard sells at the first close 5 % below its entry, at the next, and stays out."""
    panel = walk(0.0, deviation=1e-4)
    found = stops_effect(Held(), GBM(), panel, stops=GUARD, n=100, horizon=60, seed=1, costs=Costs.free())
    assert (found.better, found.worse) == (0.0, 0.0), "nothing moves enough for the stop"
    shaken = panel.append(
        Panel.from_frames(
            pd.DataFrame(
                {"A": panel.close[-1, 0] * np.cumprod(np.full(60, 0.9995))},
                index=pd.bdate_range(panel.index[-1], periods=61)[1:],
            )
        )
    )
    guarded = stops_effect(Held(), GBM(), shaken, stops=Stops(loss=0.031, reentry=250), n=100, horizon=60, seed=1)
    assert guarded.better > 0.2, "the fall goes on in most worlds"


def test_without_stops_there_is_nothing_to_compare() -> None:
    with pytest.raises(StrategyError, match="Held has no stops"):
        stops_effect(Held(), GBM(), CALM)


def test_simulators_are_asked_the_same_questions(stocks: Panel) -> None:
    strategy = MACross(universe=("KO", "XOM"), fast=5, slow=20)
    panel = stocks.select(strategy.inputs).tail(700)
    seen: list[tuple[int, int]] = []
    found = compare_simulators(
        strategy,
        [GBM(), StationaryBootstrap(block=5)],
        panel,
        n=100,
        horizon=60,
        seed=2,
        ruin_below=0.95,
        on_progress=lambda done, n: seen.append((done, n)),
    )
    assert seen == [(50, 200), (100, 200), (150, 200), (200, 200)]
    assert list(found.table.index) == [GBM.title, StationaryBootstrap.title]
    for simulator in (GBM(), StationaryBootstrap(block=5)):
        row = found.table.loc[simulator.title]
        alone = evaluate_in_worlds(strategy, simulator, panel, n=100, horizon=60, seed=2)
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((alone.mean, *alone.mean_interval))
        assert row["p05"] == pytest.approx(np.quantile(alone.returns, 0.05))
        assert row["loses"] == (alone.returns < 0).mean()
        assert row["sharpe"] == pytest.approx(np.nanmedian(alone.account.sharpe))
        assert row["drawdown"] == pytest.approx(np.median(alone.account.max_drawdown))
        assert row["ruin"] == pytest.approx((alone.paths.min(axis=1) < 0.95).mean())
        assert row["beyond_holding"] == pytest.approx((alone.returns - alone.hold).mean())
    means = found.table["mean"]
    spread = found.spread.loc["mean"]
    assert spread["spread"] == pytest.approx(means.max() - means.min())
    assert spread["least_in"] == means.idxmin()
    assert found.model_error == pytest.approx((means.max() - means.min()) / 2)


def test_simulators_that_disagree_are_said_to() -> None:
    rising, flat = GBM(), GBM(drift="none")
    found = compare_simulators(Held(), {"as it was": rising, "no drift": flat}, walk(0.004), n=200, horizon=60)
    assert found.beyond_chance
    assert list(found.table["verdict"]) == ["gains", "not known"]
    first, second = found.sentences
    assert f"count ±{found.model_error * 100:.1f} % of model error" in first
    assert "in the worlds of no drift" in first
    assert second == (
        "The verdict depends on the simulator: a gain by as it was; neither a gain nor a loss beyond doubt by no drift."
    )
    same = compare_simulators(Held(), {"one": flat, "other": GBM(drift="none", window=600)}, walk(0.0), n=50)
    assert not same.beyond_chance
    assert "no farther apart than chance" in same.sentences[0]
    assert same.sentences[1].startswith("Both simulators say the same: ")


def test_simulators_need_names_of_their_own() -> None:
    with pytest.raises(DataError, match="same title"):
        compare_simulators(Held(), [GBM(), GBM(window=100)], CALM)
    with pytest.raises(DataError, match="no simulator"):
        compare_simulators(Held(), [], CALM)


def test_a_cancelled_comparison_has_the_simulators_that_were_begun() -> None:
    seen: list[int] = []
    found = compare_simulators(
        Held(),
        {"a": GBM(), "b": GBM(drift="none"), "c": GBM(window=100)},
        CALM,
        n=50,
        horizon=5,
        on_progress=lambda done, _: seen.append(done),
        cancelled=lambda: len(seen) >= 2,
    )
    assert list(found.results) == ["a", "b"]
