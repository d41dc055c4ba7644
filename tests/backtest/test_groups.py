"""Groups and their legs: the order a definition names them in, whatever the panel's, and whatever comes later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import GroupTargets, equities_of, equity_of, group_of, prepare, run, run_groups, run_strategy
from quantlib.backtest.fragility import break_even_cost
from quantlib.costs import Costs
from quantlib.errors import StrategyError
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Group
from quantlib.types import FloatArray, Panel

FREE: dict[str, Any] = {"costs": Costs.free(), "execution": Execution(financing_bps_per_year=0.0)}


def walks(n: int, symbols: tuple[str, ...], seed: int = 0) -> Panel:
    """Return closes of random walks."""
    close = 50 * np.exp(np.random.default_rng(seed).normal(0, 0.015, (n, len(symbols))).cumsum(axis=0))
    return Panel.from_frames(pd.DataFrame(close, index=pd.bdate_range("2020-01-01", periods=n), columns=list(symbols)))


@pytest.mark.parametrize("columns", [("KO", "PEP"), ("PEP", "KO")])
def test_a_spread_stop_goes_by_the_groups_own_first_leg(columns: tuple[str, str]) -> None:
    # The spread is PEP minus KO. Bought when it is cheap: PEP long, KO short, filled at row 2.
    panel = walks(9, columns)
    targets = pd.DataFrame(0.0, index=panel.index, columns=list(columns))
    targets.loc[panel.index[1] :, "PEP"], targets.loc[panel.index[1] :, "KO"] = 0.5, -0.5
    how: dict[str, Any] = {**FREE, "stops": Stops(spread_z=2.0), "legs": ("PEP", "KO")}
    # Cheaper still at row 4: that is the losing side, given up at row 5.
    losing = run(panel, targets, spread_z=np.array([0, -1, -1, -1.9, -2.0, -1, -3, -3, -3.0]), **how)
    assert losing.trades["ts"].tolist() == [panel.index[2]] * 2 + [panel.index[5]] * 2
    assert losing.trades["symbol"].tolist() == ["PEP", "KO"] * 2
    assert losing.group_trades["exit_reason"].tolist() == ["spread_z"]
    assert losing.group_trades["side"].tolist() == ["long"], "the side of a pair is that of its first leg"
    # Dear at row 4: that is what was hoped for, and no stop.
    winning = run(panel, targets, spread_z=np.array([0, -1, -1, 1.9, 2.5, 3, 3, 3, 3.0]), **how)
    assert winning.group_trades["exit_reason"].tolist() == ["open"]


def test_the_order_of_the_panels_columns_changes_nothing(stocks: Panel) -> None:
    stops = Stops(spread_z=2.6, time=30)
    pair = Group(legs=("PEP", "KO"), timing={"kind": "band", "lookback": 60}, hedge={"lookback": 60}, stops=stops)
    own, other = (stocks.select(columns).tail(2000) for columns in (["PEP", "KO"], ["KO", "MSFT", "PEP"]))
    results = [run_strategy(pair, panel, limits=Limits(max_gross=1.5)) for panel in (own, other)]
    assert (results[0].group_trades["exit_reason"] == "spread_z").sum() > 5
    np.testing.assert_array_equal(results[0].equity, results[1].equity)
    pd.testing.assert_frame_equal(results[0].trades, results[1].trades)
    pd.testing.assert_frame_equal(results[0].group_trades, results[1].group_trades)
    assert break_even_cost(pair, own) == break_even_cost(pair, other)
    # And the bare account of a sweep is the same account.
    group = group_of(pair, own)
    bare = equity_of(prepare(own), group.targets.to_numpy(), stops=stops, spread_z=group.spread_z, linked=True)
    np.testing.assert_array_equal(bare, run_strategy(pair, own).equity)


@pytest.mark.parametrize("late", [60, 119])
def test_a_leg_that_gets_its_first_weight_late_changes_nothing_before(late: int) -> None:
    panel = walks(120, ("A", "B", "C", "D"), seed=3)
    rng = np.random.default_rng(4)
    held = np.repeat(rng.choice([-0.4, 0.0, 0.4], (12, 4)), 10, axis=0)
    held[:late, 0] = 0.0  # A: the first column, and no leg of the group's own until late
    held[late:, 0] = 0.4
    targets = pd.DataFrame(held, index=panel.index, columns=list(panel.symbols))
    z = rng.normal(0, 1.5, 120)
    how: dict[str, Any] = {"limits": Limits(max_gross=1.0), "delisted": {"D": panel.index[90].date()}}

    def account(until: int) -> Any:
        cut = panel.until(panel.index[until])
        stops = Stops(spread_z=1.5, trailing=0.05, reentry="next")
        group = GroupTargets("turns", targets.iloc[: until + 1], stops, z[: until + 1], legs=("D", "A", "B", "C"))
        return run_groups(cut, [group], **how)

    whole = account(119)
    assert {"spread_z", "trailing"} & set(whole.trades["reason"])
    for t in range(20, 119, 9):
        part = account(t)
        np.testing.assert_array_equal(part.equity, whole.equity.iloc[: t + 1])
        past = whole.trades[whole.trades["ts"] <= panel.index[t]]
        pd.testing.assert_frame_equal(part.trades, past, check_exact=True)


def test_a_linked_group_ends_with_a_leg_it_names_though_that_had_no_weight_yet() -> None:
    panel = walks(12, ("A", "B"))
    targets = pd.DataFrame({"A": 0.5, "B": 0.0}, index=panel.index)
    how: dict[str, Any] = {**FREE, "delisted": {"B": panel.index[5].date()}}
    named, unnamed = (
        run_groups(panel, [GroupTargets("g", targets, linked=True, legs=legs)], **how) for legs in (("A", "B"), None)
    )
    assert named.trades["reason"].tolist() == ["decision", "delisted"]
    assert unnamed.trades["reason"].tolist() == ["decision"]


@pytest.mark.parametrize(
    ("legs", "message"),
    [
        (None, "which leg its spread is seen from"),
        (("A",), "decides a weight of B, which is not among its legs"),
        (("A", "B", "A"), "has a leg twice: A, B, A"),
        (("A", "Bb"), "has the leg Bb, which the panel lacks"),
    ],
)
def test_legs_that_do_not_fit_are_refused(legs: tuple[str, ...] | None, message: str) -> None:
    panel = walks(5, ("A", "B"))
    targets = pd.DataFrame(0.2, index=panel.index, columns=["A", "B"])
    with pytest.raises(StrategyError, match=message):
        run(panel, targets, stops=Stops(spread_z=2.0), spread_z=np.zeros(5), legs=legs)


@pytest.mark.parametrize(
    ("stops", "spread", "message"),
    [
        (Stops(spread_z=2.0), None, "a spread stop but no spread"),
        (Stops(spread_z=2.0), np.zeros(3), r"shape \(3,\); the panel gives \(5,\)"),
        (Stops(loss=0.1, watch="intrabar"), None, "has 2 legs, and stops within the bar are for one"),
    ],
)
def test_stops_that_lack_what_they_need_are_refused(stops: Stops, spread: FloatArray | None, message: str) -> None:
    panel = walks(5, ("A", "B"))
    targets = pd.DataFrame(0.2, index=panel.index, columns=["A", "B"])
    with pytest.raises(StrategyError, match=message):
        run(panel, targets, stops=stops, spread_z=spread, legs=("A", "B"))


def test_groups_need_names_of_their_own() -> None:
    panel = walks(5, ("A",))
    group = GroupTargets("same", pd.DataFrame(0.2, index=panel.index, columns=["A"]))
    with pytest.raises(StrategyError, match="names of their own; got same, same"):
        run_groups(panel, [group, group])
    with pytest.raises(StrategyError, match="got no group"):
        run_groups(panel, [])


def test_targets_of_a_bare_account_may_be_read_only_and_in_any_order() -> None:
    panel = walks(30, ("A", "B"))
    weights = np.random.default_rng(1).uniform(-0.5, 0.5, (30, 2))
    expected = equity_of(prepare(panel), weights)
    frozen = np.asfortranarray(weights)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(equity_of(prepare(panel), frozen), expected)
    with pytest.raises(StrategyError, match="accounts, legs, bars"):
        equities_of(prepare(panel), weights.T[None], np.zeros((1, 1), dtype=np.int64))


def delisting() -> tuple[Panel, pd.DataFrame]:
    """Return three symbols of which A ends at row 3, held in equal parts."""
    panel = walks(20, ("A", "B", "C"), seed=8)
    return panel, pd.DataFrame(0.3, index=panel.index, columns=["A", "B", "C"])


def test_a_decision_on_a_gone_symbol_alone_is_no_new_decision() -> None:
    panel, targets = delisting()
    targets.loc[panel.index[10] :, "A"] = 0.1
    result = run(panel, targets, delisted={"A": panel.index[3].date()}, **FREE)
    assert result.trades["ts"].tolist() == [panel.index[1]] * 3 + [panel.index[3]]
    assert result.trades["reason"].tolist() == ["decision"] * 3 + ["delisted"]


def test_a_gone_symbol_does_not_let_a_stopped_group_in_again() -> None:
    # A goes at row 3; the rest begins a new trade there and is stopped by time. Signs of B and C never change, so it
    # stays out, though what was filled had a weight on A that counts as zero by now; from row 15 C is turned.
    panel, targets = delisting()
    targets.loc[panel.index[9] :, "A"] = -0.3
    targets.loc[panel.index[15] :, "C"] = -0.3
    result = run(panel, targets, delisted={"A": panel.index[3].date()}, stops=Stops(time=4), **FREE)
    decided = result.trades.loc[result.trades["reason"] == "decision", "ts"]
    assert sorted(set(decided)) == [panel.index[1], panel.index[16]]
    assert result.group_trades["exit_reason"].iloc[:2].tolist() == ["delisted", "time"]


def test_the_volatility_of_a_group_is_that_of_the_symbols_still_listed() -> None:
    # A moves wildly and goes before the trade begins: its weight is in the decision, but no longer in the stop.
    panel = walks(80, ("B", "C"), seed=8)
    wild = pd.Series(100 * np.exp(np.random.default_rng(1).normal(0, 0.3, 80).cumsum()), index=panel.index, name="A")
    both = Panel.from_frames(panel.frame().join(wild))
    targets = pd.DataFrame({"B": -0.5, "C": 0.5, "A": 0.5}, index=panel.index)
    targets.iloc[:40] = 0.0
    fired = set()
    for k in np.arange(0.1, 3.0, 0.1):
        stops = Stops(volatility=float(k), reentry="next")
        with_a = run(both, targets, delisted={"A": panel.index[30].date()}, stops=stops, **FREE)
        without = run(panel, targets[["B", "C"]], stops=stops, **FREE)
        fired |= set(without.group_trades["left"].dropna())
        np.testing.assert_array_equal(with_a.equity, without.equity)
    assert len(fired) > 3
