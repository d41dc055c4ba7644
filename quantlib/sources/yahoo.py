"""Yahoo Finance: live daily bars, dividends and splits from its chart endpoint, through yfinance's session.

Prices are adjusted for splits as of the day of the request; `adj_close` for dividends too. So a later split
or dividend restates every earlier row.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import stamina

from quantlib.sources.base import LimitError, Payload, UnreachableError
from quantlib.sources.yahoo_chart import brief, parse
from quantlib.types import DateLike, check_span

__all__ = ["NAME", "parse", "request"]

NAME = "yahoo"
BASE_URL = "https://query2.finance.yahoo.com"
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


def request(
    symbol: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    home: Path,
    base_url: str = BASE_URL,
    timeout: float = 20.0,
    attempts: int = 4,
    wait: float = 1.0,
) -> Payload:
    """Return Yahoo's chart answer for one symbol; network faults, 429 and 5xx are tried again.

    Parameters
    ----------
    symbol
        In Yahoo's form: `BRK-B`, `^GSPC`, `BTC-USD`.
    start, end
        First and last session wanted, both included; None is as far as Yahoo goes.
    home
        Folder for yfinance's cookie cache.
    base_url
        Scheme and host that answer.
    timeout
        Seconds one attempt may take.
    attempts
        How often to try in all.
    wait
        Seconds before the second attempt, doubling after each, with jitter of as much again.

    Raises
    ------
    LimitError
        Still refused after the last attempt.
    UnreachableError
        Still no answer, or a server fault, after the last attempt.
    DataError
        The span is not made of dates, or ends before it starts.
    """
    first, last = check_span(start, end)
    url = f"{base_url}/v8/finance/chart/{quote(symbol, safe='')}"
    # A session in the far east begins on the UTC day before, one in the far west ends on the day after.
    params = {
        "period1": _FIRST if first is None else int(first.timestamp()) - _DAY,
        "period2": _LAST if last is None else int(last.timestamp()) + 2 * _DAY,
        "interval": "1d",
        "includePrePost": "false",
        "events": "div,splits",
    }
    retry = stamina.retry_context(
        on=(LimitError, UnreachableError),
        attempts=attempts,
        timeout=None,
        wait_initial=wait,
        wait_max=8 * wait,
        wait_jitter=wait,
    )
    for attempt in retry:
        with attempt:
            status, body = _get(url, params, home=home, timeout=timeout)
    return Payload(NAME, symbol, body, first, last, status)


def _get(url: str, params: dict[str, object], *, home: Path, timeout: float) -> tuple[int, str]:
    """Return status and text of one attempt, with what is worth another one raised as such."""
    from yfinance.exceptions import YFRateLimitError  # noqa: PLC0415  its import takes two seconds

    client = _client(home)
    try:
        answer = client.get(url, params=params, timeout=timeout)
    except YFRateLimitError:
        raise LimitError("Yahoo refuses for now: too many requests (HTTP 429). Try again in some minutes.") from None
    except Exception as error:  # noqa: BLE001  where Yahoo's cookie pages change, yfinance raises anything
        why = brief(str(error).partition(" See ")[0] or type(error).__name__).rstrip(".")
        raise UnreachableError(f"Yahoo is not reachable: {why}. Check the network, or use --source sample.") from None
    status = int(answer.status_code)
    if status >= 500:
        raise UnreachableError(f"Yahoo has a fault of its own (HTTP {status}). Try again later.")
    return status, str(answer.text)
