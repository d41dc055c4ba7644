"""Fewer points on the screen without hiding an extreme."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import pandas as pd

MAX_POINTS = 1200  # more than a wide screen has pixels for lines; keeps a figure below about 50 kB a line

Wide = TypeVar("Wide", pd.Series, pd.DataFrame)


def thin(data: Wide, n: int = MAX_POINTS) -> Wide:
    """Return at most `n` rows that keep the first, the last and every column's lowest and highest per bucket.

    Rows are cut into equal buckets; each gives its last row and the rows of each column's minimum and maximum,
    so a drawn line touches every peak and trough that the full one has. All columns keep the same rows.

    Parameters
    ----------
    data
        Series or frame, one row per time.
    n
        The most rows to return, at least 2.

    Examples
    --------
    >>> len(thin(pd.Series(range(10_000)), 100)) <= 100
    True
    """
    rows = len(data)
    if rows <= n:
        return data
    values = data.to_numpy(dtype=np.float64).reshape(rows, -1)
    buckets = max((n - 1) // (2 * values.shape[1] + 1), 1)
    edges = np.linspace(0, rows, buckets + 1).astype(int)
    size = int(np.diff(edges).max())
    # One row of positions per bucket, short buckets repeating their last position.
    place = np.minimum(edges[:-1, None] + np.arange(size), edges[1:, None] - 1)
    block = values[place]
    low = np.where(np.isnan(block), np.inf, block).argmin(axis=1)
    high = np.where(np.isnan(block), -np.inf, block).argmax(axis=1)
    kept = np.concatenate([np.take_along_axis(place, low, 1), np.take_along_axis(place, high, 1)], axis=1)
    keep = np.unique(np.concatenate([[0], kept.ravel(), edges[1:] - 1]))
    return data.iloc[keep]


def drawn(rows: int, points: int, what: str = "sessions") -> str:
    """Return the sentence that owns up to thinning, or nothing where every row is drawn."""
    if points >= rows:
        return ""
    return f"{rows:,} {what} drawn as {points:,} points that keep every stretch's high and low."


def sparkline(values: Iterable[float], n: int = 60) -> list[float]:
    """Return at most `n` known values for a table's small line: the last of each of `n` equal stretches."""
    array = np.asarray(list(values), dtype=np.float64)
    array = array[np.isfinite(array)]
    if len(array) > n:
        array = array[np.linspace(0, len(array), n + 1).astype(int)[1:] - 1]
    return [float(f"{x:.6g}") for x in array]
