from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError


def test_monthly_returns_are_last_price_over_last_price(stocks):
    prices = stocks.frame()["KO"].loc["2018-12-31":]
    months = metrics.monthly_returns(prices.pct_change().iloc[1:])
    expected = prices.resample("ME").last().pct_change().iloc[1:]
    np.testing.assert_allclose(months, expected, rtol=1e-10)
    assert months.index.astype(str).tolist() == expected.index.strftime("%Y-%m").tolist()


def test_the_table_compounds_to_the_total(daily):
    table = metrics.monthly_table(daily)
    months, years = table.drop(columns="Year"), table["Year"]
    np.testing.assert_allclose((1 + months).prod(axis=1) - 1, years, rtol=1e-12)
    assert (1 + years).prod() - 1 == pytest.approx(metrics.total_return(daily), rel=1e-12)
    assert table.columns.tolist()[:3] == ["Jan", "Feb", "Mar"]
    assert table.index.tolist() == [2019, 2020, 2021, 2022]
    march = daily.loc["2020-03"]
    assert table.loc[2020, "Mar"] == pytest.approx(metrics.total_return(march), rel=1e-12)


def test_months_without_a_return_are_unknown():
    dates = pd.DatetimeIndex(["2020-11-30", "2020-12-31", "2023-02-28"])
    table = metrics.monthly_table(pd.Series([0.1, 0.0, 0.2], index=dates))
    assert table.index.tolist() == [2020, 2021, 2022, 2023]
    assert table.loc[2020, ["Oct", "Nov", "Dec", "Year"]].tolist() == pytest.approx(
        [np.nan, 0.1, 0.0, 0.1], rel=1e-12, nan_ok=True
    )
    assert table.loc[2021].isna().all()
    assert table.loc[2023].count() == 2


def test_a_record_without_dates_has_no_months():
    with pytest.raises(DataError, match="accepted: dates"):
        metrics.monthly_table(pd.Series([0.1, 0.2]))


def test_rolling_equals_the_functions_on_each_window(daily, stocks):
    market = stocks.returns().mean(axis=1).loc[daily.index]
    table = metrics.rolling(daily, 63, periods_per_year=252, benchmark=market)
    assert table.iloc[:62].isna().all(axis=None)
    assert table.index.equals(daily.index)
    for t in (62, 63, 300, 320, len(daily) - 1):
        part, other = daily.iloc[t - 62 : t + 1], market.iloc[t - 62 : t + 1]
        expected = [
            metrics.sharpe_ratio(part, periods_per_year=252),
            metrics.volatility(part, periods_per_year=252),
            metrics.beta(part, other),
        ]
        np.testing.assert_allclose(table.iloc[t], expected, rtol=1e-9)
    assert metrics.rolling(daily, 63, periods_per_year=252).columns.tolist() == ["sharpe_ratio", "volatility"]


def test_a_window_that_stood_still_has_no_sharpe_ratio_and_no_beta(daily):
    still = daily.where(np.arange(len(daily)) < 300, 0.0)
    table = metrics.rolling(still, 60, periods_per_year=252, benchmark=still)
    assert table.loc[table.index[370:], ["sharpe_ratio", "beta"]].isna().all(axis=None)
    assert (table["volatility"].iloc[370:] < 1e-9).all()


@pytest.mark.parametrize("window", [0, 29, -5, 40.5])
def test_a_window_too_short_for_a_ratio_is_refused(window, daily):
    with pytest.raises(DataError, match="window is"):
        metrics.rolling(daily, window, periods_per_year=252)


def test_rolling_refuses_other_dates(daily):
    with pytest.raises(DataError, match="different dates"):
        metrics.rolling(daily, 60, periods_per_year=252, benchmark=daily.iloc[1:])
