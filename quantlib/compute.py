"""Where work runs: in threads, in processes of this machine, or on a Ray cluster; never what the work is."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import islice, takewhile
from threading import Event
from typing import Any, Literal, TypeVar, get_args

import joblib

from quantlib.errors import ConfigError, nearest

Engine = Literal["threads", "processes", "ray"]
Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

ENGINES: tuple[Engine, ...] = get_args(Engine)
WAVE = 4
"""Items begun for each worker ahead of the one that is asked for: enough to keep all busy, few enough to hold."""

_BACKENDS = {"threads": "threading", "processes": "loky"}


def map_work(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    engine: Engine = "threads",
    workers: int | None = None,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Result]:
    """Yield `function(item)` of every item, in the order of the items, whoever computed it.

    Each is yielded as soon as it and those before it are done. At most `WAVE` x workers items and results are held at
    a time. With "processes" and "ray" the function and the
    items travel: they must be picklable, and on Ray every node needs this package.

    Parameters
    ----------
    function
        The work. It should be pure: on Ray a part may be done twice where a node dies.
    items
        What it is done on.
    engine
        "threads" suits compiled work that releases the interpreter lock and copies nothing; "processes" any other;
        "ray" spreads over the cluster at RAY_ADDRESS, the one that runs here, or one started for this process.
    workers
        How many at once; None for one a core (of the cluster on Ray).
    on_progress
        Called with (items done, all items) after each.
    cancelled
        Asked after each; once it says yes nothing more begins, and what had begun is still yielded.

    Raises
    ------
    ConfigError
        The engine is unknown or not installed, or `workers` is below 1.
    Exception
        What the function raised, as it was, with a note that names the item.
    """
    if engine not in ENGINES:
        raise ConfigError(f"There is no engine {engine!r}. {nearest(engine, ENGINES)}")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; accepted: 1 or more, or None for one a core.")
    if engine == "ray":
        return _stream_on_ray(_on_ray(function), items, workers, on_progress, cancelled)
    return _stream(function, items, _BACKENDS[engine], workers, on_progress, cancelled)


def _stream(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    backend: str,
    workers: int | None,
    on_progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> Iterator[Result]:
    total = len(items)
    work = joblib.delayed(partial(_one, function, total))
    # Over before the first result: what a caller runs between two results is none of this configuration's business.
    with joblib.parallel_config(backend, n_jobs=workers or -1):
        size = WAVE * joblib.effective_n_jobs(workers or -1)
        pool = joblib.Parallel(batch_size=1, return_as="generator")
    stop = Event()

    def ask() -> None:
        if cancelled is not None and cancelled():
            stop.set()

    ask()
    wave: Iterable[Result] = ()
    with pool:
        try:
            for begin in range(0, total, size):
                if stop.is_set():
                    return
                places = range(begin, min(begin + size, total))
                wave = pool(work(k, items[k]) for k in takewhile(lambda _: not stop.is_set(), places))
                for k, result in enumerate(wave, start=begin + 1):
                    if on_progress is not None:
                        on_progress(k, total)
                    yield result
                    ask()
        finally:
            # Who leaves early waits for what has begun, and hears no more of it.
            stop.set()
            with suppress(Exception):
                deque(wave, maxlen=0)


def _one(function: Callable[[Item], Result], total: int, place: int, item: Item) -> Result:
    try:
        return function(item)
    except Exception as error:
        said = repr(item)
        error.add_note(f"Item {place + 1} of {total}: {said if len(said) <= 200 else said[:200] + '...'}")
        raise


def _stream_on_ray(
    sent: Any,
    items: Sequence[Item],
    workers: int | None,
    on_progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> Iterator[Any]:
    """Yield the results of a function in Ray's store, whose tasks each hold a core of whichever node has one free.

    Tasks rather than the pool of joblib's backend: its workers hold no core, so that several may share one node while
    another idles, and a pool is started anew for every call.
    """
    import ray  # noqa: PLC0415  # an optional extra, and slow to import

    total = len(items)
    # What a node that is lost was doing is done again on another.
    task = ray.remote(num_cpus=1, max_retries=-1)(_one)
    size = WAVE * (workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
    most = workers or total
    begun: deque[Any] = deque()
    places = iter(range(total))
    stop = False
    try:
        for done in range(total + 1):
            stop = stop or (cancelled is not None and cancelled())
            if not stop:
                room = min(size, most) - len(begun)
                begun.extend(task.remote(sent, total, k, items[k]) for k in islice(places, room))
            if not begun:
                return
            try:
                result = ray.get(begun[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None  # as it was raised, without Ray's own account of it
            begun.popleft()
            if on_progress is not None:
                on_progress(done + 1, total)
            yield result
    finally:
        for one in begun:
            ray.cancel(one)


def _on_ray(function: Callable[[Item], Result]) -> Any:
    """Return the function as Ray's workers fetch it, put there once, after joining or starting a cluster."""
    if find_spec("ray") is None:
        raise ConfigError(
            "The engine 'ray' needs Ray, which is not installed. Install the extra: "
            "pip install 'quant-workbench[distributed]', or choose engine='processes'."
        )
    import ray  # noqa: PLC0415  # an optional extra, and slow to import

    if not ray.is_initialized():
        # Without its dashboard a cluster of our own opens no web page and reports no usage to anyone.
        ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    return ray.put(function)
