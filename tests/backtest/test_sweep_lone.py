"""The short loop that sweeps take where they can is the kernel."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from backtest.swept import ma

from quantlib.backtest import equities_of
from quantlib.backtest.market import prepare
from quantlib.backtest.sweep_lone import lone_equities, lone_nb, plain, short
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import MACross
from quantlib.strategies.memo import Memo
from quantlib.types import Panel


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
