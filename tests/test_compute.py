from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from quantlib.compute import run_all
from quantlib.errors import ConfigError, DataError


@pytest.fixture
def slow_first() -> Callable[[int], tuple[int, int]]:
    # Defined inside, so that it travels to the other process by value: a test module cannot be imported there.
    def square(x: int) -> tuple[int, int]:
        time.sleep(0.3 if x == 0 else 0.0)
        return x * x, os.getpid()

    return square


@pytest.fixture
def refuse_three() -> Callable[[int], int]:
    def same(x: int) -> int:
        if x == 3:
            raise DataError("three is not accepted")
        return x

    return same


@pytest.mark.parametrize("workers", [1, 2])
def test_order_is_kept_and_progress_counts_up(slow_first: Callable[[int], tuple[int, int]], workers: int) -> None:
    seen: list[tuple[int, int]] = []
    out = run_all(slow_first, iter(range(6)), workers=workers, on_progress=lambda *at: seen.append(at))
    assert [square for square, _ in out] == [0, 1, 4, 9, 16, 25]
    assert seen == [(i, 6) for i in range(1, 7)]
    assert (os.getpid() in {pid for _, pid in out}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_keeps_its_class_and_names_its_item(refuse_three: Callable[[int], int], workers: int) -> None:
    with pytest.raises(DataError, match="three is not accepted") as caught:
        run_all(refuse_three, [1, 2, 3, 4], workers=workers)
    assert caught.value.__notes__ == ["while working on item 3 of 4: 3"]


def test_in_process_stops_at_the_failure(refuse_three: Callable[[int], int]) -> None:
    done: list[int] = []

    def work(x: int) -> None:
        done.append(x)
        refuse_three(x)

    with pytest.raises(DataError):
        run_all(work, [1, 2, 3, 4])
    assert done == [1, 2, 3]


def test_a_failure_ends_the_rest_and_leaves_the_next_call_alone() -> None:
    def slow_but_for_the_first(x: int) -> int:
        if x == 0:
            raise DataError("zero is not accepted")
        time.sleep(1.0)
        return x

    started = time.perf_counter()
    with pytest.raises(DataError, match="zero"):
        run_all(slow_but_for_the_first, range(40), workers=2)
    assert time.perf_counter() - started < 15  # all of it would take 20 seconds
    assert run_all(lambda x: -x, [1, 2], workers=2) == [-1, -2]


def test_a_closure_may_travel_to_another_process() -> None:
    offset = 10
    assert run_all(lambda x: x + offset, [1, 2, 3], workers=2) == [11, 12, 13]


def test_nothing_to_do_is_nothing_done(refuse_three: Callable[[int], int]) -> None:
    assert run_all(refuse_three, [], workers=2) == []
    assert run_all(refuse_three, [7], workers=2) == [7]


def test_workers_below_one_are_refused(refuse_three: Callable[[int], int]) -> None:
    with pytest.raises(ConfigError, match="workers is 0; accepted: 1"):
        run_all(refuse_three, [1], workers=0)
