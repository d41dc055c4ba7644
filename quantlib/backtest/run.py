"""Run target weights over a panel: one group, several groups on one account, or thousands of bare accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from quantlib.backtest.kernel import simulate_each_nb, simulate_nb
from quantlib.backtest.ledger import Plan, result_of
from quantlib.backtest.limits import bounds_of, capped, rules_of, surely_within
from quantlib.backtest.market import Market, prepare
from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.backtest.state import CASH, SHARES, IntArray, Log, Record
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

__all__ = [
    "Account",
    "BacktestResult",
    "GroupTargets",
    "Rebalance",
    "active_returns",
    "equities_of",
    "equity_of",
    "run",
    "run_account",
    "run_groups",
    "run_strategy",
]

Rebalance = Literal["on_change", "every_bar"]
AnyCosts = Costs | Mapping[str, Costs]


class Account(NamedTuple):
    """Equity and cash [T] and shares [T, N] of an account."""

    equity: FloatArray
    cash: FloatArray
    shares: FloatArray


@dataclass(frozen=True, eq=False)
class GroupTargets:
    """A group of a portfolio: what it decides, and what bounds its trades.

    Parameters
    ----------
    name
        What tables call it; every group of a portfolio has its own.
    targets
        Weights as fractions of the account's equity [time x symbol], finite, on the panel's dates and symbols.
    stops
        When its trades are given up or taken home.
    spread_z
        Its spread in standard deviations at each close [T]; needed for a spread stop.
    linked
        Whether its legs hedge each other, so that none of them makes sense without the others.
    """

    name: str
    targets: pd.DataFrame
    stops: Stops | None = None
    spread_z: FloatArray | None = None
    linked: bool = False


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
    targets, stops, spread_z, linked, name
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
        Targets do not fit the panel or are not finite, a stop lacks what it needs, or `lag` is below 1.
    DataError
        The panel is empty, a symbol has no costs, or a split or dividend is out of range.

    Examples
    --------
    >>> result = run(panel, strategy.targets(panel))  # doctest: +SKIP
    """
    group = GroupTargets(name, targets, stops, spread_z, linked)
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


def group_of(strategy: Strategy, panel: Panel, *, name: str | None = None) -> GroupTargets:
    """Return a strategy's decisions on a panel with what bounds its trades."""
    targets = strategy.targets(panel)
    spread = strategy.spread_z(panel.select(strategy.inputs))
    return GroupTargets(name or strategy.title, targets, strategy.risk, spread, strategy.linked)


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
    costs = costs or Costs()
    market = prepare(panel, costs, execution, delisted=delisted)
    plan, equity, record, log = _simulate(panel, market, groups, limits, cash, lag, rebalance)
    return result_of(panel, plan, costs, equity, record, log)


def run_account(
    panel: Panel,
    targets: pd.DataFrame,
    *,
    costs: AnyCosts,
    stops: Stops | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    spread_z: FloatArray | None = None,
    linked: bool = False,
    delisted: Mapping[str, date] | None = None,
) -> Account:
    """Return the bare arrays of `run`, without its tables."""
    market = prepare(panel, costs, execution, delisted=delisted)
    groups = [GroupTargets("", targets, stops, spread_z, linked)]
    plan, equity, record, _ = _simulate(panel, market, groups, limits, cash, lag, rebalance)
    shares = np.zeros(panel.close.shape)
    shares[:, plan.column] = record.legs[SHARES].T
    return Account(equity, record.bars[CASH], shares)


def _simulate(
    panel: Panel,
    market: Market,
    groups: Sequence[GroupTargets],
    limits: Limits | None,
    cash: float,
    lag: int,
    rebalance: Rebalance,
) -> tuple[Plan, FloatArray, Record, Log]:
    _check_account(cash, lag)
    if len({group.name for group in groups}) < len(groups) or not groups:
        raise StrategyError(f"Groups need names of their own; got {', '.join(g.name for g in groups) or 'no group'}.")
    limits = limits or Limits()
    wanted = [_checked(panel, group) for group in groups]
    columns = [np.flatnonzero((weights != 0.0).any(axis=0)) for weights in wanted]
    for group, column in zip(groups, columns, strict=True):
        _check_stops(panel, group, len(column))
    legs = [np.ascontiguousarray(weights[:, column].T) for weights, column in zip(wanted, columns, strict=True)]
    plan = Plan(
        names=tuple(group.name for group in groups),
        first=np.concatenate([[0], np.cumsum([len(column) for column in columns])]).astype(np.int64),
        column=np.concatenate(columns).astype(np.int64),
        targets=np.concatenate(capped(legs, columns, limits)),
    )
    equity, record = np.empty(len(panel)), Record(np.zeros((3, *plan.targets.shape)), np.zeros((5, len(panel))))
    stops = [group.stops or Stops() for group in groups]
    rules = rules_of(stops, [group.spread_z for group in groups], len(panel))
    linked = np.array([group.linked for group in groups])
    bounds, every_bar = bounds_of(limits), rebalance == "every_bar"
    log = simulate_nb(
        market,
        plan.targets,
        plan.column,
        plan.first,
        linked,
        rules,
        bounds,
        float(cash),
        lag,
        every_bar,
        equity,
        record,
    )
    return plan, equity, record, log


