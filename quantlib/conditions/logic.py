"""Three-valued logic on arrays: 1 is true, 0 is false, NaN is unknown (Kleene's strong logic)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.types import FloatArray


def truth(holds: NDArray[np.bool_], *of: FloatArray) -> FloatArray:
    """Return a comparison as truth, unknown where any of the numbers compared is."""
    unknown = np.isnan(of[0])
    for values in of[1:]:
        unknown = unknown | np.isnan(values)
    return np.where(unknown, np.nan, holds)


def opposite(a: FloatArray) -> FloatArray:
    """Return `not a`; the opposite of the unknown is unknown."""
    return 1.0 - a


def both(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return `a and b`: false where one of them is, else unknown where one of them is."""
    return np.where((a == 0) | (b == 0), 0.0, a * b)


def either(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return `a or b`: true where one of them is, else unknown where one of them is."""
    return np.where((a == 1) | (b == 1), 1.0, a + b)


def known_or_nan(values: FloatArray) -> FloatArray:
    """Return numbers with what is not finite made unknown: a division by zero has no value."""
    return np.where(np.isfinite(values), values, np.nan)
