"""The law of one symbol's log return: the history's own middle, with a fitted tail on either side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quantlib.simulators.base import Estimate
from quantlib.types import FloatArray

# A tenth of the sessions on each side: the usual compromise between few numbers and numbers from the middle.
TAIL = 0.1
# Beyond these shapes a variance, or the error of a shape, does not exist.
SHAPES = (-0.45, 0.45)


class Tail(NamedTuple):
    """A generalised Pareto law of how far beyond its threshold a log return lies.

    Parameters
    ----------
    threshold
        Log return at which the tail begins; the lower tail's is of the return times -1.
    share
        Share of sessions beyond it.
    shape, scale
        Of the law; a shape above 0 has power tails, below 0 an end.
    sessions
        Number of sessions it was fitted to.
    """

    threshold: float
    share: float
    shape: float
    scale: float
    sessions: int

    def beyond(self, chance: FloatArray) -> FloatArray:
        """Return the size exceeded with this chance, which is at most `share`."""
        log = np.log(chance / self.share)
        if abs(self.shape) < 1e-9:
            return np.asarray(self.threshold - self.scale * log)
        return np.asarray(self.threshold + self.scale * np.expm1(-self.shape * log) / self.shape)

    def estimates(self, side: str, symbol: str) -> list[Estimate]:
        """Return shape and scale with the errors of Hosking and Wallis."""
        x = self.shape
        common = self.sessions * (1 - 2 * x) * (3 - 2 * x)
        shape = np.sqrt((1 - x) * (2 - x) ** 2 * (1 - x + 2 * x * x) / common)
        scale = self.scale * np.sqrt((7 - 18 * x + 11 * x * x - 2 * x**3) / common)
        return [
            Estimate(f"{side} tail shape", symbol, x, float(shape), ""),
            Estimate(f"{side} tail scale", symbol, self.scale, float(scale), "log return"),
        ]


class Margin(NamedTuple):
    """The law of one symbol's log return, moved as a whole by `shift`."""

    body: FloatArray
    lower: Tail
    upper: Tail
    shift: float = 0.0

    def quantile(self, below: FloatArray, above: FloatArray) -> FloatArray:
        """Return the log return with these chances below and above it, which add to 1.

        Both are asked for, since 1 less a tiny chance is 1.
        """
        count = len(self.body)
        result = np.interp(below, (np.arange(count) + 0.5) / count, self.body)
        for chance, tail, sign in ((below, self.lower, -1.0), (above, self.upper, 1.0)):
            far = chance < tail.share
            result[far] = sign * tail.beyond(chance[far])
        return np.asarray(result + self.shift)


def fit_margin(moves: FloatArray) -> Margin:
    """Return the law of log returns [T]: their own distribution, with Pareto tails on a tenth of them each side.

    An empirical middle keeps whatever shape the history has, and each tail is fitted on its own, so that crashes
    may be fatter than rallies: a Student t has one tail for both. Tails are fitted by probability-weighted moments,
    which keep the mean of the tail as it was and never fail; the shape is held between -0.45 and 0.45, where the
    variance exists.

    References
    ----------
    Hosking, J. and Wallis, J. (1987), Parameter and Quantile Estimation for the Generalized Pareto Distribution.
    McNeil, A. and Frey, R. (2000), Estimation of Tail-Related Risk Measures for Heteroscedastic Financial Series.
    """
    body = np.sort(moves)
    return Margin(body, _tail(-body[::-1]), _tail(body))


def _tail(body: FloatArray) -> Tail:
    """Return the upper tail of sorted log returns [T]."""
    length = len(body)
    count = max(round(TAIL * length), 10)
    share = count / length
    threshold = float(np.interp(1.0 - share, (np.arange(length) + 0.5) / length, body))
    excess = body[-count:] - threshold
    first = float(excess.mean())
    if first <= 0.0:
        return Tail(threshold, share, 0.0, 0.0, count)
    second = float(np.mean(excess * (1.0 - (np.arange(count) + 0.65) / count)))
    shape = float(np.clip(2.0 - first / (first - 2.0 * second), *SHAPES)) if first > 2.0 * second else SHAPES[0]
    # With the mean of the excess kept, whatever the bounds did to the shape.
    return Tail(threshold, share, shape, first * (1.0 - shape), count)
