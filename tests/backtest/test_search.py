"""Searches: seeded, kept, learning, and what they refuse."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from backtest.swept import assert_equal_to_runs, ma

from quantlib.backtest.search import Between, search
from quantlib.backtest.sweep import sweep
from quantlib.errors import StrategyError
from quantlib.strategies import Group, Pair
from quantlib.types import Panel


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


def test_a_group_can_be_searched_by_path(stocks: Panel) -> None:
    space = {"timing.entry": Between(0.8, 2.5), "hedge.method": ["ols", "tls", "kalman"], "stops.spread_z": [None, 3.0]}
    group = Group(legs=("XOM", "CVX"), timing={"kind": "band", "lookback": 40})
    found = search(group, space, stocks.tail(400), trials=12, workers=2)
    assert found.n_tried + len(found.invalid) == 12
    assert_equal_to_runs(found, stocks.tail(400))
