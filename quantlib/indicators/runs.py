"""The door of the indicators, and how they treat what is unknown."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.types import FloatArray


def frame_of(frame: object, name: str) -> pd.DataFrame:
    """Return a frame [time x symbol] of numbers, refusing anything else."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{name} came as {type(frame).__name__}; accepted: a DataFrame [time x symbol]. "
            "Make one of a single series by to_frame()."
        )
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        raise DataError(f"{name} holds columns that are not numbers; accepted: prices, NaN where unknown.")
    return frame


def bars_of(n: object, *, least: int = 1, name: str = "n") -> int:
    """Return a number of bars, refusing what is not a whole number of at least `least`.

    There is no upper bound: a window longer than the history has no value yet, which is NaN.
    """
    if isinstance(n, int | np.integer) and not isinstance(n, bool) and int(n) >= least:
        return int(n)
    raise DataError(f"{name} is {n!r}; accepted: a whole number of bars, {least} or above.")


def positive_of(value: object, name: str) -> float:
    """Return a float, refusing what is not a number above zero."""
    if isinstance(value, Real) and 0 < float(value) < math.inf:
        return float(value)
    raise DataError(f"{name} is {value!r}; accepted: a number above 0.")


def by_run(function: Callable[..., FloatArray], *frames: pd.DataFrame, warmup: int) -> pd.DataFrame:
    """Return an indicator computed afresh on every unbroken run of known values [time x symbol].

    TA-Lib carries a NaN on for ever, or worse: its RSI answers 0 after one. Here each column is cut at its
    unknown values and every part starts its warm-up again, so that nothing is filled and nothing is lost.

    Parameters
    ----------
    function
        Takes one float64 array [bars] for each frame and returns one of the same length, causal.
    frames
        Inputs [time x symbol] with the same index and columns; known where all of them are.
    warmup
        Bars up to and including the first value; shorter runs stay NaN.
    """
    first = frames[0]
    # One copy in column order: TA-Lib wants each series contiguous.
    columns = [np.ascontiguousarray(frame.to_numpy(dtype=np.float64).T) for frame in frames]
    known = np.logical_and.reduce([np.isfinite(values) for values in columns])
    out = np.full(known.shape, np.nan)
    for i, row in enumerate(known):
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).reshape(-1, 2)
        for start, stop in edges:
            if stop - start >= warmup:
                out[i, start:stop] = function(*(values[i, start:stop] for values in columns))
    return pd.DataFrame(out.T, index=first.index, columns=first.columns)
