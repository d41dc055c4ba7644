from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.validation.sharpe import (
    ReturnMoments,
    deflated_sharpe,
    expected_max_sharpe,
    luck_hurdle,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe,
)


def moments(n: int, sharpe: float, skew: float = 0.0, kurtosis: float = 3.0) -> ReturnMoments:
    return ReturnMoments(n, sharpe * 0.01, 0.01, skew, kurtosis)


# Bailey, Lopez de Prado (2014): Sharpe ratio 2.5 a year over 1,250 days of five years of 250, 100 trials whose ratios
# a year have a variance of 0.5.
PAPER = moments(1250, 2.5 / 250**0.5, -3.0, 10.0)


def test_published_example_of_the_deflated_sharpe_ratio() -> None:
    assert round(luck_hurdle(PAPER, n_trials=100, variance=0.5 / 250), 4) == 0.1132
    assert round(deflated_sharpe(PAPER, n_trials=100, variance=0.5 / 250), 4) == 0.9004


def test_published_example_after_fewer_trials_or_with_normal_returns() -> None:
    assert round(deflated_sharpe(PAPER, n_trials=46, variance=0.5 / 250), 4) == 0.9505
    normal = moments(1250, 2.5 / 250**0.5)
    assert round(deflated_sharpe(normal, n_trials=88, variance=0.5 / 250), 4) == 0.9505


def test_published_example_of_the_probabilistic_sharpe_ratio() -> None:
    # Bailey, Lopez de Prado (2012), table 1: two years of months.
    assert round(probabilistic_sharpe(moments(24, 0.458, -2.448, 10.164)), 3) == 0.913
    assert round(probabilistic_sharpe(moments(24, 0.458)), 3) == 0.982


@pytest.mark.parametrize(
    ("years", "periods", "skew", "kurtosis"), [(2.73, 252, 0.0, 3.0), (3.24, 12, 0.0, 3.0), (4.99, 12, -0.72, 5.78)]
)
def test_published_minimum_track_records(years: float, periods: int, skew: float, kurtosis: float) -> None:
    """A ratio of 2 a year against 1, at 95 %: days, months, and months as hedge funds have them."""
    record = moments(999, 2 / periods**0.5, skew, kurtosis)
    found = minimum_track_record_length(record, benchmark=1 / periods**0.5)
    assert found / periods == pytest.approx(years, abs=0.006)


def test_published_minimum_backtest_length() -> None:
    """Bailey, Borwein, Lopez de Prado, Zhu (2014): five years of data are used up by 45 trials at a ratio of 1."""
    assert minimum_backtest_length(45, 1.0) == pytest.approx(5.0, abs=0.05)
    for n in (5, 45, 1000, 10**6):
        years = minimum_backtest_length(n, 1.0)
        assert years < 2 * math.log(n)
        assert expected_max_sharpe(n, 1 / years) == pytest.approx(1.0)
        assert minimum_backtest_length(n, 2.0) == pytest.approx(years / 4)
    assert minimum_backtest_length(1, 1.0) == 0.0


def test_error_of_a_sharpe_ratio_is_that_of_simulated_records() -> None:
    """Skewed and fat-tailed: the spread of estimates over many records is what the moments say."""
    rng = np.random.default_rng(5)
    jumps = -rng.lognormal(0.0, 0.5, size=(8000, 500))
    jumps = (jumps - jumps.mean()) / jumps.std() + 0.3
    estimates = jumps.mean(axis=1) / jumps.std(axis=1, ddof=1)
    true = moments(500, 0.3, float(stats.skew(jumps.ravel())), float(stats.kurtosis(jumps.ravel(), fisher=False)))
    assert math.sqrt(true.stretch / 499) == pytest.approx(estimates.std(), rel=0.03)
    assert math.sqrt(1.0 / 499) < 0.85 * estimates.std()  # what it would be without the moments


