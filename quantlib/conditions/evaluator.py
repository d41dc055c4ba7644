"""Evaluating conditions on a panel: every distinct part once, as array operations, for one or many subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from quantlib.conditions import logic
from quantlib.conditions.calendar import CALENDAR_NUMBERS
from quantlib.conditions.condition import Condition
from quantlib.conditions.errors import ConditionError
from quantlib.conditions.extras import EXTRAS
from quantlib.conditions.functions import FUNCTIONS
from quantlib.conditions.nodes import (
    FIELDS,
    Arithmetic,
    Calendar,
    Call,
    Compare,
    Constant,
    Extra,
    Field,
    Joined,
    Name,
    Negate,
    Node,
    Not,
    Number,
    walk,
)
from quantlib.errors import DataError, nearest
from quantlib.indicators import INDICATORS
from quantlib.types import FloatArray, Panel

Names = Mapping[str, FloatArray]

#: Values of a block of subjects that stand in memory at once: 32 MB.
_BLOCK = 4_000_000
#: Arrays that are alive besides the arguments of one node, as a rule.
_ALIVE = 15

_ARITHMETIC: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}
_COMPARISONS: dict[str, Callable[[FloatArray, FloatArray], np.ndarray]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def evaluate(
    conditions: Sequence[Condition],
    panel: Panel,
    *,
    subject: str | None = None,
    names: Names | None = None,
) -> list[FloatArray]:
    """Return the values of conditions at every close of a panel, each [T].

    Truths are 1, 0 and NaN for unknown; numbers are finite or NaN. A value uses its own row and earlier ones only.
    What conditions have in common is computed once.

    Parameters
    ----------
    conditions
        What to evaluate.
    panel
        Bars of every symbol the conditions name, and of the subject; its extras are known by their names.
    subject
        The symbol that unqualified fields belong to; may be left out where none is used.
    names
        Further numbers by name, each [T], or [T, N] with a column for each of the panel's symbols. They come before
        the panel's extras of the same name.

    Raises
    ------
    ConditionError
        A symbol or name is not there, with its place in the condition; or a subject is needed.
    DataError
        An array of `names` does not have the panel's shape.
    """
    inputs = Inputs(panel, None if subject is None else (subject,), names or {})
    roots = [inputs.checked(condition) for condition in conditions]
    values = values_of(roots, inputs)
    return [np.array(np.broadcast_to(values[root], (len(panel), 1))[:, 0]) for root in roots]


def evaluate_each(
    condition: Condition, panel: Panel, symbols: Sequence[str], *, names: Names | None = None
) -> FloatArray:
    """Return a condition with each of the symbols as its subject [T, len(symbols)]; as `evaluate` otherwise.

    Many symbols are taken in blocks, so that memory is bounded by the length of history, not by their number.
    """
    root = Inputs(panel, tuple(symbols), names or {}).checked(condition)
    out = np.empty((len(panel), len(symbols)))
    arrays = _ALIVE + max(len(node.children) for node in walk(root))
    step = max(1, _BLOCK // arrays // max(1, len(panel)))
    for start in range(0, len(symbols), step):
        inputs = Inputs(panel, tuple(symbols[start : start + step]), names or {})
        out[:, start : start + step] = values_of([root], inputs)[root]
    return out


class Inputs:
    """The data a condition may read: fields of the subjects [T, K], everything else [T, 1]."""

    def __init__(self, panel: Panel, subjects: tuple[str, ...] | None, names: Names) -> None:
        self.panel, self.subjects = panel, subjects
        self.column = {symbol: i for i, symbol in enumerate(panel.symbols)}
        self.names: dict[str, FloatArray] = {**panel.extra}
        for name, given in names.items():
            values = np.asarray(given, dtype=np.float64)
            if values.shape not in {(len(panel),), panel.close.shape}:
                raise DataError(
                    f"The values of {name} have shape {values.shape}; accepted: {panel.close.shape[:1]} or "
                    f"{panel.close.shape}."
                )
            self.names[name] = values
        for symbol in subjects or ():
            if symbol not in self.column:
                raise ConditionError(f"The subject {symbol!r} is not in the panel. {nearest(symbol, panel.symbols)}")

    def checked(self, condition: Condition) -> Node:
        """Return a condition's tree, all of whose names and symbols are there."""
        for node in walk(condition.root):
            problem = ""
            if isinstance(node, Field | Extra) and node.symbol is not None and node.symbol not in self.column:
                problem = f"There is no symbol {node.symbol!r} here. {nearest(node.symbol, self.panel.symbols)}"
            elif isinstance(node, Field):
                if node.symbol is None and self.subjects is None:
                    problem = f"{node.name} of which symbol? There is no subject here; write it as SPY.{node.name}."
            elif isinstance(node, Extra):
                problem = self.lacking(node)
            elif isinstance(node, Name):
                problem = self.missing(node.name)
            if problem:
                raise condition.error(problem, node)
        return condition.root

    def missing(self, name: str) -> str:
        """Return what to say of a name that is not there or cannot be read; empty where all is well."""
        if name in self.names:
            shared = self.names[name].ndim == 1 or self.subjects is not None
            return "" if shared else f"{name} has a value for each symbol, and there is no subject."
        symbol, _, last = name.rpartition(".")
        if symbol in self.column:
            return f"{symbol} has no {last!r}. {nearest(last, FIELDS)}"
        if name in self.column:
            return f"{name} is a symbol. Write its field, as in {name}.close."
        return f"There is no {name!r} here. {nearest(name, [*self.names, *FIELDS, *CALENDAR_NUMBERS])}"

    def lacking(self, node: Extra) -> str:
        """Return what to say of an extra that the panel does not carry or that cannot be read; empty if all is well."""
        if node.key not in self.names:
            return (
                f"The panel carries no {node.key!r}. What is run on stored prices reads it by itself; in a notebook, "
                f"with_extras(session, panel, [{node.key!r}]) puts it there. Simulated worlds have none."
            )
        if self.names[node.key].ndim == 2 and node.symbol is None and self.subjects is None:
            own = f", as in {self.panel.symbols[0]}.{node}" if EXTRAS[node.use].of_symbol else ""
            return f"{node} has a value for each symbol, and there is no subject. Say of which{own}."
        return ""

    def columns(self, values: FloatArray, symbol: str | None) -> FloatArray:
        """Return the columns of a [T, N] array that belong to a symbol, or to the subjects."""
        wanted = (self.subjects or ()) if symbol is None else (symbol,)
        return values[:, [self.column[s] for s in wanted]]

    def field(self, node: Field) -> FloatArray:
        """Return a field of a symbol or of the subjects; `returns` is close over the close before it minus one."""
        if node.name != "returns":
            return self.columns(getattr(self.panel, node.name), node.symbol)
        close = self.columns(self.panel.close, node.symbol)
        out = np.full(close.shape, np.nan)
        out[1:] = close[1:] / close[:-1] - 1.0
        return out

    def name(self, name: str, symbol: str | None = None) -> FloatArray:
        """Return what a name stands for, of a symbol or of the subjects; what is not finite is unknown."""
        values = self.names[name]
        return logic.known_or_nan(values[:, None] if values.ndim == 1 else self.columns(values, symbol))


