"""How long a spread takes to come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantlib.errors import DataError
from quantlib.strategies.course import STILL
from quantlib.types import FloatArray


@dataclass(frozen=True)
class HalfLife:
    """How many sessions it takes until half of a gap has closed, with its 95 % interval.

    Infinite where the series does not come back; `high` is where that cannot be ruled out.
    """

    value: float
    low: float
    high: float


def half_life(series: FloatArray) -> HalfLife:
    """Return the half-life of a series' return to its mean, by a regression of each value on the one before.

    The first-order coefficient b of x[t] = a + b x[t-1] + e gives ln(1/2) / ln(b); its interval comes from b plus and
    minus 1.96 standard errors. A b of 1 or above is infinite, one of 0 or below is 0: the gap closes at once. Least
    squares puts b too low in short samples, so the half-life is on the short side.

    Raises
    ------
    DataError
        Fewer than 10 values, an unknown one, or none that differs.

    References
    ----------
    Ornstein and Uhlenbeck (1930), sampled at each session.
    """
    x = np.asarray(series, dtype=np.float64)
    if len(x) < 10 or not np.isfinite(x).all():
        raise DataError(
            f"A half-life needs 10 known values in a row; got {len(x)}, {np.isfinite(x).sum()} of them known."
        )
    before = x[:-1] - x[:-1].mean()
    spare = before @ before
    if spare <= STILL * (x @ x) or spare == 0:
        raise DataError(f"A half-life needs a series that moves; all {len(x)} values are {x[0]:g}.")
    b = before @ x[1:] / spare
    rest = x[1:] - x[1:].mean() - b * before
    error = np.sqrt(rest @ rest / (len(rest) - 2) / spare)
    value, low, high = (_sessions(c) for c in (b, b - 1.96 * error, b + 1.96 * error))
    return HalfLife(value, low, high)


def _sessions(coefficient: float) -> float:
    if coefficient >= 1.0:
        return float("inf")
    return float(np.log(0.5) / np.log(coefficient)) if coefficient > 0 else 0.0
