"""The same numbers as quantstats where definitions are the same, and the differences that docs/metrics.md tells of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import quantstats.stats as quantstats

from quantlib import metrics
from quantlib.metrics import METRICS, expected_shortfall
from quantlib.metrics.document import markdown

SAME = {
    "total_return": quantstats.comp,
    "cagr": lambda r: quantstats.cagr(r, periods=252),
    "best_period": quantstats.best,
    "worst_period": quantstats.worst,
    "volatility": lambda r: quantstats.volatility(r, periods=252),
    "sharpe_ratio": lambda r: quantstats.sharpe(r, periods=252),
    "sortino_ratio": lambda r: quantstats.sortino(r, periods=252),
    "calmar_ratio": lambda r: quantstats.calmar(r, periods=252),
    "omega_ratio": lambda r: quantstats.omega(r, periods=252),
    "gain_to_pain_ratio": quantstats.gain_to_pain_ratio,
    "tail_ratio": quantstats.tail_ratio,
    "skewness": quantstats.skew,
    "excess_kurtosis": quantstats.kurtosis,
    "max_drawdown": quantstats.max_drawdown,
    "hit_rate": quantstats.win_rate,
}


def growth(r: np.ndarray) -> np.ndarray:
    return np.concatenate([[1.0], np.cumprod(1.0 + r)])


def downside(r: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.clip(r, None, 0.0) ** 2)))


def drop(r: np.ndarray) -> float:
    return float((growth(r) / np.maximum.accumulate(growth(r)) - 1.0).min())


# As empyrical publishes them, on an array of daily returns, written out.
EMPYRICAL = {
    "total_return": lambda r: growth(r)[-1] - 1.0,
    "cagr": lambda r: growth(r)[-1] ** (1.0 / (len(r) / 252)) - 1.0,
    "volatility": lambda r: np.std(r, ddof=1) * 252 ** (1.0 / 2.0),
    "downside_deviation": lambda r: downside(r) * np.sqrt(252),
    "sharpe_ratio": lambda r: np.mean(r) / np.std(r, ddof=1) * np.sqrt(252),
    "sortino_ratio": lambda r: np.mean(r) * 252 / (downside(r) * np.sqrt(252)),
    "max_drawdown": drop,
    "calmar_ratio": lambda r: (growth(r)[-1] ** (252 / len(r)) - 1.0) / abs(drop(r)),
    "omega_ratio": lambda r: np.sum(r[r > 0.0]) / (-1.0 * np.sum(r[r < 0.0])),
    "tail_ratio": lambda r: np.abs(np.percentile(r, 95)) / np.abs(np.percentile(r, 5)),
}
# What quantstats has no name for, tested against direct formulas elsewhere.
OURS = {
    *("downside_deviation", "time_under_water", "tracking_error", "trade_hit_rate", "expectancy", "turnover"),
    *("gross_exposure", "net_exposure", "time_weighted_return", "internal_rate_of_return"),
}


def daily_of(seed: int) -> pd.Series:
    """Return returns with fat tails over dates that are no whole months."""
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2015-03-11", periods=900)
    return pd.Series(0.0004 + 0.008 * rng.standard_t(4, 900), index=dates)


@pytest.fixture(params=["stock", 1, 2])
def record(request, daily) -> pd.Series:
    return daily if request.param == "stock" else daily_of(request.param)


@pytest.fixture
def market(record) -> pd.Series:
    noise = pd.Series(np.random.default_rng(9).normal(0.0003, 0.01, len(record)), index=record.index)
    return 0.5 * record + noise


def measure(key, returns):
    metric = METRICS[key]
    return metric.function(returns, **({"periods_per_year": 252} if metric.annualised else {}))


@pytest.mark.parametrize("key", SAME)
def test_the_same_number(key, record):
    assert measure(key, record) == pytest.approx(float(SAME[key](record)), rel=1e-9)


@pytest.mark.parametrize("key", EMPYRICAL)
def test_the_same_number_as_the_formulas_of_empyrical(key, record):
    for part in (record, record.iloc[1:], record.iloc[record.to_numpy().argmin() :]):  # one begins with its worst day
        assert measure(key, part) == pytest.approx(float(EMPYRICAL[key](part.to_numpy())), rel=1e-9)


def test_the_same_drawdowns_and_rolling_numbers(record):
    theirs = quantstats.to_drawdown_series(record)
    np.testing.assert_allclose(metrics.drawdown(record), theirs, atol=1e-12)
    ours = metrics.rolling(record, 126, periods_per_year=252)
    np.testing.assert_allclose(ours["sharpe_ratio"], quantstats.rolling_sharpe(record), rtol=1e-9)
    np.testing.assert_allclose(ours["volatility"], quantstats.rolling_volatility(record), rtol=1e-9)


def test_the_same_beta_alpha_and_correlation(record, market):
    theirs = quantstats.greeks(record, market, periods=252)
    assert metrics.beta(record, market) == pytest.approx(theirs["beta"], rel=1e-9)
    assert metrics.alpha(record, market, periods_per_year=252) == pytest.approx(theirs["alpha"], rel=1e-9)
    assert metrics.correlation(record, market) ** 2 == pytest.approx(quantstats.r_squared(record, market), rel=1e-9)


def test_the_same_payoff_and_profit_factor_for_the_same_numbers(record):
    trades = pd.DataFrame({"left": record.index, "return": record, "pnl": record})
    assert metrics.payoff_ratio(trades) == pytest.approx(quantstats.payoff_ratio(record), rel=1e-9)
    assert metrics.profit_factor(trades) == pytest.approx(quantstats.profit_factor(record), rel=1e-9)
    gains = trades[trades["pnl"] > 0]
    assert quantstats.profit_factor(gains["return"]) == np.inf
    assert np.isnan(metrics.profit_factor(gains))


def sharpe_and_omega_take_a_rate_of_one_period(record, _market):
    yearly, period = 0.03, 1.03 ** (1 / 252) - 1
    ours = metrics.sharpe_ratio(record, periods_per_year=252, risk_free=period)
    assert ours == pytest.approx(quantstats.sharpe(record, rf=yearly, periods=252), rel=1e-9)
    assert ours != pytest.approx(metrics.sharpe_ratio(record, periods_per_year=252, risk_free=yearly), rel=0.1)
    ours = metrics.omega_ratio(record, threshold=period)
    assert ours == pytest.approx(quantstats.omega(record, required_return=yearly, periods=252), rel=1e-9)


def lo_raises_the_ratio_of_what_reverts(record, _market):
    noise = record.to_numpy()
    reverting = pd.Series(noise[1:] - 0.3 * noise[:-1], index=record.index[1:])
    plain = metrics.sharpe_ratio(reverting, periods_per_year=252)
    assert abs(metrics.lo_sharpe_ratio(reverting, periods_per_year=252)) > 1.1 * abs(plain)
    assert abs(quantstats.smart_sharpe(reverting, periods=252)) < abs(plain)


def longest_drawdown_counts_sessions(record, _market):
    details = quantstats.drawdown_details(quantstats.to_drawdown_series(record).round(12))
    longest = details.loc[details["days"].idxmax()]
    sessions = len(record.loc[longest["start"] : longest["end"]])
    assert metrics.longest_drawdown(record) == sessions < longest["days"]


def ulcer_index_divides_by_n(record, _market):
    n = len(record)
    ours = metrics.ulcer_index(record)
    assert ours * (n / (n - 1)) ** 0.5 == pytest.approx(quantstats.ulcer_index(record), rel=1e-9)


def recovery_factor_compounds(record, _market):
    deepest = metrics.max_drawdown(record)
    theirs = quantstats.recovery_factor(record)
    assert theirs == pytest.approx(abs(record.sum() / deepest), rel=1e-9)
    assert metrics.recovery_factor(record) == pytest.approx(metrics.total_return(record) / -deepest, rel=1e-12)
    assert metrics.recovery_factor(-record.abs()) < 0 < quantstats.recovery_factor(-record.abs())


def value_at_risk_assumes_no_distribution(record, _market):
    theirs = quantstats.value_at_risk(record)
    assert theirs == pytest.approx(record.mean() - 1.6448536269514722 * record.std(), rel=1e-9)
    ours = metrics.value_at_risk(record)
    assert ours in set(-record)
    interpolated = np.percentile(record, 5)  # empyrical
    assert ours == pytest.approx(-interpolated, rel=0.05)
    assert -interpolated not in set(-record)


def expected_shortfall_takes_its_part_of_the_quantile(record, _market):
    part = record.iloc[:890]  # the tail is 44.5 of them
    historical = -quantstats.expected_shortfall(part, method="historical")
    assert expected_shortfall(part) == pytest.approx(historical, rel=0.02)
    assert expected_shortfall(part) != pytest.approx(historical, rel=1e-6)
    # empyrical takes the mean of what is at or below the return at that place, counted whole.
    last = int((len(part) - 1) * 0.05)
    whole = -np.mean(np.sort(part)[: last + 1])
    assert expected_shortfall(part) == pytest.approx(whole, rel=0.02)
    assert expected_shortfall(part) != pytest.approx(whole, rel=1e-6)
    # Of a hundred, the tail is the five worst and nothing of a sixth: no part to differ by.
    hundred = record.iloc[:100]
    assert expected_shortfall(hundred) == pytest.approx(-hundred.nsmallest(5).mean(), rel=1e-12)


def alpha_is_added_up(record, market):
    """The formula empyrical publishes: (1 + mean of what is beyond beta) ** P - 1."""
    beyond = record - metrics.beta(record, market) * market
    compounded = (1 + beyond.mean()) ** 252 - 1
    ours = metrics.alpha(record, market, periods_per_year=252)
    assert ours == pytest.approx(252 * np.log1p(compounded) / 252, rel=0.01)
    assert ours != pytest.approx(compounded, rel=1e-6)


def information_ratio_is_of_a_year(record, market):
    ours = metrics.information_ratio(record, market, periods_per_year=252)
    assert ours == pytest.approx(quantstats.information_ratio(record, market) * 252**0.5, rel=1e-9)


def captures_are_not_compounded_to_a_year(record, market):
    """The formula empyrical publishes: growth a year in such periods over the benchmark's."""
    for ours, side in ((metrics.up_capture, market > 0), (metrics.down_capture, market < 0)):
        mine, other = ((1 + s[side]).prod() ** (1 / side.sum()) - 1 for s in (record, market))
        assert ours(record, market) == pytest.approx(mine / other, rel=1e-9)
        theirs = ((1 + mine) ** 252 - 1) / ((1 + other) ** 252 - 1)
        assert ours(record, market) != pytest.approx(theirs, rel=0.1)


