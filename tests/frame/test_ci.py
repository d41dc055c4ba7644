"""The check that runs on every submission: sound bash, nothing of one machine, and it fails when a stage does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci/run"


def test_script_is_executable_and_sound() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert subprocess.run(["bash", "-n", str(SCRIPT)], check=False).returncode == 0
    assert "set -euo pipefail" in SCRIPT.read_text()


def test_script_names_no_path_or_address_of_one_machine() -> None:
    text = SCRIPT.read_text()
    assert not re.search(r"://|/home/|/root|/opt/|/work\b", text)
    assert str(ROOT) not in text


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone in which every tool is a stand-in that notes its call and fails when its words hold FAIL."""
    stand_in = '#!/bin/bash\necho "$(basename "$0") $*" >> "$CALLS"\n[[ -z "$FAIL" || "$0 $*" != *"$FAIL"* ]]\n'
    tools = tmp_path / "bin"
    names = ["make", "git", "chromium", "debootstrap", "dpkg-query", "python3", "apt-get"]
    for place in [tools / name for name in names] + [tmp_path / "clone/.venv/bin" / name for name in ("python", "uv")]:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(stand_in)
        place.chmod(0o755)
    (tmp_path / "clone/.ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / "clone/.ci/run")
    return tmp_path / "clone"


def check(clone: Path, fail: str = "") -> tuple[int, str, list[str]]:
    """Return exit code, output and the calls of one run of the script, in which whatever holds `fail` fails."""
    calls = clone / "calls"
    path = f"{clone.parent / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CALLS": str(calls), "FAIL": fail}
    done = subprocess.run(
        ["bash", str(clone / ".ci/run")],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout, calls.read_text().splitlines()


def test_every_stage_runs_in_order(clone: Path) -> None:
    code, output, calls = check(clone)
    assert code == 0, output
    wanted = [
        "make setup",
        "make lint",
        "make test",
        "timescaledb.py run -- true",
        "timescaledb.py run -- .venv/bin/python -m pytest -m not browser and not notebook --with-database",
        "-m pytest -m browser",
        "uv pip install",
        "-m pytest tests/backtest/test_ray.py",
    ]
    place = {words: next(i for i, call in enumerate(calls) if words in call) for words in wanted}
    assert list(place.values()) == sorted(place.values())
    # Two run beside others: all is compiled before the tests, and notebooks end before the extra is installed.
    beside = {
        words: next(i for i, call in enumerate(calls) if words in call) for words in ("warm_up_kernels", "-m notebook")
    }
    assert place["make setup"] < beside["warm_up_kernels"] < place["make test"]
    assert place["make test"] < beside["-m notebook"] < place["uv pip install"]
    names = re.findall(r"^(\w+) +\d+ s  ok$", output, flags=re.MULTILINE)
    assert sorted(names) == sorted([*re.findall(r"^===== (\w+): ok, \d+ s$", output, flags=re.MULTILINE), "total"])
    assert {"compile", "notebooks", "browser", "ray", "tidy"} < set(names)
    assert not [call for call in calls if call.startswith("apt-get")], "nothing was missing"
    assert re.search(r"^total +\d+ s  ok$", output, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "words",
    [
        "warm_up_kernels",
        "make lint",
        "make test",
        "run -- true",
        "run -- .venv",
        "-m browser",
        "-m notebook",
        "uv pip install",
        "test_ray",
    ],
)
def test_one_failed_stage_fails_the_run_and_the_others_still_run(clone: Path, words: str) -> None:
    code, output, calls = check(clone, fail=words)
    assert code == 1
    assert len(re.findall(r"^\w+ +\d+ s  FAILED", output, flags=re.MULTILINE)) == 2, "the stage and the total"
    assert any("-m pytest -m notebook" in call for call in calls)
    assert any("uv pip install" in call for call in calls)


def test_without_its_environment_the_run_ends_at_once(clone: Path) -> None:
    code, _, calls = check(clone, fail="make setup")
    assert code == 1
    assert not any("pytest" in call for call in calls)


def test_missing_packages_are_installed_first(clone: Path) -> None:
    code, _, calls = check(clone, fail="dpkg-query")
    assert code == (0 if os.geteuid() == 0 else 1)
    if os.geteuid() == 0:
        install = next(i for i, call in enumerate(calls) if call.startswith("apt-get install"))
        assert "fonts-liberation" in calls[install]
        assert install < calls.index("make setup")
