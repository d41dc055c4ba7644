"""How history is cut into what is learned from and what is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError
from quantlib.validation.splits import CombinatorialSplit, combinatorial_purged, purged_kfold, walk_forward

Rows = NDArray[np.intp]


class Scheme(Protocol):
    """A way of cutting: rows to learn from and rows to be asked about, again and again.

    `foretells` tells whether each test lies after what was learned from, so that its predictions could have been
    made at the time. Counts are of sessions; rows of one session stay together.
    """

    name: ClassVar[str]
    foretells: ClassVar[bool]

    def folds(self, label_end: pd.Series) -> list[CombinatorialSplit]:
        """Return the folds for labels known at `label_end`, indexed (ts, symbol) in that order.

        Of labels that end by what comes, it is the session by which all such are known: see `Examples.settled`.
        """
        ...


@dataclass(frozen=True)
class WalkForward:
    """Learn from the past, be asked about the next sessions, learn again.

    Parameters
    ----------
    train
        Sessions before the first test; with `anchored=False`, before every test.
    test
        Sessions between two fits.
    anchored
        Learn from everything since the start, or from the latest `train` sessions.
    purge
        None leaves out every label that ends in the test or later. A number leaves out the last so many sessions
        instead: less than the horizon shows the damage, and is refused unless asked for.
    embargo
        Further sessions left out before each test.
    """

    name: ClassVar[str] = "walk_forward"
    foretells: ClassVar[bool] = True
    train: int = 1260
    test: int = 252
    anchored: bool = True
    purge: int | None = None
    embargo: int = 0

    def folds(self, label_end: pd.Series) -> list[CombinatorialSplit]:
        """Return one fold a test, in time order."""
        ts = label_end.index.get_level_values("ts")
        dates, day = np.unique(ts.to_numpy(), return_inverse=True)
        ends = label_end.to_numpy()
        found = []
        for split in walk_forward(
            len(dates),
            train=self.train,
            test=self.test,
            anchored=self.anchored,
            purge=self.purge or 0,
            embargo=self.embargo,
        ):
            past = (day >= split.train[0]) & (day <= split.train[-1])
            if self.purge is None:
                past &= ends < dates[split.test[0] - self.embargo]
            asked = (day >= split.test[0]) & (day <= split.test[-1])
            if not past.any():
                raise DataError(
                    f"Every training label before {pd.Timestamp(dates[split.test[0]]):%Y-%m-%d} ends in the test. Take "
                    "train above the horizon."
                )
            found.append(CombinatorialSplit(np.flatnonzero(past), (np.flatnonzero(asked),), (0,)))
        return found


@dataclass(frozen=True)
class PurgedKFold:
    """Be asked about each run of sessions once, after learning from all others, before and after it.

    Parameters
    ----------
    k
        Runs.
    embargo
        Sessions left out after the labels of each test.
    """

    name: ClassVar[str] = "purged_kfold"
    foretells: ClassVar[bool] = False
    k: int = 5
    embargo: int = 21

    def folds(self, label_end: pd.Series) -> list[CombinatorialSplit]:
        """Return one fold a run, in time order."""
        splits = purged_kfold(label_end, self.k, embargo=self.embargo)
        return [CombinatorialSplit(split.train, (split.test,), (0,)) for split in splits]


@dataclass(frozen=True)
class CombinatorialPurged:
    """Be asked about every choice of runs, so that the answers make several whole histories instead of one.

    Parameters
    ----------
    k
        Runs.
    tests
        How many of them are asked about at a time.
    embargo
        Sessions left out after the labels of each test.
    """

    name: ClassVar[str] = "combinatorial_purged"
    foretells: ClassVar[bool] = False
    k: int = 6
    tests: int = 2
    embargo: int = 21

    def folds(self, label_end: pd.Series) -> list[CombinatorialSplit]:
        """Return one fold a choice."""
        return list(combinatorial_purged(label_end, self.k, self.tests, embargo=self.embargo))


def overlapping(label_end: pd.Series, folds: Sequence[CombinatorialSplit]) -> int:
    """Return how many training labels, over all folds, are made of sessions that a test or its labels are made of.

    A row takes the time from its own session to the end of its label; so does a test, from its first session to the
    end of its last label. Both ends count.
    """
    begin = label_end.index.get_level_values("ts").to_numpy()
    end = label_end.to_numpy()
    count = 0
    for fold in folds:
        met = np.zeros(len(fold.train), dtype=bool)
        for test in fold.tests:
            met |= (end[fold.train] >= begin[test].min()) & (begin[fold.train] <= end[test].max())
        count += int(met.sum())
    return count
