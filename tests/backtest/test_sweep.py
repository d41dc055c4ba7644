"""Sweeps and searches: every row is the backtest of its set, whoever ran it, and nothing is held for long."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import equities_of, run, run_strategy
from quantlib.backtest.market import prepare
from quantlib.backtest.search import Between, search
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_lone import lone_equities, lone_nb, plain, short
from quantlib.backtest.sweep_result import SweepResult
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import METRICS
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import READY, Group, MACross, Pair, Rotation, Strategy
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel

MANY = [key for key, metric in METRICS.items() if metric.kernel is not None and metric.made_from == "returns"]


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    """Return three stocks over 600 sessions, with made-up opens, ranges and volumes."""
    few = stocks.select(("KO", "PEP", "MSFT")).tail(600)
    noise = 1.0 + 0.004 * np.random.default_rng(3).standard_normal(few.close.shape)
    return Panel.from_frames(
        few.frame("close"),
        open=few.frame("close") * noise,
        high=few.frame("close") * 1.01,
        low=few.frame("close") * 0.99,
        volume=few.frame("close") * 0.0 + 5e4,
    )


@pytest.fixture(scope="module")
def holes(panel: Panel) -> Panel:
    """Return the same with unknown prices."""
    known = pd.DataFrame(np.random.default_rng(4).random(panel.close.shape) > 0.03, panel.index, panel.symbols)
    return Panel.from_frames(*(panel.frame("close").where(known),), open=panel.frame("open").where(known))


def ma(panel: Panel, **more: Any) -> MACross:
    return MACross(universe=panel.symbols, fast=5, slow=20, **more)


def assert_equal_to_runs(found: SweepResult, panel: Panel, **how: Any) -> None:
    """Hold every row against the summary of its own backtest."""
    assert len(found.table)
    for row in found.table.index:
        one = found.definition(row)
        own = panel.select(one.strategy.inputs)
        targets = one.strategy.targets(own)
        result = run(
            own,
            targets,
            stops=one.stops,
            spread_z=one.strategy.spread_z(own),
            linked=one.strategy.linked,
            legs=one.strategy.symbols,
            **how,
        )
        summary = result.summary(samples=0)["value"]
        for key in found.metrics:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), (
                row,
                key,
            )


@pytest.mark.parametrize("which", ["panel", "holes"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"costs": Costs(commission_bps=3, impact_bps=20), "lag": 2, "rebalance": "every_bar"},
        {"limits": Limits(max_weight=0.25, drawdown=0.05, cool_down=10), "cash": 5e4},
        {"execution": Execution(fill="close", cash_bps_per_year=200)},
        {"execution": Execution(limit_bps=5, whole_shares=True)},
    ],
)
def test_a_row_is_the_summary_of_its_backtest(which: str, how: dict[str, Any], request: pytest.FixtureRequest) -> None:
    panel = request.getfixturevalue(which)
    grid = {"fast": [3, 8], "slow": [20, 45], "allow_short": [False, True]}
    found = sweep(ma(panel), grid, panel, metrics=MANY, workers=2, **how)
    assert len(found.table) == 8
    assert_equal_to_runs(found, panel, **how)


def test_without_stops_of_the_call_it_is_what_run_strategy_gives(panel: Panel) -> None:
    pair = Pair(lookback=60)
    found = sweep(pair, {"entry": [1.0, 1.5]}, panel)
    for row, entry in enumerate((1.0, 1.5)):
        summary = run_strategy(Pair(lookback=60, entry=entry), panel).summary(samples=0)["value"]
        assert found.table.loc[row, "sharpe_ratio"] == pytest.approx(summary["sharpe_ratio"], rel=1e-9)


@pytest.mark.parametrize("which", ["panel", "holes"])
@pytest.mark.parametrize(
    "stops",
    [
        Stops(),
        Stops(loss=0.03, reentry="next"),
        Stops(trailing=0.03, profit=0.05, reentry=5),
        Stops(time=7),
        Stops(volatility=2.0),
        Stops(loss=0.02, profit=0.03, watch="intrabar"),
    ],
)
def test_by_symbol_every_symbol_trades_alone(which: str, stops: Stops, request: pytest.FixtureRequest) -> None:
    panel = request.getfixturevalue(which)
    limits = Limits(drawdown=0.1)
    found = sweep(ma(panel), {"fast": [3, 8], "slow": [20]}, panel, by="symbol", stops=stops, limits=limits)
    assert list(found.table["symbol"]) == list(panel.symbols) * 2
    assert found.definition(1).strategy.symbols == ("PEP",)
    assert found.definition(1).stops == stops
    assert_equal_to_runs(found, panel, limits=limits)


def test_costs_and_delisting_may_differ_by_symbol(panel: Panel) -> None:
    costs = {symbol: Costs(commission_bps=k) for k, symbol in enumerate(panel.symbols)}
    gone = {"PEP": panel.index[400].date()}
    found = sweep(ma(panel), {"slow": [20, 60]}, panel, by="symbol", costs=costs, delisted=gone)
    for row in found.table.index:
        one = found.definition(row)
        only = {s: d for s, d in gone.items() if s in one.strategy.symbols}
        result = run_strategy(one.strategy, panel.select(one.strategy.symbols), costs=costs, delisted=only)
        total = result.summary(samples=0).loc["total_return", "value"]
        assert found.table.loc[row, "total_return"] == pytest.approx(total, rel=1e-9)


def test_a_pair_goes_for_good_with_its_leg(panel: Panel) -> None:
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.0, "exit": 0.0, "lookback": 40})
    gone = {"PEP": panel.index[300].date()}
    found = sweep(group, {"timing.entry": [0.8, 1.0, 1.2]}, panel, delisted=gone)
    for row in found.table.index:
        result = run_strategy(found.definition(row).strategy, panel.select(("KO", "PEP")), delisted=gone)
        assert (result.shares.iloc[302:] == 0.0).all(axis=None)
        total = result.summary(samples=0).loc["total_return", "value"]
        assert found.table.loc[row, "total_return"] == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("strategy", [Pair(lookback=40), Rotation(universe=("KO", "PEP", "MSFT"), lookback=20)])
def test_every_family_can_be_swept_on_any_engine(strategy: Strategy, panel: Panel) -> None:
    first = "entry" if isinstance(strategy, Pair) else "top"
    grid = {"lookback": [20, 30, 40], first: [1, 2], "stops.loss": [None, 0.02], "stops.time": [10, 30]}
    ways = [("threads", 1), ("threads", 3), ("processes", 2)]
    one, two, three = (sweep(strategy, grid, panel, engine=e, workers=w) for e, w in ways)  # type: ignore[arg-type]
    assert_equal_to_runs(one, panel)
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)
    pd.testing.assert_frame_equal(one.table, three.table, check_exact=True)
    assert list(one.table[first]) == [values[1] for values in product(*grid.values())]


LEVELS = {"stops.loss": [None, 0.03], "capital": [0.5, 1.0]}
OF_READY: dict[str, dict[str, list[Any]]] = {
    "Large-cap trend": {"fast": [10, 20], "slow": [50, 100]},
    "Coke against Pepsi": {"entry": [1.0, 1.5], "lookback": [40, 60]},
    "Exxon against Chevron": {
        "timing.entry": [1.0, 1.5],
        "stops.spread_z": [None, 2.0],
        "hedge.method": ["ols", "tls"],
    },
    "Coke against Pepsi with drift": {"timing.lookback": [40, 60], "direction": ["both", "long"]},
    "Drug makers' fly": {"timing.entry": [1.0, 1.5], "min_hold": [0, 10]},
    "Sector switch": {"timing.lookback": [60, 90], **LEVELS},
    "Donchian channel": LEVELS,
    "RSI-2": {"timing.long": ["rsi(close, 2) < 10", "rsi(close, 2) < 30"], "stops.time": [None, 4]},
    "Momentum rotation": {"timing.top": [1, 3], **LEVELS},
    "Volatility-managed shares": {"volatility_target.annual": [0.08, 0.15], "hedge.lookback": [30, 63]},
    "Turn of the month": LEVELS,
}


@pytest.mark.parametrize("name", OF_READY)
def test_a_ready_definition_is_swept_as_it_is_run(name: str, stocks: Panel) -> None:
    ready, panel = READY[name], stocks.tail(650)
    found = sweep(ready, OF_READY[name], panel, metrics=MANY, workers=2)
    assert len(found.table["total_return"].unique()) > 1
    assert len(found.table) + len(found.invalid) == prod(map(len, OF_READY[name].values()))
    for row in found.table.index:
        strategy = found.definition(row).strategy
        summary = run_strategy(strategy, panel.select(strategy.inputs)).summary(samples=0)["value"]
        for key in MANY:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), (
                row,
                key,
            )


def test_parts_of_a_definition_are_set_by_their_path(stocks: Panel) -> None:
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.5, "exit": 0.0, "lookback": 40})
    grid = {"timing.entry": [0.4, 1.5], "timing.exit": [0.0, 0.5], "legs.1.symbol": ["PEP", "WMT"]}
    found = sweep(group, grid, stocks.tail(400))
    assert {tuple(found.definition(row).strategy.symbols) for row in found.table.index} == {
        ("KO", "PEP"),
        ("KO", "WMT"),
    }
    assert sorted(set(zip(found.table["timing.entry"], found.table["timing.exit"], strict=True))) == [
        (0.4, 0.0),
        (1.5, 0.0),
        (1.5, 0.5),
    ]
    assert found.done
    assert found.invalid["reason"].str.contains(r"timing\.exit \(0\.5\) must be below entry \(0\.4\)").all()
    assert group.timing.entry == 1.5
    assert_equal_to_runs(found, stocks.tail(400))


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"timing.enrty": [1.0]}, "timing.enrty is not a parameter. Did you mean entry"),
        ({"timing.entry.deep": [1.0]}, "timing.entry is 2.0 and has nothing inside"),
        ({"legs.5.weight": [1.0]}, "there is no '5' in a list of 2"),
        ({"hedge.method": ["olds"]}, "hedge.method should be 'fixed', 'dollar_neutral', 'ols'"),
        ({"stops.los": [0.1]}, "stops.los is not a parameter. Did you mean loss"),
        ({"family": ["pair"]}, "no parameter 'family'. Accepted: capital, direction, hedge"),
        ({"entry": [1.0]}, "no parameter 'entry'. Did you mean timing.entry?"),
        ({"method": ["ols"]}, "no parameter 'method'. Did you mean hedge.method?"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_its_place(grid: dict[str, Any], said: str, stocks: Panel) -> None:
    with pytest.raises(StrategyError, match=re.escape(said)):
        sweep(Group(legs=("KO", "PEP")), grid, stocks.tail(300))


def test_a_group_can_be_searched_by_path(stocks: Panel) -> None:
    space = {"timing.entry": Between(0.8, 2.5), "hedge.method": ["ols", "tls", "kalman"], "stops.spread_z": [None, 3.0]}
    group = Group(legs=("XOM", "CVX"), timing={"kind": "band", "lookback": 40})
    found = search(group, space, stocks.tail(400), trials=12, workers=2)
    assert found.n_tried + len(found.invalid) == 12
    assert_equal_to_runs(found, stocks.tail(400))


def test_what_cannot_be_is_listed_with_its_reason_and_not_run(panel: Panel) -> None:
    found = sweep(ma(panel), {"fast": [5, 30], "slow": [20, 40]}, panel)
    assert found.n_tried == len(found.table) == 3
    assert found.done
    (only,) = found.invalid.to_dict("records")
    assert (only["fast"], only["slow"]) == (30, 20)
    assert "must be shorter" in only["reason"]


def test_a_grid_without_a_single_valid_set_is_refused(panel: Panel) -> None:
    with pytest.raises(StrategyError, match=r"None of 2 sets can be run\. The first.*'fast': 30.*must be shorter"):
        sweep(ma(panel), {"fast": [30, 40]}, panel)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({}, "grid is empty"),
        ({"fats": [1]}, "no parameter 'fats'. Did you mean fast"),
        ({"fast": []}, "no list of values"),
        ({"fast": "abc"}, "no list of values"),
        ({"fast": [5, 5]}, "a value twice"),
        ({"stops.los": [0.1]}, "Stops have no 'los'. Did you mean loss"),
    ],
)
def test_a_wrong_grid_is_refused(grid: dict[str, Any], said: str, panel: Panel) -> None:
    with pytest.raises(StrategyError, match=re.escape(said)):
        sweep(ma(panel), grid, panel)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"metrics": ["sharp_ratio"]}, "no metric 'sharp_ratio'. Did you mean sharpe_ratio"),
        ({"metrics": ["turnover"]}, "no metric 'turnover'"),
        ({"by": "stock"}, "by is 'stock'"),
        ({"lag": 0}, "lag is 0"),
        ({"sample": 0}, "sample is 0"),
        ({"stops": Stops(spread_z=3.0)}, "spread stop but no spread"),
        ({"stops": Stops(loss=0.1, watch="intrabar")}, "for one leg"),
    ],
)
def test_a_wrong_call_is_refused(how: dict[str, Any], said: str, panel: Panel) -> None:
    with pytest.raises(StrategyError, match=re.escape(said)):
        sweep(ma(panel), {"fast": [3]}, panel, **how)


def test_symbols_weighed_against_each_other_have_no_account_of_their_own(panel: Panel) -> None:
    with pytest.raises(StrategyError, match="by='account'"):
        sweep(Pair(), {"entry": [1.0]}, panel, by="symbol")


def test_a_symbol_that_is_not_there_is_named(panel: Panel) -> None:
    with pytest.raises(StrategyError, match="'XOM' is not in the panel"):
        sweep(Pair(y="XOM"), {"entry": [1.0]}, panel)


def test_a_sample_is_drawn_without_repeats_and_by_its_seed(panel: Panel) -> None:
    grid = {"fast": list(range(1, 20)), "slow": list(range(20, 60))}
    one, same, other = (sweep(ma(panel), grid, panel, sample=12, seed=seed) for seed in (1, 1, 2))
    assert len(one.table) == len(one.table[["fast", "slow"]].drop_duplicates()) == 12
    pd.testing.assert_frame_equal(one.table, same.table)
    assert not one.table.equals(other.table)
    assert_equal_to_runs(one, panel)


def test_a_grid_too_large_to_list_can_be_sampled(panel: Panel) -> None:
    levels = np.linspace(0.001, 0.9, 3000)
    grid = {"stops.loss": levels, "stops.profit": levels, "stops.trailing": levels}
    assert sweep(ma(panel), grid, panel, sample=3).n_tried == 3
    with pytest.raises(StrategyError, match=r"27,000,000,000 sets.*Draw a sample"):
        sweep(ma(panel), grid, panel)


def test_best_is_the_best_way_round(panel: Panel) -> None:
    found = sweep(ma(panel), {"fast": [3, 8], "slow": [20, 45]}, panel, metrics=["volatility", "max_drawdown"])
    assert found.best("volatility")["volatility"] == found.table["volatility"].min()
    assert found.best("max_drawdown")["max_drawdown"] == found.table["max_drawdown"].max()
    with pytest.raises(StrategyError, match="no metric 'sharpe_ratio'"):
        found.best()


def test_no_set_is_best_where_the_metric_is_unknown(panel: Panel) -> None:
    found = sweep(ma(panel), {"slow": [20, 25]}, panel.tail(40))
    with pytest.raises(DataError, match="unknown for all of 2"):
        found.best("sharpe_ratio")


class Later(Strategy):
    """Half of the first stock at a session, half of the second 100 sessions later."""

    family: ClassVar[str] = "later"
    title: ClassVar[str] = "Later"
    description: ClassVar[str] = "Buys two stocks one after the other."
    at: int = 100
    universe: tuple[str, ...] = ("KO", "PEP")

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.universe

    @property
    def warmup(self) -> int:
        return 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        weights = pd.DataFrame(0.0, index=panel.index, columns=list(self.universe))
        for k, symbol in enumerate(self.universe):
            weights.loc[panel.index[self.at + 100 * k :], symbol] = 0.5
        return weights


@pytest.mark.parametrize("costs", [Costs(), Costs.free()])
def test_a_record_begins_with_the_first_fill_not_with_a_decision_on_what_is_gone(panel: Panel, costs: Costs) -> None:
    gone = {"KO": panel.index[50].date()}
    found = sweep(Later(), {"at": [100, 150]}, panel, costs=costs, delisted=gone, metrics=MANY)
    for row, at in enumerate((100, 150)):
        result = run_strategy(Later(at=at), panel, costs=costs, delisted=gone)
        assert result.trades["ts"].iloc[0] == panel.index[at + 101]
        summary = result.summary(samples=0)["value"]
        for key in MANY:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), key


@pytest.mark.parametrize("by", ["account", "symbol"])
@pytest.mark.parametrize("execution", [Execution(fill="close"), Execution(whole_shares=True)])
def test_a_record_begins_with_the_first_fill_where_fills_cost_nothing(
    holes: Panel, execution: Execution, by: Literal["account", "symbol"]
) -> None:
    how: dict[str, Any] = {"costs": Costs.free(), "execution": execution}
    found = sweep(ma(holes), {"fast": [3, 8]}, holes, metrics=MANY, by=by, stops=Stops(loss=0.05), **how)
    assert_equal_to_runs(found, holes, **how)


def test_a_fill_too_dear_for_the_account_is_no_beginning(panel: Panel) -> None:
    dear = Costs(impact_bps=10_000)  # an order of many days' volume costs more than there is
    volume = panel.frame("close") * 0.0 + 10.0
    volume.iloc[150:] = 1e9
    thin = Panel.from_frames(panel.frame("close"), volume=volume)
    assert run_strategy(Later(), thin, costs=dear).trades["ts"].iloc[0] > panel.index[150]
    found = sweep(Later(at=100), {"at": [100]}, thin, costs=dear, metrics=MANY)
    assert_equal_to_runs(found, thin, costs=dear)


def test_a_delisted_symbol_that_is_not_there_is_named_by_sweep_and_search(panel: Panel) -> None:
    gone = {"KOO": panel.index[300].date()}
    with pytest.raises(DataError, match=r"'KOO' is delisted but not in the panel\. Did you mean KO"):
        sweep(ma(panel), {"fast": [3]}, panel, delisted=gone)
    with pytest.raises(DataError, match="'KOO' is delisted"):
        search(ma(panel), {"fast": [3, 4]}, panel, trials=2, delisted=gone)


def test_levels_are_put_into_the_stops_of_the_call(stocks: Panel) -> None:
    panel = stocks.select(("KO", "PEP")).tail(600)
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.0, "lookback": 40}, stops=Stops(profit=0.5))
    found = sweep(group, {"stops.loss": [0.005, 0.5]}, panel, stops=Stops(time=15))
    assert [found.definition(row).stops for row in (0, 1)] == [Stops(time=15, loss=loss) for loss in (0.005, 0.5)]
    assert found.table["total_return"].nunique() == 2
    assert_equal_to_runs(found, panel)


def test_accounts_by_symbol_refuse_a_universe_that_varies(panel: Panel) -> None:
    grid = {"universe": [("KO",), ("KO", "PEP")]}
    with pytest.raises(StrategyError, match=r"by='symbol' gives every symbol.*'universe' cannot vary"):
        sweep(ma(panel), grid, panel, by="symbol")
    assert sweep(ma(panel), grid, panel).n_tried == 2


def test_lists_are_values_like_any_other(panel: Panel) -> None:
    space = {"universe": [["KO"], ["KO", "PEP"]], "fast": [3, 8]}
    for found in (sweep(ma(panel), space, panel), search(ma(panel), space, panel, trials=8)):
        wide = found.pivot("fast", "universe", "total_return")  # noqa: PD010 - not a frame
        assert set(wide.index) == {("KO",), ("KO", "PEP")}
        one = found.table[found.table["universe"].map(len).eq(2) & found.table["fast"].eq(8)]["total_return"]
        assert wide.to_numpy()[[len(key) for key in wide.index].index(2), 1] == pytest.approx(one.median())
    with pytest.raises(StrategyError, match="a value twice"):
        sweep(ma(panel), {"universe": [["KO"], ("KO",)]}, panel)


def test_mappings_as_values_are_no_side_of_a_pivot(stocks: Panel) -> None:
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "lookback": 40})
    bands = [{"kind": "band", "entry": entry, "lookback": 40} for entry in (1.0, 1.5)]
    found = sweep(group, {"timing": bands, "capital": [0.5, 1.0]}, stocks.tail(400))
    with pytest.raises(StrategyError, match="'timing' are mappings"):
        found.pivot("capital", "timing")  # noqa: PD010 - not a frame
    with pytest.raises(StrategyError, match="a value twice"):
        sweep(group, {"timing": [bands[0], dict(bands[0])]}, stocks.tail(400))


def test_a_range_of_numpys_whole_numbers_is_one_of_whole_numbers(panel: Panel) -> None:
    found = search(ma(panel), {"fast": Between(np.int64(5), np.int64(18))}, panel, trials=6)
    assert found.table["fast"].dtype == np.int64
    assert found.table["fast"].between(5, 18).all()


def test_a_long_list_of_values_is_looked_through_once() -> None:
    asked: list[int] = []

    class Counted(int):
        def __eq__(self, other: object) -> bool:
            asked.append(1)
            return int(self) == other

        def __hash__(self) -> int:
            return int(self)

    Grid.of(MACross(), {"fast": [Counted(k) for k in range(1, 500)]})
    assert len(asked) < 5_000  # every one with every other would be 124,251


def test_a_pivot_has_a_cell_for_each_pair_of_values(panel: Panel) -> None:
    grid = {"fast": [8, 3, 30], "slow": [20, 45], "allow_short": [False, True]}
    found = sweep(ma(panel), grid, panel)
    wide = found.pivot("fast", "slow", "total_return")  # noqa: PD010 - not a frame
    assert list(wide.columns) == [3, 8, 30]
    assert list(wide.index) == [20, 45]
    cell = found.table.query("fast == 3 and slow == 45")["total_return"]
    assert wide.loc[45, 3] == pytest.approx(cell.median())
    assert np.isnan(wide.loc[20, 30])
    with pytest.raises(StrategyError, match="does not vary 'symbol'"):
        found.pivot("fast", "symbol", "total_return")  # noqa: PD010 - not a frame
    with pytest.raises(StrategyError, match="Both sides"):
        found.pivot("fast", "fast", "total_return")  # noqa: PD010 - not a frame


def test_progress_counts_sets_and_cancelling_keeps_what_is_done(panel: Panel) -> None:
    seen: list[tuple[int, int]] = []
    grid = {"fast": list(range(1, 11)), "slow": list(range(20, 40))}
    whole = sweep(ma(panel), grid, panel, on_progress=lambda done, n: seen.append((done, n)))
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    stop = threading.Event()
    part = sweep(ma(panel), grid, panel, workers=1, on_progress=lambda *_: stop.set(), cancelled=stop.is_set)
    assert 0 < part.n_tried < 200
    assert part.asked == 200
    assert not part.done
    pd.testing.assert_frame_equal(part.table, whole.table.head(part.n_tried))


def test_a_fault_of_ours_is_not_taken_for_an_invalid_set(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: MACross, panel: Panel, memo: Memo) -> FloatArray:
        raise ZeroDivisionError

    monkeypatch.setattr(MACross, "weights", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(ma(panel), {"slow": [20, 30]}, panel, workers=1)
    assert "'slow': 20" in caught.value.__notes__[0]


@pytest.mark.parametrize("short_too", [False, True])
def test_the_short_loop_is_the_kernel_to_the_last_bit(panel: Panel, *, short_too: bool) -> None:
    market = prepare(panel, Costs(impact_bps=20), Execution(cash_bps_per_year=100))
    strategy = MACross(universe=panel.symbols, fast=3, slow=15, allow_short=short_too)
    targets = 1.5 * np.ascontiguousarray(strategy.weights_alone(panel, Memo()).T)
    kinds = (Stops(), Stops(loss=0.02), Stops(profit=0.03, reentry="next"), Stops(trailing=0.02, time=9, reentry=4))
    bounds = (Limits(), Limits(drawdown=0.08, cool_down=15), Limits(drawdown=0.2, maintenance=0.45))
    assert plain(market)
    stopped = 0
    for stops, limits, every_bar, lag in product(kinds, bounds, (False, True), (1, 3)):
        assert short(stops)
        how = {"stops": stops, "limits": limits, "lag": lag}
        full = equities_of(
            market,
            targets[:, None, :],
            np.arange(3)[:, None],
            rebalance="every_bar" if every_bar else "on_change",
            **how,  # type: ignore[arg-type]
        )
        out = np.empty_like(full)
        quick = lone_equities(market, targets, cash=1e6, every_bar=every_bar, out=out, **how)  # type: ignore[arg-type]
        np.testing.assert_array_equal(quick, full)
        stopped += not np.array_equal(full, equities_of(market, targets[:, None, :], np.arange(3)[:, None], lag=lag))
    assert stopped > 30


@pytest.mark.parametrize("seed", range(12))
def test_the_short_loop_meets_a_level_exactly_where_the_kernel_does(seed: int) -> None:
    """Prices on a coarse grid and round levels: results that are equal to a stop to the last bit are common."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2020-01-01", periods=500)
    steps = rng.choice([-10.0, -5.0, 0.0, 0.0, 5.0, 10.0], (len(days), 6))
    close = pd.DataFrame(100.0 + np.abs(np.cumsum(steps, axis=0)), days, list("ABCDEF"))
    market = prepare(Panel.from_frames(close), Costs(**dict.fromkeys(Costs.model_fields, 0.0)))
    targets = np.repeat(rng.choice([0.0, 0.5, 1.0, -0.5], (6, 50), p=[0.3, 0.2, 0.4, 0.1]), 10, axis=1)
    stops = Stops(
        loss=rng.choice([0.05, 0.1, 0.2]),
        profit=rng.choice([None, 0.1, 0.25]),
        trailing=rng.choice([None, 0.05, 0.1, 0.15]),
        time=rng.choice([None, 1, 6]),
        reentry=["reset", "next", 3][seed % 3],
    )
    limits = Limits(drawdown=rng.choice([None, 0.05, 0.1, 0.25]), cool_down=int(rng.integers(1, 30)))
    how = {"stops": stops, "limits": limits, "lag": 1 + seed % 2}
    full = equities_of(market, targets[:, None, :], np.arange(6)[:, None], **how)  # type: ignore[arg-type]
    out = np.full_like(full, np.nan)
    quick = lone_equities(market, targets, cash=1e6, every_bar=False, out=out, **how)  # type: ignore[arg-type]
    np.testing.assert_array_equal(quick, full)


