"""Alpaca market data: daily bars of US stocks and ETFs with dividends and splits, and news.

Prices are asked for raw and cash dividends come as paid, so no later split restates them; adjusted prices are
computed on read. The bars begin in 2016.
"""

from __future__ import annotations

import re
from datetime import date

import pandas as pd
from pydantic import AwareDatetime, Field

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.models.base import Positive
from quantlib.sources.base import (
    EVERYTHING,
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    within,
)
from quantlib.sources.reading import (
    ActionRow,
    BarLine,
    Part,
    actions_frame,
    bundle,
    check_ticker,
    read,
    unbundle,
    us_bars,
    us_ticker,
)
from quantlib.sources.transport import Answer, brief, get

NAME, TITLE = "alpaca", "Alpaca"
KEYS = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")
URL = "https://data.alpaca.markets"
MOST_PAGES = 40
_FIRST = "2016-01-01"
_ACTIONS = "cash_dividend,forward_split,reverse_split,stock_dividend"


class _Fault(Part):
    message: str | None = None


class _Bar(BarLine):
    moment: AwareDatetime = Field(alias="t")


class _Page(Part):
    token: str | None = Field(alias="next_page_token")


class _Bars(_Page):
    bars: dict[str, list[_Bar]] | None


class _Cash(Part):
    symbol: str
    day: date = Field(alias="ex_date")
    rate: Positive


class _Split(Part):
    symbol: str
    day: date = Field(alias="ex_date")
    new: Positive = Field(alias="new_rate")
    old: Positive = Field(alias="old_rate")


class _Actions(Part):
    cash_dividends: list[_Cash] = Field(default_factory=list)
    stock_dividends: list[_Cash] = Field(default_factory=list)
    forward_splits: list[_Split] = Field(default_factory=list)
    reverse_splits: list[_Split] = Field(default_factory=list)


class _ActionPage(_Page):
    corporate_actions: _Actions


class _Article(Part):
    id: int
    headline: str
    summary: str = ""
    url: str | None = None
    publisher: str = Field(default="", alias="source")
    published: AwareDatetime = Field(alias="created_at")
    symbols: list[str] = Field(default_factory=list)


class _News(_Page):
    news: list[_Article]


def request(ask: Ask, call: Call) -> Payload:
    """Return Alpaca's answers for one stock, bars and corporate actions, or its news; every page of each.

    Raises
    ------
    NoKeyError
        `ALPACA_API_KEY` or `ALPACA_SECRET_KEY` is not set.
    NotFoundError
        Bars of an index, a currency or a coin.
    """
    for name in KEYS:
        call.key(name)
    span: dict[str, object] = {"end": f"{ask.end:%Y-%m-%d}"} if ask.end is not None else {}
    if ask.kind == "news":
        if ask.end is not None:
            span["end"] = f"{ask.end:%Y-%m-%dT23:59:59Z}"  # here a day alone is its first moment
        if ask.start is not None:
            span["start"] = f"{ask.start:%Y-%m-%d}"
        about: dict[str, object] = {} if ask.name == EVERYTHING else {"symbols": _spelt(ask.name)}
        questions = {"news": ("/v1beta1/news", {**about, **span, "sort": "desc", "limit": 50})}
    else:
        span["start"] = _FIRST if ask.start is None else f"{ask.start:%Y-%m-%d}"
        span["symbols"] = us_ticker(ask.name, TITLE)
        questions = {
            "bars": ("/v2/stocks/bars", {**span, "timeframe": "1Day", "adjustment": "raw", "limit": 10_000}),
            "actions": ("/v1/corporate-actions", {**span, "types": _ACTIONS, "limit": 1000}),
        }
    parts: dict[str, list[str]] = {}
    urls: list[str] = []
    for part, (path, params) in questions.items():
        answers = _pages(call, f"{call.base_url or URL}{path}", params)
        urls.append(answers[0].url)
        if (last := answers[-1]).status != 200:
            return Payload(NAME, ask.kind, ask.name, last.text, ask.start, ask.end, last.status, last.url)
        parts[part] = [answer.text for answer in answers]
        parts.setdefault("answered", [answers[0].date])
    return Payload(NAME, ask.kind, ask.name, bundle(parts), ask.start, ask.end, 200, urls[0])


def _pages(call: Call, url: str, params: dict[str, object]) -> list[Answer]:
    """Return a page and those after it, up to MOST_PAGES; only the last can be a refusal."""
    headers = {"APCA-API-KEY-ID": call.key(KEYS[0]), "APCA-API-SECRET-KEY": call.key(KEYS[1])}
    answers: list[Answer] = []
    token: str | None = None
    while len(answers) < MOST_PAGES:
        asked = params if token is None else {**params, "page_token": token}
        answers.append(get(call, NAME, TITLE, url, params=asked, secret_headers=headers))
        try:
            token = _Page.model_validate_json(answers[-1].text).token
        except ValueError:
            token = None
        if answers[-1].status != 200 or not token:
            break
    return answers


