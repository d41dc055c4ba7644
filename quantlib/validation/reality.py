"""Is the best variant better than a benchmark by more than their number explains? White, Hansen, Romano and Wolf."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError
from quantlib.metrics import ENOUGH
from quantlib.types import FloatArray
from quantlib.validation.trials import variant_returns

_ASKED = 32
"""Variants asked for their block length."""
_AT_ONCE = 128
"""Resamples held at a time."""


@dataclass(frozen=True)
class RealityCheck:
    """Whether any variant beats the benchmark.

    Parameters
    ----------
    white
        White's p-value: of the best mean return, every variant taken to be as good as the benchmark. Many poor
        variants make it too high.
    lower, consistent, upper
        Hansen's p-values of the largest t-statistic. `consistent` is the one to read: variants that are clearly
        worse than the benchmark are left out of luck's part. `lower` leaves out all worse ones, `upper` none.
    best
        The variant with the largest t-statistic.
    survivors
        Variants that beat the benchmark with a chance of `size` that even one of them does not (StepM).
    block
        Mean length of the bootstrap's blocks, in sessions.
    draws
        Number of resamples. A p-value is (1 + resamples as good) / (1 + resamples): never 0.
    """

    white: float
    lower: float
    consistent: float
    upper: float
    best: Hashable
    survivors: tuple[Hashable, ...]
    block: float
    draws: int


def reality_check(
    variants: pd.DataFrame,
    *,
    benchmark: pd.Series | None = None,
    size: float = 0.05,
    draws: int = 1000,
    block: float | None = None,
    seed: int = 0,
) -> RealityCheck:
    """Return the tests of whether the best variant's mean return is above the benchmark's by more than luck.

    The days are resampled in blocks (stationary bootstrap), all variants together, so that it is known how high the
    best of so many, and so much alike, comes without skill.

    Parameters
    ----------
    variants
        Daily returns after costs [session x variant], all that were tried of an idea. Flat before the first.
    benchmark
        Daily returns on the same dates; None is cash, 0.
    size
        Chance of a false survivor.
    draws
        Number of resamples.
    block
        Mean block length; None takes the median over up to 32 variants of what Politis and White's rule asks for.
    seed
        Of the resamples.

    Raises
    ------
    DataError
        A return is unknown, the benchmark has other dates, no variant differs from it, or there are fewer than 30
        sessions.

    Notes
    -----
    `arch.bootstrap.SPA` gives the same p-values on statistics that are not divided by their errors, whatever its
    `studentize` says (in version 8 that moves only the line of the clearly worse). Here they are divided, as Hansen
    asks, and resampled means are one product of matrices, which 1,000 variants over 20 years need.

    References
    ----------
    White (2000), A reality check for data snooping, Econometrica 68(5), 1097-1126.
    Hansen (2005), A test for superior predictive ability, J. Business & Economic Statistics 23(4), 365-380.
    Romano, Wolf (2005), Stepwise multiple testing as formalized data snooping, Econometrica 73(4), 1237-1282.
    """
    values = variant_returns(variants)
    n = len(values)
    if n < ENOUGH:
        raise DataError(f"{n} sessions are too few to resample; accepted: {ENOUGH} or more.")
    if benchmark is not None:
        if not benchmark.index.equals(variants.index):
            raise DataError("The benchmark and the variants have different dates. Put both on one index first.")
        values = values - variant_returns(benchmark.to_frame())
    if not 0.0 < size < 1.0 or draws < 100:
        raise DataError(f"size is {size} and draws {draws}; accepted: a size between 0 and 1, 100 draws or more.")
    varied = np.ptp(values, axis=0) > 1e-12
    if not varied.any():
        raise DataError("No variant ever differs from the benchmark: there is nothing to test. Do they trade?")
    names, values = variants.columns[varied], values[:, varied]
    block = _block_length(values) if block is None else max(float(block), 1.0)
    mean = values.mean(axis=0)
    luck = _resampled_means(values, block, draws, seed) - mean
    error = luck.std(axis=0)
    score, scores = mean / error, luck / error
    # Hansen's line: a mean so far below that of the benchmark is no candidate for the best in the limit.
    worse = score < -np.sqrt(2.0 * np.log(np.log(n)))
    consistent = scores + np.where(worse, score, 0.0)
    return RealityCheck(
        white=_p_value(luck, mean),
        lower=_p_value(scores + np.minimum(score, 0.0), score),
        consistent=_p_value(consistent, score),
        upper=_p_value(scores, score),
        best=names[int(score.argmax())],
        survivors=tuple(names[_survivors(consistent, score, size)]),
        block=block,
        draws=draws,
    )


def _p_value(luck: FloatArray, seen: FloatArray) -> float:
    """Return how often the best of a resample [draw, variant] is as good as the best that was seen [variant]."""
    return float((1 + (luck.max(axis=1) >= seen.max()).sum()) / (1 + len(luck)))


def _survivors(luck: FloatArray, seen: FloatArray, size: float) -> NDArray[np.bool_]:
    """Return whether each variant is above what the best of those not yet above reaches by luck, step by step."""
    above = np.zeros(len(seen), dtype=np.bool_)
    while not above.all():
        new = ~above & (seen > np.quantile(luck[:, ~above].max(axis=1), 1.0 - size))
        if not new.any():
            break
        above |= new
    return above


def _resampled_means(values: FloatArray, block: float, draws: int, seed: int) -> FloatArray:
    """Return the means [draw, variant] of resamples of days: by draw how often each came, times the returns."""
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  its import takes over a second

    n = len(values)
    days = StationaryBootstrap(block, np.arange(n), seed=np.random.default_rng(seed))
    came = (np.bincount(drawn[0], minlength=n) for drawn, _ in days.bootstrap(draws))
    out = np.empty((draws, values.shape[1]))
    for first in range(0, draws, _AT_ONCE):
        last = min(first + _AT_ONCE, draws)
        out[first:last] = np.stack([next(came) for _ in range(first, last)]).astype(np.float64) @ values / n
    return out


def _block_length(values: FloatArray) -> float:
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  its import takes over a second

    some = np.unique(np.linspace(0, values.shape[1] - 1, num=_ASKED).astype(np.intp))
    with np.errstate(divide="ignore", invalid="ignore"):  # a series with a single non-zero return
        found = optimal_block_length(values[:, some])["stationary"].to_numpy()
    return float(np.median(np.fmax(found, 1.0)))
