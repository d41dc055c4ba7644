"""Fixtures of the command line's tests: a home folder, and `workbench` run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from database import Database

from quantlib import cli
from quantlib.cli import terminal
from quantlib.settings import get_settings
from quantlib.store import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, database: Database, store: Store, tmp_path: Path) -> Path:
    """Return the home folder of the commands, on the clean test database."""
    assert store
    if database.url:
        monkeypatch.setenv("DATABASE_URL", database.url)
    else:
        monkeypatch.delenv("DATABASE_URL", raising=False)
    home = tmp_path if database.url else database.home
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    return home


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `workbench` in the environment as it is: exit code, output, errors."""
    monkeypatch.setattr(terminal.console, "width", 200)  # whatever COLUMNS was when it was made

    def run(*arguments: str) -> tuple[int, str, str]:
        get_settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            get_settings.cache_clear()
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture
def workbench(home: Path, invoke: Run) -> Run:
    """Return a function that runs `workbench` on the clean test database: exit code, output, errors."""
    assert home
    return invoke
