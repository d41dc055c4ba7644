"""Splits in time: what may be trained on, and what it is tested on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantlib.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """One step of a walk-forward: row positions to train on and the later ones to test on, both ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def walk_forward(
    n_rows: int,
    *,
    train: int,
    test: int,
    step: int | None = None,
    anchored: bool = True,
    purge: int = 0,
    embargo: int = 0,
) -> Iterator[Split]:
    """Return the splits of a walk-forward over `n_rows` rows in time order.

    The first test begins at row `train`, each further one `step` rows later; the last one ends at the last row and
    may be shorter. Every training row lies before its test, at a distance of more than `purge + embargo` rows.

    Parameters
    ----------
    n_rows
        Number of rows, one a session.
    train
        Rows before the first test; with `anchored=False`, before every test.
    test
        Rows of a test.
    step
        Rows from one test's beginning to the next; None is `test`, which tests every row after `train` once.
    anchored
        True trains on everything since the first row, False on the latest `train` rows only.
    purge
        Sessions a label looks ahead. The last `purge` rows before a test are not trained on: their labels are
        made of prices of the test.
    embargo
        Further rows left out there, for features that remember. (Behind a test nothing needs it: no row later than
        a test is trained on for that test.)

    Raises
    ------
    DataError
        A count is out of range, nothing is left to train on, or the rows end before the first test begins.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 7.

    Examples
    --------
    >>> [(len(s.train), s.test.tolist()) for s in walk_forward(10, train=6, test=2, purge=1)]
    [(5, [6, 7]), (7, [8, 9])]
    """
    stride = test if step is None else step
    for name, value, least in (
        ("train", train, 1),
        ("test", test, 1),
        ("step", stride, 1),
        ("purge", purge, 0),
        ("embargo", embargo, 0),
    ):
        if value < least:
            raise DataError(f"{name} is {value}; accepted: a whole number of {least} or more.")
    gap = purge + embargo
    if gap >= train:
        raise DataError(
            f"Nothing is left to train on: of {train} training rows, purge {purge} and embargo {embargo} leave out "
            f"{gap}. Take train above {gap}."
        )
    if n_rows <= train:
        raise DataError(
            f"{n_rows} rows end before the first test begins: it needs {train} rows to train on and at least one "
            "to test. Take a longer span or a shorter train."
        )

    def splits() -> Iterator[Split]:
        for begin in range(train, n_rows, stride):
            end = min(begin + test, n_rows)
            first = 0 if anchored else begin - train
            yield Split(train=np.arange(first, begin - gap), test=np.arange(begin, end))
            if end == n_rows:
                return

    return splits()
