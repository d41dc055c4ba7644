"""The course of a group: from prices to spread, conditions, sides and weights, each session from those up to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quantlib.conditions import evaluate, evaluate_each
from quantlib.strategies.hedge import fitted_ratios, ratios, rolling_moments
from quantlib.strategies.legs import Kind, VolatilityTarget
from quantlib.strategies.memo import Memo
from quantlib.strategies.timing import NAMES, Band, Hold, Rank, Rules
from quantlib.strategies.walk import PATIENCE, BoolArray, IntArray, choose_nb, period_starts, walk_nb
from quantlib.types import FloatArray, Panel

if TYPE_CHECKING:
    from quantlib.strategies.group import Group

#: The leg that ratios are expressed in; the first in kinds that are not here.
EXPLAINED: dict[Kind, int] = {"switch": 1, "fly": 1}
#: Share of the legs' own variance below which a spread does not move: what is left is rounding.
STILL = 1e-12


@dataclass(frozen=True)
class Course:
    """What a group computes on the way to its decisions, for charts, explanations and diagnostics.

    Parameters
    ----------
    measured
        Spread (log distance from its mean), z, and hedge_ratio (dollars of the other legs against one of the leg that
        is hedged; below zero where they do not hedge it), on the sessions on which all legs are known. Without columns
        for a rotation.
    ratios
        Signed dollar ratios of the legs for a long group [sessions x leg]; for a rotation, the places.
    usable
        Whether a trade may begin on the session's ratios.
    conditions
        Each condition of the timing on the whole panel: truths [T], a rotation's numbers and filter [T, legs].
    side
        1 long, -1 short, 0 out, as decided; a rotation has 1 once it has chosen.
    decided
        Session whose ratios are in force; NaT while out.
    weights
        Target weights of the legs.
    """

    measured: pd.DataFrame
    ratios: pd.DataFrame
    usable: pd.Series
    conditions: dict[str, FloatArray]
    side: pd.Series
    decided: pd.Series
    weights: pd.DataFrame


def group_course(group: Group, panel: Panel, memo: Memo) -> Course:
    """Return the course of a group on a panel that has its inputs; what other definitions share comes from the memo."""
    if isinstance(group.timing, Rank):
        return _ranked(group, group.timing, panel)
    legs, measured, found, usable = group_measured(group, panel, memo)
    conditions: dict[str, FloatArray] = {}
    if isinstance(group.timing, Rules):
        conditions = _judged(group, group.timing, panel, measured)
    go_long, go_short, leave_long, leave_short = _truths(
        group, measured, {name: truth[panel.index.isin(legs.index)] for name, truth in conditions.items()}
    )
    unit = found / np.abs(found).sum(axis=1, keepdims=True)
    scale = _scales(group.volatility_target, legs, unit, group.capital)
    usable = usable & np.isfinite(scale)
    # What is true whatever its unknown parts are is true before the warm-up is over, but not acted on.
    usable[: group.warmup - 1] = False
    if isinstance(group.timing, Hold):
        renew = period_starts(legs.index, group.timing.every)
    elif group.hedge.rehedge == "entry":
        renew = np.zeros(len(legs), dtype=np.bool_)
    else:
        renew = period_starts(legs.index, group.hedge.rehedge)
    side, row = walk_nb(go_long, go_short, leave_long, leave_short, usable, renew, group.min_hold)
    weights = np.zeros(legs.close.shape)
    on = row >= 0
    at = row[on]
    weights[on] = side[on, None] * unit[at] * (group.capital * scale[at])[:, None]
    return _course(legs, group, measured, found, usable, conditions, side, row, weights)


def group_measured(group: Group, panel: Panel, memo: Memo) -> tuple[Panel, pd.DataFrame, FloatArray, BoolArray]:
    """Return the sessions on which all legs are known, and what `measure` finds there; from the memo if it is there."""
    legs = memo.get(("complete", group.symbols), lambda: panel.select(group.symbols).complete())
    shared = ("group", group.kind, group.legs, group.hedge.model_copy(update={"rehedge": "entry"}))
    key = (*shared, group.spread_lookback, group.reads_spread)
    return legs, *memo.get(key, lambda: measure(group, legs))


def _course(
    legs: Panel,
    group: Group,
    measured: pd.DataFrame,
    found: FloatArray,
    usable: BoolArray,
    conditions: dict[str, FloatArray],
    side: FloatArray,
    row: IntArray,
    weights: FloatArray,
) -> Course:
    index = legs.index
    decided = pd.Series(index.to_numpy()[np.maximum(row, 0)] if len(index) else index, index=index).where(row >= 0)
    return Course(
        measured=measured,
        ratios=pd.DataFrame(found, index=index, columns=list(group.symbols)),
        usable=pd.Series(usable, index=index),
        conditions=conditions,
        side=pd.Series(side, index=index, name="side"),
        decided=decided,
        weights=pd.DataFrame(weights, index=index, columns=list(group.symbols)),
    )


def measure(group: Group, legs: Panel, *, always: bool = False) -> tuple[pd.DataFrame, FloatArray, BoolArray]:
    """Return the group's own numbers, its ratios [T, L] and whether a trade may begin on them [T].

    The spread of a session is that of its own ratios over the window up to it: how far the legs' log prices, so
    weighed, stand from their mean there. It is left out where nothing hangs on it, unless `always`.
    """
    log = np.log(legs.close)
    explained = EXPLAINED.get(group.kind, 0)
    found, usable = ratios(group.hedge, log, *group.leg_numbers, explained)
    if not (group.reads_spread or always):
        return pd.DataFrame(index=legs.index), found, usable
    n = group.spread_lookback
    mean, covariance = rolling_moments(log, n)
    spread = (found * (log - mean)).sum(axis=1)
    variance = np.einsum("ti,tij,tj->t", found, covariance, found)
    own = (found**2 * np.diagonal(covariance, axis1=1, axis2=2)).sum(axis=1)
    # Coefficients found in the same window leave it fewer degrees of freedom.
    variance = (
        np.where(variance > STILL * own, variance, np.nan)
        * (n - 1)
        / (n - 1 - fitted_ratios(group.hedge, log.shape[1]))
    )
    measured = {"spread": spread, "z": spread / np.sqrt(variance)}
    if group.linked:
        measured["hedge_ratio"] = -np.delete(found, explained, axis=1).sum(axis=1) / found[:, explained]
    return pd.DataFrame(measured, index=legs.index), found, usable


def _judged(group: Group, rules: Rules, panel: Panel, measured: pd.DataFrame) -> dict[str, FloatArray]:
    """Return the truth of each condition on the whole panel."""
    names = named(measured, panel)
    found = evaluate(list(rules.conditions.values()), panel, subject=group.subject, names=names)
    return dict(zip(rules.conditions, found, strict=True))


def named(measured: pd.DataFrame, panel: Panel) -> dict[str, FloatArray]:
    """Return the group's own numbers on the panel's sessions, as conditions call them, each [T]."""
    own = measured.reindex(panel.index)
    return {name: own[name].to_numpy(dtype=np.float64, copy=True) for name in NAMES if name in own}


def _truths(
    group: Group, measured: pd.DataFrame, conditions: dict[str, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return when to go long, to go short, to leave a long and to leave a short: 1, 0, or NaN where unknown."""
    never = np.zeros(len(measured))
    timing = group.timing
    if isinstance(timing, Rules):
        go = {side: conditions.get(side, never) for side in ("long", "short")}
        leave = {side: conditions.get(f"exit_{side}", 1.0 - go[side]) for side in go}
    elif isinstance(timing, Band):
        z = measured["z"].to_numpy(dtype=np.float64)
        low = z if timing.way == "revert" else -z
        # Beyond its stop a trade would be given up as soon as it begins.
        too_far = group.stops.spread_z if timing.way == "revert" else None
        near = np.abs(z) < (np.inf if too_far is None else too_far)
        go = {"long": _truth((low <= -timing.entry) & near, z), "short": _truth((low >= timing.entry) & near, z)}
        leave = {"long": _truth(low >= -timing.exit, z), "short": _truth(low <= timing.exit, z)}
    else:
        return never + 1.0, never, never, never
    for side, other in (("long", "short"), ("short", "long")):
        if group.direction == other:
            go[side] = never
    return go["long"], go["short"], leave["long"], leave["short"]


