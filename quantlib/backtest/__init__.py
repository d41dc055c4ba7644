"""The backtest: panel and target weights in, account out; and the same in simulated worlds."""

from quantlib.backtest.holding import hold_equal_parts, holding_beside
from quantlib.backtest.run import BacktestResult, Rebalance, active_returns, run
from quantlib.backtest.worlds import WorldsResult, evaluate_in_worlds

__all__ = [
    "BacktestResult",
    "Rebalance",
    "WorldsResult",
    "active_returns",
    "evaluate_in_worlds",
    "hold_equal_parts",
    "holding_beside",
    "run",
]
