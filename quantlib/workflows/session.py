"""A session: the settings in force and an open store, the first argument of every workflow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from quantlib.settings import Settings, get_settings
from quantlib.store import Store, watermark
from quantlib.universe import Universe, load_universe
from quantlib.workflows.tracking import Tracker


@dataclass(frozen=True)
class Session:
    """What a workflow needs from the world outside.

    Parameters
    ----------
    settings
        The settings in force.
    store
        An open, migrated store.
    """

    settings: Settings
    store: Store

    @cached_property
    def tracker(self) -> Tracker:
        """Where runs are logged; MLflow is loaded on first use."""
        return Tracker(self.settings.tracking_uri, self.settings.artifact_root)

    @cached_property
    def universe(self) -> Universe:
        """The universe of `data/universe.yaml`."""
        return load_universe(self.settings.data / "universe.yaml")

    @property
    def watermark(self) -> str:
        """A mark that changes whenever an ingest, a run or a report is stored."""
        return watermark(self.store)

    def close(self) -> None:
        """Close the store; an embedded server stops when its last user has gone."""
        self.store.close()


def open_session(settings: Settings | None = None) -> Session:
    """Return a session on the database of the settings, starting and migrating it where needed.

    Raises
    ------
    ConfigError
        A setting is wrong or the database cannot be reached.

    Examples
    --------
    >>> session = open_session()  # doctest: +SKIP
    """
    settings = settings or get_settings()
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return Session(settings=settings, store=Store.connect(url, settings.home))
