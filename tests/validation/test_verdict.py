"""The verdict on records whose truth is known."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import active_returns, run, run_strategy
from quantlib.charts.numbers import ratio
from quantlib.costs import Costs, costs_times
from quantlib.errors import DataError
from quantlib.metrics import cagr, sharpe_ratio
from quantlib.risk import Execution, Limits
from quantlib.strategies import DAILY, READY, MACross
from quantlib.types import Panel
from quantlib.validation import Trials, deflated_sharpe, minimum_track_record_length, probabilistic_sharpe, validate
from quantlib.validation.rival_checks import beats_holding, gap_low


class Clairvoyant(MACross):
    """A cross that is known a day early: what a leaking strategy looks like from outside."""

    family: ClassVar[str] = "clairvoyant"

    def decide(self, panel: Panel) -> pd.DataFrame:
        return (panel.returns().shift(-2) > 0).astype(float)


def outcomes(strategy: MACross, panel: Panel, costs: Costs | None = None) -> dict[str, str]:
    return {check.key: check.outcome for check in validate(strategy, panel, costs=costs).checks}


def trending(noise: float) -> Panel:
    """Return a price whose regimes of rise and fall last about a year."""
    rng = np.random.default_rng(2)
    drift = np.repeat(rng.permutation([0.002, -0.002] * 6), 250)
    close = 100 * np.exp(np.cumsum(drift + rng.normal(0, noise, drift.size)))
    return Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2008-01-01", periods=drift.size)))


def test_a_real_edge_passes_every_check() -> None:
    verdict = validate(MACross(universe=("A",), fast=5, slow=40, allow_short=True), trending(noise=0.006))
    assert verdict.outcome == "pass", verdict
    assert "stands up" in verdict.sentence


def test_a_leak_fails_whatever_else_is_fine(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(1500)
    found = outcomes(Clairvoyant(universe=("KO",)), panel)
    assert found["look_ahead"] == "fail"
    assert found["sharpe"] == "pass"
    assert validate(Clairvoyant(universe=("KO",)), panel).outcome == "fail"


def test_high_costs_turn_the_verdict() -> None:
    strategy = MACross(universe=("A",), fast=2, slow=5, allow_short=True)
    cheap = outcomes(strategy, trending(noise=0.004), Costs(commission_bps=0.1, half_spread_bps=0.1))
    dear = outcomes(strategy, trending(noise=0.004), Costs(commission_bps=15, half_spread_bps=15))
    assert cheap["costs"] == "pass"
    assert dear["costs"] == "fail"


def test_a_short_record_is_weak_not_good(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(330)
    found = {c.key: c for c in validate(MACross(universe=("KO",)), panel).checks}
    assert found["last_third"].outcome == "weak"
    assert "too few" in found["last_third"].sentence


@pytest.mark.parametrize("name", DAILY)
def test_sentences_carry_their_numbers(name: str, stocks: Panel, factor_etfs: Panel) -> None:
    strategy = READY[name]
    whole = stocks if set(strategy.symbols) <= set(stocks.symbols) else factor_etfs
    verdict = validate(strategy, whole.tail(1500))
    assert len(verdict.checks) == 7
    for check in verdict.checks:
        assert any(character.isdigit() for character in check.sentence)
        assert "nan" not in check.sentence
        assert check.change.endswith(".")


def test_a_record_of_no_trades_is_not_judged(stocks: Panel) -> None:
    verdict = validate(MACross(universe=("KO",)), stocks.select(["KO"]).tail(150))
    assert verdict.outcome == "weak"
    assert [c.key for c in verdict.checks] == ["look_ahead", "record"]
    assert "has not traded in 150 sessions" in verdict.checks[1].sentence
    assert verdict.sentence.startswith("There is no record to judge yet. It has not traded in 150 sessions")


def test_a_record_of_a_few_returns_is_not_judged(stocks: Panel) -> None:
    panel = stocks.select(["KO"])
    strategy = MACross(universe=("KO",), fast=5, slow=20)
    weights = strategy.targets(panel)["KO"].to_numpy()
    entry = next(t for t in range(100, len(weights)) if weights[t] > 0 and not weights[t - 40 : t].any())
    part = panel.window(panel.index[entry - 39], panel.index[entry + 10])
    verdict = validate(strategy, part)
    assert verdict.checks[-1].key == "record"
    assert "30 are the least to judge by" in verdict.checks[-1].sentence


def test_holding_is_compared_over_the_same_sessions_where_a_symbol_is_listed_late(stocks: Panel) -> None:
    close = stocks.select(["KO", "XOM"]).tail(1500).frame().copy()
    close.iloc[:1000, 1] = float("nan")
    strategy = MACross(universe=("KO", "XOM"), fast=20, slow=60)
    panel = Panel.from_frames(close)
    check = next(c for c in validate(strategy, panel).checks if c.key == "holding")
    late = run(panel, strategy.targets(panel)).returns.loc[panel.index[1001] :]
    assert ratio(sharpe_ratio(late, periods_per_year=252)) in check.sentence


def test_a_little_more_sharpe_than_holding_is_within_chance(stocks: Panel) -> None:
    """A trend rule on a dozen large caps: 0.96 against 0.93 over 32 years shows nothing."""
    strategy = READY["Large-cap trend"]
    verdict = validate(strategy, stocks.select(strategy.symbols))
    check = next(c for c in verdict.checks if c.key == "holding")
    assert 0 < check.value < 0.1
    assert check.outcome == "weak"
    assert "within what chance explains" in check.sentence


def test_the_interval_of_the_gap_contains_the_gap_of_equal_halves(stocks: Panel) -> None:
    """Against itself the gap is nothing; against itself with a head start every day it is all above zero."""
    returns = stocks.select(["KO"]).returns()["KO"].iloc[1:].tail(2000)
    assert np.isnan(gap_low(returns * 0.0, returns, 252, 0))
    other = stocks.select(["PEP"]).returns()["PEP"].iloc[1:].tail(2000)
    assert gap_low(returns, other, 252, 0) < 0 < gap_low(returns + 0.002, other, 252, 0)


@pytest.mark.parametrize(
    "how",
    [
        {"lag": 5},
        {"cash": 1e4},
        {"limits": Limits(max_gross=0.5)},
        {"execution": Execution(fill="close", cash_bps_per_year=300)},
        {"delisted": {"A": "2017-01-02"}},
    ],
    ids=lambda how: next(iter(how)),
)
def test_doubled_costs_are_tried_on_the_account_that_was_run(how: dict[str, Any]) -> None:
    """Impact depends on the account's size, so cash counts too."""
    waves = trending(noise=0.006).frame()
    panel = Panel.from_frames(waves, volume=waves * 0.0 + 2e4)
    strategy, costs = MACross(universe=("A",), fast=5, slow=40, allow_short=True), Costs(impact_bps=2000)
    usual, twice = (run_strategy(strategy, panel, costs=costs_times(costs, k), **how) for k in (1.0, 2.0))
    verdict = validate(strategy, panel, costs=costs, result=usual, **how)
    check = next(c for c in verdict.checks if c.key == "costs")
    assert check.value == cagr(active_returns(twice), periods_per_year=252)
    assert check.value < cagr(active_returns(usual), periods_per_year=252)
    plain = active_returns(run_strategy(strategy, panel, costs=costs_times(costs, 2.0)))
    assert check.value != cagr(plain, periods_per_year=252)
    assert validate(strategy, panel, costs=costs, **how).checks == verdict.checks


