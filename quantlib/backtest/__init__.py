"""The backtest: panel and target weights in, account out; and the same in simulated worlds."""

from quantlib.backtest.holding import hold_equal_parts, holding_beside
from quantlib.backtest.market import Market, prepare
from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.backtest.run import (
    GroupTargets,
    Rebalance,
    equities_of,
    equity_of,
    run,
    run_account,
    run_groups,
    run_strategy,
)
from quantlib.backtest.worlds import WorldsResult, evaluate_in_worlds

__all__ = [
    "BacktestResult",
    "GroupTargets",
    "Market",
    "Rebalance",
    "WorldsResult",
    "active_returns",
    "equities_of",
    "equity_of",
    "evaluate_in_worlds",
    "hold_equal_parts",
    "holding_beside",
    "prepare",
    "run",
    "run_account",
    "run_groups",
    "run_strategy",
]
