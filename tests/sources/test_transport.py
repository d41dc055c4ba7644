"""How vendors are called, against a local server: timeouts, retries, limits, damaged answers, silence about keys."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.errors import SourceError
from quantlib.sources import transport
from quantlib.sources.base import (
    BadKeyError,
    Call,
    FormatError,
    LimitError,
    NotFoundError,
    PausedError,
    UnreachableError,
)
from quantlib.sources.transport import Answer, attempt, brief, get, without

KEY = "canary+key/1234"


class Diary:
    """A gate that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def enter(self, source: str) -> None:
        self.heard.append("enter")

    def succeeded(self, source: str) -> None:
        self.heard.append("succeeded")

    def failed(self, source: str, error: Exception) -> None:
        self.heard.append(type(error).__name__.removeprefix("_"))


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def call(tmp_path: Path, diary: Diary) -> Call:
    return Call(tmp_path, timeout=2.0, attempts=3, wait=0.001, gate=diary)


def ask(call: Call, server: HTTPServer, path: str = "/v1") -> Answer:
    return get(
        call,
        "vendor",
        "Vendor",
        server.url_for(path),
        params={"symbol": "KO", "from": "2024-01-02"},
        secret_params={"apikey": KEY},
        secret_headers={"X-Key": KEY},
    )


def in_turn(server: HTTPServer, *answers: Response) -> list[Request]:
    """Serve the answers one after another, the last one for ever after; return the requests that came."""
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    server.expect_request("/v1").respond_with_handler(answer)
    return asked


def test_an_answer_comes_back_whole_and_its_address_without_the_key(
    call: Call, httpserver: HTTPServer, diary: Diary
) -> None:
    asked = in_turn(httpserver, Response("größer"))
    answer = ask(call, httpserver)
    assert (answer.status, answer.text) == (200, "größer")
    assert abs(parsedate_to_datetime(answer.date) - datetime.now(UTC)) < timedelta(minutes=1)
    assert answer.url == httpserver.url_for("/v1") + "?symbol=KO&from=2024-01-02"
    assert asked[0].args.to_dict() == {"symbol": "KO", "from": "2024-01-02", "apikey": KEY}
    assert asked[0].headers["X-Key"] == KEY
    assert asked[0].headers["User-Agent"] == "quant-workbench"
    assert diary.heard == ["enter"], "whether an answer is good is said by who reads it"


def test_a_server_fault_is_tried_again_and_the_gate_hears_of_each(
    call: Call, httpserver: HTTPServer, diary: Diary
) -> None:
    asked = in_turn(httpserver, Response(status=503), Response(status=500), Response("{}"))
    assert ask(call, httpserver).text == "{}"
    assert len(asked) == 3
    assert diary.heard == ["enter", "enter", "enter"]


def test_a_server_fault_that_stays_is_given_up(call: Call, httpserver: HTTPServer) -> None:
    asked = in_turn(httpserver, Response(status=502))
    with pytest.raises(UnreachableError, match=r"Vendor has a fault of its own \(HTTP 502\)"):
        ask(call, httpserver)
    assert len(asked) == 3


