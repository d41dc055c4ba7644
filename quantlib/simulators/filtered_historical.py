"""Filtered historical simulation: yesterday's surprises at today's volatility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.fitting import Start, need
from quantlib.simulators.garch_fit import LEAST, MOST, WAY_OUT, GarchFit, fit_garch, garch_estimates
from quantlib.simulators.learning import described, history
from quantlib.simulators.streams import Streams, Words, integer_nb
from quantlib.types import FloatArray, Panel

# Steps of volatility for which the drag is kept, and how far they reach in long-run or today's volatilities.
STEPS, REACH = 512, 10.0


@dataclass(frozen=True, eq=False)
class FilteredCalibration(Calibration):
    """A variance recursion for each symbol, and the standardised residuals that are drawn from.

    Parameters
    ----------
    fits
        The recursion of each symbol.
    mean
        Mean log return of one session [N], before the drag.
    ahead
        Variance of the first session's log return [N].
    shocks
        Standardised residuals [T, N] of mean 0 and variance 1, in the order of their rows' means.
    drag
        Log of the mean of exp(s z) over each symbol's shocks z, over s^2 [N, STEPS], by volatility s in equal steps;
        zero where the history's drift is kept.
    step
        Step of volatility in `drag` [N].
    """

    fits: tuple[GarchFit, ...]
    mean: FloatArray
    ahead: FloatArray
    shocks: FloatArray
    drag: FloatArray
    step: FloatArray

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N]; the second of a mirrored pair draws opposite ranks."""
        rules = np.array([[f.omega, f.alpha, f.gamma, f.beta] for f in self.fits])
        moves: FloatArray = filtered_moves_nb(
            streams.states(),
            streams.signs(),
            horizon,
            self.mean,
            self.ahead,
            rules,
            self.shocks,
            self.drag,
            self.step,
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return the parameters of each recursion and the degrees of freedom it was fitted with."""
        return garch_estimates(self.symbols, self.fits)


class FilteredHistorical(Simulator):
    """Filtered historical simulation: history's standardised surprises, drawn anew from today's volatility.

    A (GJR-)GARCH recursion takes each symbol's volatility out of its returns. Rows of what is left, all symbols of a
    session together, are drawn with equal chance and scaled by the volatility the recursion has reached. So tails,
    skew and joint crashes are the history's, and volatility clusters from where it is today.

    Parameters
    ----------
    asymmetric
        Whether a loss raises volatility more than a gain (GJR).
    start
        "today" starts from the variance forecast for the session after the history, "long_run" from the
        unconditional one.
    drift
        "history" keeps the mean log return; "none" takes from every session the log of the expected gross return over
        the rows it may draw, at the volatility it has: its expected simple return is exactly zero.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999), VaR without Correlations for Portfolios of Derivative
    Securities.
    """

    name: ClassVar[str] = "filtered_historical"
    title: ClassVar[str] = "Filtered historical simulation"
    description: ClassVar[str] = (
        "History's surprises, all symbols together, at today's volatility: real tails and clusters of volatility."
    )

    asymmetric: bool = Field(
        default=True, title="Leverage effect", description="Losses raise volatility more than gains do."
    )
    start: Start = "today"
    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> FilteredCalibration:
        """Return each symbol's recursion and the rows of residuals; volatility is the long-run one.

        Raises
        ------
        DataError
            Fewer than 250 returns, a price that never moved, or a fit that does not converge or is not stationary
            with the residuals' own share of losses.
        """
        known, moves = history(panel, self.window)
        need(known, LEAST, self.title)
        fits = fit_garch(moves, panel.symbols, asymmetric=self.asymmetric)
        shocks = np.array([f.residuals for f in fits]).T
        shocks = (shocks - shocks.mean(axis=0)) / shocks.std(axis=0)
        losses = np.where(shocks < 0.0, shocks**2, 0.0).mean(axis=0)
        for symbol, fit, share in zip(panel.symbols, fits, losses, strict=True):
            if (persistence := fit.alpha + share * fit.gamma + fit.beta) > MOST:
                raise DataError(
                    f"The filter of {symbol} is not stationary: with {share:.0%} of squared surprises in losses its "
                    f"persistence is {persistence:.5f}, and from 1 on volatility grows without end. {WAY_OUT}."
                )
        long_run = np.array([f.long_run(share) for f, share in zip(fits, losses, strict=True)])
        ahead = np.array([f.ahead for f in fits]) if self.start == "today" else long_run
        # Rows are drawn independently, so their order is free: by rank, the row opposite mirrors a day.
        shocks = np.ascontiguousarray(shocks[np.argsort(shocks.mean(axis=1), kind="stable")])
        step = REACH * np.sqrt(np.maximum(long_run, ahead)) / STEPS
        drag = np.zeros((len(fits), STEPS))
        mean = moves.mean(axis=0)
        if self.drift == "none":
            drag, mean = growth_by_volatility(shocks, step), np.zeros(len(fits))
        usual = np.array([growth_nb(np.sqrt(v), shocks[:, j], drag[j], step[j]) for j, v in enumerate(long_run)])
        covariance = np.atleast_2d(np.cov(shocks, rowvar=False, ddof=0)) * np.sqrt(np.outer(long_run, long_run))
        growth = np.zeros(len(fits)) if self.drift == "none" else None
        return FilteredCalibration(
            **described(panel, known, mean - usual, covariance, growth=growth),
            fits=fits,
            mean=mean,
            ahead=ahead,
            shocks=shocks,
            drag=drag,
            step=step,
        )


def growth_by_volatility(shocks: FloatArray, step: FloatArray) -> FloatArray:
    """Return log of the mean of exp(s z) over shocks z [T, N], over s^2, at s = step, 2 step, ... [N, STEPS]."""
    table = np.empty((shocks.shape[1], STEPS))
    for j, width in enumerate(step):
        s = width * np.arange(1, STEPS + 1)
        table[j] = np.log(np.exp(np.outer(s, shocks[:, j])).mean(axis=1)) / s**2
    return table


@kernel
def growth_nb(volatility: float, shocks: FloatArray, drag: FloatArray, step: float) -> float:
    """Return log of the mean of exp(volatility z) over shocks z [T], from `drag` [STEPS] where that reaches.

    Over the squared volatility it is nearly a straight line between two steps.
    """
    if drag[0] == 0.0:
        return 0.0
    place = volatility / step - 1.0
    if place < len(drag) - 1:
        # Below the first step the line through the first two goes on.
        low = max(int(place), 0)
        part = drag[low] + (place - low) * (drag[low + 1] - drag[low])
        return float(part * volatility * volatility)
    top = np.max(shocks)
    return float(volatility * top + np.log(np.mean(np.exp(volatility * (shocks - top)))))


@kernel
def filtered_moves_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    mean: FloatArray,
    ahead: FloatArray,
    rules: FloatArray,
    shocks: FloatArray,
    drag: FloatArray,
    step: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N]: rows of shocks [T, N] through recursions (omega, alpha, gamma, beta) [N, 4].

    A path of sign -1 takes the row of opposite rank.
    """
    n, size = len(states), len(mean)
    rows = len(shocks)
    moves = np.empty((n, horizon, size))
    variance = np.empty(size)
    for i in range(n):
        state = states[i]
        variance[:] = ahead
        for t in range(horizon):
            row = integer_nb(state, rows)
            if signs[i] < 0.0:
                row = rows - 1 - row
            for j in range(size):
                shock, volatility = shocks[row, j], np.sqrt(variance[j])
                drop = growth_nb(volatility, shocks[:, j], drag[j], step[j])
                moves[i, t, j] = mean[j] - drop + volatility * shock
                slope = rules[j, 1] + (rules[j, 2] if shock < 0.0 else 0.0)
                variance[j] = rules[j, 0] + (slope * shock * shock + rules[j, 3]) * variance[j]
    return moves