def equity_of(
    market: Market,
    targets: FloatArray,
    *,
    stops: Stops | None = None,
    spread_z: FloatArray | None = None,
    linked: bool = False,
    limits: Limits | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
) -> FloatArray:
    """Return the equity [T] of one group on a prepared market; targets [T, N], finite.

    Nothing but the shape is checked: it is for callers that make thousands of targets themselves.
    """
    columns = np.arange(targets.shape[1])[None, :]
    equity: FloatArray = equities_of(
        market,
        np.ascontiguousarray(targets.T)[None, :, :],
        columns,
        stops=stops,
        spread_z=None if spread_z is None else spread_z[None, :],
        linked=linked,
        limits=limits,
        cash=cash,
        lag=lag,
        rebalance=rebalance,
    )[0]
    return equity


def equities_of(
    market: Market,
    targets: FloatArray,
    columns: IntArray,
    *,
    stops: Stops | Sequence[Stops] | None = None,
    spread_z: FloatArray | None = None,
    linked: bool = False,
    limits: Limits | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    rebalance: Rebalance = "on_change",
    out: FloatArray | None = None,
) -> FloatArray:
    """Return the equity of A accounts of one group each on a prepared market [A, T]; runs beside other threads.

    Nothing but shapes is checked: it is for callers that make thousands of targets themselves.

    Parameters
    ----------
    market
        From `prepare`.
    targets
        Finite weights [A, L, T], each leg's bars beside each other in memory.
    columns
        The symbol of each leg by its place in the market [A, L].
    stops
        One for all accounts, or one for each.
    spread_z
        Spread of each account [A, T], for spread stops.
    out
        Where to put the answer, to spare the memory.

    Examples
    --------
    Each symbol its own account, from targets [T, N]:

    >>> equities_of(market, targets.T[:, None, :], np.arange(n)[:, None])  # doctest: +SKIP
    """
    _check_account(cash, lag)
    n, legs, bars = targets.shape
    if bars != market.bars.shape[2] or columns.shape != (n, legs):
        raise StrategyError(
            f"Targets are {targets.shape} and columns {columns.shape}; for a market of {market.bars.shape[2]} bars "
            "they must be [accounts, legs, bars] and [accounts, legs]."
        )
    limits = limits or Limits()
    targets = np.ascontiguousarray(targets)
    columns = np.ascontiguousarray(columns, dtype=np.int64)
    if not surely_within(targets, limits):
        targets = np.stack([capped([targets[a]], [columns[a]], limits)[0] for a in range(n)])
    each = [stops] * n if isinstance(stops, Stops) else list(stops or ())
    rules = None
    if any(one.any for one in each):
        rules = rules_of(each, [None] * n if spread_z is None else list(spread_z), bars)
    equity = np.empty((n, bars)) if out is None else out
    simulate_each_nb(
        *(market, targets, columns, np.full(n, linked), rules, bounds_of(limits)),
        *(float(cash), lag, rebalance == "every_bar", equity),
    )
    return equity


def _check_account(cash: float, lag: int) -> None:
    if lag < 1:
        raise StrategyError(f"lag is {lag}; a decision can be filled one session later at the earliest, so 1 or more.")
    if cash <= 0:
        raise StrategyError(f"The account starts with {cash:g}; cash must be above zero.")


def _checked(panel: Panel, group: GroupTargets) -> FloatArray:
    """Return the weights of a group [T, N], fit for the panel."""
    targets = group.targets
    if len(panel) == 0:
        raise DataError("The panel has no sessions. Choose a span with data.")
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
    return wanted


def _check_stops(panel: Panel, group: GroupTargets, legs: int) -> None:
    stops = group.stops or Stops()
    if stops.watch == "intrabar" and legs > 1:
        raise StrategyError(
            f"{group.name} has {legs} legs, and stops within the bar are for one: the bars of several do not say which "
            'price came first. Use watch="close".'
        )
    if stops.spread_z is not None and group.spread_z is None:
        raise StrategyError(f"{group.name} has a spread stop but no spread. Give spread_z, or leave the stop out.")
    if group.spread_z is not None and group.spread_z.shape != (len(panel),):
        raise StrategyError(
            f"The spread of {group.name} has shape {group.spread_z.shape}; the panel gives ({len(panel)},)."
        )