def test_the_short_loop_ruins_an_account_as_the_kernel_does(panel: Panel) -> None:
    close = panel.frame("close").copy()
    close.iloc[300:] *= 3.0
    jump = Panel.from_frames(close)
    market, targets = prepare(jump), np.full((3, len(jump)), -1.0)
    full = equities_of(market, targets[:, None, :], np.arange(3)[:, None])
    how = {"stops": Stops(), "limits": Limits(), "cash": 1e6, "lag": 1, "every_bar": False}
    quick = lone_equities(market, targets, out=np.empty_like(full), **how)  # type: ignore[arg-type]
    np.testing.assert_array_equal(quick, full)
    assert (full[:, -1] == 0.0).all()


def test_the_compiled_loop_is_its_python(panel: Panel) -> None:
    market = prepare(panel.tail(120))
    targets = np.ascontiguousarray(ma(panel).weights_alone(panel.tail(120), Memo()).T)
    answers = []
    for loop in (lone_nb, lone_nb.py_func):
        out = np.empty_like(targets)
        rules = (True, (0.01, 0.02, np.inf, 20.0, 3), (0.05, 10, 0.25), 1e6, 1, False, out)
        symbols = market.symbols.view(np.recarray)
        with np.errstate(all="ignore"):
            loop(market.bars, symbols, (market.financing, market.interest), targets, *rules)
        answers.append(out)
    np.testing.assert_array_equal(*answers)


