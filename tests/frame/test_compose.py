"""The compose file: valid by its published schema, closed to the outside, and running only our own commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SECRETS = {"POSTGRES_PASSWORD", "JUPYTER_TOKEN"}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^{}]*))?\}")


def interpolated(text: str, environment: dict[str, str]) -> str:
    """Return the text with variables put in as compose does; an unset required one is an error."""

    def value(match: re.Match[str]) -> str:
        name, form, word = match.groups()
        if found := environment.get(name):
            return found
        if form == ":?":
            raise ValueError(f"{name}: {word}")
        return word or ""

    return VARIABLE.sub(value, text).replace("$$", "$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the compose file as compose reads it, with the two secrets set."""
    text = interpolated(COMPOSE.read_text(), {"POSTGRES_PASSWORD": "secret", "JUPYTER_TOKEN": "token"})
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return compose["services"]


def one_shot(service: dict[str, Any]) -> bool:
    return service.get("restart") == "no"


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    """Return the verdict of the published compose schema, which comes with check-jsonschema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_file_follows_the_published_schema() -> None:
    done = validate(COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schema_refuses_a_slip(tmp_path: Path) -> None:
    slip = tmp_path / "docker-compose.yml"
    slip.write_text(COMPOSE.read_text().replace("depends_on:", "depend_on:", 1))
    done = validate(slip)
    assert done.returncode == 1
    assert "depend_on" in done.stdout


def test_services_are_the_six_of_the_design(services: dict[str, dict[str, Any]]) -> None:
    assert services.keys() == {"timescaledb", "migrate", "app", "worker", "mlflow", "jupyter"}


def test_secrets_are_required_and_never_written_down() -> None:
    text = COMPOSE.read_text()
    uses = [(name, form) for name, form, _ in VARIABLE.findall(text) if name in SECRETS]
    assert {name for name, _ in uses} == SECRETS
    assert {form for _, form in uses} == {":?"}
    for name in SECRETS:
        with pytest.raises(ValueError, match=name):
            interpolated(text, dict.fromkeys(SECRETS - {name}, "x"))
    for line in text.splitlines():
        if re.search(r"PASSWORD|TOKEN|SECRET", line):
            assert "${" in line, f"a secret without a variable: {line.strip()}"


def test_ports_are_open_to_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 4
    for port in published:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port
    assert len({port.split(":")[1] for port in published}) == len(published), "two services want one port"
    assert not any(service.get("network_mode") for service in services.values())


def test_images_are_pinned_to_one_version(services: dict[str, dict[str, Any]]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*", service["image"]), name
        if "build" in service:
            assert service["image"] == f"quant-workbench:{version}", name


def test_database_image_is_the_version_the_suite_runs_against(services: dict[str, dict[str, Any]]) -> None:
    script = (ROOT / "tests/services/timescaledb.py").read_text()
    major = re.search(r"postgresql-(\d+)-timescaledb", script)
    assert major
    assert services["timescaledb"]["image"].endswith(f"-pg{major[1]}")


def test_every_server_has_a_health_check_and_every_job_ends(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        check = service["healthcheck"]
        if one_shot(service):
            assert check == {"disable": True}, f"{name} ends by itself; the image's check is for the app"
        else:
            assert service["restart"] == "unless-stopped", name
            assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
            assert {"interval", "timeout", "retries", "start_period"} <= check.keys(), name
    assert {name for name, service in services.items() if one_shot(service)} == {"migrate"}


def test_health_checks_ask_the_port_the_service_listens_on(services: dict[str, dict[str, Any]]) -> None:
    for name in ("app", "mlflow", "jupyter"):
        service = services[name]
        port = service["command"][service["command"].index("--port") + 1]
        assert f"127.0.0.1:{port}/" in service["healthcheck"]["test"][-1], name
        assert service["ports"][0].endswith(f":{port}"), name
        compile(service["healthcheck"]["test"][-1], name, "exec")


def test_dependencies_exist_and_wait_for_the_right_thing(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, rule in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if one_shot(services[other]) else "service_healthy"
            assert rule["condition"] == expected, f"{name} on {other}"

    def needs(name: str, path: tuple[str, ...] = ()) -> set[str]:
        assert name not in path, f"{name} waits for itself"
        found = set(services[name].get("depends_on", {}))
        return found.union(*(needs(other, (*path, name)) for other in found))

    for name in services:
        waits = needs(name)
        if "DATABASE_URL" in services[name]["environment"] and name not in {"migrate", "mlflow"}:
            assert {"timescaledb", "migrate"} <= waits, name


def test_volumes_are_named_and_declared(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    mounted = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert mounted - set(compose["volumes"]) == {"./research"}, "the only folder of the host that is mounted"
    assert set(compose["volumes"]) <= mounted


def test_nothing_runs_with_more_rights_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["user"] not in {"root", "0", 0, "0:0"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert not service.keys() & {"privileged", "cap_add", "devices", "pid", "ipc"}, name


def test_every_command_is_one_that_make_also_runs(services: dict[str, dict[str, Any]]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = [service["command"] for service in services.values() if "command" in service]
    assert len(commands) == 5
    for command in commands:
        words = command[: command.index("--host")] if "--host" in command else command
        assert f"$(BIN)/{shlex.join(words)}" in makefile, f"no make target runs {shlex.join(words)}"


def test_every_command_is_understood_by_the_command_line(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        if "command" in service:
            command = [sys.executable, "-m", "quantlib.cli", *service["command"][1:], "--help"]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
