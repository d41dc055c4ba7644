"""NewsAPI: articles of the world's press in which a symbol is written.

It knows words, not instruments: `KO` is looked for as a word beside one of the stock market, so articles that
only write the company's name are missed, and some found are about something else. No scores are given.
"""

from __future__ import annotations

import re
from hashlib import sha256

import pandas as pd
from pydantic import AwareDatetime, Field, ValidationError

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    within,
)
from quantlib.sources.reading import Part, read
from quantlib.sources.transport import brief, get

__all__ = ["KEY", "NAME", "parse", "request"]

NAME, TITLE = "newsapi", "NewsAPI"
KEY = "NEWSAPI_API_KEY"
URL = "https://newsapi.org/v2"
MOST = 100
"""Articles in an answer; a free key gets no second page."""
_STOCK_WORDS = "(stock OR shares OR NYSE OR Nasdaq OR ETF)"
_COIN_WORDS = "(crypto OR cryptocurrency OR blockchain)"
_REMOVED = "[Removed]"


class _Publisher(Part):
    name: str | None = None


class _Article(Part):
    publisher: _Publisher = Field(default_factory=_Publisher, alias="source")
    title: str | None
    summary: str | None = Field(default=None, alias="description")
    url: str
    published: AwareDatetime = Field(alias="publishedAt")


class _Found(Part):
    status: str
    total: int = Field(alias="totalResults")
    articles: list[_Article]


class _Fault(Part):
    code: str
    message: str = ""


def request(ask: Ask, call: Call) -> Payload:
    """Return the newest articles in English in which a symbol is written, at most `MOST`.

    Raises
    ------
    NoKeyError
        `NEWSAPI_API_KEY` is not set.
    NotFoundError
        An index or a currency pair: nobody writes those as a symbol.
    """
    headers = {"X-Api-Key": call.key(KEY)}
    params: dict[str, object] = {
        "q": _words(ask.name),
        "language": "en",
        "sortBy": "publishedAt",
        "pageSize": MOST,
    }
    if ask.start is not None:
        params["from"] = f"{ask.start:%Y-%m-%d}"
    if ask.end is not None:
        params["to"] = f"{ask.end:%Y-%m-%dT23:59:59}"
    url = f"{call.base_url or URL}/everything"
    answer = get(call, NAME, TITLE, url, params=params, secret_headers=headers)
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def _words(symbol: str) -> str:
    """Return what to look for: the symbol as it is written in text, beside a word of its market."""
    if coin := re.fullmatch(r"([A-Z0-9]+)-USD", symbol):
        return f'"{coin[1]}" AND {_COIN_WORDS}'
    if not re.fullmatch(r"[A-Z0-9]{1,8}([-.][A-Z])?", symbol):
        raise NotFoundError(f"{TITLE} is asked for stocks, ETFs and coins only, and {symbol!r} is none.")
    return f'"{symbol.replace("-", ".")}" AND {_STOCK_WORDS}'


def parse(payload: Payload) -> Parsed:
    """Return the articles, each with the symbol that was asked for.

    Raises
    ------
    BadKeyError, LimitError
        It refuses, by the code in its answer or its HTTP status.
    EmptyError
        No article in the span asked for, or a span before what the plan covers.
    FormatError
        Anything else that cannot be read.
    """
    _refuse(payload)
    found = read(_Found, payload.text, payload, TITLE)
    if found.status != "ok":
        raise FormatError(f"{TITLE} answered {payload.name} with the status {brief(found.status)!r}; accepted: ok.")
    kept = [one for one in found.articles if _line(one.title) not in {"", _REMOVED}]
    frame = pd.DataFrame(
        {
            "source": payload.source,
            # The same article may be found for other symbols: each is a row of its own.
            "id": [sha256(f"{payload.name} {one.url}".encode()).hexdigest()[:32] for one in kept],
            "published_at": pd.to_datetime([one.published for one in kept], utc=True).as_unit("us"),
            "title": [_line(one.title) for one in kept],
            "summary": [_line(one.summary) for one in kept],
            "url": [_line(one.url) for one in kept],
            "publisher": [_line(one.publisher.name) for one in kept],
            "symbols": [[payload.name] for _ in kept],
        }
    )
    frame = frame.drop_duplicates("id").assign(
        day=lambda news: news["published_at"].dt.tz_localize(None).dt.normalize()
    )
    frame = within(frame, "day", payload)[list(MODELS["news"].columns())]
    if frame.empty:
        raise EmptyError(f"{TITLE} has no article about {payload.name} in the span asked for.")
    notes = []
    if found.total > len(found.articles):
        notes.append(f"{payload.name}: the newest {len(found.articles)} of {found.total:,} articles.")
    if gone := len(found.articles) - len(kept):
        notes.append(f"{payload.name}: left out {gone} article(s) that were withdrawn.")
    return Parsed(news=frame, notes=tuple(notes))


def _refuse(payload: Payload) -> None:
    """Raise what an answer says that is an error."""
    try:
        fault = _Fault.model_validate_json(payload.text)
    except ValidationError:
        if payload.status == 200:
            return
        fault = _Fault(code="", message=payload.text)
    said = f"HTTP {payload.status}, {brief(f'{fault.code}: {fault.message}'.strip(': '))}"
    error: SourceError
    if payload.status == 429 or fault.code in {"rateLimited", "apiKeyExhausted"}:
        error = LimitError(f"{TITLE} refuses for now: too many requests ({said}).")
    elif "far in the past" in fault.message.lower():
        error = EmptyError(f"{TITLE} has nothing about {payload.name} so long ago on this plan ({said}).")
    elif payload.status in {401, 403, 426} or fault.code.startswith("apiKey"):
        error = BadKeyError(f"{TITLE} does not accept the key, or its plan does not cover this ({said}).")
    else:
        error = FormatError(f"{TITLE} cannot answer for {payload.name} ({said}).")
    raise error


def _line(text: str | None) -> str:
    """Return a text on one line, without signs the store cannot hold."""
    return " ".join((text or "").replace("\x00", " ").split())
