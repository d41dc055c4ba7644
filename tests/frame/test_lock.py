"""The lock: one exact version of everything, made from pyproject.toml, with no index address in it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "requirements.txt").read_text().splitlines()
LOCKED = [Requirement(line) for line in LINES if line.strip() and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]


def locked(name: str) -> list[Requirement]:
    return [line for line in LOCKED if canonicalize_name(line.name) == canonicalize_name(name)]


def version(line: Requirement) -> str:
    (only,) = line.specifier
    return only.version


def test_every_version_is_exact() -> None:
    assert len(LOCKED) > 100
    for line in LOCKED:
        assert re.fullmatch(r"==[^*,]+", str(line.specifier)), str(line)
        assert line.url is None, str(line)


def test_no_index_address_is_recorded() -> None:
    text = "\n".join(LINES)
    assert "://" not in text
    assert not re.search(r"^\s*-", text, flags=re.MULTILINE), "an option such as --index-url"


def test_a_package_has_two_versions_only_for_different_machines() -> None:
    for line in LOCKED:
        same = locked(line.name)
        assert len(same) == 1 or all(other.marker for other in same), line.name


@pytest.mark.parametrize("wanted", DIRECT, ids=lambda wanted: wanted.name)
def test_direct_dependency_is_locked_within_its_range(wanted: Requirement) -> None:
    found = locked(wanted.name)
    assert found, f"{wanted.name} is not in requirements.txt; run make lock"
    for line in found:
        assert wanted.specifier.contains(version(line), prereleases=True), f"{line} is outside {wanted}; run make lock"


@pytest.mark.parametrize("wanted", [w for w in DIRECT if w.extras], ids=lambda wanted: wanted.name)
def test_extras_are_locked_too(wanted: Requirement) -> None:
    for text in requires(wanted.name) or []:
        needed = Requirement(text)
        if needed.marker and any(needed.marker.evaluate({"extra": extra}) for extra in wanted.extras):
            assert locked(needed.name), f"{wanted} needs {needed.name}; run make lock"


def test_what_is_left_out_on_purpose_did_not_come_in() -> None:
    unwanted = {"backtrader", "vectorbt", "litellm", "langchain", "duckdb", "polars"}
    assert not unwanted & {canonicalize_name(line.name) for line in LOCKED}
