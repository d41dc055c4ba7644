"""Everything from everybody: one ingest per vendor that can be asked, one vendor's trouble never another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quantlib.errors import QuantError
from quantlib.sources import SOURCES
from quantlib.store.database import LostError
from quantlib.workflows.ingest import ingest
from quantlib.workflows.ingest_result import IngestResult
from quantlib.workflows.session import Session

Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Refresh:
    """What became of every vendor.

    Attributes
    ----------
    results
        By source, of those that were asked.
    left_out
        By source, why it was not asked.
    """

    results: dict[str, IngestResult]
    left_out: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every vendor asked delivered everything."""
        return all(result.ok for result in self.results.values())


def refresh(session: Session, *, on_progress: Progress | None = None) -> Refresh:
    """Return what became of asking every live source for all it has about the universe.

    The sources go in the order of their priority. Those without their key are left out, and said so.

    Parameters
    ----------
    session
        Where to, and with which keys.
    on_progress
        Called with the source, questions done, questions in all, and the one being asked.
    """
    results: dict[str, IngestResult] = {}
    left_out: dict[str, str] = {}
    for source in sorted(SOURCES.values(), key=lambda one: (one.priority, one.name)):
        if source.sample or source.local:
            continue

        def tell(done: int, total: int, label: str, name: str = source.name) -> None:
            if on_progress is not None:
                on_progress(name, done, total, label)

        try:
            results[source.name] = ingest(
                session.store, source.name, kinds=source.kinds, universe=session.universe, on_progress=tell
            )
        except LostError:
            raise
        except QuantError as error:  # a Vault that is sealed, a quota that cannot be counted
            left_out[source.name] = str(error)
    return Refresh(results, left_out)
