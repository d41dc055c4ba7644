"""The tear sheet and a trade of it: every part against the account it is of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import active_returns, run_strategy
from quantlib.backtest.fragility import break_even_cost, delay_decay, same_bar_band
from quantlib.charts import numbers
from quantlib.costs import Costs, costs_times
from quantlib.errors import DataError
from quantlib.metrics import METRICS, cagr
from quantlib.strategies import Group, MACross, Pair
from quantlib.workflows.lab import Trial, definition_name, try_strategy
from quantlib.workflows.opened_trade import OpenedTrade, open_trade
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.tear_sheet import TearSheet

BAND = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.5, "lookback": 60}, hedge={"lookback": 60})
RULE = Group(
    kind="outright",
    legs=("KO",),
    timing={"kind": "rules", "long": "close > sma(close, 50)", "exit_long": "close < sma(close, 50) * 0.99"},
    stops={"loss": 0.05, "profit": 0.04, "watch": "intrabar"},
)
PLAIN = Pair(y="KO", x="PEP", lookback=60, entry=1.5)
COSTS = Costs(half_spread_bps=5.0)


def tried(lab: Session, strategy: Group | Pair | MACross, **more: object) -> Trial:
    return try_strategy(lab, strategy, definition_name(strategy), COSTS, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def band(lab: Session) -> Trial:
    return tried(lab, BAND)


@pytest.fixture(scope="module")
def rule(lab: Session) -> Trial:
    return tried(lab, RULE)


def test_every_part_is_made_once_and_has_words_for_those_who_cannot_see(band: Trial) -> None:
    sheet = band.sheet
    assert sheet is band.sheet
    for make in (sheet.growth, sheet.record, sheet.months, sheet.exposure, sheet.excursions, sheet.by_leg,
                 sheet.by_reason, sheet.costs, sheet.delay, sheet.spread_trades):  # fmt: skip
        assert make() is make()
        assert make().layout.meta["alt"]
    assert [figure.layout.yaxis.title.text.replace("<br>", " ") for figure in sheet.rolling()] == [
        "Sharpe ratio", "Volatility (%)", "Beta with buy and hold",
    ]  # fmt: skip


def test_growth_ends_where_the_account_does_and_its_band_is_around_where_luck_would_end(band: Trial) -> None:
    equity = band.run.result.equity.loc[band.holding.index[0] :]
    lines = {trace.name: trace for trace in band.sheet.growth().data if trace.name}
    assert lines[band.run.name].y[-1] == pytest.approx(equity.iloc[-1] / equity.iloc[0])
    assert lines["Buy and hold"].y[-1] == pytest.approx(band.holding.iloc[-1] / band.holding.iloc[0])
    low, high = (trace.y[-1] for trace in band.sheet.growth().data if trace.fill or trace.line.width == 0)
    assert min(low, high) < equity.iloc[-1] / equity.iloc[0] < max(low, high)


@pytest.mark.parametrize("strategy", [BAND, PLAIN], ids=["group", "plain pair"])
def test_entries_stand_on_the_spread_beyond_where_the_rule_enters(lab: Session, strategy: Group | Pair) -> None:
    trial = tried(lab, strategy)
    figure = trial.sheet.spread_trades()
    assert figure is not None
    marks = {trace.name: np.asarray(trace.y, dtype=float) for trace in figure.data}
    # Decided at the close before the fill, so the close of the fill may be back inside a little.
    assert np.median(marks["Entered long"]) < -1.3
    assert np.median(marks["Entered short"]) > 1.3
    trades = trial.run.result.group_trades
    assert len(marks["Entered long"]) + len(marks["Entered short"]) == len(trades)
    assert {note.text for note in figure.layout.annotations} >= {"enter long", "enter short"}


def test_without_a_spread_there_is_no_such_chart(rule: Trial) -> None:
    assert rule.sheet.spread_trades() is None


def test_parts_add_up_to_the_account(band: Trial) -> None:
    result, sheet = band.run.result, band.sheet
    profit = result.equity.iloc[-1] - result.equity.iloc[0]
    legs = {trace.name: trace.y[-1] for trace in sheet.by_leg().data}
    assert legs["KO"] + legs["PEP"] == pytest.approx(legs["All"]) == pytest.approx(profit)
    [reasons] = sheet.by_reason().data
    assert sum(reasons.x) == pytest.approx(profit, abs=0.02)
    [parts] = sheet.costs().data
    assert -sum(parts.x) == pytest.approx(result.costs.sum(), rel=1e-6)


def test_trades_are_counted_as_they_are_booked(band: Trial) -> None:
    closed = band.run.result.group_trades.dropna(subset=["left"])
    summary = band.sheet.of_trades()
    [hits] = [key for key in summary.index if METRICS[key].title == "Hit rate of trades"]
    assert summary.loc[hits, "value"] == pytest.approx((closed["pnl"] > 0).mean())


def test_the_break_even_cost_is_told_beside_what_is_paid(band: Trial, rule: Trial) -> None:
    for trial in (band, rule):
        assert "bps" in trial.sheet.break_even()
        assert trial.sheet.break_even().endswith("now.")


def test_stop_and_target_in_one_bar_are_told_only_where_they_can_meet(band: Trial, rule: Trial) -> None:
    assert band.sheet.same_bar() is None
    both = rule.sheet.same_bar()
    assert both is not None
    assert list(both.columns) == ["Metric", "pessimistic", "optimistic"]


def test_factors_need_months_they_share_with_the_record(lab: Session, band: Trial) -> None:
    found = band.sheet.factors()
    assert set(found.table.index) == {"alpha", "Mkt-RF", "SMB", "HML"}
    late = tried(lab, MACross(universe=("KO",), fast=5, slow=20), start="2021-01-04").sheet
    for _ in range(2):  # what cannot be made says so every time
        with pytest.raises(DataError, match="needs 30"):
            late.factors()


def test_a_trade_opened_is_the_one_that_was_booked(band: Trial) -> None:
    trades = band.run.result.group_trades
    fills = band.run.result.trades
    for number in (0, len(trades) // 2, len(trades) - 1):
        row, opened = trades.iloc[number], open_trade(band.run, number)
        assert opened.decided < row["entered"]
        assert band.run.panel.index.get_loc(row["entered"]) - band.run.panel.index.get_loc(opened.decided) == 1
        assert opened.fills["ts"].min() == row["entered"]
        assert f"entered {row['side']} on {row['entered']:%Y-%m-%d}" in opened.sentence
        if not opened.shared:
            assert opened.legs.sum() == pytest.approx(row["pnl"], rel=1e-9)
        assert list(opened.legs.index) == ["KO", "PEP"]
        z = opened.measured["z"]
        assert (z < -1.5) if row["side"] == "long" else (z > 1.5)
        assert opened.reasons
        if pd.isna(row["left"]):
            assert "still open" in opened.sentence
        else:
            left = fills[(fills["ts"] == row["left"])]
            assert set(left["ts"]) <= set(opened.fills["ts"])
            assert f"It was left on {row['left']:%Y-%m-%d}" in opened.sentence


def test_a_trade_by_rules_shows_the_conditions_that_decided(rule: Trial) -> None:
    trades = rule.run.result.group_trades
    close = rule.run.panel.frame("close")["KO"]
    mean = close.rolling(50).mean()
    decided = [i for i, why in enumerate(trades["exit_reason"]) if why == "decision"]
    opened: OpenedTrade = open_trade(rule.run, decided[0])
    entered, left = opened.traces.values()
    assert next(iter(opened.traces)) == f"Entered long on the close of {opened.decided:%Y-%m-%d}"
    assert entered.truth is True
    assert left.truth is True
    assert close[opened.decided] > mean[opened.decided]
    assert f"close = {close[opened.decided]:.3g}" in entered.sentence
    assert opened.reasons == ()


def test_a_trade_that_the_other_entry_ended_shows_that_entry(lab: Session) -> None:
    timing = {
        "kind": "rules", "long": "close > sma(close, 20)", "exit_long": "close > 1000000",
        "short": "close < sma(close, 20)", "exit_short": "close > 1000000",
    }  # fmt: skip
    turning = tried(lab, Group(kind="outright", legs=("KO",), timing=timing))
    longs = turning.run.result.group_trades.query("side == 'long' and exit_reason == 'decision'")
    assert len(longs)
    opened = open_trade(turning.run, int(longs.index[0]))
    left = next(trace for title, trace in opened.traces.items() if title.startswith("Left"))
    assert left.truth is True
    assert "close < sma(close, 20)" in left.text


def test_a_stopped_trade_says_which_stop_it_was_and_shows_no_exit_condition(rule: Trial) -> None:
    trades = rule.run.result.group_trades
    words = {"loss": "its stop loss was reached", "profit": "its profit target was reached"}
    for reason, said in words.items():
        number = list(trades["exit_reason"]).index(reason)
        opened = open_trade(rule.run, number)
        assert said in opened.sentence
        assert len(opened.traces) == 1


def test_what_hangs_on_execution_is_told_in_three_sentences(band: Trial, rule: Trial) -> None:
    cost, size, one_bar = band.sheet.fragility()
    assert cost == band.sheet.break_even()
    assert "unknown: that takes the volume" in size, "the sample has no volumes"
    assert one_bar == "It has no stop and target that could meet in one bar."
    both = rule.sheet.same_bar()
    assert both is not None
    told = rule.sheet.fragility()[2]
    for title, first, second in both.itertuples(index=False):
        assert f"{title.lower()} {first} with the stop first and {second} with the target first" in told


def test_beside_holding_compares_the_same_sessions(band: Trial) -> None:
    table = band.sheet.beside_holding()
    assert list(table.index) == [key for key, metric in METRICS.items() if metric.made_from == "benchmark"]
    held = band.holding.pct_change().dropna()
    own = band.run.result.equity.pct_change().loc[held.index]
    assert table.loc["beta", "value"] == pytest.approx(np.cov(own, held)[0, 1] / held.var(), rel=1e-3)
    assert (table["ci_low"] < table["value"]).all()
    assert (table["value"] < table["ci_high"]).all()
    assert table["n"].eq(len(band.holding)).all()


def test_the_record_is_growth_over_what_was_lost_from_the_peak(band: Trial) -> None:
    growth, record = band.sheet.growth(), band.sheet.record()
    above, below = record.data[: len(growth.data)], record.data[len(growth.data) :]
    for own, drawn in zip(growth.data, above, strict=True):
        np.testing.assert_array_equal(own.y, drawn.y)
    equity = band.run.result.equity
    lost = 100 * (equity / equity.cummax() - 1)
    (under,) = below
    assert np.min(under.y) == pytest.approx(lost.min())
    assert under.y[-1] == pytest.approx(lost.iloc[-1])


def test_what_hangs_on_execution_is_of_the_account_that_was_run(lab: Session) -> None:
    """Borrowing far from the usual, a small account in thin trading, and a lag that is not among those always tried."""
    timing = {
        "kind": "rules",
        "long": "close < sma(close, 20) * 0.97", "exit_long": "close > sma(close, 50)",
        "short": "close > sma(close, 20) * 1.05", "exit_short": "close < sma(close, 50)",
    }  # fmt: skip
    rule = Group(kind="outright", legs=("KO",), timing=timing, stops=RULE.stops)
    costs, cash, lag = Costs(borrow_bps_per_year=1_000.0), 5_000.0, 4
    run = backtest_strategy(lab, rule, costs=costs, cash=cash, lag=lag)
    assert (run.cash, run.lag) == (cash, lag)
    twice = run_strategy(rule, run.panel, costs=costs_times(costs, 2.0), cash=cash, lag=lag)
    found = {check.key: check.value for check in run.verdict.checks}
    assert found["costs"] == cagr(active_returns(twice), periods_per_year=252)

    panel = replace(run.panel, volume=np.full_like(run.panel.volume, 2e3))
    sheet = TearSheet(replace(run, panel=panel), run.result.equity, rule.explain(panel))
    bps = break_even_cost(rule, panel, costs=costs, lag=lag)
    assert 0 < bps < np.inf
    assert f"gone at {numbers.ratio(bps)} bps" in sheet.break_even()
    assert abs(break_even_cost(rule, panel, costs=costs) - bps) > 1.0
    assert abs(break_even_cost(rule, panel, lag=lag) - bps) > 1.0
    [dots] = sheet.delay().data
    assert dots.x == ("1", "2", "3", "4", "5", "10")
    by_lag = delay_decay(rule, panel, costs=costs, cash=cash, lags=(1, lag))["value"]
    assert [dots.y[0], dots.y[3]] == list(by_lag)
    told, band = sheet.same_bar(), same_bar_band(rule, panel, costs=costs, cash=cash, lag=lag)
    assert told is not None
    units = [METRICS[str(key)].unit for key in band.index]
    assert list(told["pessimistic"]) == [
        numbers.number(v, unit) for v, unit in zip(band["pessimistic"], units, strict=True)
    ]
    assert not np.allclose(band, same_bar_band(rule, panel, costs=costs, cash=cash))
    assert not np.allclose(band, same_bar_band(rule, panel, costs=costs, lag=lag))
