"""Groups as they are handed to the engine: what they decide, in which legs, and what bounds their trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.backtest.ledger import Plan
from quantlib.backtest.limits import capped
from quantlib.backtest.state import IntArray
from quantlib.errors import DataError, StrategyError, nearest
from quantlib.risk import Limits, Stops
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel


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
        Its spread in standard deviations at each close [T], as seen from its first leg; needed for a spread stop.
    linked
        Whether its legs hedge each other, so that none of them makes sense without the others.
    legs
        Its symbols in its own order; needed for a spread stop. None takes those that ever have a weight, in the
        panel's order.
    """

    name: str
    targets: pd.DataFrame
    stops: Stops | None = None
    spread_z: FloatArray | None = None
    linked: bool = False
    legs: tuple[str, ...] | None = None


def group_of(strategy: Strategy, panel: Panel, *, name: str | None = None) -> GroupTargets:
    """Return a strategy's decisions on a panel with what bounds its trades."""
    targets = strategy.targets(panel)
    spread = strategy.spread_z(panel.select(strategy.inputs))
    return GroupTargets(
        name or strategy.title, targets, strategy.risk, spread, strategy.linked, legs=tuple(strategy.symbols)
    )


def plan_of(panel: Panel, groups: Sequence[GroupTargets], limits: Limits) -> Plan:
    """Return what the kernel is handed for groups on one account, within the limits.

    Raises
    ------
    StrategyError
        Names are not distinct, targets or legs do not fit the panel, or a stop lacks what it needs.
    DataError
        The panel is empty.
    """
    if len(panel) == 0:
        raise DataError("The panel has no sessions. Choose a span with data.")
    if len({group.name for group in groups}) < len(groups) or not groups:
        raise StrategyError(f"Groups need names of their own; got {', '.join(g.name for g in groups) or 'no group'}.")
    wanted = [_weights(panel, group) for group in groups]
    columns = [_columns(panel, group, weights) for group, weights in zip(groups, wanted, strict=True)]
    for group, column in zip(groups, columns, strict=True):
        _check_stops(panel, group, len(column))
    legs = [np.ascontiguousarray(weights[:, column].T) for weights, column in zip(wanted, columns, strict=True)]
    return Plan(
        names=tuple(group.name for group in groups),
        first=np.concatenate([[0], np.cumsum([len(column) for column in columns])]).astype(np.int64),
        column=np.concatenate(columns),
        targets=np.concatenate(capped(legs, columns, limits)),
    )


def _weights(panel: Panel, group: GroupTargets) -> FloatArray:
    """Return the weights of a group [T, N], fit for the panel."""
    targets = group.targets
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


def _columns(panel: Panel, group: GroupTargets, weights: FloatArray) -> IntArray:
    """Return the places in the panel of a group's legs, in its order."""
    used = np.flatnonzero((weights != 0.0).any(axis=0))
    if group.legs is None:
        return used.astype(np.int64)
    for symbol in group.legs:
        if symbol not in panel.symbols:
            raise StrategyError(
                f"{group.name} has the leg {symbol}, which the panel lacks. {nearest(symbol, panel.symbols)}"
            )
    columns = np.array([panel.symbols.index(symbol) for symbol in group.legs], dtype=np.int64)
    if len(set(columns)) < len(columns):
        raise StrategyError(f"{group.name} has a leg twice: {', '.join(group.legs)}. Give each once.")
    if extra := set(used) - set(columns):
        raise StrategyError(
            f"{group.name} decides a weight of {panel.symbols[min(extra)]}, which is not among its legs "
            f"({', '.join(group.legs)}). Add it to the legs, or decide 0."
        )
    return columns


def _check_stops(panel: Panel, group: GroupTargets, legs: int) -> None:
    stops = group.stops or Stops()
    if stops.watch == "intrabar" and legs > 1:
        raise StrategyError(
            f"{group.name} has {legs} legs, and stops within the bar are for one: the bars of several do not say which "
            'price came first. Use watch="close".'
        )
    if stops.spread_z is not None and group.spread_z is None:
        raise StrategyError(f"{group.name} has a spread stop but no spread. Give spread_z, or leave the stop out.")
    if stops.spread_z is not None and group.legs is None:
        raise StrategyError(
            f"{group.name} has a spread stop, but not which leg its spread is seen from. Give legs, that one first."
        )
    if group.spread_z is not None and group.spread_z.shape != (len(panel),):
        raise StrategyError(
            f"The spread of {group.name} has shape {group.spread_z.shape}; the panel gives ({len(panel)},)."
        )
