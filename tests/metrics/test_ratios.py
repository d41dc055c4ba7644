from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError

ALL = (metrics.sharpe_ratio, metrics.lo_sharpe_ratio, metrics.sortino_ratio, metrics.calmar_ratio)


def test_sharpe_by_hand():
    # Mean 0.02, deviation 0.01 x sqrt(40 / 39), four periods a year.
    expected = 4 * (39 / 40) ** 0.5
    assert metrics.sharpe_ratio(pd.Series([0.01, 0.03] * 20), periods_per_year=4) == pytest.approx(expected, rel=1e-12)


def test_sortino_by_hand():
    # Mean 0.01; every fourth falls short by 0.02: sqrt(0.0004 / 4) = 0.01.
    returns = pd.Series([0.03, -0.02, 0.02, 0.01] * 8)
    assert metrics.sortino_ratio(returns, periods_per_year=9) == pytest.approx(3.0, rel=1e-12)


def test_calmar_by_hand():
    # One year of thirty-two parts: 1.5 x 0.8 = 1.2, drawdown 20 %.
    returns = pd.Series([0.5, -0.2, *[0.0] * 30])
    assert metrics.calmar_ratio(returns, periods_per_year=32) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("ratio", ALL)
@pytest.mark.parametrize("returns", [[0.0] * 30, [0.001] * 40, [0.0001 + 1e-17 * (-1) ** i for i in range(36)]])
def test_no_risk_seen_is_unknown_not_infinite(ratio, returns):
    assert np.isnan(ratio(pd.Series(returns), periods_per_year=252))


@pytest.mark.parametrize("ratio", ALL)
@pytest.mark.parametrize("n", [1, 29])
def test_a_ratio_of_few_is_refused(ratio, n, daily):
    with pytest.raises(DataError, match=rf"ratio needs at least 30 observations and {n} came"):
        ratio(daily.iloc[:n], periods_per_year=252)
    assert np.isfinite(ratio(daily.iloc[:30], periods_per_year=252))


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


def trending(momentum: float, n: int = 4000, seed: int = 3) -> pd.Series:
    """Return an AR(1) whose every return is `momentum` of the one before, and noise."""
    noise = np.random.default_rng(seed).normal(0, 0.01, n)
    out = np.empty(n)
    out[0] = noise[0]
    for t in range(1, n):
        out[t] = momentum * out[t - 1] + noise[t]
    return pd.Series(out + 0.0005)


def test_lo_sharpe_by_statsmodels(daily):
    """The scaling of Lo (2002) from the autocorrelations of another library."""
    from statsmodels.tsa.stattools import acf

    for lags in (1, 5, 20):
        rho = acf(daily, nlags=lags, adjusted=False)[1:]
        k = np.arange(1, lags + 1)
        eta = 252 / np.sqrt(252 + 2 * np.sum((252 - k) * rho))
        expected = daily.mean() / daily.std() * eta
        found = metrics.lo_sharpe_ratio(daily, periods_per_year=252, lags=lags)
        assert found == pytest.approx(expected, rel=1e-9)


def test_without_lags_lo_sharpe_is_the_plain_one(daily):
    plain = metrics.sharpe_ratio(daily, periods_per_year=252, risk_free=0.0001)
    found = metrics.lo_sharpe_ratio(daily, periods_per_year=252, risk_free=0.0001, lags=0)
    assert found == pytest.approx(plain, rel=1e-12)
    assert metrics.lo_sharpe_ratio(daily, periods_per_year=1) == pytest.approx(
        metrics.sharpe_ratio(daily, periods_per_year=1), rel=1e-12
    )


@pytest.mark.parametrize("momentum", [-0.3, 0.0, 0.2, 0.4])
def test_lo_sharpe_undoes_what_an_ar_1_does_to_the_plain_one(momentum):
    """Of a long year the variance is (1 + m) / (1 - m) times that of independent returns."""
    returns = trending(momentum, n=40_000)
    ratio = metrics.lo_sharpe_ratio(returns, periods_per_year=252) / metrics.sharpe_ratio(returns, periods_per_year=252)
    assert ratio == pytest.approx(((1 - momentum) / (1 + momentum)) ** 0.5, rel=0.06)


def test_how_many_lags_lo_sharpe_counts():
    assert [metrics.autocorrelation_lags(n, 252) for n in (30, 100, 252, 8000)] == [3, 4, 4, 10]
    assert metrics.autocorrelation_lags(8000, 4) == 3
    assert metrics.autocorrelation_lags(8000, 1) == 0
    returns = trending(0.3)
    stated = metrics.lo_sharpe_ratio(returns, periods_per_year=252, lags=metrics.autocorrelation_lags(4000, 252))
    assert metrics.lo_sharpe_ratio(returns, periods_per_year=252) == stated


@pytest.mark.parametrize("lags", [-1, 252, 1.5])
def test_lags_outside_a_year_are_refused(lags, daily):
    with pytest.raises(DataError, match="lags is"):
        metrics.lo_sharpe_ratio(daily, periods_per_year=252, lags=lags)
    with pytest.raises(DataError, match="accepted: 0 to 39"):
        metrics.lo_sharpe_ratio(daily.iloc[:40], periods_per_year=252, lags=40)


def test_perfect_reversal_leaves_a_year_without_variance():
    returns = pd.Series([0.02, -0.01] * 50)
    assert np.isnan(metrics.lo_sharpe_ratio(returns, periods_per_year=252, lags=1))
