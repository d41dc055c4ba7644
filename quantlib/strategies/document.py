"""Definitions as YAML documents: to read, to keep in git, to pass on."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from quantlib.errors import StrategyError, nearest
from quantlib.strategies import STRATEGIES
from quantlib.strategies.base import Strategy
from quantlib.strategies.library import Definition
from quantlib.strategies.plain_yaml import Path, read_plain, write_plain
from quantlib.strategies.refusal import Refusal, refusal, shown

SCHEMA = 1
"""Version of the form of a document; it grows when an older reader could misread it."""
LONGEST_NAME = 80
_KEYS = ("schema", "name", "why", "reference", "family", "parameters")


def to_yaml(strategy: Strategy, name: str, why: str = "", reference: str = "") -> str:
    """Return a definition as a YAML document, its fields in the order of the form.

    What is not set (a stop that is left out) is not written; everything else is, defaults too, so that the document
    means the same should a default ever change.

    Raises
    ------
    StrategyError
        The strategy is a class of its own in a Python file.
    """
    if STRATEGIES.get(strategy.family) is not type(strategy):
        raise StrategyError(f"{name} is written in Python, which YAML cannot hold. Pass on its file instead.")
    told = {"why": why, "reference": reference}
    document = {
        "schema": SCHEMA,
        "name": check_name(name),
        **{key: text.strip() for key, text in told.items() if text.strip()},
        "family": strategy.family,
        "parameters": _plain(strategy),
    }
    head = f"# A strategy of Quant Workbench ({strategy.title}), with the id {strategy.id}.\n"
    head += "# Try it with `workbench strategy run FILE`, keep it with `workbench strategy import FILE`.\n"
    return head + write_plain(document)


def from_yaml(text: str) -> tuple[str, Definition]:
    """Return the name and the definition that a YAML document holds.

    Only true and false are read as yes and no, so that the symbols ON and NO are symbols.

    Raises
    ------
    StrategyError
        It is not YAML, is of a newer form, or a key or value is missing, unknown, written twice or not accepted.
        The message names the line and the place.
    """
    data, lines = read_plain(text)

    def refuse(path: Path, what: str) -> StrategyError:
        at = next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines)
        return StrategyError(f"Line {at}: {Refusal(path, what).sentence}")

    if not isinstance(data, dict):
        raise refuse((), f"a definition has the keys {', '.join(_KEYS)}; got {shown(data)}.")
    schema = data.get("schema")
    if schema is None:
        raise refuse((), f"`schema` is missing. Give the form of the document first: `schema: {SCHEMA}`.")
    if type(schema) is not int or schema < 1:
        raise refuse(("schema",), f"is {shown(schema)}; accepted: {SCHEMA}.")
    if schema > SCHEMA:
        raise refuse(("schema",), f"is {schema}, newer than the {SCHEMA} this version reads. Update the workbench.")
    for key in data:
        if key not in _KEYS:
            raise refuse((key,), f"is not a key of a definition. {nearest(str(key), _KEYS)}")
    for key in ("name", "family", "parameters"):
        if key not in data:
            raise refuse((), f"`{key}` is missing. A definition has the keys {', '.join(_KEYS)}.")
    for key in ("name", "why", "reference", "family"):
        if not isinstance(data.get(key, ""), str):
            raise refuse((key,), f"is {shown(data[key])}; accepted: text. Put it in quotes.")
    if (family := data["family"]) not in STRATEGIES:
        raise refuse(("family",), f"is {shown(family)}, which is none. {nearest(family, STRATEGIES)}")
    parameters = data["parameters"]
    if not isinstance(parameters, dict):
        raise refuse(("parameters",), f"are {shown(parameters)}; accepted: keys with values, indented.")
    try:
        name = check_name(data["name"])
    except StrategyError as error:
        raise refuse(("name",), f"is refused. {error}") from None
    try:
        strategy = STRATEGIES[family](**parameters)
    except ValidationError as error:
        fault = refusal(STRATEGIES[family], error, parameters)
        raise refuse(("parameters", *fault.path), fault.what) from None
    return name, Definition(strategy, data.get("why", "").strip(), data.get("reference", "").strip())


def check_name(name: str) -> str:
    """Return the name of a definition without spaces around it.

    Raises
    ------
    StrategyError
        It is empty or too long, reads like an option or a file, or has a sign in it that a list of names or a version
        is written with.
    """
    clean = name.strip()
    if not clean or len(clean) > LONGEST_NAME:
        raise StrategyError(f"A name has 1 to {LONGEST_NAME} characters; got {len(clean)}.")
    if clean.startswith("-") or clean.endswith((".yaml", ".yml", ".py")):
        raise StrategyError(f"The name {clean!r} reads like an option or a file. Use another one.")
    if bad := sorted({sign for sign in clean if sign in ",@" or not sign.isprintable()}):
        raise StrategyError(f"The name {clean!r} has {bad[0]!r} in it. Use letters, digits, spaces and hyphens.")
    return clean


def _plain(model: BaseModel) -> dict[str, Any]:
    """Return the fields of a definition as YAML can hold them, without those that are None and are so by default."""
    dumped: dict[str, Any] = model.model_dump(mode="json")
    plain: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value is None and field.default is None:
            continue
        if isinstance(value, BaseModel):
            plain[name] = _plain(value)
        elif isinstance(value, tuple):
            items = zip(value, dumped[name], strict=True)
            plain[name] = [_plain(item) if isinstance(item, BaseModel) else text for item, text in items]
        else:
            plain[name] = dumped[name]
    return plain
