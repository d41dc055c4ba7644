"""A t copula over fitted margins: symbols that crash together, each with tails of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, stdtr, stdtrit
from scipy.stats import rankdata

from quantlib.compiled import kernel
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.concordance import elliptical, kendall
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.learning import described, history
from quantlib.simulators.margins import Margin, fit_margin
from quantlib.simulators.streams import Streams, Words, gamma_nb, normal_nb
from quantlib.types import FloatArray, Panel

# Degrees of freedom are sought between these, evenly in their inverse. At 100 a t copula is a normal one.
DEGREES = (2.1, 100.0)
# Parts of the history left out in turn, for bias and error of the degrees of freedom.
GROUPS = 20
# Nodes of the table from copula to log return, and the chance at its ends.
NODES, END = 4097, 1e-10


@dataclass(frozen=True, eq=False)
class TCopulaCalibration(Calibration):
    """A t copula and the margins it joins.

    Parameters
    ----------
    degrees, degrees_error
        Degrees of freedom of the copula and their standard error.
    shape, shape_error
        Correlation of the copula's t variates [N, N] and the standard error of each.
    margins
        One a symbol, in order.
    tables
        Log return of each symbol at the nodes of the table from t variate to log return [N, nodes].
    """

    degrees: float
    degrees_error: float
    shape: FloatArray
    shape_error: FloatArray
    margins: tuple[Margin, ...]
    tables: FloatArray

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [count, horizon, N], independent through time."""
        moves: FloatArray = _draw_nb(
            streams.states(),
            streams.signs(),
            horizon,
            symmetric_root(self.shape),
            self.degrees,
            reach(self.degrees),
            self.tables,
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return degrees of freedom, correlations of the copula by pair and the tails of every symbol.

        The errors take sessions as independent, as the law does.
        """
        rows = [Estimate("degrees of freedom", "", self.degrees, self.degrees_error, "")]
        rows += [
            Estimate("copula correlation", f"{a}, {b}", self.shape[i, j], self.shape_error[i, j], "")
            for i, a in enumerate(self.symbols)
            for j, b in enumerate(self.symbols[i + 1 :], start=i + 1)
        ]
        for symbol, margin in zip(self.symbols, self.margins, strict=True):
            rows += margin.lower.estimates("lower", symbol) + margin.upper.estimates("upper", symbol)
        return rows


class TCopula(Simulator):
    """A t copula over fitted margins, its sessions independent through time.

    The margins keep the history's own distribution with a generalised Pareto tail on either side. The copula's
    correlations are those that Kendall's tau of the history stands for, which no outlier can turn; its degrees of
    freedom are the likeliest given them, freed of bias: how much more often extremes come together than under a normal
    law. Volatility does not cluster.

    Parameters
    ----------
    drift
        "history" keeps the mean log return of every symbol. "none" sets it to -variance / 2 of the fitted law: a
        power tail has no expected exponential, so the expected simple return is zero as far as variance tells.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Demarta, S. and McNeil, A. (2005), The t Copula and Related Copulas. Lindskog, F., McNeil, A. and Schmock, U.
    (2003), Kendall's Tau for Elliptical Distributions.
    """

    name: ClassVar[str] = "t_copula"
    title: ClassVar[str] = "t copula"
    description: ClassVar[str] = (
        "Each symbol's own distribution with fitted tails, joined so that extremes come together. Sessions are "
        "independent: no volatility clusters."
    )

    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> TCopulaCalibration:
        """Return margins and copula of the log returns of the panel's complete rows.

        Volatilities are the fitted margins'; `correlation` is the history's.

        Raises
        ------
        DataError
            Fewer than 60 sessions have every close, or the correlations contradict each other.
        """
        known, moves = history(panel, self.window)
        tau, tau_error = kendall(moves, panel.symbols)
        shape = elliptical(tau, panel.symbols)
        degrees, degrees_error = fit_degrees(moves, shape)
        margins, mean, covariance = placed(moves, chances(degrees), drift=self.drift)
        return TCopulaCalibration(
            **described(panel, known, mean, covariance),
            degrees=degrees,
            degrees_error=degrees_error,
            shape=shape,
            shape_error=0.5 * np.pi * np.cos(0.5 * np.pi * tau) * tau_error,
            margins=margins,
            tables=np.array([margin.quantile(*chances(degrees)) for margin in margins]),
        )


def placed(
    moves: FloatArray, chance: tuple[FloatArray, FloatArray], *, drift: str
) -> tuple[tuple[Margin, ...], FloatArray, FloatArray]:
    """Return the margins of log returns [T, N], their mean [N] and their covariance [N, N].

    They are shifted to the mean that `drift` asks for; the covariance has the history's correlation. Moments are of
    the law on a grid with these chances below and above its nodes, straight in between.
    """
    below, above = chance
    # Of whichever side is small, so that a tail's chances keep their digits.
    weight = np.where(below[1:] < 0.5, np.diff(below), -np.diff(above))
    margins, means, spreads = [], [], []
    for column in moves.T:
        margin = fit_margin(column)
        values = margin.quantile(below, above)
        middle = 0.5 * (values[1:] + values[:-1])
        centre = float(weight @ middle)
        variance = float(weight @ (middle - centre) ** 2 + weight @ np.diff(values) ** 2 / 12.0)
        mean = float(column.mean()) if drift == "history" else -0.5 * variance
        margins.append(margin._replace(shift=mean - centre))
        means.append(mean)
        spreads.append(np.sqrt(variance))
    correlation = np.atleast_2d(np.corrcoef(moves, rowvar=False))
    return tuple(margins), np.array(means), correlation * np.outer(spreads, spreads)


def fit_degrees(moves: FloatArray, shape: FloatArray) -> tuple[float, float]:
    """Return the degrees of freedom of a t copula with this correlation, and their standard error.

    Log returns [T, N] enter by their ranks alone. That ranks stand for unknown margins biases the likeliest value
    and makes its curvature promise too much; both are put right by a jackknife that leaves out a twentieth of the
    sessions at a time, each refitted by one Newton step. A symbol that repeats another says nothing of its own and
    is left out; where nothing but a normal copula is left, the error is unknown.
    """
    own = ~np.triu(shape > 1.0 - 1e-6, 1).any(axis=0)
    if own.sum() < 2:
        return DEGREES[1], float("nan")
    values, vectors = np.linalg.eigh(shape[np.ix_(own, own)])
    axes = vectors / np.sqrt(np.maximum(values, 1e-4))  # a flat direction would outweigh all others

    def likelihood(inverse: float, placed: tuple[FloatArray, np.ndarray]) -> float:
        levels, place = placed
        df, names = 1.0 / inverse, place.shape[1]
        x = stdtrit(df, levels)
        single = (gammaln((df + 1) / 2) - gammaln(df / 2) - (df + 1) / 2 * np.log1p(x * x / df))[place]
        distance = ((x[place] @ axes) ** 2).sum(axis=1)
        joint = gammaln((df + names) / 2) - gammaln(df / 2) - (df + names) / 2 * np.log1p(distance / df)
        return float(joint.sum() - single.sum())

    whole = ranked(moves[:, own])
    bounds = (1.0 / DEGREES[1], 1.0 / DEGREES[0])
    best = float(minimize_scalar(lambda v: -likelihood(v, whole), bounds=bounds, method="bounded").x)
    if best < 2.0 * bounds[0]:
        return 1.0 / best, float("nan")
    groups = np.arange(len(moves)) * GROUPS // len(moves)
    step = min(0.01, 0.5 * best)
    refitted = np.empty(GROUPS)
    for group in range(GROUPS):
        rest = ranked(moves[groups != group][:, own])
        low, middle, high = (likelihood(best + way * step, rest) for way in (-1, 0, 1))
        refitted[group] = best - 0.5 * step * (high - low) / (high - 2.0 * middle + low)
    inverse = float(np.clip(best - (GROUPS - 1) * (refitted.mean() - best), *bounds))
    error = np.sqrt((GROUPS - 1) * refitted.var())
    return 1.0 / inverse, float(error / inverse**2)


def ranked(moves: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """Return the distinct ranks of log returns [T, N], as fractions of T + 1, and which one each has [T, N]."""
    levels, place = np.unique(rankdata(moves, axis=0) / (len(moves) + 1), return_inverse=True)
    return levels, place.reshape(moves.shape)


def reach(degrees: float) -> float:
    """Return where the table from copula to log return ends, in the inverse hyperbolic sine of the t variate."""
    return float(np.arcsinh(-stdtrit(degrees, END)))


def chances(degrees: float) -> tuple[FloatArray, FloatArray]:
    """Return the chances below and above each node of that table."""
    nodes = np.sinh(np.linspace(-1.0, 1.0, NODES) * reach(degrees))
    return np.asarray(stdtr(degrees, nodes)), np.asarray(stdtr(degrees, -nodes))


@kernel
def _draw_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    root: FloatArray,
    degrees: float,
    end: float,
    tables: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N], read from `tables` between two of its nodes."""
    n, (size, nodes) = len(states), tables.shape
    moves = np.empty((n, horizon, size))
    top = nodes - 1
    for i in range(n):
        state, path = states[i], moves[i]
        for t in range(horizon):
            path[t] = 0.0
            for k in range(size):
                shock = signs[i] * normal_nb(state)
                for j in range(size):
                    path[t, j] += shock * root[k, j]
            stretch = np.sqrt(0.5 * degrees / gamma_nb(state, 0.5 * degrees))
            for j in range(size):
                at = (np.arcsinh(stretch * path[t, j]) / end + 1.0) * 0.5 * top
                at = min(max(at, 0.0), float(top))
                node = min(int(at), top - 1)
                path[t, j] = tables[j, node] + (at - node) * (tables[j, node + 1] - tables[j, node])
    return moves
