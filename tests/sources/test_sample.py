"""The sample read out of the installed wheels, against the loaders those packages offer themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skfolio.datasets import load_factors_dataset, load_sp500_dataset, load_sp500_index

from quantlib.errors import DataError, SourceError
from quantlib.sources import sample
from quantlib.sources.base import Ask, Call, EmptyError, FormatError, NotFoundError, Parsed, Payload
from quantlib.types import BAR_COLUMNS, MACRO_COLUMNS

SERIES = {series.name for series in sample.SERIES}


def request(name: str, start: str | None = None, end: str | None = None) -> Payload:
    return sample.request(Ask.of("macro" if name in SERIES else "bars", name, start, end), Call(Path()))


def read(name: str, start: str | None = None, end: str | None = None) -> Parsed:
    return sample.parse(request(name, start, end))


def test_stocks_and_etfs_are_exactly_the_published_closes_and_nothing_else() -> None:
    for symbols, published in ((sample.STOCKS, load_sp500_dataset()), (sample.ETFS, load_factors_dataset())):
        assert list(published) == list(symbols)
        for symbol in symbols:
            bars = read(symbol).bars
            assert tuple(bars) == BAR_COLUMNS
            assert bars["close"].tolist() == published[symbol].tolist()
            assert bars["adj_close"].tolist() == published[symbol].tolist()
            assert bars["ts"].tolist() == published.index.tolist()
            assert bars[["open", "high", "low", "volume"]].isna().all(axis=None)
            assert set(bars["symbol"]) == {symbol}
            assert set(bars["source"]) == {"sample"}


def test_the_s_and_p_500_has_whole_bars_where_two_records_agree() -> None:
    from arch.data import sp500

    parsed = read("^GSPC")
    assert parsed.notes[0].startswith("^GSPC: 5031 of 5031 days known twice agree")
    bars = parsed.bars.set_index("ts")
    closes, whole = load_sp500_index()["SP500"], sp500.load()
    assert bars.index.tolist() == closes.index.tolist()
    assert np.abs(bars["close"] - closes).max() <= 0.005
    assert bars["open"].notna().sum() == 5031
    for name, theirs in {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}.items():
        assert bars[name].reindex(whole.index).tolist() == whole[theirs].tolist()
    alone = bars.drop(index=whole.index)
    assert alone["close"].tolist() == closes.drop(index=whole.index).tolist()
    assert alone[["open", "high", "low", "volume"]].isna().all(axis=None)


def test_a_day_on_which_the_two_records_differ_keeps_the_close_alone() -> None:
    payload = request("^GSPC", "2018-12-27", "2018-12-31")
    text = payload.text.replace(",2485.73999,2485.73999,", ",2485.9,2485.9,")
    parsed = sample.parse(dataclasses.replace(payload, body=text))
    assert parsed.notes[0].startswith("^GSPC: 5030 of 5031")
    assert parsed.bars["close"].tolist() == [2488.830078, 2485.74, 2506.850098]
    assert parsed.bars["high"].isna().tolist() == [False, True, False]


def test_the_nasdaq_s_two_zero_volumes_are_unknown() -> None:
    bars = read("^IXIC").bars.set_index("ts")
    unknown = bars.index[bars["volume"].isna()]
    assert unknown.tolist() == [pd.Timestamp("2015-05-12"), pd.Timestamp("2018-01-09")]
    assert bars["close"].notna().all()


@pytest.mark.parametrize("symbol", sample.SYMBOLS)
def test_bars_obey_the_order_of_prices(symbol: str) -> None:
    bars = read(symbol).bars
    assert bars["ts"].is_unique
    assert bars["ts"].is_monotonic_increasing
    assert (bars["ts"].dt.day_of_week < 5).all()
    assert (bars[["close", "adj_close"]] > 0).all(axis=None)
    whole = bars.dropna(subset="open")
    assert (whole["high"] >= whole[["open", "close", "low"]].max(axis=1)).all()
    assert (whole["low"] <= whole[["open", "close"]].min(axis=1)).all()
    assert (whole["low"] > 0).all()


@pytest.mark.parametrize(
    ("series", "rows", "last", "value"),
    [
        ("VIXCLS", 1305 - 46, "2019-01-03", 25.45),
        ("DCOILWTICO", 8611 - 290, "2019-01-03", 46.92),
        ("AAA", 1200, "2018-12-01", 4.02),
        ("BAA", 1200, "2018-12-01", 5.13),
        ("CPILFESL", 743, "2018-11-01", 259.481),
    ],
)
def test_macro_series_have_no_gap_filled(series: str, rows: int, last: str, value: float) -> None:
    macro = read(series).macro
    assert tuple(macro) == MACRO_COLUMNS
    assert len(macro) == rows
    assert macro["value"].notna().all()
    assert macro["period"].is_unique
    assert (macro["period"].iloc[-1], macro["value"].iloc[-1]) == (pd.Timestamp(last), value)
    assert set(macro["release_basis"]) == {"estimated"}


# Releases as they happened: the CPI of September 2013 came late (closed offices), that of December 1995 latest
# of all; the EIA posts a Tuesday's price on the Wednesday of the next week; the VIX closes at 16:15 in New York.
@pytest.mark.parametrize(
    ("series", "period", "released"),
    [
        ("CPILFESL", "2018-11-01", "2018-12-12T13:30Z"),
        ("CPILFESL", "2013-09-01", "2013-10-30T12:30Z"),
        ("CPILFESL", "1995-12-01", "1996-02-01T13:30Z"),
        ("DCOILWTICO", "2018-11-20", "2018-11-28T18:00Z"),
        ("VIXCLS", "2018-12-31", "2018-12-31T21:15Z"),
        ("VIXCLS", "2018-12-28", "2018-12-28T21:15Z"),
        ("AAA", "2018-11-01", "2018-12-03T21:15Z"),
    ],
)
def test_the_estimated_release_is_never_before_the_real_one(series: str, period: str, released: str) -> None:
    macro = read(series).macro.set_index("period")["released_at"]
    estimate, real = macro[pd.Timestamp(period)], pd.Timestamp(released)
    assert real <= estimate <= real + pd.Timedelta(days=45)


def test_releases_come_after_the_period_and_in_order() -> None:
    for series in sample.SERIES:
        macro = read(series.name).macro
        assert macro["released_at"].is_monotonic_increasing
        assert (macro["released_at"].dt.tz_localize(None) > macro["period"]).all()
        assert (macro["released_at"].dt.tz_localize(None).dt.day_of_week < 5).all() or series.name != "VIXCLS"


def test_a_span_keeps_both_ends() -> None:
    assert [str(d.date()) for d in read("KO", "2022-12-23", "2022-12-27").bars["ts"]] == ["2022-12-23", "2022-12-27"]
    assert len(read("AAA", "2018-01-01", "2018-12-31").macro) == 12


def test_a_span_without_data_says_what_there_is() -> None:
    with pytest.raises(EmptyError, match=r"KO.*1990-01-02 to 2022-12-28"):
        read("KO", "2023-01-01")


def test_an_unknown_symbol_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"'APPL'.*Did you mean AAPL"):
        read("APPL")


def test_a_bad_span_is_refused_before_anything_is_read() -> None:
    with pytest.raises(DataError, match="before the start"):
        read("KO", "2022-01-02", "2022-01-01")
    with pytest.raises(DataError, match="start is not a date: 'soon'"):
        read("KO", "soon")


@pytest.mark.parametrize("body", ["", "garbage", "Date,price\n2022-01-03,1.0\n", "<html></html>"])
def test_a_payload_of_another_form_is_refused(body: str) -> None:
    with pytest.raises(FormatError, match="The sample's payload for KO"):
        sample.parse(dataclasses.replace(request("KO"), body=body))


def test_a_missing_package_or_file_says_what_to_do() -> None:
    with pytest.raises(SourceError, match=r"package nosuch.*make setup"):
        sample._table("nosuch", "x.csv")
    with pytest.raises(FormatError, match=r"arch has no file data/x\.csv.*make setup"):
        sample._table("arch", "data/x.csv")
