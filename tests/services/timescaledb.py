"""A real TimescaleDB server for the tests, run out of a folder instead of a container.

    python tests/services/timescaledb.py run -- CMD ...   start a server, run CMD with TEST_DATABASE_URL, stop it
    python tests/services/timescaledb.py start            start one to work by hand with, print its address
    python tests/services/timescaledb.py stop             stop that one

Needs root, for debootstrap and chroot, and a Debian machine. Only the standard library is imported.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from debian_folder import CACHE, PATH, ServiceError, debian_folder, locked, remove, say

SUITE = "trixie"
PACKAGES = ("postgresql-17-timescaledb", "locales")
BINARIES = "/usr/lib/postgresql/17/bin"
SPOOL = "var/lib/postgresql"  # inside the folder: one run-* per server, removed when it has stopped
STATE = CACHE / "timescaledb.json"  # the server that `start` left running

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "4",
    "max_worker_processes": "16",
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
    "dynamic_shared_memory_type": "mmap",  # needs no /dev/shm, which may be small or missing in the folder
    "timezone": "UTC",
    "jit": "off",
    "fsync": "off",  # the data live as long as the run
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
VERSION = (
    "select 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)"
    " || ', TimescaleDB ' || default_version from pg_available_extensions where name = 'timescaledb'"
)


@dataclass(frozen=True)
class Server:
    """A running server: its process, its address and the folder that holds its data."""

    pid: int
    url: str
    folder: str
    version: str

    def alive(self) -> bool:
        """Tell whether the process is there and is this very server, not another that got its number."""
        try:
            words = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"/{SPOOL}/{Path(self.folder).name}/data".encode() in words

    def stop(self) -> None:
        """Stop the server by its process id, each time more firmly, and remove its data."""
        for number, patience in ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            deadline = time.monotonic() + patience
            if self.alive():
                os.kill(self.pid, number)
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        remove(Path(self.folder))


def inside(root: Path, *command: str, die_with_parent: bool = False) -> list[str]:
    """Return the words that run a command inside the folder, as its postgres user and with a clean environment."""
    user = re.search(r"^postgres:[^:]*:(\d+):(\d+):", (root / "etc/passwd").read_text(), flags=re.MULTILINE)
    if not user:
        raise ServiceError(f"{root} has no postgres user: it is broken. Remove it and try again.")
    drop = ["setpriv", f"--reuid={user[1]}", f"--regid={user[2]}", "--clear-groups"]
    drop += ["--pdeathsig=INT"] if die_with_parent else []
    clean = ["env", "-i", f"PATH={BINARIES}:{PATH}", "LC_ALL=C.UTF-8", f"HOME=/{SPOOL}"]
    return ["chroot", str(root), *drop, *clean, *command]


def sweep(root: Path) -> None:
    """Remove the data of servers that are gone: each holds a lock on its folder for as long as it lives."""
    for folder in (root / SPOOL).glob("run-*"):
        with (folder / "lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            remove(folder)


def free_port() -> int:
    """Return a loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*, die_with_parent: bool) -> Server:
    """Return a running server with fresh data, on a free loopback port and with a password made for it."""
    root = debian_folder(f"{SUITE}-timescaledb", suite=SUITE, packages=PACKAGES)
    with locked(CACHE / "start.lock"):  # between making the folder and locking it, nobody may sweep
        sweep(root)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=root / SPOOL))
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        password = _initdb(root, folder)
        for _ in range(3):  # the free port can be gone by the time the server binds it
            if server := _launch(root, folder, password, lock.fileno(), die_with_parent=die_with_parent):
                return server
        log = (folder / "log").read_text(errors="replace")[-2000:]
    except BaseException:
        remove(folder)
        raise
    finally:
        lock.close()  # the server has inherited the lock and holds it to its end
    remove(folder)
    raise ServiceError(f"The server did not start:\n{log}")


def _initdb(root: Path, folder: Path) -> str:
    """Return the superuser's password of a new, empty database cluster."""
    owner, password = (root / SPOOL).stat(), secrets.token_hex(16)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    for path in (folder, secret):
        os.chown(path, owner.st_uid, owner.st_gid)
    place = f"/{SPOOL}/{folder.name}"
    command = ["initdb", f"--pgdata={place}/data", "--username=postgres", f"--pwfile={place}/password"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    done = subprocess.run(inside(root, *command), check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise ServiceError(f"initdb failed: {(done.stderr or done.stdout).strip()}")
    secret.unlink()
    return password


def _launch(root: Path, folder: Path, password: str, lock: int, *, die_with_parent: bool) -> Server | None:
    """Return the server once it answers a query, or None if its process ended first or stayed silent."""
    port = free_port()
    options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
    command = ["postgres", "-D", f"/{SPOOL}/{folder.name}/data", "-p", str(port), *options]
    url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            inside(root, *command, die_with_parent=die_with_parent),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C is for the command that runs, not for its server
        )
    ready = False
    deadline = time.monotonic() + 60
    try:
        while process.poll() is None and time.monotonic() < deadline:
            ask = inside(root, "psql", url, "-Atc", VERSION)
            asked = subprocess.run(ask, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if ready := "TimescaleDB" in asked.stdout:
                return Server(process.pid, url, str(folder), asked.stdout.strip())
            time.sleep(0.05)
    finally:
        if not ready:
            process.kill()
            process.wait()
    return None


def run(command: Sequence[str]) -> int:
    """Return the exit code of a command that ran beside a server of its own, stopped whatever happened."""

    def ask_to_stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, ask_to_stop)
    server = start(die_with_parent=True)
    say(f"{server.version} is up as process {server.pid}")
    try:
        return _run_beside(command, server.url)
    finally:
        server.stop()
        say("stopped")


def _run_beside(command: Sequence[str], url: str) -> int:
    try:
        child = subprocess.Popen(command, env={**os.environ, "TEST_DATABASE_URL": url})
    except OSError as error:
        raise ServiceError(f"Cannot run {command[0]!r}: {error.strerror}.") from None
    try:
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue  # the command got it too and decides itself
            return code if code >= 0 else 128 - code
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


def left_running() -> Server | None:
    """Return the server that `start` left running, or None."""
    server = Server(**json.loads(STATE.read_text())) if STATE.is_file() else None
    return server if server and server.alive() else None


def main(words: Sequence[str]) -> int:
    """Return the exit code of one call from the command line."""
    parser = argparse.ArgumentParser(prog="timescaledb.py", description="A real TimescaleDB server for the tests.")
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("run", help="run a command with TEST_DATABASE_URL set to a fresh server")
    task.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    tasks.add_parser("start", help="start a server and print its address")
    tasks.add_parser("stop", help="stop the server that start left")
    asked = parser.parse_args(words)
    if asked.task == "run":
        command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
        if not command:
            parser.error("run needs a command: run -- CMD ...")
        return run(command)
    with locked(CACHE / "state.lock"):
        server = left_running()
        if asked.task == "start":
            if not server:
                server = start(die_with_parent=False)
                STATE.touch(mode=0o600)
                STATE.write_text(json.dumps(asdict(server)))
            say(f"{server.version} is up as process {server.pid}")
            sys.stdout.write(f"export TEST_DATABASE_URL={server.url}\n")
            return 0
        if server:
            server.stop()
        STATE.unlink(missing_ok=True)
    say("stopped" if server else "none was running")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ServiceError as error:
        say(str(error))
        sys.exit(1)
