"""NewsAPI: what is asked, and what its answers become."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from answers.newsapi import FOUND, PAST, fault, payload
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from quantlib.errors import SourceError
from quantlib.sources import newsapi
from quantlib.sources.base import (
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
    keys = {"NEWSAPI_API_KEY": SecretStr("canary")}
    return Call(tmp_path, keys, httpserver.url_for("").rstrip("/"), timeout=5, attempts=1)


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("KO", '"KO" AND (stock OR shares OR NYSE OR Nasdaq OR ETF)'),
        ("BRK-B", '"BRK.B" AND (stock OR shares OR NYSE OR Nasdaq OR ETF)'),
        ("BTC-USD", '"BTC" AND (crypto OR cryptocurrency OR blockchain)'),
    ],
)
def test_it_is_asked_as_documented(call: Call, httpserver: HTTPServer, symbol: str, words: str) -> None:
    httpserver.expect_request("/everything").respond_with_json(FOUND)
    answer = newsapi.request(Ask.of("news", symbol, "2024-03-01", "2024-03-05"), call)
    (request, _) = httpserver.log[0]
    assert request.args.to_dict() == {
        "q": words,
        "language": "en",
        "sortBy": "publishedAt",
        "pageSize": "100",
        "from": "2024-03-01",
        "to": "2024-03-05T23:59:59",
    }
    assert request.headers["X-Api-Key"] == "canary"
    assert "canary" not in request.url + answer.url
    assert len(newsapi.parse(answer).news) == 2
    newsapi.request(Ask.of("news", symbol), call)
    assert not {"from", "to"} & httpserver.log[1][0].args.keys()


@pytest.mark.parametrize("symbol", ["^GSPC", "EURUSD=X", '"OR"', "*"])
def test_what_is_no_word_is_not_looked_for(call: Call, httpserver: HTTPServer, symbol: str) -> None:
    with pytest.raises(NotFoundError, match="stocks, ETFs and coins only"):
        newsapi.request(Ask.of("news", symbol), call)
    assert httpserver.log == []


def test_articles_carry_title_moment_publisher_and_the_symbol_asked_for() -> None:
    parsed = newsapi.parse(payload(FOUND))
    first, second = parsed.news.to_dict("records")
    assert first["title"] == "A drink sells well"
    assert first["published_at"] == pd.Timestamp("2024-03-05 01:30", tz="UTC")
    assert (first["publisher"], first["summary"], first["symbols"]) == (
        "Example Times",
        "More of it was sold.",
        ["KO"],
    )
    assert second["summary"] == ""
    assert parsed.notes == ("KO: left out 1 article(s) that were withdrawn.",)


def test_an_article_keeps_its_id_and_has_another_for_another_symbol() -> None:
    ids = newsapi.parse(payload(FOUND)).news["id"]
    assert ids.is_unique
    assert ids.equals(newsapi.parse(payload(FOUND)).news["id"])
    assert not set(ids) & set(newsapi.parse(payload(FOUND, name="PEP")).news["id"])


def test_the_same_address_twice_is_one_article() -> None:
    body = {**FOUND, "articles": FOUND["articles"][:1] * 2}
    assert len(newsapi.parse(payload(body)).news) == 1


def test_what_an_answer_does_not_hold_is_noted() -> None:
    parsed = newsapi.parse(payload({**FOUND, "totalResults": 12345}))
    assert parsed.notes[0] == "KO: the newest 3 of 12,345 articles."


def test_articles_outside_the_span_are_left_out() -> None:
    news = newsapi.parse(payload(FOUND, end=pd.Timestamp("2024-03-04"))).news
    assert news["title"].tolist() == ["Another drink"]
    with pytest.raises(EmptyError):
        newsapi.parse(payload(FOUND, start=pd.Timestamp("2024-03-06")))


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (401, "apiKeyInvalid", "Your API key is invalid", BadKeyError),
        (401, "apiKeyMissing", "Your API key is missing", BadKeyError),
        (403, "apiKeyDisabled", "Your API key has been disabled", BadKeyError),
        (429, "apiKeyExhausted", "No more requests", LimitError),
        (429, "rateLimited", "You have made too many requests", LimitError),
        (200, "rateLimited", "You have made too many requests", LimitError),
        (426, "maximumResultsReached", "Developer accounts are limited", BadKeyError),
        (426, "parameterInvalid", PAST, EmptyError),
        (400, "parameterInvalid", "The from parameter is wrong", FormatError),
        (400, "parametersMissing", "Required parameters are missing", FormatError),
        (500, "unexpectedError", "This should not happen", FormatError),
    ],
)
def test_its_errors_are_told_apart(status: int, code: str, words: str, kind: type[SourceError]) -> None:
    with pytest.raises(kind, match=f"HTTP {status}, {code}: {words[:20]}") as caught:
        newsapi.parse(payload(fault(code, words), status))
    assert type(caught.value) is kind


def test_a_web_page_with_a_bad_status_is_told_as_one() -> None:
    with pytest.raises(FormatError, match="HTTP 404, <html>"):
        newsapi.parse(Payload("newsapi", "news", "KO", "<html>gone</html>", status=404))


@pytest.mark.replay
def test_the_recorded_answer_is_a_refused_key(replay: Path) -> None:
    import yaml

    (file,) = (replay / "api" / "openbb_terminal_2022" / "newsapi").glob("*.yaml")
    (one,) = yaml.safe_load(file.read_text())["interactions"]
    body, status = one["response"]["body"]["string"], one["response"]["status"]["code"]
    with pytest.raises(BadKeyError, match=r"HTTP 401, apiKeyInvalid: Your API key is invalid or incorrect"):
        newsapi.parse(Payload("newsapi", "news", "KO", body, status=status))
