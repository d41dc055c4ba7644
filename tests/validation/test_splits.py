from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from quantlib.errors import DataError
from quantlib.validation.splits import walk_forward

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