def test_losing_less_than_holding_is_not_a_failure() -> None:
    """Both fall; out of the market an eighth of the time, the loss happens to be a little smaller for its risk."""
    days = pd.bdate_range("2015-01-01", periods=900, name="ts")
    steps = np.random.default_rng(9).normal(-0.001, 0.01, 900)
    panel = Panel.from_frames(pd.DataFrame({"A": 100 * np.exp(np.cumsum(steps))}, index=days))
    weights = pd.DataFrame(np.where(np.arange(900) % 8 == 0, 0.0, 0.9)[:, None], index=days, columns=["A"])
    returns = active_returns(run(panel, weights, costs=Costs.free()))
    check = beats_holding(panel, returns, Costs.free(), 0)
    mine = sharpe_ratio(returns, periods_per_year=252)
    assert mine < 0 < check.value
    assert mine <= 0.8 * (mine - check.value), "the case this test is about"
    assert check.outcome == "weak", check.sentence
    worse = beats_holding(panel, returns - 0.002, Costs.free(), 0)
    assert worse.outcome == "fail"


def test_costs_of_nothing_pass_no_test_of_costs() -> None:
    strategy = MACross(universe=("A",), fast=5, slow=40, allow_short=True)
    verdict = validate(strategy, trending(noise=0.006), costs=Costs.free())
    check = next(c for c in verdict.checks if c.key == "costs")
    assert check.outcome == verdict.outcome == "weak"
    assert "fills were charged nothing, so doubled costs are no test" in check.sentence


def test_costs_by_symbol_that_name_none_are_not_the_defaults() -> None:
    with pytest.raises(DataError, match="no costs of A"):
        validate(MACross(universe=("A",)), trending(noise=0.006), costs={})


def test_luck_is_taken_off_where_the_trials_are_counted(stocks: Panel) -> None:
    strategy = READY["Large-cap trend"]
    panel = stocks.select(strategy.symbols).tail(2500)
    returns = active_returns(run_strategy(strategy, panel))
    plain = validate(strategy, panel)
    psr = plain.check("psr")
    assert psr is not None
    assert psr.value == probabilistic_sharpe(returns)
    length = plain.check("track_record")
    assert length is not None
    assert length.value == minimum_track_record_length(returns)
    assert plain.check("dsr") is None
    assert plain.edge == "weak", "nobody has counted"
    counted = validate(strategy, panel, trials=Trials(n=500, effective=30.0, variance=1e-3))
    assert [check.key for check in counted.checks][2:6] == ["psr", "dsr", "track_record", "backtest_length"]
    dsr = counted.check("dsr")
    assert dsr is not None
    assert dsr.value == deflated_sharpe(returns, n_trials=30.0, variance=1e-3)
    assert dsr.value < psr.value
    assert dsr.sentence.startswith("500 trials, 30.0 independent ones in effect: the best of so many shows")
    longer = counted.check("track_record")
    assert longer is not None
    assert longer.value > length.value
    for n in (0, 1):  # a ledger that has not written it down yet, and one that has
        once = validate(strategy, panel, trials=Trials(n=n, effective=float(n), variance=float("nan"))).check("dsr")
        assert once is not None
        assert once.value == pytest.approx(psr.value)
        assert once.sentence.startswith("1 trial in effect")


def test_a_record_that_loses_needs_no_luck(stocks: Panel) -> None:
    """In while it falls: every question of luck fails, and no length would help."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(-0.001, 0.01, 900)))
    panel = Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2015-01-01", periods=900)))
    strategy = MACross(universe=("A",), fast=2, slow=20)
    found = {check.key: check for check in validate(strategy, panel, trials=Trials(5, 5.0, 1e-3)).checks}
    assert all(found[key].outcome == "fail" for key in ("psr", "dsr", "track_record", "backtest_length"))
    assert "no length" in found["track_record"].sentence
