"""The error of the condition language: it shows the text with a mark under the place."""

from __future__ import annotations

from quantlib.errors import StrategyError

_WIDTH = 96


class ConditionError(StrategyError):
    """A condition cannot be read, or not on this data; the message shows where in its text.

    Parameters
    ----------
    problem
        What is wrong, what came and what is accepted.
    text
        The condition as written; empty where there is no text to point into.
    start, end
        The place in `text`, as offsets from 0; `end` is the first character after it.

    Attributes
    ----------
    problem, text, start, end
        As given.
    """

    def __init__(self, problem: str, text: str = "", start: int = 0, end: int | None = None) -> None:
        self.problem, self.text, self.start = problem, text, start
        self.end = max(start + 1, start + 1 if end is None else end)
        super().__init__(f"{problem}\n{pointed(text, start, self.end)}" if text else problem)


def pointed(text: str, start: int, end: int) -> str:
    """Return the line of a text that holds a place, with carets under the place, cut to a readable width."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", first)
    line = text[first : len(text) if last < 0 else last]
    at, to = start - first, min(end - first, max(len(line), start - first + 1))
    left = max(0, at - _WIDTH // 2) if len(line) > _WIDTH else 0
    right = left + _WIDTH
    shown = "".join(c if c.isprintable() else " " for c in line[left:right])
    before, after = ("…" if left else ""), ("…" if right < len(line) else "")
    row = f"line {text.count(chr(10), 0, start) + 1}, " if "\n" in text else ""
    carets = " " * (at - left + len(before)) + "^" * (min(to, right) - at)
    return f"At {row}character {at + 1}:\n    {before}{shown}{after}\n    {carets}"
