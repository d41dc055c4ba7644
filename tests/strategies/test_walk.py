"""The walk of a trade and the choice of a ranking: hand-made states, and the kernels against their Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.strategies.walk import choose_nb, period_starts, walk_nb

U = np.nan


def walk(
    go: list[float],
    leave: list[float],
    *,
    go_short: list[float] | None = None,
    leave_short: list[float] | None = None,
    usable: list[int] | None = None,
    renew: list[int] | None = None,
    min_hold: int = 0,
) -> tuple[list[float], list[int]]:
    n = len(go)
    arrays = [go, go_short or [0.0] * n, leave, leave_short or [0.0] * n]
    flags = [np.array([1] * n if usable is None else usable, bool), np.array([0] * n if renew is None else renew, bool)]
    sides, rows = walk_nb(*(np.array(a, dtype=float) for a in arrays), *flags, min_hold)
    return sides.tolist(), rows.tolist()


def test_a_trade_begins_and_ends_and_keeps_the_ratio_of_its_first_row() -> None:
    assert walk([0, 1, 0, 0, 1], [0, 0, 0, 1, 0]) == ([0, 1, 1, 0, 1], [-1, 1, 1, -1, 4])


def test_the_unknown_changes_nothing() -> None:
    assert walk([U, 1, U, 0, U], [U, U, U, U, 1])[0] == [0, 1, 1, 1, 0]
    assert walk([1, 0], [1, 0], usable=[1, 1])[0] == [0, 0]


def test_an_entry_that_holds_together_with_its_exit_is_none() -> None:
    assert walk([1, 1, 1, 1], [1, 0, 1, 1])[0] == [0, 1, 0, 0]


def test_the_other_side_ends_a_trade_and_takes_over() -> None:
    sides, rows = walk([1, 0, 0, 1], [0, 0, 0, 0], go_short=[0, 0, 1, 0])
    assert (sides, rows) == ([1, 1, -1, 1], [0, 0, 2, 3])


def test_both_entries_at_once_are_no_entry_and_end_nothing() -> None:
    assert walk([1, 1, 0], [0, 0, 0], go_short=[1, 1, 0])[0] == [0, 0, 0]
    assert walk([1, 1, 1], [0, 0, 0], go_short=[0, 1, 0])[0] == [1, 1, 1]


def test_a_ratio_that_is_not_usable_starts_no_trade_and_ends_none() -> None:
    assert walk([1, 1, 1, 1], [0] * 4, usable=[0, 1, 0, 1])[0] == [0, 1, 1, 1]
    sides, _ = walk([1, 0, 0], [0] * 3, go_short=[0, 1, 0], usable=[1, 0, 1])
    assert sides == [1, 0, 0]


def test_a_ratio_is_renewed_where_it_is_due_and_usable() -> None:
    assert walk([1, 0, 0, 0, 0], [0] * 5, renew=[0, 1, 0, 1, 1], usable=[1, 1, 1, 0, 1])[1] == [0, 1, 1, 1, 4]
    assert walk([0, 0], [0, 0], renew=[1, 1])[1] == [-1, -1]


def test_nothing_ends_a_trade_before_its_time() -> None:
    sides, _ = walk([1, 0, 0, 0, 0], [0, 1, 1, 1, 1], min_hold=3)
    assert sides == [1, 1, 1, 0, 0]
    assert walk([1, 0, 0, 0], [0] * 4, go_short=[0, 1, 0, 1], min_hold=2)[0] == [1, 1, 1, -1]


truth = st.sampled_from([0.0, 1.0, np.nan])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(truth, truth, truth, truth, st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.integers(0, 5),
)
def test_the_walk_equals_its_python_and_keeps_its_promises(bars: list[tuple[object, ...]], min_hold: int) -> None:
    table = list(zip(*bars, strict=True))
    arguments = [np.array(c, dtype=float) for c in table[:4]] + [np.array(c, dtype=bool) for c in table[4:]]
    sides, rows = walk_nb(*arguments, min_hold)
    plain_sides, plain_rows = walk_nb.py_func(*arguments, min_hold)
    np.testing.assert_array_equal(sides, plain_sides)
    np.testing.assert_array_equal(rows, plain_rows)
    go_long, go_short, _, _, usable, _ = arguments
    began = 0
    for t in range(len(sides)):
        assert (rows[t] >= 0) == (sides[t] != 0)
        assert rows[t] <= t
        if rows[t] >= 0:
            assert usable[rows[t]]
        before = sides[t - 1] if t else 0.0
        if sides[t] not in {0.0, before}:
            assert (go_long if sides[t] > 0 else go_short)[t] == 1.0
        if sides[t] != before:
            assert before == 0.0 or t - began >= min_hold
            began = t


def choose(values: list[list[float]], starts: list[int], top: int = 1, bottom: int = 0) -> tuple[list[str], list[int]]:
    arguments = (np.array(values, dtype=float), np.array(starts, dtype=bool), top, bottom, 5)
    places, rows = choose_nb(*arguments)
    for jit, plain in zip((places, rows), choose_nb.py_func(*arguments), strict=True):
        np.testing.assert_array_equal(jit, plain)
    names = {1.0: "+", -1.0: "-", 0.0: "."}
    return ["".join(names[p] for p in row) for row in places], rows.tolist()


def test_a_choice_is_made_at_the_start_of_a_period_and_stands() -> None:
    assert choose([[1, 2, 3], [9, 2, 3], [9, 8, 3]], [1, 0, 1], 1, 1) == (["-.+", "-.+", "+.-"], [0, 0, 2])


def test_of_equal_legs_the_first_named_ranks_higher() -> None:
    assert choose([[5, 5, 5]], [1], 1, 1)[0] == ["+.-"]
    assert choose([[5, 5]], [1], 1, 1)[0] == ["+-"]
    assert choose([[1, 7, 7, 7]], [1], 2)[0] == [".++."]


def test_a_choice_waits_for_a_leg_that_was_known_of_late() -> None:
    places, rows = choose([[1, 2], [1, 2], [9, U], [9, 2]], [1, 0, 1, 0])
    assert (places, rows) == ([".+", ".+", ".+", "+."], [0, 0, 0, 3])


def test_a_choice_does_not_wait_for_a_leg_that_is_not_listed_yet_or_gone() -> None:
    assert choose([[3, 1, U], [3, 1, 9]], [1, 1]) == (["+..", "..+"], [0, 1])
    gone = [[1, 2, 3]] + [[1, 2, U]] * 8
    places, rows = choose(gone, [1, 1, 0, 0, 0, 0, 0, 0, 0])
    assert rows == [0, 0, 0, 0, 0, 0, 6, 6, 6]
    assert places[-1] == ".+."


def test_without_enough_known_legs_nothing_is_chosen() -> None:
    assert choose([[U, U], [3, U], [3, 4]], [1, 1, 1], 1, 1) == (["..", "..", "-+"], [-1, -1, 2])
    assert choose([[U, U], [3, 4], [3, 4]], [1, 0, 1])[1] == [-1, -1, 2]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("daily", ["12-30", "12-31", "01-02", "01-05", "02-02"]),
        ("weekly", ["12-30", "01-05", "02-02"]),
        ("monthly", ["12-30", "01-02", "02-02"]),
        ("quarterly", ["12-30", "01-02"]),
    ],
)
def test_periods_start_at_their_first_session(every: str, expected: list[str]) -> None:
    days = pd.DatetimeIndex(["2025-12-30", "2025-12-31", "2026-01-02", "2026-01-05", "2026-02-02"])
    starts = period_starts(days, every)
    assert [f"{day:%m-%d}" for day in days[starts]] == expected
    assert period_starts(days[:0], every).shape == (0,)
