"""Heston's model fitted to daily returns alone, by a filter of the variance on a grid.

The variance is not seen, so its law given the returns so far is carried from session to session on a grid of
volatilities (Kitagawa 1987; for stochastic volatility Bartolucci and De Luca 2003, Langrock, MacDonald and Zucchini
2012), which gives the likelihood of the returns. Moments of daily returns, kurtosis and autocorrelation of squares
above all, settle so slowly that their errors say little; the likelihood uses every return.

The step of the variance from one session to the next has its exact law, noncentral chi-square (Cox, Ingersoll and Ross
1985). Given both ends, the session's log return is normal as in Broadie and Kaya (2006), with the mean of both ends
for the variance within: the one approximation beside the grid.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import gammaincinv, ive

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.fitting import curvature
from quantlib.types import FloatArray

LEAST = 250
POINTS = 48
# Log of reversion a session, log of long-run variance over the sample's, log of the stationary deviation of variance
# over its mean, inverse hyperbolic tangent of the correlation, and the mean return's distance from the sample's in ten
# of its errors: a mean taken as known would, through the correlation, tell the long-run variance too well. Slower
# than the first allows, a step would fall between the points of the grid.
BOUNDS = ((np.log(0.008), np.log(0.7)), (-2.5, 2.5), (np.log(0.15), np.log(2.0)), (-2.5, 2.5), (-1.0, 1.0))
STARTS = (0.03, 0.12)  # reversion a session
STEP = 0.02
# Smallest chance worth carrying on.
SMALL = 1e-7


class HestonFit(NamedTuple):
    """The fitted variance process of one symbol, a session as the unit of time.

    Parameters
    ----------
    reversion, level, width, leverage
        kappa, theta, xi and rho of dv = kappa (theta - v) dt + xi sqrt(v) dW, dW and the return's correlated rho.
    errors
        Standard errors of these four; NaN where the fit sits on a bound or its curvature leaves a direction open.
    now
        Mean of the variance after the last session, given all returns.
    """

    reversion: float
    level: float
    width: float
    leverage: float
    errors: tuple[float, ...]
    now: float


class Grid(NamedTuple):
    """Variances [K], their stationary chances [K], and by pair of ends what the return's density needs [K, K]."""

    variance: FloatArray
    chance: FloatArray
    weight: FloatArray
    center: FloatArray
    precision: FloatArray


def fit_heston(moves: FloatArray, symbol: str) -> HestonFit:
    """Return the maximum likelihood fit of Heston's model to log returns [T].

    Parameters
    ----------
    moves
        Log returns of one session each [T].
    symbol
        Whose they are, for messages.

    Raises
    ------
    DataError
        The fit does not converge.
    """
    fit = _fitted(np.ascontiguousarray(moves).tobytes())
    if isinstance(fit, str):
        raise DataError(
            f"The Heston fit of {symbol} does not converge ({fit}). Take a longer window, leave that symbol out, or "
            "take a GARCH law, whose volatility is fitted with less."
        )
    return fit


@lru_cache(maxsize=512)
def _fitted(data: bytes) -> HestonFit | str:
    """Return the fit, or why there is none; kept, for every call on the same history needs it again."""
    moves = np.frombuffer(data)
    gaps = moves - moves.mean()
    sample = float(gaps @ gaps) / len(gaps)
    room = np.empty(POINTS)
    error = 10.0 * np.sqrt(sample / len(gaps))

    def natural(point: FloatArray) -> tuple[float, float, float, float]:
        reversion, level, spread = np.exp(point[0]), sample * np.exp(point[1]), np.exp(point[2])
        return float(reversion), float(level), float(spread * np.sqrt(2 * reversion * level)), float(np.tanh(point[3]))

    def loss(point: FloatArray) -> float:
        return float(filter_loss_nb(gaps - point[4] * error, *grid(*natural(point)), room))

    # A mean over the returns, not a sum: the first step of the search is as long as the gradient.
    best: OptimizeResult | None = None
    for reversion in STARTS:
        begin = [np.log(reversion), 0.0, np.log(0.8), -0.3, 0.0]
        options = {"eps": 1e-4, "ftol": 1e-10, "maxfun": 400}
        found = minimize(lambda p: loss(p) / len(gaps), begin, method="L-BFGS-B", bounds=BOUNDS, options=options)
        if found.status != 1 and np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
            inside = all(low + 1e-3 < at < high - 1e-3 for at, (low, high) in zip(best.x, BOUNDS, strict=True))
            if inside:
                break
    if best is None:
        return "no optimum after 400 evaluations of the likelihood"
    spread = curvature(loss, best.x, STEP) if inside else np.full((5, 5), np.nan)
    loss(best.x)
    reversion, level, width, leverage = natural(best.x)
    # Slopes of the four parameters by the coordinates of the search, for the delta method.
    slopes = np.diag([reversion, level, width, 1.0 - leverage**2])
    slopes[2, :2] = 0.5 * width
    errors = np.sqrt(np.diag(slopes @ spread[:4, :4] @ slopes.T))
    variance = grid(reversion, level, width, leverage).variance
    return HestonFit(reversion, level, width, leverage, tuple(map(float, errors)), float(room @ variance))


