"""Settings: the one place that reads the environment and the clock's zone-aware now."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quantlib.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Everything a user may configure, from environment variables or a `.env` file in the project folder."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_prefix="WORKBENCH_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL or TimescaleDB address; empty starts the embedded server.",
    )
    mlflow_tracking_uri: str | None = Field(
        default=None,
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow tracking address; empty keeps runs in a local SQLite file.",
    )
    home: Path = Field(default=ROOT / "data" / "local", description="Folder for what the workbench creates.")
    data: Path = Field(default=ROOT / "data", description="Folder with universe.yaml and other facts.")
    source: str = Field(
        default="auto", description="Price source to use; auto is the one that serves the ready strategies best."
    )
    seed: int = Field(default=7, description="Seed of every simulation the pipeline runs.")
    worlds: int = Field(default=1000, ge=1, description="Simulated worlds per strategy.")
    horizon: int = Field(default=21, ge=1, description="Sessions a recommendation looks ahead.")
    app_port: int = Field(default=8501, ge=1, le=65535, description="Port of the app on 127.0.0.1.")
    mlflow_port: int = Field(default=5000, ge=1, le=65535, description="Port of the MLflow UI on 127.0.0.1.")

    @field_validator("home", "data")
    @classmethod
    def _in_full(cls, folder: Path) -> Path:
        return folder.expanduser()

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking address in force."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.resolve() / 'mlflow' / 'mlflow.db'}"

    @property
    def artifact_root(self) -> Path:
        """The folder that holds MLflow artifacts of the local tracking store."""
        return self.home.resolve() / "mlflow" / "artifacts"


@cache
def get_settings() -> Settings:
    """Return the settings in force, read once per process.

    Raises
    ------
    ConfigError
        A value in the environment or in `.env` is not of the accepted form.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        name = name if name.isupper() else f"WORKBENCH_{name.upper()}"
        raise ConfigError(f"Setting {name}: {first['msg']}; got {first['input']!r}. See .env.example.") from None


def utc_now() -> datetime:
    """Return the present moment, with its zone."""
    return datetime.now(UTC)
