"""Why a group holds what it holds, in sentences with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quantlib.charts.numbers import percent, ratio, signed_percent
from quantlib.conditions import explain
from quantlib.errors import DataError
from quantlib.strategies.base import Explanation, percentile_of_last
from quantlib.strategies.course import EXPLAINED, Course, group_course, named
from quantlib.strategies.half_life import half_life
from quantlib.strategies.memo import Memo
from quantlib.strategies.timing import Band, Hold, Rank, Rules
from quantlib.types import Panel

if TYPE_CHECKING:
    from quantlib.strategies.group import Group

#: Legs whose weights a sentence can hold.
MOST_LISTED = 8

_SIDES = {1.0: "long", -1.0: "short"}
_ENTRIES = {"long": "Buy", "short": "Sell short", "exit_long": "Leave the long", "exit_short": "Leave the short"}


def explain_group(group: Group, panel: Panel) -> Explanation:
    """Return the number that a group's decision hangs on at the panel's last close, and what would turn it around."""
    own = panel.select(group.inputs)
    course = group_course(group, own, Memo())
    if isinstance(group.timing, Rank):
        return _of_ranking(group, group.timing, course, own)
    if isinstance(group.timing, Band):
        return _of_band(group, group.timing, course, own)
    if isinstance(group.timing, Rules):
        return _of_rules(group, group.timing, course, own)
    return _of_holding(group, group.timing, course)


def _waiting(group: Group, signal: str, series: pd.DataFrame) -> Explanation:
    sessions = _sessions(group.warmup)
    return Explanation(
        signal=signal,
        unit="ratio",
        series=series,
        levels={},
        value=float("nan"),
        percentile=float("nan"),
        reasons=(f"Not all that the rule needs is known at the last close, so there is no signal yet: {sessions}.",),
        invalidation=f"A signal needs {sessions} on which {', '.join(group.symbols)} have a price.",
    )


def _sessions(n: int) -> str:
    return f"{n:,} {'session' if n == 1 else 'sessions'}"


def _last(series: pd.Series) -> float:
    return float(series.iloc[-1]) if len(series) else float("nan")


def _of_band(group: Group, band: Band, course: Course, panel: Panel) -> Explanation:
    z = course.measured["z"].rename("Spread z")
    signal = "Spread in standard deviations"
    now = _last(z)
    if not np.isfinite(now):
        return _waiting(group, signal, z.to_frame())
    as_far = float((z.dropna().abs() >= abs(now)).mean())
    what = f"The price of {group.symbols[0]}" if group.kind == "outright" else f"The spread of {_names(group)}"
    where = "above" if now > 0 else "below"
    reasons = [
        f"{what} stands {ratio(abs(now))} standard deviations {where} its {band.lookback}-session mean.",
        f"It was at least as far from its mean on {percent(as_far, 0)} of past sessions.",
        *_of_spread(group, course, panel),
    ]
    state, invalidation = _band_state(group, band, course, now)
    return Explanation(
        signal=signal,
        unit="ratio",
        series=z.to_frame(),
        levels=_levels(group, band),
        value=now,
        percentile=percentile_of_last(z),
        reasons=(*reasons, state),
        invalidation=invalidation,
    )


def _levels(group: Group, band: Band) -> dict[str, float]:
    way = -1.0 if band.way == "revert" else 1.0
    levels: dict[str, float] = {}
    if group.direction != "short":
        levels |= {"enter long": way * band.entry, "leave long": way * band.exit}
    if group.direction != "long":
        levels |= {"enter short": -way * band.entry, "leave short": -way * band.exit}
    return {name: level + 0.0 for name, level in sorted(levels.items(), key=lambda level: -level[1])}


def _band_state(group: Group, band: Band, course: Course, z: float) -> tuple[str, str]:
    """Return two sentences: the state of the trade, and what would change it."""
    stop = group.stops.spread_z
    side = _last(course.side)
    began = int(course.side.ne(course.side.shift()).to_numpy()[::-1].argmax()) + 1
    if side:
        left = (
            f"until z {'is back at' if band.way == 'revert' else 'falls back to'} {_side_of(band, side) * band.exit:g}"
        )
        state = f"The rule has been {_SIDES[side]} the spread for {_sessions(began)} and stays so {left}."
        if began <= group.min_hold:
            state += f" It holds for at least {group.min_hold}."
        if stop is not None:
            return state, f"The trade is given up if z reaches {-side * stop:g}."
        return state, f"The trade ends when z is back at {_side_of(band, side) * band.exit:g}; there is no spread stop."
    if not bool(course.usable.iloc[-1]):
        return (
            f"The rule wants no trade: the ratio by {group.hedge.method} does not hedge, or is not known.",
            "A trade can start when every leg has the sign that the definition gives it.",
        )
    if stop is not None and band.way == "revert" and abs(z) >= stop:
        return (
            f"The spread is beyond its stop of {stop:g}, where the rule does not enter.",
            f"A trade starts when |z| is back between {band.entry:g} and {stop:g}.",
        )
    entries = [level for name, level in _levels(group, band).items() if name.startswith("enter")]
    nearest = min(entries, key=lambda level: abs(level - z))
    listed = " or ".join(f"{level:g}" for level in entries)
    return (
        f"The rule wants no trade: it enters at z of {listed}.",
        f"A trade starts when z reaches {nearest:g}, which is {ratio(abs(nearest - z))} away.",
    )


def _side_of(band: Band, side: float) -> float:
    """Return the sign of z at which a side is entered."""
    return -side if band.way == "revert" else side


def _names(group: Group) -> str:
    if group.kind == "fly":
        left, body, right = group.symbols
        return f"{left} and {right} against {body}"
    if group.kind == "switch":
        return f"{group.symbols[1]} against {group.symbols[0]}"
    return " against ".join(group.symbols) if group.kind == "pair" else ", ".join(group.symbols)


def _of_spread(group: Group, course: Course, panel: Panel) -> list[str]:
    """Return what is to be said of the ratio and of how fast the spread comes back."""
    now = course.ratios.iloc[-1].to_numpy()
    out = []
    if group.linked and np.isfinite(now).all():
        explained = EXPLAINED.get(group.kind, 0)
        one = group.symbols[explained]
        others = [
            f"{ratio(-a * np.sign(now[explained]))} of {s}" for s, a in zip(group.symbols, now, strict=True) if s != one
        ]
        size = abs(now[explained])
        each = "Each dollar" if size == 1.0 else f"Every {ratio(size)} dollars"
        out.append(
            f"{each} of {one} {'is' if size == 1.0 else 'are'} hedged by {' and '.join(others)} ({group.hedge.method})."
        )
    n = group.spread_lookback
    legs = panel.select(group.symbols).complete().tail(n)
    try:
        life = half_life(np.log(legs.close) @ now)
    except DataError:
        return out
    if np.isfinite(life.value):
        upper = f"{life.high:,.0f}" if np.isfinite(life.high) else "never"
        out.append(
            f"At today's ratio half of a gap closed within {life.value:,.0f} sessions over the last {len(legs):,} "
            f"(95 % interval {life.low:,.0f} to {upper})."
        )
    else:
        out.append(f"At today's ratio a gap did not close over the last {len(legs):,} sessions.")
    return out


def _of_rules(group: Group, rules: Rules, course: Course, panel: Panel) -> Explanation:
    if group.reads_spread:
        signal, unit, series = "Spread in standard deviations", "ratio", course.measured["z"].rename("Spread z")
    else:
        gross = course.weights.abs().sum(axis=1)
        signal, unit, series = "Weight", "percent", (gross * course.side).rename("Weight")
    now = _last(series)
    at = course.side.index[-1] if len(course.side) else None
    side = _last(course.side)
    if at is None or not np.isfinite(now) or len(course.side) < group.warmup:
        return _waiting(group, signal, series.to_frame())
    held = float((course.side != 0.0).mean())
    names = named(course.measured, panel)
    given = rules.conditions
    if side:
        word, other = ("long", "short") if side > 0 else ("short", "long")
        began = int(course.side.ne(course.side.shift()).to_numpy()[::-1].argmax()) + 1
        state = (
            f"The rule has been {word} for {_sessions(began)}; it was in on {percent(held, 0)} of {len(course.side):,}."
        )
        leaving = f"exit_{word}" if f"exit_{word}" in given else word
        verb = "holds" if leaving.startswith("exit") else "no longer holds"
        invalidation = f"The trade ends when this {verb}: {given[leaving].text}."
        told = [name for name in (leaving, other) if name in given]
    else:
        state = f"The rule is out; it was in on {percent(held, 0)} of {len(course.side):,} sessions."
        told = [name for name in ("long", "short") if name in given]
        invalidation = f"A trade starts when this holds: {'; or this: '.join(given[name].text for name in told)}."
    shown = []
    for name in told:
        trace = explain(given[name], panel, subject=group.subject, names=names, at=at)
        shown.append(f"{_ENTRIES[name]} when {given[name].text}: {trace.sentence}.")
    spread = _of_spread(group, course, panel) if group.reads_spread else []
    return Explanation(
        signal=signal,
        unit=unit,
        series=series.to_frame(),
        levels={},
        value=now,
        percentile=percentile_of_last(series),
        reasons=(state, *shown, *spread),
        invalidation=invalidation,
    )


def _listed(weights: pd.Series) -> str:
    shown = [f"{symbol} {signed_percent(weight)}" for symbol, weight in weights.items()]
    more = f" and {len(shown) - MOST_LISTED} more" if len(shown) > MOST_LISTED else ""
    return ", ".join(shown[:MOST_LISTED]) + more


def _of_ranking(group: Group, rank: Rank, course: Course, panel: Panel) -> Explanation:
    values = pd.DataFrame(course.conditions["by"], index=panel.index, columns=list(group.symbols))
    signal = rank.conditions["by"].text
    ranked = (
        values.iloc[-1].dropna().sort_values(ascending=False, kind="stable")
        if len(values)
        else pd.Series(dtype=np.float64)
    )
    if len(ranked) < rank.top + rank.bottom or _last(course.side) == 0.0:
        return _waiting(group, signal, values)
    weights = course.weights.ffill().iloc[-1]
    held = weights[weights != 0]
    chosen = pd.Timestamp(course.decided.iloc[-1])
    reasons = [
        f"{ranked.index[0]} is first of {len(ranked)} by {signal}: {ranked.iloc[0]:.4g}"
        + (f", against {ranked.iloc[1]:.4g} for {ranked.index[1]}." if len(ranked) > 1 else "."),
        f"{ranked.index[-1]} is last with {ranked.iloc[-1]:.4g}.",
        f"Chosen on {chosen:%Y-%m-%d}: {_listed(held)}."
        if len(held)
        else f"On {chosen:%Y-%m-%d} the filter left cash only.",
    ]
    best = values[ranked.index[0]]
    if "filter" in rank.conditions:
        passes = int((course.conditions["filter"][-1] == 1.0).sum())
        reasons.append(f"{passes} of {len(group.symbols)} fulfil {rank.conditions['filter'].text}.")
    return Explanation(
        signal=signal,
        unit="ratio",
        series=values,
        levels={},
        value=float(ranked.iloc[0]),
        percentile=percentile_of_last(best),
        reasons=tuple(reasons),
        invalidation=_next_choice(group, rank, ranked, course),
    )


def _next_choice(group: Group, rank: Rank, ranked: pd.Series, course: Course) -> str:
    """Return one sentence: what the next choice would be as things stand, or what would change it."""
    period = {"daily": "session", "weekly": "week", "monthly": "month", "quarterly": "quarter"}[rank.every]
    places = course.ratios.iloc[-1]
    top, bottom = list(ranked.index[: rank.top]), list(ranked.index[len(ranked) - rank.bottom :])
    if set(top) != set(places.index[places > 0]) or set(bottom) != set(places.index[places < 0]):
        now = ", ".join([f"{s} bought" for s in top] + [f"{s} sold" for s in bottom])
        return f"The ranking has changed since: as things stand, the choice when the next {period} starts is {now}."
    if rank.top and rank.top < len(ranked):
        last, rival = ranked.index[rank.top - 1], ranked.index[rank.top]
    elif rank.bottom and rank.bottom < len(ranked):
        last, rival = ranked.index[-rank.bottom], ranked.index[-rank.bottom - 1]
    else:
        return f"All {len(ranked)} legs have a place; who keeps it is decided when the next {period} starts."
    passes = f"{rival} ({ranked[rival]:.4g}) passes {last} ({ranked[last]:.4g})"
    return f"The choice changes if {passes} before the next {period} starts."


def _of_holding(group: Group, hold: Hold, course: Course) -> Explanation:
    gross = course.weights.abs().sum(axis=1).rename("Gross weight")
    if _last(gross) == 0.0 or not len(gross):
        return _waiting(group, "Gross weight", gross.to_frame())
    weights = course.weights.iloc[-1]
    since = course.side.index[int(np.argmax(course.side.to_numpy() != 0.0))]
    chosen = pd.Timestamp(course.decided.iloc[-1])
    reasons = [
        f"It is always held, since {since:%Y-%m-%d}; as of {chosen:%Y-%m-%d}: {_listed(weights)}.",
        f"Its gross weight is {percent(gross.iloc[-1])} of equity, {percent(gross[gross > 0].mean())} on average.",
    ]
    return Explanation(
        signal="Gross weight",
        unit="percent",
        series=gross.to_frame(),
        levels={},
        value=float(gross.iloc[-1]),
        percentile=percentile_of_last(gross),
        reasons=tuple(reasons),
        invalidation=f"Nothing but a stop ends it; its weights are looked at anew {hold.every}.",
    )
