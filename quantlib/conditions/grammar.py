"""The grammar, and what a text that breaks it is told."""

from __future__ import annotations

from functools import cache
from typing import cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from quantlib.conditions.errors import ConditionError
from quantlib.errors import nearest

GRAMMAR = r"""
?start: either
?either: both (OR both)*
?both: opposite (AND opposite)*
?opposite: NOT opposite | comparison
?comparison: sum (COMPARISON sum)*
?sum: product | sum (PLUS | MINUS) product
?product: minus | product (TIMES | OVER) minus
?minus: MINUS minus | power
?power: atom | atom POWER minus
?atom: NUMBER -> number
     | path
     | call
     | call "." NAME -> line
     | "(" either ")" -> brackets
path: NAME | STRING | path "." NAME
call: path "(" (argument ("," argument)*)? ")"
?argument: either | NAME "=" either -> keyword

OR: "or"
AND: "and"
NOT: "not"
COMPARISON: "<=" | ">=" | "==" | "!=" | "<" | ">"
POWER.2: "**"
TIMES: "*"
OVER: "/"
PLUS: "+"
MINUS: "-"
NUMBER: /[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?([ \t]*%)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
STRING: /"[^"\n]*"/
%import common.WS
%ignore WS
"""

_VALUE = "a number, a field such as close, a function such as sma(close, 20), not or an opening bracket"
_HINTS = {
    "=": "To compare, write ==.",
    "!": "Write not, or != for unequal.",
    "&": "Write and.",
    "&&": "Write and.",
    "|": "Write or.",
    "||": "Write or.",
    "[": "For an earlier bar write lag(close, 1).",
    "%": "The percent sign stands right after a number: 5%.",
    "^": 'A power is written **; a symbol such as ^VIX stands in quotes: "^VIX".close.',
    "'": 'Quotes are double: "BRK-B".close.',
    "≥": "Write >=.",
    "≤": "Write <=.",
    "≠": "Write !=.",
    "×": "Write *.",
    "–": "Write - for minus.",
    "−": "Write - for minus.",
    "**": "A power is a ** b.",
    ";": "Join conditions by and, or or.",
    "$": "Numbers carry no currency sign.",
    "#": "There are no comments.",
    "?": "Write if(condition, a, b).",
}


Branch = Tree[Token] | Token
"""A part of a syntax tree."""


@cache
def _parser() -> Lark:
    # The basic lexer knows a word wherever it stands, so that errors are about the grammar and not about spelling.
    return Lark(GRAMMAR, parser="lalr", lexer="basic", propagate_positions=True, maybe_placeholders=False)


def read(text: str) -> Tree[Token]:
    """Return the syntax tree of a text.

    Raises
    ------
    ConditionError
        The text breaks the grammar; with the place and what would be accepted there.
    """
    try:
        return Tree("text", [_parser().parse(text)])
    except UnexpectedInput as error:
        raise _explained(error, text) from None


def span_of(branch: Branch) -> tuple[int, int]:
    """Return where a part of a syntax tree stands in its text."""
    if isinstance(branch, Token):
        return branch.start_pos or 0, branch.end_pos or 0
    return branch.meta.start_pos, branch.meta.end_pos


def path_of(branch: Branch) -> tuple[tuple[str, ...], bool]:
    """Return the parts of a dotted name, and whether the first stands in quotes."""
    parts: list[str] = []
    quoted = False
    while isinstance(branch, Tree):
        token = cast(Token, branch.children[-1])
        quoted = token.type == "STRING"
        parts.append(token[1:-1] if quoted else str(token))
        if len(branch.children) == 1:
            break
        branch = branch.children[0]
    return tuple(reversed(parts)), quoted


def quoted_text(branch: Branch) -> str | None:
    """Return the text of an argument that is nothing but a text in quotes; None where it is something else."""
    if not (isinstance(branch, Tree) and branch.data == "path"):
        return None
    parts, quoted = path_of(branch)
    return parts[0] if quoted and len(parts) == 1 else None


def is_keyword(branch: Branch) -> bool:
    """Tell whether an argument is given by its name."""
    return isinstance(branch, Tree) and branch.data == "keyword"


def _explained(error: UnexpectedInput, text: str) -> ConditionError:
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0  # type: ignore[redundant-expr]  # lark types it as always None
        if text[at] == '"':
            return ConditionError('The quote is not closed. A symbol in quotes looks like "BRK-B".close.', text, at)
        pair = text[at : at + 2]
        came = pair if pair in _HINTS else text[at]
        hint = _HINTS.get(came, f"Accepted: {_VALUE}, or an operator.")
        return ConditionError(f"{came!r} has no meaning here. {hint}", text, at, at + len(came))
    token, accepts = cast(UnexpectedToken, error).token, set(cast(UnexpectedToken, error).accepts)
    wants_value = "NUMBER" in accepts
    if token.type == "$END":
        return _ends_early(text, wants_value=wants_value)
    at, to = token.start_pos or 0, token.end_pos or 0
    came = str(token)
    if wants_value:
        expected = f"Accepted: {_VALUE}."
        if came in {",", ")"} and _before(text, at) in {"(", ","}:
            expected = f"An argument is missing. {expected}"
        elif came == "." and text[to : to + 1].isdigit():
            expected = f"Write 0.{text[to]} with its zero."
        hint = _HINTS.get(came, expected)
    elif accepts <= {"NAME"}:
        hint = "After the dot comes a name, as in SPY.close or bollinger(close, 20, 2).upper."
    else:
        hint = _HINTS.get(came) or _operator_hint(token, accepts, text)
    return ConditionError(f"{came} is not expected here. {hint}", text, at, to)


def _before(text: str, at: int) -> str:
    return text[:at].rstrip()[-1:]


def _operator_hint(token: Token, accepts: set[str], text: str) -> str:
    """Return what may follow a value, in view of what came instead."""
    came = str(token)
    if text[: token.start_pos].split()[-1:] == ["NOT"]:
        return "Write not."
    if token.type == "NAME" and came.lower() in {"and", "or"}:
        return f"Write {came.lower()}."
    if token.type == "NAME" and came.lower() in {"crosses", "above", "below", "over", "under"}:
        return "A crossing is written crosses_above(a, b) or crosses_below(a, b)."
    if came == ")":
        return "There is no opening bracket for it."
    if came == "," and "COMMA" not in accepts:
        return "A comma separates the arguments of a function. Numbers are written without it: 1000000."
    if came == "(":
        return "A function's name comes right before its bracket; to multiply, write *."
    closing = ", a comma or a closing bracket" if "RPAR" in accepts else ""
    near = nearest(came, ["and", "or"]) if token.type == "NAME" else ""
    hint = f" {near}" if near.startswith("Did") else ""
    return f"Accepted: an operator (+ - * / ** < <= > >= == != and or){closing}.{hint}"


def _ends_early(text: str, *, wants_value: bool) -> ConditionError:
    opened: list[int] = []
    quoted = False
    for i, c in enumerate(text):
        quoted ^= c == '"'
        if not quoted and c == "(":
            opened.append(i)
        elif not quoted and c == ")" and opened:
            opened.pop()
    if opened and not wants_value:
        return ConditionError("The bracket is not closed.", text, opened[-1])
    end = len(text.rstrip())
    if _before(text, len(text)) == ".":
        return ConditionError("The text ends after a dot. Accepted: a name, as in SPY.close.", text, end)
    return ConditionError(f"The text ends too early. Accepted: {_VALUE}.", text, end)
