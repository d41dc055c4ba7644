"""A vendor's key is in no error, no log, no listing and no table, also where the vendor repeats it."""

from __future__ import annotations

import base64
import gzip
import logging
import re
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.errors import QuantError
from quantlib.settings import Settings
from quantlib.sources import SOURCES
from quantlib.sources.base import EVERYTHING, Ask, Call, Source
from quantlib.store import Store, WriteCount
from quantlib.workflows import ingest as ingesting
from quantlib.workflows import vendors
from quantlib.workflows.ingest import ingest
from quantlib.workflows.session import Session
from quantlib.workflows.vendors import call_for, list_sources, smoke

MARK = "canary"
KEYED = [name for name, source in SOURCES.items() if source.keys or source.optional_keys]
NAMES = sorted({name for source in SOURCES.values() for name in (*source.keys, *source.optional_keys)})
STATUSES = (200, 400, 401, 403, 404, 418, 429, 500)


def canary(name: str) -> str:
    """Return a key nobody could mistake, with signs that are written otherwise in an address."""
    return f"{MARK}+{name}/4242=="


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store) -> Session:
    """Return a session whose keys come half from the environment, half from a file."""
    file = tmp_path / "settings.env"
    file.write_text("".join(f"{name}={canary(name)}\n" for name in NAMES[::2]))
    for name in NAMES[1::2]:
        monkeypatch.setenv(name, canary(name))
    settings = Settings(home=tmp_path / "home", _env_file=file)
    assert {name: key.get_secret_value() for name, key in settings.credentials(NAMES).items()} == {
        name: canary(name) for name in NAMES
    }
    return Session(settings, store)


@pytest.fixture
def echo(httpserver: HTTPServer) -> dict[str, Any]:
    """Serve an answer that repeats everything it was sent, in several spellings; `status` is its status."""
    state: dict[str, Any] = {"status": 200, "asked": 0, "url": httpserver.url_for("").rstrip("/")}

    def repeat(request: Request) -> Response:
        state["asked"] += 1
        sent = " ".join([request.url, *request.args.values(), *(value for _, value in request.headers.items())])
        state["seen"] = state.get("seen", False) or MARK in sent
        words = f"Your key is wrong: {sent} {quote(sent)} {quote_plus(sent)}".replace('"', "'").replace("\\", "")
        return Response(
            f'{{"error": "{words}", "Information": "{words}", "message": "{words}", "status": "{words}", "code": "x"}}',
            status=state["status"],
            content_type="application/json",
        )

    httpserver.expect_request(re.compile(".*")).respond_with_handler(repeat)
    return state


def asks(source: Source) -> list[Ask]:
    """Return one question of every kind."""
    symbol = "KO" if "stock" in source.markets else "BTC-USD"
    names = {"macro": source.series[0].name if source.series else "", "releases": EVERYTHING}
    return [Ask.of(kind, names.get(kind, symbol), "2024-03-04", "2024-03-05") for kind in source.kinds]


def told(error: BaseException) -> str:
    """Return all that an error says, with its causes and where it came from."""
    return f"{error!r} {error} {''.join(traceback.format_exception(error))}"


def silent(text: str) -> bool:
    """Tell whether no canary is in a text, plainly or in base 64."""
    coded = [base64.b64encode(canary(name).encode())[:12].decode() for name in NAMES]
    return MARK not in text and not any(one in text for one in coded)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that was logged here; the lines of the server that plays the vendor are not ours."""
    return "".join(str(vars(one)) + one.getMessage() for one in caplog.records if one.name != "werkzeug")


def dump(store: Store) -> str:
    """Return every row of every table as text, with what is packed unpacked."""
    texts = []
    with store.begin() as connection:
        tables = connection.scalars(
            sa.text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        ).all()
        assert "ops.vendors" in tables
        for table in tables:
            texts += connection.scalars(sa.text(f"SELECT t::text FROM {table} t")).all()
        bodies = connection.scalars(sa.text("SELECT body FROM raw.payloads")).all()
    return " ".join([*texts, *(gzip.decompress(body).decode() for body in bodies)])


def locally(call: Call, echo: dict[str, Any]) -> Call:
    return replace(call, base_url=echo["url"], attempts=1, timeout=5)


@pytest.mark.parametrize("name", KEYED)
def test_no_error_and_no_answer_shows_a_key(
    name: str,
    session: Session,
    echo: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    source = replace(SOURCES[name], rates=())
    call = locally(call_for(session.store, session.settings, source), echo)
    texts = [repr(call), repr(session.settings)]
    for echo["status"] in STATUSES:
        with session.store.begin() as connection:
            connection.execute(sa.text("DELETE FROM ops.vendors"))  # every status is tried, whatever the last did
        for ask in asks(source):
            try:
                payload = source.request(ask, call)
                texts.append(f"{payload} {payload.text} {payload.url}")
                source.parse(payload)
            except QuantError as error:
                texts.append(told(error))
    assert echo["seen"], "the key was sent, and sent back"
    for text in texts:
        assert silent(text), text
    assert silent(logged(caplog))
    assert silent("".join(capfd.readouterr()))


def test_no_table_and_no_listing_shows_a_key(
    session: Session,
    echo: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)

    def calling(store: Store, settings: Settings, source: Source, **options: Any) -> Call:
        return locally(call_for(store, settings, source, **options), echo)

    monkeypatch.setattr(vendors, "call_for", calling)
    monkeypatch.setattr(ingesting, "write_reference", lambda *_: WriteCount())  # slow, and knows no key
    texts = []
    for echo["status"] in (200, 400):
        texts.append(repr(smoke(session, KEYED)))
        for name in KEYED:
            source = SOURCES[name]
            call = locally(call_for(session.store, session.settings, replace(source, rates=())), echo)
            for ask in asks(source):
                wanted = None if ask.name == EVERYTHING else [ask.name]
                result = ingest(session.store, name, wanted, kinds=[ask.kind], universe=session.universe, call=call)
                texts.append(f"{result!r} {result.headline} {result.rows()}")
    texts.append(repr(list_sources(session)))
    assert echo["seen"]
    found = dump(session.store)
    assert "fred" in found, "there is something to look through"
    for text in (*texts, found):
        assert silent(text), [text[max(0, at - 200) : at + 60] for at in [text.find(MARK)]]
    assert silent(logged(caplog))
    assert silent("".join(capfd.readouterr()))
