"""How large an account could be, against accounts of that size run through the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run_strategy
from quantlib.costs import Costs
from quantlib.strategies import MACross
from quantlib.types import Panel
from quantlib.workflows.capacity import capacity_in_words, capacity_of
from quantlib.workflows.research import StrategyRun

COSTS = Costs(commission_bps=0.0, half_spread_bps=0.0, impact_bps=50.0, borrow_bps_per_year=0.0)
RULE = MACross(universe=("A", "B"), fast=5, slow=20)


def market(wave: float = 25.0) -> Panel:
    """Return prices in slow waves, which a trend earns on, or in fast ones, on which it is always late."""
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2018-01-01", periods=900, name="ts")
    waves = 0.0015 * np.sin(np.arange(900) / wave)[:, None] + rng.normal(0.0, 0.006, (900, 2))
    close = pd.DataFrame(50 * np.exp(np.cumsum(waves, axis=0)), index=days, columns=["A", "B"])
    return Panel.from_frames(close, volume=pd.DataFrame(1e6, index=days, columns=["A", "B"]))


def made(panel: Panel, costs: Costs = COSTS, cash: float = 1e6) -> StrategyRun:
    result = run_strategy(RULE, panel, costs=costs, cash=cash)
    nothing: Any = None  # its metrics and checks are not looked at
    return StrategyRun("Trend", RULE, panel, costs, result, nothing, nothing, "", None, "")


def test_at_that_size_half_of_the_edge_is_paid_as_impact() -> None:
    size = capacity_of(made(market()))
    large = made(market(), cash=size).result
    before = large.equity.shift(1)
    paid = (large.cost_parts["impact"] / before).mean()
    edge = large.returns.mean() + paid
    assert edge > 0
    assert paid / edge == pytest.approx(0.5, abs=0.05)
    assert capacity_in_words(made(market())) == (
        f"Its own market impact would eat half of the edge at an account of ${float(f'{size:.2g}'):,.0f}."
    )


def test_dearer_impact_makes_it_smaller() -> None:
    size = capacity_of(made(market()))
    twice = capacity_of(made(market(), COSTS.model_copy(update={"impact_bps": 100.0})))
    assert twice == pytest.approx(size / 4, rel=0.05)


def test_what_cannot_be_known_is_said() -> None:
    panel = market()
    blind = replace(panel, volume=np.full_like(panel.volume, np.nan))
    assert np.isnan(capacity_of(made(blind)))
    assert "unknown: that takes the volume" in capacity_in_words(made(blind))
    assert "unknown" in capacity_in_words(made(panel, Costs.free()))
    assert "no edge" in capacity_in_words(made(market(wave=5.0)))
    idle = made(panel.window(panel.index[0], panel.index[15]))
    assert capacity_in_words(idle).startswith("It never trades")
