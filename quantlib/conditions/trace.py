"""Why a condition is what it is on one bar: the value of every part, and a sentence that says what decided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from quantlib.conditions.condition import Condition, own_warmup
from quantlib.conditions.evaluator import Inputs, Names, values_of
from quantlib.conditions.extras import EXTRAS
from quantlib.conditions.nodes import (
    Arithmetic,
    Calendar,
    Call,
    Compare,
    Extra,
    Field,
    Joined,
    Name,
    Negate,
    Node,
    Not,
    Number,
    is_constant,
    kind_of,
    walk,
)
from quantlib.errors import DataError
from quantlib.types import DateLike, FloatArray, Panel, as_date

_MOST_REASONS = 3


@dataclass(frozen=True)
class Trace:
    """A part of a condition on one bar.

    Parameters
    ----------
    text
        The part, in canonical form.
    value
        Its number; for a truth 1, 0 or NaN.
    is_truth
        Whether it is a truth.
    phrase
        The part with its numbers in it: "rsi(close, 14) = 74.2 < 70".
    reason
        Why it is unknown, where that begins at this part; else empty.
    children
        The parts it is made from that can change, in order; of an `if`, the condition and the branch it takes.
    word
        "and" or "or" where that joins the children, else empty.
    """

    text: str
    value: float
    is_truth: bool
    phrase: str
    reason: str
    children: tuple[Trace, ...]
    word: Literal["and", "or", ""] = ""

    @property
    def known(self) -> bool:
        """Whether its value is known."""
        return not math.isnan(self.value)

    @property
    def truth(self) -> bool | None:
        """True or false; None where it is unknown, or a number."""
        return bool(self.value) if self.is_truth and self.known else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is unknown: the innermost unknown parts, each with its cause; empty where it is known."""
        if self.known:
            return ()
        if self.reason:
            return (self.reason,)
        return tuple(dict.fromkeys(reason for child in self.children for reason in child.reasons))

    @property
    def sentence(self) -> str:
        """What decided: "3 of 4 true; blocked by rsi(close, 14) = 74.2 < 70"."""
        unknown = _listed(self.reasons)
        if not self.is_truth:
            return self.phrase if self.known else f"{self.text} is unknown: {unknown}"
        if not self.word:
            return f"{'true' if self.truth else 'false'}: {self.phrase}" if self.known else f"unknown: {unknown}"
        true = [child.phrase for child in self.children if child.truth]
        false = [child.phrase for child in self.children if child.truth is False]
        parts = [f"{len(true)} of {len(self.children)} true"]
        if self.truth is False:
            parts.append(f"blocked by {', and by '.join(false)}")
        elif self.truth and self.word == "or":
            parts.append(f"by {', and by '.join(true)}")
        missing = tuple(dict.fromkeys(reason for child in self.children for reason in child.reasons))
        if missing and not (self.truth and self.word == "or"):
            parts.append(f"unknown: {_listed(missing)}")
        return "; ".join(parts)


def explain(
    condition: Condition,
    panel: Panel,
    *,
    subject: str | None = None,
    names: Names | None = None,
    at: int | DateLike = -1,
) -> Trace:
    """Return why a condition is what it is on one bar.

    Parameters
    ----------
    condition, panel, subject, names
        As for `evaluate`.
    at
        The bar: a row, from the end where negative, or the date of a session.

    Raises
    ------
    ConditionError
        A symbol or name is not there, or a subject is needed.
    DataError
        There is no such bar.
    """
    inputs = Inputs(panel, None if subject is None else (subject,), names or {})
    root = inputs.checked(condition)
    return _Tracer(values_of(walk(root), inputs), _row(panel, at), subject).trace(root)


def _row(panel: Panel, at: int | DateLike) -> int:
    if isinstance(at, int | np.integer):
        if not -len(panel) <= at < len(panel):
            raise DataError(f"There is no row {at}; the panel has {len(panel):,} rows.")
        return int(at) % len(panel)
    date = as_date(at, "at")
    row = int(panel.index.searchsorted(date))
    if row == len(panel) or panel.index[row] != date:
        raise DataError(f"{date:%Y-%m-%d} is not a session of the panel.")
    return row


