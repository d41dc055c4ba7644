"""Heston's stochastic volatility: a variance of its own that reverts, and falls as prices rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.special import gammaln
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from quantlib.compiled import kernel
from quantlib.compute import map_work
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.fitting import Start, as_correlation, need
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.heston_fit import LEAST, HestonFit, fit_heston
from quantlib.simulators.learning import described, history
from quantlib.simulators.streams import Streams, Words, normal_nb
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True, eq=False)
class HestonCalibration(Calibration):
    """A variance process for each symbol, and the correlation of what drives them.

    Parameters
    ----------
    fits
        The process of each symbol, a session as the unit of time.
    growth
        Log of the expected gross return of one session [N].
    ahead
        Variance at which every path starts [N], per session.
    root
        Symmetric root of the correlation [N, N] of the return shocks, and of the variances' own shocks.
    substeps
        Steps a session.
    """

    fits: tuple[HestonFit, ...]
    growth: FloatArray
    ahead: FloatArray
    root: FloatArray
    substeps: int

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N], which start from the variance `ahead`."""
        rules = np.array([fit[:4] for fit in self.fits])
        moves: FloatArray = heston_moves_nb(
            streams.states(), streams.signs(), horizon, self.substeps, self.growth, self.ahead, rules, self.root
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return reversion, long-run variance, volatility of variance (a year) and the leverage correlation."""
        year = self.periods_per_year
        names = (
            ("mean reversion", year, "a year"),
            ("long-run variance", year, "a year"),
            ("volatility of variance", year, "a year"),
            ("leverage correlation", 1, ""),
        )
        return [
            Estimate(name, symbol, scale * value, scale * error, unit)
            for symbol, fit in zip(self.symbols, self.fits, strict=True)
            for (name, scale, unit), value, error in zip(names, fit[:4], fit.errors, strict=True)
        ]


class Heston(Simulator):
    """Heston's model: the variance reverts to its level, and its shocks are correlated with the return's.

    d log S = (mu - v / 2) dt + sqrt(v) dB and dv = kappa (theta - v) dt + xi sqrt(v) dW, dB dW = rho dt. Fitted to
    daily returns alone, by maximum likelihood with a filter of the unseen variance (see `heston_fit`); drawn by the
    full-truncation Euler scheme, under which the expected gross return of every step is exactly exp(mu dt).

    Across symbols the return shocks are correlated, and so are, by the same numbers, the parts of the variance shocks
    that are not the return's own. That correlation is set so that returns of the long run are as correlated as the
    history, given that two variances that differ let through less.

    Parameters
    ----------
    start
        "today" starts from the filtered variance after the last session, "long_run" from its level theta.
    substeps
        Steps a session; more follow the continuous law more closely.
    drift
        "history" keeps the mean log return: mu is that mean plus theta / 2. "none" sets mu to 0: the expected simple
        return of every session is exactly zero, whatever the variance.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Heston, S. (1993), A Closed-Form Solution for Options with Stochastic Volatility. Lord, R., Koekkoek, R. and
    van Dijk, D. (2010), A Comparison of Biased Simulation Schemes for Stochastic Volatility Models.
    """

    name: ClassVar[str] = "heston"
    title: ClassVar[str] = "Heston"
    description: ClassVar[str] = (
        "Volatility that wanders around its level and rises as prices fall, from today's volatility."
    )

    start: Start = Field("today", description="Begin with today's volatility, as filtered, or with the long-run one.")
    substeps: int = Field(
        4,
        ge=1,
        le=64,
        title="Steps a session",
        description="More follow the continuous law more closely.",
    )
    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> HestonCalibration:
        """Return each symbol's variance process and the correlation of their shocks.

        Raises
        ------
        DataError
            Fewer than 250 returns, a price that never moved, or a fit that does not converge.
        """
        known, moves = history(panel, self.window)
        need(known, LEAST, self.title)
        columns = [(moves[:, i], symbol) for i, symbol in enumerate(panel.symbols)]
        with threadpool_limits(1, user_api="blas"):  # the optimiser's matrices are 5 x 5: more threads only wait
            fits = tuple(map_work(lambda column: fit_heston(*column), columns))
        level = np.array([fit.level for fit in fits])
        seen = np.atleast_2d(np.corrcoef(moves, rowvar=False))
        inner, let = shock_correlation(fits, seen)
        mean = moves.mean(axis=0) if self.drift == "history" else -0.5 * level
        spread = np.sqrt(level)
        return HestonCalibration(
            **described(panel, known, mean, inner * let * np.outer(spread, spread), growth=mean + 0.5 * level),
            fits=fits,
            growth=mean + 0.5 * level,
            ahead=np.array([fit.now for fit in fits]) if self.start == "today" else level,
            root=symmetric_root(inner),
            substeps=self.substeps,
        )


def shock_correlation(fits: tuple[HestonFit, ...], seen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shocks' correlation [N, N] under which returns show `seen`, and what share of it they show [N, N].

    Two returns covary by the shocks' correlation times E sqrt(v_i v_j). In the long run each variance is gamma; the
    two are as correlated as their shocks, less what different speeds of reversion undo.
    """
    reversion, level, width, leverage = np.array([fit[:4] for fit in fits]).T
    shape = 2.0 * reversion * level / width**2
    # Mean and deviation of the volatility, over the root of the mean variance.
    mean = np.exp(gammaln(shape + 0.5) - gammaln(shape)) / np.sqrt(shape)
    deviation = np.sqrt(np.maximum(1.0 - mean**2, 0.0))
    own = np.sqrt(1.0 - leverage**2)
    alike = np.outer(leverage, leverage) + np.outer(own, own)
    pace = 2.0 * np.sqrt(np.outer(reversion, reversion)) / np.add.outer(reversion, reversion)

    def share(inner: FloatArray) -> FloatArray:
        let = np.outer(mean, mean) + inner * alike * pace * np.outer(deviation, deviation)
        np.fill_diagonal(let, 1.0)
        return np.asarray(let)

    inner = seen
    for _ in range(20):  # the share hardly depends on the correlation: this settles at once
        inner = np.clip(seen / share(inner), -1.0, 1.0)
    inner = as_correlation(inner)
    return inner, share(inner)


@kernel
def heston_moves_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    substeps: int,
    growth: FloatArray,
    ahead: FloatArray,
    rules: FloatArray,
    root: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N] by full truncation: a variance below zero counts as zero, and recovers.

    `rules` are kappa, theta, xi and rho [N, 4], a session as the unit of time; `root` is the root of the shocks'
    correlation [N, N].
    """
    n, size = len(states), len(growth)
    moves = np.empty((n, horizon, size))
    step = 1.0 / substeps
    own = np.sqrt(1.0 - rules[:, 3] ** 2)
    variance, price, other = np.empty(size), np.empty(size), np.empty(size)
    for i in range(n):
        state = states[i]
        variance[:] = ahead
        for t in range(horizon):
            moves[i, t] = growth
            for _ in range(substeps):
                price[:] = 0.0
                other[:] = 0.0
                for k in range(size):
                    first, second = signs[i] * normal_nb(state), signs[i] * normal_nb(state)
                    for j in range(size):
                        price[j] += first * root[k, j]
                        other[j] += second * root[k, j]
                for j in range(size):
                    left = max(variance[j], 0.0)
                    spread = np.sqrt(left * step)
                    moves[i, t, j] += spread * price[j] - 0.5 * left * step
                    shock = rules[j, 3] * price[j] + own[j] * other[j]
                    variance[j] += rules[j, 0] * (rules[j, 1] - left) * step + rules[j, 2] * spread * shock
    return moves
