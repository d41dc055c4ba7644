"""Shared arrays: made once, by one, and bounded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from quantlib.strategies.memo import Memo


def test_a_value_is_made_once() -> None:
    memo, made = Memo(), []
    for _ in range(3):
        assert memo.get("a", lambda: made.append(1) or 7) == 7
    assert made == [1]


def test_others_wait_for_who_makes_it() -> None:
    memo, made, begun = Memo(), [], threading.Event()
    release = threading.Event()

    def slow() -> int:
        begun.set()
        release.wait(30)
        made.append(1)
        return 7

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(memo.get, "a", slow)
        assert begun.wait(30)
        rest = [pool.submit(memo.get, "a", slow) for _ in range(2)]
        release.set()
        assert {one.result(30) for one in [first, *rest]} == {7}
    assert made == [1]


def test_a_failure_is_not_kept() -> None:
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 // 0)
    assert memo.get("a", lambda: 7) == 7


def test_what_was_used_longest_ago_goes_first() -> None:
    memo, made = Memo(limit=3 * 800), []

    def ask(name: str) -> None:
        memo.get(name, lambda: made.append(name) or (np.zeros(50), np.zeros(50)))

    for name in ("a", "b", "c", "a", "d", "a", "c"):
        ask(name)
    assert made == ["a", "b", "c", "d"]
    ask("b")
    assert made[-1] == "b"


def test_what_is_larger_than_the_bound_is_still_returned() -> None:
    memo = Memo(limit=10)
    assert memo.get("a", lambda: np.ones(100)).sum() == 100
