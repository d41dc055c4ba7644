"""World Bank: years, estimated releases, and its habit of refusing with status 200."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from answers.world_bank import NAME, REFUSALS, ROWS, body, row
from pytest_httpserver import HTTPServer

from quantlib.errors import SourceError
from quantlib.sources import world_bank
from quantlib.sources.base import Ask, Call, EmptyError, FormatError, NotFoundError, Parsed, PartialError, Payload


def parse(text: str, name: str = NAME, **more: Any) -> Parsed:
    return world_bank.parse(Payload("world_bank", "macro", name, text, **more))


def test_years_come_in_order_and_count_as_known_a_year_after_they_end() -> None:
    parsed = parse(body())
    assert parsed.macro["period"].tolist() == [pd.Timestamp(f"{year}-01-01") for year in (2020, 2021, 2022)]
    assert parsed.macro["value"].tolist() == [-2.0, 6.1, 2.5]
    assert parsed.macro["released_at"].tolist() == [pd.Timestamp(f"{year}-01-01T00:00Z") for year in (2022, 2023, 2024)]
    assert set(parsed.macro["release_basis"]) == {"estimated"}
    assert parsed.notes == (f"{NAME}: 1 year(s) without a value left out.",)


def test_a_page_of_several_is_partial() -> None:
    with pytest.raises(PartialError, match="holds 66 years"):
        parse(body(total=66, pages=17))


@pytest.mark.parametrize("change", [{"countryiso3code": "DEU"}, {"indicator": {"id": "SP.POP.TOTL"}}])
def test_another_country_or_indicator_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="another indicator or country"):
        parse(body([ROWS[1] | change]))


@pytest.mark.parametrize("year", ["2024Q1", "2024M01", 2024, None])
def test_what_is_no_year_is_refused(year: object) -> None:
    with pytest.raises(FormatError, match="accepted: a year"):
        parse(body([ROWS[1] | {"date": year}]))


def test_no_rows_is_empty() -> None:
    for text in (body(None), body([]), body([row("2023", None)])):
        with pytest.raises(EmptyError):
            parse(text)
    with pytest.raises(EmptyError):
        parse(body(), start=pd.Timestamp("2023-01-01"))


def test_refusals_by_kind() -> None:
    for refusal in REFUSALS[:2]:
        with pytest.raises(NotFoundError, match="does not know"):
            world_bank.parse(refusal)
    with pytest.raises(SourceError, match="Unknown endpoint: The requested"):
        world_bank.parse(REFUSALS[2])


def test_the_name_is_split_into_indicator_and_country(tmp_path: Path, httpserver: HTTPServer) -> None:
    path = "/v2/country/USA/indicator/NY.GDP.MKTP.KD.ZG"
    query = {"format": "json", "per_page": "1000"}
    httpserver.expect_request(path, query_string=query).respond_with_data(body())
    call = Call(tmp_path, base_url=httpserver.url_for("").rstrip("/"), attempts=1)
    payload = world_bank.request(Ask.of("macro", NAME, "2021-01-01"), call)
    assert payload == dataclasses.replace(
        Payload("world_bank", "macro", NAME, body(), pd.Timestamp("2021-01-01")), url=payload.url
    )
    assert len(world_bank.parse(payload).macro) == 2
    with pytest.raises(NotFoundError, match="is an indicator and a country"):
        world_bank.request(Ask.of("macro", "GDP"), call)
