"""Settings: the one place that reads the environment and the clock's zone-aware now."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quantlib.errors import ConfigError, nearest

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[1]
KEYRING_SERVICE = "quant-workbench"
"""Name under which the system keyring keeps the keys."""
KEYRING_SECONDS = 5.0
"""How long the system keyring may take, all keys together: it may be asking somebody who is not there."""
KEYRING_AGAIN = 300.0
"""Seconds after which a keyring that did not answer is asked again."""
VAULT_SECONDS = 5.0
_ELSEWHERE = frozenset({"WORKBENCH_UID"})  # read by docker compose, not here


def _key(name: str, what: str) -> Any:
    return Field(default=None, validation_alias=name, description=what)


class Settings(BaseSettings):
    """Everything a user may configure, from environment variables or a `.env` file in the project folder.

    Vendors' keys may also be in the system keyring or in a HashiCorp Vault, which are asked when a key is needed
    and not before: the workbench starts without them.
    """

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
        repr=False,  # a remote one may hold a password
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow tracking address; empty keeps runs in a local SQLite file.",
    )
    home: Path = Field(default=ROOT / "data" / "local", description="Folder for what the workbench creates.")
    data: Path = Field(default=ROOT / "data", description="Folder with universe.yaml and other facts.")
    source: str = Field(
        default="auto", description="Price source to use; auto is the one that serves the daily strategies best."
    )
    strategies: str = Field(
        default="daily",
        description="What the pipeline runs: definitions by name, with commas between; or daily, or all.",
    )
    seed: int = Field(default=7, description="Seed of every simulation the pipeline runs.")
    worlds: int = Field(default=1000, ge=1, description="Simulated worlds per strategy.")
    horizon: int = Field(default=21, ge=1, description="Sessions a recommendation looks ahead.")
    holdout: date | None = Field(
        default=None,
        description="First day of the hold-out, on which nothing is chosen; empty for the last two full years or more.",
    )
    engine: Literal["threads", "processes", "ray"] = Field(
        default="threads",
        description="Where models are fitted and the sets of sweeps are run: here, in processes, or on a Ray cluster.",
    )
    app_port: int = Field(default=8501, ge=1, le=65535, description="Port of the app on 127.0.0.1.")
    mlflow_port: int = Field(default=5000, ge=1, le=65535, description="Port of the MLflow UI on 127.0.0.1.")
    alpaca_api_key: SecretStr | None = _key("ALPACA_API_KEY", "Key of Alpaca market data.")
    alpaca_secret_key: SecretStr | None = _key("ALPACA_SECRET_KEY", "The secret that belongs to Alpaca's key.")
    alphavantage_api_key: SecretStr | None = _key("ALPHAVANTAGE_API_KEY", "Key of Alpha Vantage.")
    coingecko_api_key: SecretStr | None = _key("COINGECKO_API_KEY", "Key of CoinGecko; not needed, it raises limits.")
    finnhub_api_key: SecretStr | None = _key("FINNHUB_API_KEY", "Key of Finnhub.")
    fred_api_key: SecretStr | None = _key("FRED_API_KEY", "Key of FRED.")
    newsapi_api_key: SecretStr | None = _key("NEWSAPI_API_KEY", "Key of NewsAPI.")
    polygon_api_key: SecretStr | None = _key("POLYGON_API_KEY", "Key of Polygon.")
    vault_addr: str | None = Field(
        default=None, validation_alias="VAULT_ADDR", description="Address of a HashiCorp Vault that keeps keys."
    )
    vault_token: SecretStr | None = _key("VAULT_TOKEN", "Token the Vault accepts.")
    vault_path: str = Field(
        default="secret/quant-workbench",
        pattern=r"^[^/]+(/[^/]+)+$",
        description="Where in the Vault: mount of a KV engine, version 2, then the secret that has the keys as fields.",
    )

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

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not be written down: what is set here, and keys handed out so far, wherever they came from."""
        here = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        if "@" in (uri := self.mlflow_tracking_uri or ""):
            here.append(uri)
        # The longest first: a short one may be a part of it.
        return tuple(sorted({*here, *_handed_out} - {""}, key=len, reverse=True))

    def credentials(self, names: Iterable[str], *, vault: bool = True) -> dict[str, SecretStr]:
        """Return those of the named keys that are set somewhere.

        A key is looked for in the environment, in `.env`, in the system keyring (service quant-workbench) and
        in the Vault; the first place that has it wins, and places after it are not asked.

        Parameters
        ----------
        names
            Names of the variables, such as FRED_API_KEY.
        vault
            Whether to ask the Vault.

        Raises
        ------
        ConfigError
            A key has to be looked for in the Vault, and it does not answer or denies the secret.

        Examples
        --------
        >>> get_settings().credentials(["FRED_API_KEY"])  # doctest: +SKIP
        {'FRED_API_KEY': SecretStr('**********')}
        """
        wanted = list(dict.fromkeys(names))
        found = {name: key for name in wanted if (key := getattr(self, name.lower())) is not None}
        if missing := tuple(name for name in wanted if name not in found):
            found |= _in_keyring(missing)
        missing = tuple(name for name in wanted if name not in found)
        if vault and missing and self.vault_addr and self.vault_token:
            kept = _in_vault(self.vault_addr, self.vault_token.get_secret_value(), self.vault_path)
            found |= {name: kept[name] for name in missing if name in kept}
        _handed_out.update(key.get_secret_value() for key in found.values())
        return found


