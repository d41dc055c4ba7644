"""The embedded PostgreSQL server: started by whoever comes first, stopped after the last one has gone.

App, notebooks and command line share one server per home folder. Three lock files beside the data folder keep
order, and the kernel drops a lock however its holder ends, so no list of processes can go stale:

- `pg.lock`, held while starting, healing or stopping;
- `pg.clients`, held shared by every client process for its life (forked children share it with their parent);
- `pg.watcher`, held by the small process (`watch.py`) that waits for the last client to go.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from quantlib.errors import ConfigError
from quantlib.store import watch
from quantlib.store.cluster import Cluster

DATABASE = "workbench"
LINGER_SECONDS = 5.0
"""How long the server outlives its last client, so that one command after another finds it warm."""
LOCK_SECONDS = 180.0

_held: dict[Path, int] = {}


@dataclass(frozen=True)
class ServerStatus:
    """Whether the embedded server runs, and where."""

    running: bool
    folder: Path
    log: Path
    pid: int | None = None
    url: str | None = None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


@contextmanager
def _locked(home: Path) -> Iterator[Cluster]:
    """Give the cluster of `home` while no other process starts, heals or stops it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        cluster = Cluster(home.resolve())
        lock = _open(cluster.home / "pg.lock")
    except OSError as error:
        raise ConfigError(
            f"The folder {home} cannot be used for the database: {error.strerror}. Set WORKBENCH_HOME or DATABASE_URL."
        ) from None
    try:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ConfigError(
                        f"Another process has been starting or stopping the database in {home} for "
                        f"{LOCK_SECONDS:.0f} s. End it, then try again."
                    ) from None
                time.sleep(0.02)
        yield cluster
    finally:
        os.close(lock)


def _hold(cluster: Cluster) -> None:
    """Count this process among the clients until it ends."""
    path = cluster.home / "pg.clients"
    old = _held.get(cluster.home)
    if old is not None:
        if path.exists() and os.fstat(old).st_ino == path.stat().st_ino:
            return
        os.close(_held.pop(cluster.home))  # the folder was removed and made anew
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held[cluster.home] = descriptor


def _release(cluster: Cluster) -> None:
    if cluster.home in _held:
        os.close(_held.pop(cluster.home))


def _ensure_watcher(cluster: Cluster) -> None:
    """Start the watcher unless one is there; it inherits its lock, so there is never a moment without."""
    own = _open(cluster.home / "pg.watcher")
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(own)
        return
    task: watch.Task = {
        "own": own,
        "clients": str(cluster.home / "pg.clients"),
        "lock": str(cluster.home / "pg.lock"),
        "folder": str(cluster.folder),
        "linger": LINGER_SECONDS,
        "stop": cluster.stop_command(),
        "user": cluster.account(),
    }
    # Started through a shell that ends at once: the watcher belongs to init and is no zombie of ours one day.
    command = [sys.executable, "-I", "-S", watch.__file__, json.dumps(task)]
    detached = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *command]
    try:
        subprocess.run(detached, check=True, pass_fds=[own], cwd="/")  # noqa: S603  the command is our own
    finally:
        os.close(own)


def _ensure_database(cluster: Cluster) -> str:
    """Return the address of the workbench's database, made if it was not there."""
    maintenance = cluster.address("postgres")
    address = cluster.address(DATABASE)
    if maintenance is None or address is None:
        raise ConfigError("The embedded database went away while starting. Try again.")
    with psycopg.connect(maintenance, autocommit=True) as connection:  # it has just answered
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    return address


def start(home: Path) -> str:
    """Return the libpq address of the embedded database of `home`, started and healed as needed.

    Safe to call from many processes at once and as often as you like; 5 ms when the server is up.

    Parameters
    ----------
    home
        Folder for the data folder `pg` and the lock files; made if missing.

    Raises
    ------
    ConfigError
        The folder cannot be used or the server does not come up.
    """
    with _locked(home) as cluster:
        _hold(cluster)
        cluster.ensure_running()
        _ensure_watcher(cluster)
        return _ensure_database(cluster)


def stop(home: Path) -> None:
    """Stop the server of `home`, whoever uses it; a client's next operation starts it again."""
    with _locked(home) as cluster:
        _release(cluster)
        cluster.end()


def status(home: Path) -> ServerStatus:
    """Return whether the server of `home` runs, starting nothing."""
    cluster = Cluster(home.resolve())
    running = cluster.answers()
    main = cluster.postmaster() if running else None
    return ServerStatus(
        running=running,
        folder=cluster.folder,
        log=cluster.log,
        pid=None if main is None else main.pid,
        url=cluster.address(DATABASE) if running else None,
    )
