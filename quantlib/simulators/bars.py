"""Open, high, low and volume of simulated sessions, after sessions of history that moved alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.simulators.streams import Streams, Words, uniform_nb
from quantlib.types import FloatArray, Panel

DECAY = 0.94
"""Weight of the past in a level, of the variance and of the log of volume, against today's (RiskMetrics)."""
WARM_UP = 20
"""Sessions whose mean is the first level; what follows them is learned from."""
LEAST = 60
"""Sessions of which a field must be known for it to be simulated."""
ALIKE = 10
"""Sessions of history next to a move, half of them below and half above, of which one is taken."""

_PURPOSE = 1


class Pool(NamedTuple):
    """Historical sessions of all symbols to take from, ascending in their move within a symbol.

    Parameters
    ----------
    bounds
        Where each symbol's sessions begin, and the end [N + 1]; none where too few are known.
    move
        Log return over the deviation expected that day [K].
    shape
        What the session was like beyond its return [K, S].
    """

    bounds: NDArray[np.int64]
    move: FloatArray
    shape: FloatArray


class BarModel(NamedTuple):
    """How open, high, low and volume go with a session's return, by symbol.

    Parameters
    ----------
    variance
        Variance expected of the next log return [N]: the exponentially weighted mean of past squares.
    floor
        The least it is ever taken for [N], a hundredth of the mean square, so that nothing is divided by stillness.
    bars
        Log ways from the last close to the open, from the higher of open and close up to the high, and from the
        lower down to the low [K, 3], over the deviation expected that day.
    level
        Expected log of the next volume [N]: the exponentially weighted mean of the past.
    volumes
        Log of volume over its level [K, 1], less its mean, so that simulated volume has no trend of its own.
    """

    variance: FloatArray
    floor: FloatArray
    bars: Pool
    level: FloatArray
    volumes: Pool

    def draw(self, closes: FloatArray, last: FloatArray, streams: Streams) -> FloatArray:
        """Return open, high, low and volume [4, n, horizon, N] of simulated closes; NaN where history has none.

        Every session takes, scaled to the volatility of its own world, the shape of one of ten historical sessions
        of the same symbol: the five whose return, against the volatility expected then, was next above its own, and
        the five next below. So
        the low is never above open or close and the high never below; ranges are wide where moves are, and volume
        rises with them as it did. Bar and volume are of the same day where history has both of each day.

        Left out: bars of two symbols go together only through their returns, and a move larger than any in history
        has the shape of the largest.

        Parameters
        ----------
        closes
            Simulated closes [n, horizon, N].
        last
            The closes before the first of them [N].
        streams
            The paths. Bars have random numbers of their own, so closes are the same with and without them.
        """
        made: FloatArray = bars_nb(closes, last, streams.aside(_PURPOSE).states(), self)
        return made


def fit_bars(panel: Panel) -> BarModel:
    """Return what a panel's bars teach; a symbol without 60 whole bars, or 60 volumes, has no such field simulated.

    Each symbol is taken on its own sessions, those with a known close. A session whose high is below its open or
    close, or whose low is above, teaches nothing; nor does a volume of zero.
    """
    bars, volumes, levels = [], [], []
    for i in range(len(panel.symbols)):
        rows = np.flatnonzero(np.isfinite(panel.close[:, i]))
        first, high, low, close, volume = (
            getattr(panel, name)[rows, i] for name in ("open", "high", "low", "close", "volume")
        )
        moves = np.diff(np.log(close))
        floor = 0.01 * np.square(moves).mean() if len(moves) else np.nan
        variance = _expected(np.square(moves))
        spread = np.sqrt(np.maximum(variance[:-1], floor))
        move = moves / spread
        top, bottom = np.maximum(first, close)[1:], np.minimum(first, close)[1:]
        shape = np.column_stack([np.log(first[1:] / close[:-1]), np.log(high[1:] / top), np.log(bottom / low[1:])])
        # Prices that were rounded when they were adjusted may cross by a hair.
        shape[:, 1:][(shape[:, 1:] < 0.0) & (shape[:, 1:] > -1e-6)] = 0.0
        shape[(shape[:, 1:] < 0.0).any(axis=1)] = np.nan
        bars.append((move, shape / spread[:, None]))
        with np.errstate(divide="ignore"):
            logs = np.log(volume)
        traded = np.isfinite(logs)
        level = _expected(logs[traded])
        beyond = np.full(len(rows), np.nan)
        beyond[traded] = logs[traded] - level[:-1]
        if np.isfinite(beyond).any():
            beyond -= np.nanmean(beyond)
        volumes.append((move, beyond[1:, None]))
        levels.append((variance[-1], floor, level[-1]))
    variances, floors, expected = np.array(levels).T.copy()
    return BarModel(variances, floors, _pool(bars), expected, _pool(volumes))


