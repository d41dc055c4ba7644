"""The hold-out: the last years of the prices, on which nothing is chosen; looking at them is counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from quantlib.errors import DataError
from quantlib.models.trials import Origin
from quantlib.store import coverage
from quantlib.store.trials import read_openings
from quantlib.types import DateLike, as_date
from quantlib.workflows.research import choose_source
from quantlib.workflows.session import Session

#: Full years before the last stored session that are held out, and what there is of its own year.
YEARS = 2

_PLACES: dict[Origin, str] = {
    "app": "the app",
    "notebook": "a notebook",
    "cli": "the command line",
    "worker": "a job",
    "ray": "Ray",
}


@dataclass(frozen=True)
class HoldoutBudget:
    """How often people have looked at the hold-out of an idea.

    Parameters
    ----------
    idea, start
        Of what, and its first day.
    openings
        Backtests, trainings, sweeps and searches that reached it; a sweep is one, however many sets it has.
    trials
        Trials in them.
    unknown
        Trials that reached it, of which nobody knows who asked for them: those made before there was a ledger.
    last_at, who, origin
        Of the last opening; None where there was none.
    """

    idea: str
    start: date
    openings: int
    trials: int
    unknown: int
    last_at: datetime | None
    who: str
    origin: Origin | None

    @property
    def sentence(self) -> str:
        """How often it was opened, when last and by whom, in words."""
        before = (
            f" Of {self.unknown:,} earlier trials that reached it nobody knows who made them." if self.unknown else ""
        )
        if self.last_at is None or self.origin is None:
            return f"The hold-out of {self.idea} from {self.start} on was never opened.{before}"
        times = {1: "once", 2: "twice"}.get(self.openings, f"{self.openings:,} times")
        within = f" with {self.trials:,} trials" if self.trials > self.openings else ""
        return (
            f"The hold-out of {self.idea} from {self.start} on was opened {times}{within}, last on "
            f"{self.last_at:%Y-%m-%d} by {self.who or 'somebody'} from {_PLACES[self.origin]}.{before}"
        )


def holdout_start(session: Session) -> date:
    """Return the first day of the hold-out: the setting, or 1 January two full years before the last stored session.

    Raises
    ------
    DataError
        Nothing is stored yet.
    ConfigError
        Nothing is stored of the source that the settings name.
    """
    if session.settings.holdout is not None:
        return session.settings.holdout
    source = choose_source(session)
    bars = coverage(session.store)
    return date(bars.loc[bars["source"] == source, "last"].max().year - YEARS, 1, 1)


def end_before_holdout(session: Session, start: DateLike | None, end: DateLike | None = None) -> DateLike:
    """Return the last day that may be used to choose by: the day before the hold-out, or `end` if that is earlier.

    Raises
    ------
    DataError
        The span lies in the hold-out altogether.
    """
    first = holdout_start(session)
    if start is not None and as_date(start, "start").date() >= first:
        raise DataError(
            f"The span begins on {as_date(start):%Y-%m-%d}, in the hold-out, which begins on {first}. Begin earlier, "
            "or open the hold-out: open_holdout=True, on the command line --open-holdout. Openings are counted."
        )
    if end is not None and as_date(end, "end").date() < first:
        return end
    return first - timedelta(days=1)


def holdout_budget(session: Session, idea: str) -> HoldoutBudget:
    """Return how often people have looked at the hold-out of an idea.

    Every distinct trial of theirs that reaches it is on record, the pipeline's are not theirs.
    """
    start = holdout_start(session)
    found = read_openings(session.store, idea, start)
    return HoldoutBudget(
        idea, start, found.openings, found.trials, found.unknown, found.last_at, found.who, found.origin
    )
