"""The correlation of two series over a moving window."""

from __future__ import annotations

import numpy as np

from quantlib.compiled import kernel
from quantlib.types import FloatArray


@kernel
def correlation_nb(a: FloatArray, b: FloatArray, n: int) -> FloatArray:
    """Return Pearson's correlation of the last `n` values of two series [T], NaN where one is unknown or stands still.

    Two passes over each window: the running sums that need one lose all digits where a level is large beside its
    changes.
    """
    out = np.full(len(a), np.nan)
    known = 0
    for t in range(len(a)):
        known = known + 1 if np.isfinite(a[t]) and np.isfinite(b[t]) else 0
        if known < n:
            continue
        mean_a, mean_b = 0.0, 0.0
        for i in range(t - n + 1, t + 1):
            mean_a += a[i]
            mean_b += b[i]
        mean_a /= n
        mean_b /= n
        aa, bb, ab = 0.0, 0.0, 0.0
        moves_a, moves_b = False, False
        for i in range(t - n + 1, t + 1):
            da, db = a[i] - mean_a, b[i] - mean_b
            aa += da * da
            bb += db * db
            ab += da * db
            # Not by the squares: rounding of the mean leaves something where nothing moved.
            moves_a |= a[i] != a[t]
            moves_b |= b[i] != b[t]
        if moves_a and moves_b and aa > 0 and bb > 0:
            out[t] = min(1.0, max(-1.0, ab / np.sqrt(aa) / np.sqrt(bb)))
    return out


def correlation(a: FloatArray, b: FloatArray, n: int) -> FloatArray:
    """Return Pearson's correlation of the last `n` values, column by column [T, K]."""
    a, b = np.broadcast_arrays(a, b)
    out = np.empty(a.shape)
    for k in range(a.shape[1]):
        out[:, k] = correlation_nb(np.ascontiguousarray(a[:, k]), np.ascontiguousarray(b[:, k]), n)
    return out