def parse(payload: Payload) -> Parsed:
    """Return the raw bars of finished sessions with their dividends and splits, or news.

    Raises
    ------
    BadKeyError, LimitError, NotFoundError
        It refuses, by its HTTP status or in words.
    EmptyError
        Nothing in the span asked for.
    PartialError
        More pages than were fetched.
    FormatError
        Anything else that cannot be read.
    """
    _refuse(payload)
    return _parse_news(payload) if payload.kind == "news" else _parse_bars(payload)


def _parse_bars(payload: Payload) -> Parsed:
    parts = unbundle(payload, TITLE, ("bars", "actions", "answered"))
    pages = [read(_Bars, text, payload, TITLE) for text in parts["bars"]]
    actions = [read(_ActionPage, text, payload, TITLE) for text in parts["actions"]]
    _whole(payload, pages[-1], actions[-1])
    rows: list[_Bar] = []
    for page in pages:
        for of, found in (page.bars or {}).items():
            check_ticker(payload, of, TITLE)
            rows += found
    moments = pd.to_datetime([row.moment for row in rows], utc=True)
    bars, note = us_bars(rows, moments, payload, parts["answered"][0])
    if bars.empty:
        raise EmptyError(f"{TITLE} has no finished session of {payload.name} in the span asked for.")
    lines: list[ActionRow] = []
    for group in (page.corporate_actions for page in actions):
        cash, more = group.cash_dividends, group.stock_dividends
        splits = [*group.forward_splits, *group.reverse_splits]
        for symbol in [one.symbol for one in (*cash, *more)] + [one.symbol for one in splits]:
            check_ticker(payload, symbol, TITLE)
        lines += [ActionRow(one.day, "dividend", one.rate) for one in cash]
        lines += [ActionRow(one.day, "split", 1 + one.rate) for one in more]
        lines += [ActionRow(split.day, "split", split.new / split.old) for split in splits]
    table = within(actions_frame(lines, payload.name, payload.source), "ts", payload)
    notes = (f"{payload.name}: {note}",) if note else ()
    return Parsed(bars=bars, actions=table, notes=notes)


def _parse_news(payload: Payload) -> Parsed:
    parts = unbundle(payload, TITLE, ("news",))
    pages = [read(_News, text, payload, TITLE) for text in parts["news"]]
    _whole(payload, pages[-1])
    articles = [one for page in pages for one in page.news]
    if not articles:
        raise EmptyError(f"{TITLE} has no news about {payload.name} in the span asked for.")
    frame = pd.DataFrame(
        {
            "source": payload.source,
            "id": [str(one.id) for one in articles],
            "published_at": pd.to_datetime([one.published for one in articles], utc=True).as_unit("us"),
            "title": [one.headline for one in articles],
            "summary": [one.summary for one in articles],
            "url": [one.url or "" for one in articles],
            "publisher": [one.publisher for one in articles],
            "symbols": [sorted({_ours(symbol) for symbol in one.symbols}) for one in articles],
        }
    )
    return Parsed(news=frame[list(MODELS["news"].columns())].drop_duplicates("id").reset_index(drop=True))


def _whole(payload: Payload, *last: _Page) -> None:
    if any(page.token for page in last):
        raise PartialError(f"{TITLE} has more pages for {payload.name} than were fetched. Ask for a shorter span.")


def _spelt(symbol: str) -> str:
    """Return a symbol as the news write it: `BRK.B`, `BTCUSD`."""
    return re.sub(r"-USD$", "USD", symbol).replace("-", ".")


def _ours(symbol: str) -> str:
    """Return a symbol of the news in the universe's spelling."""
    coin = re.fullmatch(r"([A-Z0-9]{2,10})/?USD", symbol)
    return f"{coin[1]}-USD" if coin else symbol.replace(".", "-")


def _refuse(payload: Payload) -> None:
    """Raise what an answer with another status than 200 says."""
    if payload.status == 200:
        return
    try:
        words = _Fault.model_validate_json(payload.text).message
    except ValueError:
        words = None
    said = f"HTTP {payload.status}: {brief(words or payload.text)}"
    error: SourceError
    if payload.status == 429:
        error = LimitError(f"{TITLE} refuses for now: too many requests ({said}).")
    elif payload.status in {401, 403}:
        error = BadKeyError(f"{TITLE} does not accept the keys, or its plan does not cover this ({said}).")
    elif payload.status == 404 or "invalid symbol" in said.lower():
        error = NotFoundError(f"{TITLE} does not know {payload.name!r} ({said}).")
    else:
        error = FormatError(f"{TITLE} cannot answer for {payload.name} ({said}).")
    raise error
