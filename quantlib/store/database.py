"""The `Store`: one database, its connections, its migrations, and how it heals."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_manager
import psycopg
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from quantlib.errors import ConfigError
from quantlib.store import embedded
from quantlib.store.address import hide_password, read_address, why_unreachable
from quantlib.store.cluster import binaries
from quantlib.store.migrations import HEAD, upgrade

_inherited: list[object] = []  # connections of a parent process, kept: collecting them would end the parent's
OLDEST = 15
"""Oldest major version of PostgreSQL the SQL is written for."""
CONNECT_SECONDS = 10
IDLE_BULK = 2
"""ADBC connections kept open for the next use."""


class LostError(ConfigError):
    """The server went away, or cannot be reached; doing the same again later is safe."""


class Store:
    """A PostgreSQL or TimescaleDB database, migrated and ready; safe to share between threads.

    Make one with `Store.connect`. Rows come and go through the functions of this package; `begin` and `bulk`
    are for them.

    Attributes
    ----------
    embedded
        Whether the server is the embedded one.
    """

    def __init__(self, address: str, home: Path | None) -> None:
        self._address = address
        self._home = home
        self.embedded = home is not None
        self._guard = threading.RLock()
        self._open()

    @classmethod
    def connect(cls, url: str | None, home: Path) -> Store:
        """Return the store at `url`, or the embedded one under `home`; started, migrated and checked.

        Parameters
        ----------
        url
            `postgresql://user:password@host:port/database`, also with `postgres://` or
            `postgresql+psycopg://`; None or empty for the embedded server.
        home
            Folder of the embedded server; not touched when `url` is given.

        Raises
        ------
        ConfigError
            The address is malformed, cannot be reached, refuses us, or is too old or too new for this code.

        Examples
        --------
        >>> store = Store.connect(None, Path("data/local"))  # doctest: +SKIP
        >>> store.info()["server"]  # doctest: +SKIP
        '18.4'
        """
        store = cls(read_address(url), None) if url else cls(embedded.start(home), home)
        try:
            store._check_version()
            upgrade(store.engine)
        except sa.exc.DBAPIError as error:
            store.close()
            raise ConfigError(why_unreachable(store._address, error.orig or error)) from None
        except BaseException:
            store.close()
            raise
        return store

    def _open(self) -> None:
        self._pid = os.getpid()
        self._engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_pre_ping=True,
            pool_size=2,
            max_overflow=8,
            pool_timeout=CONNECT_SECONDS,
        )
        self._bulk: list[dbapi.Connection] = []
        self._closer = weakref.finalize(self, _close, self._engine, self._bulk)

    @property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine of this process; a forked child gets one of its own."""
        if self._pid != os.getpid():
            with self._guard:
                if self._pid != os.getpid():
                    self._closer.detach()
                    self._engine.dispose(close=False)  # the sockets are the parent's
                    _inherited.append(self._bulk)
                    self._open()
        return self._engine

    def _healed(self, connect: Callable[[str], Any]) -> Any:
        """Return a new connection; the embedded server is started again if it has died meanwhile."""
        try:
            return connect(self._address)
        except (psycopg.OperationalError, adbc_driver_manager.Error) as error:
            if self._home is None:
                raise LostError(why_unreachable(self._address, error)) from None
        self._address = embedded.start(self._home)
        try:
            return connect(self._address)
        except (psycopg.OperationalError, adbc_driver_manager.Error) as error:
            raise LostError(why_unreachable(self._address, error)) from None

    def _connect(self) -> psycopg.Connection[Any]:
        def open_one(address: str) -> psycopg.Connection[Any]:
            patience = None if "connect_timeout" in address else CONNECT_SECONDS
            connection = psycopg.connect(address, connect_timeout=patience)
            connection.execute("SET TIME ZONE 'UTC'")
            connection.commit()
            return connection

        connection: psycopg.Connection[Any] = self._healed(open_one)
        return connection

    def live_address(self) -> str:
        """Return the libpq address to connect to now; the embedded server is started again if it has died."""
        if self._home is not None:
            self._address = embedded.start(self._home)
        return self._address

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Give a connection inside one transaction: committed at the end, undone if anything is raised."""
        with _plain_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def bulk(self) -> Iterator[dbapi.Cursor]:
        """Give an ADBC cursor inside one transaction: committed at the end, undone if anything is raised."""
        _ = self.engine  # a forked child must not use its parent's connection
        connection = self._take_bulk()
        with _plain_errors():
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except BaseException:
                _quietly(connection.close)  # undoes what is open, whatever state it is in
                raise
        with self._guard:
            if self._closer.alive and len(self._bulk) < IDLE_BULK:
                self._bulk.append(connection)
                return
        _quietly(connection.close)

    def _take_bulk(self) -> dbapi.Connection:
        """Return a live ADBC connection, an idle one if there is any.

        The first statements of a new one are slow: the server has to read the catalogue for it, with each chunk of
        a hypertable.
        """
        while True:
            with self._guard:
                if not self._bulk:
                    return self._healed(dbapi.connect)
                connection = self._bulk.pop()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                    cursor.fetchall()
                connection.rollback()
            except adbc_driver_manager.Error:  # the server has died since, and may come back elsewhere
                _quietly(connection.close)
            else:
                return connection

    def _check_version(self) -> None:
        with self.engine.connect() as connection:
            version = int((connection.dialect.server_version_info or (0,))[0])
        if version < OLDEST:
            raise ConfigError(
                f"The server at {hide_password(self._address)} is PostgreSQL {version}; the store needs {OLDEST} "
                "or newer. Upgrade it, or leave DATABASE_URL empty to use the embedded server."
            )

    def info(self) -> dict[str, Any]:
        """Return what the store runs on: server, TimescaleDB, where, and the schema's revision.

        Returns
        -------
        dict
            `server` (version), `timescaledb` (version or None), `edition` ('apache', 'community' or None),
            `hypertables` (whether bars are one), `embedded`, `address` (no password), `revision`, and
            `notes` (what the server could not give, in sentences).
        """
        with self.begin() as connection:
            row = connection.execute(sa.text(_INFO)).mappings().one()
            notes = connection.scalars(sa.text("SELECT note FROM ops.capabilities WHERE note <> '' ORDER BY name"))
            return {
                "server": row["server"],
                "timescaledb": row["timescaledb"],
                "edition": {"apache": "apache", "timescale": "community"}.get(row["licence"] or ""),
                "hypertables": row["hypertables"],
                "embedded": self.embedded,
                "address": hide_password(self._address),
                "revision": HEAD,
                "notes": list(notes),
            }

    def psql(self) -> tuple[list[str], dict[str, str]]:
        """Return a command that opens psql on this database, and what to add to its environment.

        Run it as a child of a process that keeps the store open; the password is not in the command, which
        other users can see.
        """
        parts = {key: str(value) for key, value in conninfo_to_dict(self._address).items() if value is not None}
        password = parts.pop("password", "")
        program = str(binaries() / "psql") if self.embedded else "psql"
        return [program, make_conninfo(**parts)], {"PGPASSWORD": password} if password else {}

    def close(self) -> None:
        """Close this store's connections. The embedded server stops after its last client process has gone."""
        with self._guard:  # a connection in use is closed where its use ends
            self._closer()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_INFO = """
SELECT current_setting('server_version') AS server,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
       current_setting('timescaledb.license', true) AS licence,
       EXISTS (SELECT FROM ops.capabilities WHERE name = 'hypertables' AND available) AS hypertables
"""


def _quietly(action: Callable[[], object]) -> None:
    """Do what may fail because the connection is dead; there is nothing left to undo then."""
    try:
        action()
    except adbc_driver_manager.Error:
        return


def _close(engine: sa.Engine, bulk: list[dbapi.Connection]) -> None:
    engine.dispose()
    for connection in bulk:
        _quietly(connection.close)
    bulk.clear()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn the loss of the server in the middle of an operation into one plain sentence."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated and not _lost(error.orig or error):
            raise
    except adbc_driver_manager.Error as error:
        if not _lost(error):
            raise
    else:
        return
    raise LostError(
        "The database went away in the middle of the operation. Do it again: nothing is half-written, and "
        "writing the same rows twice changes nothing."
    )


def _lost(error: BaseException) -> bool:
    signs = ("server closed the connection", "terminating connection", "connection is lost", "no connection to the")
    return any(sign in str(error).lower() for sign in signs)
