"""Tables of metrics: value, interval, number of observations and periods a year of each."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.metrics.activity import account_columns
from quantlib.metrics.cards_of_accounts import OF_ACCOUNT, OF_BENCHMARK, OF_TRADES
from quantlib.metrics.cards_of_returns import OF_RETURNS
from quantlib.metrics.intervals import table
from quantlib.metrics.series import level_of, paired, periods_of, values_of
from quantlib.metrics.trades import closed_trades


def summary(
    returns: pd.Series,
    *,
    periods_per_year: float,
    benchmark: pd.Series | None = None,
    keys: Iterable[str] | None = None,
    seed: int = 0,
    samples: int = 500,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return every metric that is made from returns, one a row, with a bootstrap interval for each.

    The intervals are percentiles of the metric on stationary bootstrap resamples, whose blocks keep the
    clustering of volatility. They show sampling error only: not the trials it took to find the strategy, and
    not a future unlike this past. That of the maximum drawdown says what other orders of the same blocks
    would have given. The same input and seed give the same numbers, whatever the keys.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    periods_per_year
        252 for daily stock returns, 365 for crypto, 12 for months.
    benchmark
        Returns on the same index: adds the metrics against a benchmark, whose resamples keep both together.
    keys
        Metrics wanted, of those made from what is given; None takes all.
    seed
        Of the resampling; 0 or above.
    samples
        Number of resamples; 0 leaves the intervals out.
    confidence
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        Index: keys of METRICS, in its order. Columns: value, ci_low, ci_high, n (number of returns),
        periods_per_year; formula and reference stand in METRICS. A ratio is NaN below 30 returns. The interval is
        NaN below 30 returns, where the value is NaN, and where more than 1 - confidence of the resamples leave
        the metric undefined.

    Raises
    ------
    DataError
        The series is empty, a return is unknown or below -1, the indices differ, a key is none of these, or a
        parameter is out of bounds.

    References
    ----------
    Politis, Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.

    Examples
    --------
    >>> summary(returns, periods_per_year=252).loc["sharpe_ratio"]  # doctest: +SKIP
    """
    values, periods, level = values_of(returns), periods_of(periods_per_year), level_of(confidence, "confidence")
    offered = OF_RETURNS if benchmark is None else OF_RETURNS | OF_BENCHMARK
    wanted = set(offered) if keys is None else set(keys)
    if strange := sorted(wanted - set(offered)):
        raise DataError(f"There is no metric {strange[0]!r} made from what was given. {nearest(strange[0], offered)}")
    parts = [(OF_RETURNS, [values])]
    if benchmark is not None:
        parts.append((OF_BENCHMARK, [values, paired(returns, benchmark, "benchmark")]))
    tables = [
        table(chosen, columns, periods, seed=seed, samples=samples, confidence=level)
        for cards, columns in parts
        if (chosen := [card for key, card in cards.items() if key in wanted])
    ]
    if not tables:
        raise DataError("keys is empty; name at least one metric, or leave it out for all.")
    return pd.concat(tables)


def account_summary(
    traded_notional: pd.Series,
    equity: pd.Series,
    weights: pd.DataFrame,
    *,
    periods_per_year: float,
    seed: int = 0,
    samples: int = 500,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return turnover, exposures and time in market, one a row, as `summary` does; n is the number of sessions.

    Without sessions, as of an account ruined on its first, all is unknown.

    Parameters
    ----------
    traded_notional
        Purchases and sales of each session, both counted as positive amounts.
    equity
        Equity at each close, above zero, on the same dates.
    weights
        Value held over equity at each close [time x symbol], on the same dates.
    periods_per_year, seed, samples, confidence
        See `summary`.

    Raises
    ------
    DataError
        Dates differ, a number is unknown or a parameter out of bounds.
    """
    return table(
        OF_ACCOUNT.values(),
        account_columns(traded_notional, equity, weights),
        periods_of(periods_per_year),
        seed=seed,
        samples=samples,
        confidence=level_of(confidence, "confidence"),
    )


def trade_summary(
    trades: pd.DataFrame,
    *,
    periods_per_year: float,
    seed: int = 0,
    samples: int = 500,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what the closed trades made, one metric a row, as `summary` does; n is the number of closed trades.

    Blocks of trades are resampled in the order of their exits, as trades of one time share its weather.

    Parameters
    ----------
    trades
        One row a trade with columns left (NaT while open), return and pnl, such as a result's group trades; none
        closed gives unknown values.
    periods_per_year, seed, samples, confidence
        See `summary`; none of these metrics is of a year.

    Raises
    ------
    DataError
        A column is missing, the result of a closed trade is unknown, or a parameter is out of bounds.
    """
    return table(
        OF_TRADES.values(),
        closed_trades(trades),
        periods_of(periods_per_year),
        seed=seed,
        samples=samples,
        confidence=level_of(confidence, "confidence"),
    )
