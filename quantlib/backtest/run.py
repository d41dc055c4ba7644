"""Run target weights over a panel: one group, a strategy, or several groups on one account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from quantlib.backtest.accounts import Rebalance, simulate
from quantlib.backtest.groups import GroupTargets, group_of
from quantlib.backtest.ledger import result_of
from quantlib.backtest.market import prepare
from quantlib.backtest.result import BacktestResult
from quantlib.costs import AnyCosts, Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel


def run(
    panel: Panel,
    targets: pd.DataFrame,
    *,
    costs: AnyCosts | None = None,
    stops: Stops | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    spread_z: FloatArray | None = None,
    linked: bool = False,
    legs: Sequence[str] | None = None,
    name: str = "strategy",
    delisted: Mapping[str, date] | None = None,
) -> BacktestResult:
    """Return the account that follows `targets` through `panel`, as one group.

    A decision of the close of t is filled at the open of t + `lag`, or at that close where no open is known. With
    "on_change" a row is acted on when it differs from the row before; between decisions shares are held and weights
    drift. With "every_bar" the account is brought back to its targets every session. Unknown prices are never traded.
    Every step is in `docs/backtest.md`.

    Parameters
    ----------
    panel
        Prices; T sessions. Raw prices with `extra["split"]` and `extra["dividend"]` are adjusted in the account.
    targets, stops, spread_z, linked, legs, name
        As in `GroupTargets`.
    costs
        One for all symbols, or by symbol; None takes the defaults, which are above zero.
    limits
        What the account may carry; None takes the defaults: gross exposure of 2, a margin call at 25 %.
    execution
        How orders fill; None takes the defaults: at the open, in fractions of shares.
    cash
        Starting cash.
    lag
        Sessions between decision and fill; at least 1.
    rebalance
        When a decision is acted on.
    delisted
        Last session by symbol; who holds it then gets its close.

    Raises
    ------
    StrategyError
        Targets do not fit the panel or are not finite, a stop lacks what it needs, or cash, `lag` or `rebalance` is
        not possible.
    DataError
        The panel is empty, a symbol has no costs, or a split or dividend is out of range.

    Examples
    --------
    >>> result = run(panel, strategy.targets(panel))  # doctest: +SKIP
    """
    group = GroupTargets(name, targets, stops, spread_z, linked, None if legs is None else tuple(legs))
    return run_groups(
        panel,
        [group],
        costs=costs,
        limits=limits,
        execution=execution,
        cash=cash,
        lag=lag,
        rebalance=rebalance,
        delisted=delisted,
    )


def run_strategy(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    delisted: Mapping[str, date] | None = None,
    name: str | None = None,
) -> BacktestResult:
    """Return the account that follows a strategy with its own stops, on a panel that has at least its inputs.

    See Also
    --------
    run
    """
    return run_groups(
        panel,
        [group_of(strategy, panel, name=name)],
        costs=costs,
        limits=limits,
        execution=execution,
        cash=cash,
        lag=lag,
        rebalance=rebalance,
        delisted=delisted,
    )


def run_groups(
    panel: Panel,
    groups: Sequence[GroupTargets],
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    delisted: Mapping[str, date] | None = None,
) -> BacktestResult:
    """Return one account that several groups share; each leg keeps its own shares.

    See Also
    --------
    run
    """
    costs = Costs() if costs is None else costs
    market = prepare(panel, costs, execution, delisted=delisted)
    plan, equity, record, log = simulate(panel, market, groups, limits, cash, lag, rebalance)
    return result_of(panel, plan, costs, equity, record, log)
