from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV
from sklearn.model_selection import KFold, TimeSeriesSplit

from quantlib.errors import DataError
from quantlib.validation.splits import combinatorial_purged, purged_kfold, walk_forward

counts = st.integers(1, 40)
gaps = st.integers(0, 10)


@pytest.mark.parametrize(("purge", "embargo"), [(0, 0), (3, 0), (2, 4)])
@pytest.mark.parametrize("anchored", [True, False])
def test_same_splits_as_scikit_learn(anchored: bool, purge: int, embargo: int) -> None:
    gap = purge + embargo
    theirs = TimeSeriesSplit(n_splits=6, test_size=20, gap=gap, max_train_size=None if anchored else 40 - gap).split(
        np.zeros(160)
    )
    ours = list(walk_forward(160, train=40, test=20, anchored=anchored, purge=purge, embargo=embargo))
    for split, (train, test) in zip(ours, theirs, strict=True):
        assert np.array_equal(split.train, train)
        assert np.array_equal(split.test, test)


@given(
    n_rows=st.integers(12, 200),
    train=st.integers(11, 60),
    test=counts,
    step=st.none() | counts,
    anchored=st.booleans(),
    purge=st.integers(0, 5),
    embargo=st.integers(0, 5),
)
def test_no_label_of_training_reaches_the_test(
    n_rows: int, train: int, test: int, step: int | None, anchored: bool, purge: int, embargo: int
) -> None:
    if n_rows <= train:
        return
    splits = list(
        walk_forward(n_rows, train=train, test=test, step=step, anchored=anchored, purge=purge, embargo=embargo)
    )
    assert splits
    for split in splits:
        assert len(split.train) > 0
        assert len(split.test) > 0
        # A label of row r is made of rows r to r + purge; with the embargo, none is within reach of the test.
        labels = split.train[:, None] + np.arange(purge + 1)
        assert labels.max() + embargo < split.test[0]
        # ... and nothing more than that is thrown away.
        assert labels.max() + embargo == split.test[0] - 1
        assert split.test[-1] < n_rows
        assert split.train[0] == (0 if anchored else split.test[0] - train)
    if step is None:
        assert np.array_equal(np.concatenate([s.test for s in splits]), np.arange(train, n_rows))
    assert sum(s.test[-1] == n_rows - 1 for s in splits) <= 1


def test_a_short_last_test_is_kept_and_overlapping_ones_end_once() -> None:
    assert [s.test.tolist() for s in walk_forward(9, train=4, test=3)] == [[4, 5, 6], [7, 8]]
    assert [s.test.tolist() for s in walk_forward(8, train=4, test=3, step=1)] == [[4, 5, 6], [5, 6, 7]]
    assert [s.test.tolist() for s in walk_forward(11, train=4, test=1, step=3)] == [[4], [7], [10]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"train": 0}, "train is 0; accepted: a whole number of 1 or more"),
        ({"test": 0}, "test is 0"),
        ({"step": 0}, "step is 0"),
        ({"purge": -1}, "purge is -1"),
        ({"embargo": -1}, "embargo is -1"),
        ({"purge": 30, "embargo": 20}, "purge 30 and embargo 20 leave out 50"),
        ({"train": 100}, "100 rows end before the first test begins"),
    ],
)
def test_impossible_splits_are_refused_at_the_call(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(DataError, match=words):
        walk_forward(100, **({"train": 50, "test": 10} | arguments))


def ahead(n: int, sessions: int) -> pd.Series:
    """Return the label ends of rows whose labels look some sessions ahead, the last ones to the last session."""
    days = pd.bdate_range("2020-01-01", periods=n)
    return pd.Series(days[np.minimum(np.arange(n) + sessions, n - 1)], index=days)


@pytest.mark.parametrize("n", [30, 47])
def test_without_labels_the_folds_are_those_of_scikit_learn(n: int) -> None:
    for split, (train, test) in zip(purged_kfold(ahead(n, 0), 5), KFold(5).split(np.zeros(n)), strict=True):
        assert np.array_equal(split.train, train)
        assert np.array_equal(split.test, test)


@pytest.mark.parametrize(("purge", "embargo"), [(0, 0), (0, 3), (4, 0), (3, 2)])
@pytest.mark.parametrize("test_folds", [2, 3])
def test_combinations_are_those_of_skfolio(purge: int, embargo: int, test_folds: int) -> None:
    """Labels that look a fixed number of sessions ahead are what a purge by rows is made for."""
    theirs = CombinatorialPurgedCV(6, test_folds, purged_size=purge, embargo_size=embargo)
    ours = list(combinatorial_purged(ahead(100, purge), 6, test_folds, embargo=embargo))
    for split, (train, tests), paths in zip(ours, theirs.split(np.zeros((100, 1))), theirs.get_path_ids(), strict=True):
        assert np.array_equal(split.train, train)
        assert all(np.array_equal(mine, other) for mine, other in zip(split.tests, tests, strict=True))
        assert split.paths == tuple(paths)
    # Every path is the whole history, once.
    for path in range(theirs.n_test_paths):
        rows = [rows for split in ours for rows, own in zip(split.tests, split.paths, strict=True) if own == path]
        assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(100))


