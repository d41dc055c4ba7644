"""Strategies in simulated worlds, against closed forms and plain counting."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.backtest import evaluate_in_worlds, run
from quantlib.backtest.departure import Variant, recent_history
from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.strategies import DAILY, READY, MACross, Pair, Rotation, Strategy
from quantlib.types import Panel


def always_in(symbol: str) -> MACross:
    """Return a rule so slow to turn that it stays in a rising market throughout a short horizon."""
    return MACross(universe=(symbol,), fast=100, slow=250)


def test_holding_in_a_gbm_world_is_lognormal(stocks: Panel) -> None:
    panel = stocks.select(["JNJ"]).until("2013-06-28")
    strategy = always_in("JNJ")
    assert strategy.targets(panel).iloc[-1].item() == 1.0
    outcome = evaluate_in_worlds(strategy, GBM(), panel, n=600, horizon=10, seed=3)
    log = np.diff(np.log(panel.close[:, 0]))
    law = stats.norm(loc=10 * log.mean(), scale=np.sqrt(10) * log.std(ddof=1))
    assert stats.kstest(np.log1p(outcome.returns), law.cdf).pvalue > 0.01
    np.testing.assert_allclose(outcome.returns, outcome.hold, rtol=1e-6, atol=1e-12)


def test_the_same_seed_gives_the_same_worlds_and_more_worlds_keep_the_first(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"])
    few, many, other = (
        evaluate_in_worlds(Pair(), StationaryBootstrap(), panel, n=n, horizon=5, seed=seed)
        for n, seed in ((5, 1), (9, 1), (5, 2))
    )
    np.testing.assert_array_equal(few.paths, many.paths[:5])
    assert not np.array_equal(few.hold, other.hold)


def test_a_world_is_run_like_history(stocks: Panel) -> None:
    """The outcome of one world equals a backtest over history and that world joined, measured from today."""
    panel = stocks.select(["XOM"])
    strategy = MACross(universe=("XOM",), fast=20, slow=60)
    outcome = evaluate_in_worlds(strategy, GBM(), panel, n=1, horizon=21, seed=5)
    world = next(iter(GBM().paths(panel, n=1, horizon=21, seed=5)))
    joined = panel.append(world)
    equity = run(joined, strategy.targets(joined), costs=Costs()).equity.iloc[-22:]
    np.testing.assert_allclose(outcome.paths[0], equity / equity.iloc[0], rtol=1e-6)
    assert outcome.dates.equals(equity.index)


def test_chance_of_loss_and_interval_are_what_they_say(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(1001)
    outcome = evaluate_in_worlds(always_in("KO"), GBM(), panel, n=200, horizon=10, seed=1)
    assert outcome.probability_of_loss == np.mean([r < 0 for r in outcome.returns])
    low, high = outcome.mean_interval
    error = np.std(outcome.returns, ddof=1) * np.sqrt(1 / 200 + 10 / 1000)
    assert (low, high) == pytest.approx((outcome.mean - 1.96 * error, outcome.mean + 1.96 * error))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Histories drawn from a known drift: the interval from each must cover the known expectation."""
    rng = np.random.default_rng(11)
    mean, deviation, horizon = 0.0006, 0.01, 10
    truth = np.exp(horizon * (mean + deviation**2 / 2)) - 1
    covered = 0
    for _ in range(60):
        close = 100 * np.exp(np.cumsum(rng.normal(mean, deviation, 800)))
        close[-120:] = np.sort(close[-120:])  # ends in a rise, so the rule is in the market
        panel = Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2015-01-01", periods=800)))
        outcome = evaluate_in_worlds(
            MACross(universe=("A",), fast=2, slow=100), GBM(), panel, n=60, horizon=horizon, costs=Costs.free()
        )
        low, high = outcome.mean_interval
        covered += low <= truth <= high
    assert covered >= 50


@pytest.mark.parametrize("name", DAILY)
def test_the_short_history_worlds_start_from_decides_as_the_long_one(
    name: str, stocks: Panel, factor_etfs: Panel
) -> None:
    strategy = READY[name]
    whole = factor_etfs if isinstance(strategy, Rotation) else stocks
    panel = whole.select(strategy.symbols)
    for end in (len(panel), len(panel) - 100, len(panel) - 333):
        part = panel.until(panel.index[end - 1])
        tail = recent_history(strategy, part, Variant.own(strategy, Costs()))
        assert len(tail) <= len(part)
        short, long = (run(p, strategy.targets(p)) for p in (tail, part))
        np.testing.assert_allclose(short.targets.iloc[-1], long.targets.iloc[-1], atol=1e-6)
        np.testing.assert_allclose(short.weights.iloc[-1], long.weights.iloc[-1], atol=1e-6)


def test_an_unknown_last_price_is_refused(stocks: Panel) -> None:
    close = stocks.select(["KO", "PEP"]).frame().copy()
    close.iloc[-1, 1] = np.nan
    with pytest.raises(DataError, match="2022-12-27"):
        evaluate_in_worlds(Pair(), GBM(), Panel.from_frames(close), n=5)