def time_in_market_counts_positions(record, _market):
    weights = pd.DataFrame({"A": np.where(np.arange(len(record)) < 300, 1.0, 0.0)}, index=record.index)
    assert metrics.time_in_market(weights) == pytest.approx(300 / len(record), rel=1e-12)
    earned = (weights["A"].shift(1, fill_value=0.0) * record).where(np.arange(len(record)) != 10, 0.0)
    share = np.count_nonzero(earned) / len(record)
    assert quantstats.exposure(earned) == np.ceil(share * 100) / 100


def trades_are_not_periods(record, _market):
    """Three sessions in one trade are one gain there, and what each session made here: told apart by the table."""
    trades = pd.DataFrame({"left": record.index, "return": record, "pnl": record})
    by_three = trades.groupby(np.arange(len(trades)) // 3).agg({"left": "last", "return": "sum", "pnl": "sum"})
    for ours, theirs in (
        (metrics.payoff_ratio, quantstats.payoff_ratio),
        (metrics.profit_factor, quantstats.profit_factor),
    ):
        assert ours(by_three) != pytest.approx(theirs(record), rel=1e-3)


DIFFERENT = {
    "sharpe_ratio": sharpe_and_omega_take_a_rate_of_one_period,
    "omega_ratio": sharpe_and_omega_take_a_rate_of_one_period,
    "lo_sharpe_ratio": lo_raises_the_ratio_of_what_reverts,
    "longest_drawdown": longest_drawdown_counts_sessions,
    "ulcer_index": ulcer_index_divides_by_n,
    "recovery_factor": recovery_factor_compounds,
    "value_at_risk": value_at_risk_assumes_no_distribution,
    "expected_shortfall": expected_shortfall_takes_its_part_of_the_quantile,
    "alpha": alpha_is_added_up,
    "information_ratio": information_ratio_is_of_a_year,
    "up_capture": captures_are_not_compounded_to_a_year,
    "down_capture": captures_are_not_compounded_to_a_year,
    "time_in_market": time_in_market_counts_positions,
    "payoff_ratio": trades_are_not_periods,
    "profit_factor": trades_are_not_periods,
}


@pytest.mark.parametrize("key", DIFFERENT)
def test_a_difference_is_as_documented(key, record, market):
    DIFFERENT[key](record, market)


def test_every_metric_is_the_same_or_different_or_ours_alone():
    assert {key for key, metric in METRICS.items() if metric.differs} == set(DIFFERENT)
    assert set(METRICS) == set(SAME) | set(DIFFERENT) | OURS | {"beta", "correlation"}
    for metric in METRICS.values():
        assert metric.differs in markdown()


def test_a_month_without_a_return_is_unknown_here_and_zero_there(record):
    theirs, ours = quantstats.monthly_returns(record), metrics.monthly_table(record)
    np.testing.assert_allclose(ours.fillna(0.0), theirs, rtol=1e-9, atol=1e-12)
    assert ours.drop(columns="Year").isna().sum().sum() == (theirs == 0.0).sum().sum() >= (record.index[0].month - 1)


def test_drawdowns_end_where_the_peak_is_regained(record):
    theirs = quantstats.drawdown_details(quantstats.to_drawdown_series(record).round(12))
    theirs = theirs.sort_values("max drawdown", kind="stable").reset_index(drop=True)
    ours = metrics.drawdown_table(record, top=len(theirs) + 1)
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours["depth"] * 100, theirs["max drawdown"], rtol=1e-9, atol=1e-9)
    deep = ours.head(10).join(theirs.set_axis(range(1, len(theirs) + 1)), suffixes=("", "_theirs")).dropna(subset="end")
    last_below = record.index[record.index.get_indexer(deep["end"]) - 1]
    assert deep["end_theirs"].tolist() == last_below.strftime("%Y-%m-%d").tolist()
    assert deep["start_theirs"].tolist() == deep["start"].dt.strftime("%Y-%m-%d").tolist()


def test_returns_are_never_taken_for_prices():
    gains = pd.Series([0.5, 1.5, 0.2, 0.1], index=pd.bdate_range("2024-01-02", periods=4))
    assert quantstats.max_drawdown(gains) < -0.9
    assert metrics.max_drawdown(gains) == 0.0
