"""Correlated geometric Brownian motion."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.learning import described, history
from quantlib.simulators.sobol import sobol_shocks
from quantlib.simulators.streams import Streams, Words, normal_nb
from quantlib.types import FloatArray, Panel

Draws = Literal["random", "antithetic", "sobol"]


@dataclass(frozen=True, eq=False)
class GBMCalibration(Calibration):
    """A normal law of one session's log returns.

    Parameters
    ----------
    mean
        Mean log return of one session [N].
    root
        Symmetric square root of the covariance of one session's log returns [N, N].
    draws
        Where the shocks come from, as in `GBM`.
    """

    mean: FloatArray
    root: FloatArray
    draws: Draws

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return independent normal log returns [streams.count, horizon, N]."""
        if self.draws == "sobol":
            # The root's eigenvectors are the directions in which prices move together, its eigenvalues how far.
            spread, directions = np.linalg.eigh(self.root)
            shocks = sobol_shocks(streams, horizon, spread**2)
            return correlate_nb(shocks, self.mean, np.ascontiguousarray((directions * spread).T))
        streams = streams._replace(mirrored=self.draws == "antithetic")
        moves: FloatArray = normal_moves_nb(streams.states(), streams.signs(), horizon, self.mean, self.root)
        return moves

    def estimates(self) -> list[Estimate]:
        """Return mean and volatility a year by symbol and correlation by pair; their errors are the normal law's."""
        n, year = self.sessions, self.periods_per_year
        found = []
        for i, symbol in enumerate(self.symbols):
            sigma = float(self.volatility[i])
            mean_error = sigma * np.sqrt(year / n)
            found += [
                Estimate("Mean log return", symbol, float(year * self.mean[i]), float(mean_error), "a year"),
                Estimate("Volatility", symbol, sigma, sigma / np.sqrt(2.0 * (n - 1)), "a year"),
            ]
        for i, j in combinations(range(len(self.symbols)), 2):
            rho = float(self.correlation[i, j])
            error = (1.0 - rho**2) / np.sqrt(n - 1)
            found.append(Estimate("Correlation", f"{self.symbols[i]}, {self.symbols[j]}", rho, float(error), ""))
        return found


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
    draws
        "random" draws every path alone. "antithetic" draws them in pairs, 2j and 2j + 1, whose shocks are each
        other's opposite: averages of what is nearly linear in the shocks need far fewer paths, those of what is
        symmetric, such as volatility, need more. "sobol" fills the paths in from a scrambled Sobol net, coarse
        features first (`sobol_shocks` says what it is good for): averages over smooth functions of the path need
        fewer still. In both the paths are no longer independent of one another, so a standard error that counts
        them as if they were is not right: take it from the spread over seeds.

    References
    ----------
    Black, F. and Scholes, M. (1973), The Pricing of Options and Corporate Liabilities. Glasserman, P. (2003), Monte
    Carlo Methods in Financial Engineering, chapters 4 and 5.
    """

    name: ClassVar[str] = "gbm"
    title: ClassVar[str] = "Geometric Brownian motion"
    description: ClassVar[str] = (
        "Normal log returns with the history's mean and covariance: thin tails, constant volatility."
    )

    drift: Drift = "history"
    window: Window = None
    draws: Draws = Field(
        "random",
        title="Draws",
        description="Every world alone, in mirrored pairs, or evenly spread (Sobol): averages need fewer worlds.",
    )

    def calibrate(self, panel: Panel) -> GBMCalibration:
        """Return mean and covariance (divisor T - 1) of log returns over the panel's complete rows."""
        known, moves = history(panel, self.window)
        covariance = np.atleast_2d(np.cov(moves, rowvar=False))
        mean = moves.mean(axis=0) if self.drift == "history" else -0.5 * np.diag(covariance)
        return GBMCalibration(
            **described(panel, known, mean, covariance),
            mean=mean,
            root=symmetric_root(covariance),
            draws=self.draws,
        )


def symmetric_root(covariance: FloatArray) -> FloatArray:
    """Return R = R' with R @ R equal to the covariance [N, N], which may be singular.

    Unlike a Cholesky factor it exists for a symbol listed twice or one that never moved, and it is unique.

    Raises
    ------
    DataError
        No returns have such a covariance: one of its eigenvalues is negative by more than rounding.
    """
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-8 * max(values[-1], 0.0):
        raise DataError(
            f"A covariance or correlation of {len(values)} symbols is not positive semidefinite: its smallest "
            f"eigenvalue is {values[0]:.3g}, its largest {values[-1]:.3g}; no returns move together like that. Lower "
            "the correlations that contradict each other, or take all of them from the same sessions."
        )
    # Below this an eigenvalue is rounding; its root would move two equal symbols apart.
    noise = len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    scaled = vectors * np.sqrt(np.where(values > noise, values, 0.0))
    return np.asarray(scaled @ vectors.T)


@kernel
def normal_moves_nb(states: Words, signs: FloatArray, horizon: int, mean: FloatArray, root: FloatArray) -> FloatArray:
    """Return normal log returns [n, horizon, N] with this mean [N] and root of the covariance [N, N]."""
    n, size = len(states), len(mean)
    moves = np.empty((n, horizon, size))
    for i in range(n):
        state, sign = states[i], signs[i]
        for t in range(horizon):
            row = moves[i, t]
            row[:] = mean
            for k in range(size):
                shock = sign * normal_nb(state)
                for j in range(size):
                    row[j] += shock * root[k, j]
    return moves


@kernel
def correlate_nb(shocks: FloatArray, mean: FloatArray, root: FloatArray) -> FloatArray:
    """Return mean + shocks @ root of each session [n, horizon, N]; no sum depends on how many are asked for."""
    moves = np.empty_like(shocks)
    for i in range(shocks.shape[0]):
        for t in range(shocks.shape[1]):
            row = moves[i, t]
            row[:] = mean
            for k in range(shocks.shape[2]):
                for j in range(shocks.shape[2]):
                    row[j] += shocks[i, t, k] * root[k, j]
    return moves
