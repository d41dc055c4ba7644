"""Fixtures of the workflows' tests: a session on a small real sample, with its own MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from database import Database

from quantlib.settings import Settings
from quantlib.sources.base import Call
from quantlib.store import Store
from quantlib.universe import Universe
from quantlib.workflows.ingest import ingest
from quantlib.workflows.session import Session

SYMBOLS = ("KO", "MSFT", "PEP")


@pytest.fixture(scope="module")
def lab(database: Database, _migrated: tuple[Store, str], tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Return a session with seven years of three stocks; a module's tests share it, and what they run stays."""
    home = tmp_path_factory.mktemp("lab")
    store, empty = _migrated
    with store.begin() as connection:
        connection.exec_driver_sql(empty)
    ingest(store, "sample", list(SYMBOLS), start="2016-01-01", call=Call(home))
    return Session(local(home), store)


@pytest.fixture
def universe() -> Universe:
    """Return a universe of two stocks."""
    return Universe(instruments=[{"symbol": s} for s in ("AAA", "BBB")], lists={})


@pytest.fixture
def here(store: Store, universe: Universe, tmp_path: Path) -> Session:
    """Return a session on the clean test database with that universe."""
    session = Session(local(tmp_path), store)
    session.__dict__["universe"] = universe
    return session


def local(home: Path) -> Settings:
    """Return settings that keep everything in a folder, whatever the developer's own environment says."""
    return Settings(home=home, mlflow_tracking_uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}", _env_file=None)
