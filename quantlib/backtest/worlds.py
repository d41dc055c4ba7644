"""A strategy in simulated worlds: from today's position through many futures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypedDict, Unpack

import numpy as np
from pydantic import ConfigDict

from quantlib.backtest.departure import Departure, Variant, depart
from quantlib.backtest.worlds_batch import equities_in
from quantlib.backtest.worlds_result import Outcomes, WorldsResult, outcomes_of
from quantlib.compute import Engine, Progress, map_work
from quantlib.costs import AnyCosts
from quantlib.errors import DataError
from quantlib.simulators import Calibration, Simulator
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

PART = 50
"""Most worlds handed to a worker at a time: progress counts by so many, and cancelling waits for the parts begun."""

KEPT_NUMBERS = 2**21
"""Most numbers of paths that a result keeps, 16 MB: 8,000 worlds of a year, more than any quantile of a chart needs."""


class How(TypedDict, total=False):
    """How worlds are made and gone through; the same by keyword in every function that asks them something.

    Parameters
    ----------
    bars
        Whether open, high, low and volume are simulated beside closes, for symbols of which history has them. None does
        so where stops look within the bar, and where they do not spares the time.
    engine, workers, on_progress, cancelled
        As in `map_work`; progress counts worlds.
    """

    bars: bool | None
    engine: Engine
    workers: int | None
    on_progress: Progress | None
    cancelled: Callable[[], bool] | None


def evaluate_in_worlds(
    strategy: Strategy,
    simulator: Simulator,
    panel: Panel,
    *,
    n: int = 1000,
    horizon: int = 21,
    seed: int = 0,
    costs: AnyCosts | None = None,
    **how: Unpack[How],
) -> WorldsResult:
    """Return how the strategy fares over the next `horizon` sessions in `n` worlds that start at today's prices.

    The simulator is calibrated on the sessions that all its inputs share. In every world the strategy goes on
    deciding, with its costs and stops, from the position it holds at the panel's last close; the same code runs as on
    history. World i depends on (seed, i) alone, so the answer is the same whatever engine and number of workers.

    Parameters
    ----------
    panel
        History up to the as-of date; its last row is the starting point.
    how
        How the work is done: fields of `How`. What was done when it was cancelled is returned.

    Raises
    ------
    DataError
        A symbol's last close is unknown, so there is no price to start from, the account is ruined by then, or it was
        cancelled before any world was done.
    """
    departure = depart(strategy, panel, Variant.own(strategy, costs))
    run = run_in_worlds(
        departure,
        simulator,
        n=n,
        horizon=horizon,
        seed=seed,
        **how,
    )
    return WorldsResult(
        simulator=simulator.name,
        horizon=horizon,
        seed=seed,
        calibrated_on=run.fit.sessions,
        paths=run.paths[0],
        hold=run.holding.returns,
        dates=departure.sessions(horizon),
        summary=run.accounts[0],
        holding=run.holding,
        asked=n,
        periods_per_year=departure.shared.periods_per_year,
    )


@dataclass(frozen=True)
class WorldsRun:
    """What came of the accounts of a departure in the worlds of a simulator.

    Parameters
    ----------
    fit
        What the simulator learned.
    accounts
        What each account did.
    holding
        What holding the strategy's symbols in equal parts would have done, without costs.
    paths
        Values of each account in the first worlds [accounts, kept, horizon + 1].
    """

    fit: Calibration
    accounts: tuple[Outcomes, ...]
    holding: Outcomes
    paths: FloatArray


def run_in_worlds(
    departure: Departure,
    simulator: Simulator,
    *,
    n: int,
    horizon: int,
    seed: int,
    bars: bool | None = None,
    engine: Engine = "threads",
    workers: int | None = None,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> WorldsRun:
    """Return what came of every account of a departure in the same `n` worlds.

    Memory grows by eight numbers a world and account; paths are kept up to `KEPT_NUMBERS`.

    Raises
    ------
    DataError
        As in `evaluate_in_worlds`.
    """
    if n < 1:
        raise DataError(f"n is {n!r}; accepted: a whole number of 1 or more.")
    accounts = len(departure.accounts)
    kept = min(n, max(1, KEPT_NUMBERS // (accounts * (horizon + 1))))
    fit = simulator.calibrate(departure.shared)
    if bars is None:
        bars = any(one.stops.any and one.stops.watch == "intrabar" for one in departure.accounts)
    part = Part(departure, _learned(simulator, fit), horizon, seed, bars, kept)
    parts = [range(first, min(first + PART, n)) for first in range(0, n, PART)]
    rows = np.empty((accounts + 1, 4, n))
    paths = np.empty((accounts, kept, horizon + 1))
    done = 0

    def tell(count: int, _: int) -> None:
        if on_progress is not None:
            on_progress(min(count * PART, n), n)

    for found in map_work(part, parts, engine=engine, workers=workers, on_progress=tell, cancelled=cancelled):
        some = found.rows.shape[2]
        rows[:, :, done : done + some] = found.rows
        paths[:, done : done + found.paths.shape[1]] = found.paths
        done += some
    if not done:
        raise DataError("It was cancelled before any world was done, so there is nothing to tell. Start it again.")
    each = [Outcomes.from_rows(block[:, :done]) for block in rows]
    return WorldsRun(fit, tuple(each[:-1]), each[-1], paths[:, : min(done, kept)])


@dataclass(frozen=True)
class Found:
    """What a part of the worlds came to: rows of `Outcomes` of the accounts and of holding, and paths if kept."""

    rows: FloatArray
    paths: FloatArray


@dataclass(frozen=True)
class Part:
    """Runs a range of worlds by their numbers; it travels to whoever does the work."""

    departure: Departure
    simulator: Simulator
    horizon: int
    seed: int
    bars: bool
    kept: int

    def __call__(self, numbers: range) -> Found:
        """Return what came of the worlds of these numbers."""
        departure = self.departure
        traded = len(departure.strategy.symbols)
        year = departure.shared.periods_per_year
        before = departure.history.close[-1, :traded]
        some = {"n": len(numbers), "first": numbers.start, "horizon": self.horizon, "seed": self.seed}
        worlds = self.simulator.paths(departure.shared, **some, bars=self.bars)
        paths = np.empty((len(departure.accounts) + 1, len(numbers), self.horizon + 1))
        paths[-1, :, 0] = 1.0
        done = 0
        for batch, equity in equities_in(departure, worlds):
            here = slice(done, done + len(batch))
            paths[:-1, here] = equity
            for k, world in enumerate(batch, start=done):
                np.mean(world.close[:, :traded] / before, axis=1, out=paths[-1, k, 1:])
            done += len(batch)
        rows = np.stack([outcomes_of(block, year).rows() for block in paths])
        return Found(rows, paths[:-1, : max(0, self.kept - numbers.start)])


class Learned(Simulator):
    """A simulator that has learned already: every part of its worlds is drawn from the one calibration."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: ClassVar[str] = "learned"
    title: ClassVar[str] = "Calibrated before"
    description: ClassVar[str] = "Worlds of a law that has been fitted already."

    fit: Calibration

    def calibrate(self, panel: Panel) -> Calibration:
        """Return what was learned."""
        return self.fit


def _learned(simulator: Simulator, fit: Calibration) -> Simulator:
    """Return what draws the simulator's worlds without calibrating again; itself where it draws in its own way."""
    return Learned(fit=fit) if type(simulator).paths is Simulator.paths else simulator
