"""A grid of parameters: every combination of them, each a definition of its own or refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from quantlib.errors import StrategyError, nearest
from quantlib.risk import Stops
from quantlib.strategies import Strategy
from quantlib.strategies.refusal import refusal

_STOPS = "stops"


@dataclass(frozen=True)
class Definition:
    """One set of parameters, as it is run.

    Parameters
    ----------
    strategy
        The family with this set.
    stops
        Its stops: the strategy's own, or those of the call, with the set's values put in.
    """

    strategy: Strategy
    stops: Stops


@dataclass(frozen=True)
class Grid:
    """Which parameters vary, over which values, around which strategy.

    Parameters
    ----------
    strategy
        What stays the same.
    values
        By parameter, what it takes in turn. A dot reaches inside: "timing.entry", "legs.0.weight". Where the family
        has no field "stops", "stops.loss" and the like set the stops it is run with.
    stops
        Instead of the strategy's own, and what a parameter of the stops is put into; None leaves them.
    """

    strategy: Strategy
    values: Mapping[str, tuple[Any, ...]]
    stops: Stops | None = None

    @classmethod
    def of(cls, strategy: Strategy, grid: Mapping[str, Sequence[Any]], stops: Stops | None = None) -> Grid:
        """Return a checked grid.

        Raises
        ------
        StrategyError
            A parameter has no values, has one twice, or the family does not have it.
        """
        if not grid:
            raise StrategyError("The grid is empty. Give at least one parameter and its values.")
        for name, values in grid.items():
            if isinstance(values, str) or not len(values):
                raise StrategyError(f"{name} has no list of values (got {values!r}). Give at least one.")
            if _repeated([plain(value) for value in values]):
                raise StrategyError(f"{name} has a value twice: {list(values)!r}. Give each once.")
            first, _, inside = name.partition(".")
            fields = type(strategy).model_fields
            if first == _STOPS and first not in fields:
                if inside not in Stops.model_fields:
                    raise StrategyError(f"Stops have no {inside!r}. {nearest(inside, Stops.model_fields)}")
            elif first not in fields:
                within = [path for path in _paths(strategy.model_dump()) if path.endswith(f".{name}")]
                hint = f"Did you mean {within[0]}?" if within else nearest(first, fields)
                raise StrategyError(f"{strategy.title} has no parameter {first!r}. {hint}")
        return cls(strategy, {name: tuple(map(plain, values)) for name, values in grid.items()}, stops)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that vary."""
        return tuple(self.values)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many values each parameter takes."""
        return tuple(len(values) for values in self.values.values())

    def __len__(self) -> int:
        return prod(self.shape)

    def drawn(self, sample: int | None, seed: int) -> NDArray[np.int64]:
        """Return the places in the grid to run, rising: all, or `sample` of them drawn without repeats.

        Raises
        ------
        StrategyError
            `sample` is below 1, or the whole grid is too large to be run or counted.
        """
        if sample is None:
            if len(self) > 10_000_000:
                raise StrategyError(f"The grid has {len(self):,} sets; at most 10,000,000 are run. Draw a sample.")
            return np.arange(len(self), dtype=np.int64)
        if sample < 1:
            raise StrategyError(f"sample is {sample}; accepted: 1 or more, or None for the whole grid.")
        if len(self) >= 2**63:
            raise StrategyError(f"The grid has {len(self):.3g} sets, too many to count. Give fewer values.")
        size = min(sample, len(self))
        return np.sort(np.random.default_rng(seed).choice(len(self), size=size, replace=False)).astype(np.int64)

    def at(self, place: int) -> dict[str, Any]:
        """Return the set at a place, by parameter; the last parameter changes fastest."""
        chosen = np.unravel_index(place, self.shape)
        return {name: values[int(k)] for (name, values), k in zip(self.values.items(), chosen, strict=True)}

    def definition(self, parameters: Mapping[str, Any]) -> Definition:
        """Return the strategy and stops of a set.

        Raises
        ------
        StrategyError
            The set is no valid definition; the message is the reason.
        """
        family = type(self.strategy)
        outside = {
            n: v for n, v in parameters.items() if n.startswith(_STOPS + ".") and _STOPS not in family.model_fields
        }
        strategy = self.strategy
        if inside := {name: value for name, value in parameters.items() if name not in outside}:
            data = dict(self._plain)
            for name, value in inside.items():
                _put(data, name.split("."), value, name)
            try:
                strategy = family.model_validate(data)
            except ValidationError as error:
                raise StrategyError(refusal(family, error, data).sentence) from None
        stops = strategy.risk if self.stops is None or _STOPS in family.model_fields else self.stops
        if outside:
            data = {**stops.model_dump(), **{name.partition(".")[2]: value for name, value in outside.items()}}
            try:
                stops = Stops.model_validate(data)
            except ValidationError as error:
                raise StrategyError(f"{_STOPS}.{refusal(Stops, error, data).sentence}") from None
        return Definition(strategy, stops)

    @cached_property
    def _plain(self) -> dict[str, Any]:
        data = self.strategy.model_dump()
        if self.stops is not None and _STOPS in data:
            data[_STOPS] = self.stops.model_dump()
        return data


def plain(value: Any) -> Any:
    """Return a numpy number as Python's own, which definitions are made of, and a list as a tuple, to group by."""
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _repeated(values: Sequence[Any]) -> bool:
    """Return whether a value stands twice."""
    try:
        return len(set(values)) < len(values)
    except TypeError:  # a mapping, say: compared one by one
        return any(value in values[:k] for k, value in enumerate(values))


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted names of all there is in a definition."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in inside:
        yield f"{path}{key}"
        yield from _paths(part, f"{path}{key}.")


def _put(data: dict[str, Any], path: Sequence[str], value: Any, name: str) -> None:
    """Put a value at a path of nested mappings and lists, on copies of what is on the way."""
    inner: Any = data
    for k, part in enumerate(path):
        key: Any = int(part) if isinstance(inner, list) and part.isdigit() else part
        if isinstance(inner, list) and not (isinstance(key, int) and key < len(inner)):
            raise StrategyError(f"{name}: there is no {part!r} in a list of {len(inner)}. Count from 0.")
        if k == len(path) - 1:
            inner[key] = value
            return
        below = inner[key] if isinstance(inner, list) else inner.get(key)
        if not isinstance(below, dict | list | tuple | None):
            raise StrategyError(f"{name}: {'.'.join(path[: k + 1])} is {below!r} and has nothing inside to set.")
        inner[key] = {} if below is None else list(below) if isinstance(below, list | tuple) else dict(below)
        inner = inner[key]
