"""Yahoo Finance: daily bars with dividends and splits, and earnings dates, through yfinance's session.

Prices are adjusted for splits as of the day of the request; `adj_close` for dividends too. So a later split
or dividend restates every earlier row. Earnings dates come from the page yfinance reads them from.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from quantlib.sources.base import Ask, Call, LimitError, Parsed, Payload, UnreachableError
from quantlib.sources.transport import Answer, attempt, brief
from quantlib.sources.yahoo_chart import parse_chart
from quantlib.sources.yahoo_earnings import MOST, parse_earnings

NAME = "yahoo"
CHART_URL = "https://query2.finance.yahoo.com"
PAGE_URL = "https://finance.yahoo.com"
_DAY = 86_400
# An open end is written as a date in the far past or future: `range=max` would answer with monthly bars.
_FIRST, _LAST = -2_208_988_800, 9_999_999_999


@cache
def _client(home: Path) -> Any:
    """Return yfinance's shared session (cookie, crumb, browser handshake), its caches under `home`."""
    import yfinance  # noqa: PLC0415  its import takes two seconds
    from yfinance.data import YfData  # noqa: PLC0415

    with suppress(OSError):  # without a cache it only asks for a new cookie each time
        home.mkdir(parents=True, exist_ok=True)
    yfinance.set_tz_cache_location(str(home))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it would log is raised here as an error
    return YfData()


def request(ask: Ask, call: Call) -> Payload:
    """Return Yahoo's chart answer, or its page of earnings dates, for one symbol.

    Symbols are written as in the universe: `BRK-B`, `^GSPC`, `BTC-USD`.

    Raises
    ------
    LimitError
        Yahoo refuses; its client has then tried twice, with two kinds of cookie.
    UnreachableError
        Still no answer, or a server fault, after the last attempt.
    """
    params: dict[str, object]
    if ask.kind == "earnings":
        url = f"{call.base_url or PAGE_URL}/calendar/earnings"
        params = {"symbol": ask.name, "offset": 0, "size": MOST}
    else:
        url = f"{call.base_url or CHART_URL}/v8/finance/chart/{quote(ask.name, safe='')}"
        # A session in the far east begins on the UTC day before, one in the far west ends on the day after.
        params = {
            "period1": _FIRST if ask.start is None else int(ask.start.timestamp()) - _DAY,
            "period2": _LAST if ask.end is None else int(ask.end.timestamp()) + 2 * _DAY,
            "interval": "1d",
            "includePrePost": "false",
            "events": "div,splits",
        }
    answer = attempt(call, NAME, lambda: _get(url, params, call))
    return Payload(NAME, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)


def _get(url: str, params: dict[str, object], call: Call) -> Answer:
    """Return the answer of one attempt, with what is worth another one raised as such."""
    from yfinance.exceptions import YFRateLimitError  # noqa: PLC0415  its import takes two seconds

    client = _client(call.home)
    try:
        answer = client.get(url, params=params, timeout=call.timeout)
    except YFRateLimitError:
        raise LimitError("Yahoo refuses for now: too many requests (HTTP 429). Try again in some minutes.") from None
    except Exception as error:  # noqa: BLE001  where Yahoo's cookie pages change, yfinance raises anything
        why = brief(str(error).partition(" See ")[0] or type(error).__name__).rstrip(".")
        raise UnreachableError(f"Yahoo is not reachable: {why}. Check the network, or use --source sample.") from None
    status = int(answer.status_code)
    if status >= 500:
        raise UnreachableError(f"Yahoo has a fault of its own (HTTP {status}). Try again later.")
    return Answer(status, str(answer.text), f"{url}?{urlencode(params)}")


def parse(payload: Payload) -> Parsed:
    """Return what an answer says: bars, dividends and splits of a chart, or the earnings dates of a page.

    Raises
    ------
    SourceError
        Of the kind the answer says; see `parse_chart` and `parse_earnings`.
    """
    return parse_earnings(payload) if payload.kind == "earnings" else parse_chart(payload)
