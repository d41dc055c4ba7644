"""Yahoo's chart answers read into bars: sessions, what is left out, and every way the form can break."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from quantlib.errors import SourceError
from quantlib.sources.base import EmptyError, FormatError, LimitError, NotFoundError, Parsed, Payload
from quantlib.sources.yahoo import parse
from quantlib.types import BAR_COLUMNS

Chart = dict[str, Any]
Body = Callable[[Chart], str]


def read(text: str, symbol: str = "ABC", **span: object) -> Parsed:
    return parse(Payload("yahoo", "bars", symbol, text, **span))


def days(parsed: Parsed) -> list[str]:
    return parsed.bars["ts"].dt.strftime("%Y-%m-%d").tolist()


def repeat_last(chart: Chart, moment: int, **values: float) -> None:
    """Add one more row that copies the last, with some values changed."""
    chart["timestamp"].append(moment)
    quote = chart["indicators"]["quote"][0]
    for name, column in [*quote.items(), ("adjclose", chart["indicators"]["adjclose"][0]["adjclose"])]:
        column.append(values.get(name, column[-1]))


def test_bars_carry_every_column_and_the_date_of_the_session(chart: Chart, body: Body) -> None:
    parsed = read(body(chart))
    expected = pd.DataFrame(
        {
            "symbol": "ABC",
            "ts": pd.to_datetime(["2022-03-11", "2022-03-14", "2022-03-15"]).as_unit("us"),
            "open": [10.0, 11.0, 12.0],
            "high": [10.5, 11.5, 12.5],
            "low": [9.5, 10.5, 11.5],
            "close": [10.25, 11.25, 12.25],
            "volume": [1000.0, 2000.0, 3000.0],
            "adj_close": [9.75, 11.25, 12.25],
            "source": "yahoo",
        }
    )
    pd.testing.assert_frame_equal(parsed.bars, expected[list(BAR_COLUMNS)])
    assert parsed.notes == ()


def test_dividends_and_splits_carry_their_ex_date(chart: Chart, body: Body) -> None:
    actions = read(body(chart)).actions
    assert actions.to_dict("records") == [
        {"symbol": "ABC", "source": "yahoo", "ts": pd.Timestamp("2022-03-14"), "kind": "dividend", "value": 0.5},
        {"symbol": "ABC", "source": "yahoo", "ts": pd.Timestamp("2022-03-15"), "kind": "split", "value": 1.5},
    ]


def test_no_events_gives_an_empty_table_of_the_same_types(chart: Chart, body: Body) -> None:
    full = read(body(chart)).actions
    del chart["events"]
    empty = read(body(chart)).actions
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


@pytest.mark.parametrize(
    ("zone", "moment", "session"),
    [
        ("Australia/Sydney", "2022-03-14T23:00Z", "2022-03-15"),  # opens on the UTC day before
        ("Asia/Tokyo", "2022-03-15T00:00Z", "2022-03-15"),
        ("Europe/London", "2022-07-14T23:00Z", "2022-07-15"),  # midnight in British summer time
        ("Europe/London", "2022-01-14T00:00Z", "2022-01-14"),
        ("America/Los_Angeles", "2022-03-16T02:00Z", "2022-03-15"),
        ("UTC", "2022-03-15T00:00Z", "2022-03-15"),
    ],
)
def test_session_date_is_the_exchange_s_own(chart: Chart, body: Body, zone: str, moment: str, session: str) -> None:
    seconds = int(pd.Timestamp(moment).timestamp())
    chart["meta"] |= {"exchangeTimezoneName": zone, "regularMarketTime": seconds + 10**6}
    chart["timestamp"][-1] = seconds
    assert days(read(body(chart)))[-1] == session


def test_rows_without_a_close_are_left_out_never_filled(chart: Chart, body: Body) -> None:
    for column in chart["indicators"]["quote"][0].values():
        column[1] = None
    chart["indicators"]["adjclose"][0]["adjclose"][1] = None
    parsed = read(body(chart))
    assert days(parsed) == ["2022-03-11", "2022-03-15"]
    assert parsed.notes == ("ABC: left out 1 row(s) without a close.",)


def test_a_missing_open_stays_unknown(chart: Chart, body: Body) -> None:
    chart["indicators"]["quote"][0]["open"][1] = None
    bars = read(body(chart)).bars
    assert len(bars) == 3
    assert bars["open"].isna().tolist() == [False, True, False]


def test_the_running_session_is_left_out(chart: Chart, body: Body) -> None:
    chart["meta"]["regularMarketTime"] = chart["timestamp"][-1] + 23399
    parsed = read(body(chart))
    assert days(parsed) == ["2022-03-11", "2022-03-14"]
    assert parsed.notes == ("ABC: the unfinished session of 2022-03-15 is left out.",)


def test_the_running_session_is_left_out_even_if_it_comes_twice(chart: Chart, body: Body) -> None:
    live = chart["timestamp"][-1] + 600
    chart["meta"]["regularMarketTime"] = live
    repeat_last(chart, live)
    assert days(read(body(chart))) == ["2022-03-11", "2022-03-14"]


def test_the_session_just_ended_comes_twice_and_the_newer_row_is_kept(chart: Chart, body: Body) -> None:
    repeat_last(chart, chart["timestamp"][-1] + 23402, volume=3001, low=11.4)
    bars = read(body(chart)).bars
    assert bars["ts"].is_unique
    assert bars.iloc[-1][["volume", "low"]].tolist() == [3001.0, 11.4]


def test_a_repeated_day_elsewhere_is_left_for_the_check_of_bars(chart: Chart, body: Body) -> None:
    chart["timestamp"][1] = chart["timestamp"][0]
    assert days(read(body(chart))) == ["2022-03-11", "2022-03-11", "2022-03-15"]


def test_a_finished_session_stays_once_the_trading_period_has_moved_on(chart: Chart, body: Body) -> None:
    day = 86400
    period = chart["meta"]["currentTradingPeriod"]["regular"]
    chart["meta"]["currentTradingPeriod"]["regular"] = {"start": period["start"] + day, "end": period["end"] + day}
    assert days(read(body(chart)))[-1] == "2022-03-15"


def test_a_market_open_around_the_clock_ends_its_day_when_the_next_begins(chart: Chart, body: Body) -> None:
    midnight = int(pd.Timestamp("2022-03-15T00:00Z").timestamp())
    chart["timestamp"] = [midnight - 2 * 86400, midnight - 86400, midnight]
    chart["meta"] |= {
        "exchangeTimezoneName": "UTC",
        "currentTradingPeriod": {"regular": {"start": midnight, "end": midnight + 86340}},
        "regularMarketTime": midnight + 86340 + 30,  # 23:59:30, after the end as Yahoo writes it
    }
    assert days(read(body(chart))) == ["2022-03-13", "2022-03-14"]


def test_the_last_day_is_left_out_where_the_answer_does_not_say_if_it_ended(chart: Chart, body: Body) -> None:
    del chart["meta"]["currentTradingPeriod"]
    parsed = read(body(chart))
    assert days(parsed) == ["2022-03-11", "2022-03-14"]
    assert "does not say whether 2022-03-15 has ended" in parsed.notes[0]


def test_what_lies_beyond_the_span_is_left_out(chart: Chart, body: Body) -> None:
    parsed = read(body(chart), start=pd.Timestamp("2022-03-14"), end=pd.Timestamp("2022-03-14"))
    assert days(parsed) == ["2022-03-14"]
    assert parsed.actions["kind"].tolist() == ["dividend"]


def change(path: str, value: object) -> Callable[[Chart], None]:
    def apply(chart: Chart) -> None:
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        place: Any = chart
        for part in parents:
            place = place[part]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (change("meta.dataGranularity", "1wk"), FormatError, "got 1wk bars; accepted: 1d"),
        (change("meta.symbol", "ABCD"), FormatError, "Asked Yahoo for ABC and got ABCD"),
        (change("meta.exchangeTimezoneName", "Mars/Olympus"), FormatError, "Mars/Olympus"),
        (change("meta.exchangeTimezoneName", ""), FormatError, "time zone for ABC that is not known: ''"),
        (change("meta.exchangeTimezoneName", "../etc/passwd"), FormatError, "time zone for ABC that is not known"),
        (change("meta.exchangeTimezoneName", "America"), FormatError, "time zone for ABC that is not known"),
        (change("meta.exchangeTimezoneName", KeyError), FormatError, "meta.exchangeTimezoneName"),
        (change("indicators.quote.0.open", KeyError), FormatError, "no column open"),
        (change("indicators.quote", []), FormatError, "indicators.quote"),
        (change("indicators.adjclose", KeyError), FormatError, "no column adj_close"),
        (change("indicators.adjclose.0.adjclose", [1.0]), FormatError, "1 values of adj_close for 3 days"),
        (change("indicators.quote.0.close", ["10.25", 11.25, 12.25]), FormatError, "close.0"),
        (change("timestamp.0", 10**17), FormatError, "no date"),
        (change("timestamp", KeyError), EmptyError, "no bars for ABC"),
        (change("timestamp", []), EmptyError, "no bars for ABC"),
        (change("indicators.quote.0.close", [None] * 3), EmptyError, "no finished session of ABC"),
        (change("events.splits", {"1": {"date": 1, "numerator": 2, "denominator": 0}}), FormatError, "denominator"),
    ],
)
def test_a_broken_answer_is_named(
    chart: Chart, body: Body, edit: Callable[[Chart], None], error: type[SourceError], words: str
) -> None:
    edit(chart)
    with pytest.raises(error, match=words.replace(".", r"\.")):
        read(body(chart))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("<!doctype html><html><body>Will be right back", FormatError, "a web page"),
        ("Edge: Not Found", FormatError, "not whole JSON"),
        ("", FormatError, "0 characters"),
        ("[]", FormatError, "changed its form"),
        ("{}", FormatError, "no part named chart"),
        ('{"chart": {"result": null, "error": null}}', EmptyError, "no result"),
        ('{"chart": {"result": [], "error": null}}', EmptyError, "no result"),
    ],
)
def test_an_answer_that_is_no_chart_is_named(text: str, error: type[SourceError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(text)


def test_json_cut_short_anywhere_never_gives_bars(chart: Chart, body: Body) -> None:
    text = body(chart)
    for size in range(0, len(text), 37):
        with pytest.raises(FormatError, match="not whole JSON"):
            read(text[:size])


@pytest.mark.parametrize(
    ("part", "code", "description", "error"),
    [
        ("chart", "Not Found", "No data found, symbol may be delisted", NotFoundError),
        ("chart", "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2", EmptyError),
        ("finance", "Unauthorized", "Invalid Crumb", LimitError),
        ("finance", "Too Many Requests", None, LimitError),
        ("chart", "Internal", "something else", SourceError),
    ],
)
def test_an_error_answer_becomes_the_matching_error(
    part: str, code: str, description: str | None, error: type[SourceError]
) -> None:
    text = json.dumps({part: {"result": None, "error": {"code": code, "description": description}}})
    with pytest.raises(error, match=code) as caught:
        read(text)
    assert type(caught.value) is error
