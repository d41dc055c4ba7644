"""Vendors' keys: from the environment, .env, the system keyring, then a Vault, and never seen on the way."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib import settings as module
from quantlib.errors import ConfigError
from quantlib.settings import ROOT, Settings

TOKEN = "hvs.canary-token"
PATH = "/v1/secret/data/quant-workbench"
KEYS = [name for name in (f.validation_alias for f in Settings.model_fields.values()) if str(name).endswith("_KEY")]


class Drawer(KeyringBackend):
    """A keyring in memory that counts how often it is asked."""

    priority = 1  # type: ignore[assignment]  # keyring's own is a property of the class

    def __init__(self, kept: dict[tuple[str, str], str], fault: Exception | None = None) -> None:
        super().__init__()
        self.kept, self.fault, self.asked = kept, fault, 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        if self.fault:
            raise self.fault
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


def shown(found: dict[str, SecretStr]) -> dict[str, str]:
    return {name: key.get_secret_value() for name, key in found.items()}


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def forget() -> None:
    module._keyring_said.clear()
    module._handed_out.clear()
    module._in_vault.cache_clear()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test without keys anywhere; what is found is not remembered."""
    for name in [*KEYS, "VAULT_ADDR", "VAULT_TOKEN"]:
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    forget()
    yield
    keyring.set_keyring(before)
    forget()


def secret(**fields: Any) -> dict[str, Any]:
    """Return what a KV engine, version 2, answers for a secret (Vault's API documentation)."""
    return {
        "request_id": "8c1e3c2a-6b3f-2a4e-0d5c-7f1f6f6f4f1d",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": {
            "data": fields,
            "metadata": {
                "created_time": "2024-03-22T02:24:06.945319214Z",
                "custom_metadata": None,
                "deletion_time": "",
                "destroyed": False,
                "version": 2,
            },
        },
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    }


def with_vault(server: HTTPServer, **given: Any) -> Settings:
    return settings(vault_addr=server.url_for("").rstrip("/"), vault_token=TOKEN, **given)


def test_every_key_of_the_registry_is_a_setting() -> None:
    assert sorted(map(str, KEYS)) == [
        "ALPACA_API_KEY",
        "ALPACA_SECRET_KEY",
        "ALPHAVANTAGE_API_KEY",
        "COINGECKO_API_KEY",
        "FINNHUB_API_KEY",
        "FRED_API_KEY",
        "NEWSAPI_API_KEY",
        "POLYGON_API_KEY",
    ]


def test_only_what_is_set_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRED_API_KEY", "from-environment")
    monkeypatch.setenv("POLYGON_API_KEY", "")
    found = settings().credentials(["FRED_API_KEY", "POLYGON_API_KEY", "FINNHUB_API_KEY", "FRED_API_KEY"])
    assert shown(found) == {"FRED_API_KEY": "from-environment"}
    assert settings().credentials([]) == {}


def test_each_place_comes_before_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, httpserver: HTTPServer
) -> None:
    every = ["FRED_API_KEY", "POLYGON_API_KEY", "FINNHUB_API_KEY", "NEWSAPI_API_KEY"]
    monkeypatch.setenv(every[0], "environment")
    (tmp_path / ".env").write_text("".join(f"{name}=file\n" for name in every[:2]))
    keyring.set_keyring(Drawer({("quant-workbench", name): "keyring" for name in every[:3]}))
    httpserver.expect_request(PATH).respond_with_json(secret(**dict.fromkeys(every, "vault")))
    monkeypatch.setenv("VAULT_ADDR", httpserver.url_for(""))
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    found = Settings(_env_file=tmp_path / ".env").credentials(every)
    assert shown(found) == dict(zip(every, ["environment", "file", "keyring", "vault"], strict=True))


def test_a_key_that_is_found_is_not_looked_for_elsewhere(httpserver: HTTPServer) -> None:
    drawer = Drawer({})
    keyring.set_keyring(drawer)
    assert shown(with_vault(httpserver, fred_api_key="here").credentials(["FRED_API_KEY"])) == {"FRED_API_KEY": "here"}
    assert drawer.asked == 0
    assert httpserver.log == []


