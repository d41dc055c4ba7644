"""The image: pinned, small, without secrets, and set up by the steps that make uses."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their words, continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", TEXT, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def stages() -> list[list[tuple[str, str]]]:
    out: list[list[tuple[str, str]]] = []
    for name, words in instructions():
        if name == "FROM":
            out.append([])
        out[-1].append((name, words))
    return out


def test_two_stages_on_one_pinned_slim_image() -> None:
    bases = [stage[0][1].split()[0] for stage in stages()]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])


def test_image_python_is_one_the_package_accepts() -> None:
    floor = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    base = re.search(r"FROM python:3\.(\d+)", TEXT)
    assert floor
    assert base
    assert int(base[1]) >= int(floor[1])


def test_uv_is_the_version_of_the_makefile() -> None:
    version = re.search(r"ARG UV_VERSION=(\S+)", TEXT)
    assert version
    assert f"UV_VERSION := {version[1]}\n" in MAKEFILE


def test_packages_come_from_the_lock() -> None:
    installs = [words for name, words in instructions() if name == "RUN" and "uv pip install" in words]
    assert len(installs) == 2
    assert "--constraint requirements.txt" in installs[0]
    assert "--no-deps --editable ." in installs[1]
    assert re.search(r"uv pip install .*--no-deps .*--editable \.", MAKEFILE)


def test_build_tools_stay_in_the_build_stage() -> None:
    final = stages()[-1]
    assert not [words for name, words in final if name == "RUN" and re.search(r"\b(uv|pip|apt-get)\b", words)]
    assert ("COPY", "--from=build /opt/venv /opt/venv") in final


def test_it_runs_as_a_normal_user() -> None:
    names = [name for name, _ in stages()[-1]]
    assert ("USER", "workbench") in stages()[-1]
    assert names.index("USER") < names.index("CMD")
    assert "USER" not in names[names.index("USER") + 1 :]
    assert "RUN" not in names[names.index("USER") :]


def test_it_has_a_health_check_on_the_port_of_its_command() -> None:
    words = dict(stages()[-1])
    port = words["EXPOSE"]
    assert f'"--port", "{port}"' in words["CMD"]
    assert f"127.0.0.1:{port}/_stcore/health" in words["HEALTHCHECK"]
    assert re.search(r'\["workbench", "app"', words["CMD"])
    assert "$(BIN)/workbench app" in MAKEFILE


def test_no_secret_and_no_download_is_in_it() -> None:
    assert not re.search(r"PASSWORD|TOKEN|SECRET|API_KEY", TEXT)
    assert not re.search(r"^ADD ", TEXT, flags=re.MULTILINE)
    assert "http://" not in TEXT.replace("http://127.0.0.1", "")
    assert "https://" not in TEXT


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out of the image: the last rule that matches it or a parent wins."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        keep, pattern = line.startswith("!"), line.removeprefix("!")
        parts = path.split("/")
        parents = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        if pattern.startswith("**/"):
            hit = any(fnmatch.fnmatch(part, pattern.removeprefix("**/")) for part in parts)
        else:
            hit = any(p.count("/") == pattern.count("/") and fnmatch.fnmatch(p, pattern) for p in parents)
        if hit:
            out = not keep
    return out


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.local",
        "data/.env",
        ".git/config",
        ".venv/bin/python",
        "data/local/pg/base",
        "tests/conftest.py",
        "quantlib/__pycache__/types.pyc",
        "research/.ipynb_checkpoints/x.ipynb",
        "docker-compose.yml",
        "notes.txt",
    ],
)
def test_stays_out_of_the_image(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "pyproject.toml",
        "requirements.txt",
        "README.md",
        "LICENSE",
        ".streamlit/config.toml",
        "quantlib/types.py",
        "quantlib/py.typed",
        "app/main.py",
        "pages/today.py",
        "research/01-quickstart.ipynb",
        "data/universe.yaml",
    ],
)
def test_goes_into_the_image(path: str) -> None:
    assert not ignored(path)