def test_a_target_that_overlaps_train_and_test_is_caught() -> None:
    """By hand: ten sessions, the test is the fifth and sixth; labels of different lengths reach in and out of it."""
    days = pd.bdate_range("2024-01-01", periods=10)
    ends = [0, 3, 4, 7, 5, 7, 7, 8, 9, 9]  # row 2 ends in the test, row 3 spans it, row 5's label ends at row 7
    split = list(purged_kfold(pd.Series(days[ends], index=days), 5))[2]
    assert split.test.tolist() == [4, 5]
    assert split.train.tolist() == [0, 1, 8, 9]
    plain = [train.tolist() for train, _ in KFold(5).split(days)][2]
    assert plain == [0, 1, 2, 3, 6, 7, 8, 9], "what training without a look at the labels would have used"
    assert list(purged_kfold(pd.Series(days[ends], index=days), 5, embargo=1))[2].train.tolist() == [0, 1, 9]


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 5), embargo=st.integers(0, 4))
def test_no_training_label_meets_the_time_of_a_test_and_nothing_more_is_lost(seed: int, k: int, embargo: int) -> None:
    """Against every pair of rows, with several symbols a session and labels of any length, in any order."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2020-01-01", periods=40)
    row = rng.permutation(np.repeat(np.arange(40), 2))
    end = np.minimum(row + rng.geometric(0.4, 80) - 1, 39)
    index = pd.MultiIndex.from_arrays([days[row], [f"S{i}" for i in range(80)]], names=["ts", "symbol"])
    splits = list(purged_kfold(pd.Series(days[end], index=index), k, embargo=embargo))
    assert np.array_equal(np.sort(np.concatenate([split.test for split in splits])), np.arange(80))
    for split in splits:
        first, last = row[split.test].min(), end[split.test].max()
        free = [i for i in range(80) if end[i] < first or row[i] > last + embargo]
        assert split.train.tolist() == free
        for i, j in itertools.product(split.train, split.test):
            assert end[i] < row[j] or row[i] > end[j]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ends: purged_kfold(ends, 1), "1 folds; accepted: a whole number of 2 or more"),
        (lambda ends: purged_kfold(ends, 5, embargo=-1), "embargo is -1"),
        (lambda ends: purged_kfold(ends, 40), "60 sessions are too few for 40 folds"),
        (lambda ends: purged_kfold(ends.where(ends.index < ends.index[50]), 5), "10 of 60 rows have a label whose end"),
        (lambda ends: purged_kfold(ends - pd.Timedelta(days=9), 5), "The label of 2020-01-01 ends before it"),
        (lambda ends: combinatorial_purged(ends, 6, 1), "accepted: 2 to 5. For one fold at a time use purged_kfold"),
        (lambda ends: combinatorial_purged(ends, 2, 2), "2 folds; accepted: a whole number of 3 or more"),
        (lambda ends: list(purged_kfold(ends, 2, embargo=40)), "Nothing is left to train on"),
    ],
)
def test_impossible_folds_are_refused(call: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        call(ahead(60, 3))  # type: ignore[operator]
