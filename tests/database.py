"""Fixtures of a clean database: the embedded server, or the one TEST_DATABASE_URL names.

A pytest plugin: `pytest_plugins = ["database"]` in tests/conftest.py makes them known everywhere.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from quantlib.store import Store, embedded


@dataclass(frozen=True)
class Database:
    """Where the test database is, in the terms of `Store.connect`: `url` is None for the embedded server."""

    url: str | None
    home: Path


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """Return a database of this test session alone, gone at its end."""
    # Not under pytest's own folder: every pytest session of root closes that to the server's account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        yield from _database(Path(folder).resolve())


def _database(home: Path) -> Iterator[Database]:
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield Database(None, home)
        embedded.stop(home)
        return
    name = f"workbench_test_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield Database(urlunsplit(urlsplit(server)._replace(path=f"/{name}")), home)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def _migrated(database: Database) -> Iterator[tuple[Store, str]]:
    """Return the open store, and the statement that empties it: migrating afresh for each test takes longer."""
    with Store.connect(database.url, database.home) as store:
        with store.begin() as connection:
            tables = connection.execute(
                sa.text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY (:schemas) "
                    "AND schemaname || '.' || tablename NOT IN ('ops.schema_version', 'ops.capabilities')"
                ),
                {
                    "schemas": [
                        "raw",
                        "market_data",
                        "events",
                        "macro",
                        "derived",
                        "strategies",
                        "execution",
                        "reports",
                        "ops",
                        "jobs",
                    ]
                },
            ).scalars()
            empty = f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"
        yield store, empty


@pytest.fixture
def store(_migrated: tuple[Store, str]) -> Store:
    """Return a migrated store without a row in it."""
    store, empty = _migrated
    with store.begin() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(sa.text(empty))
        for table in connection.scalars(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'quota'")).all():
            connection.execute(sa.text(f'DROP TABLE quota."{table}"'))  # made anew with the vendor's next call
    return store


#: Where tests start their databases by other means than the fixture. Pages are left out: they read what workflows give.
ON_A_DATABASE = ("services/", "store/")
#: Tests of processes, of the embedded server itself, and of what is done with prices once they are read: they behave
#: the same on any server, which the tests of the store have shown.
ON_ANY_SERVER = (
    *("store/test_store_embedded.py", "store/test_store_kill.py"),
    *("workflows/test_jobs_worker.py", "workflows/test_ledger_processes.py", "workflows/test_notebook_cells.py"),
    *("workflows/test_event_", "workflows/test_examining.py", "workflows/test_look_ahead.py"),
    *("workflows/test_stressing.py", "workflows/test_time_machine.py", "workflows/test_trading_costs.py"),
    *("workflows/test_lab.py", "workflows/test_validating.py", "workflows/test_training.py"),
    *("workflows/test_registry.py", "workflows/test_strategy_model.py", "workflows/test_tracking.py"),
    *("cli/test_cli_models.py", "cli/test_cli_simulation.py", "cli/test_cli_strategy.py"),
    *("cli/test_cli_training.py", "cli/test_cli_validate.py"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--with-database", action="store_true", help="only tests that use a database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that no server can change, where that is asked for."""
    if not config.getoption("--with-database"):
        return
    kept, left = [], []
    for item in items:
        place = item.path.relative_to(config.rootpath / "tests").as_posix()
        uses = place.startswith(ON_A_DATABASE) or "database" in getattr(item, "fixturenames", ())
        (kept if uses and not place.startswith(ON_ANY_SERVER) else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)
