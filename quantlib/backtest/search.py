"""Search: parameter sets proposed one after the other by what the ones before have shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from numbers import Integral
from typing import TYPE_CHECKING, Any

from quantlib.backtest.accounts import Rebalance
from quantlib.backtest.sweep import OnFound, chunk_of, gathered, tell_found
from quantlib.backtest.sweep_chunk import QUICK, Rules, forget
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.compute import Engine, Progress, map_work
from quantlib.costs import AnyCosts
from quantlib.errors import StrategyError, nearest
from quantlib.metrics import METRICS
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

if TYPE_CHECKING:
    import optuna

BATCH = 8
"""Sets proposed at a time, before any of them is known: fixed, so that the answer does not hang on the workers."""


@dataclass(frozen=True)
class Between:
    """A range of a parameter, both ends included: whole numbers where both ends are, else fractions.

    Parameters
    ----------
    low, high
        The ends.
    step
        Distance of neighbours; None for 1 with whole numbers, any fraction otherwise.
    log
        Whether equal ratios are equally likely, for parameters over several sizes; without a step.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise StrategyError(f"A range from {self.low:g} to {self.high:g} is empty; the low end comes first.")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise StrategyError(f"A step of {self.step:g} does not fit between {self.low:g} and {self.high:g}.")
        if self.log and (self.low <= 0 or self.step is not None):
            raise StrategyError("A range of ratios (log) begins above zero and has no step.")

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        """Return a value for a trial."""
        low, high, step = self.low, self.high, 1 if self.step is None else self.step
        # Annotations call a whole number a float too, so this is asked of the values; numpy's count as well.
        if all(isinstance(one, Integral) for one in (low, high, step)):
            return trial.suggest_int(name, int(low), int(high), step=int(step), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


def search(
    strategy: Strategy,
    space: Mapping[str, Between | Sequence[Any]],
    panel: Panel,
    *,
    objective: str = "sharpe_ratio",
    trials: int = 100,
    seed: int = 0,
    costs: AnyCosts | None = None,
    stops: Stops | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    delisted: Mapping[str, date] | None = None,
    metrics: Sequence[str] = QUICK,
    curves: int = 0,
    engine: Engine = "threads",
    workers: int | None = None,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_begin: Callable[[Sequence[Mapping[str, Any]]], None] | None = None,
    on_found: OnFound | None = None,
) -> SweepResult:
    """Return every set that a seeded search tried, in the order tried, with its metrics.

    The sets are proposed by a tree-structured Parzen estimator (Optuna), in batches, so the same seed tries the same
    sets whatever engine and number of workers. A set that is proposed again is run and counted again: each is a trial.

    Parameters
    ----------
    strategy, panel, costs, stops, limits, execution, cash, lag, rebalance, delisted
        As in `sweep`.
    space
        By parameter, a range (`Between`) or the values to choose from.
    objective
        Key of the metric to be best in.
    trials
        Sets to try.
    seed
        Of the proposals.
    metrics
        Further metrics of the table.
    curves, on_found
        As in `sweep`.
    engine, workers, on_progress, cancelled
        As in `map_work`; progress counts sets.
    on_begin
        Called with the sets of a batch before they are run.

    Raises
    ------
    StrategyError
        A parameter or the objective is unknown, or none of the sets tried is valid.

    References
    ----------
    Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization, NeurIPS 24.

    Examples
    --------
    >>> search(Pair(), {"entry": Between(1.0, 3.0), "lookback": [60, 120, 252]}, panel)  # doctest: +SKIP
    """
    import optuna  # noqa: PLC0415  # its import takes a while, and only a search needs it

    if trials < 1:
        raise StrategyError(f"trials is {trials}; accepted: 1 or more.")
    if objective not in METRICS:
        raise StrategyError(f"There is no metric {objective!r}. {nearest(objective, METRICS)}")
    if METRICS[objective].higher_is_better is None:
        raise StrategyError(f"{METRICS[objective].title} is neither better high nor low, so nothing can be searched.")
    ends = {name: (one.low, one.high) if isinstance(one, Between) else one for name, one in space.items()}
    grid = Grid.of(strategy, ends, stops)
    choices = {name: one if isinstance(one, Between) else grid.values[name] for name, one in space.items()}
    rules = Rules(costs, limits or Limits(), execution or Execution(), cash, lag, rebalance, delisted)
    chunk = chunk_of(grid, panel, rules, "account", [*metrics, objective], curves)
    place = chunk.metrics.index(objective)
    logging.getLogger("optuna").setLevel(logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if METRICS[objective].higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    )
    sets: list[Mapping[str, Any]] = []
    found: list[FloatArray | str] = []
    try:
        while len(found) < trials and not (cancelled is not None and cancelled()):
            batch = [study.ask() for _ in range(min(BATCH, trials - len(found)))]
            proposed = [{name: _value(trial, name, one) for name, one in choices.items()} for trial in batch]
            if on_begin is not None:
                on_begin(proposed)
            answers = map_work(chunk, [[one] for one in proposed], engine=engine, workers=workers)
            for trial, one, (rows,) in zip(batch, proposed, answers, strict=True):
                sets.append(one)
                found.append(rows)
                value = None if isinstance(rows, str) or rows[0, place] != rows[0, place] else float(rows[0, place])
                failed = optuna.trial.TrialState.FAIL if value is None else None
                study.tell(trial, value, state=failed)
            tell_found(chunk, proposed, found[-len(proposed) :], on_found)
            if on_progress is not None:
                on_progress(len(found), trials)
    finally:
        forget(chunk)
    return gathered(chunk, sets, found, trials)


def _value(trial: optuna.Trial, name: str, one: Between | Sequence[Any]) -> Any:
    if isinstance(one, Between):
        return one.suggest(trial, name)
    # By place: Optuna keeps only plain values, and a choice may be a list or a definition.
    return one[trial.suggest_categorical(name, range(len(one)))]
