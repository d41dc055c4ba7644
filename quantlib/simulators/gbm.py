"""Correlated geometric Brownian motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from quantlib.simulators.base import MIN_SESSIONS, Calibration, Simulator, correlation, history, last_known
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True, eq=False)
class GBMCalibration(Calibration):
    """A normal law of one session's log returns.

    Parameters
    ----------
    mean
        Mean log return of one session [N].
    root
        Symmetric square root of the covariance of one session's log returns [N, N].
    """

    mean: FloatArray
    root: FloatArray

    def draw(self, generators: Sequence[np.random.Generator], horizon: int) -> FloatArray:
        """Return independent normal log returns [len(generators), horizon, N]."""
        shocks = np.empty((len(generators), horizon, len(self.symbols)))
        for row, generator in zip(shocks, generators, strict=True):
            generator.standard_normal(out=row)
        # One product a path, not one over all: the last bit of a row then never depends on the chunk's size.
        moves: FloatArray = np.matmul(shocks, self.root)
        moves += self.mean
        return moves


class GBM(Simulator):
    """Correlated geometric Brownian motion, calibrated on the panel's log returns.

    Log returns of one session are normal and independent through time, with the history's mean and covariance.
    So tails are thin and volatility is constant: a world without the surprises of the real one, and the closed
    form to check against.

    Parameters
    ----------
    drift
        "history" keeps the mean log return; "none" sets it to -variance / 2, so that the expected simple return
        of every symbol is exactly zero: a world in which no strategy has an edge.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Black, F. and Scholes, M. (1973), The Pricing of Options and Corporate Liabilities.
    """

    name: ClassVar[str] = "gbm"
    title: ClassVar[str] = "Geometric Brownian motion"
    description: ClassVar[str] = (
        "Normal log returns with the history's mean and covariance: thin tails, constant volatility."
    )

    drift: Literal["history", "none"] = Field(
        "history", title="Drift", description="Keep the history's mean return, or have none: no edge anywhere."
    )
    window: int | None = Field(
        None,
        ge=MIN_SESSIONS,
        title="Window",
        description="How many of the latest sessions it learns from.",
        json_schema_extra={"empty": "all"},
    )

    def calibrate(self, panel: Panel) -> GBMCalibration:
        """Return mean and covariance (divisor T - 1) of log returns over the panel's complete rows."""
        known, moves = history(panel, self.window)
        covariance = np.atleast_2d(np.cov(moves, rowvar=False))
        variance = np.diag(covariance)
        mean = moves.mean(axis=0) if self.drift == "history" else -0.5 * variance
        year = known.periods_per_year
        return GBMCalibration(
            symbols=panel.symbols,
            start=known.index[0],
            end=known.index[-1],
            sessions=len(moves),
            periods_per_year=year,
            last=last_known(panel),
            drift=year * (mean + 0.5 * variance),
            volatility=np.sqrt(year * variance),
            correlation=correlation(covariance),
            mean=mean,
            root=symmetric_root(covariance),
        )


def symmetric_root(covariance: FloatArray) -> FloatArray:
    """Return R = R' with R @ R equal to the covariance [N, N], which may be singular.

    Unlike a Cholesky factor it exists for a symbol listed twice or one that never moved, and it is unique.
    """
    values, vectors = np.linalg.eigh(covariance)
    # Below this an eigenvalue is rounding; its root would move two equal symbols apart.
    noise = len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    scaled = vectors * np.sqrt(np.where(values > noise, values, 0.0))
    return np.asarray(scaled @ vectors.T)