@pytest.mark.parametrize("status", [400, 404, 422, 426])
def test_other_statuses_are_left_to_who_reads_the_answer(call: Call, httpserver: HTTPServer, status: int) -> None:
    asked = in_turn(httpserver, Response('{"error": "no"}', status=status))
    assert ask(call, httpserver)[:2] == (status, '{"error": "no"}')
    assert len(asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again(call: Call, httpserver: HTTPServer, status: int, diary: Diary) -> None:
    asked = in_turn(httpserver, Response(f"Your key {KEY} is wrong", status=status))
    with pytest.raises(BadKeyError, match=f"HTTP {status}.*Your key … is wrong"):
        ask(call, httpserver)
    assert len(asked) == 1
    assert diary.heard == ["enter", "BadKeyError"]


@pytest.mark.parametrize("pause", [None, "3600", "11", "Tue, 05 Mar 2024 14:46:45 GMT", "-1", "soon"])
def test_a_limit_is_not_tried_again_unless_a_short_pause_is_enough(
    call: Call, httpserver: HTTPServer, pause: str | None, diary: Diary
) -> None:
    headers = {"Retry-After": pause} if pause else {}
    asked = in_turn(httpserver, Response("slow down", status=429, headers=headers))
    with pytest.raises(LimitError, match=r"too many requests.*slow down"):
        ask(call, httpserver)
    assert len(asked) == 1
    assert diary.heard == ["enter", "LimitError"]


def test_a_short_pause_asked_for_is_made(call: Call, httpserver: HTTPServer) -> None:
    asked = in_turn(httpserver, Response(status=429, headers={"Retry-After": "0"}), Response("{}"))
    assert ask(call, httpserver).text == "{}"
    assert len(asked) == 2


def test_the_pause_made_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    paused: list[float] = []
    monkeypatch.setattr("time.sleep", paused.append)
    refusals = iter(["2", "7"])

    def once() -> str:
        if (pause := next(refusals, None)) is not None:
            transport.check_status(Answer(429, "", ""), "Vendor", retry_after=pause)
        return "done"

    assert attempt(call, "vendor", once) == "done"
    assert paused == [2.0, 7.0]


def test_a_silent_vendor_is_given_up_after_the_timeout(call: Call, httpserver: HTTPServer, tmp_path: Path) -> None:
    release = threading.Event()

    def wait(_: Request) -> Response:
        release.wait(5)
        return Response("{}")

    httpserver.expect_request("/v1").respond_with_handler(wait)
    try:
        with pytest.raises(UnreachableError, match=r"not reachable \(ReadTimeout\)"):
            ask(Call(tmp_path, timeout=0.1, attempts=1), httpserver)
    finally:
        release.set()


def test_a_vendor_that_drips_is_given_up_too(httpserver: HTTPServer, tmp_path: Path) -> None:
    stop = threading.Event()

    def drip(_: Request) -> Response:
        def drops() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * 70_000
                if stop.wait(0.05):
                    return

        return Response(drops(), direct_passthrough=True)

    httpserver.expect_request("/v1").respond_with_handler(drip)
    try:
        with pytest.raises(UnreachableError, match="did not finish its answer in time"):
            ask(Call(tmp_path, timeout=0.2, attempts=1), httpserver)
    finally:
        stop.set()


def test_a_vendor_that_is_not_there_is_unreachable(call: Call, diary: Diary) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"Vendor is not reachable \(ConnectionError\)"):
        get(call, "vendor", "Vendor", f"http://127.0.0.1:{port}/v1", secret_params={"apikey": KEY})
    assert diary.heard == ["enter", "enter", "enter", "UnreachableError"], "one question is one fault"


def packed(text: str, change: Callable[[bytes], bytes] = lambda body: body) -> Response:
    return Response(change(gzip.compress(text.encode())), headers={"Content-Encoding": "gzip"})


def test_a_packed_answer_is_unpacked(call: Call, httpserver: HTTPServer) -> None:
    in_turn(httpserver, packed("day;price\n" * 50_000))
    assert ask(call, httpserver).text == "day;price\n" * 50_000


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body[: len(body) // 2], id="half of it"),
        pytest.param(lambda body: body[:-1], id="last byte gone"),
        pytest.param(lambda body: body[:20] + b"\xff\x00\xff" + body[23:], id="a hole"),
        pytest.param(lambda body: b"not packed at all", id="not packed"),
        pytest.param(lambda body: body[:-8] + b"\0" * 8, id="wrong checksum"),
    ],
)
def test_a_damaged_packed_answer_is_tried_again_and_never_half_read(
    call: Call, httpserver: HTTPServer, change: Callable[[bytes], bytes]
) -> None:
    text = "".join(f"2024-01-{day:02};{day * 1.0137}\n" for day in range(1, 32)) * 3
    asked = in_turn(httpserver, packed(text, change), packed(text))
    assert ask(call, httpserver).text == text
    assert len(asked) == 2
    httpserver.clear()
    in_turn(httpserver, packed(text, change))
    with pytest.raises(UnreachableError):
        ask(call, httpserver)


