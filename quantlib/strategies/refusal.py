"""Why a definition is refused: the first fault that Pydantic found, as a sentence with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from quantlib.errors import nearest
from quantlib.strategies.plain_yaml import Path

LONGEST = 120
"""Characters of what came that a message repeats."""


class Refusal(NamedTuple):
    """What is wrong with a definition.

    Attributes
    ----------
    path
        Where: field names and positions, from the outside in; empty for the definition as a whole.
    what
        What is wrong there, with what came and what is accepted.
    """

    path: Path
    what: str

    @property
    def place(self) -> str:
        """The path in words, such as `legs.1.weight`."""
        return ".".join(map(str, self.path))

    @property
    def sentence(self) -> str:
        """The place, and what is wrong there."""
        return f"{self.place} {self.what}" if self.path else self.what


def refusal(model: type[BaseModel], error: ValidationError, data: Mapping[str, Any]) -> Refusal:
    """Return the first fault of a definition.

    Parameters
    ----------
    model
        What the data was to become.
    error
        What Pydantic said.
    data
        What came. A part of Pydantic's own path that is not in it, such as the kind of a union, is left out.
    """
    faults = error.errors(include_url=False)
    first = faults[0]
    path = _path(first["loc"], data, missing=first["type"] == "missing")
    if first["type"] == "extra_forbidden":
        accepted = fields_at(model, path[:-1], data)
        return Refusal(path, f"is not a parameter. {nearest(str(path[-1]), accepted)} (got {shown(first['input'])})")
    if first["type"] == "missing":
        return Refusal(path, "is missing. Give it a value.")
    if first["type"] == "union_tag_invalid":
        words = first["ctx"]
        kinds = [kind.strip(" '") for kind in words["expected_tags"].split(",")]
        name = words["discriminator"].strip("'")
        return Refusal((*path, name), f"has no choice {words['tag']!r}. {nearest(words['tag'], kinds)}")
    if first["type"] == "union_tag_not_found":
        name = first["ctx"]["discriminator"].strip("'")
        return Refusal(path, f"does not say its {name}. Give `{name}` first.")
    # A union of plain types says one thing for each of them.
    same = [fault for fault in faults if _path(fault["loc"], data, missing=False) == path]
    what = ", or ".join(dict.fromkeys(_words(fault["type"], fault["msg"], fault.get("ctx", {})) for fault in same))
    if nearer := _nearer(path, what, data):
        return nearer
    # What is wrong between parts of a whole names them itself; all of the whole again would only hide it.
    # So does a condition, which is shown with a mark under its fault.
    told = not path or "\n" in what or (first["type"] == "value_error" and _is_nested(first["input"]))
    return Refusal(path, what if told else f"{what} (got {shown(first['input'])})")


def _nearer(path: Path, what: str, data: Any) -> Refusal | None:
    """Return the fault at the place its own words begin with, where the data has that; None where not.

    What a whole has to say of one of its parts begins with the part: "stops.time (20) must be above ...".
    """
    for part in path:
        data = data[part]
    place, _, rest = what.partition(" ")
    parts = place.split(".")
    loc = [int(part) if part.isdigit() else part for part in (parts[1:] if parts[:1] == [*path[-1:]] else parts)]
    found = _path(loc, data, missing=False)
    return Refusal((*path, *found), rest) if loc and len(found) == len(loc) else None


def shown(value: Any) -> str:
    """Return what came, as far as a line has room for it."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _is_nested(value: Any) -> bool:
    inside = value if isinstance(value, list | tuple) else ()
    return any(isinstance(one, Mapping | BaseModel) for one in (value, *inside))


def _words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "too_short":
        return f"needs at least {context['min_length']}; choose more"
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _path(loc: Sequence[str | int], data: Any, *, missing: bool) -> Path:
    """Return the parts of a location that are in the data; the last one of a missing field is not."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        inside = data if isinstance(data, Mapping) else dict(enumerate(data)) if isinstance(data, list | tuple) else {}
        if part in inside:
            path.append(part)
            data = inside[part]
        elif missing and i == len(loc) - 1:
            path.append(part)
    return tuple(path)


def fields_at(model: type[BaseModel], path: Path, data: Any) -> tuple[str, ...]:
    """Return the names of the fields that a definition may have at a place."""
    found: type[BaseModel] | None = model
    annotation: Any = model
    for part in path:
        data = data[part]
        if isinstance(part, str) and found is not None:
            annotation = found.model_fields[part].annotation
        found = next((choice for choice in _models(annotation) if _fits(choice, data)), None)
    return tuple(found.model_fields) if found is not None else ()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _models(part)


def _fits(model: type[BaseModel], data: Any) -> bool:
    """Tell whether a part says that it is of this kind, or kinds do not matter."""
    kind = model.model_fields.get("kind")
    if kind is None or not isinstance(data, Mapping):
        return not isinstance(data, list | tuple)
    return data.get("kind", kind.default) in get_args(kind.annotation)