class _Tracer:
    """Builds traces from the values of all nodes."""

    def __init__(self, values: Mapping[Node, FloatArray], row: int, subject: str | None) -> None:
        self.values, self.row, self.subject = values, row, subject

    def now(self, node: Node) -> float:
        return float(self.values[node][self.row, 0])

    def trace(self, node: Node) -> Trace:
        children = tuple(self.trace(child) for child in self.parts(node) if not _plain(child))
        value = self.now(node)
        return Trace(
            text=str(node),
            value=value,
            is_truth=kind_of(node) == "truth",
            phrase=self.phrase(node),
            reason=self.reason(node) if math.isnan(value) else "",
            children=children,
            word=node.word if isinstance(node, Joined) else "",
        )

    def parts(self, node: Node) -> tuple[Node, ...]:
        """Return the parts a node's value hangs on: of `if`, the condition and the branch it takes."""
        if not (isinstance(node, Call) and node.function == "if"):
            return node.children
        condition, a, b = node.children
        chosen = self.now(condition)
        return (condition,) if math.isnan(chosen) else (condition, a if chosen else b)

    def phrase(self, node: Node) -> str:
        """Return a part with its numbers in it."""
        if isinstance(node, Compare):
            return self.compared(node)
        if isinstance(node, Not):
            return f"not ({self.phrase(node.value)})"
        if isinstance(node, Joined):
            return f"({f' {node.word} '.join(self.phrase(term) for term in node.terms)})"
        if is_constant(node):
            return str(node)
        if kind_of(node) == "number":
            return f"{node} = {_shown(self.now(node))}"
        numbers = self.shown([arg for arg in node.children if not _plain(arg) and kind_of(arg) == "number"])
        truths = [self.phrase(arg) for arg in node.children if kind_of(arg) == "truth"]
        return f"{node}, with {' and '.join([*numbers, *truths])}"

    def shown(self, numbers: Sequence[Node], *, percent: bool = False) -> list[str]:
        """Return numbers beside their parts, in as many digits as it takes to tell them apart."""
        values = [self.now(number) for number in numbers]
        known = {value for value in values if not math.isnan(value)}
        digits = next((d for d in (3, 5, 8, 10, 12, 15) if len({_shown(v, d) for v in known}) == len(known)), 17)
        texts = [_shown(v * 100, digits) + "%" if percent and v in known else _shown(v, digits) for v in values]
        return [
            str(number) if _plain(number) else f"{number} = {text}" for number, text in zip(numbers, texts, strict=True)
        ]

    def compared(self, node: Compare) -> str:
        """Return a comparison with its numbers; as percentages where one of them was written so."""
        percent = any(isinstance(part, Number) and part.percent for term in node.terms for part in walk(term))
        first, *rest = self.shown(node.terms, percent=percent)
        return " ".join([first, *(word for pair in zip(node.signs, rest, strict=True) for word in pair)])

    def reason(self, node: Node) -> str:
        """Return why a node is unknown where that begins at it; empty where a part of it is unknown already."""
        if any(math.isnan(self.now(part)) for part in self.parts(node)):
            return ""
        match node:
            case Field():
                return f"{node if node.symbol or not self.subject else f'{self.subject}.{node}'} is missing"
            case Name():
                return f"{node} is missing"
            case Extra():
                return self.reason_of_extra(node)
            case Calendar():
                return f"{node} is not known in the month the data starts in"
            case Arithmetic() | Negate():
                return f"{node} has no value"
            case Call():
                return self.reason_of_call(node)
        return ""

    def reason_of_extra(self, node: Extra) -> str:
        if not EXTRAS[node.use].of_symbol:
            return f"nothing of {node} had been released"
        of = node.symbol or self.subject
        return f"{replace(node, symbol=None)} says nothing{f' of {of}' if of else ''} at this close"

    def reason_of_call(self, node: Call) -> str:
        if node.function == "since":
            return f"{node.args[0]} has not held yet, or not since it was last unknown"
        known = np.logical_and.reduce([~np.isnan(self.values[arg][: self.row + 1, 0]) for arg in node.args])
        streak = len(known) if known.all() else int(np.argmax(~known[::-1]))
        needs = own_warmup(node)
        return f"{node} is warming up ({streak} of {needs} bars)" if streak < needs else f"{node} has no value"


def _plain(node: Node) -> bool:
    """Tell whether a part is a number that says itself what it is."""
    return kind_of(node) == "number" and is_constant(node)


def _shown(value: float, digits: int = 3) -> str:
    """Return a number in some digits, but its whole part in full."""
    if math.isnan(value):
        return "unknown"
    size = abs(value)
    if size and not 1e-5 <= size < 1e15:
        return f"{value:.{digits}g}"
    whole = len(str(int(size))) if size >= 1 else 0
    text = (
        f"{value:.{max(digits - whole, 0)}f}"
        if size >= 1
        else np.format_float_positional(value, digits, fractional=False)
    )
    return text.rstrip("0").rstrip(".") if "." in text else text


def _listed(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
    return "; ".join(reasons[:_MOST_REASONS]) + more
