"""All metrics of a series of returns at once, each with the interval its sampling error allows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from quantlib.metrics.series import NEGLIGIBLE, Kernel, count_of
from quantlib.types import FloatArray

ENOUGH = 30
"""Below this many returns an interval would only look like knowledge."""

_CHUNK = 2**19
"""Resampled returns held at a time: small enough to stay in the processor's cache."""


def block_length(values: FloatArray) -> float:
    """Return the mean block length for a stationary bootstrap of returns [n], 1 or above.

    The longer of what Politis and White's rule asks for the returns and for their squares: returns hardly
    depend on their past while their size does, and volatility, drawdown and tail metrics live off the size.

    References
    ----------
    Politis, White (2004), Automatic block-length selection for the dependent bootstrap, Econometric
    Reviews 23, 53-70; corrected by Patton, Politis, White (2009).
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  its import takes over a second

    if np.ptp(values) <= NEGLIGIBLE:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a series with a single non-zero return
        found = optimal_block_length(np.column_stack([values, values**2]))["stationary"].to_numpy()
    return float(np.fmax(found, 1.0).max())


def resampled(
    kernels: Mapping[str, Kernel], values: FloatArray, periods_per_year: float, *, samples: int, seed: int
) -> FloatArray:
    """Return each metric [metric, sample] on stationary bootstrap resamples of returns [n].

    References
    ----------
    Politis, Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.
    """
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  its import takes over a second

    draws = StationaryBootstrap(block_length(values), values, seed=np.random.default_rng(seed))
    rows = max(1, _CHUNK // len(values))
    out = np.empty((len(kernels), samples))
    for first in range(0, samples, rows):
        last = min(first + rows, samples)
        paths = np.stack([data[0] for data, _ in draws.bootstrap(last - first)])
        for i, kernel in enumerate(kernels.values()):
            out[i, first:last] = kernel(paths, periods_per_year)
    return out


def interval(estimates: FloatArray, confidence: float) -> FloatArray:
    """Return the percentile interval [2, metric] of bootstrap estimates [metric, sample].

    Unknown where more than 1 - confidence of the resamples left the metric undefined.
    """
    undefined = np.isnan(estimates)
    usable = undefined.mean(axis=1) <= 1.0 - confidence
    tail = (1.0 - confidence) / 2.0
    out = np.full((2, len(estimates)), np.nan)
    if usable.any():
        out[:, usable] = np.nanquantile(estimates[usable], [tail, 1.0 - tail], axis=1)
    return out


def table(
    kernels: Mapping[str, Kernel],
    values: FloatArray,
    periods_per_year: float,
    *,
    seed: int,
    samples: int,
    confidence: float,
) -> pd.DataFrame:
    """Return value, ci_low, ci_high and n of each metric on checked returns [n]; see `metrics.summary`."""
    seed, samples = count_of(seed, "seed"), count_of(samples, "samples")
    value = np.array([float(kernel(values, periods_per_year)) for kernel in kernels.values()])
    ends = np.full((2, len(kernels)), np.nan)
    if len(values) >= ENOUGH and samples:
        estimates = resampled(kernels, values, periods_per_year, samples=samples, seed=seed)
        ends = np.where(np.isnan(value), np.nan, interval(estimates, confidence))
    return pd.DataFrame(
        {"value": value, "ci_low": ends[0], "ci_high": ends[1], "n": len(values)},
        index=pd.Index(kernels, name="metric"),
    )
