"""Many metrics of one record at once, each with the interval its sampling error allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from quantlib.metrics.metric import Metric
from quantlib.metrics.series import ENOUGH, NEGLIGIBLE, Kernel, count_of
from quantlib.types import FloatArray

_CHUNK = 2**19
"""Resampled returns held at a time: small enough to stay in the processor's cache."""


def block_length(*columns: FloatArray) -> float:
    """Return the mean block length for a stationary bootstrap of columns [n] that belong together, 1 or above.

    The longest of what Politis and White's rule asks for each and for its squares: returns hardly depend on their
    past while their size does, and volatility, drawdown and tail metrics live off the size.

    References
    ----------
    Politis, White (2004), Automatic block-length selection for the dependent bootstrap, Econometric
    Reviews 23, 53-70; corrected by Patton, Politis, White (2009).
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  its import takes over a second

    varied = [column for column in columns if np.ptp(column) > NEGLIGIBLE]
    if not varied:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a series with a single non-zero return
        both = np.column_stack([power for column in varied for power in (column, column**2)])
        found = optimal_block_length(both)["stationary"].to_numpy()
    return float(np.fmax(found, 1.0).max())


def resampled(
    kernels: Mapping[str, Kernel],
    columns: Sequence[FloatArray],
    periods_per_year: float,
    *,
    samples: int,
    seed: int,
) -> FloatArray:
    """Return each metric [metric, sample] on stationary bootstrap resamples of columns [n], taken together.

    References
    ----------
    Politis, Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.
    """
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  its import takes over a second

    draws = StationaryBootstrap(block_length(*columns), *columns, seed=np.random.default_rng(seed))
    rows = max(1, _CHUNK // len(columns[0]))
    out = np.empty((len(kernels), samples))
    for first in range(0, samples, rows):
        last = min(first + rows, samples)
        drawn = [data for data, _ in draws.bootstrap(last - first)]
        paths = [np.stack(column) for column in zip(*drawn, strict=True)]
        for i, kernel in enumerate(kernels.values()):
            out[i, first:last] = kernel(*paths, periods_per_year)
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
    metrics: Iterable[Metric],
    columns: Sequence[FloatArray],
    periods_per_year: float,
    *,
    seed: int,
    samples: int,
    confidence: float,
) -> pd.DataFrame:
    """Return value, interval, n and periods a year of metrics made from checked columns [n]; see `metrics.summary`."""
    seed, samples = count_of(seed, "seed"), count_of(samples, "samples")
    kernels = {metric.key: metric.kernel for metric in metrics if metric.kernel is not None}
    n = len(columns[0])
    value = np.array(
        [
            float(metric.kernel(*columns, periods_per_year)) if n >= metric.least else np.nan
            for metric in metrics
            if metric.kernel is not None
        ]
    )
    ends = np.full((2, len(kernels)), np.nan)
    if n >= ENOUGH and samples:
        estimates = resampled(kernels, columns, periods_per_year, samples=samples, seed=seed)
        ends = np.where(np.isnan(value), np.nan, interval(estimates, confidence))
    return pd.DataFrame(
        {"value": value, "ci_low": ends[0], "ci_high": ends[1], "n": n, "periods_per_year": periods_per_year},
        index=pd.Index(kernels, name="metric"),
    )
