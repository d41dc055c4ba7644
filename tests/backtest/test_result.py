"""What a result offers beside its tables: sums by group and reason, and what the closed trades made."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import BacktestResult, GroupTargets, run, run_groups
from quantlib.costs import Costs
from quantlib.metrics import trade_summary
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import Panel


@pytest.fixture(scope="module")
def result(stocks: Panel) -> BacktestResult:
    """Return two groups over four years, one of them with stops."""
    panel = stocks.select(["KO", "PEP", "MSFT"]).tail(1000)
    rng = np.random.default_rng(2)
    frames = [
        pd.DataFrame(np.repeat(rng.choice([-0.2, 0.0, 0.3], (50, 3)), 20, axis=0), panel.index, list(panel.symbols))
        for _ in range(2)
    ]
    groups = [GroupTargets("a", frames[0]), GroupTargets("b", frames[1], Stops(loss=0.03, profit=0.05))]
    return run_groups(panel, groups)


def test_the_trade_summary_is_that_of_the_closed_trades(result: BacktestResult) -> None:
    closed = result.group_trades.dropna(subset="left")
    found = result.trade_summary
    pd.testing.assert_frame_equal(found, trade_summary(result.group_trades, periods_per_year=252))
    assert len(closed) > 30
    assert (found["n"] == len(closed)).all()
    assert found.loc["trade_hit_rate", "value"] == pytest.approx((closed["pnl"] > 0).mean())


def test_sums_by_group_and_by_reason_are_the_accounts_profit(result: BacktestResult) -> None:
    earned = result.equity.iloc[-1] - 1e6 + result.cost_parts["financing"].sum()
    assert result.group_pnl.columns.tolist() == ["a", "b"]
    assert result.group_pnl.sum().sum() == pytest.approx(earned)
    assert result.pnl_by_reason.sum() == pytest.approx(earned)
    assert {"decision", "loss", "profit"} <= set(result.pnl_by_reason.index)
    by_group = result.group_trades.groupby("group")["pnl"].sum()
    np.testing.assert_allclose(by_group, result.group_pnl.sum())


def test_orders_say_what_became_of_them() -> None:
    index = pd.bdate_range("2024-01-01", periods=10)
    close = pd.DataFrame({"A": 100.0, "B": 50.0}, index=index)
    close.loc[index[2:5], "B"] = np.nan
    close.loc[index[8:], "B"] = np.nan
    targets = pd.DataFrame({"A": 0.5, "B": 0.5}, index=index)
    targets.iloc[0] = 0.0
    targets.iloc[3:] = [0.2, 0.2]  # while the first still waits
    targets.iloc[8:] = 0.0  # cannot be sold any more
    result = run(
        Panel.from_frames(close), targets, costs=Costs.free(), execution=Execution(), limits=Limits(max_gross=1.0)
    )
    orders = result.orders.drop_duplicates(["ordered", "status"])
    assert orders["status"].tolist() == ["replaced", "filled", "waiting"]
    assert orders["ordered"].tolist() == [index[1], index[3], index[8]]
    assert orders["filled"].tolist()[1] == index[5]
    assert orders["filled"].isna().tolist() == [True, False, True]
    assert result.orders["weight"].tolist() == [0.5, 0.5, 0.2, 0.2, 0.0, 0.0]


@pytest.mark.parametrize("fill", ["open", "close"])
def test_sessions_are_the_closes_that_the_time_stop_counts(fill: Literal["open", "close"]) -> None:
    index = pd.bdate_range("2024-01-01", periods=12)
    panel = Panel.from_frames(pd.DataFrame({"A": 100.0}, index=index), open=pd.DataFrame({"A": 100.0}, index=index))
    targets = pd.DataFrame({"A": 0.5}, index=index)
    trade = run(panel, targets, stops=Stops(time=4), execution=Execution(fill=fill)).group_trades.iloc[0]
    assert (trade["entered"], trade["left"], trade["sessions"]) == (index[1], index[5], 4)
    trade = run(panel, targets, execution=Execution(fill=fill)).group_trades.iloc[0]
    assert pd.isna(trade["left"])
    assert trade["sessions"] == 11


def test_a_close_that_ends_a_trade_was_held() -> None:
    index = pd.bdate_range("2024-01-01", periods=8)
    close = pd.DataFrame({"A": 100.0, "B": 50.0}, index=index)
    targets = pd.DataFrame({"A": 0.5, "B": -0.5}, index=index)
    panel, gone = Panel.from_frames(close), {"A": index[4].date()}
    alone = run(panel.select(["A"]), targets[["A"]], delisted=gone).group_trades
    assert alone[["exit_reason", "sessions"]].to_numpy().tolist() == [["delisted", 4]]
    # Its other leg is sold by a fill at the next open, after one more close (that of the change).
    both = run(panel, targets, linked=True, delisted=gone).group_trades
    assert both["left"].tolist() == [index[4], index[5]]
    assert both["sessions"].tolist() == [4, 1]

    close.loc[index[3:], "A"] = 400.0
    ruined = run(Panel.from_frames(close[["A"]]), -1.5 * targets[["A"]] / 0.5).group_trades
    assert ruined[["exit_reason", "sessions"]].to_numpy().tolist() == [["ruin", 3]]
