"""The test server's own rules: whose mirror it uses, what it removes, and that it is really TimescaleDB."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

FOLDER = Path(__file__).parent
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'

STANZAS = """\
# Main archive
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm
  bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def debian(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module beside this file, which is a script's and in no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("debian_folder")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return an /etc of a machine without apt sources."""
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text(OS_RELEASE)
    return tmp_path


OURS = "deb http://mirror.example/debian bookworm main"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list.d/debian.sources", STANZAS),
        ("sources.list.d/debian.sources", STANZAS.replace("Types: deb deb-src", "Enabled: yes\nTypes: deb")),
        ("sources.list", OURS),
        ("sources.list", f"# deb http://old.example/debian bookworm main\n{OURS} contrib # x"),
        ("sources.list", f"deb-src http://no.example/debian bookworm main\n{OURS}"),
        ("sources.list", OURS.replace("deb ", "deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg]\t")),
        ("sources.list", f"deb cdrom:[Debian]/ bookworm main\n{OURS}"),
        ("sources.list", f"deb http://mirror.example/security bookworm-security main\n{OURS}"),
        ("sources.list.d/vendors.list", f"deb http://vendor.example/apt stable main\n{OURS}"),
    ],
)
def test_mirror_is_the_one_this_machine_uses(debian: ModuleType, etc: Path, name: str, text: str) -> None:
    (etc / "apt" / name).write_text(text)
    assert debian.machine_mirror(etc) == "http://mirror.example/debian"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", ""),
        ("sources.list", "deb http://vendor.example/apt stable main\n"),
        ("sources.list", "deb http://mirror.example/debian bookworm-updates main\n"),
        ("sources.list", "deb http://mirror.example/debian bookworm contrib\n"),
        ("sources.list.d/debian.sources", STANZAS.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")),
        ("sources.list.d/debian.sources", STANZAS.replace("Types: deb deb-src", "Types: deb-src")),
        ("sources.list.d/debian.sources.save", STANZAS),
    ],
)
def test_without_a_debian_mirror_the_way_out_is_said(debian: ModuleType, etc: Path, name: str, text: str) -> None:
    (etc / "apt" / name).write_text(text)
    with pytest.raises(
        debian.ServiceError, match=r"No apt source of this machine serves bookworm main.*TEST_DATABASE_URL"
    ):
        debian.machine_mirror(etc)


def test_an_unknown_machine_is_no_debian(debian: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(debian.ServiceError, match="A Debian machine is needed"):
        debian.machine_mirror(tmp_path)


def test_removing_a_folder_leaves_its_neighbours(debian: ModuleType, tmp_path: Path) -> None:
    for name in ("one/deep/file", "one-more/file"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    debian.remove(tmp_path / "one")
    assert not (tmp_path / "one").exists()
    assert (tmp_path / "one-more/file").exists()


def script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "timescaledb.py"), *words]
    return subprocess.run(command, check=False, env={**os.environ, **environment}, capture_output=True, text=True)


def test_run_needs_a_command() -> None:
    done = script("run")
    assert done.returncode == 2
    assert "run -- CMD" in done.stderr


def test_stop_without_a_server_is_no_error(tmp_path: Path) -> None:
    done = script("stop", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "none was running" in done.stderr


def test_a_stale_note_of_a_server_kills_nobody(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        note = tmp_path / "quant-workbench/timescaledb.json"
        note.parent.mkdir()
        note.write_text(f'{{"pid": {bystander.pid}, "url": "", "folder": "{tmp_path}/run-x", "version": ""}}')
        assert "none was running" in script("stop", XDG_CACHE_HOME=str(tmp_path)).stderr
        assert bystander.poll() is None
        assert not note.exists()
    finally:
        bystander.kill()
        bystander.wait()


def test_without_root_the_way_out_is_said(debian: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(debian.ServiceError, match=r"Root is needed.*sudo.*TEST_DATABASE_URL"):
        debian.debian_folder("none", suite="trixie", packages=())


def test_a_folder_that_is_there_is_used_as_it_is(
    debian: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(debian, "CACHE", tmp_path)
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    (tmp_path / "whole").mkdir()
    assert debian.debian_folder("whole", suite="trixie", packages=()) == tmp_path / "whole"


def test_a_build_that_fails_leaves_nothing_behind(
    debian: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "debootstrap").write_text('#!/bin/sh\nmkdir "$4/half"\necho no such release; exit 1\n')
    (programs / "debootstrap").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(debian, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(debian, "PATH", path)
    monkeypatch.setattr(debian, "QUIET", {**os.environ, "PATH": path})
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "machine_mirror", lambda: "http://mirror.example/debian")
    left = tmp_path / "cache/building-of-a-killed-run/half"
    left.mkdir(parents=True)
    with pytest.raises(debian.ServiceError, match="no such release"):
        debian.debian_folder("server", suite="trixie", packages=("one", "two"))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["build.lock", "build.log"]


@pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ, reason="no TEST_DATABASE_URL: the suite is on the embedded server"
)
def test_the_server_under_the_suite_has_timescaledb_loaded() -> None:
    with psycopg.connect(os.environ["TEST_DATABASE_URL"]) as connection:
        loaded = connection.execute("show shared_preload_libraries").fetchone()
        offered = connection.execute(
            "select default_version from pg_available_extensions where name = 'timescaledb'"
        ).fetchone()
        telemetry = connection.execute("select current_setting('timescaledb.telemetry_level', true)").fetchone()
    if offered is None:
        pytest.skip("TEST_DATABASE_URL is a plain PostgreSQL")
    assert loaded is not None
    assert "timescaledb" in loaded[0]
    assert telemetry == ("off",)