def test_an_answer_shorter_than_announced_is_tried_again(call: Call, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(UnreachableError, match="ProtocolError"):
            get(
                Call(tmp_path, attempts=2, wait=0.001),
                "vendor",
                "Vendor",
                f"http://127.0.0.1:{server.getsockname()[1]}/",
            )
        thread.join()


@pytest.mark.parametrize("pack", [False, True])
def test_a_huge_answer_is_refused(
    call: Call, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, pack: bool
) -> None:
    monkeypatch.setattr(transport, "LARGEST", 1_000_000)
    text = "0" * 1_000_001
    asked = in_turn(httpserver, packed(text) if pack else Response(text))
    with pytest.raises(FormatError, match="larger than 1 MB"):
        ask(call, httpserver)
    assert len(asked) == 1
    httpserver.clear()
    in_turn(httpserver, packed(text[1:]) if pack else Response(text[1:]))
    assert len(ask(call, httpserver).text) == 1_000_000


def test_an_unknown_packing_is_refused(call: Call, httpserver: HTTPServer) -> None:
    in_turn(httpserver, Response(b"\x0b\x02", headers={"Content-Encoding": "br"}))
    with pytest.raises(FormatError, match="packed its answer as 'br'; accepted: gzip"):
        ask(call, httpserver)


def test_text_is_utf8_unless_the_vendor_says_otherwise(call: Call, httpserver: HTTPServer) -> None:
    in_turn(httpserver, Response("Größe".encode(), content_type="text/csv"))
    assert ask(call, httpserver).text == "Größe"
    httpserver.clear()
    in_turn(httpserver, Response("Größe".encode("latin-1"), content_type="text/csv; charset=ISO-8859-1"))
    assert ask(call, httpserver).text == "Größe"


def test_bytes_that_are_no_text_do_not_stop_the_reading(call: Call, httpserver: HTTPServer) -> None:
    in_turn(httpserver, Response(b"\xff\xfe{}", content_type="application/json"))
    assert ask(call, httpserver).text == "��{}"
    httpserver.clear()
    in_turn(httpserver, Response(b"{}", content_type="application/json; charset=klingon"))
    with pytest.raises(UnreachableError):
        ask(call, httpserver)


def test_a_key_is_not_sent_on_to_another_address(call: Call, httpserver: HTTPServer) -> None:
    elsewhere: list[Request] = []

    def catch(request: Request) -> Response:
        elsewhere.append(request)
        return Response("{}")

    httpserver.expect_request("/elsewhere").respond_with_handler(catch)
    in_turn(httpserver, Response(status=302, headers={"Location": httpserver.url_for("/elsewhere")}))
    with pytest.raises(FormatError, match="another address"):
        ask(call, httpserver)
    assert elsewhere == []


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_key_the_vendor_repeats_is_nowhere(
    call: Call, httpserver: HTTPServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    in_turn(httpserver, Response(f'{{"error": "{KEY} or canary%2Bkey%2F1234"}}', status=status))
    said = ""
    try:
        answer = ask(call, httpserver)
    except SourceError as error:
        said = "".join(traceback.format_exception(error)) + repr(error)
    else:
        said = answer.text + answer.url
        assert "… or …" in said
    assert "canary" not in said
    logged = [str(vars(record)) for record in caplog.records if record.name != "werkzeug"]  # that one is the server's
    assert "canary" not in "".join(logged)


def test_hidden_words_are_hidden_in_every_spelling() -> None:
    texts = ['a+b/"c', "a%2Bb%2F%22c", "a%2bb/%22c", "a%252Bb/%22c", 'a+b\\/\\"c']
    assert [without(f"x {text} y", 'a+b/"c', "") for text in texts] == ["x … y"] * len(texts)
    assert without('aab/"c a+b', 'a+b/"c') == 'aab/"c a+b', "a sign in it is that sign"
    assert brief("  one\n two \t three") == "one two three"
    assert brief("x" * 500) == "x" * 160 + "…"
    assert "secret" not in brief("x" * 155 + "secretword", "secretword"), "hidden before it is cut"


def test_a_closed_gate_stops_the_retries(call: Call, httpserver: HTTPServer, diary: Diary) -> None:
    asked = in_turn(httpserver, Response(status=500))

    def enter(source: str) -> None:
        if diary.heard:
            raise PausedError("Vendor is left alone until 13:05 UTC.")
        diary.heard.append("enter")

    diary.enter = enter  # type: ignore[method-assign]
    with pytest.raises(PausedError):
        ask(call, httpserver)
    assert len(asked) == 1


def test_what_the_vendor_simply_does_not_have_is_no_fault(call: Call, diary: Diary) -> None:
    def once() -> None:
        raise NotFoundError("no such symbol")

    with pytest.raises(NotFoundError):
        attempt(call, "vendor", once)
    assert diary.heard == ["enter", "succeeded"]
