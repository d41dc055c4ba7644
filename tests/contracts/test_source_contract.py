"""What holds for every source in the registry, on answers written here and on every recorded one."""

from __future__ import annotations

import json
import logging
import random
import re
import socket
import traceback
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from damage import check, damage, whole
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.errors import SourceError
from quantlib.sources import SOURCES
from quantlib.sources.base import Ask, Call, EmptyError, FormatError, NoKeyError, Payload, Rate, Source

MARKETS = {"etf", "stock", "crypto", "index", "fund", "fx", "future"}
KEY = "s3cr3t+k3y/canary"
MUTATIONS = 120
"""Damaged copies of each answer; the seed is fixed."""
VENDORS = [name for name, source in SOURCES.items() if not source.local and not source.sample]


def answers_of(name: str) -> list[Payload]:
    """Return good answers of a source: those written in tests/answers, or what it gives without a network."""
    source = SOURCES[name]
    if name in VENDORS:
        return list(import_module(f"answers.{name}").ANSWERS)
    if source.smoke is None:
        return []
    return [source.request(source.smoke, Call(home=Path("nowhere")))]


def refusals_of(name: str) -> list[Payload]:
    """Return answers of a vendor that are errors, as written in tests/answers."""
    return list(import_module(f"answers.{name}").REFUSALS) if name in VENDORS else []


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_describes_itself(name: str) -> None:
    source = SOURCES[name]
    assert isinstance(source, Source)
    assert source.name == name
    assert source.title
    assert source.note.endswith(".")
    assert source.kinds
    assert bool(source.series) == ("macro" in source.kinds and not source.local)
    assert all(series.name and series.title and series.unit for series in source.series)
    assert set(source.markets) <= MARKETS
    assert all(isinstance(rate, Rate) and rate.calls > 0 and rate.seconds > 0 for rate in source.rates)
    assert all(re.fullmatch(r"[A-Z][A-Z_]+", key) for key in (*source.keys, *source.optional_keys))
    if name in VENDORS:
        assert source.rates, "a vendor's limits are kept, or guessed"
        assert source.smoke is not None
        assert source.smoke.kind in source.kinds
        assert source.verified or "documentation" in source.note, "the note says what has not been tested"
    if "bars" in source.kinds and name in VENDORS:
        assert source.markets, "a vendor of prices says of what"
    if source.price_scale == "raw" and "stock" in source.markets:
        assert source.actions or "no splits" in source.note, "raw prices need dividends and splits, or a warning"


def test_one_source_is_canonical() -> None:
    ranks = [source.priority for source in SOURCES.values()]
    assert len(set(ranks)) == len(ranks), "two sources of one priority: which is canonical would be chance"


@pytest.mark.parametrize("name", SOURCES)
def test_good_answers_become_rows_that_can_be_stored(name: str) -> None:
    answers = answers_of(name)
    assert {answer.kind for answer in answers} <= set(SOURCES[name].kinds)
    if name in VENDORS:
        assert {answer.kind for answer in answers} == set(SOURCES[name].kinds), "an answer of every kind is written"
    for payload in answers:
        parsed = SOURCES[name].parse(payload)
        assert check(parsed, payload) == whole(parsed) > 0
        in_bytes = SOURCES[name].parse(replace(payload, body=payload.text.encode()))
        assert whole(in_bytes) == whole(parsed)


@pytest.mark.parametrize("name", VENDORS)
def test_refusals_are_errors_of_a_kind(name: str) -> None:
    for payload in refusals_of(name):
        with pytest.raises(SourceError) as caught:
            SOURCES[name].parse(payload)
        assert not isinstance(caught.value, FormatError), caught.value


GARBAGE = ("", "<html><body>Sorry</body></html>", "{", "[]", "null", "0", '"words"', "a,b\n1,2\n", "[" * 5000, "\x00")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_named_not_read(name: str, body: str) -> None:
    for payload in answers_of(name):
        # An empty list is how some vendors say that there is no news.
        accepted = (FormatError, EmptyError) if (payload.kind, body) == ("news", "[]") else FormatError
        with pytest.raises(accepted, match=re.escape(payload.name)) as caught:
            SOURCES[name].parse(replace(payload, body=body))
        assert len(str(caught.value)) < 600, "a body is not repeated in full"


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.keys])
def test_without_a_key_nobody_is_asked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "create_connection", connect)
    source = SOURCES[name]
    for missing in source.keys:
        keys = {key: SecretStr(KEY) for key in source.keys if key != missing}
        for payload in answers_of(name):
            with pytest.raises(NoKeyError, match=missing):
                source.request(Ask.of(payload.kind, payload.name), Call(home=tmp_path, keys=keys))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.keys or source.optional_keys])
def test_a_key_that_the_vendor_repeats_is_nowhere(
    name: str, status: int, tmp_path: Path, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # the server's own log, which is not ours to keep clean
    seen: list[str] = []

    def echo(request: Request) -> Response:
        """Say back whatever was sent, in the words of a refusal."""
        seen.append(f"{unquote_plus(request.url)} {dict(request.headers)}")
        said = {"error": f"{request.url} {unquote_plus(request.url)} {dict(request.headers)}"}
        return Response(json.dumps(said), status, {"Location": request.url}, content_type="application/json")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(echo)
    source = SOURCES[name]
    keys = {key: SecretStr(KEY) for key in (*source.keys, *source.optional_keys)}
    call = Call(home=tmp_path, keys=keys, base_url=httpserver.url_for("").rstrip("/"), attempts=1, wait=0.01)
    for payload in answers_of(name):
        said = ""
        try:
            answer = source.request(Ask.of(payload.kind, payload.name), call)
            said = f"{answer!r}"
            source.parse(answer)
        except SourceError as error:
            said += "".join(traceback.format_exception(error)) + repr(error)
        assert said
        assert "canary" not in said
    assert any("canary" in one for one in seen), "the key is sent"
    assert "canary" not in caplog.text


@pytest.mark.parametrize("name", SOURCES)
def test_a_damaged_answer_is_an_error_or_rows_that_the_door_checks(name: str) -> None:
    rng = random.Random(name)
    for payload in (*answers_of(name), *refusals_of(name)):
        damage(SOURCES[name], payload, rng, MUTATIONS)


@pytest.mark.parametrize("name", VENDORS)
def test_an_answer_cut_short_anywhere_is_no_answer(name: str) -> None:
    for payload in answers_of(name):
        text = payload.text.rstrip()
        for size in range(0, len(text) - 1, max(1, len(text) // 80)):
            with suppress(SourceError):
                parsed = SOURCES[name].parse(replace(payload, body=text[:size]))
                assert whole(parsed) == whole(SOURCES[name].parse(payload)), f"cut at {size} of {len(text)}"


def test_a_sample_is_called_a_sample_and_dated(tmp_path: Path) -> None:
    source = SOURCES["sample"]
    assert source.sample
    assert "Sample" in source.title
    last = source.parse(source.request(Ask.of("bars", "KO"), Call(home=tmp_path))).bars["ts"].max()
    assert f"{last:%Y-%m-%d}" in source.title
