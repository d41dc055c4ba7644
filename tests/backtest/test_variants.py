"""The matrix of variants is what single backtests give, around the strategy that was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import active_returns, run_strategy, variants_of
from quantlib.backtest.neighbourhood import axes_of, levels, parameters_of, sets_around
from quantlib.backtest.sweep_grid import Grid
from quantlib.costs import Costs
from quantlib.errors import StrategyError
from quantlib.risk import Limits, Stops
from quantlib.strategies import READY, Group, MACross, Pair
from quantlib.strategies.legs import Leg
from quantlib.strategies.timing import Hold, Rules
from quantlib.types import Panel


def outright(**rules: str) -> Group:
    return Group(kind="outright", legs=(Leg(symbol="KO"),), timing=Rules(**rules))


def test_every_column_is_the_backtest_of_its_parameters(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"]).tail(900)
    strategy = MACross(universe=("KO", "PEP"), fast=10, slow=40)
    how = {"costs": Costs(commission_bps=5), "limits": Limits(max_gross=0.8), "cash": 5e4, "lag": 2}
    found = variants_of(strategy, panel, **how)
    assert found.chosen == 0
    assert found.parameters.iloc[0].to_dict() == {"fast": 10, "slow": 40}
    assert 50 < len(found.returns.columns) <= 130
    assert not found.parameters.duplicated().any()
    assert (found.parameters["fast"] < found.parameters["slow"]).all()
    for column in (0, 1, 17, len(found.returns.columns) - 1):
        own = found.parameters.loc[column]
        single = run_strategy(MACross(universe=("KO", "PEP"), fast=own["fast"], slow=own["slow"]), panel, **how)
        pd.testing.assert_series_equal(
            found.returns[column].dropna(), active_returns(single), check_names=False, check_freq=False
        )
    assert found.sentence.startswith(f"{len(found.returns.columns)} variants by ")
    assert found.complete


def test_a_grid_is_run_as_given_with_the_strategy_itself(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"]).tail(700)
    strategy = Pair(y="KO", x="PEP", lookback=60)
    found = variants_of(strategy, panel, grid={"entry": [1.5, 2.0, 5.0], "stops.time": [5, 20]})
    assert found.varied == ("entry", "stops.time")
    assert found.refused == 2  # entry above the stop of the family
    table = found.parameters
    assert (table["entry"][0], table["stops.time"][0]) == (2.0, None)  # no stop in time of its own
    assert sorted(map(tuple, table.iloc[1:].to_numpy())) == [(1.5, 5), (1.5, 20), (2.0, 5), (2.0, 20)]
    assert not found.returns.T.duplicated().all()
    # A grid that has the strategy among its sets does not run it twice.
    again = variants_of(strategy, panel, grid={"entry": [1.5, 2.0], "lookback": [60]})
    assert len(again.returns.columns) == 2
    with pytest.raises(StrategyError, match="has no parameter 'enter'"):
        variants_of(strategy, panel, grid={"enter": [1.0]})
    with pytest.raises(StrategyError, match="2,001 sets; variants are at most 2,000"):
        variants_of(strategy, panel, grid={"lookback": list(range(20, 2021))})


def test_numbers_in_conditions_are_varied_together_where_they_are_the_same() -> None:
    strategy = outright(long="rsi(close, 2) < 10 and close > sma(close, 200)", exit_long="close > sma(close, 200) * 2")
    names = [axis.name for axis in axes_of(strategy)]
    assert names[-3:] == [
        "2 in timing.long, timing.exit_long",
        "10 in timing.long",
        "200 in timing.long, timing.exit_long",
    ]
    axes = axes_of(strategy)
    changed = parameters_of(strategy, axes, {"200 in timing.long, timing.exit_long": 150, "10 in timing.long": 12})
    assert changed == {
        "timing.long": "rsi(close, 2) < 12 and close > sma(close, 150)",
        "timing.exit_long": "close > sma(close, 150) * 2",
    }
    assert parameters_of(strategy, axes, {}) == {}
    assert Grid(strategy, {}).definition(changed).strategy.timing.long == changed["timing.long"]


def test_what_is_no_parameter_is_left_alone() -> None:
    strategy = Group(
        kind="rotation",
        legs=(Leg(symbol="BRK.B", weight=2.0), Leg(symbol="A2")),
        timing={"kind": "rank", "by": "roc(close, 63)", "filter": "A2.close > 0 and year >= 2010"},
        capital=0.5,
    )
    names = {axis.name for axis in axes_of(strategy)}
    assert "63 in timing.by" in names
    assert not {name for name in names if name.startswith(("legs", "capital", "schema", "2010", "2 in", "0 in"))}
    calendar = next(a for a in axes_of(READY["Sell in May"]) if a.name.startswith("11"))
    assert levels(calendar, 5) == (9, 10, 11, 12, 13)  # steps of a month; the last is refused or never true


@pytest.mark.parametrize(("n", "low", "high"), [(3, 71, 141), (5, 50, 200), (11, 50, 200)])
def test_levels_stand_around_the_value(n: int, low: int, high: int) -> None:
    axis = axes_of(MACross(fast=100, slow=400))[0]
    found = levels(axis, n)
    assert len(found) == n
    assert (found[0], found[n // 2], found[-1]) == (low, 100, high)
    assert list(found) == sorted(set(found))
    assert levels(axes_of(MACross(fast=1, slow=400))[0], 5) == (1, 2, 3)
    assert len(sets_around(axes_of(MACross()), 3)) == 9


def test_a_family_with_nothing_to_vary_says_so(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"]).tail(300)
    strategy = Group(kind="basket", legs=(Leg(symbol="KO"), Leg(symbol="PEP")), timing=Hold(every="monthly"))
    found = variants_of(strategy, panel)
    assert len(found.returns.columns) == 1
    assert found.left["hedge.lookback"] == "changes nothing but the size"
    assert found.sentence.startswith("Nothing in the definition can be varied (hedge.lookback: changes nothing")


def test_it_can_be_watched_and_cut_short(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(400)
    told: list[tuple[int, int]] = []
    strategy = MACross(universe=("KO",), fast=5, slow=40)
    whole = variants_of(strategy, panel, on_progress=lambda *so_far: told.append(so_far), workers=1)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)
    asked: list[int] = []
    part = variants_of(strategy, panel, cancelled=lambda: len(asked) > 3 or bool(asked.append(1)), workers=1)
    assert not part.complete
    assert 1 <= len(part.returns.columns) < len(whole.returns.columns)
    assert "cancelled" in part.sentence
    pd.testing.assert_series_equal(part.returns[0], whole.returns[0])


def test_stops_of_the_call_take_the_place_of_the_strategys(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(600)
    strategy = MACross(universe=("KO",), fast=5, slow=20)
    usual, stopped = (variants_of(strategy, panel, stops=s, grid={"fast": [4]}) for s in (None, Stops(time=2)))
    assert not np.allclose(usual.returns[0].fillna(0), stopped.returns[0].fillna(0))


def test_a_strategy_that_cannot_be_run_is_refused(stocks: Panel) -> None:
    with pytest.raises(StrategyError, match="spread stop but no spread"):
        variants_of(MACross(universe=("KO",)), stocks.select(["KO"]).tail(300), stops=Stops(spread_z=2.0))
