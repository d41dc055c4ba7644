"""How much of a result hangs on execution, against runs made by hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run, run_strategy
from quantlib.backtest.fragility import break_even_cost, delay_decay, same_bar_band
from quantlib.costs import Costs, default_costs
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Execution, Stops
from quantlib.strategies import MACross, Strategy
from quantlib.types import Panel


class Seer(Strategy):
    """Hold what rises over the session after next: an edge that one session's delay destroys."""

    family: ClassVar[str] = "seer"
    title: ClassVar[str] = "Seer"
    description: ClassVar[str] = "For tests."
    stops: Stops = Stops()

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("A",)

    @property
    def warmup(self) -> int:
        return 1

    @property
    def risk(self) -> Stops:
        return self.stops

    def decide(self, panel: Panel) -> pd.DataFrame:
        after = panel.frame().pct_change().shift(-2)
        return (after > 0).astype(float)


@pytest.fixture(scope="module")
def noise() -> Panel:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (400, 1)), axis=0))
    spread = np.abs(rng.normal(0.0, 0.01, (2, 400, 1)))
    frame = pd.DataFrame(close, index=pd.bdate_range("2020-01-01", periods=400, name="ts"), columns=["A"])
    return Panel.from_frames(frame, high=frame * (1 + spread[0]), low=frame * (1 - spread[1]))


def test_an_edge_of_the_next_fill_is_gone_one_session_later(noise: Panel) -> None:
    table = delay_decay(Seer(), noise, costs=Costs.free(), lags=(1, 2, 3))
    assert table.index.tolist() == [1, 2, 3]
    assert table.loc[1, "ci_low"] > 5
    assert table.loc[2, "ci_low"] < 0 < table.loc[2, "ci_high"]
    by_hand = run(noise, Seer().targets(noise), costs=Costs.free(), lag=2).summary().loc["sharpe_ratio", "value"]
    assert table.loc[2, "value"] == by_hand
    with pytest.raises(StrategyError, match="no lag"):
        delay_decay(Seer(), noise, lags=())


def test_the_account_ends_where_it_began_at_the_break_even_cost(noise: Panel) -> None:
    bps = break_even_cost(Seer(), noise)
    assert 10 < bps < 200
    flat = Costs(commission_bps=bps, half_spread_bps=0.0, impact_bps=0.0)
    equity = run(noise, Seer().targets(noise), costs=flat, cash=1.0).equity
    assert equity.iloc[-1] == pytest.approx(1.0, abs=1e-6)


def test_break_even_says_never_and_always(noise: Panel) -> None:
    falling = Panel.from_frames(
        pd.DataFrame({"A": np.linspace(100.0, 50.0, 300)}, index=pd.bdate_range("2020-01-01", periods=300, name="ts"))
    )
    rising = Panel.from_frames(falling.frame()[::-1].set_axis(falling.index))
    average = MACross(universe=("A",), fast=1, slow=2)
    assert break_even_cost(average.model_copy(update={"allow_short": False}), rising) == np.inf
    assert np.isnan(break_even_cost(average, falling))
    costly = MACross(universe=("A",), fast=1, slow=2, allow_short=True)
    zigzag = Panel.from_frames(pd.DataFrame({"A": np.tile([100.0, 101.0, 100.5, 99.5], 75)}, index=falling.index))
    assert break_even_cost(costly, zigzag) == 0.0


def test_the_band_is_what_each_way_gives(noise: Panel) -> None:
    seer = Seer(stops=Stops(loss=0.004, profit=0.004, watch="intrabar"))
    band = same_bar_band(seer, noise, costs=Costs.free())
    assert band.loc["total_return", "optimistic"] > band.loc["total_return", "pessimistic"]
    for way in ("pessimistic", "optimistic"):
        stops = seer.stops.model_copy(update={"same_bar": way})
        result = run(noise, seer.targets(noise), costs=Costs.free(), stops=stops)
        assert band.loc["total_return", way] == pytest.approx(result.equity.iloc[-1] / 1e6 - 1.0, rel=1e-9)


@pytest.mark.parametrize("stops", [Stops(), Stops(loss=0.1, profit=0.1), Stops(profit=0.1, watch="intrabar")])
def test_a_band_needs_stop_and_target_within_the_bar(noise: Panel, stops: Stops) -> None:
    with pytest.raises(StrategyError, match="cannot meet a stop and a target"):
        same_bar_band(Seer(stops=stops), noise)


