"""Sweeps: one strategy over a grid of parameters, every set an account of its own, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.backtest.accounts import Rebalance, check_account
from quantlib.backtest.curves import Traces
from quantlib.backtest.market import check_delisted
from quantlib.backtest.sweep_chunk import QUICK, By, Chunk, Rules, forget
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.compute import Engine, Progress, map_work
from quantlib.costs import AnyCosts
from quantlib.errors import StrategyError, nearest
from quantlib.metrics import METRICS
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

OnFound = Callable[[Sequence[Mapping[str, Any]], Sequence[Traces | str]], None]
CHUNK = 64
"""Most sets handed to a worker at a time: progress counts by so many, and cancelling waits for the parts begun."""


def sweep(
    strategy: Strategy,
    grid: Mapping[str, Sequence[Any]],
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    stops: Stops | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    delisted: Mapping[str, date] | None = None,
    by: By = "account",
    metrics: Sequence[str] = QUICK,
    curves: int = 0,
    sample: int | None = None,
    seed: int = 0,
    engine: Engine = "threads",
    workers: int | None = None,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_found: OnFound | None = None,
) -> SweepResult:
    """Return the metrics of a strategy for every set of a grid, each as `run_strategy(...).summary` has them.

    The answer is the same whatever engine and number of workers. A worker holds the targets of one set at a time.

    Parameters
    ----------
    strategy
        What the grid does not vary.
    grid
        Values by parameter. A dot reaches inside ("timing.entry"); "stops.loss" and the like set the stops.
    panel
        Prices, with at least what the strategy reads.
    costs, limits, execution, cash, lag, rebalance, delisted
        As in `run`.
    stops
        Instead of the strategy's own; None leaves them.
    by
        "account": one account a set. "symbol": for every symbol an account of its own that trades nothing else, for
        families whose symbols do not depend on each other.
    metrics
        Keys of `METRICS` that are made from returns.
    curves
        Into how many equal parts of the span the growth of every account is kept, at most one a session; 0 for none.
    sample, seed
        How many sets to draw from the grid without repeats, and of which draw; None runs all.
    engine, workers, on_progress, cancelled
        As in `map_work`; progress counts sets. What was done when it was cancelled is returned.
    on_found
        Called with some sets, and for each its traces or why it was refused, as soon as they are known; with curves.

    Raises
    ------
    StrategyError
        The grid has an unknown parameter, no set of it is valid, or the family does not allow by="symbol".
    DataError
        The panel is empty or lacks a symbol, one said to be delisted among them.

    Examples
    --------
    >>> found = sweep(MACross(), {"fast": [10, 20], "slow": [100, 200]}, panel)  # doctest: +SKIP
    >>> found.pivot("fast", "slow", "sharpe_ratio")  # doctest: +SKIP
    """
    space = Grid.of(strategy, grid, stops)
    places = space.drawn(sample, seed)
    rules = Rules(costs, limits or Limits(), execution or Execution(), cash, lag, rebalance, delisted)
    chunk = chunk_of(space, panel, rules, by, metrics, curves)
    size = max(1, min(CHUNK, len(places) // 16))
    parts = _Parts(space, places, size)

    def progress(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(min(done * size, len(places)), len(places))

    sets: list[dict[str, Any]] = []
    found: list[FloatArray | str] = []
    try:
        answers = map_work(chunk, parts, engine=engine, workers=workers, on_progress=progress, cancelled=cancelled)
        for k, rows in enumerate(answers):
            sets.extend(parts[k])
            found.extend(rows)
            tell_found(chunk, parts[k], rows, on_found)
    finally:
        forget(chunk)
    return gathered(chunk, sets, found, len(places))


def tell_found(
    chunk: Chunk, sets: Sequence[Mapping[str, Any]], rows: Sequence[FloatArray | str], on_found: OnFound | None
) -> None:
    """Tell what was found of some sets, where anyone listens."""
    if on_found is not None:
        width = len(chunk.metrics)
        on_found(sets, [row if isinstance(row, str) else Traces.split(row[:, width:]) for row in rows])


def chunk_of(grid: Grid, panel: Panel, rules: Rules, by: By, metrics: Sequence[str], curves: int = 0) -> Chunk:
    """Return the travelling part of a sweep or search, checked.

    Raises
    ------
    StrategyError
        A metric is not made from returns, `by` is unknown or does not go with the grid, there are less than no curves,
        or an account cannot be run so.
    DataError
        A delisted symbol is not in the panel.
    """
    usable = [key for key, metric in METRICS.items() if metric.kernel is not None and metric.made_from == "returns"]
    for key in metrics:
        if key not in usable:
            raise StrategyError(f"A sweep has no metric {key!r}. {nearest(key, usable)}")
    if by not in ("account", "symbol"):
        raise StrategyError(f"by is {by!r}; accepted: 'account' or 'symbol'.")
    if by == "symbol" and (which := [name for name in grid.names if name.partition(".")[0] == "universe"]):
        raise StrategyError(
            f"by='symbol' gives every symbol of the universe an account, so {which[0]!r} cannot vary. Give the "
            "strategy the largest universe and leave it out of the grid."
        )
    if curves < 0:
        raise StrategyError(f"curves is {curves}; accepted: 0 for none, or into how many parts growth is kept.")
    check_delisted(rules.delisted or {}, panel)
    check_account(rules.cash, rules.lag, rules.rebalance)
    return Chunk(grid, panel, rules, by, tuple(dict.fromkeys(metrics)), curves)


class _Parts(Sequence[list[dict[str, Any]]]):
    """The sets of a grid in parts of equal size, each made when it is asked for."""

    def __init__(self, grid: Grid, places: NDArray[np.int64], size: int) -> None:
        self.grid, self.places, self.size = grid, places, size

    def __len__(self) -> int:
        return len(range(0, len(self.places), self.size))

    def __getitem__(self, k: Any) -> Any:
        return [self.grid.at(int(place)) for place in self.places[k * self.size : (k + 1) * self.size]]


def gathered(
    chunk: Chunk, sets: Sequence[Mapping[str, Any]], found: Sequence[FloatArray | str], asked: int
) -> SweepResult:
    """Return the tables of what was run and what was refused.

    Raises
    ------
    StrategyError
        Every set was refused.
    """
    run = [(one, rows) for one, rows in zip(sets, found, strict=True) if not isinstance(rows, str)]
    refused = [(one, said) for one, said in zip(sets, found, strict=True) if isinstance(said, str)]
    if refused and not run:
        raise StrategyError(f"None of {len(refused)} sets can be run. The first, {refused[0][0]}: {refused[0][1]}")
    names = list(chunk.grid.values)
    accounts = len(run[0][1]) if run else 1
    columns: dict[str, Any] = {name: _column([one[name] for one, _ in run for _ in range(accounts)]) for name in names}
    if chunk.by == "symbol":
        columns["symbol"] = [s for one, _ in run for s in chunk.grid.definition(one).strategy.symbols]
    values = np.concatenate([rows for _, rows in run]) if run else np.empty((0, len(chunk.metrics)))
    columns |= {key: values[:, k] for k, key in enumerate(chunk.metrics)}
    traces = Traces.split(values[:, len(chunk.metrics) :]) if chunk.curves and run else None
    left: dict[str, Any] = {name: _column([one[name] for one, _ in refused]) for name in names}
    left["reason"] = [said for _, said in refused]
    return SweepResult(pd.DataFrame(columns), pd.DataFrame(left), chunk.metrics, asked, chunk.grid, traces)


def _column(values: list[Any]) -> pd.Series:
    """Return values as a column in which None, a level that is not set, stays what it is."""
    return pd.Series(values, dtype=object) if None in values else pd.Series(values)
