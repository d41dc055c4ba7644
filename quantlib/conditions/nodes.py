"""The tree of a condition: frozen nodes that compare by what they say, and the printer of the canonical text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from quantlib.conditions.extras import extra_key

Kind = Literal["number", "truth"]

#: Offsets of a node in the text it was read from; nodes that say the same are equal wherever they stand.
Span = tuple[int, int]

FIELDS = ("open", "high", "low", "close", "volume", "returns")
CALENDAR = ("year", "month", "day", "weekday", "session_of_month", "sessions_left")


@dataclass(frozen=True)
class Node:
    """Base of all nodes; `span` is where it stands in its text and takes no part in equality."""

    span: Span = field(default=(0, 0), compare=False, kw_only=True, repr=False)

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes it is made from, in order."""
        return ()

    def __str__(self) -> str:
        return _text(self)


@dataclass(frozen=True)
class Number(Node):
    """A number as written; `percent` keeps that it was written with the sign."""

    value: float
    percent: bool = False


@dataclass(frozen=True)
class Constant(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True)
class Field(Node):
    """A field of a symbol, or of the subject where `symbol` is None."""

    name: str
    symbol: str | None = None


@dataclass(frozen=True)
class Calendar(Node):
    """A number of the session's date."""

    name: str


@dataclass(frozen=True)
class Name(Node):
    """A number given by the caller or by the panel's extras."""

    name: str


@dataclass(frozen=True)
class Extra(Node):
    """An extra of the panel by name: a macro series, or what a model says of the subject or of a symbol."""

    use: str
    name: str
    symbol: str | None = None

    @property
    def key(self) -> str:
        """What the panel calls it."""
        return extra_key(self.use, self.name)


@dataclass(frozen=True)
class Negate(Node):
    """Minus a number."""

    value: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Its number."""
        return (self.value,)


@dataclass(frozen=True)
class Arithmetic(Node):
    """Two numbers joined by + - * / or **."""

    sign: str
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Left and right."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Compare(Node):
    """Numbers compared: two of them, or a chain such as 20 < x < 70."""

    signs: tuple[str, ...]
    terms: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        """The numbers."""
        return self.terms


@dataclass(frozen=True)
class Not(Node):
    """The opposite of a truth."""

    value: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Its truth."""
        return (self.value,)


@dataclass(frozen=True)
class Joined(Node):
    """Two or more truths joined by `and`, or by `or`; none of them is joined by the same word."""

    word: Literal["and", "or"]
    terms: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        """The truths."""
        return self.terms


@dataclass(frozen=True)
class Call(Node):
    """A function or indicator of its arguments.

    `params` holds (name, value) in the function's order, defaults included; `line` is the line of an indicator that
    has several. An indicator made from whole bars has its fields as arguments, which are not written in the text.
    """

    function: str
    args: tuple[Node, ...]
    params: tuple[tuple[str, float], ...] = ()
    line: str | None = None
    kind: Kind = "number"
    of_bars: bool = False
    keywords: tuple[str, ...] = ()

    @property
    def children(self) -> tuple[Node, ...]:
        """The arguments."""
        return self.args


def kind_of(node: Node) -> Kind:
    """Return whether a node is a number or a truth."""
    if isinstance(node, Call):
        return node.kind
    return "truth" if isinstance(node, Constant | Compare | Not | Joined) else "number"


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything in it, from left to right."""
    yield node
    for child in node.children:
        yield from walk(child)


def is_constant(node: Node) -> bool:
    """Tell whether a node is the same on every bar because nothing in it is read from data."""
    return not any(isinstance(part, Field | Calendar | Name | Extra) for part in walk(node))


# How tightly each kind of node binds; what binds more loosely than its place needs brackets.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _MINUS, _POWER, _ATOM = range(9)
_SIGNS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER}


def _binding(node: Node) -> int:
    match node:
        case Joined():
            return _AND if node.word == "and" else _OR
        case Not():
            return _NOT
        case Compare():
            return _COMPARE
        case Arithmetic():
            return _SIGNS[node.sign]
        case Negate():
            return _MINUS
    return _ATOM


def _within(node: Node, least: int) -> str:
    text = _text(node)
    return text if _binding(node) >= least else f"({text})"


def number_text(value: float) -> str:
    """Return the shortest text of a number that reads back as the same number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _percent_text(value: float) -> str:
    # From the shortest decimal, not by value * 100: 7 % is 0.07, and 0.07 * 100 is 7.000000000000001.
    scaled = (Decimal(repr(value)) * 100).normalize()
    plain = not scaled or Decimal("1e-6") <= scaled < Decimal("1e15")
    return f"{scaled:f}%" if plain else f"{scaled}%".lower()


def symbol_text(symbol: str) -> str:
    """Return a symbol as it is written before a dot: in quotes where it holds more than letters, digits and _."""
    plain = symbol.isascii() and symbol.isidentifier() and symbol not in {"and", "or", "not", "true", "false"}
    return symbol if plain else f'"{symbol}"'


def _of(symbol: str | None) -> str:
    return "" if symbol is None else f"{symbol_text(symbol)}."


def _call_text(node: Call) -> str:
    given = [] if node.of_bars else [str(arg) for arg in node.args]
    given += [f"{key}={number_text(v)}" if key in node.keywords else number_text(v) for key, v in node.params]
    of = node.args[0] if node.of_bars else None
    before = _of(of.symbol) if isinstance(of, Field) else ""
    after = f".{node.line}" if node.line else ""
    return f"{before}{node.function}({', '.join(given)}){after}"


def _compare_text(node: Compare) -> str:
    first, *rest = (_within(term, _SUM) for term in node.terms)
    return " ".join([first, *(part for pair in zip(node.signs, rest, strict=True) for part in pair)])


def _arithmetic_text(node: Arithmetic) -> str:
    if node.sign == "**":  # binds to the right, and its exponent may carry a minus
        return f"{_within(node.left, _ATOM)} ** {_within(node.right, _MINUS)}"
    level = _SIGNS[node.sign]
    return f"{_within(node.left, level)} {node.sign} {_within(node.right, level + 1)}"


_PRINTERS: dict[type[Node], Callable[..., str]] = {
    Number: lambda n: _percent_text(n.value) if n.percent else number_text(n.value),
    Constant: lambda n: "true" if n.value else "false",
    Field: lambda n: f"{_of(n.symbol)}{n.name}",
    Calendar: lambda n: n.name,
    Name: lambda n: n.name,
    Extra: lambda n: f'{_of(n.symbol)}{n.use}("{n.name}")',
    Negate: lambda n: f"-{_within(n.value, _MINUS)}",
    Arithmetic: _arithmetic_text,
    Compare: _compare_text,
    Not: lambda n: f"not {_within(n.value, _NOT)}",
    Joined: lambda n: f" {n.word} ".join(_within(term, _binding(n)) for term in n.terms),
    Call: _call_text,
}


def _text(node: Node) -> str:
    return _PRINTERS[type(node)](node)
