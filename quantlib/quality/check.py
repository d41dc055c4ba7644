"""The card of a check: what it is called, what it finds, how bad that is, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from quantlib.grades import Grade
from quantlib.quality.history import History

Need = Literal["calendar", "open, high, low", "volume", "adj_close", "other source"]
Values = Mapping[str, float | None]


class Hit(NamedTuple):
    """One doubt about one day: why, and where a repair makes sense, the values before and after it."""

    ts: np.datetime64
    reason: str
    before: Values | None = None
    after: Values | None = None


@dataclass(frozen=True)
class Check:
    """A check as tables and pages show it.

    Parameters
    ----------
    name
        Its name in code and in stored grades.
    title
        Its name for people.
    finds
        What it finds, in a sentence.
    grade
        What it gives the days it finds.
    needs
        What must be known besides the closes; without it there is nothing to find.
    find
        Looks at one history.
    """

    name: str
    title: str
    finds: str
    grade: Grade
    needs: tuple[Need, ...]
    find: Callable[[History], list[Hit]]