class Short(Seer):
    """Be short of everything, always."""

    family: ClassVar[str] = "short"
    universe: tuple[str, ...] = ("A",)

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.universe

    def decide(self, panel: Panel) -> pd.DataFrame:
        return pd.DataFrame(-1.0 / len(self.universe), index=panel.index, columns=list(self.universe))


def falling(rate: float, symbols: int = 1) -> Panel:
    """Return prices that fall by a rate a session."""
    close = 100.0 * (1.0 - rate) ** np.arange(300.0)
    days = pd.bdate_range("2020-01-01", periods=300, name="ts")
    return Panel.from_frames(pd.DataFrame(dict.fromkeys("AB"[:symbols], close), index=days))


def test_break_even_goes_on_paying_the_borrowing_of_its_costs() -> None:
    panel, crypto = falling(0.0005, symbols=2), default_costs("crypto")
    short = Short(universe=("A", "B"))
    mixed = {"A": crypto, "B": Costs()}
    by_hand = {}
    for name, costs in (("crypto", crypto), ("mixed", mixed), ("usual", Costs())):
        bps = break_even_cost(short, panel, costs=costs)
        flat = {"commission_bps": bps, "half_spread_bps": 0.0, "impact_bps": 0.0}
        own = costs if isinstance(costs, dict) else dict.fromkeys("AB", costs)
        charged = {symbol: one.model_copy(update=flat) for symbol, one in own.items()}
        assert run_strategy(short, panel, costs=charged).equity.iloc[-1] == pytest.approx(1e6, rel=1e-6)
        by_hand[name] = bps
    assert 10 < by_hand["crypto"] < by_hand["mixed"] - 100 < by_hand["usual"] - 200
    assert break_even_cost(short, panel) == by_hand["usual"]
    with pytest.raises(DataError, match="no costs of A"):
        break_even_cost(short, panel, costs={})


def test_break_even_is_that_of_the_account_that_is_run(noise: Panel) -> None:
    slow = MACross(universe=("A",), fast=2, slow=5, allow_short=True)
    found = [break_even_cost(slow, noise, lag=lag) for lag in (1, 3)]
    assert found[0] != found[1]
    assert 0 < found[1] < 1_000
    flat = Costs(commission_bps=found[1], half_spread_bps=0.0, impact_bps=0.0)
    assert run_strategy(slow, noise, costs=flat, lag=3).equity.iloc[-1] == pytest.approx(1e6, rel=1e-6)


def test_whole_shares_leave_about_the_same_edge(noise: Panel) -> None:
    whole = Execution(whole_shares=True)
    assert break_even_cost(Seer(), noise, execution=whole) == pytest.approx(break_even_cost(Seer(), noise), rel=0.01)
    assert break_even_cost(Seer(), noise, execution=whole, cash=10.0) == 0.0, "too little for one share"


def test_break_even_refuses_what_a_run_refuses() -> None:
    two = Short(universe=("A", "B"), stops=Stops(loss=0.03, watch="intrabar"))
    for ask in (run_strategy, break_even_cost):
        with pytest.raises(StrategyError, match="stops within the bar are for one"):
            ask(two, falling(0.001, symbols=2))
    with pytest.raises(StrategyError, match="lag is 0"):
        break_even_cost(Short(), falling(0.001), lag=0)


def test_cash_and_lag_of_the_account_reach_every_run(noise: Panel) -> None:
    thin = Panel.from_frames(noise.frame(), high=noise.frame("high"), low=noise.frame("low"), volume=noise.frame() * 20)
    seer = Seer(stops=Stops(loss=0.004, profit=0.004, watch="intrabar"))
    table = delay_decay(seer, thin, cash=1e4, lags=(2,))
    small = run_strategy(seer, thin, cash=1e4, lag=2)
    assert table.loc[2, "value"] == small.summary(samples=0).loc["sharpe_ratio", "value"]
    assert table.loc[2, "value"] > delay_decay(seer, thin, lags=(2,)).loc[2, "value"], "impact on a larger account"
    band = same_bar_band(seer, thin, cash=1e4, lag=2)
    assert band.loc["total_return", "pessimistic"] == pytest.approx(small.equity.iloc[-1] / 1e4 - 1.0, rel=1e-9)
