"""Merton's jump diffusion: normal days, and now and then a jump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.stats import poisson

from quantlib.compiled import kernel
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.fitting import as_correlation, need
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.learning import described, history
from quantlib.simulators.merton_fit import LEAST, MOST, Jumps, fit_jumps
from quantlib.simulators.streams import Streams, Words, normal_nb, uniform_nb
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True, eq=False)
class MertonCalibration(Calibration):
    """Diffusion and jumps of one session's log returns.

    Parameters
    ----------
    jumps
        The fitted law of each symbol.
    center
        Mean log return of a session without jumps [N].
    root
        Symmetric root of the correlation [N, N] of diffusion and of jump sizes.
    together
        Whether the jumps of all symbols come from one clock.
    """

    jumps: tuple[Jumps, ...]
    center: FloatArray
    root: FloatArray
    together: bool

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N]; the second of a mirrored pair shares the jump times."""
        volatility, intensity, mean, deviation = _columns(self.jumps)
        moves: FloatArray = merton_moves_nb(
            streams.states(),
            streams.signs(),
            horizon,
            self.center,
            volatility**2,
            mean,
            deviation**2,
            count_chances(intensity),
            self.root,
            self.together,
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return diffusion volatility, jumps a year, and the mean and deviation of a jump, symbol by symbol."""
        year = self.periods_per_year
        rows = []
        for symbol, fit in zip(self.symbols, self.jumps, strict=True):
            for name, value, error, scale, unit in zip(
                ("diffusion volatility", "jumps", "mean jump", "jump deviation"),
                fit[:4],
                fit.errors,
                (np.sqrt(year), year, 1.0, 1.0),
                ("a root of a year", "a year", "log return", "log return"),
                strict=True,
            ):
                rows.append(Estimate(name, symbol, float(scale * value), float(scale * error), unit))
        return rows


class Merton(Simulator):
    """Merton's jump diffusion: normal log returns plus a Poisson number of normal jumps a session.

    Fat tails and skew come from the jumps; sessions are independent, so volatility does not cluster. Each symbol's
    law is its own maximum likelihood fit, errors from the Hessian; one that sits on a bound (no jumps to be seen) has
    no error. The correlation of diffusion and jump sizes is set so that the total correlation is the history's, as
    far as a correlation can: jumps at times of their own let through less than together.

    Parameters
    ----------
    jumps
        "together" takes the jump times of all symbols from one clock: the number of jumps of each in a session is its
        Poisson quantile of one shared uniform number, so that each keeps its own rate. "own" has independent times.
    drift
        "history" keeps the mean log return; "none" sets it so that the expected simple return is exactly zero, by
        E exp(r) = exp(c + v / 2 + rate (exp(m + d^2 / 2) - 1)) for r of centre c, diffusion variance v and jumps of
        mean m and deviation d.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Merton, R. (1976), Option Pricing when Underlying Stock Returns are Discontinuous. Honore, P. (1998), Pitfalls in
    Estimating Jump-Diffusion Models.
    """

    name: ClassVar[str] = "merton"
    title: ClassVar[str] = "Merton jump diffusion"
    description: ClassVar[str] = (
        "Normal days and, now and then, a jump: fat tails and joint crashes, but no clusters of volatility."
    )

    jumps: Literal["together", "own"] = Field(
        "together", title="Jumps", description="All symbols jump at the same times, or each at its own."
    )
    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> MertonCalibration:
        """Return diffusion and jumps of each symbol.

        Raises
        ------
        DataError
            Fewer than 250 returns, a price that never moved or stands still on most sessions, or a fit that does not
            converge.
        """
        known, moves = history(panel, self.window)
        need(known, LEAST, "A jump diffusion")
        fits = tuple(fit_jumps(moves[:, i], symbol) for i, symbol in enumerate(panel.symbols))
        volatility, intensity, mean, deviation = _columns(fits)
        jump = intensity * mean
        variance = volatility**2 + intensity * (mean**2 + deviation**2)
        convexity = 0.5 * volatility**2 + intensity * np.expm1(mean + 0.5 * deviation**2)
        center = moves.mean(axis=0) - jump if self.drift == "history" else -convexity
        spread = np.sqrt(variance)
        total = np.atleast_2d(np.corrcoef(moves, rowvar=False)) * np.outer(spread, spread)
        through, of_counts = shared_moments(fits, together=self.jumps == "together")
        inner = as_correlation((total - of_counts) / through)
        covariance = inner * through + of_counts
        np.fill_diagonal(covariance, variance)
        return MertonCalibration(
            **described(panel, known, center + jump, covariance, growth=center + convexity),
            jumps=fits,
            center=center,
            root=symmetric_root(inner),
            together=self.jumps == "together",
        )


def count_chances(intensity: FloatArray) -> FloatArray:
    """Return the chance of k jumps or fewer in a session [N, MOST + 1]; the last is 1."""
    chances = np.asarray(poisson.cdf(np.arange(MOST + 1), intensity[:, None]), dtype=np.float64)
    chances[:, -1] = 1.0
    return chances


def _columns(fits: tuple[Jumps, ...]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    table = np.array([fit[:4] for fit in fits])
    volatility, intensity, mean, deviation = (np.ascontiguousarray(column) for column in table.T)
    return volatility, intensity, mean, deviation


def shared_moments(fits: tuple[Jumps, ...], *, together: bool) -> tuple[FloatArray, FloatArray]:
    """Return E[s_i s_j] of the deviations s given the jump counts, and the covariance of the mean jumps [N, N].

    A session of k jumps is normal with mean m k and variance v + d^2 k. On one clock the chance of k_i and k_j jumps
    is the overlap of their intervals of the uniform number.
    """
    volatility, intensity, mean, deviation = _columns(fits)
    upper = count_chances(intensity)
    lower = np.concatenate([np.zeros((len(fits), 1)), upper[:, :-1]], axis=1)
    counts = np.arange(MOST + 1)
    spread = np.sqrt(volatility[:, None] ** 2 + deviation[:, None] ** 2 * counts)
    through = np.empty((len(fits), len(fits)))
    of_counts = np.zeros_like(through)
    for i in range(len(fits)):
        for j in range(len(fits)):
            if together or i == j:
                chance = np.minimum.outer(upper[i], upper[j]) - np.maximum.outer(lower[i], lower[j])
                chance = np.maximum(chance, 0.0)
            else:
                chance = np.outer(upper[i] - lower[i], upper[j] - lower[j])
            through[i, j] = spread[i] @ chance @ spread[j]
            of_counts[i, j] = mean[i] * mean[j] * (counts @ chance @ counts - intensity[i] * intensity[j])
    return through, of_counts


@kernel
def merton_moves_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    center: FloatArray,
    variance: FloatArray,
    mean: FloatArray,
    jump_variance: FloatArray,
    chances: FloatArray,
    root: FloatArray,
    together: bool,
) -> FloatArray:
    """Return log returns [n, horizon, N]: given its jump counts, a session is normal with correlation root @ root."""
    n, size = len(states), len(center)
    moves = np.empty((n, horizon, size))
    normal = np.empty(size)
    for i in range(n):
        state = states[i]
        for t in range(horizon):
            normal[:] = 0.0
            for k in range(size):
                shock = signs[i] * normal_nb(state)
                for j in range(size):
                    normal[j] += shock * root[k, j]
            clock = uniform_nb(state) if together else 0.0
            for j in range(size):
                if not together:
                    clock = uniform_nb(state)
                count = 0
                while clock > chances[j, count]:
                    count += 1
                spread = np.sqrt(variance[j] + count * jump_variance[j])
                moves[i, t, j] = center[j] + count * mean[j] + spread * normal[j]
    return moves
