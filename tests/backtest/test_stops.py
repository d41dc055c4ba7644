"""Stops by hand and by plain pandas: each kind fires at the first bar that breaches, and takes the whole group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtest.made_up import MIXED, Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantlib.backtest import BacktestResult, GroupTargets, run, run_groups
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import FloatArray, Panel

FREE: dict[str, Any] = {
    "costs": Costs(commission_bps=0, half_spread_bps=0, borrow_bps_per_year=0, impact_bps=0),
    "execution": Execution(financing_bps_per_year=0.0),
    "limits": Limits(max_gross=10.0, maintenance=0.0),
    "cash": 1_000.0,
}
#: Each alone, never entered again.
KINDS = {
    "loss": Stops(loss=0.04, reentry="next"),
    "profit": Stops(profit=0.04, reentry="next"),
    "trailing": Stops(trailing=0.05, reentry="next"),
    "time": Stops(time=17, reentry="next"),
    "volatility": Stops(volatility=2.5, reentry="next"),
    "spread_z": Stops(spread_z=1.5, reentry="next"),
}


def one(close: list[float], **more: list[float]) -> Panel:
    """Return the bars of one symbol."""
    index = pd.bdate_range("2024-01-01", periods=len(close))
    fields = {name: pd.DataFrame({"A": values}, index=index, dtype=float) for name, values in more.items()}
    return Panel.from_frames(pd.DataFrame({"A": close}, index=index, dtype=float), **fields)


def held(panel: Panel, *weights: float) -> pd.DataFrame:
    """Return the same decision at every close."""
    return pd.DataFrame([weights] * len(panel), index=panel.index, columns=list(panel.symbols), dtype=float)


SEEDS = range(6)
BEGAN = 70


def trial(kind: str, seed: int) -> tuple[Panel, pd.Series, BacktestResult, FloatArray]:
    """Return prices, weights, account and spread of one trade of three legs under one kind of stop."""
    rng = np.random.default_rng(seed)
    n = 160
    close = 50 * np.exp(rng.normal(0, 0.012, (n, 3)).cumsum(axis=0))
    close[BEGAN + 25 :] *= [0.97, 1.0, 1.03]  # a gap against the first leg
    frame = pd.DataFrame(close, index=pd.bdate_range("2022-01-03", periods=n), columns=list("ABC"))
    panel = Panel.from_frames(frame, open=frame * np.exp(rng.normal(0, 0.004, close.shape)))
    weights = pd.Series(np.array([0.5, -0.3, -0.4]) * rng.choice([-1.0, 1.0]), index=list("ABC"))
    targets = held(panel, *weights)
    targets.iloc[: BEGAN - 1] = 0.0  # decided at row 69, filled at the open of row 70
    z = rng.normal(0, 0.9, n)
    return panel, weights, run(panel, targets, stops=KINDS[kind], spread_z=z, legs=("A", "B", "C"), **FREE), z


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_stop_fires_at_the_first_close_that_breaches_and_takes_every_leg_at_the_next_open(
    kind: str, seed: int
) -> None:
    panel, weights, result, z = trial(kind, seed)
    frame, opens, index, began = panel.frame(), panel.frame("open"), panel.index, BEGAN
    entry = opens.iloc[began]
    shares = weights * 1_000.0 / entry
    base = float(weights.abs().sum() * 1_000.0)
    gained = ((frame.iloc[began:] - entry) * shares).sum(axis=1) / base
    daily = (frame.pct_change().iloc[began - 63 : began] * weights).sum(axis=1) / weights.abs().sum()
    breached = {
        "loss": gained <= -0.04,
        "profit": gained >= 0.04,
        "trailing": gained <= gained.cummax().clip(lower=0.0) - 0.05,
        "time": pd.Series(np.arange(1, len(gained) + 1) >= 17, index=gained.index),
        "volatility": gained <= -2.5 * daily.std(ddof=1),
        "spread_z": pd.Series(np.sign(weights["A"]) * z[began:] <= -1.5, index=gained.index),
    }[kind]
    trade = result.group_trades.iloc[0]
    if not breached.iloc[:-1].any():
        assert trade["exit_reason"] == "open"
        return
    out = index[index.get_loc(breached.idxmax()) + 1]
    exits = result.trades[result.trades["reason"] != "decision"]
    assert exits["ts"].tolist() == [out] * 3
    assert exits["price"].tolist() == opens.loc[out].tolist()
    assert (trade["left"], trade["exit_reason"], trade["entry_reason"]) == (out, kind, "decision")
    assert trade["pnl"] == pytest.approx(((opens.loc[out] - entry) * shares).sum())
    assert trade["base"] == pytest.approx(base)
    assert not result.shares.loc[out:].to_numpy().any(), "next: not in again until the decision changes"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_stop_fires_in_the_trials_above(kind: str) -> None:
    assert kind in {str(trial(kind, seed)[2].group_trades["exit_reason"].iloc[0]) for seed in SEEDS}


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(case=cases(stops=MIXED, prices=("full",), gaps=(0.0,), bars=(30, 60), delisted=0))
def test_a_leg_is_never_stopped_alone(case: Case) -> None:
    result = case.by_kernel()
    ordered_out = result.trades[~result.trades["reason"].isin(["decision", "ruin"])]
    for ts, group in set(zip(ordered_out["ts"], ordered_out["group"], strict=True)):
        assert not result.leg_value.loc[ts, group].to_numpy().any(), f"{group} still holds a leg after its stop on {ts}"
    exits = result.orders[~result.orders["reason"].isin(["decision"])]
    legs = exits.groupby(["group", "ordered"])["symbol"].nunique()
    named = result.leg_value.columns.get_level_values("group").value_counts()
    assert (legs == named.reindex(legs.index.get_level_values("group")).to_numpy()).all()


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(case=cases(sizes=(3.0,), daily=(0.12, 0.3), stops=st.just({})))
def test_no_account_ever_falls_below_zero(case: Case) -> None:
    result = case.by_kernel()
    assert (result.equity >= 0.0).all()
    assert (result.returns >= -1.0).all()
    dead = result.equity == 0.0
    assert not result.shares[dead].to_numpy().any()
    assert dead[dead.idxmax() :].all() or not dead.any()


# Stops within the bar of a group that fills at the close: the range comes first, the close last.


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("every_bar", [False, True])
def test_where_orders_fill_at_the_close_the_stop_within_the_bar_comes_first(side: float, every_bar: bool) -> None:
    # Bought at the close of row 1, 100. Row 3 falls through 95 and closes at 99, where the sale decided at row 2 fills.
    close = np.array([100, 100, 101, 99, 103, 103.0])
    low, high = close - 1.0, close + 1.0
    low[3] = 94.0
    bars = [close, low, high] if side > 0 else [200 - close, 200 - high, 200 - low]
    panel = one(list(bars[0]), open=list(bars[0]), low=list(bars[1]), high=list(bars[2]))
    targets = held(panel, side)
    if not every_bar:
        targets.iloc[2:] = 0.0
    result = run(
        panel,
        targets,
        stops=Stops(loss=0.05, watch="intrabar"),
        rebalance="every_bar" if every_bar else "on_change",
        **{**FREE, "execution": Execution(fill="close", financing_bps_per_year=0.0)},
    )
    out = result.trades[result.trades["reason"] == "loss"].iloc[0]
    assert (out["ts"], out["price"]) == (panel.index[3], 100.0 - 5.0 * side)
    assert not result.shares.iloc[3:].to_numpy().any(), "what it was to do at that close is dropped"
    assert result.orders["status"].tolist().count("replaced") == 1
    assert not result.trades["ts"].eq(panel.index[3]).iloc[: out.name].any(), "nothing was traded at that bar before"


def test_a_trade_that_turns_at_the_close_begins_to_be_watched_at_the_next_bar() -> None:
    # Long from the close of row 1, turned short at the close of row 3 (100): the high of row 3 is the old trade's.
    panel = one([100, 100, 100, 100, 101, 102], open=[100.0] * 6, high=[101, 101, 101, 109, 102, 106], low=[99.0] * 6)
    targets = held(panel, 1.0)
    targets.iloc[2:] = -1.0
    execution = Execution(fill="close", financing_bps_per_year=0.0)
    result = run(panel, targets, stops=Stops(loss=0.05, watch="intrabar"), **{**FREE, "execution": execution})
    assert result.trades["ts"].tolist() == [panel.index[1], panel.index[3], panel.index[5]]
    assert result.trades["price"].tolist() == [100.0, 100.0, 105.0]
    assert result.group_trades["side"].tolist() == ["long", "short"]


def test_a_bar_without_an_open_is_judged_before_its_close_is_traded() -> None:
    nan = float("nan")
    panel = one(
        [100, 100, 100, 97, 97], open=[100, 100, 100, nan, 97], high=[101, 101, 101, 101, 98], low=[99, 99, 99, 90, 96]
    )
    targets = held(panel, 1.0)
    targets.iloc[2:] = 0.0  # would be sold at the close of row 3, 97, as no open is known
    result = run(panel, targets, stops=Stops(loss=0.05, watch="intrabar"), **FREE)
    assert result.trades["price"].tolist() == [100.0, 95.0]
    assert result.trades["reason"].tolist() == ["decision", "loss"]
    # With an open known the decision comes first.
    full = one(
        [100, 100, 100, 97, 97], open=[100, 100, 100, 98, 97], high=[101, 101, 101, 101, 98], low=[99, 99, 99, 90, 96]
    )
    result = run(full, targets, stops=Stops(loss=0.05, watch="intrabar"), **FREE)
    assert result.trades["price"].tolist() == [100.0, 98.0]
    assert result.trades["reason"].tolist() == ["decision", "decision"]


def test_stops_as_wide_as_each_other_are_named_in_order() -> None:
    # Width and price are such that one formula would round differently from the other.
    for width in (0.024627211359807145, 0.1, 0.07):
        panel = one([63.1] * 3 + [80.3] * 2, open=[63.1] * 3 + [63.2] * 2, high=[63.2] * 3 + [90.0] * 2, low=[63.1] * 5)
        stops = Stops(loss=width, trailing=width, watch="intrabar")
        result = run(panel, held(panel, -0.5), stops=stops, **FREE)
        assert result.group_trades["exit_reason"].iloc[0] == "loss"


def test_a_flat_group_is_not_leaving_and_a_second_margin_call_blocks_it_again() -> None:
    # "a" is called at row 2 and cannot be bought back, as the account would be worth less than nothing at the open.
    # "b" holds nothing then, decides at row 3, and is called again at the close of row 3 before that is filled.
    close, opens = [10, 10, 15.9, 15.9, 12, 12, 12], [10, 10, 15, 20, 20, 12, 12]
    panel = one(close, open=opens)
    first, second = held(panel, -1.5), held(panel, 0.0)
    second.iloc[3:] = -0.1
    limits = Limits(max_gross=3.9, maintenance=0.25)
    result = run_groups(panel, [GroupTargets("a", first), GroupTargets("b", second)], **{**FREE, "limits": limits})
    by_group = result.orders.groupby("group")["reason"].agg(list)
    assert by_group["a"] == ["decision", "margin"]
    assert "b" not in by_group
    assert not result.leg_value["b"].to_numpy().any()


def test_an_entry_called_off_by_a_drawdown_is_replaced_and_leaves_no_open_order() -> None:
    nan = float("nan")
    index = pd.bdate_range("2024-01-01", periods=8)
    close = pd.DataFrame(
        {"A": [100, 100, 70, 70, 70, 70, 70, 70.0], "B": [50, 50, nan, nan, nan, 50, 50, 50]}, index=index
    )
    panel = Panel.from_frames(close)
    a = pd.DataFrame({"A": 1.0, "B": 0.0}, index=index)
    b = pd.DataFrame({"A": 0.0, "B": [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]}, index=index)
    limits = Limits(max_gross=2.0, drawdown=0.2, cool_down=100)
    result = run_groups(panel, [GroupTargets("a", a), GroupTargets("b", b)], **{**FREE, "limits": limits})
    orders = result.orders.set_index(["group", "symbol"])
    assert orders.loc[[("b", "B")], "status"].tolist() == ["replaced"]
    assert orders.loc[[("a", "A")], "reason"].tolist() == ["decision", "drawdown"]
    assert (result.trades["symbol"] == "A").all()


@pytest.mark.parametrize(("back", "reason"), [(62, "open"), (63, "volatility")])
def test_the_volatility_stop_learns_from_the_63_returns_up_to_the_decision(back: int, reason: str) -> None:
    # Decided at row 99. One wild day within its window makes the stop wide; a row earlier it is forgotten.
    returns = np.tile([0.001, -0.001], 60)
    returns[99 - back] = 0.4
    returns[103] = -0.03
    panel = one(list(100 * np.cumprod(1 + returns)))
    targets = held(panel, 1.0)
    targets.iloc[:99] = 0.0
    result = run(panel, targets, stops=Stops(volatility=5.0), **FREE)
    assert result.group_trades["exit_reason"].iloc[0] == reason
