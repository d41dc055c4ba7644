"""The Makefile explains itself and does nothing it is not asked for."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Makefile").read_text()
TARGETS = ["help", "setup", "run", "test", "lint", "fix", "app", "notebook", "mlflow", "report"]
TARGETS += ["bench", "db-shell", "clean"]


def make(*words: str, folder: Path = ROOT, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Return what make did in a folder, as if it were not itself called by a make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "--file", str(ROOT / "Makefile"), *words]
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, input=answer, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def listing() -> dict[str, str]:
    """Return what `make help` says: target -> explanation."""
    done = make("help")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^\s+([a-z-]+)\s{2,}(\S.*)$", done.stdout, flags=re.MULTILINE))


@pytest.mark.parametrize("target", TARGETS)
def test_help_lists_the_target_with_an_explanation(listing: dict[str, str], target: str) -> None:
    assert len(listing[target]) > 10


def test_make_alone_helps() -> None:
    assert make().stdout == make("help").stdout


def test_everything_that_is_no_file_is_declared_so(listing: dict[str, str]) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", TEXT, flags=re.MULTILINE)
    assert phony
    assert set(listing) <= set(phony[1].split())


def test_what_needs_the_environment_makes_it_first(listing: dict[str, str]) -> None:
    for target in set(listing) - {"help", "clean"}:
        assert re.search(rf"^{target}: \$\(STAMP\)", TEXT, flags=re.MULTILINE), target


def test_environment_is_redone_only_when_the_lock_or_the_package_changes() -> None:
    assert re.search(r"^\$\(STAMP\): requirements\.txt pyproject\.toml$", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize(("answer", "kept"), [("n\n", True), ("\n", True), ("", True), ("y\n", False)])
def test_clean_asks_before_it_removes_anything(tmp_path: Path, answer: str, kept: bool) -> None:
    made = [tmp_path / ".venv/bin/python", tmp_path / "data/local/pg/base"]
    facts = tmp_path / "data/universe.yaml"
    for file in [*made, facts]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    make("clean", folder=tmp_path, answer=answer)
    assert [file.exists() for file in made] == [kept, kept]
    assert facts.exists()


def test_too_old_a_python_is_said_plainly(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\ncase "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac\n')
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stdout
    assert "3.9.2" in done.stdout
