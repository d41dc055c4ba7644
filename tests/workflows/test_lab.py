"""The lab: what can be tried, what it is called, and that every try is counted once."""

from __future__ import annotations

import pandas as pd
import pytest

from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.settings import Settings
from quantlib.store import Store, StrategyRecord, save_strategies
from quantlib.strategies import READY, MACross, Pair, Rotation
from quantlib.workflows.lab import Trial, Trials, definition_name, definitions, trials, try_strategy
from quantlib.workflows.research import backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.sweeping import sweep_strategy

PAIR = Pair(y="KO", x="PEP", lookback=60, entry=1.5)
TREND = MACross(universe=("KO", "MSFT"), fast=20, slow=100)


@pytest.fixture(scope="module")
def pair(lab: Session) -> Trial:
    return try_strategy(lab, PAIR, definition_name(PAIR), Costs(half_spread_bps=5.0), "2018-01-02")


def test_a_ready_definition_keeps_its_name_and_others_say_what_they_are() -> None:
    for name, strategy in READY.items():
        assert definition_name(strategy) == name
    assert definition_name(PAIR) == "Pair, mean reversion 60/1.5/0.5/4 on KO, PEP"
    assert definition_name(TREND) == "Moving-average cross 20/100 on KO, MSFT"
    short = MACross(universe=("A", "B", "C", "D", "E"), allow_short=True)
    assert definition_name(short) == "Moving-average cross 50/200 on A, B, C and 2 more, with go short"
    assert definition_name(Rotation(absolute=False)).endswith("and 2 more, without cash filter")


def test_a_trial_is_stored_and_counted_once(lab: Session, pair: Trial) -> None:
    before = trials(lab, "sample")
    again = try_strategy(lab, PAIR, "Another name", Costs(half_spread_bps=5.0), "2018-01-02")
    assert again.run.run_id == pair.run.run_id
    assert trials(lab, "sample") == before
    dearer = try_strategy(lab, PAIR, definition_name(PAIR), Costs(half_spread_bps=9.0), "2018-01-02")
    assert dearer.run.run_id != pair.run.run_id
    assert trials(lab, "sample") == Trials(before.definitions, before.backtests + 1)
    try_strategy(lab, TREND, definition_name(TREND))
    assert trials(lab, "sample") == Trials(before.definitions + 1, before.backtests + 2)
    assert trials(lab, "yahoo") == Trials(0, 0)


def test_every_set_of_a_sweep_counts_as_tried(lab: Session) -> None:
    before = trials(lab, "sample")
    sweep_strategy(lab, TREND, {"fast": [5, 10, 150], "slow": [60, 120]})
    assert trials(lab, "sample") == Trials(before.definitions + 4, before.backtests + 4)


def test_the_count_is_a_sentence() -> None:
    assert Trials(1, 1).sentence.startswith("1 definition tried so far on these prices, in 1 backtest. ")
    assert Trials(10, 1200).sentence.startswith("10 definitions tried so far on these prices, in 1,200 backtests. ")


def test_a_trial_says_what_it_ran_on_and_what_it_paid(pair: Trial) -> None:
    panel, trades = pair.run.panel, pair.run.result.trades
    assert panel.index[0] == pd.Timestamp("2018-01-02")
    assert pair.label == {
        "as of": "2022-12-28",
        "prices": "sample ending 2022-12-28",
        "sessions": f"{len(panel):,} since 2018-01-02",
    }
    # Commission 1, half spread 5 and impact 100 x sqrt(0.0001) = 1 bps a side, from the amounts themselves.
    cost = (trades["shares"] * trades["price"]).sum() * 7e-4
    assert f"{len(trades):,} fills cost ${cost:,.0f} and borrowing $" in pair.paid
    assert pair.paid.endswith(f"ended with ${pair.run.result.equity.iloc[-1]:,.0f}.")


def test_holding_starts_at_the_first_trade_in_equal_parts(pair: Trial) -> None:
    first = pair.run.result.trades.iloc[0]
    assert pair.holding.index[0] == first["decided"]
    assert pair.holding.iloc[0] == 1e6
    since = pair.run.panel.frame("close").loc[first["ts"] :]  # bought in the same session as the first trade
    expected = (0.5 * since.iloc[-1] / since.iloc[0]).sum()
    assert pair.holding.iloc[-1] / 1e6 == pytest.approx(expected, rel=2e-3)  # and costs


def test_every_figure_is_drawn_once(pair: Trial) -> None:
    assert pair.drawdown() is pair.drawdown()
    assert pair.trades("KO") is not pair.trades("PEP")
    for figure in (pair.drawdown(), pair.weights(), pair.signal()):
        assert figure is not None
        assert figure.layout.meta["alt"]


def test_before_the_first_signal_there_is_no_signal_chart_and_no_trade(lab: Session) -> None:
    young = try_strategy(lab, TREND, "Young", start="2022-11-01")
    assert young.signal() is None
    assert young.paid.startswith("0 fills cost $0 and borrowing $0")
    assert (young.holding.index == young.run.panel.index).all()
    assert young.why.reasons


def test_a_span_without_prices_is_refused(lab: Session) -> None:
    with pytest.raises(DataError):
        try_strategy(lab, PAIR, "Late", start="2023-06-01")


def test_definitions_are_those_that_can_be_run(lab: Session, pair: Trial) -> None:
    there = definitions(lab)
    assert "Coke against Pepsi" in there
    assert "Factor ETF switch" not in there  # its symbols are not stored
    assert there[definition_name(PAIR)] == PAIR == pair.run.strategy
    absent = MACross(universe=("AAPL",))
    old = {"universe": ["KO"], "fast": 0, "slow": 100}  # no longer accepted
    twin = MACross(universe=("KO",), fast=21, slow=100)
    records = [
        StrategyRecord(absent.id, "ma_cross", "Absent", absent.model_dump(mode="json")),
        StrategyRecord("ma_cross-0", "ma_cross", "Old", old),
        StrategyRecord("gone-0", "gone", "Gone", {}),
        StrategyRecord(twin.id, "ma_cross", "Coke against Pepsi", twin.model_dump(mode="json")),
    ]
    save_strategies(lab.store, records)
    new = definitions(lab)
    assert set(new) - set(there) == {f"Coke against Pepsi ({twin.id[-4:]})"}
    assert new["Coke against Pepsi"] == READY["Coke against Pepsi"]
    assert next(iter(new)) == "Coke against Pepsi"  # the ready ones come first


def test_costs_by_symbol_that_name_none_are_not_the_defaults(lab: Session) -> None:
    with pytest.raises(DataError, match="no costs of KO"):
        backtest_strategy(lab, PAIR, costs={})
    with pytest.raises(DataError, match="no costs of KO"):
        simulate_strategy(lab, PAIR, "gbm", costs={}, n=3, horizon=2)
    with pytest.raises((DataError, StrategyError), match="no costs of KO"):
        sweep_strategy(lab, TREND, {"fast": [5]}, costs={})


def test_without_prices_there_is_nothing_to_try(store: Store) -> None:
    assert definitions(Session(Settings(_env_file=None), store)) == {}
