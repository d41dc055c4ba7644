"""How gains and losses are spread: lopsided, fat in the tails, many small or few large."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.metrics.risk import deviation_of
from quantlib.metrics.series import enough, excess, level_of, number, over, values_of
from quantlib.types import FloatArray


def _standard(r: FloatArray) -> FloatArray:
    """Return distances from the mean in population standard deviations; NaN where nothing varies."""
    n = r.shape[-1]
    deviation = deviation_of(r)[..., None] * np.sqrt((n - 1) / n)
    return over(r - r.mean(axis=-1, keepdims=True), deviation)


def skewness_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the skewness of each series, corrected for n, along the last axis."""
    n, z = r.shape[-1], _standard(r)
    return np.asarray((z * z * z).mean(axis=-1) * np.sqrt(n * (n - 1)) / (n - 2))


def excess_kurtosis_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the kurtosis of each series above a normal's, corrected for n, along the last axis."""
    n, squares = r.shape[-1], np.square(_standard(r))
    plain = (squares * squares).mean(axis=-1) - 3.0
    return np.asarray(((n + 1) * plain + 6.0) * (n - 1) / ((n - 2) * (n - 3)))


def omega_ratio_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return gains over losses of each series of excess returns, along the last axis."""
    return over(np.maximum(r, 0.0).sum(axis=-1), -np.minimum(r, 0.0).sum(axis=-1))


def gain_to_pain_ratio_of(r: FloatArray, _periods_per_year: float = 1.0) -> FloatArray:
    """Return the sum of returns over the sum of losses of each series, along the last axis."""
    return over(r.sum(axis=-1), -np.minimum(r, 0.0).sum(axis=-1))


def tail_ratio_of(r: FloatArray, _periods_per_year: float = 1.0, level: float = 0.95) -> FloatArray:
    """Return the size of a rare gain over that of a rare loss of each series, along the last axis."""
    loss, gain = np.quantile(r, [1.0 - level, level], axis=-1)
    return over(np.abs(gain), np.abs(loss))


def skewness(returns: pd.Series) -> float:
    """Return the skewness, corrected for n: below zero where large losses are more usual than large gains.

    NaN where the returns do not vary. Not annualised.

    Raises
    ------
    DataError
        Fewer than 30 returns came, or a return is unknown or below -1.

    References
    ----------
    Joanes, Gill (1998), Comparing measures of sample skewness and kurtosis, The Statistician 47(1), 183-189: G1.
    """
    return number(skewness_of(enough(values_of(returns), "Skewness")))


def excess_kurtosis(returns: pd.Series) -> float:
    """Return the kurtosis above that of a normal distribution, corrected for n: above zero where tails are fat.

    NaN where the returns do not vary. Not annualised.

    Raises
    ------
    DataError
        Fewer than 30 returns came, or a return is unknown or below -1.

    References
    ----------
    Joanes, Gill (1998), Comparing measures of sample skewness and kurtosis, The Statistician 47(1), 183-189: G2.
    """
    return number(excess_kurtosis_of(enough(values_of(returns), "Kurtosis")))


def omega_ratio(returns: pd.Series, *, threshold: float | pd.Series = 0.0) -> float:
    """Return the sum of what lies above a threshold over the sum of what lies below; 1 is as much as was lost.

    NaN where nothing lies below.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    threshold
        The return for one period (not a year) from which on a period is a gain, or a series on the same index.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the indices differ.

    References
    ----------
    Keating, Shadwick (2002), A universal performance measure, J. Performance Measurement 6(3).
    """
    return number(omega_ratio_of(enough(excess(returns, threshold, "threshold"), "An omega ratio")))


def gain_to_pain_ratio(returns: pd.Series) -> float:
    """Return the sum of all returns over the sum of the losses, on the periods given; NaN without a loss.

    On the same periods that is the omega ratio less 1. Schwager measures months: give it
    `monthly_returns(returns)` to compare with his.

    Raises
    ------
    DataError
        Fewer than 30 returns came, or a return is unknown or below -1.

    References
    ----------
    Schwager (2012), Hedge Fund Market Wizards, appendix A.
    """
    return number(gain_to_pain_ratio_of(enough(values_of(returns), "A gain-to-pain ratio")))


def tail_ratio(returns: pd.Series, *, level: float = 0.95) -> float:
    """Return the size of the return at `level` over that at 1 - `level`; above 1 where rare gains are the larger.

    Quantiles are interpolated between observed returns.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    level
        Quantile of the gains, between 0 and 1.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the level is not between 0 and 1.
    """
    return number(tail_ratio_of(enough(values_of(returns), "A tail ratio"), level=level_of(level)))
