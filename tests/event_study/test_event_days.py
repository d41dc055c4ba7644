"""The session an event belongs to, against closes known by heart."""

from __future__ import annotations

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.event_study import event_days

WEEKDAYS = pd.bdate_range("2024-01-01", "2024-12-31")


def session_of(moment: str, zone: str = "America/New_York", calendar: str = "XNYS", index=WEEKDAYS) -> str:
    happened = pd.Timestamp(moment, tz=zone).tz_convert("UTC")
    found = event_days(pd.DataFrame({"happened_at": [happened]}, index=["a"]), index, calendar=calendar)
    return "" if found.isna().iloc[0] else f"{found['a']:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2024-05-22 06:00", "2024-05-22"),  # before the opening
        ("2024-05-22 15:59", "2024-05-22"),
        ("2024-05-22 16:00", "2024-05-23"),  # nobody trades at the close what comes out with it
        ("2024-05-22 16:20", "2024-05-23"),
        ("2024-05-24 17:00", "2024-05-28"),  # Friday evening before Memorial Day
        ("2024-05-25 12:00", "2024-05-28"),
        ("2024-11-29 12:59", "2024-11-29"),  # half day: closes at 13:00
        ("2024-11-29 14:00", "2024-12-02"),
        ("2024-03-08 16:30", "2024-03-11"),  # clocks change over that weekend
        ("2024-03-11 15:30", "2024-03-11"),
    ],
)
def test_news_belongs_to_the_first_session_that_closes_after_it(moment: str, session: str) -> None:
    assert session_of(moment) == session


def test_zones_are_those_of_the_event_and_closes_those_of_the_exchange() -> None:
    # A decision of the Federal Reserve at 14:00 comes after London's close at 16:30 there.
    assert session_of("2024-05-01 14:00", calendar="XLON") == "2024-05-02"
    assert session_of("2024-05-01 14:00") == "2024-05-01"
    # Midday in Tokyo is the evening before in New York, whose session of that date comes next.
    assert session_of("2024-08-05 12:00", zone="Asia/Tokyo") == "2024-08-05"
    assert session_of("2024-08-05 12:00", zone="Asia/Tokyo", calendar="XTKS") == "2024-08-05"
    # Crypto has a session a day, which ends at midnight UTC.
    every_day = pd.date_range("2024-01-01", "2024-12-31")
    assert session_of("2024-05-25 12:00", calendar="24/7", index=every_day) == "2024-05-25"


def test_a_session_without_prices_gives_way_to_the_next_row() -> None:
    index = WEEKDAYS.drop(pd.Timestamp("2024-05-22"))
    assert session_of("2024-05-22 10:00", index=index) == "2024-05-23"


@pytest.mark.parametrize("moment", ["2023-12-28 10:00", "2025-01-02 10:00", "1901-01-01 10:00", "2070-01-01 10:00"])
def test_what_lies_outside_the_prices_has_no_session(moment: str) -> None:
    assert session_of(moment) == ""


def test_days_with_a_time_of_day_in_words() -> None:
    events = pd.DataFrame(
        {
            "id": ["known", "early", "late", "friday", "weekend", "never"],
            "day": pd.to_datetime(["2024-05-22", "2024-05-22", "2024-05-22", "2024-05-24", "2024-05-25", None]),
            "session": ["", "before_open", "after_close", "after_close", "during", ""],
        }
    )
    found = event_days(events, WEEKDAYS)
    assert found.dtype == "datetime64[us]"
    assert found.dt.strftime("%m-%d").fillna("").to_dict() == {
        "known": "05-22",
        "early": "05-22",
        "late": "05-23",
        "friday": "05-28",
        "weekend": "05-28",
        "never": "",
    }


@pytest.mark.parametrize(
    ("events", "calendar", "message"),
    [
        ({"when": ["2024-05-22"]}, "XNYS", "Events have when; needed: happened_at, or day and session"),
        ({"happened_at": pd.to_datetime(["2024-05-22"])}, "XNYS", "accepted: moments with a zone"),
        ({"day": pd.to_datetime(["2024-05-22"]), "session": ["after_clos"]}, "XNYS", "Did you mean after_close?"),
        ({"happened_at": pd.to_datetime(["2024-05-22"], utc=True)}, "XNYX", "Did you mean XNYS?"),
    ],
)
def test_what_cannot_be_placed_is_said(events: dict, calendar: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        event_days(pd.DataFrame(events), WEEKDAYS, calendar=calendar)
    assert message in str(caught.value)
