"""What changed between two definitions, in words a person would use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from quantlib.risk import Stops
from quantlib.strategies.base import Strategy
from quantlib.strategies.group import Group
from quantlib.strategies.legs import VolatilityTarget

NOTHING = "none"
#: Fields that are a share of something, told in percent.
_SHARES: dict[type[BaseModel], tuple[str, ...]] = {
    Group: ("capital",),
    Stops: ("loss", "profit", "trailing"),
    VolatilityTarget: ("annual",),
}


class Change(NamedTuple):
    """One thing that differs.

    Attributes
    ----------
    place
        Where: the fields' names from the outside in, such as `timing.exit`; a leg by its symbol.
    before, after
        The values as text; empty where there was, or is, nothing.
    sentence
        All of it, in the words of the form, such as "exit z 0.5 → 0.3".
    """

    place: str
    before: str
    after: str
    sentence: str


def diff(old: Strategy, new: Strategy) -> list[Change]:
    """Return what changed from one definition to another, in the order of the fields; nothing if they are the same.

    Legs are told apart by their symbols. Between families, and between kinds of a part that have different fields,
    the whole is one change.

    Examples
    --------
    >>> from quantlib.strategies import Pair
    >>> [change.sentence for change in diff(Pair(y="KO", x="PEP"), Pair(y="KO", x="PEP", exit=0.3))]
    ['exit z 0.5 → 0.3']
    """
    if old.id == new.id:
        return []
    changes = []
    if old.family != new.family:
        changes.append(_changed("family", "family", _text(old.title), _text(new.title)))
        if old.symbols != new.symbols:
            changes += _items("symbols", "symbol", old.symbols, new.symbols)
        return changes
    changes = _fields(old, new, (), _Labels(old, new))
    if old.source_code != new.source_code:
        changes.append(Change("source_code", old.id, new.id, "the code of the file has changed"))
    return changes


class _Labels:
    """The titles of fields as they stand in a sentence; where two fields share one, with the part they belong to."""

    def __init__(self, *definitions: BaseModel) -> None:
        titles = {path: title for definition in definitions for path, title in _titles(definition, ())}
        self._times = Counter(titles.values())

    def __call__(self, field: str, model: BaseModel, parents: Sequence[str]) -> str:
        title = _title(model, field)
        return " ".join([*parents[-1:], title]) if self._times[title] > 1 else title


def _title(model: BaseModel, field: str) -> str:
    title = type(model).model_fields[field].title or field.replace("_", " ")
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _titles(model: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for field in type(model).model_fields:
        value = getattr(model, field)
        yield (*path, field), _title(model, field)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                yield from _titles(part, (*path, field))


def _fields(old: BaseModel, new: BaseModel, path: tuple[str, ...], labels: _Labels) -> list[Change]:
    """Return what changed between two parts of the same kind."""
    changes: list[Change] = []
    parents = [path[-1].replace("_", " ")] if path else []
    for field in type(new).model_fields:
        if field not in type(old).model_fields:
            changes.append(_changed(".".join((*path, field)), labels(field, new, parents), "", _told(new, field)))
            continue
        before, after = getattr(old, field), getattr(new, field)
        here, label = (*path, field), labels(field, new, parents)
        if _dump(before) == _dump(after):
            continue
        if isinstance(before, BaseModel) and type(before) is type(after):
            changes += _fields(before, after, here, labels)
        elif isinstance(before, tuple) and isinstance(after, tuple):
            changes += _items(".".join(here), label, before, after)
        else:
            changes.append(_changed(".".join(here), label, _told(old, field), _told(new, field)))
    return changes


def _items(place: str, label: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Change]:
    """Return what changed between two lists: legs by their symbols, anything else as a whole entry."""
    one = label.removesuffix("s")
    before, after = ({_key(item): item for item in items} for items in (old, new))
    changes = []
    for key in [*before, *(key for key in after if key not in before)]:
        where = f"{place}.{key}"
        if key not in after:
            changes.append(Change(where, _text(before[key]), "", f"{one} {key} removed"))
        elif key not in before:
            rest = "" if isinstance(after[key], str) else f" ({_text(after[key])})"
            changes.append(Change(where, "", _text(after[key]), f"{one} {key} added{rest}"))
        elif isinstance(before[key], BaseModel):
            inner = _fields(before[key], after[key], (where,), _Labels())
            changes += [change._replace(sentence=f"{one} {key} {change.sentence}") for change in inner]
    kept = [[key for key in items if key in before and key in after] for items in (before, after)]
    if kept[0] != kept[1] or len(before) != len(old) or len(after) != len(new):
        first, then = (", ".join(_key(item) for item in items) for items in (old, new))
        changes.append(Change(place, first, then, f"order of the {one}s {first} → {then}"))
    return changes


def _changed(place: str, label: str, before: str, after: str) -> Change:
    return Change(place, before, after, f"{label} {before or NOTHING} → {after or NOTHING}")


def _key(item: Any) -> str:
    return str(item.symbol) if hasattr(item, "symbol") else _text(item)


def _dump(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_dump(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _told(model: BaseModel, field: str) -> str:
    """Return the value of a field as text, in percent where it is a share."""
    value = getattr(model, field)
    share = isinstance(value, float) and field in _SHARES.get(type(model), ())
    return f"{value * 100:.10g} %" if share else _text(value)


def _text(value: Any) -> str:
    """Return a value as text: yes and no, numbers without needless digits, parts with what is set in them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, BaseModel):
        kind = str(getattr(value, "kind", ""))
        fields = [name for name in type(value).model_fields if name not in {"kind", "symbol"}]
        shown = ", ".join(f"{_title(value, n)} {t}" for n in fields if (t := _told(value, n)))
        return f"{kind} ({shown})" if kind and shown else kind or shown
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    text = str(value)
    return f'"{text}"' if " " in text else text
