"""The watcher: a small process that stops the embedded server once its last client is gone.

It runs as a script on the standard library alone. Every client process holds a shared lock on one file for its
whole life, and the kernel drops that lock however the process ends; so whoever gets the exclusive lock knows
that nobody is left. Nothing has to run at a client's exit, which a SIGTERM or a kill -9 would skip.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict


class Task(TypedDict):
    """What the watcher is told, as one JSON argument."""

    own: int  # descriptor of the watcher's own lock, inherited; tells others that there is a watcher
    clients: str  # lock file every client holds shared
    lock: str  # lock file that serialises start and stop
    folder: str  # the server's data folder
    linger: float  # seconds to keep the server for the next client
    stop: list[str]  # command that stops the server
    user: Mapping[str, Any]  # account to run it as; empty: our own


def _free(descriptor: int) -> bool:
    """Return whether nobody holds the lock now; it is not kept, so that a newcomer never waits for us."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def watch(task: Task) -> None:
    """Wait for the last client to go, linger, then stop the server and return."""
    running = Path(task["folder"]) / "postmaster.pid"
    with Path(task["clients"]).open("rb") as clients, Path(task["lock"]).open("rb") as lock:
        while True:
            fcntl.flock(clients, fcntl.LOCK_EX)
            fcntl.flock(clients, fcntl.LOCK_UN)
            end = time.monotonic() + task["linger"]
            while (alone := _free(clients.fileno())) and running.exists() and time.monotonic() < end:
                time.sleep(0.1)
            if not alone:
                continue
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _free(clients.fileno()):  # else a client came between the two locks
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
        # A folder removed and made anew has other lock files and a watcher of its own.
        here = Path(task["clients"])
        if here.exists() and here.stat().st_ino == os.fstat(clients.fileno()).st_ino and running.exists():
            subprocess.run(task["stop"], check=False, **task["user"])  # noqa: S603  the command is our own
        os.close(task["own"])  # before the start lock goes: the next client must see that no watcher is left


if __name__ == "__main__":
    os.setsid()  # Ctrl-C in a terminal is meant for the clients
    watch(json.loads(sys.argv[1]))
