from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from quantlib import metrics
from quantlib.errors import DataError


def test_volatility_by_hand():
    # Mean 0.02, squares 0.0001 and 0.0001 over n - 1 = 1.
    assert metrics.volatility(pd.Series([0.01, 0.03]), periods_per_year=4) == pytest.approx(2 * 0.0002**0.5, rel=1e-12)


def test_volatility_of_one_return_is_unknown():
    assert np.isnan(metrics.volatility(pd.Series([0.01]), periods_per_year=252))


def test_drawdown_by_hand():
    wealth = [0.9, 1.08, 1.2, 0.6, 0.9, 1.5]
    peaks = [1.0, 1.08, 1.2, 1.2, 1.2, 1.5]
    dates = pd.bdate_range("2024-01-02", periods=6)
    returns = pd.Series(np.diff(wealth, prepend=1.0) / np.array([1.0, *wealth[:-1]]), index=dates)
    expected = pd.Series(np.array(wealth) / peaks - 1, index=dates, name="drawdown")
    pd.testing.assert_series_equal(metrics.drawdown(returns), expected, rtol=0, atol=1e-15)
    assert metrics.max_drawdown(returns) == pytest.approx(-0.5, rel=1e-12)


def test_a_loss_in_the_first_period_is_a_drawdown():
    assert metrics.max_drawdown(pd.Series([-0.3, 0.1])) == pytest.approx(-0.3, rel=1e-12)


def test_no_loss_no_drawdown():
    assert metrics.max_drawdown(pd.Series([0.01, 0.0, 0.02])) == 0.0


def test_ruin_is_a_drawdown_of_everything():
    assert metrics.drawdown(pd.Series([0.5, -1.0, 0.0])).tolist() == [0.0, -1.0, -1.0]


def test_value_at_risk_by_hand():
    # Losses 1..100 %: 95 of them are not above 0.95; the five worst are 96..100 %, mean 98 %.
    returns = pd.Series(np.random.default_rng(0).permutation(np.arange(1, 101)) / -100.0)
    assert metrics.value_at_risk(returns) == 0.95
    assert metrics.expected_shortfall(returns) == pytest.approx(0.98, rel=1e-12)
    assert metrics.value_at_risk(returns, level=0.99) == 0.99
    assert metrics.expected_shortfall(returns, level=0.99) == 1.0


def test_expected_shortfall_takes_a_part_of_the_quantile():
    # 5 % of 30 is 1.5 observations: all of the worst and half of the second.
    returns = pd.Series([-0.10, -0.04, *[0.01] * 28])
    assert metrics.value_at_risk(returns) == 0.04
    assert metrics.expected_shortfall(returns) == pytest.approx((0.10 + 0.5 * 0.04) / 1.5, rel=1e-12)


def test_the_tail_is_counted_exactly_where_floating_point_is_not():
    assert 100 - 0.55 * 100 < 45
    returns = pd.Series(np.arange(1, 101) / -100.0)
    assert metrics.value_at_risk(returns, level=0.55) == 0.55


def test_a_short_series_has_its_worst_return_as_its_tail():
    returns = pd.Series([-0.02, 0.01, 0.03])
    assert metrics.value_at_risk(returns) == 0.02
    assert metrics.expected_shortfall(returns) == pytest.approx(0.02, rel=1e-12)


def test_a_tail_of_gains_is_a_negative_loss():
    assert metrics.value_at_risk(pd.Series([0.01] * 40)) == -0.01


@pytest.mark.parametrize("level", [0, 1, 1.5, np.nan, "high"])
def test_level_is_checked(level):
    for function in (metrics.value_at_risk, metrics.expected_shortfall):
        with pytest.raises(DataError, match=r"level is .*between 0 and 1"):
            function(pd.Series([0.01, -0.01]), level=level)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_tail_of_a_normal_matches_its_closed_form(level):
    z = norm.ppf(level)
    returns = pd.Series(np.random.default_rng(1).normal(0.001, 0.02, 200_000))
    assert metrics.value_at_risk(returns, level=level) == pytest.approx(0.02 * z - 0.001, rel=0.02)
    assert metrics.expected_shortfall(returns, level=level) == pytest.approx(
        0.02 * norm.pdf(z) / (1 - level) - 0.001, rel=0.02
    )


@pytest.mark.parametrize("level", [0.05, 0.9, 0.95, 0.975, 0.99, 0.999])
def test_shortfall_is_never_below_value_at_risk(daily, level):
    for n in (1, 7, 21, 250):
        part = daily.iloc[:n]
        shortfall = metrics.expected_shortfall(part, level=level)
        assert shortfall >= metrics.value_at_risk(part, level=level) - 1e-15
        assert shortfall <= -part.min() + 1e-15


def test_downside_deviation_by_hand():
    # Shortfalls below 0.01: 0 and 0.03, over n = 2, four periods a year.
    returns = pd.Series([0.05, -0.02])
    expected = (0.03**2 / 2) ** 0.5 * 2
    assert metrics.downside_deviation(returns, periods_per_year=4, target=0.01) == pytest.approx(expected, rel=1e-12)


def test_sortino_is_mean_over_downside_deviation(daily):
    target = 0.0002
    deviation = metrics.downside_deviation(daily, periods_per_year=252, target=target)
    expected = (daily.mean() - target) * 252 / deviation
    assert metrics.sortino_ratio(daily, periods_per_year=252, target=target) == pytest.approx(expected, rel=1e-12)