_handed_out: set[str] = set()
_keyring_said: dict[tuple[str, ...], tuple[Mapping[str, SecretStr], float]] = {}
"""What the keyring answered for some names, and until when that holds."""


def _in_keyring(names: tuple[str, ...]) -> Mapping[str, SecretStr]:
    """Return what the system keyring has of the names; nothing where there is no keyring, or it does not answer.

    An answer holds as long as the process, a fault for some minutes.
    """
    found, until = _keyring_said.get(names, ({}, 0.0))
    if monotonic() >= until:
        found, whole = _ask_keyring(names)
        _keyring_said[names] = found, math.inf if whole else monotonic() + KEYRING_AGAIN
    return found


def _ask_keyring(names: tuple[str, ...]) -> tuple[Mapping[str, SecretStr], bool]:
    """Return what the keyring has of the names, and whether it has answered for all of them."""
    found: dict[str, SecretStr] = {}
    faults: list[str] = []

    def look() -> None:
        import keyring  # noqa: PLC0415  takes a tenth of a second, and most users have none
        from keyring.backends import fail, null  # noqa: PLC0415

        try:
            if isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring):
                return
            for name in names:
                if value := keyring.get_password(KEYRING_SERVICE, name):
                    found[name] = SecretStr(value)
        except Exception as error:  # noqa: BLE001  backends raise what their system does; keys may be elsewhere
            faults.append(f"cannot be read ({type(error).__name__})")

    asking = Thread(target=look, daemon=True)
    asking.start()
    asking.join(KEYRING_SECONDS)
    if asking.is_alive():
        faults.append(f"did not answer in {KEYRING_SECONDS:g} seconds")
    if faults:
        log.warning("The system keyring %s. It is asked again in %g minutes.", faults[0], KEYRING_AGAIN / 60)
    return dict(found), not faults


@cache
def _in_vault(address: str, token: str, path: str) -> Mapping[str, SecretStr]:
    """Return the fields of a secret in a Vault; none where there is no such secret."""
    import hvac  # noqa: PLC0415  takes a quarter of a second, and most users have none
    from hvac import exceptions  # noqa: PLC0415

    mount, _, name = path.partition("/")
    where = f"The Vault at {address.rpartition('@')[2]}"
    # No chaining anywhere: hvac's own words may repeat what was sent.
    try:
        client = hvac.Client(url=address, token=token, timeout=VAULT_SECONDS)
        answer = client.secrets.kv.v2.read_secret_version(name, mount_point=mount, raise_on_deleted_version=True)
        fields = answer["data"]["data"].items()
    except exceptions.InvalidPath:
        return {}
    except (exceptions.Forbidden, exceptions.Unauthorized):
        raise ConfigError(
            f"{where} denies reading {path}. Check VAULT_TOKEN, its policy and WORKBENCH_VAULT_PATH, or leave "
            "VAULT_ADDR empty."
        ) from None
    except (exceptions.VaultDown, exceptions.VaultNotInitialized):
        raise ConfigError(f"{where} is sealed or not set up. Unseal it, or leave VAULT_ADDR empty.") from None
    except exceptions.VaultError as error:
        raise ConfigError(f"{where} cannot answer ({type(error).__name__}). Try again later.") from None
    except (OSError, ValueError) as error:  # every fault of the connection is an OSError
        raise ConfigError(
            f"{where} is not reachable ({type(error).__name__}). Check VAULT_ADDR, or leave it empty."
        ) from None
    except (AttributeError, KeyError, TypeError):
        raise ConfigError(
            f"{where} answered something that is no secret of a KV engine, version 2. Check WORKBENCH_VAULT_PATH."
        ) from None
    return {str(field): SecretStr(value) for field, value in fields if isinstance(value, str) and value}


def _check_names() -> None:
    """Raise if a variable looks like a setting and is none: misspelt, it would be ignored in silence."""
    file = Settings.model_config.get("env_file")
    written = dotenv_values(str(file)) if file else {}
    accepted = {
        f"WORKBENCH_{name.upper()}" for name, field in Settings.model_fields.items() if not field.validation_alias
    }
    for name in [*os.environ, *written]:
        if name.upper().startswith("WORKBENCH_") and name.upper() not in accepted | _ELSEWHERE:
            place = "environment" if name in os.environ else "file .env"
            raise ConfigError(f"There is no setting {name}, which the {place} has. {nearest(name, accepted)}")


@cache
def get_settings() -> Settings:
    """Return the settings in force, read once per process.

    Raises
    ------
    ConfigError
        A value in the environment or in `.env` is not of the accepted form, or a name there is no setting.
    """
    _check_names()
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
