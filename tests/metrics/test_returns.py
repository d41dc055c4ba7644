from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics


def test_total_return_is_last_price_over_first(stocks):
    prices = stocks.frame()["MSFT"].tail(1000)
    returns = prices.pct_change().iloc[1:]
    assert metrics.total_return(returns) == pytest.approx(prices.iloc[-1] / prices.iloc[0] - 1, rel=1e-12)


def test_cagr_of_a_doubling_in_two_years_is_the_square_root_of_two():
    returns = pd.Series(np.full(504, 2 ** (1 / 504) - 1))
    assert metrics.cagr(returns, periods_per_year=252) == pytest.approx(2**0.5 - 1, rel=1e-12)


def test_cagr_and_total_return_agree_over_one_year(daily):
    year = daily.iloc[:252]
    assert metrics.cagr(year, periods_per_year=252) == pytest.approx(metrics.total_return(year), rel=1e-12)


def test_ruin_is_a_total_loss_whatever_came_before():
    returns = pd.Series([0.5, -1.0, 0.0])
    assert metrics.total_return(returns) == -1.0
    assert metrics.cagr(returns, periods_per_year=252) == -1.0


def test_hit_rate_leaves_flat_periods_out():
    assert metrics.hit_rate(pd.Series([0.0, 0.01, 0.0, -0.02, 0.03, 0.01])) == 0.75


def test_hit_rate_is_unknown_without_a_return():
    assert np.isnan(metrics.hit_rate(pd.Series([0.0, 0.0])))


def test_best_and_worst_period(daily):
    assert metrics.best_period(daily) == sorted(daily)[-1]
    assert metrics.worst_period(daily) == sorted(daily)[0]
