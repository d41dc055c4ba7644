"""Polygon (now also named Massive): daily bars of US stocks and ETFs, with dividends and splits.

Prices are asked for raw, `adjusted=false`, and dividends as they were declared: neither is restated by a later split,
so what was known on a day stays known. Adjusted prices are computed on read.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
from pydantic import Field

from quantlib.errors import SourceError
from quantlib.models.base import Positive
from quantlib.sources.base import (
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

NAME, TITLE = "polygon", "Polygon"
KEY = "POLYGON_API_KEY"
URL = "https://api.polygon.io"
MOST_PAGES = 20
_FIRST, _LAST = "2003-09-10", "2100-01-01"  # its history begins there
_PARTS = ("bars", "dividends", "splits", "answered")

Moment = Annotated[float, Field(ge=-2e12, le=8e12)]
"""Milliseconds since 1970, from 1906 to 2223."""


class _Fault(Part):
    status: str = ""
    error: str | None = None
    message: str | None = None


class _Bar(BarLine):
    moment: Moment = Field(alias="t")


class _Bars(Part):
    ticker: str
    adjusted: bool
    results: list[_Bar] | None = None
    count: int = Field(alias="resultsCount")
    next_url: str | None = None


class _Dividend(Part):
    ticker: str
    day: date = Field(alias="ex_dividend_date")
    amount: Positive = Field(alias="cash_amount")
    currency: str = "USD"


class _Dividends(Part):
    results: list[_Dividend]
    next_url: str | None = None


class _Split(Part):
    ticker: str
    day: date = Field(alias="execution_date")
    old: Positive = Field(alias="split_from")
    new: Positive = Field(alias="split_to")


class _Splits(Part):
    results: list[_Split]
    next_url: str | None = None


class _Page(Part):
    next_url: str | None = None


def request(ask: Ask, call: Call) -> Payload:
    """Return Polygon's answers for one stock: its bars, dividends and splits, every page of each.

    Three calls at least. The first refusal is the answer.

    Raises
    ------
    NoKeyError
        `POLYGON_API_KEY` is not set.
    NotFoundError
        An index, a currency or a coin.
    """
    call.key(KEY)
    ticker = us_ticker(ask.name, TITLE)
    first = _FIRST if ask.start is None else f"{ask.start:%Y-%m-%d}"
    last = _LAST if ask.end is None else f"{ask.end:%Y-%m-%d}"
    bars = f"/v2/aggs/ticker/{ticker}/range/1/day/{first}/{last}"
    questions: dict[str, tuple[str, dict[str, object]]] = {
        "bars": (bars, {"adjusted": "false", "sort": "asc", "limit": 50_000}),
        "dividends": ("/stocks/v1/dividends", {"ticker": ticker, "limit": 1000}),
        "splits": ("/stocks/v1/splits", {"ticker": ticker, "limit": 1000}),
    }
    parts: dict[str, list[str]] = {}
    url = ""
    for part, (path, params) in questions.items():
        answers = _pages(call, path, params)
        if (last_answer := answers[-1]).status != 200:
            return _payload(ask, last_answer, last_answer.text)
        parts[part] = [answer.text for answer in answers]
        if part == "bars":
            url, parts["answered"] = answers[0].url, [answers[0].date]
    return _payload(ask, last_answer._replace(url=url), bundle(parts))


def _payload(ask: Ask, answer: Answer, body: str) -> Payload:
    return Payload(NAME, ask.kind, ask.name, body, ask.start, ask.end, answer.status, answer.url)


def _pages(call: Call, path: str, params: dict[str, object]) -> list[Answer]:
    """Return a page and those it leads to, up to MOST_PAGES; only the last can be a refusal."""
    answers: list[Answer] = []
    while len(answers) < MOST_PAGES:
        url = f"{call.base_url or URL}{path}"
        answers.append(get(call, NAME, TITLE, url, params=params, secret_params={"apiKey": call.key(KEY)}))
        try:
            following = _Page.model_validate_json(answers[-1].text).next_url
        except ValueError:
            following = None
        if answers[-1].status != 200 or not following:
            break
        # The key goes to the host we know, whatever host the answer names.
        place = urlsplit(following)
        path, params = place.path, {k: v for k, v in parse_qsl(place.query) if k != "apiKey"}
    return answers


def parse(payload: Payload) -> Parsed:
    """Return the raw bars of finished sessions with the dividends and splits of their span.

    Raises
    ------
    BadKeyError, LimitError, NotFoundError
        It refuses, in words or by its HTTP status.
    EmptyError
        No bars; it says the same of a symbol it does not know.
    PartialError
        More pages than were fetched, or fewer rows than it counts.
    FormatError
        Anything else that cannot be read, or prices on another scale.
    """
    _refuse(payload)
    parts = unbundle(payload, TITLE, _PARTS)
    rows: list[_Bar] = []
    for page in (pages := [read(_Bars, text, payload, TITLE) for text in parts["bars"]]):
        check_ticker(payload, page.ticker, TITLE)
        if page.adjusted:
            raise FormatError(f"{TITLE} answered {payload.name} with split-adjusted prices; asked for raw ones.")
        given = page.results or []
        if page.count != len(given):
            raise PartialError(f"{TITLE} counts {page.count} bars of {payload.name} and gives {len(given)}.")
        rows += given
    paid_pages = [read(_Dividends, text, payload, TITLE) for text in parts["dividends"]]
    split_pages = [read(_Splits, text, payload, TITLE) for text in parts["splits"]]
    if pages[-1].next_url or paid_pages[-1].next_url or split_pages[-1].next_url:
        raise PartialError(f"{TITLE} has more pages for {payload.name} than were fetched. Ask for a shorter span.")
    dividends = [one for page in paid_pages for one in page.results]
    splits = [one for page in split_pages for one in page.results]
    for ticker in {one.ticker for one in dividends} | {one.ticker for one in splits}:
        check_ticker(payload, ticker, TITLE)

    moments = pd.to_datetime([row.moment for row in rows], unit="ms", utc=True)
    bars, note = us_bars(rows, moments, payload, parts["answered"][0])
    notes = [note] if note else []
    if bars.empty:
        raise EmptyError(
            f"{TITLE} has no finished session of {payload.name} in the span asked for, or does not know it."
        )
    found = [ActionRow(one.day, "split", one.new / one.old) for one in splits]
    for paid in dividends:
        if paid.currency == "USD":
            found.append(ActionRow(paid.day, "dividend", paid.amount))
        else:
            notes.append(f"a dividend of {paid.day} in {brief(paid.currency)} is left out.")
    actions = within(actions_frame(found, payload.name, payload.source), "ts", payload)
    return Parsed(bars=bars, actions=actions, notes=tuple(f"{payload.name}: {n}" for n in notes))


def _refuse(payload: Payload) -> None:
    """Raise what a body says that is a refusal, or what its status does."""
    try:
        fault = _Fault.model_validate_json(payload.text)
    except ValueError:
        fault = _Fault()
    words = fault.error or fault.message
    if payload.status == 200 and words is None and fault.status not in {"ERROR", "NOT_AUTHORIZED", "NOT_FOUND"}:
        return
    said = brief(words or f"{fault.status} (HTTP {payload.status})")
    lower = said.lower()
    error: SourceError
    if payload.status == 429 or "exceeded the maximum requests" in lower:
        error = LimitError(f"{TITLE} refuses for now: too many requests. It said: {said}")
    elif payload.status in {401, 403} or "api key" in lower or fault.status == "NOT_AUTHORIZED":
        error = BadKeyError(f"{TITLE} does not accept the key, or its plan does not cover this. It said: {said}")
    elif payload.status == 404 or fault.status == "NOT_FOUND":
        error = NotFoundError(f"{TITLE} does not know {payload.name!r}. It said: {said}")
    else:
        error = FormatError(f"{TITLE} cannot answer for {payload.name}. It said: {said}")
    raise error