def test_probability_is_uniform_where_the_benchmark_is_true() -> None:
    rng = np.random.default_rng(6)
    returns = pd.DataFrame(0.01 * (rng.standard_t(6, size=(400, 600)) / 1.5**0.5 + 0.1))
    found = np.array([probabilistic_sharpe(returns[k], benchmark=0.1) for k in returns])
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_moments_are_those_of_scipy() -> None:
    returns = pd.Series(np.random.default_rng(1).standard_t(5, size=300) * 0.01)
    found = ReturnMoments.of(returns)
    assert found.n == 300
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert found.skew == pytest.approx(stats.skew(returns, bias=False))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, bias=False, fisher=False))
    assert probabilistic_sharpe(returns) == probabilistic_sharpe(found)


def test_probability_by_the_formula() -> None:
    record = moments(500, 0.07, -0.8, 6.0)
    z = (0.07 - 0.02) * math.sqrt(499) / math.sqrt(1 + 0.8 * 0.07 + 5 / 4 * 0.07**2)
    assert probabilistic_sharpe(record, benchmark=0.02) == pytest.approx(stats.norm.cdf(z), abs=1e-12)
    assert probabilistic_sharpe(record, benchmark=0.07) == 0.5


@pytest.mark.parametrize("n", [5, 30, 1000])
def test_expected_maximum_is_that_of_drawn_ratios(n: int) -> None:
    drawn = np.random.default_rng(n).normal(0.0, 0.2, size=(4000, n)).max(axis=1).mean()
    assert expected_max_sharpe(n, 0.04) == pytest.approx(drawn, rel=0.03)


def test_one_trial_has_no_luck_and_more_have_more() -> None:
    record = moments(1000, 0.06)
    assert expected_max_sharpe(1) == 0.0
    assert deflated_sharpe(record, n_trials=1) == probabilistic_sharpe(record)
    found = [expected_max_sharpe(n) for n in (1, 1.1, 1.5, 2, 3.7, 10, 1e4, 1e12)]
    assert found == sorted(found)
    assert all(math.isfinite(f) for f in found)


def test_luck_is_never_less_than_chance_makes_it() -> None:
    record = moments(1001, 0.1)
    least = expected_max_sharpe(50, 1 / 1000)
    assert luck_hurdle(record, n_trials=50) == least
    assert luck_hurdle(record, n_trials=50, variance=float("nan")) == least
    assert luck_hurdle(record, n_trials=50, variance=1e-9) == least
    assert luck_hurdle(record, n_trials=50, variance=4 / 1000) == pytest.approx(2 * least)


@pytest.mark.parametrize("benchmark", [0.0, 0.03])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_at_the_minimum_length_the_confidence_is_reached(benchmark: float, confidence: float) -> None:
    record = moments(100, 0.05, -1.0, 9.0)
    length = minimum_track_record_length(record, benchmark=benchmark, confidence=confidence)
    for n, reached in ((math.floor(length), False), (math.ceil(length), True)):
        assert (probabilistic_sharpe(moments(n, 0.05, -1.0, 9.0), benchmark=benchmark) >= confidence) is reached


def test_no_length_helps_below_the_benchmark() -> None:
    assert minimum_track_record_length(moments(100, 0.05), benchmark=0.05) == math.inf
    assert minimum_track_record_length(moments(100, -0.05)) == math.inf


def test_flat_record_is_unknown() -> None:
    flat = pd.Series(np.zeros(50))
    assert math.isnan(probabilistic_sharpe(flat))
    assert math.isnan(deflated_sharpe(flat, n_trials=5))
    assert math.isnan(minimum_track_record_length(flat))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: probabilistic_sharpe(pd.Series([0.01] * 5)), "at least 30"),
        (lambda: probabilistic_sharpe(PAPER, benchmark=float("nan")), "benchmark is nan"),
        (lambda: ReturnMoments(1, 0.0, 1.0, 0.0, 3.0), "1 sessions say nothing"),
        (lambda: expected_max_sharpe(0), "a trial too"),
        (lambda: expected_max_sharpe(5, -1.0), "variance is -1"),
        (lambda: luck_hurdle(PAPER, n_trials=5, variance=math.inf), "variance is inf"),
        (lambda: minimum_track_record_length(PAPER, confidence=0.5), "confidence is 0.5"),
        (lambda: minimum_backtest_length(5, 0.0), "sharpe is 0"),
    ],
)
def test_refusals_say_what_is_accepted(call: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        call()  # type: ignore[operator]
