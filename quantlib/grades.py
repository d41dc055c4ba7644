"""Grades: how far a stored value can be trusted, from `ok` to `suspect`, and the worst of several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import pandas as pd

from quantlib.errors import DataError, nearest

Grade = Literal["ok", "late", "filled", "repaired", "disagree", "suspect"]

GRADES: dict[Grade, str] = {
    "ok": "As delivered, and nothing speaks against it.",
    "late": "Missing or older than the exchange calendar expects.",
    "filled": "Carried forward or computed where the vendor gave nothing.",
    "repaired": "Changed by a repair that somebody asked for; the value before is kept.",
    "disagree": "Another vendor, or the same vendor's other column, says something else.",
    "suspect": "Looks like a fault, such as a hundredfold price or a split nobody announced.",
}
"""Every grade with its meaning, the best first."""
_RANK = {grade: rank for rank, grade in enumerate(GRADES)}


class Flag(NamedTuple):
    """One doubt about one bar; what has no flag is `ok`."""

    ts: pd.Timestamp
    symbol: str
    grade: Grade
    reason: str = ""


def worst(grades: Iterable[str]) -> Grade:
    """Return the worst of several grades; `ok` where there is none.

    Raises
    ------
    DataError
        One of them is no grade.

    Examples
    --------
    >>> worst(["ok", "repaired", "late"])
    'repaired'
    """
    found: Grade = "ok"
    for grade in grades:
        if grade not in _RANK:
            raise DataError(f"There is no grade {grade!r}. {nearest(grade, GRADES)}")
        if _RANK[grade] > _RANK[found]:
            found = grade
    return found
