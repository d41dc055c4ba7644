from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.metrics import METRICS

OF_RETURNS = sorted(key for key, metric in METRICS.items() if metric.made_from == "returns")


def measure(key, returns):
    metric = METRICS[key]
    return metric.function(returns, **({"periods_per_year": 252} if metric.annualised else {}))


@pytest.mark.parametrize("key", METRICS)
def test_card_is_complete_and_true(key):
    metric = METRICS[key]
    assert metric.key == key == metric.function.__name__
    assert metric.function is getattr(metrics, key)
    assert key in metrics.__all__
    assert metric.unit in {"percent", "ratio", "count"}
    assert all([metric.title, metric.formula, metric.reference])
    assert metric.annualised == ("periods_per_year" in inspect.signature(metric.function).parameters)
    assert metric.made_from in {"returns", "benchmark", "account", "trades", "flows"}
    assert metric.higher_is_better in {True, False, None}
    assert (metric.kernel is None) == (metric.made_from == "flows")


def test_every_ratio_needs_thirty_observations():
    assert {metric.least for metric in METRICS.values() if metric.unit == "ratio"} == {30}
    assert {metric.least for metric in METRICS.values()} == {1, 30}


@pytest.mark.parametrize("key", [key for key in OF_RETURNS if METRICS[key].least == 30])
def test_the_function_refuses_what_its_card_says(key, daily):
    with pytest.raises(DataError, match="needs at least 30 observations and 29 came"):
        measure(key, daily.iloc[:29])
    assert np.isfinite(measure(key, daily.iloc[:30]))


@pytest.mark.parametrize("key", [key for key in OF_RETURNS if METRICS[key].least == 1])
def test_an_amount_of_few_is_an_amount(key, daily):
    assert np.isfinite(measure(key, daily.iloc[:2]))


@pytest.mark.parametrize("key", OF_RETURNS)
def test_many_series_at_once_equal_one_by_one(key, daily):
    paths = daily.to_numpy()[: 4 * 200].reshape(2, 2, 200)
    together = METRICS[key].kernel(paths, 252.0)
    assert together.shape == (2, 2)
    for i, j in np.ndindex(2, 2):
        assert together[i, j] == pytest.approx(measure(key, pd.Series(paths[i, j])), rel=1e-12)


@pytest.mark.parametrize("key", OF_RETURNS)
def test_nothing_given_is_refused(key):
    with pytest.raises(DataError, match="no returns"):
        measure(key, pd.Series(dtype=float))


@pytest.mark.parametrize("key", OF_RETURNS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_unknown_return_is_refused_and_dated(key, bad):
    returns = pd.Series([0.01, bad, 0.02], index=pd.date_range("2020-03-11", periods=3))
    with pytest.raises(DataError, match=r"1 of 3 returns are not known.*2020-03-12"):
        measure(key, returns)


@pytest.mark.parametrize("key", OF_RETURNS)
def test_losing_more_than_everything_is_refused(key):
    with pytest.raises(DataError, match=r"return at 1 is -1\.2.*more than everything"):
        measure(key, pd.Series([0.01, -1.2, 0.02]))


@pytest.mark.parametrize("key", [key for key in OF_RETURNS if METRICS[key].annualised])
@pytest.mark.parametrize("bad", [0, -252, np.nan, np.inf, "252", None])
def test_periods_per_year_is_checked(key, bad):
    with pytest.raises(DataError, match=r"periods_per_year is .*a number above 0"):
        METRICS[key].function(pd.Series([0.01, -0.01] * 20), periods_per_year=bad)


@pytest.mark.parametrize("bad", [[0.01, 0.02], pd.Series(["a", "b"]), np.array([0.1])])
def test_what_is_not_a_series_of_numbers_is_refused(bad):
    with pytest.raises(DataError, match="accepted"):
        metrics.total_return(bad)


# What halving the losses leaves as it is.
SAME = {"hit_rate", "best_period"}


@pytest.mark.parametrize("key", OF_RETURNS)
def test_a_better_series_is_called_better(key, daily):
    """Halving every loss improves every metric in the direction its card states."""
    better = daily.where(daily > 0, daily / 2)
    gain = measure(key, better) - measure(key, daily)
    if key in SAME:
        assert gain == 0
    elif METRICS[key].higher_is_better is not None:
        assert gain > 0 if METRICS[key].higher_is_better else gain < 0
