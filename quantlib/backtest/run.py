"""Run target weights over a panel: fills, costs, equity and trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.backtest.kernel import simulate_account_nb
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import summary, turnover
from quantlib.types import FloatArray, Panel

Rebalance = Literal["on_change", "every_bar"]


class Account(NamedTuple):
    """What the kernel returns, as arrays; see `simulate_account_nb`."""

    equity: FloatArray
    cash: FloatArray
    shares: FloatArray
    fills: FloatArray
    costs: FloatArray
    decided: NDArray[np.int64]


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest did, bar by bar.

    Parameters
    ----------
    equity, cash
        Account value and cash at each close, in the account's currency [T].
    shares
        Shares held after each bar's fills [time x symbol].
    weights
        Value held over equity at each close [time x symbol], as drifted, not as decided.
    targets
        The decisions [time x symbol].
    trades
        One row a fill: ts, symbol, side, shares, price, notional, cost, decided (the session of the decision).
    costs
        Commission, spread and borrow paid in each bar [T].
    traded
        Notional bought and sold in each bar [T].
    periods_per_year
        Sessions a year, for annualising.
    """

    equity: pd.Series
    cash: pd.Series
    shares: pd.DataFrame
    weights: pd.DataFrame
    targets: pd.DataFrame
    trades: pd.DataFrame
    costs: pd.Series
    traded: pd.Series
    periods_per_year: int

    @property
    def returns(self) -> pd.Series:
        """Net simple returns from close to close; the first session is 0, ruin is -1 and then 0."""
        return self.equity.clip(lower=0.0).pct_change().fillna(0.0).rename("return")

    @property
    def turnover(self) -> float:
        """One-way turnover a year from the first fill on, while the account is above zero."""
        alive = self.equity[active_returns(self).index]
        alive = alive[alive > 0]
        return turnover(self.traded[alive.index], alive, periods_per_year=self.periods_per_year)

    def summary(self, *, seed: int = 0, samples: int = 500) -> pd.DataFrame:
        """Return every metric with its 95 % interval, from the first fill on, and turnover without one.

        See Also
        --------
        quantlib.metrics.summary
        """
        returns = active_returns(self)
        table = summary(returns, periods_per_year=self.periods_per_year, seed=seed, samples=samples)
        table.loc["turnover"] = [self.turnover, np.nan, np.nan, len(returns)]
        return table.astype({"n": "int64"})


def active_returns(result: BacktestResult) -> pd.Series:
    """Return net returns from the first fill on: idle sessions before it are no track record.

    A backtest that never trades returns all of its (zero) returns.
    """
    if result.trades.empty:
        return result.returns
    return result.returns.loc[result.trades["ts"].iloc[0] :]


def run(
    panel: Panel,
    targets: pd.DataFrame,
    *,
    costs: Costs | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
) -> BacktestResult:
    """Return the account that follows `targets` through `panel`.

    A decision of the close of t is filled at the open of t + `lag`, or at that close where no open is known. With
    "on_change" a row is acted on when it differs from the row before; between decisions shares are held and weights
    drift. With "every_bar" the account is brought back to its targets every session. Unknown prices are never traded.

    Parameters
    ----------
    panel
        Prices; T sessions.
    targets
        Weights as fractions of equity [time x symbol], finite, on the panel's dates and symbols.
    costs
        Costs by side; None takes the defaults, which are above zero.
    cash
        Starting cash.
    lag
        Sessions between decision and fill; at least 1.
    rebalance
        When a decision is acted on.

    Raises
    ------
    StrategyError
        Targets do not fit the panel, are not finite, or `lag` is below 1.
    DataError
        The panel is empty.

    Examples
    --------
    >>> result = run(panel, strategy.targets(panel))  # doctest: +SKIP
    """
    costs = costs or Costs()
    account = run_account(panel, targets, costs=costs, cash=cash, lag=lag, rebalance=rebalance)
    return _result(panel, targets, costs, account)


def run_account(
    panel: Panel,
    targets: pd.DataFrame,
    *,
    costs: Costs,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
) -> Account:
    """Return the bare arrays of `run`, for callers that run thousands of accounts and need only some of them."""
    if len(panel) == 0:
        raise DataError("The panel has no sessions. Choose a span with data.")
    if lag < 1:
        raise StrategyError(f"lag is {lag}; a decision can be filled one session later at the earliest, so 1 or more.")
    if cash <= 0:
        raise StrategyError(f"The account starts with {cash:g}; cash must be above zero.")
    if not targets.index.equals(panel.index) or tuple(targets.columns) != panel.symbols:
        raise StrategyError(
            f"Targets are {targets.shape[0]} x {targets.shape[1]} and the panel {len(panel)} x {len(panel.symbols)}; "
            "dates and symbols must be the same, in the same order. Use strategy.targets(panel)."
        )
    wanted = targets.to_numpy(dtype=np.float64)
    if not np.isfinite(wanted).all():
        t, i = np.argwhere(~np.isfinite(wanted))[0]
        raise StrategyError(
            f"The target of {panel.symbols[i]} on {panel.index[t]:%Y-%m-%d} is {wanted[t, i]}; use 0 for no position."
        )
    borrow = costs.borrow_bps_per_year / 1e4 / panel.periods_per_year
    account = simulate_account_nb(
        panel.open, panel.close, wanted, costs.per_side, borrow, float(cash), lag, rebalance == "every_bar"
    )
    return Account(*account)


def _result(panel: Panel, targets: pd.DataFrame, costs: Costs, account: Account) -> BacktestResult:
    index, columns = panel.index, pd.Index(panel.symbols, name="symbol")
    equity, shares, fills, decided = account.equity, account.shares, account.fills, account.decided
    change = np.diff(shares, axis=0, prepend=0.0)
    notional = np.where(np.isfinite(fills), change * fills, 0.0)
    rows, cols = np.nonzero(np.isfinite(fills))
    trades = pd.DataFrame(
        {
            "ts": index[rows],
            "symbol": np.asarray(panel.symbols, dtype=object)[cols],
            "side": np.where(change[rows, cols] > 0, "buy", "sell"),
            "shares": np.abs(change[rows, cols]),
            "price": fills[rows, cols],
            "notional": np.abs(notional[rows, cols]),
            "cost": np.abs(notional[rows, cols]) * costs.per_side,
            "decided": index[decided[rows, cols]],
        }
    ).astype({"symbol": "str", "side": "str"})
    marks = pd.DataFrame(panel.close, index=index, columns=columns).ffill().to_numpy()
    held = np.where(shares != 0.0, shares * marks, 0.0)
    return BacktestResult(
        equity=pd.Series(equity, index=index, name="equity"),
        cash=pd.Series(account.cash, index=index, name="cash"),
        shares=pd.DataFrame(shares, index=index, columns=columns),
        weights=pd.DataFrame(held / equity[:, None], index=index, columns=columns),
        targets=targets,
        trades=trades,
        costs=pd.Series(account.costs, index=index, name="costs"),
        traded=pd.Series(np.abs(notional).sum(axis=1), index=index, name="traded"),
        periods_per_year=panel.periods_per_year,
    )
