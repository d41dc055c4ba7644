"""Curves over spans of their own, each in cells of its own fineness that lie in one common time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantlib.types import FloatArray

LEAST = 4
"""Cells without which a curve cannot be compared."""

_FINEST = 8192
_COARSER = 2.0


@dataclass(frozen=True, eq=False)
class Window:
    """Curves that fill the same cells.

    Parameters
    ----------
    rows
        Which trials they are.
    level
        How often the cells of level 0 are halved here.
    begin
        The window's first cell, of those of its level.
    units
        Growth by cell [curve, cell], without its mean and of length 1.
    """

    rows: NDArray[np.intp]
    level: int
    begin: int
    units: FloatArray

    @property
    def cells(self) -> slice:
        """The window's cells among those of its level."""
        return slice(self.begin, self.begin + self.units.shape[1])


@dataclass(frozen=True, eq=False)
class Windows:
    """All curves in common time: cells of one width, those halved, halved again, and so on.

    A curve lives in the finest cells that are at least as wide as its buckets, so that a short span has as many cells
    as a long one; and every cell is two of the next level, so that curves of all levels can meet.

    Parameters
    ----------
    windows
        The curves that can be compared and that vary, by the cells they fill.
    finest
        Cells of the finest level, over the whole of the time.
    deepest
        That level.
    unlike
        Which trials have no curve, or one of too few cells.
    """

    windows: tuple[Window, ...]
    finest: int
    deepest: int
    unlike: NDArray[np.bool_]

    @classmethod
    def of(cls, curves: Sequence[ArrayLike], begins: FloatArray, ends: FloatArray) -> Windows:
        """Return curves [trial][bucket] laid out by when each begins and ends; an empty or unknown one is unlike."""
        sizes = np.array([np.size(curve) for curve in curves], dtype=np.float64)
        unlike = sizes == 0
        if unlike.all():
            return cls((), 0, 0, unlike)
        wide = (ends - begins) / np.maximum(sizes, 1.0)
        start, reach = begins[~unlike].min(), ends[~unlike].max() - begins[~unlike].min()
        one = not (np.ptp(begins[~unlike]) or np.ptp(ends[~unlike]) or np.ptp(sizes[~unlike]))
        # Where spans differ buckets do not meet: in wider cells less of what two curves share is lost by that.
        coarser = 1.0 if one else _COARSER
        cell = max(float(wide[~unlike].max()) * coarser, float(reach) / _FINEST)
        most = int(np.log2(_FINEST * cell / reach) + 1e-9)
        levels = np.clip(np.log2(cell / (coarser * wide[~unlike])) + 1e-9, 0, most).astype(np.intp)
        level_of = dict(zip(np.flatnonzero(~unlike).tolist(), levels.tolist(), strict=True))
        found: dict[tuple[int, int, int], list[tuple[NDArray[np.intp], FloatArray]]] = {}
        for rows, begin, end in by_span(begins, ends, sizes):
            values = np.array([curves[int(i)] for i in rows], dtype=np.float64)
            unlike[rows] = ~np.isfinite(values).any(axis=1)
            level = level_of[int(rows[0])]
            width = cell / 2.0**level
            low, high = int((begin - start) / width + 1e-6), int(np.ceil((end - start) / width - 1e-6))
            if high - low < LEAST:
                unlike[rows] = True
            there = ~unlike[rows]
            if there.any():
                growth = resampled(values[there], begin, end, start + width * np.arange(low, high + 1))
                found.setdefault((level, low, high), []).append((rows[there], growth))
        windows = []
        for (level, low, _), parts in found.items():
            rows, growth = (np.concatenate(each) for each in zip(*parts, strict=True))
            growth -= growth.mean(axis=1, keepdims=True)
            size = np.linalg.norm(growth, axis=1)
            varied = size > 1e-9
            if varied.any():
                windows.append(Window(rows[varied], level, low, growth[varied] / size[varied, None]))
        deepest = max((window.level for window in windows), default=0)
        cells = int(np.ceil(reach / cell - 1e-6)) * 2**deepest
        return cls(tuple(windows), cells, deepest, unlike)

    @property
    def n(self) -> int:
        """Curves that can be compared."""
        return sum(len(window.rows) for window in self.windows)

    def coarsened(self, values: FloatArray) -> dict[int, FloatArray]:
        """Return values of the finest cells [cell, ...] on each level: sums over its cells, of the same variance."""
        levels = {}
        for level in {window.level for window in self.windows}:
            parts = 2 ** (self.deepest - level)
            levels[level] = values.reshape(len(values) // parts, parts, -1).sum(axis=1) / np.sqrt(parts)
        return levels

    def chance(self, window: Window) -> FloatArray:
        """Return the mean squared correlation of curves unlike each other in a window and in each of all."""
        begins, ends, widths, degrees = self._places
        width, degree = 0.5**window.level, window.units.shape[1] - 1.0
        low, high = np.maximum(begins, window.begin * width), np.minimum(ends, window.cells.stop * width)
        met = (high - low) / np.maximum(widths, width)  # cells of the coarser of the two
        return np.asarray(np.maximum(met - 1.0, 0.0) / (degrees * degree))

    @cached_property
    def _places(self) -> FloatArray:
        """Where each window begins and ends and how wide its cells are, in cells of level 0, and its cells less one."""
        widths = 0.5 ** np.array([window.level for window in self.windows])
        cells = np.array([(w.begin, w.cells.stop, w.units.shape[1] - 1.0) for w in self.windows]).T
        return np.array([cells[0] * widths, cells[1] * widths, widths, cells[2]])


def resampled(values: FloatArray, begin: float, end: float, edges: FloatArray) -> FloatArray:
    """Return growth [curve, bucket] over a span as that between edges [curve, cell]; unknown is flat, as is outside.

    Buckets are equally long parts of the span, and growth is even within a bucket.
    """
    size = values.shape[1]
    grown = np.zeros((len(values), size + 1))
    np.nan_to_num(values).cumsum(axis=1, out=grown[:, 1:])
    place = np.interp(edges, np.linspace(begin, end, size + 1), np.arange(size + 1))
    left = np.minimum(place.astype(np.intp), size - 1)
    return np.asarray(np.diff(grown[:, left] + (place - left) * (grown[:, left + 1] - grown[:, left])))


def by_span(begins: FloatArray, ends: FloatArray, sizes: FloatArray) -> Iterator[tuple[NDArray[np.intp], float, float]]:
    """Yield the rows of curves that share a span and a number of buckets, with the span; none of empty ones.

    The sets of a sweep share one span: all of them are put into common time at once.
    """
    spans, which = np.unique(np.array([begins, ends, sizes]), axis=1, return_inverse=True)
    order = np.argsort(which, kind="stable")
    for (begin, end, size), rows in zip(spans.T, np.split(order, np.cumsum(np.bincount(which))[:-1]), strict=True):
        if size:
            yield rows, float(begin), float(end)
