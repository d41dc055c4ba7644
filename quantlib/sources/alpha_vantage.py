"""Alpha Vantage: daily bars of stocks and currencies, and news with sentiment scores, through its Python client.

Bars of stocks are raw, as traded (TIME_SERIES_DAILY); dividends and splits come from two calls of their own, so that
prices are adjusted on read. Its documentation does not say whether a dividend is given per share of its own day or of
today; it is taken as paid on that day. The ready adjusted series is premium. A free key has 25 calls a day and only
the last 100 sessions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from quantlib.sources.alpha_vantage_answers import COMPACT, MOST_NEWS, PARTS, TITLE, pair, parse, refusal
from quantlib.sources.base import EVERYTHING, Ask, BadKeyError, Call, NotFoundError, Payload
from quantlib.sources.reading import bundle
from quantlib.sources.transport import Answer, get

__all__ = ["KEY", "NAME", "parse", "request"]

NAME = "alpha_vantage"
KEY = "ALPHAVANTAGE_API_KEY"


def request(ask: Ask, call: Call) -> Payload:
    """Return the answers of Alpha Vantage for one stock, currency pair or topic of news.

    A stock takes three calls (bars, dividends, splits), a pair and news one. Bars are first asked for in the
    short form; where it does not reach back far enough, one call more asks for the whole history, which a free
    key may be refused: then the short form stands, and `parse` notes it. The first refusal is the answer.

    Raises
    ------
    NoKeyError
        `ALPHAVANTAGE_API_KEY` is not set.
    NotFoundError
        It has nothing of that kind: an index, a coin.
    """
    call.key(KEY)
    if ask.kind == "news":
        answer = _news(ask, call)
    elif ask.name.endswith("=X"):
        base, quoted = pair(ask.name)
        answer = _series(ask, call, "foreignexchange.ForeignExchange.get_currency_exchange_daily", base, quoted)
    else:
        answer = _stock(ask, call)
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def _client(call: Call, method: str, *args: object, **options: object) -> Answer:
    """Return what one method of the client fetches; its own HTTP call and reading are replaced by ours."""
    module, api, name = method.split(".")
    client: Any = getattr(import_module(f"alpha_vantage.{module}"), api)(key="set-later")
    answers: list[Answer] = []

    def fetch(url: str) -> defaultdict[str, dict[str, object]]:
        address, _, query = url.partition("?")
        params = {key: value for key, value in parse_qsl(query) if key != "apikey"}
        if call.base_url:
            address = f"{call.base_url}/query"
        secret = {"apikey": call.key(KEY)}
        answers.append(get(call, NAME, TITLE, address, params=params, secret_params=secret))
        return defaultdict(dict)  # the client picks the parts it knows; nothing of it is used

    client._handle_api_call = fetch
    getattr(client, name)(*args, **options)
    return answers[0]


def _series(ask: Ask, call: Call, method: str, *args: str) -> Answer:
    """Return the short answer where it reaches back to the start, else the whole one, if the key covers it."""
    short = _client(call, method, *args, outputsize="compact")
    days = re.findall(r'"(\d{4}-\d\d-\d\d)":', short.text)
    reaches = ask.start is not None and f"{ask.start:%Y-%m-%d}" >= min(days, default="")
    if len(days) < COMPACT or reaches:
        return short
    whole = _client(call, method, *args, outputsize="full")
    return short if isinstance(refusal(whole.text, ask.name), BadKeyError) else whole


def _stock(ask: Ask, call: Call) -> Answer:
    if re.search(r"[\^=]|-[A-Z]{2,}", ask.name):
        raise NotFoundError(f"{TITLE} is asked for stocks, ETFs and currency pairs only, and {ask.name!r} is none.")
    parts: dict[str, list[str]] = {}
    for part in PARTS:
        if part == "daily":
            answer = _series(ask, call, "timeseries.TimeSeries.get_daily", ask.name)
        else:
            answer = _client(call, f"fundamentaldata.FundamentalData.get_{part}", ask.name)
        if answer.status != 200 or refusal(answer.text, ask.name) is not None:
            return answer
        parts[part] = [answer.text]
    return answer._replace(text=bundle(parts))


def _news(ask: Ask, call: Call) -> Answer:
    options: dict[str, object] = {"limit": MOST_NEWS}
    if ask.name != EVERYTHING:
        coin = re.fullmatch(r"(\w+)-USD", ask.name)
        options["tickers"] = f"CRYPTO:{coin[1]}" if coin else ask.name
    if ask.start is not None:
        options["time_from"] = f"{ask.start:%Y%m%dT0000}"
    if ask.end is not None:
        options["time_to"] = f"{ask.end:%Y%m%dT2359}"
    return _client(call, "alphaintelligence.AlphaIntelligence.get_news_sentiment", **options)
