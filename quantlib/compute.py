"""Where work runs: in this process, or in several joblib processes; what the work is stays with the caller."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from joblib import Parallel, delayed

from quantlib.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Failure:
    error: Exception


def run_all(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Return `function(item)` for every item, in the order of the items.

    Parameters
    ----------
    function
        Called once an item. In other processes it sees copies: what it changes there stays there.
    items
        The work, all of it known before the first call.
    workers
        Processes to use; 1 works in this one. Starting them takes about a second, so they pay for long items.
    on_progress
        Called in this process with (done, total) each time a result arrives, in whatever order they do.

    Raises
    ------
    ConfigError
        `workers` is below 1.
    Exception
        The first failure to arrive, of its own class, with a note that names the item; what has not started
        by then is not run.

    Examples
    --------
    >>> run_all(str.upper, ["a", "b"])
    ['A', 'B']
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}; accepted: 1 (this process) or more.")
    work = list(items)
    results: dict[int, Result] = {}
    if min(workers, len(work)) <= 1:
        outcomes = (_attempt(function, place, item) for place, item in enumerate(work))
    else:
        outcomes = Parallel(n_jobs=workers, return_as="generator_unordered")(
            delayed(_attempt)(function, place, item) for place, item in enumerate(work)
        )
    try:
        for place, outcome in outcomes:
            if isinstance(outcome, _Failure):
                outcome.error.add_note(f"while working on item {place + 1} of {len(work)}: {work[place]!r:.200}")
                raise outcome.error
            results[place] = outcome
            if on_progress is not None:
                on_progress(len(results), len(work))
    finally:
        with warnings.catch_warnings():
            # After a failure joblib tells of the work it cancels; that is what was wanted.
            warnings.filterwarnings("ignore", message=".*tasks (which were|have been)", category=UserWarning)
            outcomes.close()
    return [results[place] for place in range(len(work))]


def _attempt(function: Callable[[Item], Result], place: int, item: Item) -> tuple[int, Result | _Failure]:
    """Return the item's place with its result or failure: a process's failure must find its item again."""
    try:
        return place, function(item)
    except Exception as error:  # noqa: BLE001  raised again, with its item, where the results are gathered
        return place, _Failure(error)
