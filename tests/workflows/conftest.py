"""Fixtures of the workflows' tests: a session on a small real sample, with its own MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from database import Database

from quantlib.settings import Settings
from quantlib.sources.base import Call
from quantlib.store import Store
from quantlib.universe import Universe
from quantlib.workflows.ingest import ingest
from quantlib.workflows.session import Session
from quantlib.workflows.tracking_place import EXPERIMENT

SYMBOLS = ("KO", "MSFT", "PEP")


@pytest.fixture(scope="session")
def with_tables(_migrated: tuple[Store, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that gives a home an MLflow file with no run in it: MLflow takes seconds to make one."""
    home = tmp_path_factory.mktemp("tables")
    Session(local(home), _migrated[0]).tracker._ready()
    file = home / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM experiments WHERE name = ?", (EXPERIMENT,))  # it names where its files are

    def lay(other: Path) -> Path:
        (other / "mlflow").mkdir()
        (other / "mlflow" / "mlflow.db").write_bytes(file.read_bytes())
        return other

    return lay


@pytest.fixture(scope="module")
def lab(
    database: Database,
    _migrated: tuple[Store, str],
    with_tables: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Session:
    """Return a session with seven years of three stocks; a module's tests share it, and what they run stays."""
    home = with_tables(tmp_path_factory.mktemp("lab"))
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
