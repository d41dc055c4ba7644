"""Splits in time: what may be trained on, and what it is tested on afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions to train on and to test on, both ascending; in a walk-forward the test is the later."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CombinatorialSplit:
    """One choice of test folds: rows to train on, the rows of each test fold, and the path each of them belongs to.

    A path is a whole history made of test folds alone: every fold once, each from another split.
    """

    train: NDArray[np.intp]
    tests: tuple[NDArray[np.intp], ...]
    paths: tuple[int, ...]


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


def purged_kfold(label_end: pd.Series, k: int = 5, *, embargo: int = 0) -> Iterator[Split]:
    """Return the splits of a K-fold in time whose training rows share nothing with the labels of the test.

    Sessions are cut into `k` runs of equal length, each the test once; rows of one session stay together. A row is
    not trained on where the time from itself to the end of its label meets that of the test: from the first session
    of the test to the last session that a label of the test is made of. `embargo` further sessions after that are
    left out too.

    Parameters
    ----------
    label_end
        The last session each row's label is made of, by the row's own session; with symbols, sessions are the first
        level of the index. For a row without a label of the future, such as a day's return, its own session.
    k
        Folds.
    embargo
        Sessions after the labels of a test, for features that remember.

    Raises
    ------
    DataError
        A count is out of range, a label ends before its row or is not known, or nothing is left to train on.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 7.

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=6)
    >>> ends = pd.Series(days[[1, 2, 3, 4, 5, 5]], index=days)  # labels that look one session ahead
    >>> [(s.train.tolist(), s.test.tolist()) for s in purged_kfold(ends, 3)]
    [([3, 4, 5], [0, 1]), ([0, 5], [2, 3]), ([0, 1, 2], [4, 5])]
    """
    labels = _Labels.of(label_end)
    _check_folds(k, 2, embargo, labels.n_sessions)
    bounds = [(int(part[0]), int(part[-1]) + 1) for part in np.array_split(np.arange(labels.n_sessions), k)]

    def splits() -> Iterator[Split]:
        for test in bounds:
            yield Split(train=labels.trainable([test], embargo), test=labels.rows(test))

    return splits()


def combinatorial_purged(
    label_end: pd.Series, folds: int = 10, test_folds: int = 2, *, embargo: int = 0
) -> Iterator[CombinatorialSplit]:
    """Return every choice of `test_folds` among `folds` runs of sessions, purged and embargoed like `purged_kfold`.

    Every fold is tested in several splits, beside other folds each time, so that the tests make up
    C(folds - 1, test_folds - 1) whole paths through time instead of one.

    Parameters
    ----------
    label_end, embargo
        As in `purged_kfold`.
    folds
        Runs of sessions of equal length; the last takes what is left over.
    test_folds
        How many of them are the test at a time, 2 or more.

    Raises
    ------
    DataError
        A count is out of range, a label ends before its row or is not known, or nothing is left to train on.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 12. Choices, folds and paths are those
    of skfolio's `CombinatorialPurgedCV`; it purges by a number of rows, which is replaced by the labels here.
    """
    labels = _Labels.of(label_end)
    _check_folds(folds, 3, embargo, labels.n_sessions)
    if not 2 <= test_folds < folds:
        raise DataError(
            f"test_folds is {test_folds}; accepted: 2 to {folds - 1}. For one fold at a time use purged_kfold."
        )
    from skfolio.model_selection import CombinatorialPurgedCV  # noqa: PLC0415  its import takes over a second

    chosen = CombinatorialPurgedCV(n_folds=folds, n_test_folds=test_folds)

    def splits() -> Iterator[CombinatorialSplit]:
        parts = chosen.split(np.empty((labels.n_sessions, 1)))
        for (_, sessions), paths in zip(parts, chosen.get_path_ids(), strict=True):
            tests = [(int(fold[0]), int(fold[-1]) + 1) for fold in sessions]
            yield CombinatorialSplit(
                train=labels.trainable(tests, embargo),
                tests=tuple(labels.rows(test) for test in tests),
                paths=tuple(int(path) for path in paths),
            )

    return splits()


def _check_folds(folds: int, least: int, embargo: int, n_sessions: int) -> None:
    if folds < least:
        raise DataError(f"{folds} folds; accepted: a whole number of {least} or more.")
    if embargo < 0:
        raise DataError(f"embargo is {embargo}; accepted: a whole number of 0 or more.")
    if n_sessions < 2 * folds:
        raise DataError(
            f"{n_sessions} sessions are too few for {folds} folds of two or more. Take a longer span or fewer folds."
        )


@dataclass(frozen=True, eq=False)
class _Labels:
    """When each row is decided and when its label ends, both as the place of the session among all of them."""

    row: NDArray[np.intp]
    end: NDArray[np.intp]
    n_sessions: int

    @classmethod
    def of(cls, label_end: pd.Series) -> _Labels:
        times = label_end.index.get_level_values(0)
        if label_end.isna().any():
            raise DataError(
                f"{int(label_end.isna().sum())} of {len(label_end)} rows have a label whose end is not known. Leave "
                "out rows without a label."
            )
        early = label_end.to_numpy() < times.to_numpy()
        if early.any():
            at = int(np.flatnonzero(early)[0])
            raise DataError(f"The label of {times[at]:%Y-%m-%d} ends before it, on {label_end.iloc[at]:%Y-%m-%d}.")
        sessions = times.unique().sort_values()
        end = sessions.searchsorted(pd.DatetimeIndex(label_end), side="right") - 1
        return cls(np.asarray(sessions.get_indexer(times)), np.asarray(end, dtype=np.intp), len(sessions))

    def rows(self, test: tuple[int, int]) -> NDArray[np.intp]:
        """Return the rows of the sessions from the first to before the second."""
        return np.flatnonzero((self.row >= test[0]) & (self.row < test[1]))

    def trainable(self, tests: Sequence[tuple[int, int]], embargo: int) -> NDArray[np.intp]:
        """Return the rows that meet none of the tests, nor the embargo behind them."""
        keep = np.ones(len(self.row), dtype=bool)
        for begin, end in tests:
            reach = int(self.end[self.rows((begin, end))].max())
            keep &= (self.end < begin) | (self.row > reach + embargo)
        if not keep.any():
            raise DataError(
                f"Nothing is left to train on: the labels and an embargo of {embargo} reach over all other folds. "
                "Take fewer or longer folds."
            )
        return np.flatnonzero(keep)
