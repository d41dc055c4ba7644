"""FRED: when a value was known, pages and spans of real time, and refusals in JSON and XML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from answers.fred import BAD_KEY, FIRST, LAST, TOO_MANY, UNKNOWN, VINTAGES, XML, page, refusal
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from quantlib.errors import SourceError
from quantlib.sources import fred
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NoKeyError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
)

KEY = "abcdefghijklmnopqrstuvwxyz123456"
PATH = "/fred/series/observations"


def parse(body: object, name: str = "GDP", **more: Any) -> Parsed:
    return fred.parse(Payload("fred", "macro", name, body if isinstance(body, str) else json.dumps(body), **more))


@pytest.fixture
def call(tmp_path: Path, httpserver: HTTPServer) -> Call:
    home = httpserver.url_for("").rstrip("/")
    return Call(tmp_path, {fred.KEY: SecretStr(KEY)}, home, attempts=2, wait=0.001, timeout=5.0)


def test_every_vintage_is_known_from_the_end_of_its_day_in_new_york() -> None:
    parsed = parse(page(VINTAGES))
    rows = [tuple(row) for row in parsed.macro[["period", "value", "released_at"]].itertuples(index=False)]
    assert rows == [
        (pd.Timestamp("2023-07-01"), 27623.5, pd.Timestamp("2023-10-27T04:00Z")),  # summer time
        (pd.Timestamp("2023-07-01"), 27610.1, pd.Timestamp("2023-12-22T05:00Z")),
        (pd.Timestamp("2023-10-01"), 27938.8, pd.Timestamp("2024-01-26T05:00Z")),
    ]
    assert set(parsed.macro["release_basis"]) == {"recorded"}
    assert parsed.notes == ("GDP: 1 value(s) FRED marks as missing are left out.",)


# GDP of 2023 Q4 came out on 2024-01-25 at 8:30 in New York; CPI of January 2024 on 2024-02-13 at 8:30.
def test_a_release_is_never_earlier_than_it_was() -> None:
    released = parse(page(VINTAGES)).macro["released_at"].iloc[-1]
    assert pd.Timestamp("2024-01-25T08:30", tz="America/New_York") <= released
    assert released <= pd.Timestamp("2024-01-26T08:30", tz="America/New_York")


def test_a_confirmed_value_is_no_release_but_a_change_back_is() -> None:
    back = [("2023-10-26", "2023-12-20", "2023-07-01", "1"), ("2023-12-21", "2024-01-24", "2023-07-01", "2")]
    macro = parse(page([*back, ("2024-01-25", LAST, "2023-07-01", "1")])).macro
    assert macro["value"].tolist() == [1.0, 2.0, 1.0]


def test_a_market_rate_is_known_from_the_end_of_the_next_working_day() -> None:
    macro = parse(XML, "DGS10").macro
    assert set(macro["release_basis"]) == {"estimated"}
    known = macro.set_index("period")["released_at"].to_dict()
    assert known == {
        pd.Timestamp("2023-12-29"): pd.Timestamp("2024-01-03T05:00Z"),  # a Friday before New Year's Monday
        pd.Timestamp("2024-01-02"): pd.Timestamp("2024-01-04T05:00Z"),
        pd.Timestamp("2024-01-03"): pd.Timestamp("2024-01-05T05:00Z"),
    }


def test_a_weekend_s_rate_is_known_at_the_end_of_monday() -> None:
    days = ("2024-02-02", "2024-02-03", "2024-02-04")
    macro = parse(page([("2024-02-06", "2024-02-06", day, "5.33") for day in days]), "DFF").macro
    assert set(macro["released_at"]) == {pd.Timestamp("2024-02-06T05:00Z")}


def test_a_value_without_vintages_counts_from_the_day_of_the_answer() -> None:
    macro = parse(XML, "UNRATE").macro
    assert set(macro["released_at"]) == {pd.Timestamp("2024-01-09T05:00Z")}


@pytest.mark.parametrize("name", ["DFF", "DGS3MO", "DGS10", "T10Y2Y", "VIXCLS", "BAMLH0A0HYM2"])
def test_what_is_released_daily_is_meant_by_that(name: str) -> None:
    assert name in {series.name for series in fred.SERIES}
    assert fred._NEXT_DAY.fullmatch(name)


@pytest.mark.parametrize("name", ["GDP", "FEDFUNDS", "ICSA", "DTWEXBGS", "DCOILWTICO", "UNRATE"])
def test_what_is_revised_or_weekly_is_asked_for_with_vintages(name: str) -> None:
    assert not fred._NEXT_DAY.fullmatch(name)


def test_fewer_rows_than_counted_is_a_partial_answer() -> None:
    with pytest.raises(PartialError, match="holds 9 values of GDP and sent 5"):
        parse(page(VINTAGES, count=9))
    with pytest.raises(PartialError, match="holds 5 values of GDP and sent 3"):
        parse([page(VINTAGES[:3], count=5)])
    with pytest.raises(PartialError):
        parse(XML.replace('count="4"', 'count="5"'), "DGS10")
    with pytest.raises(FormatError, match="how many"):
        parse(page(VINTAGES, count=None))


def test_spans_of_real_time_join_without_inventing_a_release() -> None:
    # Cut at 2023-12-01: FRED then says of what was already valid that it is valid from the cut on.
    early = page([("2023-10-26", "2023-11-30", "2023-07-01", "27623.5")], end="2023-11-30")
    late = page([("2023-12-01", "2023-12-20", "2023-07-01", "27623.5"), *VINTAGES[1:]], start="2023-12-01")
    assert parse([early, late]).macro.equals(parse(page(VINTAGES)).macro)


@pytest.mark.parametrize(
    ("payload", "error", "words"),
    [
        (refusal(BAD_KEY), BadKeyError, "FRED_API_KEY"),
        (refusal(UNKNOWN), NotFoundError, "'GDP'"),
        (refusal("Too Many Requests.  Exceeded Rate Limit", 429), LimitError, "too many"),
        (refusal("Too Many Requests.  Exceeded Rate Limit", 200), LimitError, "Exceeded"),
        (refusal(TOO_MANY), SourceError, "vintage dates"),
    ],
)
def test_refusals_by_kind(payload: Payload, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fred.parse(payload)


def test_an_entity_bomb_is_not_read() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><observations count="0">&x;</observations>'
    with pytest.raises(FormatError, match="declares entities"):
        parse(bomb)


def test_an_empty_span_says_so() -> None:
    with pytest.raises(EmptyError, match="GDP"):
        parse(page(VINTAGES), start=pd.Timestamp("2025-01-01"))


def test_a_revised_series_is_asked_over_all_of_real_time_and_the_key_stays_out(
    call: Call, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(page(VINTAGES))
    payload = fred.request(Ask.of("macro", "GDP", "2023-01-01", "2023-12-31"), call)
    asked = httpserver.log[0][0].args.to_dict()
    assert asked == {
        "series_id": "GDP",
        "file_type": "json",
        "api_key": KEY,
        "limit": "100000",
        "offset": "0",
        "realtime_start": FIRST,
        "realtime_end": LAST,
        "observation_start": "2023-01-01",
        "observation_end": "2023-12-31",
    }
    assert KEY not in payload.url + payload.text
    assert len(fred.parse(payload).macro) == 3


def test_a_market_rate_is_asked_for_as_of_today(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(page(VINTAGES))
    fred.request(Ask.of("macro", "DGS10"), call)
    assert "realtime_start" not in httpserver.log[0][0].args


def test_a_page_that_is_not_all_is_followed_by_the_next(
    call: Call, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fred, "LIMIT", 2)

    def answer(request: Request) -> Response:
        first = int(request.args["offset"])
        return Response(json.dumps(page(VINTAGES[first : first + 2], count=5, offset=first, limit=2)))

    httpserver.expect_request(PATH).respond_with_handler(answer)
    payload = fred.request(Ask.of("macro", "GDP"), call)
    assert [request.args["offset"] for request, _ in httpserver.log] == ["0", "2", "4"]
    assert fred.parse(payload).macro.equals(parse(page(VINTAGES)).macro)


def test_an_answer_that_stops_early_ends_the_asking_and_is_refused(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json(page(VINTAGES[:2], count=5))
    httpserver.expect_ordered_request(PATH).respond_with_json(page([], count=5, offset=2))
    with pytest.raises(PartialError):
        fred.parse(fred.request(Ask.of("macro", "GDP"), call))


def test_too_many_vintages_are_asked_for_in_spans(
    call: Call, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fred, "VINTAGES", 2)
    dates = [f"2024-0{month}-15" for month in range(1, 6)]  # the value of a vintage is its month

    def observations(request: Request) -> Response:
        start, end = request.args["realtime_start"], request.args["realtime_end"]
        if len([day for day in dates if start <= day <= end]) > 2:
            return Response(json.dumps({"error_code": 400, "error_message": TOO_MANY}), status=400)
        ends = [*(str((pd.Timestamp(day) - pd.Timedelta(days=1)).date()) for day in dates[1:]), LAST]
        rows = [
            (max(day, start), min(stop, end), "2023-10-01", day[6])
            for day, stop in zip(dates, ends, strict=True)
            if day <= end and stop >= start
        ]
        return Response(json.dumps(page(rows, start, end)))

    httpserver.expect_request(PATH).respond_with_handler(observations)
    httpserver.expect_request("/fred/series/vintagedates").respond_with_json({"count": 5, "vintage_dates": dates})
    payload = fred.request(Ask.of("macro", "T5YIFR"), call)
    spans = [(request.args["realtime_start"], request.args["realtime_end"]) for request, _ in httpserver.log][2:]
    assert spans == [(FIRST, "2024-03-14"), ("2024-03-15", "2024-05-14"), ("2024-05-15", LAST)]
    macro = fred.parse(payload).macro
    assert macro["value"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert macro["released_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d").tolist() == [
        f"2024-0{month}-16" for month in range(1, 6)
    ]


def test_a_refusal_of_a_later_page_is_the_answer(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json(page(VINTAGES[:2], count=5))
    httpserver.expect_ordered_request(PATH).respond_with_data(refusal(BAD_KEY).text, status=400)
    payload = fred.request(Ask.of("macro", "GDP"), call)
    assert payload.status == 400
    with pytest.raises(BadKeyError):
        fred.parse(payload)


def test_a_bad_key_as_fred_says_it_does_not_show_the_key(call: Call, httpserver: HTTPServer) -> None:
    said = f'<?xml version="1.0" ?><error code="400" message="Bad Request. api_key {KEY} is not registered."/>'
    httpserver.expect_request(PATH).respond_with_data(said, status=400)
    payload = fred.request(Ask.of("macro", "GDP"), call)
    with pytest.raises(BadKeyError) as caught:
        fred.parse(payload)
    assert KEY not in str(caught.value) + payload.text


def test_without_a_key_nobody_is_asked(tmp_path: Path, httpserver: HTTPServer) -> None:
    with pytest.raises(NoKeyError, match="FRED_API_KEY"):
        fred.request(Ask.of("macro", "GDP"), Call(tmp_path, base_url=httpserver.url_for("")))
    assert httpserver.log == []
