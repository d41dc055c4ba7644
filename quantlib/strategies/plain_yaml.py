"""The part of YAML that definitions are written in: text, numbers, true, false, null, lists and keys with values.

YAML as such takes ON and NO for yes and no, and some dates and times of day for numbers. Here they are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from quantlib.errors import StrategyError

LONGEST = 100_000
"""Characters of a document; a definition has hundreds."""
DEEPEST = 10
"""Lists and keys inside one another; a definition has four."""
Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_NUMBER_STARTS = "-+.0123456789"
_FORMS = (
    ("bool", r"(true|false)$", "tf"),
    ("null", r"(null|~|)$", ["n", "~", ""]),
    ("int", r"[-+]?[0-9]+$", _NUMBER_STARTS),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", _NUMBER_STARTS),
)


class _Loader(yaml.SafeLoader):
    """Knows the forms above and no others."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  filled below, by the library's own function


class _Dumper(yaml.SafeDumper):
    """Writes blocks, with the entries of a list set in below its key, and lists of plain values in brackets."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Set entries in."""
        super().increase_indent(flow, indentless and False)

    def list_of(self, items: list[Any]) -> yaml.Node:
        """Return the node of a list."""
        plain = not any(isinstance(item, dict | list) for item in items)
        return self.represent_sequence(f"{_TAG}seq", items, flow_style=plain)

    def words_of(self, text: str) -> yaml.Node:
        """Return the node of a text; one with signs that cannot be seen is written with their codes."""
        return self.represent_scalar(f"{_TAG}str", text, style=None if text.isprintable() else '"')


for _kind, _form, _starts in _FORMS:
    # The writer has to know them as well, to put text that looks like one in quotes.
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_form), list(_starts))
_Dumper.add_representer(list, _Dumper.list_of)
_Dumper.add_representer(str, _Dumper.words_of)


def write_plain(data: dict[str, Any]) -> str:
    """Return the document of some keys and values, in their order."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def read_plain(text: str) -> tuple[Any, dict[Path, int]]:
    """Return what a document holds, and the line of every place in it: keys and positions from the outside in.

    Raises
    ------
    StrategyError
        It is too long, empty or not YAML; or a key is written twice, a value is of another type, or refers to another
        place of the document. The message names the line.
    """
    if len(text) > LONGEST:
        raise StrategyError(f"A definition has at most {LONGEST:,} characters; got {len(text):,}.")
    lines: dict[Path, int] = {}
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:  # found while reading: a thousand levels take the library seconds, more take minutes
                raise _at(event.start_mark, f"this is nested {depth} deep; a definition has {DEEPEST} levels at most.")
            if isinstance(event, yaml.AliasEvent):
                raise _at(event.start_mark, f"*{event.anchor} refers to another place. Write the value out.")
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            raise StrategyError("The document is empty. `workbench strategy export` shows what one looks like.")
        return _value(node, (), lines), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        if mark is None:
            raise StrategyError(f"The document is not YAML: {what}.") from None
        hint = " Indent with spaces." if "\\t" in what else ""
        raise _at(mark, f"this is not YAML: {what}.{hint}") from None


def _at(mark: Any, what: str) -> StrategyError:
    """Return an error at a place of the document, which the library calls a mark."""
    return StrategyError(f"Line {mark.line + 1}: {what}")


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    """Return what a node holds, and note the lines of all within."""
    lines.setdefault(path, node.start_mark.line + 1)
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(item, (*path, i), lines) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise _at(key_node.start_mark, "a key must be a word.")
            if key in found:
                raise _at(key_node.start_mark, f"{key!r} is written a second time. Keep one.")
            lines[*path, key] = key_node.start_mark.line + 1
            found[key] = _value(value_node, (*path, key), lines)
        return found
    if isinstance(node, yaml.ScalarNode) and kind in _READ:
        try:
            return _READ[kind](node.value)
        except ValueError:  # Python refuses whole numbers of thousands of digits
            raise _at(node.start_mark, f"a number of {len(node.value):,} digits is too long.") from None
    raise _at(
        node.start_mark, f"{node.tag[:40]} is not accepted. Use text, numbers, true, false, null, lists and keys."
    )


_READ: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda text: text == "true",
    "null": lambda text: None,
}
