"""CoinGecko, Binance, Coinbase, FRED and ECB: every recorded answer gives valid rows or the right error."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded import Recorded

from quantlib.sources import SOURCES
from quantlib.sources.base import BadKeyError, FormatError, NotFoundError, Parsed, Payload, SourceError

pytestmark = pytest.mark.replay
Cassettes = Callable[[str], list[Recorded]]
NAMES = {"coingecko": "BTC-USD", "binance": "BTC-USD", "coinbase": "ETH-USD", "fred": "DGS10"}


def read(source: str, one: Recorded) -> Parsed | str:
    """Return what an answer is parsed to, or the name of the error."""
    entry = SOURCES[source]
    series = re.search(r"series_id=(\w+)", one.url)
    name = series[1] if series else NAMES[source]
    try:
        return entry.parse(Payload(source, entry.kinds[0], name, one.text, status=one.status, url=one.url))
    except SourceError as error:
        return type(error).__name__


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("coingecko", {"FormatError": 28, "NotFoundError": 1}),
        ("binance", {"rows": 1, "FormatError": 3, "BadKeyError": 2}),
        ("coinbase", {"FormatError": 6, "BadKeyError": 2}),
        ("fred", {"rows": 12, "FormatError": 1, "BadKeyError": 1}),
    ],
)
def test_every_answer_is_rows_or_an_error_of_a_kind(cassettes: Cassettes, source: str, outcome: dict[str, int]) -> None:
    found = Counter[str]()
    for one in cassettes(source):
        result = read(source, one)
        found[result if isinstance(result, str) else "rows"] += 1
    assert found == outcome


def only(cassettes: Cassettes, source: str, words: str) -> Recorded:
    """Return the one recorded answer whose address holds these words."""
    (one,) = [one for one in cassettes(source) if words in one.url]
    return one


def test_binance_agrees_with_another_vendor_s_closes(cassettes: Cassettes, replay: Path) -> None:
    parsed = read("binance", only(cassettes, "binance", "klines"))
    assert isinstance(parsed, Parsed)
    ours = parsed.bars.set_index("ts")
    assert ours.index.tolist() == pd.date_range("2021-05-11", "2022-09-21").tolist()
    assert (ours["high"] >= ours[["open", "close", "low"]].max(axis=1)).all()
    assert (ours["low"] <= ours[["open", "close"]].min(axis=1)).all()
    assert parsed.notes == ("BTC-USD: 2022-09-22 may not be over and is left out.",)
    theirs = pd.read_parquet(replay / "prices" / "crypto_daily_2014_20220214.parquet")
    theirs = theirs[theirs["symbol"] == "BTC-USD"].set_index("date")
    both = ours.index.intersection(theirs.index)
    assert len(both) > 250
    # A day off would show at once: the coin moved by three percent on a usual day.
    apart = np.abs(ours.loc[both, "close"] / theirs.loc[both, "close"] - 1)
    assert apart.median() < 0.001
    assert apart.quantile(0.9) < 0.005
    shifted = np.abs(ours.loc[both, "close"] / theirs.loc[both, "close"].shift() - 1)
    assert shifted.median() > 0.01


def test_coingecko_s_candles_of_a_year_are_refused_by_their_length(cassettes: Cassettes, replay: Path) -> None:
    one = only(cassettes, "coingecko", "/coins/bitcoin/ohlc")
    with pytest.raises(FormatError, match="candles of 4 days"):
        SOURCES["coingecko"].parse(Payload("coingecko", "bars", "BTC-USD", one.text))


def test_coingecko_stamps_a_close_with_the_midnight_after_it(cassettes: Cassettes) -> None:
    # The same recording holds another vendor's closes of these days.
    candles = pd.DataFrame(json.loads(only(cassettes, "coingecko", "/coins/bitcoin/ohlc").text))
    ends = pd.DatetimeIndex(pd.to_datetime(candles[0], unit="ms"))
    stamped = pd.Series(candles[4].to_numpy(), index=ends)[ends == ends.normalize()]
    chart = (
        SOURCES["yahoo"]
        .parse(Payload("yahoo", "bars", "BTC-USD", only(cassettes, "coingecko", "chart/BTC-USD").text))
        .bars.set_index("ts")["close"]
    )
    apart = {
        days: np.abs(stamped.to_numpy() / chart.reindex(stamped.index - pd.Timedelta(days=days)) - 1).median()
        for days in (0, 1, 2)
    }
    assert apart[1] < 0.002 < apart[0]
    assert apart[1] < 0.002 < apart[2]


def test_coingecko_s_unknown_coin(cassettes: Cassettes) -> None:
    one = only(cassettes, "coingecko", "/coins/btc/")
    with pytest.raises(NotFoundError, match="Could not find coin with the given id"):
        SOURCES["coingecko"].parse(Payload("coingecko", "bars", "BTC-USD", one.text, status=one.status))


def test_fred_s_daily_yields_average_to_the_published_monthly_ones(cassettes: Cassettes, replay: Path) -> None:
    (one,) = [one for one in cassettes("fred") if "series_id=DGS10" in one.url and "start=2020-01-01" in one.url]
    parsed = read("fred", one)
    assert isinstance(parsed, Parsed)
    macro = parsed.macro
    assert parsed.notes == ("DGS10: 23 value(s) FRED marks as missing are left out.",)
    assert len(macro) == 577 - 23
    assert set(macro["release_basis"]) == {"estimated"}
    assert (macro["released_at"].dt.tz_localize(None) - macro["period"] > pd.Timedelta(days=1)).all()
    monthly = macro.set_index("period")["value"].resample("MS").mean().iloc[:-1]  # the last month is not whole
    published = pd.read_csv(replay / "macro" / "us10y_monthly.csv", index_col="Date", parse_dates=True)["Rate"]
    assert len(monthly) == 26
    assert np.abs(monthly - published[monthly.index]).max() < 0.006  # both are rounded to a hundredth


def test_fred_s_bad_key_comes_as_xml(cassettes: Cassettes) -> None:
    one = only(cassettes, "fred", "series_id=GNPCA")
    assert one.text.startswith("<?xml")
    with pytest.raises(BadKeyError, match="FRED_API_KEY: The value for variable api_key"):
        SOURCES["fred"].parse(Payload("fred", "macro", "GNPCA", one.text, status=one.status))


def test_the_european_central_bank_s_file_has_thirty_currencies(replay: Path) -> None:
    text = (replay / "api" / "hand_copied" / "ecb_eurofxref-daily_2024-06-26.xml").read_text(encoding="utf-8")
    rates = re.findall(r"currency='(\w+)' rate='([\d.]+)'", text)
    assert len(rates) == 30
    for currency, rate in rates:
        bars = SOURCES["ecb"].parse(Payload("ecb", "bars", f"EUR{currency}=X", text)).bars
        assert bars["close"].tolist() == [float(rate)]
        assert bars["ts"].tolist() == [pd.Timestamp("2024-06-26")]


def test_kraken_s_orders_are_no_candles(replay: Path) -> None:
    text = (replay / "api" / "hand_copied" / "kraken_orders_httpResponse.json").read_text(encoding="utf-8")
    with pytest.raises(FormatError, match="no candles"):
        SOURCES["kraken"].parse(Payload("kraken", "bars", "BTC-USD", text))
