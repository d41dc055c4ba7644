"""Asking through a vendor's own Python client, while the answer is kept as delivered and read by `parse`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from quantlib.sources.base import Call, UnreachableError
from quantlib.sources.transport import Answer, attempt, check_status, without


def through(
    call: Call, source: str, title: str, session: requests.Session, ask: Callable[[], object], *hidden: str
) -> Answer:
    """Return the last HTTP answer that `ask` received over the client's session, after gate and retries.

    What the client makes of the answer is thrown away, its errors too: clients mix up refusals, faults and
    unknown symbols, and `parse` must be able to read the same body again years later.

    Parameters
    ----------
    call, source, title
        As in `transport.get`.
    session
        The session the client sends with; not shared with another thread.
    ask
        Asks once.
    hidden
        Credentials the session sends.

    Raises
    ------
    SourceError
        As `transport.get`.
    """
    answers: list[requests.Response] = []

    def keep(response: requests.Response, *_: Any, **__: Any) -> None:
        answers.append(response)

    session.hooks["response"] = [keep]
    session.max_redirects = 0  # credentials are for the vendor's own host only

    def once() -> Answer:
        answers.clear()
        why = "no answer"
        try:
            ask()
        except Exception as error:  # noqa: BLE001  clients raise anything; only whether an answer came counts
            why = type(error).__name__
        try:
            last = answers[-1]
            text = without(last.content.decode("utf-8", errors="replace"), *hidden)
        except (IndexError, requests.RequestException, RuntimeError):
            raise UnreachableError(f"{title} is not reachable ({why}). Check the network, then try again.") from None
        shown = without(last.url, *hidden)
        return check_status(Answer(last.status_code, text, shown, last.headers.get("Date", "")), title)

    return attempt(call, source, once)