def test_keyring_and_vault_are_loaded_only_when_a_key_is_looked_for() -> None:
    code = (
        "import sys; from quantlib.settings import Settings; s = Settings(_env_file=None, fred_api_key='x');"
        "s.credentials(['FRED_API_KEY']); print({'keyring', 'hvac'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


# ---- the keyring


@pytest.mark.parametrize("backend", [fail.Keyring(), null.Keyring(), Drawer({}, KeyringLocked("canary"))])
def test_a_keyring_that_is_none_or_locked_is_passed_over(
    backend: KeyringBackend, caplog: pytest.LogCaptureFixture
) -> None:
    keyring.set_keyring(backend)
    assert settings().credentials(["FRED_API_KEY"]) == {}
    assert "canary" not in caplog.text
    assert ("The system keyring cannot be read (KeyringLocked)" in caplog.text) == isinstance(backend, Drawer)


def test_a_keyring_that_waits_for_somebody_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()

    class Prompting(Drawer):
        def get_password(self, service: str, username: str) -> str | None:
            answered.wait(10)
            return "late"

    keyring.set_keyring(Prompting({}))
    monkeypatch.setattr(module, "KEYRING_SECONDS", 0.05)
    assert settings().credentials(["FRED_API_KEY"]) == {}
    assert "did not answer in 0.05 seconds" in caplog.text
    answered.set()


@pytest.mark.parametrize("slow", [False, True])
def test_a_fault_of_the_keyring_holds_some_minutes_only(monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> None:
    class Waking(Drawer):
        def get_password(self, service: str, username: str) -> str | None:
            self.asked += 1
            if self.asked == 1:
                if not slow:
                    raise KeyringLocked
                released.wait(10)
            return "kept"

    released, clock, drawer = threading.Event(), [1000.0], Waking({})
    keyring.set_keyring(drawer)
    monkeypatch.setattr(module, "KEYRING_SECONDS", 0.1 if slow else 5.0)
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])

    def found() -> dict[str, str]:
        return shown(settings().credentials(["FRED_API_KEY"]))

    assert found() == found() == {}
    released.set()
    clock[0] += module.KEYRING_AGAIN - 1
    assert found() == {}
    assert drawer.asked == 1, "a keyring that asks somebody does not ask them again and again"
    monkeypatch.setattr(module, "KEYRING_SECONDS", 5.0)
    clock[0] += 2
    assert found() == {"FRED_API_KEY": "kept"}
    clock[0] += 10 * module.KEYRING_AGAIN
    assert found() == {"FRED_API_KEY": "kept"}
    assert drawer.asked == 2


def test_the_keyring_is_asked_once() -> None:
    drawer = Drawer({("quant-workbench", "FRED_API_KEY"): "kept"})
    keyring.set_keyring(drawer)
    for _ in range(3):
        assert shown(settings().credentials(["FRED_API_KEY"])) == {"FRED_API_KEY": "kept"}
    assert drawer.asked == 1


# ---- the Vault


