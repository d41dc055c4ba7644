"""Metrics: what a record earned, risked and cost, and how sure that is; each with formula, reference and interval."""

from __future__ import annotations

from quantlib.metrics.activity import gross_exposure, net_exposure, time_in_market, turnover
from quantlib.metrics.band import growth_band
from quantlib.metrics.benchmark import (
    alpha,
    beta,
    correlation,
    down_capture,
    information_ratio,
    tracking_error,
    up_capture,
)
from quantlib.metrics.capacity import capacity
from quantlib.metrics.cards_of_accounts import OF_ACCOUNT, OF_BENCHMARK, OF_FLOWS, OF_TRADES
from quantlib.metrics.cards_of_returns import OF_RETURNS
from quantlib.metrics.equity import equity_metrics_nb
from quantlib.metrics.factors import FactorRegression, factor_regression
from quantlib.metrics.flows import flow_adjusted_returns, internal_rate_of_return, time_weighted_return
from quantlib.metrics.metric import Metric
from quantlib.metrics.periods import monthly_returns, monthly_table, rolling
from quantlib.metrics.ratios import autocorrelation_lags, calmar_ratio, lo_sharpe_ratio, sharpe_ratio, sortino_ratio
from quantlib.metrics.returns import best_period, cagr, hit_rate, total_return, worst_period
from quantlib.metrics.risk import (
    downside_deviation,
    drawdown,
    expected_shortfall,
    max_drawdown,
    value_at_risk,
    volatility,
)
from quantlib.metrics.series import ENOUGH
from quantlib.metrics.shape import excess_kurtosis, gain_to_pain_ratio, omega_ratio, skewness, tail_ratio
from quantlib.metrics.summaries import account_summary, summary, trade_summary
from quantlib.metrics.trades import expectancy, payoff_ratio, profit_factor, trade_hit_rate
from quantlib.metrics.underwater import drawdown_table, longest_drawdown, recovery_factor, time_under_water, ulcer_index

__all__ = [
    "ENOUGH",
    "METRICS",
    "FactorRegression",
    "Metric",
    "account_summary",
    "alpha",
    "autocorrelation_lags",
    "best_period",
    "beta",
    "cagr",
    "calmar_ratio",
    "capacity",
    "correlation",
    "down_capture",
    "downside_deviation",
    "drawdown",
    "drawdown_table",
    "equity_metrics_nb",
    "excess_kurtosis",
    "expectancy",
    "expected_shortfall",
    "factor_regression",
    "flow_adjusted_returns",
    "gain_to_pain_ratio",
    "gross_exposure",
    "growth_band",
    "hit_rate",
    "information_ratio",
    "internal_rate_of_return",
    "lo_sharpe_ratio",
    "longest_drawdown",
    "max_drawdown",
    "monthly_returns",
    "monthly_table",
    "net_exposure",
    "omega_ratio",
    "payoff_ratio",
    "profit_factor",
    "recovery_factor",
    "rolling",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "summary",
    "tail_ratio",
    "time_in_market",
    "time_under_water",
    "time_weighted_return",
    "total_return",
    "tracking_error",
    "trade_hit_rate",
    "trade_summary",
    "turnover",
    "ulcer_index",
    "up_capture",
    "value_at_risk",
    "volatility",
    "worst_period",
]

METRICS: dict[str, Metric] = {**OF_RETURNS, **OF_BENCHMARK, **OF_ACCOUNT, **OF_TRADES, **OF_FLOWS}
