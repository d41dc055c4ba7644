"""Grading: how real the worlds of a simulator are, computed once for the same simulator, prices and code."""

from __future__ import annotations

from quantlib.compute import Progress
from quantlib.errors import DataError
from quantlib.simulators import Simulator
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import UNKNOWN, RealismGrade
from quantlib.store import RealismRecord, read_realism, save_realism
from quantlib.types import Panel
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.session import Session

#: Worlds that a card is made of.
CARD_WORLDS = 200


def grade_of(
    session: Session, simulator: Simulator, panel: Panel, *, on_progress: Progress | None = None
) -> RealismGrade:
    """Return how real a simulator's worlds are by the prices it learns from, remembered in the store.

    Worlds that cannot be judged, such as those of a short history, are graded "unknown", with the reason.

    Parameters
    ----------
    simulator
        As it makes the worlds, with its parameters.
    panel
        The prices it learns from.
    on_progress
        Called with (worlds done, `CARD_WORLDS`); where the grade is known already, once at the end.
    """
    params = simulator.model_dump(mode="json")
    card_of = {"seed": session.settings.seed, "worlds": CARD_WORLDS}
    key = {
        "simulator": simulator.name,
        "params": params,
        "snapshot": panel.snapshot_id,
        "code": code_version(),
        "card": card_of,
    }
    known = read_realism(session.store, grade_id := content_id("realism", key))
    if known is not None:
        grade = RealismGrade(known.grade, known.why, known.judged)
    else:
        try:
            card = realism(simulator, panel, n=CARD_WORLDS, seed=session.settings.seed, on_progress=on_progress)
            grade = card.short
        except DataError as error:
            grade = RealismGrade(UNKNOWN, str(error))
        save_realism(
            session.store,
            RealismRecord(
                id=grade_id,
                simulator=simulator.name,
                params=params,
                snapshot_id=panel.snapshot_id,
                code_version=code_version(),
                card=card_of,
                grade=grade.letter,
                why=grade.why,
                judged=grade.judged,
            ),
        )
    if on_progress is not None:
        on_progress(CARD_WORLDS, CARD_WORLDS)
    return grade
