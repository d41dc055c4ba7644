"""When schedules come due: holidays, half days, clock changes, and words that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.errors import DataError
from quantlib.workflows.triggers import next_after, parse_trigger

NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(words: str, after: str, until: str) -> list[str]:
    """Return the moments in UTC as text."""
    return [f"{at:%Y-%m-%d %H:%M}" for at in parse_trigger(words).between(utc(after), utc(until))]


def test_thanksgiving_is_left_out_and_the_day_after_closes_at_one() -> None:
    # 27 November 2024 closed at 16:00 in New York (21:00 UTC), the 28th was a holiday, the 29th closed at 13:00.
    assert due("XNYS close + 30 min", "2024-11-27", "2024-12-01") == ["2024-11-27 21:30", "2024-11-29 18:30"]
    assert due("XNYS open - 1 h", "2024-11-27", "2024-12-01") == ["2024-11-27 13:30", "2024-11-29 13:30"]


def test_the_close_follows_new_yorks_clock() -> None:
    # Clocks went forward on Sunday 9 March 2025, back on Sunday 2 November 2025.
    assert due("XNYS close", "2025-03-07", "2025-03-11") == ["2025-03-07 21:00", "2025-03-10 20:00"]
    assert due("XNYS close", "2025-10-31", "2025-11-04") == ["2025-10-31 20:00", "2025-11-03 21:00"]
    for at in parse_trigger("XNYS close").between(utc("2025-01-01"), utc("2025-12-31")):
        assert at.astimezone(NEW_YORK).hour in {13, 16}


def test_an_offset_may_reach_into_the_next_day_and_over_a_weekend() -> None:
    assert due("XNYS close + 20 h", "2024-11-29", "2024-12-01") == ["2024-11-30 14:00"]
    assert due("XTKS open - 3 h", "2024-11-28", "2024-11-30") == ["2024-11-28 21:00"]  # 9:00 in Tokyo is midnight UTC


def test_other_exchanges_have_other_holidays() -> None:
    # 1 May 2025: Frankfurt closed, New York open. 4 July 2025: the other way round.
    assert due("XETR close", "2025-05-01", "2025-05-02") == []
    assert due("XNYS close", "2025-05-01", "2025-05-02") == ["2025-05-01 20:00"]
    assert due("XETR close", "2025-07-04", "2025-07-05") == ["2025-07-04 15:30"]
    assert due("XNYS close", "2025-07-04", "2025-07-05") == []


def test_a_time_of_day_follows_the_clock_of_its_place() -> None:
    assert due("every day 07:30 Europe/Berlin", "2025-03-29", "2025-03-31 12:00") == [
        "2025-03-29 06:30",
        "2025-03-30 05:30",
        "2025-03-31 05:30",
    ]
    assert due("every day 06:00 UTC", "2025-03-29 06:00", "2025-03-31 06:00") == [
        "2025-03-30 06:00",
        "2025-03-31 06:00",
    ]


def test_a_time_the_clock_jumps_over_comes_once_and_one_it_shows_twice_too() -> None:
    assert due("every day 02:30 Europe/Berlin", "2025-03-30", "2025-03-30 12:00") == ["2025-03-30 01:30"]  # 3:30 there
    assert due("every day 02:30 Europe/Berlin", "2025-10-26 00:00", "2025-10-26 12:00") == ["2025-10-26 00:30"]


def test_an_interval_is_counted_from_the_full_hour() -> None:
    assert due("every 15 min", "2025-03-30 00:50", "2025-03-30 01:20") == ["2025-03-30 01:00", "2025-03-30 01:15"]
    assert due("every 4 h", "2025-03-30 00:00", "2025-03-30 09:00") == ["2025-03-30 04:00", "2025-03-30 08:00"]


MOMENTS = st.integers(0, 1200 * 1440).map(lambda minutes: datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
WORDS = st.sampled_from(["XNYS close + 45 min", "XNYS open - 90 min", "every day 02:30 Europe/Berlin", "every 45 min"])


@settings(deadline=None, max_examples=40)
@given(words=WORDS, start=MOMENTS, cut=st.floats(0, 1), days=st.integers(1, 12))
def test_cutting_a_span_in_two_loses_and_doubles_nothing(words: str, start: datetime, cut: float, days: int) -> None:
    trigger, end = parse_trigger(words), start + timedelta(days=days)
    middle = start + (end - start) * cut
    whole = trigger.between(start, end)
    assert trigger.between(start, middle) + trigger.between(middle, end) == whole
    assert whole == sorted(set(whole))
    assert all(start < at <= end for at in whole)
    assert whole[:1] == [at for at in [next_after(trigger, start)] if at is not None and at <= end]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("XNYS close + 30 min", "XNYS close + 30 min"),
        ("  nyse   close+90min ", "XNYS close + 90 min"),
        ("XNYS open - 60 minutes", "XNYS open - 1 h"),
        ("24/7 close", "24/7 close"),
        ("Every Day 7:05 europe/berlin", "every day 07:05 Europe/Berlin"),
        ("every 2 hours", "every 2 h"),
    ],
)
def test_words_are_read_whatever_their_form_and_written_in_one(words: str, expected: str) -> None:
    trigger = parse_trigger(words)
    assert str(trigger) == expected
    assert parse_trigger(str(trigger)) == trigger


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("XNYX close + 30 min", r"no exchange calendar 'XNYX'\. Did you mean XNYS\?"),
        ("every day 06:00 Europe/Berln", r"no time zone 'Europe/Berln'\. Did you mean Europe/Berlin\?"),
        ("every day 25:00 UTC", r"no time of day where '25:00' stands\. Write it as 07:30"),
        ("every day 6 UTC", "no time of day where '6' stands"),
        ("every 3 weeks", "counts in 'weeks'. Count in min or h"),
        ("every 0 min", "asks for 0 min. Give 1 min to 24 h"),
        ("XNYS close + 25 h", "asks for 25 h. Give 1 min to 24 h"),
        ("XNYS close + 30", "cannot be read. Write it like one of these: `XNYS close"),
        ("sometimes", "'sometimes' cannot be read"),
        ("", "'' cannot be read"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_way_out(words: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_trigger(words)


def test_a_moment_far_beyond_the_calendar_is_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"sessions of XKRX from .* are not known"):
        parse_trigger("XKRX close").between(utc("2060-01-01"), utc("2060-01-03"))