def _expected(values: FloatArray) -> FloatArray:
    """Return what is expected of each value and of the one after the last [T + 1]; NaN until 20 are known."""
    out = np.full(len(values) + 1, np.nan)
    if len(values) >= WARM_UP:
        out[WARM_UP] = values[:WARM_UP].mean()
        for t in range(WARM_UP, len(values)):
            out[t + 1] = DECAY * out[t] + (1.0 - DECAY) * values[t]
    return out


def _pool(found: list[tuple[FloatArray, FloatArray]]) -> Pool:
    """Return the sessions of all symbols that are known in full, in the order of their moves."""
    bounds, moves, shapes = [0], [], []
    for move, shape in found:
        known = np.flatnonzero(np.isfinite(move) & np.isfinite(shape).all(axis=1))
        order = known[np.argsort(move[known], kind="stable")] if len(known) >= LEAST else known[:0]
        moves.append(move[order])
        shapes.append(shape[order])
        bounds.append(bounds[-1] + len(order))
    return Pool(np.array(bounds, dtype=np.int64), np.concatenate(moves), np.concatenate(shapes))


@kernel
def alike_nb(pool: Pool, j: int, move: float, u: float) -> int:
    """Return which session of symbol j is taken for a move: one of the ten next to it, by a uniform number."""
    begin, end = pool.bounds[j], pool.bounds[j + 1]
    at = begin + np.searchsorted(pool.move[begin:end], move)
    low = min(max(at - ALIKE // 2, begin), end - ALIKE)
    return int(low + int(u * ALIKE))


@kernel
def bars_nb(closes: FloatArray, last: FloatArray, states: Words, model: BarModel) -> FloatArray:
    """Return open, high, low and volume [4, n, horizon, N] of closes [n, horizon, N] that follow the last ones [N]."""
    n, horizon, size = closes.shape
    out = np.full((4, n, horizon, size), np.nan)
    variance, level, before = np.empty(size), np.empty(size), np.empty(size)
    bars, volumes = model.bars, model.volumes
    for i in range(n):
        state = states[i]
        variance[:], level[:], before[:] = model.variance, model.level, last
        for t in range(horizon):
            for j in range(size):
                close = closes[i, t, j]
                # One number for both, so that both are of one day where the same days are known.
                u = uniform_nb(state)
                spread = np.sqrt(max(variance[j], model.floor[j]))
                move = np.log(close / before[j])
                if bars.bounds[j + 1] > bars.bounds[j]:
                    gap, up, down = bars.shape[alike_nb(bars, j, move / spread, u)]
                    first = before[j] * np.exp(gap * spread)
                    out[0, i, t, j] = first
                    out[1, i, t, j] = max(first, close) * np.exp(up * spread)
                    out[2, i, t, j] = min(first, close) * np.exp(-down * spread)
                if volumes.bounds[j + 1] > volumes.bounds[j]:
                    beyond = volumes.shape[alike_nb(volumes, j, move / spread, u), 0]
                    out[3, i, t, j] = np.exp(level[j] + beyond)
                    level[j] += (1.0 - DECAY) * beyond
                variance[j] = DECAY * variance[j] + (1.0 - DECAY) * move * move
                before[j] = close
    return out
