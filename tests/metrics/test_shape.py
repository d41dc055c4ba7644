from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib import metrics
from quantlib.errors import DataError


def test_skewness_and_kurtosis_equal_scipys(daily):
    assert metrics.skewness(daily) == pytest.approx(stats.skew(daily, bias=False), rel=1e-12)
    assert metrics.excess_kurtosis(daily) == pytest.approx(stats.kurtosis(daily, bias=False), rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_shape_does_not_depend_on_size(daily, scale):
    assert metrics.skewness(daily * scale) == pytest.approx(metrics.skewness(daily), rel=1e-9)
    assert metrics.excess_kurtosis(daily * scale) == pytest.approx(metrics.excess_kurtosis(daily), rel=1e-9)


def test_omega_by_hand():
    returns = pd.Series([0.03, -0.01, 0.01, -0.01] * 10)
    assert metrics.omega_ratio(returns) == pytest.approx(2.0, rel=1e-12)
    # Above 0.01: 0.02 in four; below: 0.02 twice.
    assert metrics.omega_ratio(returns, threshold=0.01) == pytest.approx(0.5, rel=1e-12)


def test_gain_to_pain_by_hand():
    returns = pd.Series([0.03, -0.01, 0.01, -0.01] * 10)
    assert metrics.gain_to_pain_ratio(returns) == pytest.approx(1.0, rel=1e-12)


def test_gain_to_pain_is_omega_less_one(daily):
    assert metrics.gain_to_pain_ratio(daily) == pytest.approx(metrics.omega_ratio(daily) - 1, rel=1e-9)


def test_tail_ratio_is_of_the_quantiles(daily):
    expected = daily.quantile(0.9) / -daily.quantile(0.1)
    assert metrics.tail_ratio(daily, level=0.9) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ratio", [metrics.omega_ratio, metrics.gain_to_pain_ratio])
def test_without_a_loss_there_is_nothing_to_divide_by(ratio):
    assert np.isnan(ratio(pd.Series([0.01] * 40)))


@pytest.mark.parametrize("shape", [metrics.skewness, metrics.excess_kurtosis])
def test_the_shape_of_what_does_not_vary_is_unknown(shape):
    assert np.isnan(shape(pd.Series([0.001] * 40)))


def test_a_level_or_threshold_out_of_bounds_is_refused(daily):
    with pytest.raises(DataError, match=r"level is 95"):
        metrics.tail_ratio(daily, level=95)
    with pytest.raises(DataError, match="threshold is nan"):
        metrics.omega_ratio(daily, threshold=np.nan)
