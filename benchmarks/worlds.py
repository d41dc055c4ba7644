"""Simulated worlds against the few lines of numpy that draw Brownian motion."""

from __future__ import annotations

import numpy as np
from skfolio.datasets import load_sp500_dataset

from benchmarks.race import Race, best_times, must_agree
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.types import FloatArray, Panel

N, HORIZON, SEED = 1000, 252, 7


def plain_numpy(close: FloatArray) -> FloatArray:
    """Return closes [n, horizon, N] of correlated Brownian motion, all drawn at once from one generator."""
    moves = np.diff(np.log(close), axis=0)
    root = np.linalg.cholesky(np.cov(moves, rowvar=False))
    shocks = np.random.default_rng(SEED).standard_normal((N, HORIZON, close.shape[1]))
    return close[-1] * np.exp(np.cumsum(shocks @ root.T + moves.mean(axis=0), axis=1))


def races() -> list[Race]:
    """Return the race of both simulators with plain numpy."""
    panel = Panel.from_frames(load_sp500_dataset())
    # A year's median growth over all stocks and worlds: the same law, other draws.
    ours, theirs = (float(np.median(w[:, -1] / panel.close[-1])) for w in (_gbm(panel), plain_numpy(panel.close)))
    must_agree("median growth", ours, theirs, 0.02)
    seconds = best_times(
        {
            "gbm": lambda: _gbm(panel),
            "stationary_bootstrap": lambda: StationaryBootstrap().closes(panel, n=N, horizon=HORIZON, seed=SEED),
            "stationary_bootstrap, block given": lambda: StationaryBootstrap(block=50).closes(
                panel, n=N, horizon=HORIZON, seed=SEED
            ),
            "plain numpy Brownian motion": lambda: plain_numpy(panel.close),
        }
    )
    return [
        Race(
            f"Simulated worlds: {N:,} worlds x {HORIZON} sessions x 20 stocks, calibration included",
            seconds,
            N * HORIZON * panel.close.shape[1] / 1e6,
            "million closes",
            "Ours draw each world from a generator of its own, so any part of the worlds can be made again alone. "
            "Without a given block the bootstrap first estimates one, which does not grow with the worlds.",
        )
    ]


def _gbm(panel: Panel) -> FloatArray:
    return GBM().closes(panel, n=N, horizon=HORIZON, seed=SEED)