def test_markets_with_more_to_them_take_the_long_road(panel: Panel, holes: Panel) -> None:
    assert plain(prepare(panel))
    assert not plain(prepare(holes))
    assert not plain(prepare(panel, execution=Execution(whole_shares=True)))
    assert not plain(prepare(panel, execution=Execution(limit_bps=1)))
    assert not plain(prepare(panel, delisted={"KO": panel.index[100].date()}))
    assert not short(Stops(volatility=1.0))
    assert not short(Stops(loss=0.1, watch="intrabar"))


def test_a_search_is_seeded_and_keeps_every_trial(panel: Panel) -> None:
    space = {"entry": Between(0.8, 2.5), "lookback": Between(20, 60, 10), "stops.time": [None, 10, 30]}
    one, same, other = (
        search(Pair(lookback=40), space, panel, trials=20, seed=seed, workers=workers)
        for seed, workers in ((1, 1), (1, 2), (2, 2))
    )
    assert one.n_tried + len(one.invalid) == 20
    pd.testing.assert_frame_equal(one.table, same.table, check_exact=True)
    assert not one.table.equals(other.table)
    assert one.table["entry"].between(0.8, 2.5).all()
    assert set(one.table["lookback"]) <= {20, 30, 40, 50, 60}
    assert_equal_to_runs(one, panel)


