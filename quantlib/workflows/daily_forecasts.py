"""The forecasts of the day: every champion model is asked about the sessions that came since it was asked last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quantlib.workflows.foretelling import foretell, inputs_of, predictions
from quantlib.workflows.model_inputs import ModelInputs
from quantlib.workflows.registry import Version, champions, version_of
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session


@dataclass(frozen=True)
class DailyForecasts:
    """What asking the champions did.

    Parameters
    ----------
    asked
        The versions that were asked, and whose forecasts are stored; those that had nothing new to say are not among
        them.
    problems
        Sentences on those that could not be asked.
    """

    asked: tuple[Version, ...]
    problems: tuple[str, ...]


def foretell_champions(
    session: Session, *, on_progress: Callable[[int, int, str], None] | None = None
) -> DailyForecasts:
    """Return which champion models were asked about the sessions up to the last stored one; what they say is stored.

    A champion is asked where a session is newer than what is stored of that version, or nothing is. What the strategy
    whose trades it judges reads of other models is asked before it. One that cannot be asked is said, and stops no
    other.

    Parameters
    ----------
    on_progress
        Called with champions done, champions in all, and the one being asked.
    """
    crowned = [one for one in champions(session).values() if one.kind == "model"]
    tell = on_progress or (lambda done, total, name: None)
    fresh: set[tuple[str, int]] = set()
    asked: list[Version] = []
    problems: list[str] = []

    def ask(name: str, number: int) -> None:
        if (name, number) in fresh:
            return
        version = version_of(session, name, number)
        inputs = inputs_of(session, version)
        for read, its_number in inputs.judged.versions.items() if inputs.judged else ():
            ask(read, its_number)
        if _has_news(session, version, inputs):
            foretell(session, version)
            asked.append(version)
        fresh.add((name, number))

    for done, one in enumerate(crowned):
        tell(done, len(crowned), one.name)
        try:
            ask(one.name, one.version)
        except Exception as error:  # noqa: BLE001  a model kept by other libraries may raise anything
            problems.append(f"Model {one.name}, version {one.version}, was not asked: {str(error) or repr(error)}")
    if crowned:
        tell(len(crowned), len(crowned), "")
    return DailyForecasts(tuple(asked), tuple(problems))


def _has_news(session: Session, version: Version, inputs: ModelInputs) -> bool:
    """Return whether there is a session that a version could speak of and is not on record for."""
    said = predictions(session, version.name, version=version)
    if said.empty:
        return True
    panel = shared_panel(session, inputs.symbols)
    later = panel.index > said.index[-1]
    if inputs.judged is None or not later.any():
        return bool(later.any())
    return bool((inputs.judged.weights(session, panel)[later] != 0).any())
