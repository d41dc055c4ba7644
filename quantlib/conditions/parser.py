"""Reading a condition: from its text to a tree of nodes whose names, kinds and bounds are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, DecimalException
from itertools import pairwise
from typing import cast

from lark import Token, Tree

from quantlib.conditions.errors import ConditionError
from quantlib.conditions.extras import EXTRAS
from quantlib.conditions.grammar import Branch, is_keyword, path_of, quoted_text, read, span_of
from quantlib.conditions.nodes import (
    CALENDAR,
    FIELDS,
    Arithmetic,
    Calendar,
    Call,
    Compare,
    Constant,
    Extra,
    Field,
    Joined,
    Kind,
    Name,
    Negate,
    Node,
    Not,
    Number,
    Span,
    is_constant,
    kind_of,
    number_text,
    walk,
)
from quantlib.conditions.signatures import MAX_WINDOW, Signature, lines_of, names, signature_of
from quantlib.errors import DataError, nearest

MAX_CHARACTERS, MAX_NODES, MAX_DEPTH, MAX_SYMBOLS = 4000, 500, 40, 50

#: What a leg's symbol is held to as well.
_SYMBOL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.^=_-")


def read_nodes(text: str) -> Node:
    """Return the nodes of a text.

    Raises
    ------
    ConditionError
        The text breaks the grammar, a name or kind in it is wrong, or it is too large.
    """
    if not isinstance(text, str):
        raise ConditionError(f"A condition is a text; came {type(text).__name__}.")
    if len(text) > MAX_CHARACTERS:
        raise ConditionError(f"The condition has {len(text):,} characters; accepted: at most {MAX_CHARACTERS:,}.")
    if not text.strip():
        raise ConditionError("The condition is empty. Write one, such as close > sma(close, 200).")
    root = _Builder(text).node(read(text).children[0], 1)
    if len(str(root)) > MAX_CHARACTERS:
        raise ConditionError(f"The condition, written in full, has more than {MAX_CHARACTERS:,} characters.")
    return root


def named_symbols(root: Node) -> tuple[str, ...]:
    """Return the symbols a tree names, in order of appearance."""
    found = (part.symbol for part in walk(root) if isinstance(part, Field | Extra) and part.symbol is not None)
    return tuple(dict.fromkeys(found))


class _Builder:
    """Turns syntax into nodes, counting them; `deep` is how many nodes lie above."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.count = 0
        self.symbols: set[str] = set()

    def error(self, problem: str, span: Span) -> ConditionError:
        return ConditionError(problem, self.text, *span)

    def counted(self, span: Span, depth: int) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.error(f"The condition has more than {MAX_NODES} parts. Split it.", span)
        if depth > MAX_DEPTH:
            raise self.error(f"The condition is nested more than {MAX_DEPTH} deep. Split it.", span)

    def node(self, syntax: Branch, depth: int) -> Node:
        branch = cast(Tree[Token], syntax)
        while branch.data == "brackets":
            branch = cast(Tree[Token], branch.children[0])
        rule = str(branch.data)
        span = span_of(branch)
        # Left recursion makes a tall tree of a long sum, which is refused here before it can exhaust the stack.
        self.counted(span, depth)
        parts = branch.children
        match rule:
            case "number":
                return self.number(cast(Token, parts[0]), span)
            case "path":
                return self.reference(branch, span)
            case "call":
                return self.call(branch, None, span, depth)
            case "line":
                return self.call(cast(Tree[Token], parts[0]), cast(Token, parts[1]), span, depth)
            case "opposite":
                return Not(self.of_kind("truth", parts[1], depth, "not"), span=span)
            case "minus":
                return Negate(self.of_kind("number", parts[1], depth, "-"), span=span)
            case "sum" | "product" | "power":
                sign = str(parts[1])
                left, right = (self.of_kind("number", part, depth, sign) for part in (parts[0], parts[2]))
                return Arithmetic(sign, left, right, span=span)
            case "comparison":
                return self.comparison(parts, span, depth)
        return self.joined("and" if rule == "both" else "or", parts, span, depth)

    def of_kind(self, kind: Kind, branch: Branch, depth: int, place: str) -> Node:
        """Return a part that must be a number or a truth where it stands."""
        node = self.node(branch, depth + 1)
        if kind_of(node) != kind:
            raise self.error(_wrong_kind(node, kind, place), node.span)
        return node

    def number(self, token: Token, span: Span) -> Number:
        digits = token.rstrip("% \t")
        percent = digits != token
        try:
            value = float(Decimal(digits) / 100 if percent else Decimal(digits))
        except DecimalException:  # an exponent of eighteen digits
            raise self.error(f"{_short(token)} cannot be read as a number.", span) from None
        if not math.isfinite(value):
            raise self.error(f"{_short(token)} is too large for a number.", span)
        return Number(value, percent, span=span)

    def reference(self, path: Tree[Token], span: Span) -> Node:
        parts, quoted = path_of(path)
        name = ".".join(parts)
        if len(parts) > 1 and parts[-1] in FIELDS:
            return self.field(parts[-1], ".".join(parts[:-1]), span)
        if quoted:
            problem = (
                f"{parts[-1]} is not a field of a symbol. {nearest(parts[-1], FIELDS)}"
                if len(parts) > 1
                else f'A symbol is followed by its field, as in "{parts[0]}".close.'
            )
            raise self.error(problem, span)
        if len(parts) > 1 and parts[0].isupper() and (near := nearest(parts[-1], FIELDS)).startswith("Did"):
            raise self.error(f"{parts[-1]} is not a field of a symbol. {near}", span)
        if name in FIELDS:
            return Field(name, span=span)
        if name in CALENDAR:
            return Calendar(name, span=span)
        if name in {"true", "false"}:
            return Constant(name == "true", span=span)
        if name in EXTRAS:
            raise self.error(f"{name} is a function. Write {EXTRAS[name].form}.", span)
        if parts[-1] in names() and parts[-1] not in EXTRAS:
            raise self.error(f"{parts[-1]} is a function. Write {signature_of(parts[-1]).form()}.", span)
        return Name(name, span=span)

    def field(self, name: str, symbol: str, span: Span) -> Field:
        return Field(name, self.symbol(symbol, span), span=span)

    def symbol(self, symbol: str, span: Span) -> str:
        """Return a symbol, counting it."""
        if not symbol:
            raise self.error("The symbol is empty.", span)
        if len(symbol) > 32 or not _SYMBOL.issuperset(symbol):
            came = _short(symbol)
            raise self.error(
                f"{came!r} is no symbol; accepted: up to 32 letters, digits and the signs . ^ = _ -.", span
            )
        self.symbols.add(symbol)
        if len(self.symbols) > MAX_SYMBOLS:
            raise self.error(f"The condition names more than {MAX_SYMBOLS} symbols.", span)
        return symbol

    def comparison(self, parts: Sequence[Branch], span: Span, depth: int) -> Compare:
        signs = tuple(str(sign) for sign in parts[1::2])
        terms = tuple(self.of_kind("number", part, depth, signs[0]) for part in parts[::2])
        ways = {sign[0] for sign in signs}
        if len(signs) > 1 and ways not in ({"<"}, {">"}):
            raise self.error(
                f"A chain runs one way, as in 20 < x < 70; came {' '.join(signs)}. Join two comparisons by and.", span
            )
        return Compare(signs, terms, span=span)

    def joined(self, word: str, parts: Sequence[Branch], span: Span, depth: int) -> Joined:
        terms: list[Node] = []
        for part in parts[::2]:
            node = self.of_kind("truth", part, depth, word)
            # (a and b) and c is a and b and c: one way to write it, and one list of parts to explain.
            terms += node.terms if isinstance(node, Joined) and node.word == word else [node]
        return Joined("and" if word == "and" else "or", tuple(terms), span=span)

    def call(self, branch: Tree[Token], line: Token | None, span: Span, depth: int) -> Call | Extra:
        head, written = branch.children[0], branch.children[1:]
        if path_of(head)[0][-1] in EXTRAS:
            return self.from_panel(head, written, line, span)
        signature, symbol = self.called(head)
        name, form = signature.name, signature.form(symbol)
        for before, after in pairwise(written):
            if is_keyword(before) and not is_keyword(after):
                raise self.error("Arguments without a name come before those with one.", span_of(after))
        given = [part for part in written if not is_keyword(part)]
        n = len(signature.takes) + (len(given) - len(signature.takes)) * signature.repeats
        if len(given) < max(n, len(signature.takes)):
            raise self.error(f"{name} needs {'more arguments' if given else 'an argument'}. Write {form}.", span)
        args, kind = self.arguments(signature, given[:n], depth)
        for field in signature.fields:
            self.counted(span, depth + 1)
            args.append(self.field(field, symbol, span) if symbol is not None else Field(field, span=span))
        keywords = [cast(Tree[Token], part) for part in written if is_keyword(part)]
        params = self.parameters(signature, form, given[n:], keywords, span)
        if signature.params and not signature.fields:
            for arg in args:
                if is_constant(arg):
                    came = _short(str(arg))
                    raise self.error(f"{name} needs a series; {came} never changes. Write {form}.", arg.span)
        self.check_line(name, form, params, line, span)
        left_out = [i for i, key in enumerate(signature.params) if key not in dict(params)]
        return Call(
            name,
            tuple(args),
            params,
            str(line) if line else None,
            kind,
            bool(signature.fields),
            signature.keywords + tuple(list(signature.params)[left_out[0] + 1 :] if left_out else ()),
            span=span,
        )

    def from_panel(self, head: Branch, written: Sequence[Branch], line: Token | None, span: Span) -> Extra:
        """Return an extra of the panel, whose name is its only argument and stands in quotes."""
        (parts, quoted), use = path_of(head), EXTRAS[path_of(head)[0][-1]]
        name, symbol = parts[-1], ".".join(parts[:-1])
        if quoted and len(parts) == 1:
            raise self.error(f"A function's name stands without quotes: {name}.", span_of(head))
        wanted = f"{name} needs the name of a {use.named} in quotes"
        if not written:
            raise self.error(f"{wanted}. Write {use.form}.", span)
        given = quoted_text(written[0])
        if given is None:
            came = self.text[slice(*span_of(written[0]))]
            form = f'{name}("{came}")' if '"' not in came else use.form
            raise self.error(f"{wanted}; came {_short(came)}. Write {_short(form)}.", span_of(written[0]))
        if not given.strip():
            raise self.error(f"The name is empty. Write {use.form}.", span_of(written[0]))
        own = f'{name}("{given}")'
        if len(written) > 1:
            raise self.error(f"{name} got too many arguments. Write {own}.", span_of(written[1]))
        if line is not None:
            raise self.error(f"{name} has a single line; leave .{line} out.", span_of(line))
        if len(parts) > 1 and not use.of_symbol:
            raise self.error(f"{name} is not asked of a symbol. Write {own}.", span_of(head))
        return Extra(name, given, self.symbol(symbol, span_of(head)) if len(parts) > 1 else None, span=span)

    def called(self, head: Branch) -> tuple[Signature, str | None]:
        """Return what is called, and of which symbol."""
        (parts, quoted), span = path_of(head), span_of(head)
        name, symbol = parts[-1], ".".join(parts[:-1])
        if name not in names():
            raise self.error(f"There is no function {name!r}. {nearest(name, names())}", span)
        if quoted and len(parts) == 1:
            raise self.error(f"A function's name stands without quotes: {name}.", span)
        signature = signature_of(name)
        if len(parts) > 1 and not signature.fields:
            own = signature.written or signature.form(symbol)
            raise self.error(f"{name} is not asked of a symbol. Write {own}.", span)
        return signature, symbol if len(parts) > 1 else None

    def arguments(self, signature: Signature, given: Sequence[Branch], depth: int) -> tuple[list[Node], Kind]:
        """Return the arguments that are not parameters, and the kind of the call's result."""
        takes = [*signature.takes, *signature.takes[-1:] * (len(given) - len(signature.takes))]
        args: list[Node] = []
        free: Kind | None = None
        for part, want in zip(given, takes, strict=True):
            if want != "either":
                args.append(self.of_kind(want, part, depth, signature.name))
                continue
            node = self.node(part, depth + 1)
            if kind_of(node) != (free := free or kind_of(node)):
                raise self.error(f"{signature.name} needs two numbers or two conditions, not one of each.", node.span)
            args.append(node)
        return args, (free or "number") if signature.gives == "same" else signature.gives

    def check_line(
        self, name: str, form: str, params: tuple[tuple[str, float], ...], line: Token | None, span: Span
    ) -> None:
        try:
            lines = lines_of(name, params)
        except DataError as error:
            raise self.error(f"{name}: {error}", span) from None
        if not lines and line is not None:
            raise self.error(f"{name} has a single line; leave .{line} out.", span_of(line))
        if lines and (line is None or line not in lines):
            came = (
                f"no line {line}. {nearest(line, lines)}"
                if line
                else f"the lines {', '.join(lines)}. Write one of them, as in {form}.{lines[0]}."
            )
            raise self.error(f"{name} has {came}", span_of(line) if line else span)

    def parameters(
        self,
        signature: Signature,
        form: str,
        given: Sequence[Branch],
        keywords: Sequence[Tree[Token]],
        span: Span,
    ) -> tuple[tuple[str, float], ...]:
        """Return the parameters in their order, defaults included; one that the panel decides may stay away."""
        name, accepted = signature.name, list(signature.params)
        free = [key for key in accepted if key not in signature.keywords]
        if len(given) > len(free):
            raise self.error(f"{name} got too many arguments. Write {form}.", span_of(given[len(free)]))
        pairs = list(zip(free, given, strict=False))
        for keyword in keywords:
            key = str(keyword.children[0])
            if key not in accepted:
                raise self.error(f"{name} has no parameter {key!r}. {nearest(key, accepted)}", span_of(keyword))
            pairs.append((key, keyword.children[1]))
        found: dict[str, float] = {}
        for key, part in pairs:
            if key in found:
                raise self.error(f"{name} got {key} twice.", span_of(part))
            found[key] = self.literal(signature, key, part)
        for key, parameter in signature.params.items():
            if key not in found and parameter.default is None and not parameter.optional:
                raise self.error(f"{name} needs {key}. Write {form}.", span)
        everything = {key: found.get(key, parameter.default) for key, parameter in signature.params.items()}
        return tuple((key, value) for key, value in everything.items() if value is not None)

    def literal(self, signature: Signature, key: str, branch: Branch) -> float:
        """Return a parameter, which is a number written out: a window cannot change from bar to bar."""
        node = self.node(branch, 1)
        sign, inner = (-1.0, node.value) if isinstance(node, Negate) else (1.0, node)
        if not isinstance(inner, Number):
            raise self.error(
                f"{key} of {signature.name} is a number written out; came {_short(str(node))}. "
                f"Write {signature.form()}.",
                node.span,
            )
        value, parameter = sign * inner.value, signature.params[key]
        if not parameter.bars:
            return value
        if not value.is_integer() or not parameter.least <= value <= MAX_WINDOW:
            future = " A negative one would look into the future." if value < 0 else ""
            raise self.error(
                f"{key} of {signature.name} is {number_text(value)}; accepted: a whole number of bars, "
                f"{parameter.least} to {MAX_WINDOW:,}.{future}",
                node.span,
            )
        return int(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _wrong_kind(node: Node, want: Kind, place: str) -> str:
    text = _short(str(node))
    if want == "truth":
        return f"{place} needs a condition; {text} is a number. Compare it, as in {text} > 0."
    return f"{place} needs a number; {text} is a condition, true or false. Use if({text}, 1, 0) to count it."