def _truth(holds: BoolArray, where: FloatArray) -> FloatArray:
    return np.where(np.isfinite(where), holds.astype(np.float64), np.nan)


def _scales(target: VolatilityTarget | None, legs: Panel, unit: FloatArray, capital: float) -> FloatArray:
    """Return the size of the group at each session, as a factor of its capital share [T]; NaN where unknown."""
    if target is None:
        return np.ones(len(legs))
    _, covariance = rolling_moments(legs.returns().to_numpy(), target.lookback)
    variance = np.einsum("ti,tij,tj->t", unit, covariance, unit) * sessions_per_year(legs.index)
    return _scale(target, variance, capital)


def _scale(target: VolatilityTarget, variance: FloatArray, capital: float) -> FloatArray:
    """Return the factor that gives a unit of this annual variance the volatility aimed at, at most the cap."""
    with np.errstate(divide="ignore"):
        factor = target.annual / (capital * np.sqrt(np.maximum(variance, 0.0)))
    return np.minimum(factor, target.cap)


def sessions_per_year(index: pd.DatetimeIndex) -> FloatArray:
    """Return 365 where weekends have been ordinary sessions up to then, else 252 [T]."""
    day = index.day_of_week.to_numpy()
    so_far = np.arange(1, len(day) + 1)
    share = np.minimum(np.cumsum(day == 5), np.cumsum(day == 6)) / so_far
    return np.where(share > 0.05, 365.0, 252.0)


