from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.metrics import intervals, summary

KEYS = [key for key, metric in metrics.METRICS.items() if metric.made_from == "returns"]
RATIOS = [key for key in KEYS if metrics.METRICS[key].unit == "ratio"]


def test_summary_has_one_row_a_metric_and_the_functions_own_values(daily):
    table = summary(daily, periods_per_year=252, samples=50)
    assert table.index.tolist() == KEYS
    assert table.columns.tolist() == ["value", "ci_low", "ci_high", "n", "periods_per_year"]
    assert (table["n"] == len(daily)).all()
    assert (table["periods_per_year"] == 252).all()
    assert table.loc["sharpe_ratio", "value"] == metrics.sharpe_ratio(daily, periods_per_year=252)
    assert table.loc["expected_shortfall", "value"] == metrics.expected_shortfall(daily)
    assert table.loc["max_drawdown", "value"] == metrics.max_drawdown(daily)


def test_the_interval_holds_the_value(daily):
    table = summary(daily, periods_per_year=252)
    assert (table["ci_low"] < table["ci_high"]).all()
    inside = table.loc[["cagr", "volatility", "sharpe_ratio", "lo_sharpe_ratio", "omega_ratio", "hit_rate"]]
    assert (inside["ci_low"] < inside["value"]).all()
    assert (inside["value"] < inside["ci_high"]).all()


def test_same_seed_same_numbers_other_seed_others(daily):
    one = summary(daily, periods_per_year=252, seed=3, samples=60)
    pd.testing.assert_frame_equal(one, summary(daily, periods_per_year=252, seed=3, samples=60))
    other = summary(daily, periods_per_year=252, seed=4, samples=60)
    assert (one["value"] == other["value"]).all()
    assert (one["ci_low"] != other["ci_low"]).any()


def test_chunks_do_not_show(daily, monkeypatch):
    whole = summary(daily, periods_per_year=252, samples=20)
    monkeypatch.setattr(intervals, "_CHUNK", 7 * len(daily))
    pd.testing.assert_frame_equal(whole, summary(daily, periods_per_year=252, samples=20))


def test_interval_equals_the_percentile_interval_of_arch(daily):
    """The same draws, each measured by the plain function, in the library's own interval."""
    returns = daily.iloc[:300]
    length = intervals.block_length(returns.to_numpy())
    draws = StationaryBootstrap(length, returns.to_numpy(), seed=np.random.default_rng(5))
    expected = draws.conf_int(
        lambda r: np.array([metrics.sharpe_ratio(pd.Series(r), periods_per_year=252)]),
        reps=200,
        method="percentile",
        size=0.9,
    ).ravel()
    row = summary(returns, periods_per_year=252, seed=5, samples=200, confidence=0.9).loc["sharpe_ratio"]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(expected.tolist(), rel=1e-12)


def test_block_length_is_the_longer_of_returns_and_squares(daily):
    values = daily.to_numpy()
    rule = optimal_block_length(np.column_stack([values, values**2]))["stationary"]
    assert intervals.block_length(values) == max(rule)
    assert rule[1] > 5  # volatility clusters in real returns


def test_block_length_of_independent_returns_is_short():
    values = np.random.default_rng(2).normal(0, 0.01, 2000)
    assert 1.0 <= intervals.block_length(values) < 10


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, 0.001), np.eye(50)[7] * 0.01])
def test_block_length_of_returns_that_hardly_vary(values):
    assert 1.0 <= intervals.block_length(values) <= 50


def test_resamples_are_blocks_of_the_given_mean_length_that_wrap_around():
    """With returns that name their own place, the blocks can be read off the resample."""
    n, length, samples = 400, 8.0, 100
    places = np.arange(n, dtype=float)
    seen = []

    def keep(paths, _periods_per_year):
        seen.append(paths)
        return paths.mean(axis=-1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "block_length", lambda *_: length)
        intervals.resampled({"keep": keep}, [places], 252.0, samples=samples, seed=0)
    paths = np.concatenate(seen)
    assert paths.shape == (samples, n)
    follows = np.diff(paths, axis=1) % n == 1
    # A block goes on with probability 1 - 1/8, or its successor is drawn by chance.
    expected = 1 - 1 / length + 1 / length / n
    assert follows.mean() == pytest.approx(expected, abs=4 * (expected * (1 - expected) / follows.size) ** 0.5)
    assert paths.mean() == pytest.approx((n - 1) / 2, rel=0.05)
    assert np.any(np.diff(paths, axis=1) == 1 - n)  # from the last return on to the first


def test_no_ratio_and_no_interval_below_thirty_returns(daily):
    few = summary(daily.iloc[:29], periods_per_year=252)
    assert few[["ci_low", "ci_high"]].isna().all(axis=None)
    assert few.loc[RATIOS, "value"].isna().all()
    assert few.drop(RATIOS)["value"].notna().all()
    just = summary(daily.iloc[:30], periods_per_year=252, samples=50)
    assert just["value"].notna().all()
    # Of so few returns the autocorrelations of many a resample leave a year no variance.
    assert just.index[just["ci_low"].isna()].tolist() == ["lo_sharpe_ratio"]


