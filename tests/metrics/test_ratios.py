from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import quantstats.stats as oracle

from quantlib import metrics
from quantlib.errors import DataError

ALL = (metrics.sharpe_ratio, metrics.sortino_ratio, metrics.calmar_ratio)


def test_sharpe_by_hand():
    # Mean 0.02, deviation 0.01 * sqrt(2), four periods a year.
    assert metrics.sharpe_ratio(pd.Series([0.01, 0.03]), periods_per_year=4) == pytest.approx(2 * 2**0.5, rel=1e-12)


def test_sortino_by_hand():
    # Mean 0.01; the only shortfall is 0.02, over n = 4: sqrt(0.0004 / 4) = 0.01.
    returns = pd.Series([0.03, -0.02, 0.02, 0.01])
    assert metrics.sortino_ratio(returns, periods_per_year=9) == pytest.approx(3.0, rel=1e-12)


def test_calmar_by_hand():
    # One year of two halves: 1.5 x 0.8 = 1.2, drawdown 20 %.
    assert metrics.calmar_ratio(pd.Series([0.5, -0.2]), periods_per_year=2) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("ratio", ALL)
@pytest.mark.parametrize("returns", [[0.0] * 5, [0.001] * 40, [0.0001 + 1e-17 * (-1) ** i for i in range(9)]])
def test_no_risk_seen_is_unknown_not_infinite(ratio, returns):
    assert np.isnan(ratio(pd.Series(returns), periods_per_year=252))


def test_sharpe_of_one_return_is_unknown():
    assert np.isnan(metrics.sharpe_ratio(pd.Series([-0.01]), periods_per_year=252))


def test_interest_of_a_cash_account_is_no_skill():
    """Equity that grows by a constant rate varies only by rounding."""
    equity = 1e6 * 1.0001 ** np.arange(500)
    returns = pd.Series(equity[1:] / equity[:-1] - 1)
    assert returns.std() > 0
    assert np.isnan(metrics.sharpe_ratio(returns, periods_per_year=252))


def test_risk_free_rate_is_for_one_period(daily):
    constant = metrics.sharpe_ratio(daily, periods_per_year=252, risk_free=0.0001)
    series = metrics.sharpe_ratio(daily, periods_per_year=252, risk_free=pd.Series(0.0001, index=daily.index))
    expected = (daily.mean() - 0.0001) / daily.std() * 252**0.5
    assert constant == pytest.approx(expected, rel=1e-12)
    assert series == pytest.approx(expected, rel=1e-12)


def test_a_risk_free_series_on_other_dates_is_refused(daily):
    with pytest.raises(DataError, match="different dates"):
        metrics.sharpe_ratio(daily, periods_per_year=252, risk_free=daily.iloc[1:])


def test_an_unknown_rate_is_refused(daily):
    with pytest.raises(DataError, match="risk_free is nan"):
        metrics.sharpe_ratio(daily, periods_per_year=252, risk_free=np.nan)
    with pytest.raises(DataError, match="target is inf"):
        metrics.sortino_ratio(daily, periods_per_year=252, target=np.inf)


def test_quantstats_agrees(daily):
    # Its risk-free rate is for a year and compounded down, so only a rate of zero is compared.
    assert metrics.sharpe_ratio(daily, periods_per_year=252) == pytest.approx(
        oracle.sharpe(daily, periods=252), rel=1e-12
    )
    assert metrics.sortino_ratio(daily, periods_per_year=252) == pytest.approx(
        oracle.sortino(daily, periods=252), rel=1e-12
    )
    assert metrics.calmar_ratio(daily, periods_per_year=252) == pytest.approx(
        oracle.calmar(daily, periods=252), rel=1e-9
    )
