"""GARCH(1,1) and GJR-GARCH with Student t shocks: calm and storm follow their like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaincinv

from quantlib.compiled import kernel
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.fitting import Start, as_correlation, need
from quantlib.simulators.garch_fit import LEAST, GarchFit, fit_garch, garch_estimates
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.learning import described, history
from quantlib.simulators.streams import Streams, Words, gamma_nb, normal_nb
from quantlib.types import FloatArray, Panel

# Equally likely points that stand for a gamma law in the mean over it.
NODES = 400


@dataclass(frozen=True, eq=False)
class GarchCalibration(Calibration):
    """A variance recursion for each symbol, and the law of the shocks that drive them all.

    Parameters
    ----------
    fits
        The recursion of each symbol.
    mean
        Mean log return of one session [N], before the drag.
    drag
        What is added to the mean for each unit of the session's variance: 0, or -1/2 where there is no drift.
    ahead
        Variance of the first session's log return [N].
    root
        Symmetric root of the correlation [N, N] of the normal numbers under the t shocks.
    """

    fits: tuple[GarchFit, ...]
    mean: FloatArray
    drag: float
    ahead: FloatArray
    root: FloatArray

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N], which start from the variance `ahead`."""
        rules = np.array([[f.omega, f.alpha, f.gamma, f.beta] for f in self.fits])
        half = 0.5 * np.array([f.df for f in self.fits])
        moves: FloatArray = garch_moves_nb(
            streams.states(), streams.signs(), horizon, self.mean, self.drag, self.ahead, rules, half, self.root
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return the parameters of each recursion and the degrees of freedom, a session as the unit of time."""
        return garch_estimates(self.symbols, self.fits)


class GARCH(Simulator):
    """GARCH(1,1) with Student t shocks: each session's variance remembers the last one and the last return.

    A session's log return is m + e with e = sqrt(h) z; then h = omega + alpha e^2 + beta h for the next one. Each
    symbol has its own recursion and degrees of freedom, fitted by `arch`. The shocks z have unit variance and a
    constant correlation, that of the fitted standardised residuals. They are correlated normal numbers over the root
    of gamma numbers: all symbols share that of the fattest tail, and each adds a part of its own up to its degrees of
    freedom. So shocks of equal degrees of freedom are jointly Student t, with crashes in common, and every one alone
    is Student t as fitted.

    Parameters
    ----------
    start
        "today" starts from the variance forecast for the session after the history, "long_run" from the
        unconditional one.
    drift
        "history" keeps the mean log return. "none": exp of a Student t has no expectation, so every session's mean
        log return is minus half its conditional variance, as for normal returns; no session is better than another.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Bollerslev, T. (1987), A Conditionally Heteroskedastic Time Series Model for Speculative Prices and Rates of
    Return; (1990), Modelling the Coherence in Short-run Nominal Exchange Rates. Glosten, L., Jagannathan, R. and
    Runkle, D. (1993), On the Relation between the Expected Value and the Volatility of the Nominal Excess Return on
    Stocks.
    """

    name: ClassVar[str] = "garch"
    title: ClassVar[str] = "GARCH"
    description: ClassVar[str] = (
        "Volatility that clusters and fat tails, from today's volatility: calm follows calm and storm follows storm."
    )
    asymmetric: ClassVar[bool] = False

    start: Start = "today"
    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> GarchCalibration:
        """Return each symbol's recursion and the correlation of shocks; volatility is the long-run one.

        Raises
        ------
        DataError
            Fewer than 250 returns, a price that never moved, or a fit that does not converge or is not stationary.
        """
        known, moves = history(panel, self.window)
        need(known, LEAST, self.title)
        fits = fit_garch(moves, panel.symbols, asymmetric=self.asymmetric)
        long_run = np.array([f.long_run() for f in fits])
        shocks = np.array([f.residuals for f in fits])
        shared = np.atleast_2d(np.corrcoef(shocks))
        drag = 0.0 if self.drift == "history" else -0.5
        mean = moves.mean(axis=0) if self.drift == "history" else np.zeros(len(fits))
        through = mixing(np.array([f.df for f in fits]))
        normal = as_correlation(shared / through)
        np.fill_diagonal(through, 1.0)
        spread = np.sqrt(long_run)
        return GarchCalibration(
            **described(panel, known, mean + drag * long_run, normal * through * np.outer(spread, spread)),
            fits=fits,
            mean=mean,
            drag=drag,
            ahead=np.array([f.ahead for f in fits]) if self.start == "today" else long_run,
            root=symmetric_root(normal),
        )


class GJRGARCH(GARCH):
    """GJR-GARCH(1,1) with Student t shocks: GARCH in which a loss raises volatility more than a gain.

    As GARCH, with h = omega + (alpha + gamma [e < 0]) e^2 + beta h. Parameters and errors are those of GARCH.
    """

    name: ClassVar[str] = "gjr_garch"
    title: ClassVar[str] = "GJR-GARCH"
    description: ClassVar[str] = "GARCH in which losses raise volatility more than gains do: the leverage effect."
    asymmetric: ClassVar[bool] = True


def mixing(df: FloatArray) -> FloatArray:
    """Return how much of a normal correlation is left between two unit-variance t shocks [N, N].

    Shock i is a normal number times sqrt((df_i / 2 - 1) / (G + A_i)); G is gamma of the smallest df / 2 and shared,
    A_i is gamma of what df_i / 2 has beyond it and the symbol's own. With S the larger of zero and one, E[1 / G f(G)]
    is E f(G') / (g - 1) for G of shape g and G' of shape g - 1, which leaves a mean over bounded numbers.
    """
    half = 0.5 * df
    least = half.min()
    rank = (np.arange(NODES) + 0.5) / NODES
    shared = gammaincinv(least - 1.0, rank)[:, None]
    left = np.empty((len(df), NODES))
    for i, own in enumerate(half - least):
        added = gammaincinv(own, rank) if own > 0.0 else np.zeros(1)
        left[i] = np.sqrt(shared / (shared + added)).mean(axis=1)
    scale = np.sqrt((half - 1.0) / (least - 1.0))
    return np.asarray(np.outer(scale, scale) * (left @ left.T) / NODES)


@kernel(error_model="numpy")
def garch_moves_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    mean: FloatArray,
    drag: float,
    start: FloatArray,
    rules: FloatArray,
    half: FloatArray,
    root: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N] of recursions `rules` (omega, alpha, gamma, beta) [N, 4].

    `half` is half the degrees of freedom [N], `root` the root of the normal correlation [N, N].
    """
    n, size = len(states), len(mean)
    moves = np.empty((n, horizon, size))
    least = half.min()
    variance, normal = np.empty(size), np.empty(size)
    for i in range(n):
        state = states[i]
        variance[:] = start
        for t in range(horizon):
            # The first shock sets what the others add to.
            shock = signs[i] * normal_nb(state)
            for j in range(size):
                normal[j] = shock * root[0, j]
            for k in range(1, size):
                shock = signs[i] * normal_nb(state)
                for j in range(size):
                    normal[j] += shock * root[k, j]
            shared = gamma_nb(state, least)
            for j in range(size):
                width = shared
                if half[j] > least:
                    width += gamma_nb(state, half[j] - least)
                # Variance times the squared scale of the t shock: one root and one quotient for both.
                scaled = variance[j] * (half[j] - 1.0) / width
                moves[i, t, j] = mean[j] + drag * variance[j] + np.sqrt(scaled) * normal[j]
                # Without a branch, which would be guessed wrong every other time: the larger part of the cost.
                slope = rules[j, 1] + rules[j, 2] * (normal[j] < 0.0)
                variance[j] = rules[j, 0] + slope * scaled * normal[j] * normal[j] + rules[j, 3] * variance[j]
    return moves
