"""Homes for the tests of the app: a folder and a database of their own, empty or with the pipeline's results in it.

A pytest plugin for the sake of what its processes share: `pytest_plugins = ["prepared"]` in tests/conftest.py.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from database import _database

from quantlib.store import embedded

ROOT = Path(__file__).resolve().parents[1]
# No test reads a .env file, in other processes either.
WITHOUT_ENV_FILE = "from quantlib.settings import Settings; Settings.model_config['env_file'] = None; "
# One thread each: several processes share few cores.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WORLDS = 60
SHARED = "PREPARED_HOME"
MADE = pytest.StashKey[str]()


@dataclass(frozen=True)
class Home:
    """Where an app of the tests lives; `url` is None for the embedded server."""

    folder: Path
    url: str | None

    @property
    def settings(self) -> dict[str, str]:
        """The environment that points the workbench here."""
        address = {"DATABASE_URL": self.url} if self.url else {}
        return {"WORKBENCH_HOME": str(self.folder), "WORKBENCH_WORLDS": str(WORLDS), **address}

    def command(self, code: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return the command line and environment of a process that runs Python code on this home."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WORKBENCH_", "DATABASE_URL", "MLFLOW_"))}
        return [sys.executable, "-c", WITHOUT_ENV_FILE + code, *arguments], {**kept, **THREADS, **self.settings}


@contextmanager
def empty_home() -> Iterator[Home]:
    """Give a home in which nothing is stored."""
    # Not under pytest's own folder: every pytest session of root closes that to the server's account.
    with (
        tempfile.TemporaryDirectory(prefix="workbench-") as folder,
        contextmanager(_database)(Path(folder)) as database,
    ):
        yield Home(database.home, database.url)


@contextmanager
def prepared_home() -> Iterator[Home]:
    """Give a home with the sample and the results of a pipeline of few worlds.

    On the embedded server it is a copy of one that all processes of a run share: the pipeline takes half a minute.
    """
    with empty_home() as home:
        if home.url is None:
            subprocess.run(["cp", "-a", f"{_made_once()}/.", str(home.folder)], check=True)
        else:
            _run_pipeline(home)
        yield home


def _made_once() -> Path:
    """Return the folder of the home that all copies are of; the first process that asks makes it."""
    place = Path(os.environ[SHARED])
    made, home = place / "made", place / "home"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _run_pipeline(Home(home, None))
            embedded.stop(home)
            made.touch()
    return home


def _run_pipeline(home: Home) -> None:
    command, environment = home.command("from quantlib.cli import main; main()", "pipeline")
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"the pipeline failed:\n{done.stdout}\n{done.stderr}"


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what processes share, unless whoever starts several runs in a row has made it for all of them."""
    if SHARED not in os.environ:
        os.environ[SHARED] = config.stash[MADE] = tempfile.mkdtemp(prefix="workbench-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it where it was made."""
    if place := config.stash.get(MADE, None):
        shutil.rmtree(place)
        del os.environ[SHARED]
