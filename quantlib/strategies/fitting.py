"""Whether the parts of a group fit each other: what does not is said with its place, what came and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from quantlib.conditions.nodes import symbol_text
from quantlib.errors import StrategyError, nearest
from quantlib.strategies.base import Strategy
from quantlib.strategies.legs import FITTED, LINKED, METHODS, USUAL_WEIGHTS, Kind, Leg
from quantlib.strategies.timing import NAMES, TIMINGS, Band, Hold, Rank, Rules

if TYPE_CHECKING:
    from quantlib.strategies.group import Group


def a_kind(kind: str) -> str:
    """Return a kind with its article."""
    return f"an {kind}" if kind == "outright" else f"a {kind}"


def check_signs(kind: Kind, legs: tuple[Leg, ...]) -> None:
    """Refuse weights that make no group of the kind."""
    weights = [leg.weight for leg in legs]
    signs = [weight > 0 for weight in weights]
    came = ", ".join(f"{weight:g}" for weight in weights)
    if kind in {"pair", "switch"} and signs[0] == signs[1]:
        raise ValueError(
            f"have the weights {came}, of one sign; the legs of {a_kind(kind)} need one bought and one sold"
        )
    if kind == "switch" and signs[0]:
        raise ValueError(f"have the weights {came}; a switch goes out of its first leg (below zero) into its second")
    if kind == "fly" and not signs[0] == signs[2] != signs[1]:
        raise ValueError(f"have the weights {came}; the wings of a fly need one sign and its body the other (1, -2, 1)")
    if kind == "rotation" and not all(signs):
        raise ValueError(f"have the weights {came}; a rotation ranks its legs, so they are above zero")


def faults(group: Group) -> Iterator[str]:
    """Yield what does not fit together, each with its place, what came and what is accepted."""
    kind, hedge, timing, stops = group.kind, group.hedge, group.timing, group.stops
    weights = [leg.weight for leg in group.legs]
    if hedge.method not in METHODS[kind]:
        yield f"hedge.method is {hedge.method}, which does not fit {a_kind(kind)}; accepted: {', '.join(METHODS[kind])}"
    if timing.kind not in TIMINGS[kind]:
        yield f"timing.kind is {timing.kind}, which does not fit {a_kind(kind)}; accepted: {', '.join(TIMINGS[kind])}"
    if hedge.method in FITTED:
        for i, (weight, usual) in enumerate(zip(weights, USUAL_WEIGHTS[kind], strict=True)):
            if abs(weight) != abs(usual):
                yield (
                    f"legs.{i}.weight is {weight:g}, but {hedge.method} finds the ratio itself; "
                    "leave the weights out, or choose hedge.method fixed"
                )
    if hedge.method in {"dollar_neutral", "dv01"} and len({weight > 0 for weight in weights}) == 1:
        yield f"hedge.method is {hedge.method}, which needs weights of both signs; all are of one"
    if hedge.method == "dv01":
        if missing := [i for i, leg in enumerate(group.legs) if leg.duration is None]:
            yield f"legs.{missing[0]}.duration is missing; dv01 ratios need it of every leg, in years"
        if abs(sum(weights)) > 1e-9 * max(map(abs, weights)):
            came = ", ".join(f"{weight:g}" for weight in weights)
            yield f"legs have the weights {came}, which add up to {sum(weights):g}; shares of DV01 have to cancel out"
    if hedge.method in {"ols", "tls", "beta", "pca"} and hedge.lookback < len(weights) + 2:
        yield f"hedge.lookback is {hedge.lookback}; {len(weights)} legs need {len(weights) + 2} sessions or more"
    if isinstance(timing, Rank | Hold):
        where = f"timing.every ({timing.every})"
        if hedge.rehedge != "entry":
            yield f"hedge.rehedge is {hedge.rehedge}, but {where} says when weights are renewed; leave it at entry"
        if group.min_hold:
            yield f"min_hold is {group.min_hold}, but {where} says how long weights stand; leave it at 0"
        if group.direction != "both":
            said = "top and bottom say" if isinstance(timing, Rank) else "the signs of the legs' weights say"
            yield f"direction is {group.direction}, but {said} what is bought and sold; leave it at both"
        if stops.spread_z is not None:
            yield f"stops.spread_z is {stops.spread_z:g}, but timing.kind {timing.kind} has no spread to watch"
    if isinstance(timing, Rank) and timing.top + timing.bottom > len(weights):
        yield f"timing.top and timing.bottom are {timing.top} and {timing.bottom}, of {len(weights)} legs"
    if (
        isinstance(timing, Band)
        and timing.way == "revert"
        and stops.spread_z is not None
        and stops.spread_z <= timing.entry
    ):
        yield f"stops.spread_z ({stops.spread_z:g}) must be above timing.entry ({timing.entry:g}), where a trade begins"
    if isinstance(timing, Rules):
        for side, other in (("long", "short"), ("short", "long")):
            if group.direction == side and getattr(timing, side) is None:
                yield f"direction is {side}, but timing.{side} is missing; give it, or change the direction"
            if group.direction == side and getattr(timing, other) is not None:
                yield f"timing.{other} is given, but direction is {side}; leave it out, or set direction to both"
    if stops.time is not None and group.min_hold > stops.time:
        yield f"min_hold ({group.min_hold}) must not be above stops.time ({stops.time}), else the two contradict"
    if stops.watch == "intrabar" and len(weights) > 1:
        yield f"stops.watch is intrabar, which needs one leg; this group has {len(weights)}, so choose close"
    if isinstance(timing, Rank) and not (timing.conditions["by"].needs_subject or timing.conditions["by"].names):
        came = f"timing.by is {timing.by}, one number for all legs"
        yield f"{came}; read a field or model without a symbol, such as close"
    for field, condition in group.conditions.items():
        if condition.needs_subject and kind in {*LINKED, "basket"}:
            came = f"timing.{field} reads a field or model without a symbol, in {condition.text}"
            which = f"{symbol_text(group.symbols[0])}.{condition.of_subject}"
            yield f"{came}; {a_kind(kind)} has {len(weights)} legs, so say which, as in {which}"
        if (names := sorted(set(NAMES) & set(condition.names))) and (
            kind in {"outright", "basket"} and "hedge_ratio" in names
        ):
            yield f"timing.{field} reads hedge_ratio, which {a_kind(kind)} does not have; accepted: spread, z"
        if names and kind == "rotation":
            yield f"timing.{field} reads {names[0]}, which a rotation does not have"


def check_symbols(strategy: Strategy, known: Iterable[str]) -> None:
    """Refuse a definition that trades or reads a symbol which is not known.

    Raises
    ------
    StrategyError
        With the place, and the nearest symbol that is known.
    """
    there = set(known)
    read = {f"timing.{field}": one.symbols for field, one in getattr(strategy, "conditions", {}).items()}
    places = [(f"{place} is", text) for place, text in _texts(strategy.model_dump(), ()) if text in strategy.inputs]
    places += [(f"{place} reads", symbol) for place, symbols in read.items() for symbol in symbols]
    places += [(f"{strategy.title} reads", symbol) for symbol in strategy.inputs]
    for place, symbol in places:
        if symbol not in there:
            raise StrategyError(f"{place} {symbol!r}, which is not known. {nearest(symbol, there)}")


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield every text in a definition with its place."""
    if isinstance(value, str):
        yield ".".join(path), value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in inside:
        yield from _texts(part, (*path, str(key)))
