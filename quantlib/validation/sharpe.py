"""How sure a Sharpe ratio is: above zero, above what luck gives after many trials, and after how many sessions.

Everything here is per session, not per year: a ratio a year is divided by the root of the sessions of a year before
it comes in, and multiplied by it where it is shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from quantlib.errors import DataError
from quantlib.metrics import excess_kurtosis, skewness


@dataclass(frozen=True)
class ReturnMoments:
    """What a record's Sharpe ratio and its error are made of.

    Parameters
    ----------
    n
        Number of sessions.
    mean, sd
        Of the returns of a session, sd with n - 1.
    skew
        Skewness.
    kurtosis
        Kurtosis itself, 3 for a normal distribution.
    """

    n: int
    mean: float
    sd: float
    skew: float
    kurtosis: float

    def __post_init__(self) -> None:
        if self.n < 2:
            raise DataError(f"Moments of {self.n} sessions say nothing; accepted: 2 sessions or more.")

    @classmethod
    def of(cls, returns: pd.Series) -> Self:
        """Return the moments of simple returns, skewness and kurtosis corrected for n.

        Raises
        ------
        DataError
            Fewer than 30 returns came, or a return is unknown or below -1.
        """
        skew, kurtosis = skewness(returns), excess_kurtosis(returns) + 3.0
        return cls(len(returns), float(returns.mean()), float(returns.std()), skew, kurtosis)

    @property
    def sharpe(self) -> float:
        """The Sharpe ratio of a session; NaN where the returns do not vary."""
        return self.mean / self.sd if self.sd > 1e-12 else float("nan")

    @property
    def stretch(self) -> float:
        """How much wider the error of the Sharpe ratio is than 1 / sqrt(n - 1), squared; NaN where it is unknown.

        1 - skew x SR + (kurtosis - 1) / 4 x SR^2: losses that are rare and large make a good ratio less certain.
        """
        ratio = self.sharpe
        value = 1.0 - self.skew * ratio + (self.kurtosis - 1.0) / 4.0 * ratio**2
        return value if value > 0.0 else float("nan")


def probabilistic_sharpe(record: pd.Series | ReturnMoments, *, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio of a session is above `benchmark`, given the record.

    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)). Returns are taken as independent of
    their past. NaN where they do not vary.

    Parameters
    ----------
    record
        Returns of a session, or their moments.
    benchmark
        SR*, per session.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or the benchmark is not a number.

    References
    ----------
    Bailey, Lopez de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2).

    Examples
    --------
    >>> round(probabilistic_sharpe(ReturnMoments(n=24, mean=0.458, sd=1.0, skew=-2.448, kurtosis=10.164)), 3)
    0.913
    """
    moments = _moments_of(record)
    gap = moments.sharpe - _finite(benchmark, "benchmark")
    return float(ndtr(gap * math.sqrt(moments.n - 1) / math.sqrt(moments.stretch)))


