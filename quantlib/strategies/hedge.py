"""Ratios between the legs of a group, each from the sessions up to its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.strategies.legs import Hedge
from quantlib.types import FloatArray

#: Determinant of a correlation matrix below which regressors cannot be told apart.
COLLINEAR = 1e-8
#: Variance of the filter's first guess, in variances of the noise: it knows nothing.
DIFFUSE = 1e6


def rolling_moments(values: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Return means [T, L] and covariances [T, L, L] of each window, by the kernel below."""
    # Also writable, or it is compiled once more for arrays that are not.
    moments: tuple[FloatArray, FloatArray] = rolling_moments_nb(np.require(values, np.float64, ["C", "W"]), n)
    return moments


@kernel
def rolling_moments_nb(values: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Return means [T, L] and covariances [T, L, L] (divisor n - 1) of each window of `n` rows; NaN where not full.

    Each window is summed on its own, so a value is the same whatever came before its window. A window with an unknown
    value is unknown.
    """
    n_rows, n_legs = values.shape
    means = np.full((n_rows, n_legs), np.nan)
    covariances = np.full((n_rows, n_legs, n_legs), np.nan)
    for t in range(n - 1, n_rows):
        first = t - n + 1
        for i in range(n_legs):
            total = 0.0
            for u in range(first, t + 1):
                total += values[u, i]
            means[t, i] = total / n
        for i in range(n_legs):
            for j in range(i + 1):
                total = 0.0
                for u in range(first, t + 1):
                    total += (values[u, i] - means[t, i]) * (values[u, j] - means[t, j])
                covariances[t, i, j] = total / (n - 1)
                covariances[t, j, i] = total / (n - 1)
    return means, covariances


@kernel
def kalman_nb(explained: FloatArray, others: FloatArray, drift: float, diffuse: float) -> FloatArray:
    """Return the filtered coefficients [T, K + 1] of a regression on K others; the last is the intercept.

    The coefficients are random walks. In units of the noise's variance, each steps with variance `drift`, and starts
    at 0 with variance `diffuse`. Row t has seen rows up to t.
    """
    n_rows, k = others.shape
    out = np.empty((n_rows, k + 1))
    state = np.zeros(k + 1)
    cov = np.eye(k + 1) * diffuse
    x = np.ones(k + 1)
    for t in range(n_rows):
        for i in range(k + 1):
            cov[i, i] += drift
        x[:k] = others[t]
        seen = np.zeros(k + 1)
        for i in range(k + 1):
            for j in range(k + 1):
                seen[i] += cov[i, j] * x[j]
        noise = 1.0
        miss = explained[t]
        for i in range(k + 1):
            noise += x[i] * seen[i]
            miss -= x[i] * state[i]
        gain = seen / noise
        for i in range(k + 1):
            state[i] += gain[i] * miss
            for j in range(k + 1):
                cov[i, j] -= gain[i] * seen[j]
        out[t] = state
    return out


def ratios(
    hedge: Hedge, log: FloatArray, weights: FloatArray, durations: FloatArray, explained: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return signed dollar ratios of the legs [T, L] for a long group, and whether a trade may begin on them [T].

    Parameters
    ----------
    hedge
        The method and its window.
    log
        Logarithms of the legs' closes [T, L], all known.
    weights, durations
        Of the legs [L].
    explained
        The leg that the ratios are expressed in: it has its weight's size, or 1 where the method finds the ratio.
    """
    method, n, n_rows = hedge.method, hedge.lookback, len(log)
    if method in {"fixed", "dollar_neutral", "dv01"}:
        constant = weights
        if method == "dollar_neutral":
            sums = np.where(weights > 0, weights[weights > 0].sum(), -weights[weights < 0].sum())
            constant = weights / sums
        elif method == "dv01":
            constant = weights / durations * durations[explained]
        return np.tile(constant, (n_rows, 1)), np.ones(n_rows, dtype=np.bool_)
    if method == "volatility":
        return _inverse_volatility(log, n, weights, explained)
    return _fitted(hedge, log, np.sign(weights), explained)


def _inverse_volatility(
    log: FloatArray, n: int, weights: FloatArray, explained: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    _, covariance = rolling_moments(returns_of(log), n)
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    moves = np.asarray((deviation > 1e-10).all(axis=1))
    found = np.full(log.shape, np.nan)
    found[moves] = weights / deviation[moves] * deviation[moves, explained, None]
    return found, moves


def _fitted(hedge: Hedge, log: FloatArray, signs: FloatArray, explained: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return ratios with the explained leg at its sign, the others as the fit has them."""
    n_rows, n_legs = log.shape
    others = [i for i in range(n_legs) if i != explained]
    found = np.full((n_rows, n_legs), np.nan)
    if hedge.method == "kalman":
        # Measured from the first close, so that the filter does not depend on the unit that prices are in.
        start = log[:1]
        slopes = kalman_nb(
            log[:, explained] - start[:, explained], log[:, others] - start[:, others], hedge.drift, DIFFUSE
        )
        found[:, others] = -slopes[:, :-1]
        found[:, explained] = 1.0
        found[: hedge.lookback - 1] = np.nan
    else:
        moved = returns_of(log) if hedge.method in {"beta", "pca"} else log
        _, covariance = rolling_moments(moved, hedge.lookback)
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        full = np.isfinite(variance).all(axis=1) & (np.nan_to_num(variance) > 1e-20).all(axis=1)
        scale = np.sqrt(variance[full])
        correlation = covariance[full] / scale[:, :, None] / scale[:, None, :]
        if hedge.method in {"ols", "beta"}:
            apart = np.linalg.det(correlation[:, others][:, :, others]) > COLLINEAR
            rows = np.flatnonzero(full)[apart]
            c = covariance[rows]
            slopes = np.linalg.solve(c[:, others][:, :, others], c[:, others, explained][:, :, None])[:, :, 0]
            found[np.ix_(rows, others)] = -slopes
            found[rows, explained] = 1.0
        else:
            # The direction in which the legs together move least: the errors of all legs, or the last component.
            _, vectors = np.linalg.eigh(covariance[full])
            least = vectors[:, :, 0]
            with np.errstate(divide="ignore"):
                found[full] = least / least[:, [explained]]
    with np.errstate(invalid="ignore"):
        found = np.where(np.isfinite(found).all(axis=1, keepdims=True), found * signs[explained], np.nan)
        usable = np.asarray((np.sign(found) == signs).all(axis=1))
    return found, usable


def returns_of(log: FloatArray) -> FloatArray:
    """Return log returns [T, L]; the first row is NaN."""
    out = np.full(log.shape, np.nan)
    out[1:] = np.diff(log, axis=0)
    return out


def fitted_ratios(hedge: Hedge, n_legs: int) -> int:
    """Return how many coefficients the spread's own window was used to find, which its standard deviation pays for."""
    return n_legs - 1 if hedge.method == "ols" else 0
