"""Compile everything that numba compiles, once, so that nobody waits for it in the middle of their work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from numba.core.event import install_recorder

from quantlib.backtest.accounts import equities_of
from quantlib.backtest.market import prepare
from quantlib.backtest.run import run_strategy
from quantlib.backtest.sweep import sweep
from quantlib.conditions.correlation import correlation
from quantlib.risk import Stops
from quantlib.strategies import READY, STRATEGIES, Group, MACross, Strategy
from quantlib.types import FloatArray, Panel

#: Bars of the made-up prices: the longest window of the library, and some to decide on.
BARS = 300


def warm_up() -> Iterator[tuple[str, float]]:
    """Yield what has been made ready, and the seconds that compiling took: 0 where it was on disk already.

    What is compiled is kept on disk, so all but the first run of a version take a second or two. `warm_up_steps` names
    the steps.
    """
    for name, work in _steps().items():
        with install_recorder("numba:compile") as seen:
            work()
        yield name, seen.buffer[-1][0] - seen.buffer[0][0] if seen.buffer else 0.0


def warm_up_steps() -> tuple[str, ...]:
    """Return the names of the steps, in order."""
    return tuple(_steps())


def _steps() -> dict[str, Callable[[], object]]:
    """Return small pieces of real work by name, which together call every kernel in every way the product does."""
    strategies = [*READY.values(), *(family() for family in STRATEGIES.values())]
    panel = _made_up(tuple(dict.fromkeys(symbol for one in strategies for symbol in one.inputs)))
    closes = panel.close
    return {
        "decisions of strategies": partial(_decide, strategies, panel),
        "correlation in conditions": lambda: correlation(closes[:, :1], closes[:, 1:2], 20),
        "backtest with its record": lambda: run_strategy(Group(), panel),
        "accounts without stops": partial(_accounts, panel, None),
        "accounts with stops": partial(_accounts, panel, Stops(loss=0.1)),
        "sweeps": partial(_sweep, panel),
    }


def _made_up(symbols: tuple[str, ...]) -> Panel:
    """Return random walks with all fields; nobody looks at what comes of them."""
    walk = np.random.default_rng(0).normal(0.0, 0.01, (BARS, len(symbols)))
    close: FloatArray = 100.0 * np.exp(walk.cumsum(axis=0))
    index = pd.bdate_range("2020-01-01", periods=BARS)
    return Panel(index, symbols, close, close * 1.01, close * 0.99, close, np.full(close.shape, 1e6))


def _decide(strategies: list[Strategy], panel: Panel) -> None:
    for strategy in strategies:
        strategy.targets(panel.select(strategy.inputs))
    for method in ("tls", "kalman"):
        hedged = Group(hedge={"method": method}, timing={"kind": "band", "lookback": 60})
        hedged.targets(panel.select(hedged.inputs))


def _accounts(panel: Panel, stops: Stops | None) -> None:
    columns = np.arange(2)[:, None]
    equities_of(prepare(panel), np.ones((2, 1, len(panel))), columns, stops=stops)


def _sweep(panel: Panel) -> None:
    for by in ("account", "symbol"):
        sweep(MACross(), {"fast": [10], "slow": [50]}, panel, by=by, workers=1)
