"""Dates, spans and instruments."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantlib.errors import DataError
from quantlib.types import Instrument, as_date, check_span


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02",
        " 2024-01-02 ",
        "20240102",
        "2024-01-02 15:30",
        "2024-01-02T23:30:00-05:00",
        date(2024, 1, 2),
        datetime(2024, 1, 2, 23, 59),  # noqa: DTZ001 - a time without a zone is what is tested
        datetime(2024, 1, 2, 3, tzinfo=UTC),
        pd.Timestamp("2024-01-02 23:00", tz="Asia/Tokyo"),
        pd.Timestamp("2024-01-02").as_unit("ns"),
    ],
)
def test_as_date_is_the_day_as_written(value: Any) -> None:
    stamp = as_date(value)
    assert stamp == pd.Timestamp("2024-01-02")
    assert stamp.tz is None
    assert stamp.unit == "us"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "today",
        "now",
        "12:30",
        "02/01/2024",
        "1/2/24",
        "2024-13-01",
        "2024-02-30",
        "Monday",
        "nan",
        None,
        pd.NaT,
        "-1",
    ],
)
def test_as_date_refuses_what_is_no_certain_date(value: Any) -> None:
    with pytest.raises(DataError, match=r"start is not a date: .*YYYY-MM-DD"):
        as_date(value, "start")


@given(st.dates(min_value=date(1, 1, 1)))
def test_as_date_reads_every_iso_date_back(day: date) -> None:
    assert as_date(day.isoformat()).date() == day


def test_check_span_allows_open_ends_and_a_single_day() -> None:
    assert check_span(None, None) == (None, None)
    assert check_span("2024-01-02", None) == (pd.Timestamp("2024-01-02"), None)
    assert check_span("2024-01-02", "2024-01-02") == (pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-02"))


def test_check_span_refuses_an_end_before_the_start() -> None:
    with pytest.raises(DataError, match="The end 2024-01-01 is before the start 2024-01-02"):
        check_span("2024-01-02", "2024-01-01")
    with pytest.raises(DataError, match="end is not a date: 'x'"):
        check_span("2024-01-02", "x")


@pytest.mark.parametrize("symbol", ["AAPL", "BRK-B", "BF.B", "^GSPC", "BTC-USD", "EURUSD=X", "TRUE", "NA", "7203.T"])
def test_instrument_accepts_symbols_that_vendors_use(symbol: str) -> None:
    assert Instrument(symbol=symbol).symbol == symbol


@pytest.mark.parametrize("symbol", ["", " ", "KO PEP", "KO;", "KO'--", "../KO", "KO\n", "A" * 33, "Ä"])
def test_instrument_refuses_what_is_no_symbol(symbol: str) -> None:
    with pytest.raises(ValidationError, match="symbol"):
        Instrument(symbol=symbol)


def test_instrument_is_frozen_hashable_and_survives_json() -> None:
    one = Instrument(symbol="SPY", name="SPDR S&P 500", kind="etf", exchange="ARCX", tags=("broad", "us"))
    assert Instrument.model_validate_json(one.model_dump_json()) == one
    assert len({one, Instrument(**one.model_dump())}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        one.name = "x"


def test_an_instrument_is_not_delisted_before_it_is_listed() -> None:
    twitter = Instrument(symbol="TWTR", listed=date(2013, 11, 7), delisted=date(2022, 10, 27))
    assert Instrument.model_validate_json(twitter.model_dump_json()) == twitter
    with pytest.raises(ValidationError, match="delisted on 2013-11-07, before it is listed on 2022-10-27"):
        Instrument(symbol="TWTR", listed=date(2022, 10, 27), delisted=date(2013, 11, 7))


def test_instrument_refuses_unknown_kinds_and_fields() -> None:
    with pytest.raises(ValidationError, match="kind"):
        Instrument(symbol="SPY", kind="bond")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="sectr"):
        Instrument(symbol="SPY", sectr="x")  # type: ignore[call-arg]