def _ranked(group: Group, rank: Rank, panel: Panel) -> Course:
    """Return the course of a rotation: places by rank, shares of capital by weight or by risk."""
    legs = panel.select(group.symbols)
    conditions = {"by": evaluate_each(rank.conditions["by"], panel, group.symbols)}
    parts = np.tile([leg.weight for leg in group.legs], (len(legs), 1))
    if group.hedge.method == "volatility":
        parts = parts / _own_volatility(legs, group.hedge.lookback)
    passes = np.ones(parts.shape)
    if "filter" in rank.conditions:
        passes = conditions["filter"] = evaluate_each(rank.conditions["filter"], panel, group.symbols)
    known = np.isfinite(legs.close) & np.isfinite(conditions["by"]) & np.isfinite(passes) & np.isfinite(parts)
    known[: group.warmup - 1] = False
    values = np.where(known, conditions["by"], np.nan)
    starts = period_starts(legs.index, rank.every)
    places, row = choose_nb(values, starts, rank.top, rank.bottom, PATIENCE)
    shares = np.where(places != 0.0, places * parts, 0.0)[np.maximum(row, 0)]
    shares[row < 0] = 0.0
    gross = np.abs(shares).sum(axis=1, keepdims=True)
    # What the filter keeps out leaves its share in cash.
    shares = np.where(gross > 0, shares / np.where(gross > 0, gross, 1.0), 0.0) * (passes[np.maximum(row, 0)] == 1.0)
    weights = group.capital * shares
    if group.volatility_target is not None:
        for t in np.unique(row[row >= 0]):
            weights[row == t] *= _scale_at(group.volatility_target, legs, int(t), shares[t], group.capital)
    side = np.where(row >= 0, 1.0, 0.0)
    measured = pd.DataFrame(index=legs.index)
    usable = np.asarray(known.sum(axis=1) >= rank.top + rank.bottom)
    return _course(legs, group, measured, places, usable, conditions, side, row, weights)


def _own_volatility(legs: Panel, n: int) -> FloatArray:
    """Return the standard deviation of each leg's last `n` daily returns on its own sessions; NaN where it has none."""
    close = legs.frame("close")
    own = [close[s].dropna().pct_change().rolling(n).std() for s in legs.symbols]
    deviation = pd.concat(own, axis=1, sort=False).reindex(close.index).to_numpy(dtype=np.float64, copy=True)
    deviation[~(deviation > 0)] = np.nan
    return deviation


def _scale_at(target: VolatilityTarget, legs: Panel, t: int, shares: FloatArray, capital: float) -> float:
    """Return the size of a choice made at row t; NaN, so that the last one stands, where its volatility is unknown."""
    held = shares != 0.0
    if not held.any():
        return 1.0
    rows = np.flatnonzero(np.isfinite(legs.close[: t + 1, held]).all(axis=1))
    if len(rows) <= target.lookback:
        return float("nan")
    close = legs.close[rows[-target.lookback - 1 :]][:, held]
    earned = (close[1:] / close[:-1] - 1.0) @ shares[held]
    year = sessions_per_year(pd.DatetimeIndex(legs.index[rows]))[-1]
    return float(_scale(target, np.array(earned.var(ddof=1) * year), capital))
