"""Binance, Coinbase and Kraken through ccxt: daily candles of coins, a bar being a UTC day.

The universe's `BTC-USD` is the pair BTC/USD at Coinbase and Kraken, and BTC/USDT at Binance, which does not trade
against the dollar: its prices are in Tether, within about a tenth of a percent of a dollar in calm markets.

Candles say when they start, not whether they are over. A candle is over once a later one exists, so the newest of
an answer is never used; `request` asks beyond the end of the span to have a later one. Pages are asked newest first,
each as long as the exchange allows, until the start of the span or an empty page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from quantlib.errors import SourceError
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
    UnreachableError,
    bars_frame,
    within,
)
from quantlib.sources.bodies import read_json, strange
from quantlib.sources.library import through
from quantlib.sources.transport import Answer, brief, check_status

_DAY = 86_400_000
_COLUMNS = ["time", "open", "high", "low", "close", "volume"]
_WORDS: tuple[tuple[type[SourceError], tuple[str, ...]], ...] = (
    (BadKeyError, ("api-key", "api key", "invalid key", "permission", "unauthorized", "signature")),
    (LimitError, ("too many", "too much", "rate limit", "throttled", "lockout")),
    (
        NotFoundError,
        ("invalid symbol", "unknown asset", "invalid asset pair", "not_found", "not found", "invalid product"),
    ),
    (UnreachableError, ("unavailable", "busy", "internal error")),
)


@dataclass(frozen=True)
class Exchange:
    """One exchange: how it names a pair and where in an answer its candles are.

    Parameters
    ----------
    name
        Key in `SOURCES`, and ccxt's name.
    title
        Name for people.
    most
        Candles a page can have.
    pair
        Its name for a base and a quote, such as BTC and USD.
    candles
        The list of candles in a page, None where there is none.
    earlier
        Whether earlier pages can be asked for.
    """

    name: str
    title: str
    most: int
    pair: Callable[[str, str], str]
    candles: Callable[[Any], Any]
    earlier: bool = True

    def request(self, ask: Ask, call: Call) -> Payload:
        """Return the daily candles of a coin: a JSON list of the pages as delivered, the newest first.

        Raises
        ------
        NotFoundError
            The symbol is not a coin against a currency, such as BTC-USD.
        """
        client, market = self._client(call), self._market(ask.name)
        before = None if ask.end is None else int(ask.end.timestamp()) * 1000 + 2 * _DAY
        pages: list[str] = []
        while True:
            answer = self._page(call, client, market, before)
            payload = Payload(self.name, ask.kind, ask.name, answer.text, ask.start, ask.end, answer.status, answer.url)
            try:
                times = self._table(replace(payload, body=f"[{answer.text}]"))["time"]
            except SourceError:
                return payload  # which says what is wrong with it, when it is parsed
            pages.append(answer.text)
            first = None if times.empty else int(times.min())
            if first is None or not self.earlier or (before is not None and first >= before):
                break
            if ask.start is not None and first <= int(ask.start.timestamp()) * 1000:
                break
            before = first
        body = f"[{','.join(pages)}]"
        return Payload(self.name, ask.kind, ask.name, body, ask.start, ask.end, answer.status, answer.url)

    def parse(self, payload: Payload) -> Parsed:
        """Return the finished daily bars of one page or of a list of pages.

        Raises
        ------
        NotFoundError
            The exchange does not know the pair.
        BadKeyError, LimitError
            It refuses.
        EmptyError
            No finished day lies in the span asked for.
        FormatError
            Not candles, not daily, or a value missing.
        """
        check_status(Answer(payload.status, payload.text, payload.url), self.title)
        rows = self._table(payload).drop_duplicates("time", keep="last").sort_values("time")
        if (rows["time"] % _DAY != 0).any():
            raise FormatError(
                f"{self.title}'s candles of {payload.name} do not start at midnight UTC; nothing was read."
            )
        notes: tuple[str, ...] = ()
        if not rows.empty:
            last = pd.Timestamp(int(rows["time"].iloc[-1]), unit="ms")
            rows = rows.iloc[:-1]
            if payload.end is None or last <= payload.end:
                notes = (f"{payload.name}: {last:%Y-%m-%d} may not be over and is left out.",)
        rows = rows.assign(ts=pd.to_datetime(rows["time"].astype("int64"), unit="ms"))
        bars = within(bars_frame(rows, payload.name, payload.source), "ts", payload)
        if bars.empty:
            raise EmptyError(f"{self.title} has no finished day of {payload.name} in the span asked for.")
        return Parsed(bars=bars, notes=notes)

    def _client(self, call: Call) -> Any:
        """Return a ccxt exchange with a session of its own."""
        client = _new(self.name)
        client.timeout = int(call.timeout * 1000)
        if call.base_url:
            for key, url in client.urls["api"].items():
                if isinstance(url, str):
                    client.urls["api"][key] = f"{call.base_url}{urlsplit(url).path}"
        return client

    def _market(self, symbol: str) -> dict[str, Any]:
        """Return the least that ccxt must know of a pair; its own list of all pairs would be megabytes a call."""
        base, _, quote = symbol.partition("-")
        if not (base.isalnum() and quote.isalnum()):
            raise NotFoundError(f"{self.title} has coins against a currency, such as BTC-USD; got {symbol!r}.")
        return {"id": self.pair(base, quote), "symbol": symbol, "base": base, "quote": quote}

    def _page(self, call: Call, client: Any, market: dict[str, Any], before: int | None) -> Answer:
        """Return the page of candles that start before a moment in milliseconds, or the newest page."""
        # None of them gives more than `most` candles from a start, so start and end are both said.
        since = None if before is None else before - self.most * _DAY
        params = {} if before is None else {"until": before - 1000}
        spot = client.safe_market_structure(
            market
            | {"type": "spot", "spot": True, "inverse": False, "linear": None, "option": False, "contract": False}
        )
        client.markets = {spot["symbol"]: spot}
        client.markets_by_id = {spot["id"]: [spot]}

        def ask() -> object:
            return client.fetch_ohlcv(spot["symbol"], "1d", since if self.earlier else None, self.most, params)

        return through(call, self.name, self.title, client.session, ask)

    def _table(self, payload: Payload) -> pd.DataFrame:
        """Return the candles of a body as numbers, in the order given: time in milliseconds, open to volume."""
        rows = [row for page in self._pages(payload) for row in self._read(payload, page)]
        try:
            table = pd.DataFrame(rows, columns=_COLUMNS, dtype="float64")
        except (ValueError, OverflowError):
            raise strange(self.title, payload, "holds candles that are no numbers") from None
        unknown = table[["time", "open", "high", "low", "close"]].isna().any(axis=1)
        if unknown.any() or (table["time"].abs() > 1e14).any():
            raise strange(self.title, payload, f"lacks a time or price in {max(int(unknown.sum()), 1)} of its candles")
        return table

    def _pages(self, payload: Payload) -> Iterator[Any]:
        body = read_json(self.title, payload)
        if body == []:
            raise strange(self.title, payload, "holds no page of candles")
        bundled = isinstance(body, list) and (isinstance(body[0], dict) or self.candles(body[0]) is not None)
        yield from body if bundled else [body]

    def _read(self, payload: Payload, page: Any) -> Iterator[list[Any]]:
        candles = self.candles(page)
        if not isinstance(candles, list):
            raise self._fault(payload, page)
        client = _offline(self.name)
        for candle in candles:
            try:
                yield client.parse_ohlcv(candle)
            except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
                raise strange(self.title, payload, "holds something that is no candle") from None

    def _fault(self, payload: Payload, page: Any) -> SourceError:
        said = brief(" ".join(_texts(page)))
        if isinstance(page, dict) and {"code", "msg", "error", "errors", "message"} & set(page) and said:
            for error, words in _WORDS:
                if any(word in said.lower() for word in words):
                    return error(f"{self.title} does not answer for {payload.name}: {said}")
            return SourceError(f"{self.title} cannot answer for {payload.name}: {said}")
        return strange(self.title, payload, "holds no candles")


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in an error body, wherever they lie, two levels deep at most."""
    for part in value.values() if isinstance(value, dict) else ():
        for text in part if isinstance(part, list) else [part]:
            if isinstance(text, str):
                yield text
            elif isinstance(text, dict):
                yield from (inner for inner in text.values() if isinstance(inner, str))