def test_progress_is_told_up_to_the_end(stocks: Panel) -> None:
    seen: list[tuple[int, int]] = []
    evaluate_in_worlds(
        Pair(), GBM(), stocks.select(["KO", "PEP"]), n=101, horizon=2, on_progress=lambda *a: seen.append(a)
    )
    assert seen == [(50, 101), (100, 101), (101, 101)]


def test_worlds_start_from_the_position_as_it_has_drifted() -> None:
    """Two risers bought once, long ago: one has grown to most of the account, and the worlds must know it."""
    n = 1600
    rng = np.random.default_rng(9)
    drift = np.array([0.0016, 0.0004])
    close = 100 * np.exp(np.cumsum(rng.normal(drift, 0.001, (n, 2)), axis=0))
    panel = Panel.from_frames(pd.DataFrame(close, index=pd.bdate_range("2015-01-01", periods=n), columns=["A", "B"]))
    strategy = MACross(universe=("A", "B"), fast=20, slow=60)
    held = run(panel, strategy.targets(panel)).weights.iloc[-1]
    assert held["A"] > 0.75
    tail = recent_history(strategy, panel, Variant.own(strategy, Costs()))
    np.testing.assert_allclose(run(tail, strategy.targets(tail)).weights.iloc[-1], held, atol=1e-6)
    outcome = evaluate_in_worlds(strategy, GBM(), panel, n=300, horizon=5, costs=Costs.free())
    expected = 5 * (held * np.diff(np.log(panel.close), axis=0).mean(axis=0)).sum()
    assert outcome.mean == pytest.approx(expected, rel=0.05)


def test_worlds_follow_the_decision_of_the_whole_calendar_where_calendars_differ() -> None:
    days = pd.date_range("2020-01-01", periods=900, freq="D")
    rng = np.random.default_rng(5)
    close = pd.DataFrame(
        100 * np.exp(np.cumsum(rng.normal(0, 0.03, (900, 2)), axis=0)), index=days, columns=["KO", "BTC-USD"]
    )
    close.loc[days.day_of_week >= 5, "KO"] = np.nan
    strategy = MACross(universe=("KO", "BTC-USD"), fast=20, slow=100)
    whole = Panel.from_frames(close)
    differed = 0
    for day in days[days.day_of_week == 2][40::6]:
        panel = whole.until(day)
        decided = strategy.targets(panel).iloc[-1]
        differed += not strategy.targets(panel.complete()).iloc[-1].equals(decided)
        tail = recent_history(strategy, panel, Variant.own(strategy, Costs()))
        np.testing.assert_allclose(strategy.targets(tail).iloc[-1], decided)
    assert differed > 0, "the case this test is about does not occur in it"
    assert evaluate_in_worlds(strategy, GBM(), whole.until(days[-3]), n=3, horizon=5).paths.shape == (3, 6)


def test_the_interval_knows_how_much_the_simulator_learned_from(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"])
    assert evaluate_in_worlds(Pair(), GBM(window=252), panel, n=3, horizon=2).calibrated_on == 252
    assert evaluate_in_worlds(Pair(), GBM(), panel, n=3, horizon=2).calibrated_on == len(panel) - 1


class Constant(Strategy):
    """Decide one weight once, and let it drift."""

    family: ClassVar[str] = "constant"
    title: ClassVar[str] = "Constant"
    description: ClassVar[str] = "For tests."
    weight: float = -1.0

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("KO",)

    @property
    def warmup(self) -> int:
        return 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        return pd.DataFrame(self.weight, index=panel.index, columns=["KO"])


@pytest.mark.parametrize("flat", [False, True], ids=["by symbol", "one for all"])
def test_a_split_of_the_past_is_no_fall_of_the_price(flat: bool, stocks: Panel) -> None:
    """A short that a 4:1 split would have made rich: the worlds of raw prices are those of adjusted ones."""
    adjusted = stocks.select(["KO"]).tail(900).frame()
    split, dividend = np.ones((900, 1)), np.zeros((900, 1))
    split[600] = 4.0
    raw = adjusted.where(np.arange(900)[:, None] >= 600, adjusted * 4)
    extra = {"split": split[:, 0] if flat else split, "dividend": dividend[:, 0] if flat else dividend}
    worlds = [
        evaluate_in_worlds(Constant(), GBM(window=250), panel, n=20, horizon=10, seed=1)
        for panel in (Panel.from_frames(adjusted), Panel.from_frames(raw, extra=extra))
    ]
    np.testing.assert_array_equal(worlds[0].hold, worlds[1].hold)
    np.testing.assert_allclose(worlds[0].paths, worlds[1].paths, rtol=1e-9)


def test_an_account_that_is_ruined_by_then_has_no_future(stocks: Panel) -> None:
    close = stocks.select(["KO"]).tail(900).frame()
    close.iloc[300:] *= 4
    with pytest.raises(DataError, match="has lost its whole account by 2022-12-28"):
        evaluate_in_worlds(Constant(weight=-1.9), GBM(), Panel.from_frames(close), n=5, horizon=5)
