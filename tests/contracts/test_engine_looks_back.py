"""No account of any definition knows the future: cut the panel, and its past stays the same to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run_strategy
from quantlib.risk import Limits, Stops
from quantlib.strategies import READY, STRATEGIES, Strategy
from quantlib.types import Panel

DEFINITIONS: dict[str, Strategy] = {**{f"default {k}": v() for k, v in STRATEGIES.items()}, **READY}
CUTS = (700, 901, 1102, 1298)


@pytest.fixture(scope="module")
def world(stocks: Panel, factor_etfs: Panel) -> Panel:
    """Return all sample symbols together, five years of them."""
    return Panel.from_frames(stocks.frame().join(factor_etfs.frame()).tail(1300), source="sample")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_equity_and_trades_of_the_past_do_not_change_with_the_future(name: str, world: Panel) -> None:
    strategy = DEFINITIONS[name]
    if missing := [symbol for symbol in strategy.inputs if symbol not in world.symbols]:
        pytest.skip(f"The sample has no {missing[0]}.")
    own = world.select(strategy.inputs)
    limits = Limits(drawdown=0.15, cool_down=10)
    whole = run_strategy(strategy, own, limits=limits)
    assert (whole.trades["ts"] > whole.trades["decided"]).all(), "nothing fills on the bar it was decided on"
    for t in CUTS:
        part = run_strategy(strategy, own.until(own.index[t]), limits=limits)
        np.testing.assert_array_equal(part.equity, whole.equity.iloc[: t + 1])
        past = whole.trades[whole.trades["ts"] <= own.index[t]]
        pd.testing.assert_frame_equal(part.trades, past, check_exact=True)
        closed = whole.group_trades["left"] <= own.index[t]
        pd.testing.assert_frame_equal(
            part.group_trades[part.group_trades["left"].notna()].reset_index(drop=True),
            whole.group_trades[closed].reset_index(drop=True),
            check_exact=True,
        )


@pytest.mark.parametrize(
    "stops",
    [
        Stops(loss=0.03),
        Stops(trailing=0.03),
        Stops(volatility=2),
        Stops(time=15),
        Stops(profit=0.04),
        Stops(spread_z=3),
    ],
    ids=lambda stops: next(iter(stops.model_dump(exclude_defaults=True))),
)
def test_stops_of_the_past_do_not_change_with_the_future(stops: Stops, world: Panel) -> None:
    from quantlib.strategies.group import Group

    strategy = Group(legs=("PEP", "KO"), timing={"kind": "band", "lookback": 60}, hedge={"lookback": 60}, stops=stops)
    whole = run_strategy(strategy, world)
    fired = next(iter(stops.model_dump(exclude_defaults=True)))
    assert fired in set(whole.group_trades["exit_reason"])
    for t in CUTS:
        part = run_strategy(strategy, world.until(world.index[t]))
        np.testing.assert_array_equal(part.equity, whole.equity.iloc[: t + 1])
