"""The universe: instruments and named, dated lists of them, read from one YAML file."""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantlib.errors import DataError, nearest
from quantlib.types import Instrument

ALL = "all"


class UniverseList(BaseModel):
    """A named list of symbols, and on what day and ground it was drawn up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str = Field(min_length=1)
    drawn_up: date
    basis: str = Field(min_length=1)
    tags: tuple[str, ...] = ()
    symbols: tuple[str, ...] = Field(min_length=1)


class Universe(BaseModel):
    """Every instrument the workbench follows, described once, and the lists that name them.

    Parameters
    ----------
    instruments
        In the order of the file; each carries the tags of all lists it is in.
    lists
        By name, in the order of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: tuple[Instrument, ...]
    lists: dict[str, UniverseList]

    @cached_property
    def _by_symbol(self) -> dict[str, Instrument]:
        return {instrument.symbol: instrument for instrument in self.instruments}

    def symbols(self, name: str = ALL) -> tuple[str, ...]:
        """Return the symbols of one list, or of the whole universe for `all`.

        Raises
        ------
        DataError
            There is no list of that name.
        """
        if name == ALL:
            return tuple(self._by_symbol)
        if name not in self.lists:
            raise DataError(f"The universe has no list {name!r}. {nearest(name, [ALL, *self.lists], limit=20)}")
        return self.lists[name].symbols

    def instrument(self, symbol: str) -> Instrument:
        """Return what is known about a symbol.

        Raises
        ------
        DataError
            The universe does not hold it.
        """
        if symbol not in self._by_symbol:
            raise DataError(f"The universe has no instrument {symbol!r}. {nearest(symbol, self._by_symbol)}")
        return self._by_symbol[symbol]


class _Entry(BaseModel):
    # One list as written: its name is the key it stands under.
    model_config = ConfigDict(extra="forbid")

    title: str
    drawn_up: date
    basis: str
    tags: list[str] = []
    symbols: list[Any]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    instruments: dict[str, dict[Any, dict[str, str] | None]]
    lists: dict[str, _Entry]


class _Loader(yaml.SafeLoader):
    """YAML as usual, but a key written twice is an error, and a date is left to the model to judge."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node whose keys are all different."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise DataError(f"line {key_node.start_mark.line + 1} writes {key!r} a second time. Keep one.")
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_universe(path: Path) -> Universe:
    """Return the universe of a YAML file, checked.

    The file has two parts. `instruments` groups them by kind, each a symbol with name, exchange, sector and,
    where it is not USD, currency. `lists` holds by name: title, drawn_up, basis, tags and symbols.

    Raises
    ------
    DataError
        The file is missing or not YAML; a field is missing, unknown or of the wrong form; a symbol is
        written twice, or is in a list but not described. The message says where.

    Examples
    --------
    >>> load_universe(Path("data/universe.yaml")).symbols("quantum-etfs")
    ('QTUM', 'WQTM')
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a SafeLoader
        file = _File.model_validate(raw)
        return _universe(file)
    except OSError as error:
        raise DataError(f"No universe file at {path} ({error.strerror}). Restore it, or set WORKBENCH_DATA.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is not YAML: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = " > ".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path.name}, {place}: {first['msg']}; got {first['input']!r}.") from None
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None


def _universe(file: _File) -> Universe:
    described = [
        (kind, symbol, fields or {}) for kind, group in file.instruments.items() for symbol, fields in group.items()
    ]
    for kind, symbol, _ in described:
        _check_symbol(symbol, f"instruments > {kind}")
    for symbol, count in Counter(symbol for _, symbol, _ in described).items():
        if count > 1:
            raise DataError(f"instruments: {symbol} is described {count} times. Keep one.")
    known = {symbol for _, symbol, _ in described}
    tags: dict[str, list[str]] = {symbol: [] for symbol in known}
    for name, entry in file.lists.items():
        for symbol, count in Counter(entry.symbols).items():
            _check_symbol(symbol, f"lists > {name}")
            if symbol not in known:
                raise DataError(f"lists > {name}: {symbol} is not under instruments. {nearest(symbol, known)}")
            if count > 1:
                raise DataError(f"lists > {name}: {symbol} is named {count} times. Keep one.")
            tags[symbol] += [tag for tag in entry.tags if tag not in tags[symbol]]
    return Universe.model_validate(
        {
            "instruments": [
                {**fields, "kind": kind, "symbol": symbol, "tags": tags[symbol]} for kind, symbol, fields in described
            ],
            "lists": {name: {**entry.model_dump(), "name": name} for name, entry in file.lists.items()},
        }
    )


def _check_symbol(symbol: object, place: str) -> None:
    if not isinstance(symbol, str):
        raise DataError(f'{place}: YAML reads a symbol as {symbol!r}. Put it in quotes, for example "ON".')
