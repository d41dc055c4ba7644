"""The normal law, conditioned: what the rest does given what some of it did. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quantlib.errors import DataError
from quantlib.types import FloatArray

CUTOFF = 1e-10
"""Eigenvalues below this share of the largest count as zero."""


class Conditional(NamedTuple):
    """A normal law given some of its linear combinations.

    Attributes
    ----------
    mean
        Conditional mean [N].
    covariance
        Conditional covariance [N, N].
    gain
        How far everything moves for one of each combination [N, K].
    """

    mean: FloatArray
    covariance: FloatArray
    gain: FloatArray


def condition(mean: FloatArray, covariance: FloatArray, named: FloatArray, values: FloatArray) -> Conditional:
    """Return the law of x given A x = s: mu + S A' (A S A')^+ (s - A mu), and S - S A' (A S A')^+ A S.

    Where A picks single elements this is E[x_u | x_s] = mu_u + S_us S_ss^-1 (x_s - mu_s). Shocks on two series that
    are the same in history are met by the pseudo-inverse, as long as they agree.

    Parameters
    ----------
    mean, covariance
        Of x [N], [N, N].
    named
        The combinations A [K, N].
    values
        What they come to, s [K].

    Raises
    ------
    DataError
        The covariance is none, or the values cannot be met together.

    Examples
    --------
    >>> law = condition(np.zeros(2), np.array([[4.0, 2.0], [2.0, 9.0]]), np.array([[1.0, 0.0]]), np.array([-1.0]))
    >>> law.mean, law.covariance[1, 1]
    (array([-1. , -0.5]), np.float64(8.0))
    """
    check_covariance(covariance)
    cross = covariance @ named.T
    gain = np.asarray(cross @ np.linalg.pinv(named @ cross, rcond=CUTOFF, hermitian=True))
    moved = mean + gain @ (values - named @ mean)
    off = np.abs(named @ moved - values)
    if (off > 1e-8 * np.maximum(1.0, np.abs(values))).any():
        raise DataError(
            f"Shock {off.argmax() + 1} cannot be met beside the others: in history it did not move, or moved exactly "
            "as the others together. Drop it, or make them agree."
        )
    left = covariance - gain @ cross.T
    return Conditional(moved, (left + left.T) / 2.0, gain)


def check_covariance(covariance: FloatArray, names: Sequence[str] = ()) -> None:
    """Raise where a matrix is no covariance: not square, not finite, not symmetric, or with a negative variance.

    Raises
    ------
    DataError
        With the smallest eigenvalue, or the first element that is wrong.
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise DataError(f"A covariance has as many rows as columns; this one has the shape {covariance.shape}.")
    if not np.isfinite(covariance).all():
        i, j = np.argwhere(~np.isfinite(covariance))[0]
        pair = f"{names[i]} and {names[j]}" if len(names) else f"row {i + 1}, column {j + 1}"
        raise DataError(f"The covariance of {pair} is not known. Leave one out, or give more history.")
    if not np.allclose(covariance, covariance.T, rtol=1e-8, atol=0.0):
        raise DataError("A covariance is symmetric; this one is not. Give the same value on both sides.")
    values = np.linalg.eigvalsh(covariance)
    if values[0] < -CUTOFF * max(values[-1], 0.0) or values[-1] < 0.0:
        raise DataError(
            f"The covariance is not positive definite: its smallest eigenvalue is {values[0]:.3g} where the largest is "
            f"{values[-1]:.3g}, so some portfolio would have a negative variance. Raise the correlations, or shrink "
            "them towards zero."
        )


def with_correlation(covariance: FloatArray, correlation: float) -> FloatArray:
    """Return the covariance with the same variances, every pair correlated alike.

    Raises
    ------
    DataError
        The correlation of N is below -1 / (N - 1): so many cannot all move against each other.

    Examples
    --------
    >>> with_correlation(np.diag([1.0, 4.0]), 1.0)
    array([[1., 2.],
           [2., 4.]])
    """
    n = len(covariance)
    if n > 1 and correlation < -1.0 / (n - 1):
        raise DataError(
            f"A correlation of {correlation:g} between all {n} symbols is not positive definite; accepted: "
            f"{-1.0 / (n - 1):.3g} to 1. Raise it, or take fewer symbols."
        )
    spread = np.sqrt(np.diag(covariance))
    common = np.full((n, n), float(correlation))
    np.fill_diagonal(common, 1.0)
    return np.asarray(common * np.outer(spread, spread))


def root_of(covariance: FloatArray) -> FloatArray:
    """Return R with R R' equal to the covariance [N, N], which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.where(values > CUTOFF * max(values[-1], 0.0), values, 0.0)))
