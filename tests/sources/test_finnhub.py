"""Finnhub: what is asked, and what its answers become."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from answers.finnhub import EARNINGS, NEWS, QUOTE, RELEASES, UNKNOWN, payload, second
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from quantlib.errors import SourceError
from quantlib.sources import finnhub
from quantlib.sources.base import (
    EVERYTHING,
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Payload,
)


@pytest.fixture
def call(tmp_path: Path, httpserver: HTTPServer) -> Call:
    keys = {"FINNHUB_API_KEY": SecretStr("canary")}
    return Call(tmp_path, keys, httpserver.url_for("").rstrip("/"), timeout=5, attempts=1)


@pytest.mark.parametrize(
    ("ask", "path", "query"),
    [
        (Ask.of("bars", "BRK-B"), "/quote", {"symbol": "BRK.B"}),
        (
            Ask.of("earnings", "KO", "2024-01-01", "2024-05-01"),
            "/calendar/earnings",
            {"symbol": "KO", "from": "2024-01-01", "to": "2024-05-01"},
        ),
        (Ask.of("earnings", EVERYTHING, "2024-01-01"), "/calendar/earnings", {"from": "2024-01-01"}),
        (Ask.of("releases", EVERYTHING, None, "2024-05-01"), "/calendar/economic", {"to": "2024-05-01"}),
        (Ask.of("news", "KO"), "/company-news", {"symbol": "KO", "from": "2000-01-01", "to": "2099-12-31"}),
        (
            Ask.of("news", "KO", "2024-03-04", "2024-03-05"),
            "/company-news",
            {"symbol": "KO", "from": "2024-03-04", "to": "2024-03-05"},
        ),
        (Ask.of("news", EVERYTHING, "2024-03-04"), "/news", {"category": "general"}),
    ],
)
def test_it_is_asked_as_documented(
    call: Call, httpserver: HTTPServer, ask: Ask, path: str, query: dict[str, str]
) -> None:
    httpserver.expect_request(path).respond_with_data("{}")
    answer = finnhub.request(ask, call)
    assert (answer.kind, answer.name, answer.start, answer.end, answer.body) == (
        ask.kind,
        ask.name,
        ask.start,
        ask.end,
        "{}",
    )
    (request, _) = httpserver.log[0]
    assert request.args.to_dict() == query
    assert request.headers["X-Finnhub-Token"] == "canary"
    assert "canary" not in request.url
    assert "canary" not in answer.url


@pytest.mark.parametrize("symbol", ["^GSPC", "BTC-USD", "EURUSD=X", "GC=F"])
def test_only_us_stocks_are_asked_for(call: Call, httpserver: HTTPServer, symbol: str) -> None:
    with pytest.raises(NotFoundError, match="US stocks and ETFs only"):
        finnhub.request(Ask.of("bars", symbol), call)
    assert httpserver.log == []


def test_a_quote_after_the_close_is_the_bar_of_that_day() -> None:
    bars = finnhub.parse(payload("bars", "KO", QUOTE)).bars
    assert len(bars) == 1
    row = bars.iloc[0]
    assert (row["symbol"], row["source"], row["ts"]) == ("KO", "finnhub", pd.Timestamp("2024-03-05"))
    assert tuple(row[["open", "high", "low", "close"]]) == (59.9, 60.4, 59.7, 60.12)
    assert row[["volume", "adj_close"]].isna().all()


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-03-05 16:00:00", "2024-03-05"),  # 21:00 UTC
        ("2024-07-05 16:00:00", "2024-07-05"),  # 20:00 UTC
        ("2024-07-05 23:59:59", "2024-07-05"),  # the next day in UTC
    ],
)
def test_its_day_is_the_one_in_new_york(moment: str, day: str) -> None:
    bars = finnhub.parse(payload("bars", "KO", {**QUOTE, "t": second(moment)})).bars
    assert bars["ts"].tolist() == [pd.Timestamp(day)]


@pytest.mark.parametrize("moment", ["2024-03-05 09:31:00", "2024-03-05 15:59:59", "2024-07-05 15:59:59"])
def test_a_running_session_is_no_bar(moment: str) -> None:
    with pytest.raises(EmptyError, match="had not ended"):
        finnhub.parse(payload("bars", "KO", {**QUOTE, "t": second(moment)}))


def test_a_quote_outside_the_span_is_no_bar() -> None:
    with pytest.raises(EmptyError):
        finnhub.parse(payload("bars", "KO", QUOTE, end=pd.Timestamp("2024-03-04")))


def test_a_quote_of_zeros_is_of_a_symbol_it_does_not_know() -> None:
    with pytest.raises(NotFoundError, match="'XXXX'"):
        finnhub.parse(payload("bars", "XXXX", UNKNOWN))


def test_earnings_carry_day_hour_period_and_numbers() -> None:
    events = finnhub.parse(payload("earnings", "KO", EARNINGS)).security_events
    assert events["ts"].tolist() == [pd.Timestamp("2024-02-13"), pd.Timestamp("2024-04-30")]
    assert events["session"].tolist() == ["after_close", "before_open"]
    assert events["period"].tolist() == ["2023-Q4", "2024-Q1"]
    assert events["expected"].tolist() == [0.4934, 0.7103]
    assert events["actual"].iloc[0] == 0.49
    assert pd.isna(events["actual"].iloc[1])
    assert set(events["kind"]) == {"earnings"}


def test_earnings_of_everybody_are_spelt_as_here() -> None:
    body = copy.deepcopy(EARNINGS)
    body["earningsCalendar"][0] |= {"symbol": "BRK.B", "hour": "dmh", "quarter": None}
    body["earningsCalendar"][1] |= {"hour": ""}
    events = finnhub.parse(payload("earnings", EVERYTHING, body)).security_events.set_index("symbol")
    assert events.loc["BRK-B", ["session", "period"]].tolist() == ["during", ""]
    assert events.loc["KO", "session"] == ""


def test_earnings_of_another_company_are_refused() -> None:
    with pytest.raises(FormatError, match="Asked Finnhub for PEP and got KO"):
        finnhub.parse(payload("earnings", "PEP", EARNINGS))


def test_rows_outside_the_span_are_left_out() -> None:
    span = {"start": pd.Timestamp("2024-03-04"), "end": pd.Timestamp("2024-05-31")}
    events = finnhub.parse(payload("earnings", "KO", EARNINGS, **span)).security_events
    assert events["period"].tolist() == ["2024-Q1"]
    with pytest.raises(EmptyError):
        finnhub.parse(payload("releases", EVERYTHING, RELEASES, **span))
    # 20:30 on the 4th in New York is the 5th in UTC
    news = finnhub.parse(payload("news", "KO", NEWS, end=pd.Timestamp("2024-03-04"))).news
    assert news["title"].tolist() == ["Another drink"]


def test_releases_carry_survey_previous_unit_and_moment() -> None:
    releases = finnhub.parse(payload("releases", EVERYTHING, RELEASES)).releases
    first, second_ = releases.to_dict("records")
    assert first == {
        "source": "finnhub",
        "country": "AU",
        "name": "Current Account Balance",
        "released_at": pd.Timestamp("2024-06-04 01:30", tz="UTC"),
        "period": "",
        "actual": 8.4,
        "forecast": 6.9,
        "forecast_kind": "survey",
        "previous": 1.0,
        "revised": None,
        "unit": "AUD",
        "importance": "low",
    }
    assert (second_["country"], second_["forecast_kind"], second_["importance"]) == ("EA", "none", "high")
    assert pd.isna(second_["actual"])


def test_of_two_rows_with_one_key_the_last_stands() -> None:
    body = {"economicCalendar": [RELEASES["economicCalendar"][0], {**RELEASES["economicCalendar"][0], "actual": 8.5}]}
    assert finnhub.parse(payload("releases", EVERYTHING, body)).releases["actual"].tolist() == [8.5]


def test_news_carry_title_moment_and_symbol() -> None:
    news = finnhub.parse(payload("news", "KO", NEWS)).news
    last = news.iloc[1]
    assert last["id"] == "25286:KO"
    assert last["published_at"] == pd.Timestamp("2024-03-05 01:30", tz="UTC")
    assert (last["title"], last["publisher"], last["url"]) == (
        "A drink sells well",
        "Example Times",
        "https://example.com/a",
    )
    assert last["symbols"] == ["KO"]
    general = finnhub.parse(payload("news", EVERYTHING, NEWS)).news.iloc[1]
    assert (general["id"], general["symbols"]) == ("25286", [])


def test_news_without_a_headline_are_left_out() -> None:
    news = finnhub.parse(payload("news", "KO", [{**NEWS[0], "headline": " \x00 "}, NEWS[1]])).news
    assert news["title"].tolist() == ["Another drink"]


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (401, "Invalid API key", BadKeyError),
        (200, "Please use an API key.", BadKeyError),
        (403, "You don't have access to this resource.", BadKeyError),
        (200, "You don't have access to this resource.", BadKeyError),
        (429, "API limit reached. Please try again later. Remaining Limit: 0", LimitError),
        (200, "API limit reached. Please try again later. Remaining Limit: 0", LimitError),
        (404, "Not here", NotFoundError),
        (422, "Symbol not supported", NotFoundError),
        (422, "Wrong parameters", FormatError),
    ],
)
def test_its_errors_are_told_apart(status: int, words: str, kind: type[SourceError]) -> None:
    with pytest.raises(kind, match=words[:10]) as caught:
        finnhub.parse(payload("news", "KO", {"error": words}, status))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "change",
    [{"c": "60.12"}, {"t": "1709672401"}, {"t": 10**12}, {"t": -1}, {"c": None, "h": "x"}, {"o": [1]}],
    ids=str,
)
def test_a_quote_of_another_form_is_a_changed_format(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="KO"):
        finnhub.parse(payload("bars", "KO", {**QUOTE, **change}))


@pytest.mark.replay
def test_recorded_answers_become_what_they_say(replay: Path) -> None:
    import yaml

    folder = replay / "api" / "openbb_terminal_2022" / "finnhub"
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        for one in yaml.safe_load(file.read_text())["interactions"]:
            answer, kind = one["response"], "news" if "recommendation" in one["request"]["uri"] else "earnings"
            body = answer["body"]["string"]
            if isinstance(body, bytes):
                import gzip

                body = gzip.decompress(body).decode()
            with pytest.raises(SourceError) as caught:
                finnhub.parse(Payload("finnhub", kind, "KO", body, status=answer["status"]["code"]))
            found[file.stem.partition("__")[2]] = type(caught.value)
    assert found == {
        "test_get_ipo_calendar": FormatError,  # a calendar, but of something else
        "test_future_ipo": BadKeyError,
        "test_rating_over_time_invalid_token": BadKeyError,
        "test_get_rating_over_time_invalid_ticker": EmptyError,
    }
