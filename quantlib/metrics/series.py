"""The door of the metrics: a series of returns is checked here once and trusted inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.types import FloatArray

Kernel = Callable[..., FloatArray]
"""Columns [..., n], and last periods a year -> one number for each series, computed along the last axis."""

NEGLIGIBLE = 1e-12
"""A spread of returns below this is rounding, not risk: a ratio over it is unknown."""

ENOUGH = 30
"""Below this many observations a ratio or an interval would only look like knowledge."""


def over(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the ratio, NaN where the denominator is negligible: no risk seen is not infinite skill."""
    known = np.abs(denominator) > NEGLIGIBLE
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)


def values_of(returns: pd.Series) -> FloatArray:
    """Return simple periodic returns as float64 [n].

    Raises
    ------
    DataError
        Nothing was given, a return is unknown or infinite, or it loses more than everything.
    """
    if not isinstance(returns, pd.Series):
        raise DataError(f"Returns came as {type(returns).__name__}; accepted: one pandas Series of simple returns.")
    if returns.empty:
        raise DataError("There are no returns. Give at least one period.")
    try:
        values = returns.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"Returns are of type {returns.dtype}; accepted: numbers.") from None
    if not np.isfinite(values).all():
        unknown = np.flatnonzero(~np.isfinite(values))
        raise DataError(
            f"{len(unknown)} of {len(values)} returns are not known; the first is {values[unknown[0]]} at "
            f"{_label(returns.index[unknown[0]])}. Leave those periods out before measuring."
        )
    if (values < -1.0).any():
        first = int(np.argmax(values < -1.0))
        raise DataError(
            f"The return at {_label(returns.index[first])} is {values[first]:.4g}, a loss of more than "
            "everything. Accepted: -1 or above; an account that is ruined has -1 and then 0."
        )
    return values


def enough(values: FloatArray, what: str) -> FloatArray:
    """Return observations [n] as they came, refusing fewer than a ratio can be judged by."""
    if len(values) >= ENOUGH:
        return values
    raise DataError(
        f"{what} needs at least {ENOUGH} observations and {len(values)} came: fewer would only look like knowledge. "
        "Measure a longer record, or show the number as unknown."
    )


def paired(returns: pd.Series, other: pd.Series, name: str) -> FloatArray:
    """Return a second series of returns as float64 [n], refusing one that is not on the dates of the first."""
    values = values_of(other)
    if not other.index.equals(returns.index):
        raise DataError(
            f"The returns and the series {name} have different dates. "
            "Put both on one index first; nothing is filled here."
        )
    return values


def excess(returns: pd.Series, base: float | pd.Series, name: str) -> FloatArray:
    """Return returns above a base given for each period, once or as a series."""
    values = values_of(returns)
    if isinstance(base, pd.Series):
        return values - paired(returns, base, name)
    if not (isinstance(base, Real) and math.isfinite(base)):
        raise DataError(f"{name} is {base!r}; accepted: a rate for one period, or a series of them.")
    return values - float(base)


def dated(series: pd.Series, what: str = "Returns") -> pd.DatetimeIndex:
    """Return the dates of a series, refusing an index that is not of dates, ascending and each once."""
    index = series.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"{what} have an index of type {index.dtype}; accepted: dates, ascending and each once.")
    if not (index.is_monotonic_increasing and index.is_unique):
        raise DataError(f"{what} have dates that are not ascending or come twice; accepted: ascending and each once.")
    return index


def periods_of(periods_per_year: object) -> float:
    """Return periods a year as a float, refusing what is not a positive number."""
    if isinstance(periods_per_year, Real) and 0 < float(periods_per_year) < math.inf:
        return float(periods_per_year)
    raise DataError(
        f"periods_per_year is {periods_per_year!r}; accepted: a number above 0, "
        "such as 252 for stocks and 365 for crypto."
    )


def level_of(level: object, name: str = "level") -> float:
    """Return a probability as a float, refusing what is not strictly between 0 and 1."""
    if isinstance(level, Real) and 0 < float(level) < 1:
        return float(level)
    raise DataError(f"{name} is {level!r}; accepted: a number between 0 and 1, such as 0.95.")


def count_of(value: object, name: str) -> int:
    """Return a whole number, refusing what is not one or is negative."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0:
        return int(value)
    raise DataError(f"{name} is {value!r}; accepted: a whole number, 0 or above.")


def number(value: FloatArray) -> float:
    """Return the result of a kernel on one series as a plain float."""
    return float(value)


def _label(at: object) -> str:
    return f"{at:%Y-%m-%d}" if isinstance(at, pd.Timestamp) else repr(at)