def expected_max_sharpe(n_trials: float, variance: float = 1.0) -> float:
    """Return the best Sharpe ratio that luck alone is expected to give among independent trials without skill.

    sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), z the normal quantile and g Euler's constant: the False Strategy
    theorem, an approximation for many trials. One trial has nothing to choose among: 0.

    Parameters
    ----------
    n_trials
        N, 1 or more; the effective number of trials need not be whole.
    variance
        V, the variance of the trials' Sharpe ratios per session.

    References
    ----------
    Bailey, Lopez de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio Management 40(5), 94-107.

    Examples
    --------
    >>> round(expected_max_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    n = _finite(n_trials, "n_trials")
    if n < 1.0:
        raise DataError(f"n_trials is {n_trials}; accepted: 1 or more. The strategy that was chosen is a trial too.")
    if not _finite(variance, "variance") >= 0.0:
        raise DataError(f"variance is {variance}; accepted: 0 or more.")
    if n == 1.0:
        return 0.0
    # Written with the small chances, which keep their digits where 1 - 1/N would lose them.
    typical = -(1.0 - np.euler_gamma) * ndtri(1.0 / n) - np.euler_gamma * ndtri(1.0 / (n * math.e))
    return math.sqrt(variance) * max(0.0, float(typical))


def luck_hurdle(record: pd.Series | ReturnMoments, *, n_trials: float, variance: float | None = None) -> float:
    """Return the Sharpe ratio of a session that luck alone would give the best of the trials: what to beat.

    Parameters
    ----------
    record
        Returns of the chosen strategy, or their moments.
    n_trials
        Effective number of trials, the chosen one among them: see `effective_trials`.
    variance
        Variance of the trials' Sharpe ratios per session. None or NaN where it is not known, and never taken as
        less than 1 / (n - 1), by which chance alone makes Sharpe ratios over n sessions differ: trials that
        resemble each other differ less among themselves, but are all as far from the truth.
    """
    moments = _moments_of(record)
    chance = 1.0 / (moments.n - 1)
    seen = chance if variance is None or math.isnan(variance) else max(_finite(variance, "variance"), chance)
    return expected_max_sharpe(n_trials, seen)


def deflated_sharpe(record: pd.Series | ReturnMoments, *, n_trials: float, variance: float | None = None) -> float:
    """Return the probability that the true Sharpe ratio is above zero although the record is the best of many.

    The probabilistic Sharpe ratio against `luck_hurdle`, which has the parameters; above 0.95 is a pass.

    Raises
    ------
    DataError
        Fewer than 30 returns came, a return is unknown or below -1, or `n_trials` or `variance` is out of range.

    References
    ----------
    Bailey, Lopez de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio Management 40(5), 94-107.

    Examples
    --------
    >>> record = ReturnMoments(n=1250, mean=2.5, sd=250**0.5, skew=-3, kurtosis=10)
    >>> round(deflated_sharpe(record, n_trials=100, variance=0.5 / 250), 4)
    0.9004
    """
    moments = _moments_of(record)
    return probabilistic_sharpe(moments, benchmark=luck_hurdle(moments, n_trials=n_trials, variance=variance))


def minimum_track_record_length(
    record: pd.Series | ReturnMoments, *, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Return the sessions needed for the probabilistic Sharpe ratio to reach `confidence`, with the same moments.

    1 + (1 - skew SR + (kurtosis - 1) / 4 SR^2) (z / (SR - SR*))^2. Infinite where the ratio is not above the
    benchmark: no length helps. With `benchmark=luck_hurdle(...)` it is the length the trials ask for.

    References
    ----------
    Bailey, Lopez de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2).

    Examples
    --------
    >>> record = ReturnMoments(n=24, mean=0.458, sd=1.0, skew=-2.448, kurtosis=10.164)
    >>> round(minimum_track_record_length(record), 1)
    34.6
    """
    moments = _moments_of(record)
    if not 0.5 < _finite(confidence, "confidence") < 1.0:
        raise DataError(f"confidence is {confidence}; accepted: a number between 0.5 and 1, such as 0.95.")
    gap = moments.sharpe - _finite(benchmark, "benchmark")
    if math.isnan(gap):
        return gap
    return 1.0 + moments.stretch * (float(ndtri(confidence)) / gap) ** 2 if gap > 0.0 else math.inf


def minimum_backtest_length(n_trials: float, sharpe: float) -> float:
    """Return the sessions below which the best of the trials is expected to show `sharpe` by luck alone.

    (expected maximum of N / SR)^2, below the bound 2 ln(N) / SR^2; 0 for one trial.

    Parameters
    ----------
    n_trials
        N, the effective number of trials.
    sharpe
        SR of a session, above 0. With a ratio a year the answer is in years.

    References
    ----------
    Bailey, Borwein, Lopez de Prado, Zhu (2014), Pseudo-mathematics and financial charlatanism, Notices of the
    American Mathematical Society 61(5), 458-471.

    Examples
    --------
    >>> round(minimum_backtest_length(45, 1.0), 1)  # years: "no more than 45 trials with five years of data"
    5.0
    """
    if not _finite(sharpe, "sharpe") > 0.0:
        raise DataError(f"sharpe is {sharpe}; accepted: a number above 0. A record that lost needs no such test.")
    return (expected_max_sharpe(n_trials) / sharpe) ** 2


def _moments_of(record: pd.Series | ReturnMoments) -> ReturnMoments:
    return record if isinstance(record, ReturnMoments) else ReturnMoments.of(record)


def _finite(value: object, name: str) -> float:
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    raise DataError(f"{name} is {value!r}; accepted: a number.")
