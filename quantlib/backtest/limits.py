"""What goes into the kernel beside prices: caps on decisions, and stops and limits as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantlib.backtest.state import NEXT, RESET, RULE, Bounds, IntArray, Rules
from quantlib.risk import Limits, Stops
from quantlib.types import FloatArray

#: Weights closer than this are the same where one of them was cut to a cap.
ROUNDING = 1e-12


def capped(groups: Sequence[FloatArray], columns: Sequence[IntArray], limits: Limits) -> list[FloatArray]:
    """Return the weights of every group within the limits [L, T]; a group is scaled as a whole, never a leg.

    First `max_weight`: a group is scaled by the smallest factor among its symbols, whose weights count over all
    groups. Then `max_gross` and `max_net` scale all groups alike.

    Parameters
    ----------
    groups, columns
        Weights of each group [L, T], and the symbol of each of its legs [L].
    """
    groups = given = list(groups)
    if len(groups) == 1 and surely_within(groups[0][None], limits):
        return groups
    if limits.max_weight is not None:
        symbols = 1 + max((int(column.max()) for column in columns if len(column)), default=-1)
        held = np.zeros((symbols, groups[0].shape[1]))
        for weights, column in zip(groups, columns, strict=True):
            np.add.at(held, column, np.abs(weights))
        if (held > limits.max_weight).any():
            factor = limits.max_weight / np.maximum(held, limits.max_weight)
            groups = [
                weights * np.where(weights != 0.0, factor[column], 1.0).min(axis=0, initial=1.0)
                for weights, column in zip(groups, columns, strict=True)
            ]
    every = np.concatenate(groups)
    gross = np.abs(every).sum(axis=0)
    factor = limits.max_gross / np.maximum(gross, limits.max_gross)
    if limits.max_net is not None:
        factor = np.minimum(factor, limits.max_net / np.maximum(np.abs(every.sum(axis=0)), limits.max_net))
    if (factor < 1.0).any():
        groups = [weights * factor for weights in groups]
    return [_steady(cut, weights) for cut, weights in zip(groups, given, strict=True)]


def _steady(cut: FloatArray, given: FloatArray) -> FloatArray:
    """Return cut weights [L, T], where a row that is only rounding away from the one before repeats it.

    Two decisions cut to the same cap are the same decision, which is not to be traded.
    """
    touched = (cut != given).any(axis=0)
    if not touched.any():
        return given
    row = np.arange(cut.shape[1])
    near = (np.abs(np.diff(cut, axis=1)) <= ROUNDING).all(axis=0)
    row[1:][near & (touched[1:] | touched[:-1])] = 0
    # In the order that the kernel is compiled for: rows picked out by a list come the other way round.
    return np.ascontiguousarray(cut[:, np.maximum.accumulate(row)])


def surely_within(weights: FloatArray, limits: Limits) -> bool:
    """Return whether no cap can bind on accounts of L legs [A, L, T], by the largest weight alone."""
    most = max(float(weights.max(initial=0.0)), -float(weights.min(initial=0.0)))
    least = min(cap for cap in (limits.max_gross, limits.max_net) if cap is not None)
    return most * weights.shape[1] <= least and (limits.max_weight is None or most <= limits.max_weight)


def bounds_of(limits: Limits) -> Bounds:
    """Return drawdown limit, cool-down and margin as the kernel reads them."""
    return Bounds(limits.drawdown or np.inf, limits.cool_down, limits.maintenance)


def rules_of(stops: Sequence[Stops], spreads: Sequence[FloatArray | None], bars: int) -> Rules:
    """Return the stops of every group as the kernel reads them; spreads [T] where there are any."""
    z = np.empty((0, 0))
    if any(one.spread_z is not None for one in stops):
        z = np.full((len(stops), bars), np.nan)
        for g, spread in enumerate(spreads):
            if spread is not None:
                z[g] = spread

    each = np.zeros(len(stops), dtype=RULE)
    words = {"reset": RESET, "next": NEXT}
    for rule, one in zip(each, stops, strict=True):
        for name in ("loss", "profit", "trailing", "time", "volatility", "spread_z"):
            value = getattr(one, name)
            rule[name] = np.inf if value is None else value
        rule["intrabar"] = one.watch == "intrabar"
        rule["optimistic"] = one.same_bar == "optimistic"
        rule["reentry"] = words.get(str(one.reentry), one.reentry)
    return Rules(each, z)
