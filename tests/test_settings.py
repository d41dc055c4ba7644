"""Settings come from the environment, then from .env, and a wrong one is said in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from quantlib import settings as module
from quantlib.errors import ConfigError
from quantlib.settings import ROOT, Settings, get_settings, utc_now


def variable(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias or f"WORKBENCH_{field.upper()}")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Start each test without settings in the environment, in .env, or remembered from before."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_defaults_need_no_configuration() -> None:
    settings = get_settings()
    assert settings.database_url is None
    assert settings.mlflow_tracking_uri is None
    assert settings.home == ROOT / "data" / "local"
    assert settings.data == ROOT / "data"
    assert (settings.source, settings.seed, settings.worlds, settings.horizon) == ("auto", 7, 1000, 21)
    assert (settings.app_port, settings.mlflow_port) == (8501, 5000)


def test_root_is_the_project_folder() -> None:
    assert (ROOT / "pyproject.toml").is_file()
    assert (ROOT / "quantlib" / "settings.py").is_file()


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_is_explained(field: str) -> None:
    assert (Settings.model_fields[field].description or "").endswith(".")


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("WORKBENCH_SEED", "11", "seed", 11),
        ("workbench_worlds", "50", "worlds", 50),
        ("WORKBENCH_HORIZON", "5", "horizon", 5),
        ("WORKBENCH_SOURCE", "sample", "source", "sample"),
        ("WORKBENCH_HOME", "/srv/workbench", "home", Path("/srv/workbench")),
        ("WORKBENCH_DATA", "/srv/facts", "data", Path("/srv/facts")),
        ("WORKBENCH_APP_PORT", "8600", "app_port", 8600),
        ("WORKBENCH_MLFLOW_PORT", "5001", "mlflow_port", 5001),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000", "mlflow_tracking_uri", "http://127.0.0.1:5000"),
    ],
)
def test_environment_sets(monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(get_settings(), field) == expected


def test_database_address_is_kept_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@host/name")
    settings = get_settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://user:hunter2@host/name"
    assert "hunter2" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    monkeypatch.setenv(variable(field), "")
    assert get_settings() == Settings(_env_file=None)


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKBENCH_SEED=1\nWORKBENCH_WORLDS=20\nPOSTGRES_PASSWORD=for_compose\n")
    monkeypatch.setenv("WORKBENCH_SEED", "2")
    assert (get_settings().seed, get_settings().worlds) == (2, 20)


def test_real_env_file_is_the_one_in_the_project_folder() -> None:
    source = Path(module.__file__).read_text()
    assert 'env_file=ROOT / ".env"' in source


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKBENCH_SEED", "seven"),
        ("WORKBENCH_WORLDS", "0"),
        ("WORKBENCH_HORIZON", "-1"),
        ("WORKBENCH_APP_PORT", "0"),
        ("WORKBENCH_MLFLOW_PORT", "65536"),
        ("WORKBENCH_VAULT_PATH", "secret"),
        ("WORKBENCH_VAULT_PATH", "/secret/workbench"),
    ],
)
def test_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        get_settings()
    message = str(caught.value)
    assert name in message
    assert repr(value) in message
    assert ".env.example" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "meant"),
    [("WORKBENCH_SEEDS", "WORKBENCH_SEED"), ("workbench_hom", "WORKBENCH_HOME"), ("WORKBENCH_PORT", "WORKBENCH_")],
)
def test_misspelt_variable_is_told_apart_from_none(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=f"There is no setting {name}, which the environment has. .*{meant}"):
        get_settings()


def test_misspelt_name_in_the_env_file_is_told_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKBENCH_WORLD=20\n")
    with pytest.raises(ConfigError, match=r"no setting WORKBENCH_WORLD, which the file \.env has\. .*WORKBENCH_WORLDS"):
        get_settings()


def test_variables_of_the_containers_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_UID", "1000")
    compose = set(re.findall(r"\$\{(WORKBENCH_\w+)", (ROOT / "docker-compose.yml").read_text()))
    for name in compose:
        monkeypatch.setenv(name, "")
    get_settings()


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = get_settings()
    monkeypatch.setenv("WORKBENCH_SEED", "99")
    assert get_settings() is before


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        get_settings().seed = 1


def test_runs_are_kept_under_home_at_an_absolute_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", "here")
    settings = get_settings()
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/here/mlflow/mlflow.db"
    assert settings.artifact_root == tmp_path / "here" / "mlflow" / "artifacts"


def test_tracking_address_given_is_the_one_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert get_settings().tracking_uri == "http://127.0.0.1:5000"


def test_now_has_its_zone() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
