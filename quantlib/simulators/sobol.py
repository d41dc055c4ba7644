"""Quasi-random normal shocks: Sobol points spent on what moves a path most."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from quantlib.compiled import kernel
from quantlib.simulators.streams import Streams, Words, normal_nb
from quantlib.types import FloatArray

NET = 4096
"""Paths that share one scrambled net; the nets that follow are scrambled anew, independent of one another."""
DIMENSIONS = 256
"""Coordinates of a path that come from the net; the rest, which move it least, come from its stream."""

_BITS = 30


def sobol_shocks(streams: Streams, horizon: int, variances: FloatArray) -> FloatArray:
    """Return standard normal shocks [count, horizon, N] of independent factors, filled in by a Brownian bridge.

    Each factor's Brownian motion is set at its end first, then half way, then at the quarters, and so on, and its
    steps are the shocks. The 256 coordinates that explain most of the variance of the paths, over the factors and
    the levels of the bridge, are a scrambled Sobol point (Owen 1998; Joe and Kuo's direction numbers), the others
    are random. So averages of smooth functions of the path converge nearly as 1 / n within the 4,096 paths of a
    net, and as the root of that from net to net; a rare event, or a stop that depends on every single session,
    gains little. Paths of a net are not independent: the spread over them is no measure of an average's error, the
    spread over seeds is.

    Parameters
    ----------
    streams
        The paths. Path i is point i modulo 4,096 of its net.
    horizon
        Number of sessions.
    variances
        Variance of each factor [N], which says how much its coordinates matter.
    """
    nodes, weights = bridge(horizon)
    # A node moves every session between its neighbours: its variance times their distance.
    matter = (weights[:, 2] ** 2 * (nodes[:, 2] - nodes[:, 0]))[:, None] * variances
    ranks = np.empty(matter.size, dtype=np.int64)
    ranks[np.argsort(-matter, axis=None, kind="stable")] = np.arange(matter.size)
    width = min(DIMENSIONS, matter.size)
    numbers = np.arange(streams.first, streams.first + streams.count)
    points = np.empty((streams.count, width))
    for net in np.unique(numbers // NET):
        mine = numbers // NET == net
        points[mine] = _normal_net(streams.seed, int(net), width)[numbers[mine] % NET]
    shocks: FloatArray = bridge_nb(streams.states(), points, ranks.reshape(matter.shape), horizon, nodes, weights)
    return shocks


def bridge(horizon: int) -> tuple[np.ndarray, FloatArray]:
    """Return the order in which a Brownian path is filled in, and with what weights.

    Row k of the first [horizon, 3] names the session before, the session itself and the one after, all known but the
    middle one; of the second, how much it takes of the one before and the one after, and its own deviation. The
    first row is the path's end, which has none after it.
    """
    nodes, weights = [(0, horizon, horizon)], [(0.0, 0.0, np.sqrt(horizon))]
    spans = [(0, horizon)]
    for low, high in spans:  # which grows as it goes: level after level
        middle = (low + high) // 2
        if middle == low:
            continue
        share = (middle - low) / (high - low)
        nodes.append((low, middle, high))
        weights.append((1.0 - share, share, np.sqrt((middle - low) * (1.0 - share))))
        spans += [(low, middle), (middle, high)]
    return np.array(nodes, dtype=np.int64), np.array(weights)


@lru_cache(maxsize=4)
def _normal_net(seed: int, number: int, width: int) -> FloatArray:
    """Return a scrambled net's points as normal numbers [4096, width]."""
    # A key of two numbers is no path's key.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 1)))
    points = qmc.Sobol(width, scramble=True, bits=_BITS, rng=rng).random(NET)
    # In the middle of their cells, so that none is 0, where the normal law has no number.
    net = np.asarray(ndtri(points + 0.5 ** (_BITS + 1)))
    net.flags.writeable = False
    return net


@kernel
def bridge_nb(
    states: Words, points: FloatArray, ranks: np.ndarray, horizon: int, nodes: np.ndarray, weights: FloatArray
) -> FloatArray:
    """Return the steps [n, horizon, N] of Brownian bridges whose coordinates of low rank are given [n, width]."""
    n, width, size = len(states), points.shape[1], ranks.shape[1]
    steps = np.empty((n, horizon, size))
    path = np.zeros((horizon + 1, size))
    for i in range(n):
        state = states[i]
        for k in range(horizon):
            low, middle, high = nodes[k]
            for j in range(size):
                rank = ranks[k, j]
                shock = points[i, rank] if rank < width else normal_nb(state)
                path[middle, j] = weights[k, 2] * shock
                if k > 0:
                    path[middle, j] += weights[k, 0] * path[low, j] + weights[k, 1] * path[high, j]
        for t in range(horizon):
            for j in range(size):
                steps[i, t, j] = path[t + 1, j] - path[t, j]
    return steps
