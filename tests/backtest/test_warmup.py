"""The warm-up: afterwards nothing that the product does is compiled any more, in this process or the next."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
from numba.core.event import install_recorder

from quantlib.backtest import (
    Member,
    Portfolio,
    break_even_cost,
    delay_decay,
    evaluate_in_worlds,
    hold_equal_parts,
    run,
    run_portfolio,
    run_strategy,
    same_bar_band,
    search,
    sweep,
)
from quantlib.backtest.search import Between
from quantlib.backtest.warmup import warm_up, warm_up_steps
from quantlib.risk import Execution, Limits, Stops
from quantlib.simulators import GBM
from quantlib.strategies import READY, Group, MACross
from quantlib.types import Panel


def test_nothing_is_compiled_after_the_warm_up(stocks: Panel, factor_etfs: Panel, ohlcv: Panel) -> None:
    warmed = dict(warm_up())
    assert tuple(warmed) == warm_up_steps()
    assert all(seconds >= 0.0 for seconds in warmed.values())
    with install_recorder("numba:compile") as seen:
        assert list(warm_up()) == [(name, 0.0) for name in warm_up_steps()]
        panel = Panel.from_frames(stocks.frame().join(factor_etfs.frame()).tail(700))
        for strategy in READY.values():
            if set(strategy.inputs) <= set(panel.symbols):
                run_strategy(strategy, panel, limits=Limits(drawdown=0.2))
        pair, cross = READY["Coke against Pepsi"], MACross(universe=("KO",), fast=5, slow=20)
        frame = pd.DataFrame(0.5, index=panel.index, columns=list(panel.symbols)) / 30
        run(panel, frame, execution=Execution(whole_shares=True, fill="close", limit_bps=5.0), rebalance="every_bar")
        hold_equal_parts(panel.select(["KO", "PEP"]))
        for strategy in (pair, cross, READY["Exxon against Chevron"]):
            evaluate_in_worlds(strategy, GBM(), panel, n=2, horizon=3)
            break_even_cost(strategy, panel)
        delay_decay(cross, panel, lags=(1, 2))
        bracket = Stops(loss=0.02, profit=0.02, watch="intrabar")
        index = Group(kind="outright", legs=("^GSPC",), timing={"kind": "hold"}, stops=bracket)
        same_bar_band(index, ohlcv.tail(300))
        members = tuple(Member(name=str(k), strategy=one, share=0.5) for k, one in enumerate((pair, cross)))
        run_portfolio(Portfolio(members=members), panel)
        for by in ("account", "symbol"):
            for stops in (None, Stops(loss=0.1), Stops(volatility=2.0)):
                sweep(cross, {"fast": [3, 5]}, panel, by=by, stops=stops, workers=1)
        sweep(READY["Exxon against Chevron"], {"timing.entry": [1.5, 2.0]}, panel, workers=1)
        search(cross, {"fast": Between(2, 9)}, panel, trials=2, workers=1)
    compiled = [event.data["dispatcher"].py_func.__name__ for _, event in seen.buffer]
    assert compiled == []


def test_another_process_finds_it_on_disk() -> None:
    list(warm_up())
    code = "from quantlib.backtest.warmup import warm_up; print([s for _, s in warm_up()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([0.0] * len(warm_up_steps()))
