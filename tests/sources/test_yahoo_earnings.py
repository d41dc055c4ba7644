"""Yahoo's page of earnings dates read into security events, and every way it can be another page."""

from __future__ import annotations

import pandas as pd
import pytest
from answers.yahoo import EARNINGS

from quantlib.errors import SourceError
from quantlib.sources.base import EmptyError, FormatError, LimitError, NotFoundError, Parsed, Payload
from quantlib.sources.yahoo import parse


def read(text: str, symbol: str = "ABC", status: int = 200, **span: object) -> Parsed:
    return parse(Payload("yahoo", "earnings", symbol, text, status=status, **span))


def row(when: str, expected: str = "1.0", actual: str = "-", symbol: str = "ABC") -> str:
    cells = (symbol, "A, B", when, expected, actual, "-")
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def page(*rows: str) -> str:
    head, _, rest = EARNINGS.partition("<tbody>")
    return f"{head}<tbody>{''.join(rows)}{rest[rest.index('</tbody>') :]}"


def test_every_column_and_the_oldest_first() -> None:
    events = read(EARNINGS).security_events
    assert events["ts"].dt.strftime("%Y-%m-%d").tolist() == ["2025-05-01", "2025-07-31", "2025-10-30", "2026-01-29"]
    assert events["session"].tolist() == ["", "before_open", "after_close", "after_close"]
    assert events["expected"].isna().tolist() == [True, False, False, False]
    assert events["expected"].tolist()[1:] == [1.43, 1.77, 2.97]
    assert events["actual"].tolist()[:3] == [1.65, -1.57, 1.85]
    assert pd.isna(events["actual"].iloc[3])
    assert set(events["symbol"]) == {"ABC"}
    assert set(events["source"]) == {"yahoo"}
    assert set(events["kind"]) == {"earnings"}


@pytest.mark.parametrize(
    ("time", "session"),
    [
        (" at 12 AM EST", ""),
        ("", ""),
        (" at 6 AM EST", "before_open"),
        (" at 9:29 AM EST", "before_open"),
        (" at 9:30 AM EST", "during"),
        (" at 12 PM EST", "during"),
        (" at 3:59 PM EST", "during"),
        (" at 4 PM EST", "after_close"),
        (" at 11 PM America/New_York", "after_close"),
    ],
)
def test_the_time_of_day_says_when(time: str, session: str) -> None:
    assert read(page(row(f"January 29, 2026{time}"))).security_events["session"].tolist() == [session]


def test_a_day_that_comes_twice_is_read_where_the_result_is_known() -> None:
    day = "October 30, 2025 at 4 PM EDT"
    events = read(page(row(day, "1.7", "-"), row(day, "1.7", "1.9"), row(day, "1.7", "-"))).security_events
    assert events["actual"].tolist() == [1.9]


def test_what_lies_beyond_the_span_is_left_out() -> None:
    span = {"start": pd.Timestamp("2025-07-31"), "end": pd.Timestamp("2025-10-30")}
    assert len(read(EARNINGS, **span).security_events) == 2
    with pytest.raises(EmptyError, match="ABC in the span"):
        read(EARNINGS, start=pd.Timestamp("2027-01-01"))


def test_a_full_page_is_said_to_be_cut() -> None:
    days = pd.date_range("2000-01-01", periods=100)
    rows = [row(f"{day:%B %-d, %Y} at 4 PM EST") for day in days]
    assert "only the latest 100" in read(page(*rows)).notes[0]
    assert read(page(*rows[:99])).notes == ()


@pytest.mark.parametrize(
    ("text", "status", "error", "words"),
    [
        ("<html><h1>Earnings</h1>No results</html>", 200, EmptyError, "no earnings dates of ABC"),
        ("<html><h1>Earnings</h1>No resul", 200, FormatError, "not its page of earnings dates"),
        ("<html><body>Before you continue</body></html>", 200, FormatError, "not its page of earnings dates"),
        ("<html>Too Many Requests</html>", 429, LimitError, "HTTP 429"),
        ("<html>nothing</html>", 404, NotFoundError, "'ABC'"),
        (EARNINGS[: EARNINGS.index("</tbody>")], 200, FormatError, "no whole table"),
        (EARNINGS.replace("EPS Estimate", "Estimate"), 200, FormatError, "no whole table"),
        (page(row("January 29, 2026", symbol="XYZ")), 200, FormatError, "got XYZ"),
        (page(row("29 January 2026")), 200, FormatError, "where a date should be"),
        (page(row("January 32, 2026")), 200, FormatError, "where a date should be"),
        (page(row("January 29, 2026 at 4 PM GMT")), 200, FormatError, "times in GMT"),
        (page(row("January 29, 2026", expected="much")), 200, FormatError, "where a number should be"),
        (page(row("January 29, 2026", expected="nan")), 200, FormatError, "where a number should be"),
        (page("<tr><td>ABC</td></tr>"), 200, FormatError, "row of 1 cells under 6 columns"),
        ("<html><![x[ table", 200, FormatError, "no web page that can be read"),
    ],
)
def test_another_page_is_named(text: str, status: int, error: type[SourceError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read(text, status=status)
    assert type(caught.value) is error
