"""Means over events whose windows share sessions: which belong together, and what that leaves of their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from quantlib.types import FloatArray

Labels = NDArray[np.intp]

FEW = 8
"""Clusters below which an interval or a t statistic would only look like knowledge."""


def clusters_of(rows: Labels, span: int) -> Labels:
    """Return the number of each event's cluster [..., E], for rows ascending along the last axis.

    Two events belong together where their windows share a session: on the same day, or at most `span` sessions
    apart; and so do those linked by a third.
    """
    apart = np.diff(rows, axis=-1) > span
    first = np.zeros((*rows.shape[:-1], 1), dtype=np.intp)
    return np.concatenate([first, np.cumsum(apart, axis=-1, dtype=np.intp)], axis=-1)


def mean_and_t(values: FloatArray, labels: Labels) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, clustered t statistic and number of clusters of each row of values [B, E].

    NaN values are left out. The variance sums deviations within clusters first, so that what events share counts
    once; with its factor G / (G - 1) it is the usual CR1. The t statistic is NaN below two clusters.
    """
    known = np.isfinite(values)
    n = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=1) / n
        off = np.where(known, values - mean[:, None], 0.0)
        place = (labels + np.arange(len(values))[:, None] * values.shape[1]).ravel()
        sums = np.bincount(place, off.ravel(), minlength=values.size).reshape(values.shape)
        groups = (np.bincount(place, known.ravel(), minlength=values.size).reshape(values.shape) > 0).sum(axis=1)
        error = np.sqrt((sums**2).sum(axis=1) * groups / (groups - 1.0)) / n
        t = np.where((groups > 1) & (error > 0), mean / error, np.nan)
    return mean, t, groups.astype(np.float64)


def regression(y: FloatArray, x: FloatArray, labels: Labels) -> tuple[FloatArray, FloatArray]:
    """Return coefficients [K, D] and their clustered standard errors of y [E, D] on x [E, K], all known.

    CR1: the sandwich of clusters' scores times G / (G - 1) (E - 1) / (E - K). Errors are NaN below two clusters.
    """
    events, terms = x.shape
    bread = np.linalg.inv(x.T @ x)
    fitted = bread @ x.T @ y
    _, place = np.unique(labels, return_inverse=True)
    groups = int(place.max()) + 1
    if groups < 2 or events <= terms:
        return fitted, np.full_like(fitted, np.nan)
    scores = np.zeros((groups, terms, y.shape[1]))
    np.add.at(scores, place, x[:, :, None] * (y - x @ fitted)[:, None, :])
    meat = np.einsum("gkd,gld->dkl", scores, scores)
    factor = groups / (groups - 1.0) * (events - 1.0) / (events - terms)
    variance = np.einsum("dkk->kd", bread @ meat @ bread) * factor
    return fitted, np.sqrt(variance)


def mean_and_error(values: FloatArray, labels: Labels) -> tuple[FloatArray, FloatArray]:
    """Return mean and clustered standard error over events of values [E, D], all known."""
    mean, error = regression(values, np.ones((len(values), 1)), labels)
    return mean[0], error[0]


def cluster_draws(labels: Labels, samples: int, rng: np.random.Generator) -> FloatArray:
    """Return how often each cluster comes in each bootstrap sample [samples, G], clusters drawn with replacement.

    Parameters
    ----------
    labels
        Cluster of each event [E], from 0 up without holes.
    """
    groups = int(labels.max()) + 1
    chosen = rng.integers(groups, size=(samples, groups)) + groups * np.arange(samples)[:, None]
    counts = np.bincount(chosen.ravel(), minlength=samples * groups)
    return counts.reshape(samples, groups).astype(np.float64)


def by_cluster(values: FloatArray, labels: Labels) -> FloatArray:
    """Return the sums over each cluster [G, D] of values [E, D]."""
    sums = np.zeros((int(labels.max()) + 1, values.shape[1]))
    np.add.at(sums, labels, values)
    return sums


def resampled_interval(values: FloatArray, labels: Labels, draws: FloatArray, confidence: float) -> FloatArray:
    """Return the percentile interval [2, D] of the means of values [E, D] over bootstrap samples of whole clusters.

    NaN values are left out. NaN where fewer than `FEW` clusters have a value, or without samples.
    """
    known = np.isfinite(values)
    counts = by_cluster(known.astype(np.float64), labels)
    ends = np.full((2, values.shape[1]), np.nan)
    enough = (counts > 0).sum(axis=0) >= FEW
    if len(draws) and enough.any():
        sums = by_cluster(np.where(known, values, 0.0), labels)
        with np.errstate(invalid="ignore"):
            means = (draws @ sums[:, enough]) / (draws @ counts[:, enough])
        ends[:, enough] = interval(means, confidence)
    return ends


def interval(samples: FloatArray, confidence: float) -> FloatArray:
    """Return the percentile interval [2, ...] of samples [B, ...], unknown ones left out."""
    tail = (1.0 - confidence) / 2.0
    return np.asarray(np.nanquantile(samples, [tail, 1.0 - tail], axis=0))


def two_sided(t: float, clusters: float) -> float:
    """Return the p-value of a clustered t statistic, by Student's law with one degree less than clusters."""
    return float(2.0 * stats.t.sf(abs(t), clusters - 1)) if np.isfinite(t) and clusters > 1 else float("nan")
