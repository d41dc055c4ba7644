"""Where work runs: in threads, in processes of this machine, or on a Ray cluster; never what the work is."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import takewhile
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

_BACKENDS = {"threads": "threading", "processes": "loky", "ray": "ray"}
# Of Ray's workers: one lost with its node is started on another, and what it was doing is done again.
_SURVIVE = {"max_restarts": -1, "max_task_retries": -1}
# A worker holds no core while it runs, so that one that was lost finds room; without this two may share a node.
_ON_RAY = {**_SURVIVE, "scheduling_strategy": "SPREAD"}


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

    Each is yielded as soon as it and those before it are done, on Ray in waves of `WAVE` x workers. At most that many
    items and results are held at a time. With "processes" and "ray" the function and the
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
        function = _on_ray(function)
    return _stream(function, items, engine, workers, on_progress, cancelled)


def _stream(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    engine: Engine,
    workers: int | None,
    on_progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> Iterator[Result]:
    total = len(items)
    options = {"ray_remote_args": _ON_RAY} if engine == "ray" else {}
    work = joblib.delayed(partial(_one, function, total))
    # Over before the first result: what a caller runs between two results is none of this configuration's business.
    with joblib.parallel_config(_BACKENDS[engine], n_jobs=workers or -1, **options):
        # Counted before the pool is up: a node lost in between costs workers, not the size of a wave.
        size = WAVE * joblib.effective_n_jobs(workers or -1)
        # Ray's backend knows no generators: there a wave comes as a whole.
        pool = joblib.Parallel(batch_size=1, return_as="list" if engine == "ray" else "generator")
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


class _Sent:
    """A function that was put into Ray's store once, and is fetched there instead of travelling with every item."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def __call__(self, item: Any) -> Any:
        import ray  # noqa: PLC0415  # an optional extra, and slow to import

        return ray.get(self.reference)(item)


def _on_ray(function: Callable[[Item], Result]) -> Callable[[Item], Result]:
    """Return the function as Ray's workers fetch it, after joining or starting a cluster."""
    if find_spec("ray") is None:
        raise ConfigError(
            "The engine 'ray' needs Ray, which is not installed. Install the extra: "
            "pip install 'quant-workbench[distributed]', or choose engine='processes'."
        )
    import ray  # noqa: PLC0415  # an optional extra, and slow to import
    from ray.util.joblib import register_ray  # noqa: PLC0415

    if not ray.is_initialized():
        # Without its dashboard a cluster of our own opens no web page and reports no usage to anyone.
        ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    register_ray()
    return _Sent(ray.put(function))
