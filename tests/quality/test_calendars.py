"""Calendars: facts of the exchanges' own history."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.quality.calendars import EXCHANGES, KINDS, calendar_of, closing_times, expected_last, sessions
from quantlib.universe import load_universe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2001-09-10", "2001-09-18", ["2001-09-10", "2001-09-17", "2001-09-18"]),  # closed after the attacks
        ("2012-10-26", "2012-10-31", ["2012-10-26", "2012-10-31"]),  # the hurricane
        ("2024-07-03", "2024-07-05", ["2024-07-03", "2024-07-05"]),  # a half day is a session
        ("1968-06-12", "1968-06-12", []),  # the paper crisis closed Wednesdays
        ("2024-01-06", "2024-01-07", []),
        ("2024-01-05", "2024-01-04", []),
    ],
)
def test_new_york(start: str, end: str, expected: list[str]) -> None:
    assert sessions("XNYS", pd.Timestamp(start), pd.Timestamp(end)).astype(str).tolist() == expected


def test_when_sessions_close() -> None:
    days = pd.DatetimeIndex(["2020-07-02", "2020-07-03", "2020-11-27", "2020-12-01", "1999-12-31", "2020-07-04"])
    closes = closing_times("XNYS", days)
    hours = pd.Series(pd.DatetimeIndex(closes, tz="UTC").tz_convert("America/New_York")).dt.strftime("%m-%d %H:%M")
    assert hours.fillna("closed").tolist() == [
        "07-02 16:00",
        "closed",
        "11-27 13:00",
        "12-01 16:00",
        "12-31 13:00",  # for the turn of the millennium
        "closed",
    ]
    assert (closing_times("24/7", days) == days.to_numpy() + np.timedelta64(1, "D")).all()
    assert len(closing_times("XNYS", days[:0])) == 0
    assert np.isnat(closing_times("XHKG", pd.DatetimeIndex(["1955-01-05"]))).all(), "before its calendar begins"


def test_crypto_has_every_day_and_currencies_every_weekday() -> None:
    week = pd.Timestamp("1995-01-02"), pd.Timestamp("1995-01-08")
    assert len(sessions("24/7", *week)) == 7
    assert len(sessions("24/5", *week)) == 5


def test_beyond_a_calendars_own_bounds_nothing_is_expected() -> None:
    assert len(sessions("XTKS", pd.Timestamp("1985-01-01"), pd.Timestamp("1990-12-31"))) == 0
    assert sessions("XTKS", pd.Timestamp("1985-01-01"), pd.Timestamp("1997-01-07"))[0] == np.datetime64("1997-01-06")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2024-11-29 12:59", date(2024, 11, 27)),  # after Thanksgiving New York closes at one
        ("2024-11-29 13:00", date(2024, 11, 29)),
        ("2024-12-02 15:59", date(2024, 11, 29)),
        ("2024-12-02 16:00", date(2024, 12, 2)),
    ],
)
def test_the_last_session_over_in_new_york(now: str, expected: date) -> None:
    assert expected_last("XNYS", pd.Timestamp(now, tz="America/New_York")) == expected


def test_the_last_session_over_goes_by_summer_time() -> None:
    assert expected_last("XNYS", pd.Timestamp("2024-07-01 20:00", tz="UTC")) == date(2024, 7, 1)
    assert expected_last("XNYS", pd.Timestamp("2024-12-03 20:00", tz="UTC")) == date(2024, 12, 2)


def test_a_day_of_crypto_is_over_at_midnight_utc() -> None:
    assert expected_last("24/7", pd.Timestamp("2024-03-10 23:59", tz="UTC")) == date(2024, 3, 9)
    assert expected_last("24/7", pd.Timestamp("2024-03-11 00:00", tz="UTC")) == date(2024, 3, 10)


def test_a_moment_without_zone_or_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(DataError, match="zone"):
        expected_last("XNYS", pd.Timestamp("2024-01-02"))
    with pytest.raises(DataError, match="clock"):
        expected_last("XSHG", pd.Timestamp("2150-01-02", tz="UTC"))


def test_every_instrument_of_the_universe_has_a_calendar() -> None:
    for one in load_universe(ROOT / "data" / "universe.yaml").instruments:
        expected = "24/7" if one.kind == "crypto" else "24/5" if one.kind == "fx" else "XNYS"
        assert calendar_of(one.symbol, kind=one.kind, exchange=one.exchange) == expected
        assert calendar_of(one.symbol) == expected


@pytest.mark.parametrize("name", sorted({*EXCHANGES.values(), *KINDS.values()}))
def test_every_named_calendar_exists(name: str) -> None:
    assert len(sessions(name, pd.Timestamp("2024-01-01"), pd.Timestamp("2024-12-31"))) > 240


def test_the_ending_of_a_symbol_tells_its_exchange() -> None:
    endings = {
        "VOD.L": "XLON",
        "SAP.DE": "XETR",
        "7203.T": "XTKS",
        "BTC-USD": "24/7",
        "EURUSD=X": "24/5",
        "BRK-B": "XNYS",
    }
    assert {symbol: calendar_of(symbol) for symbol in endings} == endings
    assert calendar_of("SAN", exchange="XMAD") == "XMAD"
    with pytest.raises(DataError, match="Did you mean NASDAQ"):
        calendar_of("X", exchange="Nasdak")