def test_a_search_learns_where_it_is_good(panel: Panel) -> None:
    space = {"fast": Between(1, 15), "slow": Between(16, 120), "stops.loss": Between(0.005, 0.5, log=True)}
    found = search(ma(panel), space, panel, objective="volatility", trials=60)
    drawn = sweep(ma(panel), {"fast": range(1, 16), "slow": range(16, 121)}, panel, sample=60, metrics=["volatility"])
    assert found.best("volatility")["volatility"] <= drawn.table["volatility"].min()
    late, early = found.table["volatility"].tail(20).mean(), found.table["volatility"].head(20).mean()
    assert late < early


def test_a_search_lists_what_cannot_be_and_can_be_cancelled(panel: Panel) -> None:
    space = {"fast": Between(2, 40), "slow": Between(10, 50)}
    seen: list[int] = []
    found = search(ma(panel), space, panel, trials=40, on_progress=lambda done, _: seen.append(done))
    assert len(found.invalid)
    assert found.done
    assert seen == [8, 16, 24, 32, 40]
    part = search(
        ma(panel), space, panel, trials=40, cancelled=lambda: len(seen) > 5, on_progress=lambda d, _: seen.append(d)
    )
    assert part.n_tried + len(part.invalid) == 8
    assert not part.done


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"objective": "sharp"}, "no metric 'sharp'"),
        ({"objective": "turnover"}, "no metric 'turnover'"),
    ],
)
def test_a_wrong_search_is_refused(how: dict[str, Any], said: str, panel: Panel) -> None:
    with pytest.raises(StrategyError, match=said):
        search(Pair(), {"entry": Between(1.0, 2.0)}, panel, **how)


