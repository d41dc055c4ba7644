"""Doubts in words: what a reader of results must know about the bars they were made from."""

from __future__ import annotations

from collections.abc import Iterable

from quantlib.grades import GRADES, Flag, Grade

MOST = 5
"""Doubts a report names; the Data page has them all."""
#: Grades that mean a number may be wrong, not only missing or mended.
DOUBTFUL: tuple[Grade, ...] = ("disagree", "suspect")
_RANK = {grade: rank for rank, grade in enumerate(GRADES)}


def doubt_sentences(flags: Iterable[Flag], most: int = MOST) -> tuple[str, ...]:
    """Return the worst doubts as sentences, one a symbol and grade with its newest day, the worst and newest first.

    Parameters
    ----------
    flags
        Of the panels that were used; a doubt that several of them have counts once.
    most
        How many sentences; what is left out is counted in a last one.

    Examples
    --------
    >>> doubt_sentences([Flag(pd.Timestamp("2020-03-04"), "KO", "late", "No bar.")])  # doctest: +SKIP
    ('KO is late on 2020-03-04: No bar.',)
    """
    groups: dict[tuple[str, Grade], list[Flag]] = {}
    for flag in sorted(set(flags)):
        groups.setdefault((flag.symbol, flag.grade), []).append(flag)
    ordered = sorted(groups.values(), key=lambda own: (-_RANK[own[-1].grade], -own[-1].ts.toordinal(), own[-1].symbol))
    sentences = []
    for own in ordered[:most]:
        newest, days = own[-1], len({flag.ts for flag in own})
        on = f"on {newest.ts:%Y-%m-%d}" if days == 1 else f"on {days:,} days, last on {newest.ts:%Y-%m-%d}"
        text = f"{newest.symbol} is {newest.grade} {on}: {newest.reason}"
        sentences.append(text if text.endswith(".") else f"{text}.")
    if (left := len(ordered) - most) > 0:
        sentences.append(f"And {left} more; the Data page has them all.")
    return tuple(sentences)


def caution(grade: Grade) -> str:
    """Return what to bear in mind where prices are of a doubtful grade; empty where they are not."""
    if grade not in DOUBTFUL:
        return ""
    return f"Caution: some of these prices are graded {grade}. {GRADES[grade]} Look at them before acting on this."
