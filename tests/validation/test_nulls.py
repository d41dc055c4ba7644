"""Random entries: no false alarms, and timing that is there is seen."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import active_returns, equity_of, hold_equal_parts, prepare, run, run_strategy
from quantlib.costs import Costs
from quantlib.risk import Stops
from quantlib.strategies import MACross
from quantlib.types import Panel
from quantlib.validation import random_entries
from quantlib.validation.nulls import beside, hold


class Given(MACross):
    """In and out by a list that was drawn beforehand: sessions in, then sessions out, and so on."""

    family: ClassVar[str] = "given"
    seed: int = 0
    turns: int = 40

    def decide(self, panel: Panel) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed)
        at = np.sort(rng.choice(len(panel), self.turns, replace=False)) if self.turns else [0]
        side = np.searchsorted(at, np.arange(len(panel)), side="right") % 2
        return pd.DataFrame(side[:, None] * 0.9, index=panel.index, columns=list(self.universe))

    def weights(self, panel: Panel, memo: object) -> np.ndarray:
        return self.decide(panel).to_numpy()


class Late(MACross):
    """In while the average says out."""

    family: ClassVar[str] = "late"

    def decide(self, panel: Panel) -> pd.DataFrame:
        return 1.0 - super().decide(panel)


def drifting(seed: int, sessions: int = 500) -> Panel:
    steps = np.random.default_rng(seed).normal(0.0004, 0.01, sessions)
    days = pd.bdate_range("2015-01-01", periods=sessions)
    return Panel.from_frames(pd.DataFrame({"A": 100 * np.exp(steps.cumsum())}, index=days))


def test_random_positions_have_uniform_p_values() -> None:
    """60 strategies that know nothing, in a market that rises: the p-value is as often below any line as it says."""
    found = np.array(
        [
            random_entries(Given(universe=("A",), seed=k), drifting(1000 + k), costs=Costs(), samples=49).p_value
            for k in range(60)
        ]
    )
    # Kolmogorov's distance; its 1 % line for 60 draws is 0.207.
    ranks = np.sort(found)
    distance = np.abs(ranks - (np.arange(60) + 0.5) / 60).max() + 0.5 / 60
    assert distance < 0.207
    assert 0.01 < (found <= 0.1).mean() < 0.2


def test_timing_that_is_there_is_seen() -> None:
    rng = np.random.default_rng(2)
    trend = np.repeat(rng.permutation([0.003, -0.003] * 5), 150)
    close = 100 * np.exp((trend + rng.normal(0, 0.006, trend.size)).cumsum())
    panel = Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2008-01-01", periods=trend.size)))
    entries = random_entries(MACross(universe=("A",), fast=3, slow=20), panel, costs=Costs(), samples=99)
    assert entries.p_value <= 0.03
    # In where it should be out, it is at the worst time of all.
    assert random_entries(Late(universe=("A",), fast=3, slow=20), panel, costs=Costs(), samples=99).p_value > 0.95


def test_what_is_moved_is_the_same_account_at_other_times(stocks: Panel) -> None:
    """All shifts of a short record against accounts run one by one, stops and costs included."""
    panel = stocks.select(["KO", "PEP"]).tail(90)
    strategy = MACross(universe=("KO", "PEP"), fast=3, slow=10)
    entries = random_entries(strategy, panel, costs=Costs(commission_bps=9), cash=1e4, lag=2, samples=500, seed=3)
    targets = strategy.targets(panel).to_numpy()
    first = int(np.flatnonzero(targets.any(axis=1))[0])
    market = prepare(panel, Costs(commission_bps=9))
    expected = []
    for shift in range(90 - first):
        moved = targets.copy()
        moved[first:] = np.roll(targets[first:], shift, axis=0)
        equity = equity_of(market, moved, cash=1e4, lag=2)[first:]
        returns = equity[1:] / equity[:-1] - 1
        expected.append(returns.mean() / returns.std(ddof=1))
    assert entries.sharpe == pytest.approx(expected[0])
    assert np.sort(entries.others) == pytest.approx(np.sort(expected[1:]))
    own = active_returns(run_strategy(strategy, panel, costs=Costs(commission_bps=9), cash=1e4, lag=2))
    assert own.sum() != 0
    p = (1 + sum(other >= expected[0] for other in expected[1:])) / len(expected)
    assert entries.p_value == pytest.approx(p)


def test_positions_that_never_change_have_no_timing() -> None:
    panel = drifting(1)
    always = random_entries(Given(universe=("A",), turns=0), panel, costs=Costs())
    assert np.isfinite(always.sharpe)
    assert len(always.others) == 0
    assert np.isnan(always.p_value)
    never = random_entries(MACross(universe=("A",), fast=400, slow=600), panel, costs=Costs())
    assert np.isnan(never.sharpe)
    assert np.isnan(never.p_value)


def test_stops_go_with_the_positions(stocks: Panel) -> None:
    class Stopped(MACross):
        family: ClassVar[str] = "stopped"

        @property
        def risk(self) -> Stops:
            return Stops(time=2)

    panel = stocks.select(["KO"]).tail(300)
    with_stop, without = (
        random_entries(kind(universe=("KO",), fast=3, slow=10), panel, costs=Costs(), samples=20)
        for kind in (Stopped, MACross)
    )
    assert with_stop.sharpe != without.sharpe
    assert not np.allclose(np.sort(with_stop.others), np.sort(without.others))


def test_it_can_be_watched_and_cut_short() -> None:
    told: list[tuple[int, int]] = []
    some = random_entries(
        Given(universe=("A",)),
        drifting(3),
        costs=Costs(),
        samples=60,
        on_progress=lambda *so_far: told.append(so_far),
        cancelled=lambda: len(told) >= 2,
    )
    assert told[0] == (5, 60)
    assert 0 < len(some.others) < 60
    assert np.isfinite(some.p_value)


def test_equal_weights_are_brought_back_every_session(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "MSFT"]).tail(400)
    since = panel.index[50]
    kept, rebalanced = (hold(panel, Costs(), since, rebalanced=way) for way in (False, True))
    pd.testing.assert_series_equal(kept.equity, hold_equal_parts(panel, costs=Costs(), since=since).equity)
    assert (rebalanced.weights.iloc[60:] - 1 / 3).abs().to_numpy().max() < 1e-9
    assert (kept.weights.iloc[-1] - 1 / 3).abs().max() > 0.01
    by_hand = panel.returns().mean(axis=1).iloc[60:]
    free = hold(panel, Costs.free(), since, rebalanced=True)
    assert free.returns.iloc[60:].to_numpy() == pytest.approx(by_hand.to_numpy(), abs=1e-9)


def test_both_are_compared_from_the_session_they_share(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(300)
    weights = pd.DataFrame(1.0, index=panel.index, columns=["KO"])
    weights.iloc[:100] = 0.0
    returns = active_returns(run(panel, weights))
    mine, theirs = beside(returns, hold(panel, Costs(), panel.index[20], rebalanced=False))
    assert mine.index.equals(theirs.index)
    assert mine.index[0] == returns.index[0]
    mine, theirs = beside(
        active_returns(run(panel, weights * 0 + 1)), hold(panel, Costs(), panel.index[150], rebalanced=False)
    )
    assert mine.index.equals(theirs.index)
    assert theirs.index[0] == panel.index[151]
