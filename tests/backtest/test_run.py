"""The backtest against closed forms and an independent calculation in plain pandas."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantlib.backtest import equity_of, hold_equal_parts, holding_beside, prepare, run, run_account, sweep
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Execution
from quantlib.strategies import DAILY, READY, MACross
from quantlib.types import Panel


def plain_pandas_equity(panel: Panel, targets: pd.DataFrame, costs: Costs, cash: float, lag: int = 1) -> pd.Series:
    """Return equity by walking from decision to decision with frames only; known prices, no volumes."""
    close = panel.frame("close")
    fill_price = panel.frame("open").fillna(close)
    changed = targets.ne(targets.shift(fill_value=0.0)).any(axis=1)
    decisions = [d for d in changed[changed].index if panel.index.get_loc(d) + lag < len(panel)]
    fill_days = [panel.index[panel.index.get_loc(d) + lag] for d in decisions]
    impact = costs.impact_bps * costs.assumed_participation**0.5
    rate = (costs.commission_bps + costs.half_spread_bps + impact) / 10_000
    borrow = costs.borrow_bps_per_year / 10_000 / panel.periods_per_year

    equity = pd.Series(cash, index=close.index)
    shares = pd.Series(0.0, index=close.columns)
    for k, (decision, day) in enumerate(zip(decisions, fill_days, strict=True)):
        last = fill_days[k + 1] if k + 1 < len(fill_days) else None
        price = fill_price.loc[day]
        # Shorts carried into the fill day have already paid: `cash` here is after that day's borrow fee.
        value = cash + (shares * price).sum()
        estimate = rate * (targets.loc[decision] * value - shares * price).abs().sum()
        bought = targets.loc[decision] * (value - estimate) / price - shares
        cash = cash - (bought * price).sum() - rate * (bought * price).abs().sum()
        shares = shares + bought

        segment = close.loc[day:last]
        fee = (-segment.shift() * shares.clip(upper=0.0)).sum(axis=1) * borrow
        money = cash - fee.cumsum()
        value_path = (segment * shares).sum(axis=1) + money
        equity.loc[day:] = np.nan
        equity.loc[segment.index] = value_path
        if last is not None:
            cash = money.loc[last]
    return equity


@pytest.mark.parametrize("name", DAILY)
def test_every_ready_strategy_agrees_with_plain_pandas_on_the_sample(
    name: str, stocks: Panel, factor_etfs: Panel
) -> None:
    strategy = READY[name]
    world = stocks if set(strategy.symbols) <= set(stocks.symbols) else factor_etfs
    panel = world.select(strategy.symbols)
    costs = Costs()
    result = run(panel, strategy.targets(panel), costs=costs)
    expected = plain_pandas_equity(panel, result.targets, costs, 1_000_000.0)
    assert len(result.trades) > 10
    assert (result.equity / expected - 1.0).abs().max() < 1e-9


def test_agrees_with_plain_pandas_where_opens_are_known_and_shorts_are_held(ohlcv: Panel) -> None:
    panel = ohlcv.tail(1500)
    targets = MACross(universe=("^GSPC",), fast=10, slow=30, allow_short=True).targets(panel)
    costs = Costs(commission_bps=3.0, half_spread_bps=5.0, borrow_bps_per_year=120.0, impact_bps=0.0)
    result = run(panel, targets, costs=costs)
    expected = plain_pandas_equity(panel, targets, costs, 1_000_000.0)
    assert (result.shares < 0).any().any()
    assert (result.equity / expected - 1.0).abs().max() < 1e-9
    first = result.trades.iloc[0]
    assert first["price"] == panel.frame("open").loc[first["ts"], "^GSPC"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 60),
    symbols=st.integers(1, 4),
    bps=st.floats(0, 50),
    lag=st.integers(1, 3),
)
def test_agrees_with_plain_pandas_on_made_up_panels(seed: int, n: int, symbols: int, bps: float, lag: int) -> None:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n, symbols)), axis=0))
    index = pd.bdate_range("2020-01-01", periods=n)
    names = [f"S{i}" for i in range(symbols)]
    panel = Panel.from_frames(pd.DataFrame(close, index=index, columns=names))
    raw = rng.choice([-0.3, 0.0, 0.2, 0.3], size=(n, symbols))
    targets = (
        pd.DataFrame(raw, index=panel.index, columns=names)
        .where(np.repeat(rng.random((n, 1)) < 0.4, symbols, axis=1))
        .ffill()
        .fillna(0.0)
    )
    costs = Costs(commission_bps=bps)
    result = run(panel, targets, costs=costs, lag=lag, execution=Execution(financing_bps_per_year=0))
    expected = plain_pandas_equity(panel, targets, costs, 1_000_000.0, lag)
    np.testing.assert_allclose(result.equity, expected, rtol=1e-9)


def test_buy_and_hold_is_its_closed_form(small: Panel) -> None:
    panel = small.select(["KO"])
    costs = Costs(commission_bps=10.0, half_spread_bps=0.0, impact_bps=0.0)
    result = run(panel, pd.DataFrame(1.0, index=panel.index, columns=["KO"]), costs=costs, cash=1000.0)
    c = 0.001
    close = panel.frame()["KO"]
    growth = close.iloc[-1] / close.iloc[1]
    assert result.equity.iloc[0] == 1000.0
    assert result.equity.iloc[-1] == pytest.approx(1000.0 * ((1 - c) * growth + c * c), rel=1e-12)
    assert len(result.trades) == 1
    assert result.cash.min() >= 0.0


def test_constant_mix_is_the_mean_of_returns_every_bar(small: Panel) -> None:
    weights = pd.DataFrame(1 / 3, index=small.index, columns=list(small.symbols))
    result = run(small, weights, costs=Costs.free(), rebalance="every_bar")
    expected = small.returns().mean(axis=1)
    np.testing.assert_allclose(result.returns.iloc[2:], expected.iloc[2:], rtol=1e-9, atol=1e-14)


def test_the_account_reconciles_at_every_bar(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"])
    result = run(panel, READY["Coke against Pepsi"].targets(panel))
    value = result.cash + (result.shares * panel.frame()).sum(axis=1)
    np.testing.assert_allclose(result.equity, value, rtol=1e-12)
    trade_costs = result.trades.groupby("ts")["cost"].sum().reindex(panel.index, fill_value=0.0)
    borrowed = result.costs - trade_costs
    assert (borrowed > -1e-9).all()
    assert (borrowed[(result.shares.shift() < 0).any(axis=1)] > 0).all()
    np.testing.assert_allclose(result.traded.sum(), result.trades["notional"].sum(), rtol=1e-12)


def test_a_decision_is_filled_on_the_next_session_and_never_on_its_own(small: Panel) -> None:
    result = run(small, MACross(universe=("MSFT",), fast=5, slow=20).targets(small))
    position = pd.Series(range(len(small)), index=small.index)
    waited = position[result.trades["ts"]].to_numpy() - position[result.trades["decided"]].to_numpy()
    assert (waited == 1).all()


def test_an_unknown_price_is_never_traded_and_the_whole_group_waits() -> None:
    index = pd.bdate_range("2022-01-03", periods=6)
    close = pd.DataFrame({"A": [10.0, np.nan, np.nan, 12.0, 13.0, np.nan], "B": [5.0] * 6}, index=index)
    panel = Panel.from_frames(close)
    targets = pd.DataFrame({"A": 0.5, "B": 0.5}, index=panel.index)
    result = run(panel, targets, costs=Costs.free(), cash=100.0)
    trades = result.trades.set_index("symbol")
    assert trades.loc["B", "ts"] == trades.loc["A", "ts"] == index[3]
    assert trades.loc["A", "price"] == 12.0
    # On the last day A is unknown: it is valued at its last known close, not dropped and not invented.
    assert result.equity.iloc[-1] == result.equity.iloc[-2]


def test_the_hand_worked_case() -> None:
    """Buy at 10, sell at 12, 1 % a side: worked out on paper."""
    index = pd.bdate_range("2022-01-03", periods=5)
    panel = Panel.from_frames(pd.DataFrame({"A": [9.0, 10.0, 11.0, 12.0, 1.0]}, index=index))
    targets = pd.DataFrame({"A": [1.0, 1.0, 0.0, 0.0, 0.0]}, index=panel.index)
    costs = Costs(commission_bps=100.0, half_spread_bps=0.0, impact_bps=0.0)
    result = run(panel, targets, costs=costs, cash=1000.0)
    # 990 buys 99 shares for a fee of 9.90; 0.10 stays. Sold for 1188 with a fee of 11.88.
    assert result.shares["A"].tolist() == pytest.approx([0, 99, 99, 0, 0])
    assert result.equity.tolist() == pytest.approx([1000, 990.1, 1089.1, 1176.22, 1176.22])


def test_a_ruined_account_is_closed_and_stays_there() -> None:
    index = pd.bdate_range("2022-01-03", periods=5)
    panel = Panel.from_frames(pd.DataFrame({"A": [10.0, 10.0, 30.0, 5.0, 5.0]}, index=index))
    targets = pd.DataFrame({"A": [-1.0] * 5}, index=panel.index)
    result = run(panel, targets, costs=Costs.free(), cash=100.0)
    # Sold at 10 for 100 and worth -300 at 30: 100 more than there is, which the broker writes off.
    assert result.equity.tolist() == [100.0, 100.0, 0.0, 0.0, 0.0]
    assert result.written_off.tolist() == [0.0, 0.0, 100.0, 0.0, 0.0]
    assert result.returns.tolist() == [0.0, 0.0, -1.0, 0.0, 0.0]
    assert (result.shares.iloc[2:] == 0).all().all()


def test_bad_input_is_refused_with_what_to_do(small: Panel) -> None:
    good = pd.DataFrame(0.5, index=small.index, columns=list(small.symbols))
    with pytest.raises(StrategyError, match="lag is 0"):
        run(small, good, lag=0)
    with pytest.raises(StrategyError, match="same order"):
        run(small, good[["PEP", "KO", "MSFT"]])
    with pytest.raises(StrategyError, match="use 0 for no position"):
        run(small, good.mask(good.cumsum() < 2))
    with pytest.raises(DataError, match="no costs of KO"):
        run(small, good, costs={})
    with pytest.raises(DataError, match="no sessions"):
        run(small.tail(0), good.iloc[:0])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"lag": 0}, "lag is 0; a decision can be filled one session later"),
        ({"lag": 1.5}, "lag is 1.5; a decision waits a whole number of sessions"),
        ({"lag": True}, "lag is True; a decision waits a whole number of sessions"),
        ({"cash": 0.0}, "starts with 0; cash must be a number above zero"),
        ({"cash": float("nan")}, "starts with nan; cash must be a number above zero"),
        ({"cash": float("inf")}, "starts with inf; cash must be a number above zero"),
        ({"rebalance": "every-bar"}, "rebalance is 'every-bar'. Did you mean every_bar?"),
        ({"rebalance": None}, "rebalance is None. Accepted: every_bar, on_change."),
    ],
)
def test_an_account_that_cannot_be_run_is_refused_wherever_it_is_asked_for(
    small: Panel, how: dict[str, Any], said: str
) -> None:
    weights = pd.DataFrame(0.5, index=small.index, columns=list(small.symbols))
    with pytest.raises(StrategyError, match=re.escape(said)):
        run(small, weights, **how)
    with pytest.raises(StrategyError, match=re.escape(said)):
        run_account(small, weights, costs=Costs(), **how)
    with pytest.raises(StrategyError, match=re.escape(said)):
        equity_of(prepare(small), weights.to_numpy(), **how)
    with pytest.raises(StrategyError, match=re.escape(said)):
        sweep(MACross(universe=("KO",)), {"fast": [10]}, small, **how)


def mixed(weeks: int = 40) -> Panel:
    """Return a stock on weekdays and a coin on every day."""
    days = pd.date_range("2022-01-03", periods=7 * weeks, freq="D")
    rng = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (len(days), 2)), axis=0))
    frame = pd.DataFrame(close, index=days, columns=["KO", "BTC-USD"])
    frame.loc[days.day_of_week >= 5, "KO"] = np.nan
    return Panel.from_frames(frame)


def test_a_switch_over_a_weekend_waits_until_the_old_position_can_be_sold() -> None:
    panel = mixed()
    fridays = panel.index[panel.index.day_of_week == 4]
    targets = pd.DataFrame({"KO": 1.0, "BTC-USD": 0.0}, index=panel.index)
    targets.loc[fridays[10] :] = [0.0, 1.0]
    result = run(panel, targets, costs=Costs.free())
    switch = result.trades[result.trades["decided"] == fridays[10]]
    assert set(switch["ts"]) == {fridays[10] + pd.Timedelta(days=3)}
    assert result.weights.abs().sum(axis=1).max() <= 1.0 + 1e-9
    assert result.cash.min() >= -1e-6


def test_a_position_that_can_no_longer_be_sold_does_not_hold_the_rest_up() -> None:
    index = pd.bdate_range("2022-01-03", periods=30)
    close = pd.DataFrame({"GONE": 10.0, "KO": 50.0}, index=index)
    close.loc[index[10] :, "GONE"] = np.nan
    targets = pd.DataFrame({"GONE": 0.5, "KO": 0.5}, index=index)
    targets.loc[index[12] :] = [0.0, 0.5]
    result = run(Panel.from_frames(close), targets, costs=Costs.free(), cash=1000.0)
    assert result.shares["GONE"].iloc[-1] == 50.0
    sold = result.trades.iloc[-1]
    assert (sold["symbol"], sold["side"], sold["ts"]) == ("KO", "sell", index[15])
    assert sold["notional"] == pytest.approx(250.0)
    assert result.cash.min() >= 0.0


def test_holding_in_equal_parts_starts_when_all_are_listed() -> None:
    index = pd.bdate_range("2022-01-03", periods=20)
    close = pd.DataFrame({"A": np.linspace(10, 20, 20), "Z": np.linspace(30, 40, 20)}, index=index)
    close.loc[: index[8], "Z"] = np.nan
    held = hold_equal_parts(Panel.from_frames(close), costs=Costs.free(), since=index[2])
    assert set(held.trades["ts"]) == {index[10]}
    growth = close.iloc[-1] / close.iloc[10]
    assert held.equity.iloc[-1] == pytest.approx(1e6 * growth.mean())
    assert held.cash.min() >= -1e-6
    with pytest.raises(DataError, match="A, Z share no session"):
        hold_equal_parts(Panel.from_frames(close.head(5)))


def test_holding_beside_a_strategy_begins_where_both_can_be_compared() -> None:
    index = pd.bdate_range("2022-01-03", periods=20)
    close = pd.DataFrame({"A": np.linspace(10, 20, 20), "Z": np.linspace(30, 40, 20)}, index=index)
    close.loc[: index[8], "Z"] = np.nan
    panel = Panel.from_frames(close)
    early = pd.DataFrame({"A": 0.5, "Z": 0.5}, index=panel.index)
    beside = holding_beside(panel, run(panel, early), costs=Costs.free())
    assert beside.index[0] == index[9]
    assert beside.iloc[0] == 1_000_000.0
    never = run(panel, early * 0.0)
    assert holding_beside(panel, never, costs=Costs.free()).index[0] == index[9]
    last = Panel.from_frames(close.tail(1))
    assert len(holding_beside(last, run(last, early.tail(1)), costs=Costs.free())) == 1
