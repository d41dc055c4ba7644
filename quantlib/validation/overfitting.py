"""How often choosing the best variant chose badly: the probability of backtest overfitting."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import over
from quantlib.types import FloatArray
from quantlib.validation.trials import variant_returns

_AT_ONCE = 2**15
"""Sharpe ratios held at a time: few enough to stay in the processor's cache, which is five times as quick."""


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What became of the variant that was best in one half of the record, in the other half.

    Parameters
    ----------
    probability
        Share of the choices that did no better than the median variant in the other half; 0.5 is what choosing
        among variants without any difference gives, on average over many searches.
    logits
        By choice the logarithm of w / (1 - w), w the rank of the chosen variant in the other half, between 0 and 1.
    inside, outside
        By choice the chosen variant's Sharpe ratio of a session in the half it was chosen in, and in the other.
    loss
        Share of the choices that lost in the other half.
    slope, intercept
        Of the line through `outside` by `inside`: below zero the best-looking choices did worst. NaN where all
        choices looked as good.
    """

    probability: float
    logits: FloatArray
    inside: FloatArray
    outside: FloatArray
    loss: float
    slope: float
    intercept: float


def probability_of_backtest_overfitting(variants: pd.DataFrame, *, blocks: int = 16) -> Overfitting:
    """Return how the best of the variants in half of the record did in the other half, over all ways to halve it.

    Combinatorially symmetric cross-validation: the record is cut into blocks of equal length (give or take a
    session), every half of the blocks is a place to choose in once, and its complement the place to be judged. 16
    blocks make 12,870 choices. A variant that does not vary counts as a Sharpe ratio of 0.

    One search without skill has a probability anywhere around 0.5, for the halves are of one record: a high one
    speaks against the choice, a middling one for nothing.

    Parameters
    ----------
    variants
        Daily returns after costs [session x variant], all that were tried of an idea. Flat before the first.
    blocks
        How many blocks, an even number.

    Raises
    ------
    DataError
        There are fewer than two variants or two sessions a block, a return is unknown, or `blocks` is odd.

    References
    ----------
    Bailey, Borwein, Lopez de Prado, Zhu (2017), The probability of backtest overfitting, Journal of Computational
    Finance 20(4), 39-69.

    Examples
    --------
    >>> returns = np.random.default_rng(0).normal(0.0, 0.01, (500, 5)) + [0, 0, 0, 0, 0.01]
    >>> probability_of_backtest_overfitting(pd.DataFrame(returns)).probability
    0.0
    """
    values = variant_returns(variants)
    sessions, width = values.shape
    if width < 2:
        raise DataError("One variant leaves nothing to choose among; accepted: two or more.")
    if blocks < 2 or blocks % 2 or blocks > 20:
        raise DataError(f"blocks is {blocks}; accepted: an even number, 2 to 20.")
    if sessions < 2 * blocks:
        raise DataError(f"{sessions} sessions are too few for {blocks} blocks; accepted: two sessions a block or more.")
    cuts = np.linspace(0, sessions, num=blocks + 1).astype(np.intp)
    # Sums about each variant's own mean: the difference of large squares would lose the digits of a small variance.
    centre = values.mean(axis=0)
    off = values - centre
    lengths = np.diff(cuts).astype(np.float64)
    sums = np.add.reduceat(off, cuts[:-1], axis=0)
    squares = np.add.reduceat(off * off, cuts[:-1], axis=0)

    def ratios(taken: FloatArray) -> FloatArray:
        """Return Sharpe ratios [choice, variant] over the blocks taken [choice, block]."""
        n = (taken @ lengths)[:, None]
        mean = taken @ sums / n
        variance = np.maximum(taken @ squares / n - mean * mean, 0.0) * n / (n - 1.0)
        return np.nan_to_num(over(mean + centre, np.sqrt(variance)))

    # A half and its complement are two choices: the first half of the combinations has one of each pair.
    pairs = combinations(range(blocks), blocks // 2)
    left = comb(blocks, blocks // 2) // 2
    chosen: list[FloatArray] = []
    while left:
        count = min(left, max(1, _AT_ONCE // width))
        taken = np.zeros((count, blocks))
        np.put_along_axis(taken, np.array(list(islice(pairs, count))), 1.0, axis=1)
        one, other = ratios(taken), ratios(1.0 - taken)
        chosen += [_judged(one, other), _judged(other, one)]
        left -= count
    inside, outside, rank = np.concatenate(chosen, axis=1)
    logits = np.log(rank / (1.0 - rank))
    slope = intercept = float("nan")
    if np.ptp(inside) > 1e-12:
        slope, intercept = (float(c) for c in np.polyfit(inside, outside, 1))
    return Overfitting(
        probability=float((logits <= 0.0).mean()),
        logits=logits,
        inside=inside,
        outside=outside,
        loss=float((outside < 0.0).mean()),
        slope=slope,
        intercept=intercept,
    )


def _judged(inside: FloatArray, outside: FloatArray) -> FloatArray:
    """Return the best variant's ratio inside, its ratio outside and its rank there in (0, 1) as rows, by choice."""
    rows, best = np.arange(len(inside)), inside.argmax(axis=1)
    own = outside[rows, best]
    below, equal = (outside < own[:, None]).sum(axis=1), (outside == own[:, None]).sum(axis=1)
    rank = (below + (equal + 1.0) / 2.0) / (outside.shape[1] + 1.0)
    return np.stack([inside[rows, best], own, rank])
