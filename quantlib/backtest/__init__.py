"""The backtest: a panel and target weights in, an account out; in history, simulated worlds, grids and portfolios."""

from quantlib.backtest.accounts import Account, Rebalance, equities_of, equity_of, run_account
from quantlib.backtest.departure import check_simulable
from quantlib.backtest.fragility import break_even_cost, delay_decay, same_bar_band
from quantlib.backtest.groups import GroupTargets, group_of
from quantlib.backtest.holding import hold_equal_parts, holding_beside
from quantlib.backtest.market import Market, prepare
from quantlib.backtest.portfolio import Member, Portfolio, PortfolioResult, run_portfolio
from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.backtest.run import run, run_groups, run_strategy
from quantlib.backtest.search import Between, search
from quantlib.backtest.sizing import Sizing
from quantlib.backtest.stress import StressResult, stress
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.backtest.variants import Variants, variants_of
from quantlib.backtest.worlds import evaluate_in_worlds
from quantlib.backtest.worlds_compare import Comparison, compare_simulators
from quantlib.backtest.worlds_edge import EdgeResult, edge_in_worlds, zero_edge
from quantlib.backtest.worlds_result import Outcomes, WorldsResult
from quantlib.backtest.worlds_stops import StopsEffect, stops_effect

__all__ = [
    "Account",
    "BacktestResult",
    "Between",
    "Comparison",
    "EdgeResult",
    "Grid",
    "GroupTargets",
    "Market",
    "Member",
    "Outcomes",
    "Portfolio",
    "PortfolioResult",
    "Rebalance",
    "Sizing",
    "StopsEffect",
    "StressResult",
    "SweepResult",
    "Variants",
    "WorldsResult",
    "active_returns",
    "break_even_cost",
    "check_simulable",
    "compare_simulators",
    "delay_decay",
    "edge_in_worlds",
    "equities_of",
    "equity_of",
    "evaluate_in_worlds",
    "group_of",
    "hold_equal_parts",
    "holding_beside",
    "prepare",
    "run",
    "run_account",
    "run_groups",
    "run_portfolio",
    "run_strategy",
    "same_bar_band",
    "search",
    "stops_effect",
    "stress",
    "sweep",
    "variants_of",
    "zero_edge",
]
