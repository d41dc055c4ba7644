"""Grids: what is varied, listed, drawn, refused, and set side by side."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtest.swept import assert_equal_to_runs, ma

from quantlib.backtest.search import Between, search
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Stops
from quantlib.strategies import Group, MACross
from quantlib.types import Panel


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


def test_levels_are_put_into_the_stops_of_the_call(stocks: Panel) -> None:
    panel = stocks.select(("KO", "PEP")).tail(600)
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.0, "lookback": 40}, stops=Stops(profit=0.5))
    found = sweep(group, {"stops.loss": [0.005, 0.5]}, panel, stops=Stops(time=15))
    assert [found.definition(row).stops for row in (0, 1)] == [Stops(time=15, loss=loss) for loss in (0.005, 0.5)]
    assert found.table["total_return"].nunique() == 2
    assert_equal_to_runs(found, panel)