def test_the_vault_is_asked_as_it_wants_to_be(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/team/kv/data/x").respond_with_json({}, status=500)
    httpserver.expect_request("/v1/team/data/quant/keys").respond_with_json(
        secret(FRED_API_KEY="kept", POLYGON_API_KEY="", FINNHUB_API_KEY=7, other="x")
    )
    vault = with_vault(httpserver, vault_path="team/quant/keys")
    names = ["FRED_API_KEY", "POLYGON_API_KEY", "FINNHUB_API_KEY"]
    assert shown(vault.credentials(names)) == {"FRED_API_KEY": "kept"}
    vault.credentials(["NEWSAPI_API_KEY"])
    (request, _) = httpserver.log[0]
    assert request.headers["X-Vault-Token"] == TOKEN
    assert len(httpserver.log) == 1, "one answer serves all keys"


def test_without_a_token_the_vault_is_not_asked(httpserver: HTTPServer) -> None:
    assert settings(vault_addr=httpserver.url_for("")).credentials(["FRED_API_KEY"]) == {}
    assert httpserver.log == []


def test_a_secret_that_is_not_there_has_no_keys(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"errors": []}, status=404)
    assert with_vault(httpserver).credentials(["FRED_API_KEY"]) == {}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}, "denies reading secret/quant-workbench"),
        (403, {"errors": [f"bad token {TOKEN}"]}, "denies reading"),
        (503, {"errors": ["Vault is sealed"]}, "is sealed or not set up. Unseal it"),
        (501, {"errors": ["not initialized"]}, "is sealed or not set up"),
        (500, {"errors": [f"internal error with {TOKEN}"]}, r"cannot answer \(InternalServerError\)"),
        (429, {"errors": []}, r"cannot answer \(RateLimitExceeded\)"),
        (200, {"data": {"FRED_API_KEY": "version 1"}}, "no secret of a KV engine, version 2"),
        (200, {"data": {"data": None}}, "no secret of a KV engine, version 2"),
        (200, [1], "no secret of a KV engine, version 2"),
        (200, "<html>", "no secret of a KV engine, version 2"),
    ],
)
def test_what_a_vault_refuses_is_said_in_one_line_without_the_token(
    httpserver: HTTPServer, status: int, body: Any, said: str
) -> None:
    if isinstance(body, str):
        httpserver.expect_request(PATH).respond_with_data(body)
    else:
        httpserver.expect_request(PATH).respond_with_json(body, status=status)
    with pytest.raises(ConfigError, match=f"The Vault at http://localhost:.* {said}") as caught:
        with_vault(httpserver).credentials(["FRED_API_KEY"])
    assert "\n" not in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_vault_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(ConfigError, match=r"The Vault at 127\.0\.0\.1:1 is not reachable \(\w+\)\. Check VAULT_ADDR"):
        settings(vault_addr="http://me:secret@127.0.0.1:1", vault_token=TOKEN).credentials(["FRED_API_KEY"])


def test_a_vault_that_is_too_slow_is_unreachable(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def wait(_: Request) -> Response:
        release.wait(5)
        return Response("{}")

    httpserver.expect_request(PATH).respond_with_handler(wait)
    monkeypatch.setattr(module, "VAULT_SECONDS", 0.1)
    try:
        with pytest.raises(ConfigError, match=r"is not reachable \(ReadTimeout\)"):
            with_vault(httpserver).credentials(["FRED_API_KEY"])
    finally:
        release.set()


def test_a_fault_is_not_remembered(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(PATH).respond_with_json({"errors": ["Vault is sealed"]}, status=503)
    httpserver.expect_request(PATH).respond_with_json(secret(FRED_API_KEY="kept"))
    with pytest.raises(ConfigError):
        with_vault(httpserver).credentials(["FRED_API_KEY"])
    assert shown(with_vault(httpserver).credentials(["FRED_API_KEY"])) == {"FRED_API_KEY": "kept"}


# ---- silence


def test_no_key_is_seen_in_the_settings(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> None:
    for name in [*KEYS, "VAULT_TOKEN"]:
        monkeypatch.setenv(str(name), f"canary-{name}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:canary@host")
    monkeypatch.setenv("VAULT_ADDR", httpserver.url_for(""))
    one = settings()
    shapes = f"{one} {one!r} {one.credentials(map(str, KEYS))} "
    assert "canary" not in shapes
    assert "canary-" not in f"{one.model_dump()} {one.model_dump_json()}"


def test_whatever_was_handed_out_is_known_as_a_secret(httpserver: HTTPServer) -> None:
    keyring.set_keyring(Drawer({("quant-workbench", "FRED_API_KEY"): "in-keyring"}))
    httpserver.expect_request(PATH).respond_with_json(secret(POLYGON_API_KEY="in-vault"))
    one = with_vault(httpserver, finnhub_api_key="in-settings-and-long", mlflow_tracking_uri="http://me:word@host")
    assert set(one.secrets) == {"in-settings-and-long", TOKEN, "http://me:word@host"}
    one.credentials(["FRED_API_KEY", "POLYGON_API_KEY"])
    assert set(one.secrets) == {"in-settings-and-long", TOKEN, "http://me:word@host", "in-keyring", "in-vault"}
    assert one.secrets[0] == "in-settings-and-long", "the longest first: another may be a part of it"
    assert "http://host" not in settings(mlflow_tracking_uri="http://host").secrets
