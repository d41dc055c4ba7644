"""A strategy with its stops in a thousand worlds, against the plain loop over them; memory and growth by worlds."""

from __future__ import annotations

import sys
import time
from typing import ClassVar

import numpy as np
from skfolio.datasets import load_sp500_dataset

from benchmarks.race import Race, best_times
from benchmarks.sweeps import exponent, in_own_process, peak_memory
from quantlib.backtest import evaluate_in_worlds, run_strategy
from quantlib.backtest.departure import Variant, depart
from quantlib.risk import Stops
from quantlib.simulators import GBM
from quantlib.strategies import Group, MACross, Strategy
from quantlib.types import FloatArray, Panel

N, HORIZON, SEED = 1000, 252, 7
#: Worlds of the plain loop, which is timed on so many and counted for all.
LOOPED = 100
STOPS = Stops(loss=0.08, trailing=0.10, reentry=5)


class Trend(MACross):
    """Two averages of 20 stocks on one account, with stops."""

    family: ClassVar[str] = "trend_with_stops"
    stops: Stops = STOPS

    @property
    def risk(self) -> Stops:
        """Its stops."""
        return self.stops


def strategies(panel: Panel) -> dict[str, Strategy]:
    """Return what is run: a family with an array road of its own, and a group by definition."""
    return {
        "two moving averages": Trend(universe=panel.symbols, fast=20, slow=100),
        "a basket": Group(kind="basket", legs=panel.symbols, stops=STOPS),
    }


def by_plain_loop(strategy: Strategy, panel: Panel, n: int) -> FloatArray:
    """Return the paths of n worlds [n, horizon + 1]: each joined to the same history, decided, run, and cut off."""
    departure = depart(strategy, panel, Variant.own(strategy, None))
    paths = np.empty((n, HORIZON + 1))
    for k, world in enumerate(GBM().paths(departure.shared, n=n, horizon=HORIZON, seed=SEED)):
        equity = run_strategy(strategy, departure.history.append(world)).equity.to_numpy()[departure.start :]
        paths[k] = equity / equity[0]
    return paths


def race_of_worlds(panel: Panel, name: str, strategy: Strategy) -> Race:
    """Return the design's thousand worlds of twenty stocks and a year."""
    ours = evaluate_in_worlds(strategy, GBM(), panel, n=LOOPED, horizon=HORIZON, seed=SEED).paths
    loop = by_plain_loop(strategy, panel, LOOPED)
    if not np.allclose(ours, loop, rtol=1e-9, atol=0.0):
        raise SystemExit(f"{name}: batches and loop disagree by {np.abs(ours / loop - 1.0).max():.1e}.")
    free = evaluate_in_worlds(
        strategy.model_copy(update={"stops": Stops()}), GBM(), panel, n=LOOPED, horizon=HORIZON, seed=SEED
    ).paths
    met = float((np.abs(free[:, -1] - ours[:, -1]) > 1e-9).mean())
    if not met:
        raise SystemExit(f"{name}: no stop was ever met; the race means nothing.")

    def run(workers: int) -> object:
        return evaluate_in_worlds(strategy, GBM(), panel, n=N, horizon=HORIZON, seed=SEED, workers=workers)

    seconds = best_times({"workbench, 2 threads": lambda: run(2), "workbench, 1 thread": lambda: run(1)}, rounds=3)
    looped = best_times({"loop": lambda: by_plain_loop(strategy, panel, LOOPED)}, rounds=1)["loop"] * N / LOOPED
    return Race(
        f"Strategy in worlds: {N:,} worlds x {HORIZON} sessions x 20 stocks through {name} with a stop loss of 8 % "
        "and a trailing stop of 10 %, calibration and today's position included",
        seconds | {f"plain loop over the worlds, {LOOPED} timed and counted {N // LOOPED} times": looped},
        N * HORIZON * panel.close.shape[1] / 1e6,
        "million bars",
        f"The loop joins each world to the same 504 sessions of history, lets the strategy decide and runs it by "
        f"`run_strategy`; it takes {looped / seconds['workbench, 2 threads']:.1f} times as long. Both give the same "
        f"paths to 1e-9, and stops change the outcome of {met:.0%} of them.",
    )


def memory(worlds: int) -> None:
    """Run that many worlds here and print how many there were, seconds and peak memory in MB."""
    panel = Panel.from_frames(load_sp500_dataset())
    strategy = strategies(panel)["two moving averages"]
    evaluate_in_worlds(strategy, GBM(), panel, n=50, horizon=HORIZON, seed=SEED, workers=2)
    begin = time.perf_counter()
    found = evaluate_in_worlds(strategy, GBM(), panel, n=worlds, horizon=HORIZON, seed=SEED, workers=2)
    print(len(found.returns), time.perf_counter() - begin, peak_memory())


def race_of_growth() -> Race:
    """Return one, two and four thousand worlds, each in a process of its own."""
    seconds, peaks = {}, []
    for worlds in (4 * N, 2 * N, N):
        took, peak = in_own_process("benchmarks.stress", worlds)
        seconds[f"{worlds:,} worlds, peak memory {peak:,.0f} MB"] = took
        peaks.append(peak)
    return Race(
        f"Two moving averages with stops by number of worlds, {HORIZON} sessions x 20 stocks, on two threads",
        seconds,
        4 * N * HORIZON * 20 / 1e6,
        "(of the first line) million bars",
        f"Time grows with worlds to the power of {exponent(N, 4 * N, seconds):.2f}, and memory by "
        f"{(peaks[0] - peaks[-1]) / (3 * N) * 1000:.1f} KB a world, most of it their paths. Each line is a process of "
        "its own; peak memory is the whole process, libraries and prices included.",
    )


def races() -> list[Race]:
    """Return the races of both strategies and the growth by worlds."""
    panel = Panel.from_frames(load_sp500_dataset())
    return [*(race_of_worlds(panel, name, one) for name, one in strategies(panel).items()), race_of_growth()]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory", count]:
            memory(int(count))
        case _:
            raise SystemExit(__doc__)
