"""Simulated worlds against plain numpy and arch, on the work of the design's references."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from arch import arch_model
from arch.bootstrap import StationaryBootstrap as ArchBootstrap
from skfolio.datasets import load_sp500_dataset

from benchmarks.race import Race, best_times, must_agree
from quantlib.simulators import GBM, SIMULATORS, StationaryBootstrap
from quantlib.simulators.base import CHUNK_NUMBERS
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

N, HORIZON, SEED = 10_000, 252, 7
BLOCK = 50


def races() -> list[Race]:
    """Return the races: Brownian motion, its growth in the number of worlds, the bootstrap and GARCH."""
    panel = Panel.from_frames(load_sp500_dataset())
    return [
        _brownian(panel),
        _growth(panel),
        _bootstrap(panel, HORIZON, 2_000),
        _bootstrap(panel, 8312, 200),
        _garch(panel),
    ]


def _on_all_cores(function: Callable[[Streams], FloatArray], n: int, size: int) -> list[FloatArray]:
    """Return what a function makes of n streams, so many at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, [Streams(SEED, first, min(size, n - first)) for first in range(0, n, size)]))


def plain_numpy(close: FloatArray) -> FloatArray:
    """Return closes [n, horizon, N] of correlated Brownian motion, all drawn at once from one generator."""
    moves = np.diff(np.log(close), axis=0)
    root = np.linalg.cholesky(np.cov(moves, rowvar=False))
    shocks = np.random.default_rng(SEED).standard_normal((N, HORIZON, close.shape[1]))
    return close[-1] * np.exp(np.cumsum(shocks @ root.T + moves.mean(axis=0), axis=1))


def _brownian(panel: Panel) -> Race:
    # A year's median growth over all stocks and worlds: the same law, other draws.
    ours, theirs = (float(np.median(w[:, -1] / panel.close[-1])) for w in (_worlds(panel), plain_numpy(panel.close)))
    must_agree("median growth", ours, theirs, 0.02)
    seconds = best_times(
        {
            "gbm": lambda: _worlds(panel),
            "gbm, antithetic": lambda: _worlds(panel, "antithetic"),
            "gbm, Sobol": lambda: _worlds(panel, "sobol"),
            "plain numpy, all at once": lambda: plain_numpy(panel.close),
        },
        rounds=3,
    )
    return Race(
        f"Brownian motion: {N:,} worlds x {HORIZON} sessions x 20 stocks, calibration included",
        seconds,
        N * HORIZON * 20 / 1e6,
        "million closes",
        "Plain numpy: cholesky, standard_normal, cumsum and exp over one array. Ours give every world a stream of its "
        "own, so that any part of the worlds can be made again alone, and run on all cores.",
    )


def _worlds(panel: Panel, draws: str = "random", n: int = N) -> FloatArray:
    return GBM.model_validate({"draws": draws}).closes(panel, n=n, horizon=HORIZON, seed=SEED)


def _growth(panel: Panel) -> Race:
    few = panel.select(panel.symbols[:5])

    def read(n: int) -> None:
        for _ in GBM().paths(few, n=n, horizon=HORIZON, seed=SEED):
            pass

    counts = (2_000, 4_000, 8_000, 16_000)
    seconds = best_times({f"{n:,} worlds": lambda n=n: read(n) for n in counts}, rounds=3)
    each = ", ".join(f"{1e6 * seconds[f'{n:,} worlds'] / n:.0f}" for n in counts)
    return Race(
        f"Growth: Brownian motion of 5 stocks over {HORIZON} sessions, read world by world as panels",
        seconds,
        counts[0] * HORIZON * 5 / 1e6,
        "million closes in the first",
        f"Microseconds a world, in this order: {each}. Linear; worlds that were read are let go of.",
    )


def _bootstrap(panel: Panel, horizon: int, repeats: int) -> Race:
    moves = np.diff(np.log(panel.close), axis=0)
    fit = StationaryBootstrap(block=BLOCK).calibrate(panel)

    def ours() -> FloatArray:
        size = max(1, CHUNK_NUMBERS // (horizon * moves.shape[1]))
        return np.concatenate(_on_all_cores(lambda s: fit.draw(s, horizon)[:, -1], repeats, size))

    def theirs() -> FloatArray:
        drawn = ArchBootstrap(BLOCK, moves, seed=SEED).bootstrap(repeats)
        return np.array([data[0][0][:horizon][-1] for data in drawn])

    must_agree("spread", float(ours().std(axis=0).mean()), float(theirs().std(axis=0).mean()), 0.2)
    return Race(
        f"Stationary bootstrap: {repeats:,} times {horizon:,} sessions x 20 stocks out of {len(moves):,}, "
        f"mean block {BLOCK}",
        best_times({"stationary_bootstrap": ours, "arch, StationaryBootstrap": theirs}, rounds=2),
        repeats * horizon * moves.shape[1] / 1e6,
        "million returns",
        "Each is drawn and let go of; ours on all cores, arch's class on one. arch's always draws as many sessions as "
        "the history has, and the rest is cut off. They agree in the spread of the last session.",
    )


def _garch(panel: Panel) -> Race:
    one = panel.select(["KO"]).tail(2521)
    fit = SIMULATORS["garch"]().calibrate(one)
    moves = 100.0 * np.diff(np.log(one.close[:, 0]))
    fitted = arch_model(moves, mean="Constant", vol="GARCH", p=1, q=1, dist="t").fit(disp="off")

    def ours() -> FloatArray:
        return 100.0 * np.concatenate(_on_all_cores(lambda s: fit.draw(s, HORIZON), N, 1000))[:, :, 0]

    def theirs() -> FloatArray:
        found = fitted.forecast(
            horizon=HORIZON,
            method="simulation",
            simulations=N,
            random_state=np.random.RandomState(SEED),
            reindex=False,
        )
        return np.asarray(found.simulations.values[0])

    # The middle half of the returns: the tails make a standard deviation a lottery.
    spreads = [float(np.subtract(*np.quantile(made(), [0.75, 0.25]))) for made in (ours, theirs)]
    must_agree("interquartile range", *spreads, 0.03)
    return Race(
        f"GARCH(1,1) with Student t: {N:,} worlds x {HORIZON} sessions of one stock, fitted before",
        best_times({"garch": ours, "arch, forecast by simulation": theirs}, rounds=3),
        N * HORIZON / 1e6,
        "million returns",
        "Both start from the variance expected of the next session. arch moves all worlds on by a session at a time, "
        "its fastest way (simulate, a path at a time, is a loop in Python), on one core; ours run on all.",
    )
