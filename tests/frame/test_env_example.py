"""The example environment file: every setting and every compose variable, explained and harmless as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from quantlib.settings import ROOT as PROJECT
from quantlib.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / ".env.example").read_text()
ENTRY = re.compile(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$", flags=re.MULTILINE)
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def environment_name(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias or f"WORKBENCH_{field.upper()}")


def test_it_lists_every_setting_and_every_compose_variable_once() -> None:
    listed = [name for _, name, _ in ENTRY.findall(TEXT)]
    settings = {environment_name(field) for field in Settings.model_fields}
    compose = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    assert sorted(listed) == sorted(settings | compose)


def test_every_entry_is_explained() -> None:
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if ENTRY.match(line):
            assert re.match(r"# \S.*[.)]?$", lines[number - 1]), f"no comment above {line}"


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_the_default_shown_is_the_default(field: str) -> None:
    shown = {name: value for _, name, value in ENTRY.findall(TEXT)}[environment_name(field)]
    default = Settings.model_fields[field].default
    if default is None:
        assert shown == ""
    elif isinstance(default, Path):
        assert (PROJECT / shown) == default
    else:
        assert shown == str(default)


def test_compose_defaults_are_those_shown() -> None:
    shown = {name: value for _, name, value in ENTRY.findall(TEXT)}
    for name, default in re.findall(r"\$\{(\w+):-([^}]+)\}", COMPOSE):
        assert shown[name] == default


def test_a_plain_copy_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(environment_name(field), raising=False)
    assert Settings(_env_file=ROOT / ".env.example") == Settings(_env_file=None)


def test_the_secrets_are_left_for_the_user_to_set() -> None:
    values = dotenv_values(ROOT / ".env.example")
    assert values == {"POSTGRES_PASSWORD": "", "JUPYTER_TOKEN": ""}
