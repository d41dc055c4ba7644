"""What a backtest did: the account, its fills, orders and trades, and whose profit it was."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from quantlib.metrics import account_summary, summary, trade_summary, turnover


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest did, bar by bar. Amounts are in the account's currency.

    Parameters
    ----------
    equity, cash
        Account value and cash at each close [T].
    shares
        Shares held after each bar's fills, over all groups [time x symbol].
    weights
        Value held over equity at each close [time x symbol], as drifted, not as decided.
    targets
        The decisions within the limits, over all groups [time x symbol].
    trades
        One row a fill: ts, symbol, side, shares, price, notional, cost, decided (the session of the decision, or of the
        close that fired), group, reason, and the parts of the cost: commission, spread, impact.
    orders
        One row a leg of what was ordered: ordered, group, symbol, weight, reason, status ("filled", "waiting",
        "replaced"), filled (NaT where it was not).
    group_trades
        One row a trade of a group: group, side, entered, left (NaT while open), sessions, pnl, return (pnl over base),
        mae and mfe (worst and best result over base), entry_reason, exit_reason ("open" while open), base, fees.
    leg_pnl, leg_value
        Profit in each bar, and value at each close, of every leg [time x (group, symbol)].
    costs
        Commission, spread, impact and borrow paid in each bar [T].
    cost_parts
        Paid in each bar, below zero where received: commission, spread, impact, borrow, financing (interest on cash),
        dividends [time x part].
    traded
        Notional bought and sold in each bar [T].
    written_off
        What the broker lost with a ruined account, in the bar of the ruin [T].
    periods_per_year
        Sessions a year, for annualising.
    """

    equity: pd.Series
    cash: pd.Series
    shares: pd.DataFrame
    weights: pd.DataFrame
    targets: pd.DataFrame
    trades: pd.DataFrame
    orders: pd.DataFrame
    group_trades: pd.DataFrame
    leg_pnl: pd.DataFrame
    leg_value: pd.DataFrame
    costs: pd.Series
    cost_parts: pd.DataFrame
    traded: pd.Series
    written_off: pd.Series
    periods_per_year: int

    @property
    def returns(self) -> pd.Series:
        """Net simple returns from close to close; the first session is 0, ruin is -1 and then 0."""
        return self.equity.pct_change().fillna(0.0).rename("return")

    @property
    def group_pnl(self) -> pd.DataFrame:
        """Profit of every group in each bar: the sum of its legs [time x group]."""
        return self.leg_pnl.T.groupby(level="group", sort=False).sum().T

    @property
    def pnl_by_reason(self) -> pd.Series:
        """Profit of the groups' trades by the reason they ended, the one still open under "open"."""
        return self.group_trades.groupby("exit_reason")["pnl"].sum().rename("pnl")

    @property
    def trade_summary(self) -> pd.DataFrame:
        """What the closed trades of all groups made, one metric a row, with intervals.

        See Also
        --------
        quantlib.metrics.trade_summary
        """
        return trade_summary(self.group_trades, periods_per_year=self.periods_per_year)

    @property
    def turnover(self) -> float:
        """One-way turnover a year from the first fill on, while the account is above zero."""
        alive = self.equity[active_returns(self).index]
        alive = alive[alive > 0]
        return turnover(self.traded[alive.index], alive, periods_per_year=self.periods_per_year)

    def summary(self, *, seed: int = 0, samples: int = 500) -> pd.DataFrame:
        """Return every metric with its 95 % interval, from the first fill on; of the account, while it is above zero.

        See Also
        --------
        quantlib.metrics.summary, quantlib.metrics.account_summary
        """
        returns = active_returns(self)
        alive = returns.index[self.equity[returns.index] > 0]
        earned = summary(returns, periods_per_year=self.periods_per_year, seed=seed, samples=samples)
        held = account_summary(
            self.traded[alive],
            self.equity[alive],
            self.weights.loc[alive],
            periods_per_year=self.periods_per_year,
            seed=seed,
            samples=samples,
        )
        return pd.concat([earned, held])


def active_returns(result: BacktestResult) -> pd.Series:
    """Return net returns from the first fill on: idle sessions before it are no track record.

    A backtest that never trades returns all of its (zero) returns.
    """
    if result.trades.empty:
        return result.returns
    return result.returns.loc[result.trades["ts"].iloc[0] :]
