"""The neighbourhood of a strategy: the numbers in its definition, and the sets of values around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from quantlib.strategies import Group, Strategy

#: A number in a condition's text that is no part of a name.
_NUMBER = re.compile(r"(?<![\w.^=])\d+(?:\.\d+)?(?![\w.])")
_OF_CALENDAR = re.compile(r"(?:month|day|weekday|session_of_month|sessions_left) *(?:[<>]=?|==|!=) *$")
#: How much of the account is used: it changes what a strategy earns, but not whether it is right.
_SIZES = ("capital",)
_OF_YEARS = re.compile(r"\byear *(?:[<>]=?|==|!=) *$")


@dataclass(frozen=True)
class Axis:
    """One number of a strategy's definition that can be varied.

    Parameters
    ----------
    name
        What tables call it: its path ("timing.entry"), or the number and where it stands ("252 in timing.by").
    value
        What it is.
    paths
        Where it stands; for a number in conditions every place with the same number, which is one parameter.
    written
        Whether it is a number in the text of conditions.
    stepwise
        Whether it counts days of a calendar, which are varied by steps and not by factors.
    """

    name: str
    value: float
    paths: tuple[str, ...]
    written: bool = False
    stepwise: bool = False


def axes_of(strategy: Strategy) -> tuple[Axis, ...]:
    """Return the numbers that make a strategy what it is.

    Those in lists, such as the weights of legs, say what is traded and are not varied; neither are the share of
    capital, zeros, years and what is chosen from a fixed set. Equal numbers in conditions are one parameter: they were
    written to be the same.
    """
    found = [Axis(path, value, (path,)) for path, value in _numbers(strategy, "")]
    places: dict[tuple[str, bool], list[str]] = {}
    for path, text in _conditions(strategy).items():
        for match in _NUMBER.finditer(text):
            before = text[: match.start()]
            if float(match[0]) and not _OF_YEARS.search(before):
                places.setdefault((match[0], bool(_OF_CALENDAR.search(before))), []).append(path)
    for (number, stepwise), at in places.items():
        paths = tuple(dict.fromkeys(at))
        found.append(Axis(f"{number} in {', '.join(paths)}", _plain(number), paths, written=True, stepwise=stepwise))
    return tuple(found)


def levels(axis: Axis, n: int) -> tuple[float, ...]:
    """Return `n` values of an axis, rising, its own in the middle: from half to double, or nearer where n is 3.

    Whole numbers stay whole and differ by one at least; none is below 0, and so there may be fewer.
    """
    half = n // 2
    reach = 2.0 if n > 3 else 2.0**0.5
    value, out = axis.value, []
    for k in range(-half, half + 1):
        step = value * reach ** (k / half) if half else value
        if isinstance(value, int):
            far = value + k if axis.stepwise else round(step)
            step = min(far, value + k) if k < 0 else max(far, value + k)
        out.append(step if isinstance(value, int) else float(f"{step:.6g}") if k else value)
    return tuple(step for step in out if step > 0)


def sets_around(axes: Sequence[Axis], n: int) -> list[dict[str, float]]:
    """Return every combination of `n` levels of each axis, by axis name; the strategy's own among them."""
    return [dict(zip((axis.name for axis in axes), values, strict=True)) for values in _product(axes, n)]


def _product(axes: Sequence[Axis], n: int) -> Iterator[tuple[float, ...]]:
    return product(*(levels(axis, n) for axis in axes))


def parameters_of(strategy: Strategy, axes: Sequence[Axis], chosen: Mapping[str, float]) -> dict[str, Any]:
    """Return a set of values by axis as the parameters of a grid: by path, conditions rewritten."""
    out: dict[str, Any] = {}
    texts = _conditions(strategy)
    swaps: dict[str, dict[tuple[str, bool], str]] = {}
    for axis in axes:
        value = chosen.get(axis.name, axis.value)
        if value == axis.value:
            continue
        for path in axis.paths:
            if axis.written:
                swaps.setdefault(path, {})[axis.name.split(" ", 1)[0], axis.stepwise] = f"{value:.6g}"
            else:
                out[path] = value
    for path, swap in swaps.items():
        text = texts[path]

        def swapped(match: re.Match[str], text: str = text, swap: dict[tuple[str, bool], str] = swap) -> str:
            return swap.get((match[0], bool(_OF_CALENDAR.search(text[: match.start()]))), match[0])

        out[path] = _NUMBER.sub(swapped, text)
    return out


def value_at(strategy: Strategy, path: str) -> Any:
    """Return what a strategy has at a dotted path."""

    def inside(part: Any, name: str) -> Any:
        return part[int(name)] if isinstance(part, list | tuple) else getattr(part, name)

    return reduce(inside, path.split("."), strategy)


def _numbers(part: BaseModel, before: str) -> Iterator[tuple[str, float]]:
    """Yield the path and value of every number of a definition but those in lists."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _numbers(value, f"{before}{name}.")
        elif isinstance(value, bool) or name in _SIZES or get_origin(field.annotation) is Literal:
            continue
        elif isinstance(value, int | float) and value:
            yield f"{before}{name}", value


def _conditions(strategy: Strategy) -> dict[str, str]:
    """Return the texts of a group's conditions, by path."""
    if not isinstance(strategy, Group):
        return {}
    return {f"timing.{name}": getattr(strategy.timing, name) for name in strategy.conditions}


def _plain(number: str) -> float:
    return float(number) if "." in number else int(number)
