"""Where work runs: the same answers in the same order whoever computes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest

from quantlib import compute
from quantlib.compute import ENGINES, WAVE, map_work
from quantlib.errors import ConfigError, DataError, QuantError


def made_here() -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Return functions that travel as a whole: a worker process cannot import a test module."""

    def slow_square(x: int) -> int:
        time.sleep(0.02 if x % 2 else 0.0)  # so that later items overtake earlier ones
        return x * x

    def refuse_seven(x: int) -> int:
        if x == 7:
            raise DataError("seven is not known")
        return x

    return slow_square, refuse_seven


slow_square, refuse_seven = made_here()


@pytest.mark.parametrize("engine", ["threads", "processes"])
@pytest.mark.parametrize("workers", [1, 2, None])
def test_every_result_comes_once_and_in_order(engine: compute.Engine, workers: int | None) -> None:
    assert list(map_work(slow_square, range(21), engine=engine, workers=workers)) == [x * x for x in range(21)]


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(map_work(slow_square, [])) == []


def test_two_threads_work_at_a_time() -> None:
    both = threading.Barrier(2, timeout=30)
    assert len(list(map_work(lambda _: both.wait(), [0, 1], workers=2))) == 2


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_an_error_keeps_its_kind_and_names_the_item(engine: compute.Engine) -> None:
    with pytest.raises(DataError, match="seven is not known") as caught:
        list(map_work(refuse_seven, [5, 6, 7, 8], engine=engine, workers=2))
    assert "Item 3 of 4: 7" in caught.value.__notes__


def test_a_huge_item_is_named_by_its_beginning() -> None:
    with pytest.raises(TypeError) as caught:
        list(map_work(abs, ["x" * 10_000], workers=1))  # type: ignore[arg-type]
    assert caught.value.__notes__[0].startswith("Item 1 of 1: 'xxx")
    assert len(caught.value.__notes__[0]) < 300


def test_few_items_are_held_at_a_time() -> None:
    begun: list[int] = []
    results = map_work(lambda x: begun.append(x) or x, range(100), workers=2)
    assert begun == []
    next(results)
    assert 1 <= len(begun) <= WAVE * 2
    assert list(results) == list(range(1, 100))


def test_progress_counts_up_to_all() -> None:
    seen: list[tuple[int, int]] = []
    list(map_work(slow_square, range(10), workers=2, on_progress=lambda done, n: seen.append((done, n))))
    assert seen == [(k, 10) for k in range(1, 11)]


def test_cancelling_keeps_what_is_done_and_begins_nothing_more() -> None:
    begun: list[int] = []
    stop = threading.Event()

    def work(x: int) -> int:
        begun.append(x)
        if x == 5:
            stop.set()
        return x

    done = list(map_work(work, range(1000), workers=1, cancelled=stop.is_set))
    assert done == sorted(begun)
    assert 6 <= len(done) <= 5 + WAVE


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_a_result_comes_before_the_rest_of_its_wave(engine: compute.Engine, tmp_path: Path) -> None:
    go = str(tmp_path / "go")

    def wait_for_word(x: int) -> int:
        while x == WAVE and not Path(go).exists():
            time.sleep(0.01)
        return x

    seen: list[int] = []
    results = map_work(
        wait_for_word, range(2 * WAVE), engine=engine, workers=2, on_progress=lambda done, _: seen.append(done)
    )
    assert [next(results) for _ in range(WAVE)] == list(range(WAVE))  # would wait for ever for the whole wave
    assert seen == list(range(1, WAVE + 1))
    Path(go).touch()
    assert list(results) == list(range(WAVE, 2 * WAVE))


def test_cancelling_is_asked_within_a_wave_and_nothing_is_skipped() -> None:
    begun: list[int] = []
    answers = iter([False, False, True])
    done = list(map_work(lambda x: begun.append(x) or x, range(40), workers=2, cancelled=lambda: next(answers, False)))
    assert done == list(range(len(done))) == sorted(begun)
    assert 2 <= len(done) < 2 * WAVE + 2


def test_two_at_once_leave_each_other_and_the_caller_alone() -> None:
    def active() -> tuple[type, int]:
        backend, n_jobs = joblib.parallel.get_active_backend()
        return type(backend), n_jobs

    outside = active()
    one = map_work(slow_square, range(20), engine="threads", workers=3)
    two = map_work(slow_square, range(20), engine="processes", workers=2)
    assert next(one) == 0
    assert active() == outside
    assert next(two) == 0
    assert active() == outside
    assert list(one) == list(two) == [x * x for x in range(1, 20)]
    assert active() == outside


def test_leaving_early_is_quiet() -> None:
    results = map_work(slow_square, range(100), workers=2)
    assert next(results) == 0
    results.close()


def test_an_unknown_engine_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no engine 'thread'.*Did you mean threads"):
        map_work(slow_square, [1], engine="thread")  # type: ignore[arg-type]
    assert ENGINES == ("threads", "processes", "ray")


def test_a_crowd_of_no_workers_is_refused() -> None:
    with pytest.raises(ConfigError, match="workers is 0"):
        map_work(slow_square, [1], workers=0)


def test_without_ray_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"quant-workbench\[distributed\]") as caught:
        map_work(slow_square, [1], engine="ray")
    assert isinstance(caught.value, QuantError)
