"""How every vendor is called: the gate, a timeout, retries of what is worth one, and errors by kind."""

from __future__ import annotations

import logging
import re
import time
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

import requests
import stamina
import urllib3

from quantlib.errors import SourceError
from quantlib.sources.base import (
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    UnreachableError,
)

T = TypeVar("T")

AGENT = "quant-workbench"
LARGEST = 200_000_000
"""Bytes an answer may have, unpacked."""
LONGEST_PAUSE = 10.0
"""Seconds a vendor that refuses may ask us to wait; a longer pause is an error to the caller."""
_BRIEF = 160
_CHUNK = 65_536

# At debug level it logs whole addresses, with the keys that some vendors want in them.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Answer(NamedTuple):
    """What came back over HTTP: its status, its text without any credential, the address asked, its own date."""

    status: int
    text: str
    url: str
    date: str = ""


class _SoonError(LimitError):
    """Refused, with the word that a short pause is enough."""

    def __init__(self, message: str, pause: float) -> None:
        super().__init__(message)
        self.pause = pause


def without(text: str, *hidden: str) -> str:
    """Return a text without credentials, also where they are written as in an address or in JSON."""
    for secret in filter(None, hidden):
        text = _spellings(secret).sub("…", text)
    return text


@cache
def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern of every way to write a credential: each sign plain, after backslashes, or in per cent."""
    coded = ((sign, "".join(f"%(?:25)*{byte:02x}" for byte in sign.encode())) for sign in secret)
    return re.compile("".join(rf"(?:\\*{re.escape(sign)}|(?i:{code}))" for sign, code in coded))


def brief(text: str, *hidden: str) -> str:
    """Return the beginning of a vendor's words on one line, without the credentials in `hidden`."""
    words = " ".join(without(text, *hidden).split())
    return words if len(words) <= _BRIEF else f"{words[:_BRIEF]}…"


def attempt(call: Call, source: str, once: Callable[[], T]) -> T:
    """Return what `once` returns, passing the gate before every attempt.

    The gate hears of a fault when the last attempt has failed: one question is one fault. Of an answer it hears
    only when somebody has read it: an answer that cannot be read is a fault, too.

    Parameters
    ----------
    call
        How patiently.
    source
        Key in `SOURCES`.
    once
        Asks one time; raises `UnreachableError` for what is worth another attempt, any other `SourceError`
        for what is not.

    Raises
    ------
    SourceError
        What the last attempt raised.
    """

    def worth_another(error: Exception) -> bool | float:
        return error.pause if isinstance(error, _SoonError) else isinstance(error, UnreachableError)

    retry = stamina.retry_context(
        on=worth_another,
        attempts=call.attempts,
        timeout=None,
        wait_initial=call.wait,
        wait_max=8 * call.wait,
        wait_jitter=call.wait,
    )
    fault: SourceError | None = None
    try:
        for one in retry:
            with one:
                call.gate.enter(source)
                try:
                    return once()
                except SourceError as error:
                    fault = error
                    raise
    except (NotFoundError, EmptyError):  # the vendor is well, it only has nothing
        call.gate.succeeded(source)
        raise
    except SourceError as error:
        if error is fault:  # and no refusal of the gate's
            call.gate.failed(source, error)
        raise
    raise AssertionError("an attempt returns or raises")


def get(
    call: Call,
    source: str,
    title: str,
    url: str,
    *,
    params: Mapping[str, object] | None = None,
    secret_params: Mapping[str, str] | None = None,
    secret_headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return a vendor's answer over HTTP; statuses below 500 other than 3xx, 401, 403 and 429 are left to `parse`.

    Parameters
    ----------
    call
        Keys, patience and gate.
    source, title
        The vendor's name in `SOURCES` and for people.
    url
        Full address without parameters.
    params
        Parameters that may be shown and stored.
    secret_params, secret_headers
        Credentials: sent, never shown, and taken out of the answer where the vendor repeats them.

    Raises
    ------
    BadKeyError
        HTTP 401 or 403.
    LimitError
        HTTP 429. Where the vendor says that a short pause is enough, it is made and the question asked again.
    UnreachableError
        No answer, one cut short or damaged on its way, or HTTP 5xx, after the last attempt.
    FormatError
        The answer is too large or packed in an unknown way, or the vendor has moved elsewhere.
    """
    secrets = [*(secret_params or {}).values(), *(secret_headers or {}).values()]
    query: dict[str, Any] = {**(params or {}), **(secret_params or {})}
    shown = requests.Request("GET", url, params=dict(params or {})).prepare().url or url

    def once() -> Answer:
        give_up = time.monotonic() + call.timeout
        try:
            with requests.get(
                url,
                params=query,
                headers={"User-Agent": AGENT, "Accept-Encoding": "gzip", **(secret_headers or {})},
                timeout=call.timeout,
                stream=True,
                allow_redirects=False,  # credentials are for the vendor's own host only
            ) as response:
                body = _body(response, title, give_up)
                declared = "charset" in response.headers.get("Content-Type", "").lower()
                text = body.decode(str(response.encoding) if declared else "utf-8", errors="replace")
        except (requests.RequestException, urllib3.exceptions.HTTPError, zlib.error, LookupError, OSError) as error:
            # The fault's own words hold the address, and so may hold the key.
            why = type(error).__name__
            raise UnreachableError(f"{title} is not reachable ({why}). Check the network, then try again.") from None
        answer = Answer(response.status_code, without(text, *secrets), shown, response.headers.get("Date", ""))
        return check_status(answer, title, *secrets, retry_after=response.headers.get("Retry-After", ""))

    return attempt(call, source, once)


def _body(response: requests.Response, title: str, give_up: float) -> bytes:
    """Return the whole body, unpacked.

    Unpacked here and not by requests, which takes a packed body that is cut short for whole.
    """
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip", "x-gzip"}:
        raise FormatError(f"{title} packed its answer as {brief(packing)!r}; accepted: gzip.")
    unpacker = zlib.decompressobj(wbits=31) if packing.endswith("gzip") else None
    body = bytearray()
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        body += chunk if unpacker is None else unpacker.decompress(chunk, LARGEST + 1 - len(body))
        if len(body) > LARGEST:
            raise FormatError(f"{title}'s answer is larger than {LARGEST // 1_000_000} MB; nothing was read.")
        if time.monotonic() > give_up:
            raise UnreachableError(f"{title} did not finish its answer in time. Try again later.")
    if unpacker is not None and body and not unpacker.eof:
        raise UnreachableError(f"{title}'s answer was cut short on its way. Try again later.")
    return bytes(body)


def check_status(answer: Answer, title: str, *hidden: str, retry_after: str = "") -> Answer:
    """Return the answer, unless its status alone says what went wrong."""
    said = brief(answer.text, *hidden)
    if 300 <= answer.status < 400:
        raise FormatError(
            f"{title} answers from another address now (HTTP {answer.status}). "
            "Look for a newer version of the workbench."
        )
    if answer.status in {401, 403}:
        raise BadKeyError(f"{title} does not accept the key (HTTP {answer.status}): {said}")
    if answer.status == 429:
        refused = f"{title} refuses for now: too many requests (HTTP 429). It said: {said}"
        if retry_after.isdecimal() and int(retry_after) <= LONGEST_PAUSE:
            raise _SoonError(refused, float(retry_after))
        raise LimitError(refused)
    if answer.status >= 500:
        raise UnreachableError(f"{title} has a fault of its own (HTTP {answer.status}). Try again later.")
    return answer
