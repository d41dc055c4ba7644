"""How every vendor is called: the gate, a timeout, retries of what is worth one, and errors by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import requests
import stamina

from quantlib.sources.base import BadKeyError, Call, FormatError, LimitError, UnreachableError

T = TypeVar("T")

AGENT = "quant-workbench"
LARGEST = 200_000_000
"""Bytes an answer may have."""
_BRIEF = 160


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    text: str
    url: str


def brief(text: str, *hidden: str) -> str:
    """Return the beginning of a vendor's words on one line, without the credentials in `hidden`."""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "…")
    words = " ".join(text.split())
    return words if len(words) <= _BRIEF else f"{words[:_BRIEF]}…"


def attempt(call: Call, source: str, once: Callable[[], T]) -> T:
    """Return what `once` returns, passing the gate before every attempt.

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
    retry = stamina.retry_context(
        on=UnreachableError,
        attempts=call.attempts,
        timeout=None,
        wait_initial=call.wait,
        wait_max=8 * call.wait,
        wait_jitter=call.wait,
    )
    for one in retry:
        with one:
            call.gate.enter(source)
            try:
                result = once()
            except (UnreachableError, LimitError, FormatError) as error:
                call.gate.failed(source, error)
                raise
            call.gate.succeeded(source)
    return result


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
    """Return a vendor's answer over HTTP; statuses below 500 other than 401, 403 and 429 are left to `parse`.

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
        Credentials: sent, never shown.

    Raises
    ------
    BadKeyError
        HTTP 401 or 403.
    LimitError
        HTTP 429; the vendor's limit is not waited out.
    UnreachableError
        No answer, or HTTP 5xx, after the last attempt.
    """
    secrets = [*(secret_params or {}).values(), *(secret_headers or {}).values()]
    shown = requests.Request("GET", url, params=dict(params or {})).prepare().url or url

    def once() -> Answer:
        try:
            answer = requests.get(
                url,
                params={**(params or {}), **(secret_params or {})},
                headers={"User-Agent": AGENT, **(secret_headers or {})},
                timeout=call.timeout,
            )
            text = answer.content.decode(answer.encoding or "utf-8", errors="replace")
        except (requests.RequestException, LookupError) as error:
            why = brief(type(error).__name__)
            raise UnreachableError(f"{title} is not reachable ({why}). Check the network, then try again.") from None
        return check_status(Answer(answer.status_code, text, shown), title, *secrets)

    return attempt(call, source, once)


def check_status(answer: Answer, title: str, *hidden: str) -> Answer:
    """Return the answer, unless its status alone says what went wrong."""
    said = brief(answer.text, *hidden)
    if answer.status in {401, 403}:
        raise BadKeyError(f"{title} does not accept the key (HTTP {answer.status}): {said}")
    if answer.status == 429:
        raise LimitError(f"{title} refuses for now: too many requests (HTTP 429). It said: {said}")
    if answer.status >= 500:
        raise UnreachableError(f"{title} has a fault of its own (HTTP {answer.status}). Try again later.")
    return answer
