"""The universe file: YAML, read strictly."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from quantlib.errors import DataError, nearest
from quantlib.universe.universe import Universe


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    day: date
    joined: list[Any] = []
    left: list[Any] = []


class _Entry(BaseModel):
    # One list as written: its name is the key it stands under.
    model_config = ConfigDict(extra="forbid")

    title: str
    drawn_up: date
    basis: str
    tags: list[str] = []
    symbols: list[Any]
    since: date | None = None
    changes: list[_Change] = []


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

    The file has two parts. `instruments` groups them by kind, each a symbol with name, exchange, sector and, where
    it is not USD, currency; also the days it was listed and delisted. `lists` holds by name: title, drawn_up, basis,
    tags and symbols; where its past is known also `since`, the first day of that, and `changes`: on which day who
    joined and who left.

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
        came = "" if first["type"] == "value_error" else f"; got {first['input']!r}"
        raise DataError(f"{path.name}, {place}: {first['msg'].removeprefix('Value error, ')}{came}.") from None
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
        _check_members(entry.symbols, f"lists > {name}", known)
        for change in entry.changes:
            _check_members([*change.joined, *change.left], f"lists > {name} > changes > {change.day}", known)
        everyone = {*entry.symbols, *(symbol for change in entry.changes for symbol in change.left)}
        for symbol in everyone:
            tags[symbol] += [tag for tag in entry.tags if tag not in tags[symbol]]
    return Universe.model_validate(
        {
            "instruments": [
                {**fields, "kind": kind, "symbol": symbol, "tags": tags[symbol]} for kind, symbol, fields in described
            ],
            "lists": {name: {**entry.model_dump(), "name": name} for name, entry in file.lists.items()},
        }
    )


def _check_members(symbols: list[Any], place: str, known: set[str]) -> None:
    for symbol, count in Counter(symbols).items():
        _check_symbol(symbol, place)
        if symbol not in known:
            raise DataError(f"{place}: {symbol} is not under instruments. {nearest(symbol, known)}")
        if count > 1:
            raise DataError(f"{place}: {symbol} is named {count} times. Keep one.")


def _check_symbol(symbol: object, place: str) -> None:
    if not isinstance(symbol, str):
        raise DataError(f'{place}: YAML reads a symbol as {symbol!r}. Put it in quotes, for example "ON".')