@pytest.mark.parametrize(
    ("args", "said"),
    [((2, 1), "is empty"), ((1, 2, 5), "does not fit"), ((0, 2, None, True), "begins above zero")],
)
def test_a_wrong_range_is_refused(args: tuple[Any, ...], said: str) -> None:
    with pytest.raises(StrategyError, match=said):
        Between(*args)


MEMORY = """
import sys
from pathlib import Path
from skfolio.datasets import load_sp500_dataset
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.strategies import Pair
from quantlib.types import Panel

panel = Panel.from_frames(load_sp500_dataset())
def sets(n):
    return {"lookback": range(20, 20 + n // 50), "entry": [1 + k / 10 for k in range(10)], "exit": [0, .1, .2, .3, .4]}
def most():  # of this process alone: what `getrusage` says begins with the size of whoever started it
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
sweep(Pair(), sets(50), panel, workers=2)
before = most()
found = sweep(Pair(), sets(int(sys.argv[1])), panel, workers=2)
print(found.n_tried, before, most())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux says of a process")
def test_memory_does_not_grow_with_the_sets(tmp_path: Path) -> None:
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    said = subprocess.run(
        [sys.executable, script, "500"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    tried, before, after = map(int, said.stdout.split())
    assert tried == 500
    # 500 sets of targets over 8,313 days would be 66 MB; in KiB.
    assert after < 1024 * 1024
    assert after - before < 40 * 1024
