"""Scenario files: YAML, read strictly, and written the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from quantlib.errors import DataError, nearest
from quantlib.scenarios.scenario import Law, Scenario, Shock, Window

_PARTS: dict[str, type[BaseModel]] = {"shocks": Shock, "law": Law, "window": Window}


class _Loader(yaml.SafeLoader):
    """YAML as usual, but a key written twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node whose keys are all different."""
        keys = [key.value for key, _ in node.value]
        for i, (key, _) in enumerate(node.value):
            if key.value in keys[:i]:
                raise DataError(f"line {key.start_mark.line + 1}: {key.value!r} is written twice. Keep one.")
        return super().construct_mapping(node, deep)


def read_scenarios(folder: Path) -> dict[str, Scenario]:
    """Return the scenarios of every YAML file of a folder by their id, historical ones first, oldest first.

    Raises
    ------
    DataError
        There are no files, a file breaks a rule, or an id is there twice. The message says which file, where in
        it, what came and what is accepted.

    Examples
    --------
    >>> read_scenarios(Path("data/scenarios"))["crash-1987"].title
    'Black Monday 1987'
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DataError(f"No scenario files in {folder}. Restore data/scenarios, or set WORKBENCH_DATA.")
    found: dict[str, Scenario] = {}
    written: dict[str, str] = {}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path.name} cannot be read as UTF-8 text ({error}).") from None
        scenario = parse_scenario(text, path.name)
        if scenario.id in found:
            raise DataError(
                f"{path.name}, id: {scenario.id!r} is that of {written[scenario.id]}. Give each scenario its own."
            )
        found[scenario.id], written[scenario.id] = scenario, path.name
    order = sorted(found.values(), key=lambda one: (one.window is None, one.window and one.window.start, one.id))
    return {one.id: one for one in order}


def parse_scenario(text: str, file: str = "The scenario") -> Scenario:
    """Return the scenario of a YAML text; `file` is what errors call it.

    Raises
    ------
    DataError
        The text is not YAML, or breaks a rule.
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark
        where = "" if at is None else f"line {at.line + 1}, column {at.column + 1}: "
        raise DataError(f"{file} is not YAML: {where}{error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise DataError(f"{file} is not YAML: {' '.join(str(error).split())}.") from None
    except DataError as error:
        raise DataError(f"{file}, {error}") from None
    if not isinstance(data, dict):
        raise DataError(f"{file} holds {type(data).__name__}, not the fields of a scenario.")
    return make_scenario(data, file)


def make_scenario(data: Mapping[str, Any], file: str = "The scenario") -> Scenario:
    """Return the scenario of given fields, such as those of a form.

    Raises
    ------
    DataError
        A field is missing, unknown, out of range or of the wrong form.

    Examples
    --------
    >>> make_scenario({"title": "Crash"})
    Traceback (most recent call last):
    quantlib.errors.DataError: The scenario, schema_version: is missing. Give it a value.
    """
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise DataError(f"{file}{_fault(error)}") from None


def faults(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with the fields of a scenario, sentences by field; nothing where they make one.

    A field of `law` or `window` goes by its own name, such as "volatility"; a shock by "shocks".

    Examples
    --------
    >>> faults({"title": "Crash"})["sessions"]
    ['Is missing. Give it a value.']
    """
    found: dict[str, list[str]] = {}
    try:
        Scenario.model_validate(data)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            place = [str(part) for part in one["loc"]]
            name = place[1] if len(place) > 1 and place[0] in ("law", "window") else place[0]
            sentence = _sentence(one)
            found.setdefault(name, []).append(sentence[0].upper() + sentence[1:])
    return found


def to_yaml(scenario: Scenario) -> str:
    """Return a scenario as the text of its file; `parse_scenario` gives the same one back."""
    return write_fields(scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True))


def write_fields(data: Mapping[str, Any]) -> str:
    """Return fields of a scenario as YAML, a shock on a line as in the files; whether they make one or not."""
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def _fault(error: ValidationError) -> str:
    """Return the first fault with its place in the file, positions counted from one."""
    first = error.errors(include_url=False)[0]
    place = [part + 1 if isinstance(part, int) else part for part in first["loc"]]
    return f", {' > '.join(map(str, place))}: {_sentence(first)}" if place else f": {_sentence(first)}"


def _sentence(fault: ErrorDetails) -> str:
    """Return what is wrong with a field: what is accepted, and what came."""
    place = fault["loc"]
    if fault["type"] == "missing":
        return "is missing. Give it a value."
    if fault["type"] == "extra_forbidden":
        model = _PARTS.get(str(place[0]), Scenario) if len(place) > 1 else Scenario
        name = str(place[-1])
        return f"there is no field {name!r}. {nearest(name, model.model_fields, limit=20)}"
    if fault["type"] == "value_error":
        return f"{fault['msg'].removeprefix('Value error, ').rstrip('.')}."
    hint = ' Put a symbol such as "ON" in quotes.' if place and place[-1] == "asset" else ""
    words = fault["msg"].replace("Input should be", "it should be").replace("String should", "it should")
    return f"{words}; got {fault['input']!r}.{hint}"
