"""The variants of one idea: daily returns of a strategy with other parameters, the matrix that validation lives on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.backtest.accounts import Rebalance
from quantlib.backtest.neighbourhood import Axis, axes_of, parameters_of, sets_around, value_at
from quantlib.backtest.sweep import chunk_of
from quantlib.backtest.sweep_chunk import Chunk, Rules, forget
from quantlib.backtest.sweep_grid import Definition, Grid
from quantlib.compute import Engine, Progress, map_work
from quantlib.costs import AnyCosts
from quantlib.errors import StrategyError
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

MOST = 125
"""Most sets a neighbourhood has, beside two for every number that was tried alone."""
MOST_GIVEN = 2_000
"""Most sets of a grid: the daily returns of all of them are held at once."""
ALIKE = 0.9999
"""Correlation of daily returns from which on a number is said to change nothing but the size."""
_PART = 4


@dataclass(frozen=True, eq=False)
class Variants:
    """A strategy and its like, on the same prices with the same costs.

    Parameters
    ----------
    returns
        Net daily returns after costs [time x variant], unknown before a variant's first fill.
    parameters
        What each was run with [variant x parameter]; the first column of `returns` is the strategy itself.
    sets
        The same of each variant as a grid has it: what its definition is made from.
    chosen
        The column of the strategy itself.
    varied, left
        The parameters that vary, and the numbers that do not with the reason, by name.
    refused
        How many sets were no valid definition or could not be run.
    complete
        Whether all were run; a cancelled call has fewer.
    periods_per_year
        Sessions a year, for annualising.
    """

    returns: pd.DataFrame
    parameters: pd.DataFrame
    sets: tuple[Mapping[str, Any], ...]
    chosen: int
    varied: tuple[str, ...]
    left: Mapping[str, str]
    refused: int
    complete: bool
    periods_per_year: int

    @property
    def sentence(self) -> str:
        """What was varied, in a sentence."""
        n = len(self.returns.columns)
        if n == 1:
            why = f" ({', '.join(f'{name}: {said}' for name, said in self.left.items())})" if self.left else ""
            return f"Nothing in the definition can be varied{why}, so the strategy has no variants."
        refused = f"; {self.refused} further sets are no valid definitions" if self.refused else ""
        stopped = "" if self.complete else " It was cancelled before all were run."
        return f"{n} variants by {', '.join(self.varied)}, the strategy among them{refused}.{stopped}"


def variants_of(
    strategy: Strategy,
    panel: Panel,
    *,
    grid: Mapping[str, Sequence[Any]] | None = None,
    costs: AnyCosts | None = None,
    stops: Stops | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    delisted: Mapping[str, date] | None = None,
    engine: Engine = "threads",
    workers: int | None = None,
    on_sets: Callable[[Sequence[Mapping[str, Any]]], None] | None = None,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Variants:
    """Return the daily returns of a strategy and of its variants, run as `sweep` runs them.

    Without a grid the variants are the strategy's neighbourhood. Every number of its definition, those in conditions
    too, is first tried a little lower and a little higher alone. Numbers that change nothing but the size are left
    out; of the others, up to four that change the returns most are combined, on as many levels as `MOST` allows,
    between half and double for one to three of them.

    Parameters
    ----------
    grid
        Values by parameter, as in `sweep`; None for the neighbourhood.
    costs, stops, limits, execution, cash, lag, rebalance, delisted, engine, workers
        As in `sweep`.
    on_sets
        Called with sets that are about to be run, as a grid has them; those that turn out to change nothing but the
        size, or cannot be run, are no variants afterwards.
    on_progress
        Called with (variants done, all); all of a neighbourhood is the most it may have, until that is known.
    cancelled
        Asked after every few; what was done by then is returned, the strategy itself in any case.

    Raises
    ------
    StrategyError
        The strategy itself cannot be run, the grid has an unknown parameter or more than `MOST_GIVEN` sets.
    DataError
        The panel is empty or lacks a symbol.

    Examples
    --------
    >>> variants_of(MACross(), panel).sentence  # doctest: +SKIP
    '95 variants by fast, slow, the strategy among them; 13 further sets are no valid definitions.'
    """
    rules = Rules(costs, limits or Limits(), execution or Execution(), cash, lag, rebalance, delisted)
    space = Grid(strategy, {}, stops) if grid is None else Grid.of(strategy, grid, stops)
    whole = chunk_of(space, panel, rules, "account", ())
    chunk = _Returns(space, panel, rules, "account", (), number=whole.number)
    run = _Run(chunk, engine, workers, on_sets, on_progress, cancelled)
    try:
        run.own()
        if grid is not None:
            if len(space) > MOST_GIVEN:
                raise StrategyError(f"The grid has {len(space):,} sets; variants are at most {MOST_GIVEN:,}.")
            names, left = tuple(grid), dict[str, str]()
            run.all([(one, one) for one in map(space.at, range(len(space)))])
        else:
            axes, left = _varied(run, strategy)
            names = tuple(axis.name for axis in axes)
            main, n = axes[:4], next((n for n in (21, 11, 5, 3) if n ** min(len(axes), 4) <= MOST), 3)
            run.all([(one, parameters_of(strategy, axes, one)) for one in sets_around(main, n)] if main else [])
    finally:
        forget(whole)
    return run.variants(names, left, panel)


class _Returns(Chunk):
    """Runs parameter sets like a sweep, and returns daily returns [1, T] in the place of metrics."""

    def _told(self, equity: FloatArray, first: NDArray[np.int64], year: int) -> FloatArray:
        values = np.maximum(equity[0], 0.0)
        before = np.concatenate([[self.rules.cash], values[:-1]])
        returns: FloatArray = np.divide(values, before, out=np.ones_like(values), where=before > 0) - 1.0
        # An account that never trades has a return, of nothing, from the first session on.
        returns[: first[0]] = np.nan
        return returns[None, :]


class _Run:
    """What was run so far: definitions once each, by the sets that lead to them."""

    def __init__(
        self,
        chunk: _Returns,
        engine: Engine,
        workers: int | None,
        on_sets: Callable[[Sequence[Mapping[str, Any]]], None] | None,
        on_progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.chunk, self.engine, self.workers = chunk, engine, workers
        self.on_sets, self.on_progress, self.cancelled = on_sets, on_progress, cancelled
        self.done = 0
        self.refused = 0
        self.complete = True
        self.seen: dict[tuple[str, Stops], int | None] = {}
        self.sets: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.found: list[FloatArray] = []

    def own(self) -> None:
        """Run the strategy itself, which is the first variant."""
        self._tell([{}])
        [answer] = self.chunk([{}])
        if isinstance(answer, str):
            raise StrategyError(answer)
        self._keep(({}, {}), self.chunk.grid.definition({}), answer)

    def all(self, sets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], ahead: int = 0) -> None:
        """Run what has not been run, of sets given as (what tables say, parameters of the grid).

        `ahead` is how many more there may be afterwards, for progress.
        """
        new: list[tuple[Mapping[str, Any], Mapping[str, Any], Definition]] = []
        for one, parameters in sets:
            try:
                definition = self.chunk.grid.definition(parameters)
            except StrategyError:
                self.refused += 1
                continue
            key = definition.strategy.id, definition.stops
            if key not in self.seen:
                self.seen[key] = None
                new.append((one, parameters, definition))
        self._tell([parameters for _, parameters, _ in new])
        total = self.done + len(new)
        parts = [new[k : k + _PART] for k in range(0, len(new), _PART)]

        def progress(k: int, _: int) -> None:
            if self.on_progress is not None:
                self.on_progress(min(self.done + _PART * k, total), total + ahead)

        work = [[parameters for _, parameters, _ in part] for part in parts]
        answers = map_work(
            self.chunk,
            work,
            engine=self.engine,
            workers=self.workers,
            on_progress=progress,
            cancelled=self.cancelled,
        )
        answered = 0
        for part, rows in zip(parts, answers, strict=False):  # fewer answers where it was cancelled
            answered += 1
            for (one, parameters, definition), row in zip(part, rows, strict=True):
                if isinstance(row, str):
                    self.refused += 1
                else:
                    self._keep((one, parameters), definition, row)
        self.done = total
        self.complete = self.complete and answered == len(parts)

    def returns(self, definition: Definition) -> FloatArray | None:
        """Return the returns [T] of a definition that was run."""
        place = self.seen.get((definition.strategy.id, definition.stops))
        return None if place is None else self.found[place][0]

    def _tell(self, sets: Sequence[Mapping[str, Any]]) -> None:
        if self.on_sets is not None and sets:
            self.on_sets(sets)

    def _keep(self, one: tuple[Mapping[str, Any], Mapping[str, Any]], definition: Definition, row: FloatArray) -> None:
        self.seen[definition.strategy.id, definition.stops] = len(self.found)
        self.sets.append(one)
        self.found.append(row)

    def variants(self, names: Sequence[str], left: Mapping[str, str], panel: Panel) -> Variants:
        """Return all that was run as one matrix."""
        own = self.chunk.grid.definition({})
        usual = {axis.name: axis.value for axis in axes_of(own.strategy)}
        # What was tried alone and changes nothing is the strategy once more, and no variant.
        kept = [k for k, (one, _) in enumerate(self.sets) if set(one) <= set(names)]
        columns = pd.RangeIndex(len(kept), name="variant")
        table = {}
        for name in names:
            usually = usual[name] if name in usual else _value(own, name)
            values = [self.sets[k][0].get(name, usually) for k in kept]
            table[name] = pd.Series(values, columns, dtype=object if None in values else None)
        return Variants(
            returns=pd.DataFrame(np.concatenate([self.found[k] for k in kept]).T, panel.index, columns),
            parameters=pd.DataFrame(table, index=columns),
            sets=tuple(self.sets[k][1] for k in kept),
            chosen=0,
            varied=tuple(names),
            left=left,
            refused=self.refused,
            complete=self.complete,
            periods_per_year=panel.periods_per_year,
        )


def _value(own: Definition, name: str) -> Any:
    """Return what the strategy itself has for a parameter of a grid; None where it has nothing there."""
    first, _, inside = name.partition(".")
    try:
        if first == "stops" and first not in type(own.strategy).model_fields:
            return getattr(own.stops, inside)
        return value_at(own.strategy, name)
    except (AttributeError, IndexError, ValueError):
        return None


def _varied(run: _Run, strategy: Strategy) -> tuple[list[Axis], dict[str, str]]:
    """Return the numbers worth varying, what changes the returns most first, and why the others are not."""
    axes = axes_of(strategy)
    alone = {axis: [(one, parameters_of(strategy, axes, one)) for one in sets_around([axis], 3)] for axis in axes}
    run.all([one for pairs in alone.values() for one in pairs], ahead=MOST)
    own = np.nan_to_num(run.found[0][0])
    change: dict[Axis, float] = {}
    left: dict[str, str] = {}
    for axis, pairs in alone.items():
        near = []
        for _, parameters in pairs:
            try:
                returns = run.returns(run.chunk.grid.definition(parameters))
            except StrategyError:
                continue
            if returns is not None:
                near.append(_correlation(own, np.nan_to_num(returns)))
        if near and min(near) < ALIKE:
            change[axis] = 1.0 - min(near)
        else:
            left[axis.name] = "changes nothing but the size" if near else "has no valid neighbours"
    return sorted(change, key=lambda axis: -change[axis]), left


def _correlation(a: FloatArray, b: FloatArray) -> float:
    """Return the correlation of two series; 0 where one of them alone does not vary, 1 where neither does."""
    off_a, off_b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((off_a @ off_a) * (off_b @ off_b)))
    if size > 0.0:
        return float(off_a @ off_b) / size
    return 1.0 if not (off_a.any() or off_b.any()) else 0.0
