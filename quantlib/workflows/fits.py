"""The sets of parameters that a search tries, written down as they are tried: each is a trial, its folds are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from quantlib.errors import QuantError
from quantlib.models.trials import Trial
from quantlib.store.trials import Ending, begin_trials, end_trials, trial_id
from quantlib.workflows.session import Session

#: Takes the number of a set, its parameters, and whether it is done; told of every fit of the set.
Count = Callable[[int, Mapping[str, Any], bool], None]


@contextmanager
def fits_recorded(session: Session, model: Trial, asked: Mapping[str, Any]) -> Iterator[Count]:
    """Give what counts the sets of a model's search: each begun before its first fit, and completed after its last.

    Parameters
    ----------
    model
        The trial that the sets belong to.
    asked
        What makes a set this one besides its parameters: tried again in a longer search it is the same trial.
    """
    open_sets: dict[int, str] = {}

    def count(number: int, params: Mapping[str, Any], done: bool) -> None:
        if number not in open_sets:
            content = {"idea": model.idea, "snapshot": model.snapshot_id, "asked": asked, "set": params}
            update = {"id": trial_id(content), "kind": "fit", "parent": model.id, "params": dict(params)}
            begin_trials(session.store, [model.model_copy(update=update)])
            open_sets[number] = str(update["id"])
        if done:
            end_trials(session.store, [Ending(open_sets[number])])

    try:
        yield count
    except BaseException as error:
        with suppress(QuantError):  # the database may be what went away; those that are done stay done
            end_trials(
                session.store, [Ending(one, "failed", str(error) or type(error).__name__) for one in open_sets.values()]
            )
        raise