def grid(reversion: float, level: float, width: float, leverage: float) -> Grid:
    """Return the grid on which the variance is filtered: equal steps of volatility, over all but its rarest values."""
    shape = 2.0 * reversion * level / width**2
    ends = np.sqrt(gammaincinv(shape, np.array([1e-4, 1.0 - 1e-7])) * level / shape)
    root = np.linspace(max(ends[0], 0.03 * ends[1]), ends[1], POINTS)
    variance = root**2
    log_chance = (2.0 * shape - 1.0) * np.log(root) - shape * variance / level
    chance = np.exp(log_chance - log_chance.max())
    pace = 2.0 * reversion / (-np.expm1(-reversion) * width**2)
    here, there = (pace * np.exp(-reversion) * variance)[:, None], (pace * variance)[None, :]
    # A step is some width / 2 of volatility; the Bessel function, the slow part, is left out where none will land.
    near = np.abs(root[:, None] - root[None, :]) < 4.0 * width
    step = np.zeros((POINTS, POINTS))
    with np.errstate(divide="ignore", under="ignore"):  # far steps have a chance of zero
        u, w = np.broadcast_to(here, near.shape)[near], np.broadcast_to(there, near.shape)[near]
        logs = np.log(ive(shape - 1.0, 2.0 * np.sqrt(u * w))) - (np.sqrt(u) - np.sqrt(w)) ** 2
        # Less what is the same for all steps from a point, so that only their shares count.
        step[near] = np.exp(logs + 0.5 * shape * np.log(w / u))
    step /= step.sum(axis=1, keepdims=True)
    within = 0.5 * (variance[:, None] + variance[None, :])
    shock = variance[None, :] - variance[:, None] + reversion * (within - level)
    left = (1.0 - leverage**2) * within
    return Grid(
        variance,
        chance / chance.sum(),
        np.where(step > SMALL, step, 0.0) / np.sqrt(2.0 * np.pi * left),
        leverage / width * shock - 0.5 * (within - level),
        -0.5 / left,
    )


@kernel
def filter_loss_nb(
    gaps: FloatArray,
    variance: FloatArray,
    chance: FloatArray,
    weight: FloatArray,
    center: FloatArray,
    precision: FloatArray,
    now: FloatArray,
) -> float:
    """Return minus the log likelihood of returns less their mean [T]; `now` [K] gets the chances after the last."""
    size = len(variance)
    first, last = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for i in range(size):
        for j in range(size):
            if weight[i, j] > 0.0:
                if last[i] == 0:
                    first[i] = j
                last[i] = j + 1
    before = chance.copy()
    loss = 0.0
    for gap in gaps:
        now[:] = 0.0
        for i in range(size):
            if before[i] > SMALL:
                for j in range(first[i], last[i]):
                    off = gap - center[i, j]
                    now[j] += before[i] * weight[i, j] * np.exp(precision[i, j] * off * off)
        total = now.sum()
        if not total > 1e-300:  # so far out that it tells nothing of the variance, but that the search goes wrong
            loss += 700.0
            continue
        loss -= np.log(total)
        now /= total
        before[:] = now
    return loss
