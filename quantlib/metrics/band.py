"""How far chance goes: the band that other orders of the same returns span."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.metrics.intervals import block_length
from quantlib.metrics.series import ENOUGH, count_of, level_of, values_of
from quantlib.types import FloatArray


def growth_band(returns: pd.Series, *, coverage: float = 0.95, samples: int = 300, seed: int = 0) -> pd.DataFrame:
    """Return where growth of 1 lies in a share of resampled histories at each date, columns low and high.

    Blocks of returns are drawn with replacement, as for the intervals of `summary`: it shows sampling error only.

    Parameters
    ----------
    returns
        Simple returns [T], each -1 or above and none unknown; the first is that of the first date.
    coverage
        Share of the histories between low and high, between 0 and 1.
    samples
        Histories drawn.
    seed
        Of the drawing; 0 or above. The same seed gives the same band.

    Returns
    -------
    DataFrame
        On the dates of the returns; NaN below 30 returns.

    References
    ----------
    Politis, Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.
    """
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  its import takes over a second

    values, level = values_of(returns), level_of(coverage, "coverage")
    ends: FloatArray = np.full((2, len(values)), np.nan)
    if len(values) >= ENOUGH and count_of(samples, "samples"):
        rng = np.random.default_rng(count_of(seed, "seed"))
        draws = StationaryBootstrap(block_length(values), values, seed=rng).bootstrap(samples)
        growth: FloatArray = np.cumprod(1.0 + np.stack([data[0] for data, _ in draws]), axis=1, dtype=np.float64)
        ends[:] = np.quantile(growth, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return pd.DataFrame({"low": ends[0], "high": ends[1]}, index=returns.index)
