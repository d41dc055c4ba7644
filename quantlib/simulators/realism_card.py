"""What a realism card says: the verdict on each measure, the grades, and one sentence for every number made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.simulators.crises import CRISES, covered

SHARE = 0.25
"""A facet fails for the panel where it fails on more than this share of the symbols."""
LETTERS = "ABCDEF"
UNKNOWN = "unknown"
"""Stands for the letter where worlds could not be judged."""
NAMED = 3  # crises that a sentence names
TOGETHER = ""
"""Stands for the symbols together where a symbol is named."""


def letter(failed: int) -> str:
    """Return the grade for a number of failed facets: A for none, one letter down for each, F for five or more."""
    return LETTERS[min(failed, len(LETTERS) - 1)]


@dataclass(frozen=True)
class RealismGrade:
    """How real a simulator's worlds are, in short: what stands beside every number made from them.

    Which crises the worlds never learned from is not among it: a card is judged on a stretch of its own, and numbers
    are made by a simulator that learned from all of its window; `quantlib.simulators.crises.stamp` says it of that.

    Parameters
    ----------
    letter
        "A" to "F", or "unknown" where they could not be judged.
    why
        What is wrong with the worlds as a whole, or why they could not be judged.
    judged
        By how many worlds, as long as which history; empty where not judged.

    Examples
    --------
    >>> RealismGrade("unknown", "it was not asked for").sentence
    'Grade unknown: it was not asked for'
    """

    letter: str
    why: str
    judged: str = ""

    @property
    def reasons(self) -> str:
        """The reasons and what it was judged by, never blank, without a full stop."""
        return self.why.rstrip(".") + (f" ({self.judged})" if self.judged else "")

    @property
    def sentence(self) -> str:
        """The grade with its reasons and what it was judged by, without a full stop."""
        return f"Grade {self.letter}: {self.reasons}"


@dataclass(frozen=True, eq=False)
class RealismCard:
    """How simulated worlds compare with the history they were fitted to, and the grade that follows from it.

    A facet of a symbol (its level, asymmetry, tails, memory, clustering, leverage, drawdowns) fails where any of its
    measures fails; the symbol's grade is A less one letter for each failed facet, at worst F. Overall the same
    facets count where they fail on more than a quarter of the symbols, and with them correlation and joint falls,
    which belong to all symbols together. So the grade never improves by a further failure.

    An A means that the history cannot be told from a simulated one by these measures, not that the law is true: a
    short history lets almost everything pass.

    Parameters
    ----------
    name, title
        The simulator's.
    symbols
        The N symbols.
    start, end, sessions
        The history that it was fitted to and judged on; `sessions` is also the length of a world.
    worlds, seed
        How many worlds, and from which seed.
    table
        One row a (symbol, measure), symbol "" for the symbols together. Columns: title, facet, unit, history, low,
        median and high of the worlds, passed (NA where it cannot be measured), distance (how far history lies from
        the median, -1 and 1 at the ends of the interval), words (what is wrong; empty where nothing is).
    acf
        One row a (symbol, series "returns" or "absolute returns", lag): history, low, median and high, where low and
        high hold the central 99 % of the worlds at that lag alone.
    """

    name: str
    title: str
    symbols: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp
    sessions: int
    worlds: int
    seed: int
    table: pd.DataFrame
    acf: pd.DataFrame

    def measures(self, symbol: str) -> pd.DataFrame:
        """Return the rows of one symbol by measure; "" gives those of the symbols together."""
        if symbol not in self.table.index.get_level_values("symbol"):
            raise DataError(f"The card has no symbol {symbol!r}. {nearest(symbol, self.symbols)}")
        return self.table.loc[[symbol]].droplevel("symbol")

    @property
    def fails(self) -> pd.DataFrame:
        """What fails, by symbol and facet: the words for its measure furthest outside, the furthest facet first."""
        failed = self.table[~self.table["passed"].fillna(value=True)].reset_index()
        failed = failed.assign(off=failed["distance"].abs()).sort_values("off", ascending=False, kind="stable")
        return failed.drop_duplicates(["symbol", "facet"])[["symbol", "facet", "words"]].reset_index(drop=True)

    @property
    def grades(self) -> pd.Series:
        """The grade of each symbol."""
        counts = self.fails["symbol"].value_counts()
        return pd.Series([letter(int(counts.get(s, 0))) for s in self.symbols], index=self.symbols, name=self.title)

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong with the worlds as a whole, by facet: on how many symbols, the most common words."""
        found = {}
        for facet, rows in self.fails.groupby("facet", sort=False):
            together = bool(rows["symbol"].eq(TOGETHER).any())
            if together or len(rows) > SHARE * len(self.symbols):
                words = str(rows["words"].mode().iloc[0]) if len(rows) > 1 else str(rows["words"].iloc[0])
                on = f" ({len(rows)} of {len(self.symbols)})" if not together and len(self.symbols) > 1 else ""
                found[str(facet)] = words + on
        return found

    @property
    def grade(self) -> str:
        """The grade of the worlds as a whole, A to F."""
        return letter(len(self.faults))

    @property
    def unseen(self) -> tuple[str, ...]:
        """The crises of which no session lies in the history that was learned from, the deepest first."""
        table = covered(self.start, self.end)
        missed = [CRISES[str(name)] for name in table.index[table["seen"] == "never"]]
        return tuple(crisis.title for crisis in sorted(missed, key=lambda crisis: crisis.us_stocks))

    @property
    def sentence(self) -> str:
        """The grade with its reasons and the crises never seen, to stand beside every number of these worlds."""
        said = f"Grade {self.grade}: {_reasons(list(self.faults.values()))}"
        if missed := self.unseen:
            more = len(missed) - NAMED
            said += f"; never saw {', '.join(missed[:NAMED])}" + (f" and {more} more named crises" if more > 0 else "")
        return said

    @property
    def short(self) -> RealismGrade:
        """The grade of the worlds as a whole with its reasons, without the rest of the card."""
        judged = f"judged by {self.worlds:,} worlds of the {self.sessions:,} sessions up to {self.end:%Y-%m-%d}"
        return RealismGrade(self.grade, _reasons(list(self.faults.values())), judged)


def _reasons(faults: Sequence[str]) -> str:
    return ", ".join(faults) or "not told from history by any measure"


def grade_table(cards: Sequence[RealismCard]) -> pd.DataFrame:
    """Return the grades of several cards on the same symbols [simulator x symbol], the last column "overall"."""
    return pd.DataFrame(
        {card.title: [*card.grades, card.grade] for card in cards}, index=[*cards[0].symbols, "overall"]
    ).T
