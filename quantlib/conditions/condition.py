"""A condition: a text that has been read, and what can be said of it without data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from quantlib.conditions.errors import ConditionError
from quantlib.conditions.extras import EXTRAS
from quantlib.conditions.functions import FUNCTIONS
from quantlib.conditions.nodes import CALENDAR, FIELDS, Calendar, Call, Extra, Field, Kind, Name, Node, kind_of, walk
from quantlib.conditions.parser import named_symbols, read_nodes
from quantlib.errors import nearest
from quantlib.indicators import INDICATORS

_LONGEST_MONTH = 31


@dataclass(frozen=True)
class Condition:
    """A condition or a number in the condition language; equal where they say the same.

    Parameters
    ----------
    root
        Its tree.
    source
        The text it was read from, for pointing into.
    """

    root: Node
    source: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The canonical text: equal conditions have the same, and it reads back as an equal condition."""
        return str(self.root)

    @property
    def is_truth(self) -> bool:
        """Whether it is true or false, and not a number."""
        return kind_of(self.root) == "truth"

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it names, in order of appearance; the subject is not among them."""
        return named_symbols(self.root)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names it expects from the caller or the panel's extras, in order of appearance."""
        return tuple(dict.fromkeys(part.name for part in walk(self.root) if isinstance(part, Name)))

    @cached_property
    def extras(self) -> tuple[str, ...]:
        """The extras it reads from the panel, by their keys, in order of appearance."""
        return tuple(dict.fromkeys(part.key for part in walk(self.root) if isinstance(part, Extra)))

    @cached_property
    def of_subject(self) -> str:
        """The first field, indicator or model in it that belongs to the subject; empty where there is none.

        A name may turn out to, which only the data can tell.
        """
        return next((str(part) for part in walk(self.root) if _of_subject(part)), "")

    @property
    def needs_subject(self) -> bool:
        """Whether a field or model in it belongs to the subject."""
        return bool(self.of_subject)

    @cached_property
    def warmup(self) -> int:
        """Bars needed until every part has its first value, in a history without gaps: row `warmup - 1` has it.

        What depends on when something happened, as `since`, may take longer.
        """
        return warmup_of(self.root)

    def error(self, problem: str, node: Node) -> ConditionError:
        """Return an error about a part of this condition, pointing at its place."""
        return ConditionError(problem, self.source or self.text, *(node.span if self.source else (0, len(self.text))))


def parse(text: str, *, gives: Kind | None = None, names: Iterable[str] | None = None) -> Condition:
    """Return a condition read from its text.

    Parameters
    ----------
    text
        A condition such as "close > sma(close, 200) and not SPY.returns < -2%"; docs/conditions.md is the language.
    gives
        "truth" where a condition is wanted, "number" where a number is; None takes both.
    names
        The names it may use beside fields and functions; None leaves that to the evaluation.

    Raises
    ------
    ConditionError
        The text is wrong; the message shows the place, what came and what is accepted.

    Examples
    --------
    >>> condition = parse("rsi(SPY.close)<30 and close>sma(close,200)", gives="truth")
    >>> condition.text
    'rsi(SPY.close, 14) < 30 and close > sma(close, 200)'
    >>> condition.symbols, condition.warmup
    (('SPY',), 200)
    """
    condition = Condition(read_nodes(text), text)
    if gives is not None and kind_of(condition.root) != gives:
        came, want = ("a number", "a condition") if gives == "truth" else ("a condition", "a number")
        hint = " Compare it, as in close > 0." if gives == "truth" else ""
        raise condition.error(f"This is {came}; {want} is needed here.{hint}", condition.root)
    if names is not None:
        accepted = list(names)
        for part in walk(condition.root):
            if isinstance(part, Name) and part.name not in accepted:
                near = nearest(part.name, [*accepted, *FIELDS, *CALENDAR])
                symbol = f" The price of a symbol is {part.name}.close." if part.name.isupper() else ""
                raise condition.error(f"There is no {part.name!r} here. {near}{symbol}", part)
    return condition


def _of_subject(node: Node) -> bool:
    if isinstance(node, Extra):
        return node.symbol is None and EXTRAS[node.use].of_symbol
    if isinstance(node, Call):
        return node.of_bars and _of_subject(node.args[0])
    return isinstance(node, Field) and node.symbol is None


def warmup_of(node: Node) -> int:
    """Return the bars a node needs up to and including its first value."""
    before = [warmup_of(child) for child in node.children]
    if isinstance(node, Call):
        if node.function in FUNCTIONS:
            return FUNCTIONS[node.function].warmup(*before, **dict(node.params))
        return max(before) + own_warmup(node) - 1
    if isinstance(node, Field):
        return 2 if node.name == "returns" else 1
    if isinstance(node, Calendar) and node.name == "session_of_month":
        return _LONGEST_MONTH + 1
    return max(before, default=1)


def own_warmup(node: Call) -> int:
    """Return how many bars in a row of its arguments a call needs for a value."""
    if node.function in FUNCTIONS:
        return FUNCTIONS[node.function].warmup(*(1 for _ in node.args), **dict(node.params))
    card = INDICATORS[node.function]
    return card.warmup(**{**card.params, **dict(node.params)})
