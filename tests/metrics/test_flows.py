from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError

NONE = pd.Series([], index=pd.DatetimeIndex([]), dtype=float)


def series(values: dict[str, float]) -> pd.Series:
    return pd.Series(list(values.values()), index=pd.DatetimeIndex(list(values)), dtype=float)


def test_time_weighted_by_hand():
    # 100 grows by 10 %, 90 come in, 200 lose 5 %, 40 go out, 150 grow by 20 %.
    values = series({"2024-01-01": 100, "2024-03-01": 200, "2024-06-01": 150, "2024-12-31": 180})
    flows = series({"2024-03-01": 90, "2024-06-01": -40})
    found = metrics.flow_adjusted_returns(values, flows)
    assert found.tolist() == pytest.approx([0.10, -0.05, 0.20], rel=1e-12)
    assert found.index.equals(values.index[1:])
    assert metrics.time_weighted_return(values, flows) == pytest.approx(1.1 * 0.95 * 1.2 - 1, rel=1e-12)


def test_without_flows_both_are_the_growth_of_the_account(daily):
    values = 1e6 * (1 + daily).cumprod()
    growth = values.iloc[-1] / values.iloc[0]
    assert metrics.time_weighted_return(values, NONE) == pytest.approx(growth - 1, rel=1e-12)
    years = (values.index[-1] - values.index[0]).days / 365
    expected = growth ** (1 / years) - 1
    assert metrics.internal_rate_of_return(values, NONE) == pytest.approx(expected, rel=1e-12)


def test_paying_in_and_out_does_not_move_the_time_weighted_return(daily):
    rng = np.random.default_rng(0)
    flows = pd.Series(
        rng.normal(0, 5e4, 30), index=daily.index[1:].to_series().sample(30, random_state=0).sort_values()
    )
    moved = flows.reindex(daily.index).fillna(0.0)
    worth, path = 1e6, []
    for gain, paid in zip(daily, moved, strict=True):
        worth = worth * (1 + gain) + paid
        path.append(worth)
    values = pd.Series(path, index=daily.index)
    expected = metrics.total_return(daily.iloc[1:])
    assert metrics.time_weighted_return(values, flows) == pytest.approx(expected, rel=1e-10)
    pd.testing.assert_series_equal(
        metrics.flow_adjusted_returns(values, flows), daily.iloc[1:].rename("return"), rtol=1e-9, check_names=True
    )


def test_internal_rate_by_a_polynomial():
    """Yearly flows make it the root of a polynomial; numpy finds that another way."""
    dates = [pd.Timestamp("2021-01-01") + pd.Timedelta(days=365 * year) for year in range(5)]
    values = pd.Series([1000.0, 2100.0], index=pd.DatetimeIndex([dates[0], dates[-1]]))
    flows = pd.Series([300.0, 250.0, 120.0], index=pd.DatetimeIndex(dates[1:4]))
    roots = np.roots([-1000.0, -300.0, -250.0, -120.0, 2100.0])
    real = next(root.real for root in roots if abs(root.imag) < 1e-12 and root.real > 0)
    assert metrics.internal_rate_of_return(values, flows) == pytest.approx(real - 1, rel=1e-10)


def test_internal_rate_solves_its_own_equation():
    values = series({"2022-03-15": 5e5, "2024-11-02": 4e5})
    flows = series({"2022-03-15": 9e9, "2022-07-01": 1e5, "2023-02-11": -3e5, "2024-11-02": 2e4})
    rate = metrics.internal_rate_of_return(values, flows)
    end = values.index[-1]
    worth = 5e5 * (1 + rate) ** ((end - values.index[0]).days / 365)
    for date, paid in flows.iloc[1:].items():
        worth += paid * (1 + rate) ** ((end - date).days / 365)
    assert worth == pytest.approx(4e5, rel=1e-9)


def test_paying_in_before_a_fall_makes_the_money_weighted_one_worse():
    dates = pd.DatetimeIndex(["2023-01-01", "2024-01-01", "2024-12-31"])
    values, flows = pd.Series([100.0, 1150.0, 575.0], index=dates), pd.Series([1000.0], index=dates[1:2])
    assert metrics.time_weighted_return(values, flows) == pytest.approx(1.5 * 0.5 - 1, rel=1e-12)
    assert metrics.internal_rate_of_return(values, flows) < -0.4


def test_a_short_and_wild_record_still_has_a_rate():
    values = series({"2024-01-01": 100, "2024-01-02": 200})
    assert np.log1p(metrics.internal_rate_of_return(values, NONE)) == pytest.approx(365 * np.log(2), rel=1e-9)
    long = series({"1925-01-01": 1, "2024-12-07": 1e4})
    assert metrics.internal_rate_of_return(long, NONE) == pytest.approx(1e4 ** (1 / 100) - 1, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "flows"),
    [
        ({"2024-01-01": 100, "2024-12-31": 0}, {}),
        ({"2024-01-01": 0, "2024-12-31": 50}, {"2024-05-01": -10}),
        ({"2024-01-01": 100, "2024-12-31": -20}, {"2024-05-01": 10}),
    ],
)
def test_flows_of_one_sign_have_no_rate(values, flows):
    with pytest.raises(DataError, match="never change sign"):
        metrics.internal_rate_of_return(series(values), series(flows) if flows else NONE)


def test_several_rates_are_refused_and_named():
    # -100, +230, -132: worth nothing at 10 % and at 20 %.
    dates = pd.DatetimeIndex(["2023-01-01", "2024-01-01", "2024-12-31"])
    values, flows = pd.Series([100.0, -132.0], index=dates[[0, 2]]), pd.Series([-230.0], index=dates[1:2])
    with pytest.raises(DataError, match=r"2 rates fit these cash flows \(10\.0000%, 20\.0000%\)"):
        metrics.internal_rate_of_return(values, flows)


def test_flows_that_no_rate_explains_are_refused():
    dates = pd.DatetimeIndex(["2023-01-01", "2024-01-01", "2024-12-31"])
    values, flows = pd.Series([100.0, -100.0], index=dates[[0, 2]]), pd.Series([-10.0], index=dates[1:2])
    with pytest.raises(DataError, match="No rate"):
        metrics.internal_rate_of_return(values, flows)


@pytest.mark.parametrize("function", [metrics.time_weighted_return, metrics.internal_rate_of_return])
def test_bad_input_is_refused(function):
    values = series({"2024-01-01": 100, "2024-06-01": 120, "2024-12-31": 130})
    with pytest.raises(DataError, match="has 1 values"):
        function(values.iloc[:1], NONE)
    with pytest.raises(DataError, match="not known"):
        function(values.where(values != 120), NONE)
    with pytest.raises(DataError, match="not known"):
        function(values, series({"2024-06-01": np.nan}))
    with pytest.raises(DataError, match=r"Values of the account.*accepted: dates"):
        function(values.reset_index(drop=True), NONE)
    with pytest.raises(DataError, match="2025-01-01"):
        function(values, series({"2025-01-01": 5}))


def test_a_flow_between_the_values_has_a_money_weighted_return_only():
    values, flows = series({"2024-01-01": 100, "2024-12-31": 130}), series({"2024-06-01": 10})
    assert metrics.internal_rate_of_return(values, flows) > 0
    with pytest.raises(DataError, match="no value of the account on that date"):
        metrics.time_weighted_return(values, flows)


def test_an_account_that_was_empty_is_refused():
    values = series({"2024-01-01": 100, "2024-06-01": 0, "2024-12-31": 130})
    with pytest.raises(DataError, match="worth nothing on 2024-06-01"):
        metrics.time_weighted_return(values, series({"2024-12-31": 130}))
