"""Accounts as bare arrays: one with its stops and limits, or thousands of them on one prepared market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from quantlib.backtest.groups import GroupTargets, plan_of
from quantlib.backtest.kernel import simulate_each_nb, simulate_nb
from quantlib.backtest.ledger import Plan
from quantlib.backtest.limits import bounds_of, capped, rules_of, surely_within
from quantlib.backtest.market import Market, prepare
from quantlib.backtest.state import CASH, SHARES, IntArray, Log, Record
from quantlib.costs import AnyCosts
from quantlib.errors import StrategyError, nearest
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import FloatArray, Panel

Rebalance = Literal["on_change", "every_bar"]


class Account(NamedTuple):
    """Equity and cash [T] and shares [T, N] of an account."""

    equity: FloatArray
    cash: FloatArray
    shares: FloatArray


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
    legs: Sequence[str] | None = None,
    delisted: Mapping[str, date] | None = None,
) -> Account:
    """Return the bare arrays of `run`, without its tables."""
    market = prepare(panel, costs, execution, delisted=delisted)
    groups = [GroupTargets("", targets, stops, spread_z, linked, None if legs is None else tuple(legs))]
    plan, equity, record, _ = simulate(panel, market, groups, limits, cash, lag, rebalance)
    shares = np.zeros(panel.close.shape)
    shares[:, plan.column] = record.legs[SHARES].T
    return Account(equity, record.bars[CASH], shares)


def simulate(
    panel: Panel,
    market: Market,
    groups: Sequence[GroupTargets],
    limits: Limits | None,
    cash: float,
    lag: int,
    rebalance: Rebalance,
    later: tuple[int, Market] | None = None,
) -> tuple[Plan, FloatArray, Record, Log]:
    """Return what was handed to the kernel for an account of groups, its equity [T], its record and its events.

    `later` is the row, 1 or above, from which on the market has other costs, and that market of the same panel.
    """
    check_account(cash, lag, rebalance)
    limits = limits or Limits()
    plan = plan_of(panel, groups, limits)
    equity, record = np.empty(len(panel)), Record(np.zeros((3, *plan.targets.shape)), np.zeros((5, len(panel))))
    stops = [group.stops or Stops() for group in groups]
    rules = rules_of(stops, [group.spread_z for group in groups], len(panel))
    linked = np.array([group.linked for group in groups])
    since, after = later or (len(panel), market)
    log = simulate_nb(
        *(market, after, since, plan.targets, plan.column, plan.first, linked, rules, bounds_of(limits)),
        *(float(cash), lag, rebalance == "every_bar", equity, record),
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
    check_account(cash, lag, rebalance)
    n, legs, bars = targets.shape
    if bars != market.bars.shape[2] or columns.shape != (n, legs):
        raise StrategyError(
            f"Targets are {targets.shape} and columns {columns.shape}; for a market of {market.bars.shape[2]} bars "
            "they must be [accounts, legs, bars] and [accounts, legs]."
        )
    limits = limits or Limits()
    # Also writable, or numba would compile all of it once more for arrays that are not.
    targets = np.require(targets, np.float64, ["C", "W"])
    columns = np.require(columns, np.int64, ["C", "W"])
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


def check_account(cash: float, lag: object, rebalance: str) -> None:
    """Refuse what an account cannot be run with.

    Raises
    ------
    StrategyError
        Cash is not a number above zero, `lag` not a whole one from 1 on, or there is no such `rebalance`.
    """
    if isinstance(lag, bool) or not isinstance(lag, int | np.integer):
        raise StrategyError(f"lag is {lag!r}; a decision waits a whole number of sessions for its fill, 1 or more.")
    if lag < 1:
        raise StrategyError(f"lag is {lag}; a decision can be filled one session later at the earliest, so 1 or more.")
    if not (np.isfinite(cash) and cash > 0):
        raise StrategyError(f"The account starts with {cash:g}; cash must be a number above zero.")
    if rebalance not in get_args(Rebalance):
        raise StrategyError(f"rebalance is {rebalance!r}. {nearest(str(rebalance), get_args(Rebalance))}")
