"""Metrics: what a series of simple periodic returns earned, risked and cost, and how sure that is."""

from __future__ import annotations

import pandas as pd

from quantlib.metrics.activity import turnover
from quantlib.metrics.intervals import table
from quantlib.metrics.metric import Metric
from quantlib.metrics.ratios import (
    calmar_ratio,
    calmar_ratio_of,
    sharpe_ratio,
    sharpe_ratio_of,
    sortino_ratio,
    sortino_ratio_of,
)
from quantlib.metrics.returns import cagr, cagr_of, hit_rate, hit_rate_of, total_return, total_return_of
from quantlib.metrics.risk import (
    drawdown,
    expected_shortfall,
    expected_shortfall_of,
    max_drawdown,
    max_drawdown_of,
    value_at_risk,
    value_at_risk_of,
    volatility,
    volatility_of,
)
from quantlib.metrics.series import level_of, periods_of, values_of

__all__ = [
    "METRICS",
    "Metric",
    "cagr",
    "calmar_ratio",
    "drawdown",
    "expected_shortfall",
    "hit_rate",
    "max_drawdown",
    "sharpe_ratio",
    "sortino_ratio",
    "summary",
    "total_return",
    "turnover",
    "value_at_risk",
    "volatility",
]

METRICS: dict[str, Metric] = {
    "total_return": Metric(
        key="total_return",
        title="Total return",
        function=total_return,
        unit="percent",
        higher_is_better=True,
        formula="∏(1 + r) − 1",
        reference="CFA Institute (2020), GIPS Standards: geometric linking",
        annualised=False,
        kernel=total_return_of,
    ),
    "cagr": Metric(
        key="cagr",
        title="Annual growth (CAGR)",
        function=cagr,
        unit="percent",
        higher_is_better=True,
        formula="∏(1 + r)^(P / n) − 1",
        reference="CFA Institute (2020), GIPS Standards: geometric linking",
        annualised=True,
        kernel=cagr_of,
    ),
    "volatility": Metric(
        key="volatility",
        title="Volatility",
        function=volatility,
        unit="percent",
        higher_is_better=False,
        formula="std(r) × √P, with n − 1",
        reference="J.P. Morgan, Reuters (1996), RiskMetrics Technical Document",
        annualised=True,
        kernel=volatility_of,
    ),
    "sharpe_ratio": Metric(
        key="sharpe_ratio",
        title="Sharpe ratio",
        function=sharpe_ratio,
        unit="ratio",
        higher_is_better=True,
        formula="mean(r − f) / std(r − f) × √P, with n − 1",
        reference="Sharpe (1994), The Sharpe ratio, J. Portfolio Management 21(1)",
        annualised=True,
        kernel=sharpe_ratio_of,
    ),
    "sortino_ratio": Metric(
        key="sortino_ratio",
        title="Sortino ratio",
        function=sortino_ratio,
        unit="ratio",
        higher_is_better=True,
        formula="mean(r) / √mean(min(r, 0)²) × √P, over all n",
        reference="Sortino, van der Meer (1991), Downside risk, J. Portfolio Management 17(4)",
        annualised=True,
        kernel=sortino_ratio_of,
    ),
    "calmar_ratio": Metric(
        key="calmar_ratio",
        title="Calmar ratio",
        function=calmar_ratio,
        unit="ratio",
        higher_is_better=True,
        formula="CAGR / |max drawdown|, over the whole series",
        reference="Young (1991), Calmar ratio: a smoother tool, Futures 20(1)",
        annualised=True,
        kernel=calmar_ratio_of,
    ),
    "max_drawdown": Metric(
        key="max_drawdown",
        title="Maximum drawdown",
        function=max_drawdown,
        unit="percent",
        higher_is_better=True,
        formula="min(wealth / highest wealth so far − 1), zero or negative",
        reference="Magdon-Ismail, Atiya (2004), Maximum drawdown, Risk 17(10)",
        annualised=False,
        kernel=max_drawdown_of,
    ),
    "value_at_risk": Metric(
        key="value_at_risk",
        title="Value at risk (95 %, one period)",
        function=value_at_risk,
        unit="percent",
        higher_is_better=False,
        formula="smallest loss not exceeded in 95 % of periods, historical; a loss is positive",
        reference="McNeil, Frey, Embrechts (2015), Quantitative Risk Management, definition 2.8",
        annualised=False,
        kernel=value_at_risk_of,
    ),
    "expected_shortfall": Metric(
        key="expected_shortfall",
        title="Expected shortfall (95 %, one period)",
        function=expected_shortfall,
        unit="percent",
        higher_is_better=False,
        formula="mean loss in the worst 5 % of periods, historical; a loss is positive",
        reference="Acerbi, Tasche (2002), On the coherence of expected shortfall, J. Banking & Finance 26",
        annualised=False,
        kernel=expected_shortfall_of,
    ),
    "hit_rate": Metric(
        key="hit_rate",
        title="Hit rate",
        function=hit_rate,
        unit="percent",
        higher_is_better=True,
        formula="count(r > 0) / count(r ≠ 0)",
        reference="Definition; periods without a return are left out",
        annualised=False,
        kernel=hit_rate_of,
    ),
    "turnover": Metric(
        key="turnover",
        title="Turnover (one-way, a year)",
        function=turnover,
        unit="percent",
        higher_is_better=False,
        formula="mean(traded notional / equity) / 2 × P",
        reference="Portfolio turnover rate as in SEC Form N-1A, with half of both sides for the lesser one",
        annualised=True,
        kernel=None,
    ),
}


def summary(
    returns: pd.Series,
    *,
    periods_per_year: float,
    seed: int = 0,
    samples: int = 500,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return every metric that is made from returns, one a row, with a bootstrap interval for each.

    The intervals are percentiles of the metric on stationary bootstrap resamples, whose blocks keep the
    clustering of volatility. They show sampling error only: not the trials it took to find the strategy, and
    not a future unlike this past. That of the maximum drawdown says what other orders of the same blocks
    would have given. The same input and seed give the same numbers.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        252 for daily stock returns, 365 for crypto, 12 for months.
    seed
        Of the resampling; 0 or above.
    samples
        Number of resamples; 0 leaves the intervals out.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        Index: keys of METRICS, turnover left out. Columns: value, ci_low, ci_high, n (number of returns).
        The interval is NaN below 30 returns, where the value is NaN, and where more than 1 - confidence of
        the resamples leave the metric undefined.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, or a parameter is out of bounds.

    References
    ----------
    Politis, Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.

    Examples
    --------
    >>> summary(returns, periods_per_year=252).loc["sharpe_ratio"]  # doctest: +SKIP
    """
    return table(
        {key: metric.kernel for key, metric in METRICS.items() if metric.kernel is not None},
        values_of(returns),
        periods_of(periods_per_year),
        seed=seed,
        samples=samples,
        confidence=level_of(confidence, "confidence"),
    )