def values_of(roots: Iterable[Node], inputs: Inputs) -> dict[Node, FloatArray]:
    """Return the values of some nodes, each [T, K] or [T, 1].

    Every distinct node is computed once, children first, and let go after its last use.
    """
    wanted = list(dict.fromkeys(roots))
    uses: Counter[Node] = Counter(wanted)
    order: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in order:
            for child in node.children:
                visit(child)
            uses.update(node.children)
            order[node] = None

    for root in wanted:
        visit(root)
    values: dict[Node, FloatArray] = {}
    with np.errstate(all="ignore"):
        for node in order:
            values[node] = _value(node, [values[child] for child in node.children], inputs)
            uses.subtract(node.children)
            for child in node.children:
                if not uses[child]:
                    values.pop(child, None)
    return values


def _value(node: Node, of: Sequence[FloatArray], inputs: Inputs) -> FloatArray:
    match node:
        case Number() | Constant():
            return np.full((len(inputs.panel), 1), float(node.value))
        case Field():
            return inputs.field(node)
        case Calendar():
            return CALENDAR_NUMBERS[node.name](inputs.panel.index)[:, None]
        case Name():
            return inputs.name(node.name)
        case Extra():
            return inputs.name(node.key, node.symbol)
        case Negate():
            return -of[0]
        case Arithmetic():
            return logic.known_or_nan(_ARITHMETIC[node.sign](of[0], of[1]))
        case Compare():
            pairs = zip(node.signs, of[:-1], of[1:], strict=True)
            steps = [logic.truth(_COMPARISONS[sign](a, b), a, b) for sign, a, b in pairs]
            return _joined("and", steps)
        case Not():
            return logic.opposite(of[0])
        case Joined():
            return _joined(node.word, of)
        case Call():
            return _called(node, of, inputs.panel)
    raise AssertionError(node)


def _joined(word: str, terms: Sequence[FloatArray]) -> FloatArray:
    join = logic.both if word == "and" else logic.either
    out = terms[0]
    for term in terms[1:]:
        out = join(out, term)
    return out


def _called(node: Call, of: Sequence[FloatArray], panel: Panel) -> FloatArray:
    params = dict(node.params)
    if node.function in FUNCTIONS:
        return logic.known_or_nan(FUNCTIONS[node.function].compute(*of, **params))
    card = INDICATORS[node.function]
    own = {key: getattr(panel, key) for key, value in card.params.items() if value is None and key not in params}
    lines = card.function(*(pd.DataFrame(values, index=panel.index) for values in of), **params, **own)
    frame = lines[str(node.line)] if isinstance(lines, dict) else lines
    return logic.known_or_nan(frame.to_numpy(dtype=np.float64))
