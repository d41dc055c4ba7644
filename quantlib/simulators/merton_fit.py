"""A jump diffusion fitted to returns by maximum likelihood: a mixture of normal laws, one for each number of jumps."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.fitting import curvature
from quantlib.types import FloatArray

LEAST = 250
# In standard deviations of the returns. The likelihood has no upper bound as the diffusion falls to nothing around a
# single return (Honore 1998), so its volatility has a floor; above one jump a session jumps are another diffusion.
FLOOR = 0.1
BOUNDS = ((-1.0, 1.0), (np.log(FLOOR), 0.2), (np.log(1e-4), 0.0), (-30.0, 30.0), (np.log(0.05), np.log(50.0)))
LOGS = np.array([False, True, True, False, True])
STARTS = ((0.9, 0.01, 3.0), (0.7, 0.1, 2.0), (0.5, 0.5, 1.0))  # volatility, jumps a session, their deviation
MOST = 12  # jumps in one session: of one a session on average, more happen once in 10^11


class Jumps(NamedTuple):
    """The fitted law of one symbol, a session as the unit of time; `errors` in the order of the fields."""

    volatility: float
    intensity: float
    mean: float
    deviation: float
    errors: tuple[float, float, float, float]


def fit_jumps(moves: FloatArray, symbol: str) -> Jumps:
    """Return the maximum likelihood fit of a jump diffusion to log returns [T].

    Parameters
    ----------
    moves
        Log returns of one session each [T].
    symbol
        Whose they are, for messages.
    """
    fit = _fitted(np.ascontiguousarray(moves).tobytes())
    if fit is None:
        raise DataError(
            f"The jump diffusion of {symbol} does not converge: its best fit has no diffusion at all, as where the "
            f"price stands still on many sessions (here {int((moves == 0.0).sum())} of {len(moves)}). Take another "
            "window, leave that symbol out, or take a bootstrap."
        )
    return fit


@lru_cache(maxsize=512)
def _fitted(data: bytes) -> Jumps | None:
    """Return the best of the fits from several starts; kept, for every call on the same history needs it again."""
    moves = np.frombuffer(data)
    mean, scale = float(moves.mean()), float(moves.std())
    standard = (moves - mean) / scale

    def loss(point: FloatArray) -> float:
        return float(jump_loss_nb(standard, point, np.empty(5)))

    def loss_of_logs(point: FloatArray) -> tuple[float, FloatArray]:
        natural, slope = np.where(LOGS, np.exp(np.where(LOGS, point, 0.0)), point), np.empty(5)
        value = float(jump_loss_nb(standard, natural, slope))
        return value, np.where(LOGS, slope * natural, slope)

    begins = [np.array([0.0, np.log(v), np.log(rate), 0.0, np.log(d)]) for v, rate, d in STARTS]
    with threadpool_limits(1, user_api="blas"):  # the optimiser's matrices are 5 x 5: more threads only wait
        tries = [minimize(loss_of_logs, x, jac=True, method="L-BFGS-B", bounds=BOUNDS) for x in begins]
    best = min((t for t in tries if np.isfinite(t.fun)), key=lambda t: float(t.fun), default=None)
    if best is None or best.x[1] < BOUNDS[1][0] + 1e-6:
        return None
    inside = all(low + 1e-6 < at < high - 1e-6 for at, (low, high) in zip(best.x, BOUNDS, strict=True))
    natural = np.where(LOGS, np.exp(np.where(LOGS, best.x, 0.0)), best.x)
    errors = np.sqrt(np.diag(curvature(loss, natural))) if inside else np.full(5, np.nan)
    units = np.array([scale, 1.0, scale, scale])
    value, error = natural[1:] * units, errors[1:] * units
    return Jumps(
        float(value[0]),
        float(value[1]),
        float(value[2]),
        float(value[3]),
        (float(error[0]), float(error[1]), float(error[2]), float(error[3])),
    )


@kernel
def jump_loss_nb(moves: FloatArray, point: FloatArray, slope: FloatArray) -> float:
    """Return minus the log likelihood of log returns [T] under a jump diffusion, and write its gradient.

    Parameters
    ----------
    moves
        Log returns [T].
    point
        Center, volatility, jumps a session, mean and deviation of a jump.
    slope
        Room for the derivatives by these [5].
    """
    center, volatility, intensity, mean, deviation = point
    if volatility <= 0.0 or intensity <= 0.0 or deviation <= 0.0:
        return np.inf
    weight, variance = np.empty(MOST + 1), np.empty(MOST + 1)
    chance, terms = np.exp(-intensity), 0
    while terms <= MOST and (terms < 2 or chance > 1e-14):
        variance[terms] = volatility * volatility + terms * deviation * deviation
        weight[terms] = chance / np.sqrt(2.0 * np.pi * variance[terms])
        terms += 1
        chance *= intensity / terms
    slope[:] = 0.0
    loss = 0.0
    for move in moves:
        density = by_center = by_count = by_mean = by_volatility = by_deviation = 0.0
        for k in range(terms):
            gap = move - center - k * mean
            part = weight[k] * np.exp(-0.5 * gap * gap / variance[k])
            pull = part * gap / variance[k]
            width = 0.5 * (pull * gap - part) / variance[k]
            density += part
            by_count += k * part
            by_center += pull
            by_mean += k * pull
            by_volatility += width
            by_deviation += k * width
        density += 1e-300
        loss -= np.log(density)
        slope[0] -= by_center / density
        slope[1] -= 2.0 * volatility * by_volatility / density
        slope[2] -= by_count / (density * intensity) - 1.0
        slope[3] -= by_mean / density
        slope[4] -= 2.0 * deviation * by_deviation / density
    return loss
