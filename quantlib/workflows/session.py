"""A session: the settings in force and an open store, the first argument of every workflow."""

from __future__ import annotations

import copy
import getpass
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property

from quantlib.models.trials import Origin
from quantlib.settings import Settings, get_settings
from quantlib.store import Store, watermark
from quantlib.universe import Universe, load_universe
from quantlib.workflows.tracking import Tracker


def where_from() -> Origin:
    """Return where a session is opened that nobody said more of: on a Ray worker, or in a notebook or script."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE:
        return "ray"
    return "notebook"


def user() -> str:
    """Return the name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return f"user {os.getuid()}"


@dataclass(frozen=True)
class Session:
    """What a workflow needs from the world outside.

    Parameters
    ----------
    settings
        The settings in force.
    store
        An open, migrated store.
    origin, who
        Where its work is asked for, and by whom: written beside every trial.
    idea
        What its trials are of; None for the family of each strategy. Trials of one idea are deflated together.
    """

    settings: Settings
    store: Store
    origin: Origin = field(default_factory=where_from)
    idea: str | None = None
    who: str = field(default_factory=user)

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

    def asked(self, *, origin: Origin | None = None, idea: str | None = None) -> Session:
        """Return this session with its work asked for from elsewhere, or of another idea; it shares all the rest."""
        other = copy.copy(self)  # not `replace`, which would forget what was looked up already
        object.__setattr__(other, "origin", origin or self.origin)
        object.__setattr__(other, "idea", idea or self.idea)
        return other

    def close(self) -> None:
        """Close the store; an embedded server stops when its last user has gone."""
        self.store.close()


def open_session(settings: Settings | None = None, *, origin: Origin | None = None, idea: str | None = None) -> Session:
    """Return a session on the database of the settings, starting and migrating it where needed.

    Parameters
    ----------
    settings
        By default those in force.
    origin
        Where its work is asked for; by default a notebook, or the Ray worker this runs on.
    idea
        What its trials are of, such as "oil pairs"; by default the family of each strategy.

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
    return Session(settings, Store.connect(url, settings.home), origin or where_from(), idea)