def test_no_samples_no_interval(daily):
    assert summary(daily, periods_per_year=252, samples=0)["ci_low"].isna().all()


def test_an_account_that_never_traded():
    table = summary(pd.Series([0.0] * 60), periods_per_year=252)
    unknown = [*RATIOS, "hit_rate"]
    assert table.loc[unknown, ["value", "ci_low", "ci_high"]].isna().all(axis=None)
    assert (table.loc[["total_return", "volatility", "max_drawdown"], ["value", "ci_low"]] == 0).all(axis=None)


def test_an_interval_is_unknown_where_resamples_often_leave_the_metric_undefined():
    """One return in sixty: a third of the resamples never draw it and have no volatility."""
    table = summary(pd.Series([0.0] * 59 + [-0.01]), periods_per_year=252)
    assert np.isfinite(table.loc["sharpe_ratio", "value"])
    assert np.isnan(table.loc["sharpe_ratio", "ci_low"])
    assert np.isfinite(table.loc["volatility", "ci_low"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": -1}, "samples is -1; accepted: a whole number"),
        ({"samples": 2.5}, r"samples is 2\.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"confidence": 95}, "confidence is 95; accepted: a number between 0 and 1"),
    ],
)
def test_parameters_are_checked(daily, given, message):
    with pytest.raises(DataError, match=message):
        summary(daily, periods_per_year=252, **given)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 95 % intervals for independent normal returns, about 95 % hold the true value."""
    mean, deviation, n, times = 0.001, 0.01, 120, 250
    rng = np.random.default_rng(11)
    truth = {"sharpe_ratio": mean / deviation * 252**0.5, "volatility": deviation * 252**0.5, "hit_rate": 0.5398}
    hits = dict.fromkeys(truth, 0)
    for i in range(times):
        table = summary(pd.Series(rng.normal(mean, deviation, n)), periods_per_year=252, seed=i, samples=200)
        for key, value in truth.items():
            hits[key] += table.loc[key, "ci_low"] <= value <= table.loc[key, "ci_high"]
    # Percentile intervals of a small sample are known to be a little short.
    assert all(0.89 <= hit / times <= 0.99 for hit in hits.values()), hits


def test_blocks_widen_the_interval_of_returns_that_trend():
    """The mean of an AR(1) is surer of itself when its dependence is ignored; blocks do not ignore it."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, 1500)
    trending = np.empty(1500)
    trending[0] = noise[0]
    for t in range(1, 1500):
        trending[t] = 0.5 * trending[t - 1] + noise[t]

    def width(values):
        row = summary(pd.Series(values), periods_per_year=252, samples=300).loc["sharpe_ratio"]
        return row["ci_high"] - row["ci_low"]

    # Asymptotically sqrt((1 + 0.5) / (1 - 0.5)) = 1.73 times as wide.
    assert 1.35 < width(trending) / width(rng.permutation(trending)) < 2.2


def test_columns_are_resampled_together(daily):
    """A benchmark that is twice the returns stays twice the returns in every resample: beta is a half, always."""
    table = summary(daily, periods_per_year=252, benchmark=2 * daily, samples=40)
    assert table.loc["beta", ["value", "ci_low", "ci_high"]].tolist() == pytest.approx([0.5] * 3, rel=1e-9)
    assert table.loc["correlation", ["ci_low", "ci_high"]].tolist() == pytest.approx([1.0] * 2, rel=1e-9)
    assert table.loc["information_ratio", "ci_low"] < table.loc["information_ratio", "ci_high"]


def test_blocks_are_as_long_as_the_most_persistent_column_asks(daily):
    noise, clustered = np.random.default_rng(2).normal(0, 0.01, len(daily)), daily.to_numpy()
    assert intervals.block_length(noise) < intervals.block_length(clustered)
    assert intervals.block_length(noise, clustered) == intervals.block_length(clustered)
    assert intervals.block_length(clustered, np.zeros(len(daily))) == intervals.block_length(clustered)


def test_chosen_rows_have_the_numbers_of_the_whole_table(daily):
    whole = summary(daily, periods_per_year=252, benchmark=daily.shift(1, fill_value=0.0), samples=40)
    some = summary(
        daily,
        periods_per_year=252,
        benchmark=daily.shift(1, fill_value=0.0),
        keys=["beta", "sharpe_ratio", "cagr"],
        samples=40,
    )
    pd.testing.assert_frame_equal(some, whole.loc[["cagr", "sharpe_ratio", "beta"]])


def test_a_row_that_cannot_be_made_is_refused(daily):
    with pytest.raises(DataError, match=r"no metric 'sharp_ratio'.*sharpe_ratio"):
        summary(daily, periods_per_year=252, keys=["sharp_ratio"])
    with pytest.raises(DataError, match="no metric 'beta' made from what was given"):
        summary(daily, periods_per_year=252, keys=["beta"])
    with pytest.raises(DataError, match="keys is empty"):
        summary(daily, periods_per_year=252, keys=[])
