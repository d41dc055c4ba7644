"""Every recorded answer of Yahoo, Alpha Vantage and Polygon: valid rows, or the error it should be.

The table of the counts is printed with `pytest -s`.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest
from damage import damage

from quantlib.errors import SourceError
from quantlib.sources import SOURCES
from quantlib.sources.base import Parsed, Payload
from quantlib.sources.reading import bundle
from quantlib.store.bars import check_bars

pytestmark = pytest.mark.replay
Cassettes = Callable[[str], list[Any]]

EMPTY = json.dumps({"results": [], "status": "OK"})
LATER = "Thu, 01 Dec 2022 12:00:00 GMT"  # when it was recorded, or after


def yahoo(url: str, text: str, status: int) -> tuple[str, Payload, str] | None:
    """Return what was asked, the answer, and what it should become: daily bars, or the name of an error."""
    place = urlsplit(url)
    if not place.netloc.endswith("finance.yahoo.com"):
        return None  # another vendor on the same tape
    name = unquote(place.path.rpartition("/")[2])
    daily = "/v8/finance/chart/" in place.path and parse_qs(place.query).get("interval") == ["1d"]
    what = re.sub(r"^/v\d+/finance/(\w+)/.*", r"\1", place.path)
    return (
        f"{what}{'' if daily else ', not daily bars'}",
        Payload("yahoo", "bars", name, text, status=status),
        ("rows" if daily else "FormatError"),
    )


# What each function's recorded answer is, once it is asked for as bars.
ALPHA_VANTAGE = {
    "FX_DAILY": "rows",
    "TIME_SERIES_DAILY_ADJUSTED": "BadKeyError",
    "CASH_FLOW": "LimitError",
    "EARNINGS": "LimitError",
    "INFLATION": "LimitError",
    "UNEMPLOYMENT": "LimitError",
    "REAL_GDP": "FormatError",
    "SECTOR": "FormatError",
    "CURRENCY_EXCHANGE_RATE": "FormatError",
}


def alpha_vantage(url: str, text: str, status: int) -> tuple[str, Payload, str]:
    query = {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
    function = query["function"]
    pair = query.get("from_symbol", "") + query.get("to_symbol", "") or query.get("from_currency", "") + query.get(
        "to_currency", ""
    )
    name = f"{pair}=X" if pair else query.get("symbol", "IBM")
    return function, Payload("alpha_vantage", "bars", name, text, status=status), ALPHA_VANTAGE[function]


def polygon(url: str, text: str, status: int) -> tuple[str, Payload, str]:
    """Return as above; bars are put beside empty answers about dividends and splits, as `request` does.

    The recording asked for split-adjusted bars, this source asks for raw ones: the same answer but for one word.
    """
    path = urlsplit(url).path
    ticker = path.split("/")[4].replace(".", "-") if "/aggs/" in path else "AAPL"
    if status in {401, 429}:
        return f"HTTP {status}", _polygon(ticker, text, status), "BadKeyError" if status == 401 else "LimitError"
    if "/aggs/" not in path:
        return "reference", _polygon(ticker, text, status), "FormatError"
    assert '"adjusted":true' in text
    raw = text.replace('"adjusted":true', '"adjusted":false')
    parts = {"bars": [raw], "dividends": [EMPTY], "splits": [EMPTY], "answered": [LATER]}
    return "aggregates, as raw", _polygon(ticker, bundle(parts), status), "rows"


def _polygon(ticker: str, text: str, status: int) -> Payload:
    return Payload("polygon", "bars", ticker, text, status=status)


Outcome = tuple[str, str, str, str]
Reader = Callable[[str, str, int], tuple[str, Payload, str] | None]
READERS: dict[str, Reader] = {"yahoo": yahoo, "alpha_vantage": alpha_vantage, "polygon": polygon}
TAPES = {"yahoo": ("yahoo", "coingecko", "ken_french")}  # some recordings asked Yahoo, too


def answers(cassettes: Cassettes, name: str) -> Iterator[tuple[str, Payload, str]]:
    """Yield what was asked, the answer, and what it should become, of every recorded answer of a vendor."""
    for one in (one for tape in TAPES.get(name, (name,)) for one in cassettes(tape)):
        if (found := READERS[name](one.url, one.text, one.status)) is not None:
            yield found


def outcomes(cassettes: Cassettes, name: str) -> Iterator[Outcome]:
    """Yield what was asked, what the answer should become, what it became, and in which words."""
    for what, payload, expected in answers(cassettes, name):
        try:
            parsed = SOURCES[name].parse(payload)
        except SourceError as error:
            yield what, expected, type(error).__name__, str(error)
        else:
            check(parsed)
            yield what, expected, "rows", f"{len(parsed.bars)} bars"


def check(parsed: Parsed) -> None:
    good, rejected = check_bars(parsed.bars)
    assert len(good) == len(parsed.bars) > 0, rejected
    assert parsed.bars["ts"].is_monotonic_increasing
    assert parsed.bars["ts"].is_unique


@pytest.mark.parametrize("name", READERS)
def test_every_recorded_answer_becomes_rows_or_the_right_error(cassettes: Cassettes, name: str) -> None:
    found = list(outcomes(cassettes, name))
    table = Counter((what, became) for what, _, became, _ in found)
    sys.stdout.write(f"\n{name}: {len(found)} recorded answers\n")
    for (what, became), times in sorted(table.items()):
        sys.stdout.write(f"  {times:3} {what}: {became}\n")
    assert [(what, became, words) for what, expected, became, words in found if became != expected] == []


def test_the_counts(cassettes: Cassettes) -> None:
    counts = {name: Counter(became == "rows" for _, _, became, _ in outcomes(cassettes, name)) for name in READERS}
    sys.stdout.write("\nvendor, parsed to rows, the right error\n")
    for name, count in counts.items():
        sys.stdout.write(f"{name}, {count[True]}, {count[False]}\n")
    assert {name: (count[True], count[False]) for name, count in counts.items()} == {
        "yahoo": (11, 14),
        "alpha_vantage": (2, 9),
        "polygon": (1, 5),
    }


def test_recorded_currencies_are_whole(cassettes: Cassettes) -> None:
    (euro,) = [one for one in cassettes("alpha_vantage") if "FX_DAILY" in one.url and "from_symbol=EUR" in one.url]
    parsed = SOURCES["alpha_vantage"].parse(Payload("alpha_vantage", "bars", "EURUSD=X", euro.text))
    days = re.findall(r'"(\d{4}-\d\d-\d\d)": \{', euro.text)
    assert len(parsed.bars) == len(days) - 1  # the day of the recording was still running
    assert parsed.notes == ("EURUSD=X: the unfinished session of 2022-03-21 is left out.",)
    last = parsed.bars.iloc[-1]
    assert (last["ts"], last["close"]) == (pd.Timestamp("2022-03-18"), 1.105)


def test_split_adjusted_bars_are_not_taken_for_raw_ones(cassettes: Cassettes) -> None:
    (bars,) = [one for one in cassettes("polygon") if "/aggs/" in one.url and one.status == 200]
    parts = {"bars": [bars.text], "dividends": [EMPTY], "splits": [EMPTY], "answered": [LATER]}
    with pytest.raises(SourceError, match="split-adjusted"):
        SOURCES["polygon"].parse(Payload("polygon", "bars", "GME", bundle(parts)))


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_recorded_answer_is_an_error_or_rows_that_the_door_checks(cassettes: Cassettes, name: str) -> None:
    rng = random.Random(name)
    for _, payload, _ in answers(cassettes, name):
        size = len(payload.body)
        damage(SOURCES[name], payload, rng, 60 if size < 5_000 else 15 if size < 100_000 else 3)
