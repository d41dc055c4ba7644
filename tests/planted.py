"""What the tests of fitted laws share: moments of draws with their errors, and panels of made-up prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.simulators.base import Calibration
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

SEEDS = 20


def panel_of(moves: FloatArray) -> Panel:
    """Return a panel with these log returns [T, N]."""
    closes = 100 * np.exp(np.concatenate([np.zeros((1, moves.shape[1])), moves.cumsum(axis=0)]))
    index = pd.bdate_range("2000-01-03", periods=len(closes))
    return Panel.from_frames(pd.DataFrame(closes, index=index, columns=list("ABCDEFGH"[: moves.shape[1]])))


def far_off(law: Calibration, horizon: int, cumulants: FloatArray, *, paths: int, session: bool = False) -> FloatArray:
    """Return how many standard errors mean, variance, skewness and kurtosis of draws lie from their cumulants [4].

    All paths of `SEEDS` seeds count together. They are independent, so the spread of a power over them is its error,
    and powers about the true mean are without bias.

    Parameters
    ----------
    law
        What draws; its first symbol counts.
    horizon
        Sessions whose log returns are summed, or of which the last alone counts if `session`.
    cumulants
        Mean, variance, third and fourth cumulant of that sum.
    paths
        Paths a seed.
    session
        Whether it is the last session alone.
    """
    mean, variance = cumulants[:2]
    draws = np.concatenate([law.draw(Streams(seed, 0, paths), horizon)[:, :, 0] for seed in range(SEEDS)])
    sums = draws[:, -1] if session else draws.sum(axis=1)
    standard = (sums - mean) / np.sqrt(variance)
    truth = np.array([0.0, 1.0, cumulants[2] / variance**1.5, cumulants[3] / variance**2 + 3.0])
    powers = standard[:, None] ** np.arange(1, 5)
    return np.asarray((powers.mean(axis=0) - truth) / (powers.std(axis=0) / np.sqrt(len(powers))))
