from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.metrics import METRICS, summary

KEYS = [key for key, metric in METRICS.items() if metric.made_from == "benchmark"]


def measure(key, returns, benchmark):
    metric = METRICS[key]
    return metric.function(returns, benchmark, **({"periods_per_year": 252} if metric.annualised else {}))


@pytest.fixture(scope="session")
def market(stocks, daily) -> pd.Series:
    """Return the mean of all stocks on the same dates."""
    return stocks.returns().mean(axis=1).loc[daily.index]


def test_beta_alpha_and_correlation_are_those_of_a_regression(daily, market):
    fit = linregress(market, daily)
    assert metrics.beta(daily, market) == pytest.approx(fit.slope, rel=1e-9)
    assert metrics.alpha(daily, market, periods_per_year=252) == pytest.approx(fit.intercept * 252, rel=1e-9)
    assert metrics.correlation(daily, market) == pytest.approx(fit.rvalue, rel=1e-9)


def test_a_rate_that_changes_is_taken_off_both(daily, market):
    rate = pd.Series(np.linspace(0, 0.0005, len(daily)), index=daily.index)
    fit = linregress(market - rate, daily - rate)
    assert metrics.beta(daily, market, risk_free=rate) == pytest.approx(fit.slope, rel=1e-9)
    found = metrics.alpha(daily, market, periods_per_year=252, risk_free=rate)
    assert found == pytest.approx(fit.intercept * 252, rel=1e-9)
    # A rate that stands still moves alpha by (beta - 1) of it.
    moved = metrics.alpha(daily, market, periods_per_year=252, risk_free=0.0001)
    moved -= metrics.alpha(daily, market, periods_per_year=252)
    assert moved == pytest.approx((metrics.beta(daily, market) - 1) * 0.0001 * 252, rel=1e-6)


def test_tracking_error_and_information_ratio_are_of_the_difference(daily, market):
    ahead = daily - market
    assert metrics.tracking_error(daily, market, periods_per_year=252) == pytest.approx(
        metrics.volatility(ahead, periods_per_year=252), rel=1e-12
    )
    assert metrics.information_ratio(daily, market, periods_per_year=252) == pytest.approx(
        metrics.sharpe_ratio(ahead, periods_per_year=252), rel=1e-12
    )


def test_capture_by_hand():
    benchmark = pd.Series([0.10, -0.10, 0.0, 0.21] * 10)
    returns = pd.Series([0.02, 0.05, 0.5, 0.04] * 10)
    up = ((1.02 * 1.04) ** 0.5 - 1) / ((1.1 * 1.21) ** 0.5 - 1)
    assert metrics.up_capture(returns, benchmark) == pytest.approx(up, rel=1e-12)
    assert metrics.down_capture(returns, benchmark) == pytest.approx(0.05 / -0.10, rel=1e-12)


def test_half_the_market_captures_half_of_both(market):
    # Geometric means of small returns: half but for the square of their size.
    assert metrics.up_capture(market / 2, market) == pytest.approx(0.5, rel=0.01)
    assert metrics.down_capture(market / 2, market) == pytest.approx(0.5, rel=0.01)
    assert metrics.beta(market / 2, market) == pytest.approx(0.5, rel=1e-9)


def test_against_itself(daily):
    expected = {"beta": 1, "alpha": 0, "correlation": 1, "tracking_error": 0, "up_capture": 1, "down_capture": 1}
    for key, value in expected.items():
        assert measure(key, daily, daily) == pytest.approx(value, abs=1e-12), key
    assert np.isnan(metrics.information_ratio(daily, daily, periods_per_year=252))


def test_what_a_benchmark_never_did_is_unknown(daily):
    flat = pd.Series(0.0, index=daily.index)
    for key in ("beta", "alpha", "correlation", "up_capture", "down_capture"):
        assert np.isnan(measure(key, daily, flat)), key
    assert np.isnan(metrics.correlation(flat, daily))
    assert metrics.beta(flat, daily) == 0.0


def test_losing_everything_captures_all_and_more():
    benchmark = pd.Series([-0.1, 0.1] * 20)
    returns = pd.Series([-1.0, *[0.0] * 39])
    assert metrics.down_capture(returns, benchmark) == pytest.approx(10.0, rel=1e-9)


@pytest.mark.parametrize("key", KEYS)
def test_other_dates_are_refused(key, daily, market):
    with pytest.raises(DataError, match="different dates"):
        measure(key, daily, market.iloc[1:])
    with pytest.raises(DataError, match="different dates"):
        measure(key, daily, market.shift(1, freq="D"))
    with pytest.raises(DataError, match="1 of"):
        measure(key, daily, market.where(market != market.max()))


@pytest.mark.parametrize("key", [key for key in KEYS if METRICS[key].least == 30])
def test_fewer_than_thirty_are_refused(key, daily, market):
    with pytest.raises(DataError, match="at least 30 observations and 29 came"):
        measure(key, daily.iloc[:29], market.iloc[:29])


@pytest.mark.parametrize("key", KEYS)
def test_many_series_at_once_equal_one_by_one(key, daily, market):
    r, b = (s.to_numpy()[:800].reshape(2, 2, 200) for s in (daily, market))
    together = METRICS[key].kernel(r, b, 252.0)
    for i, j in np.ndindex(2, 2):
        assert together[i, j] == pytest.approx(measure(key, pd.Series(r[i, j]), pd.Series(b[i, j])), rel=1e-12)


def test_summary_with_a_benchmark_adds_its_metrics_and_leaves_the_others(daily, market):
    table = summary(daily, periods_per_year=252, benchmark=market, samples=60, seed=2)
    alone = summary(daily, periods_per_year=252, samples=60, seed=2)
    pd.testing.assert_frame_equal(table.iloc[: len(alone)], alone)
    assert table.index[len(alone) :].tolist() == KEYS
    for key in KEYS:
        assert table.loc[key, "value"] == measure(key, daily, market)
        assert table.loc[key, "ci_low"] < table.loc[key, "value"] < table.loc[key, "ci_high"]


def test_the_interval_of_beta_is_as_wide_as_theory_says():
    """For independent normal returns the error of a slope is known."""
    rng = np.random.default_rng(0)
    b = rng.normal(0, 0.01, 1500)
    r = 0.8 * b + rng.normal(0, 0.01, 1500)
    row = summary(pd.Series(r), periods_per_year=252, benchmark=pd.Series(b), keys=["beta"]).iloc[0]
    assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(1.96 * 1500**-0.5, rel=0.15)
