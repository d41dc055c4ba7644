"""The engine against formulas: accounts simple enough to be written down in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import FloatArray, Panel

FREE = Costs.free()
UNLENT = Execution(financing_bps_per_year=0.0)
WIDE = Limits(max_gross=10.0, maintenance=0.0)
EXACT = {"rel": 1e-12}


def walk(seed: int, n: int, symbols: int = 1) -> FloatArray:
    """Return closes of random walks [n, symbols]."""
    return 80.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0003, 0.015, (n, symbols)), axis=0))


def panel_of(close: FloatArray, **more: FloatArray) -> Panel:
    """Return a panel; what is not given is unknown."""
    close = np.asarray(close, dtype=np.float64).reshape(len(close), -1)
    unknown = np.full(close.shape, np.nan)
    fields = {name: more.pop(name, unknown) for name in ("open", "high", "low", "volume")}
    index = pd.bdate_range("2021-01-01", periods=len(close))
    return Panel(index, tuple("ABCD"[: close.shape[1]]), close=close, extra=more, **fields)


def constant(panel: Panel, *weights: float) -> pd.DataFrame:
    """Return the same decision at every close."""
    return pd.DataFrame([weights] * len(panel), index=panel.index, columns=list(panel.symbols))


def test_buy_and_hold_after_commission_spread_and_impact() -> None:
    # Of V the cost of buying V is set aside; of that cost, what buying less did not use stays as cash.
    close, cash = walk(1, 300)[:, 0], 1e6
    volume = np.full((300, 1), 40_000.0)
    costs = Costs(commission_bps=3.0, half_spread_bps=4.0, impact_bps=90.0, borrow_bps_per_year=0.0)
    panel = panel_of(close, open=close[:, None] * 1.001, volume=volume)
    result = run(panel, constant(panel, 1.0), costs=costs, cash=cash, execution=UNLENT)
    daily = close[0] * 40_000.0  # the one bar before the fill

    def cost(notional: float) -> float:
        return notional * (7e-4 + 90e-4 * (notional / daily) ** 0.5)

    bought = cash - cost(cash)
    left = cash - bought - cost(bought)
    assert result.equity.iloc[-1] == pytest.approx(left + bought * close[-1] / (close[1] * 1.001), **EXACT)
    assert result.cash.iloc[-1] == pytest.approx(left, rel=1e-6)
    assert left > 0
    assert len(result.trades) == 1


def test_constant_mix_every_bar_is_the_product_of_mixed_returns() -> None:
    close = walk(2, 250, 3)
    panel, weights = panel_of(close), np.array([0.5, 0.3, -0.2])
    result = run(
        panel, constant(panel, *weights), costs=FREE, limits=WIDE, execution=UNLENT, rebalance="every_bar", cash=1.0
    )
    mixed = (close[2:] / close[1:-1] - 1.0) @ weights
    np.testing.assert_allclose(result.equity.to_numpy()[2:], np.cumprod(1.0 + mixed), rtol=1e-11)


def test_constant_mix_with_linear_costs_pays_each_turn_once() -> None:
    # One symbol at weight w: after a return r the position is w (1 + r) of 1 + w r, and what is traded costs c.
    close, w, c = walk(3, 200)[:, 0], 0.6, 12e-4
    panel = panel_of(close)
    costs = Costs(commission_bps=12.0, half_spread_bps=0.0, impact_bps=0.0)
    result = run(panel, constant(panel, w), costs=costs, execution=UNLENT, rebalance="every_bar", cash=1.0)
    value, held = 1.0, 0.0
    for t in range(1, 200):
        held *= close[t] / close[t - 1]
        value = value + held * (1.0 - close[t - 1] / close[t])
        goal = w * (value - c * abs(w * value - held))
        value, held = value - c * abs(goal - held), goal
    assert result.equity.iloc[-1] == pytest.approx(value, **EXACT)


def test_dividends_on_raw_prices_are_the_adjusted_total_return() -> None:
    # Reinvested at every bar, raw prices with dividends and splits earn what adjusted prices do.
    total, n = walk(4, 200)[:, 0], 200
    split, dividend = np.ones(n), np.zeros(n)
    split[[40, 130]], dividend[[20, 90, 150]] = [3.0, 0.5], [1.1, 0.4, 2.0]
    raw = np.empty(n)
    raw[0] = total[0]
    for t in range(1, n):  # total return = split x (raw + dividend) / raw before
        raw[t] = total[t] / total[t - 1] * raw[t - 1] / split[t] - dividend[t]
    panel = panel_of(raw, split=split[:, None], dividend=dividend[:, None])
    result = run(panel, constant(panel, 1.0), costs=FREE, execution=UNLENT, rebalance="every_bar", cash=1.0)
    np.testing.assert_allclose(result.equity.to_numpy()[1:], total[1:] / total[1], rtol=1e-11)
    assert result.cost_parts["dividends"].sum() < 0


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_a_dividend_is_paid_in_cash_to_the_long_and_by_the_short(weight: float) -> None:
    dividend = np.array([0, 0, 0, 2.5, 0, 0])[:, None]
    panel = panel_of(np.full(6, 50.0), split=np.ones((6, 1)), dividend=dividend)
    costs = Costs(commission_bps=0, half_spread_bps=0, impact_bps=0, borrow_bps_per_year=0)
    result = run(panel, constant(panel, weight), costs=costs, limits=WIDE, execution=UNLENT, cash=1_000.0)
    assert result.equity.tolist() == pytest.approx([1_000.0] * 3 + [1_000.0 + weight * 50.0] * 3, **EXACT)


@pytest.mark.parametrize("weight", [0.8, -0.8])
@pytest.mark.parametrize("whole", [False, True])
def test_a_split_changes_shares_and_nothing_else(weight: float, whole: bool) -> None:
    close, split = walk(5, 60)[:, 0], np.ones((60, 1))
    split[30] = 4.0
    after = close / np.where(np.arange(60) >= 30, 4.0, 1.0)
    stops = Stops(loss=0.09, trailing=0.11, reentry="next")
    how: dict[str, Any] = {"limits": WIDE, "execution": Execution(whole_shares=whole), "stops": stops}
    plain, cut = panel_of(close), panel_of(after, split=split, dividend=np.zeros((60, 1)))
    before, with_split = (run(panel, constant(panel, weight), **how) for panel in (plain, cut))
    np.testing.assert_allclose(with_split.equity, before.equity, rtol=1e-12)
    held = before.shares.to_numpy()[:, 0] * np.where(np.arange(60) >= 30, 4.0, 1.0)
    np.testing.assert_allclose(with_split.shares.to_numpy()[:, 0], held, rtol=1e-12)


def test_a_short_pays_borrow_on_what_it_was_worth_at_the_last_close() -> None:
    close, cash, rate = walk(6, 120)[:, 0], 1e5, 400e-4
    costs = Costs(commission_bps=0.0, half_spread_bps=0.0, impact_bps=0.0, borrow_bps_per_year=400.0)
    panel = panel_of(close)
    result = run(panel, constant(panel, -0.5), costs=costs, limits=WIDE, execution=UNLENT, cash=cash)
    shares = 0.5 * cash / close[1]
    expected = cash + shares * (close[1] - close[-1]) - shares * close[1:-1].sum() * rate / 252
    assert result.equity.iloc[-1] == pytest.approx(expected, **EXACT)
    assert result.cost_parts["borrow"].sum() == pytest.approx(shares * close[1:-1].sum() * rate / 252, **EXACT)


def test_leverage_pays_financing_that_compounds_in_cash() -> None:
    close, cash, nightly = walk(7, 90)[:, 0], 1e5, 600e-4 / 252
    panel = panel_of(close)
    execution = Execution(financing_bps_per_year=600.0, cash_bps_per_year=200.0)
    result = run(panel, constant(panel, 1.5), costs=FREE, limits=WIDE, execution=execution, cash=cash)
    grown = cash * (1.0 + 200e-4 / 252)  # one night in cash
    owed = 0.5 * grown * (1.0 + nightly) ** 88
    assert result.equity.iloc[-1] == pytest.approx(1.5 * grown * close[-1] / close[1] - owed, **EXACT)
    assert result.cash.iloc[-1] == pytest.approx(-owed, **EXACT)


@pytest.mark.parametrize(("side", "after"), [(1.0, 84.0), (-1.0, 118.0)])
def test_a_stop_broken_by_a_gap_costs_the_gap(side: float, after: float) -> None:
    # Stop at 5 %; the bar opens 16 or 18 % on the wrong side: out at that open, not at the price of the stop.
    column = np.array([100.0, 100.0, 100.0, after, 100.0, 100.0])[:, None]
    panel = panel_of(column, open=column, high=column + 0.5, low=column - 0.5)
    how: dict[str, Any] = {"costs": FREE, "limits": WIDE, "execution": UNLENT, "cash": 1_000.0}
    within = run(panel, constant(panel, side), stops=Stops(loss=0.05, watch="intrabar"), **how)
    assert within.equity.iloc[-1] == pytest.approx(1_000.0 + side * 10.0 * (after - 100.0), **EXACT)
    assert within.trades["ts"].iloc[1] == panel.index[3]
    # Watched at the close it is seen at that close and left at the next open, which is 100 again.
    at_close = run(panel, constant(panel, side), stops=Stops(loss=0.05), **how)
    assert at_close.equity.iloc[-1] == pytest.approx(1_000.0, **EXACT)
    assert at_close.trades["ts"].iloc[1] == panel.index[4]
    assert within.trades["reason"].tolist() == at_close.trades["reason"].tolist() == ["decision", "loss"]


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("same_bar", "price"), [("pessimistic", -4.0), ("optimistic", 6.0)])
def test_a_bar_that_reaches_stop_and_target_is_judged_as_asked(side: float, same_bar: Any, price: float) -> None:
    close = np.full((5, 1), 100.0)
    high, low = close + 1.0, close - 1.0
    high[3], low[3] = 107.0, 93.0
    stops = Stops(loss=0.04, profit=0.06, watch="intrabar", same_bar=same_bar)
    panel = panel_of(close, open=close, high=high, low=low)
    result = run(panel, constant(panel, side), costs=FREE, limits=WIDE, execution=UNLENT, stops=stops, cash=1_000.0)
    assert result.equity.iloc[-1] == pytest.approx(1_000.0 + 10.0 * price, **EXACT)


def test_a_ruined_account_stands_at_zero_and_the_broker_bears_the_rest() -> None:
    panel = panel_of(np.array([100.0, 100.0, 100.0, 60.0, 200.0]))
    result = run(panel, constant(panel, 3.0), costs=FREE, limits=WIDE, execution=UNLENT, cash=1_000.0)
    assert result.equity.tolist() == pytest.approx([1_000.0, 1_000.0, 1_000.0, 0.0, 0.0], **EXACT)
    assert result.written_off.tolist() == pytest.approx([0.0, 0.0, 0.0, 200.0, 0.0], **EXACT)
    assert not result.shares.iloc[3:].to_numpy().any()