def _new(name: str) -> Any:
    """Return a ccxt exchange that knows no pairs and never waits: the quota is kept elsewhere."""
    import ccxt  # noqa: PLC0415  its import takes a third of a second

    return getattr(ccxt, name)({"enableRateLimit": False})


_offline = cache(_new)


def _binance_pair(base: str, quote: str) -> str:
    return f"{base}{'USDT' if quote == 'USD' else quote}"


def _kraken_pair(base: str, quote: str) -> str:
    return f"{ {'BTC': 'XBT', 'DOGE': 'XDG'}.get(base, base) }{quote}"


def _binance_candles(page: Any) -> Any:
    return page if isinstance(page, list) and all(isinstance(row, list) and len(row) == 12 for row in page) else None


def _coinbase_candles(page: Any) -> Any:
    return page.get("candles") if isinstance(page, dict) else None


def _kraken_candles(page: Any) -> Any:
    result = page.get("result") if isinstance(page, dict) else None
    if not isinstance(result, dict):
        return None
    return next((value for key, value in result.items() if key != "last"), None)


BINANCE = Exchange("binance", "Binance", 1000, _binance_pair, _binance_candles)
COINBASE = Exchange("coinbase", "Coinbase", 300, lambda base, quote: f"{base}-{quote}", _coinbase_candles)
# Kraken gives the last 720 days and nothing older, whatever is asked.
KRAKEN = Exchange("kraken", "Kraken", 720, _kraken_pair, _kraken_candles, earlier=False)
