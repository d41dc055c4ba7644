"""The market page under a reader's hands: list, instrument, span, indicators, and what is said where data ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from skfolio.datasets import load_sp500_dataset
from streamlit.testing.v1 import AppTest

from app import prices as page_prices
from quantlib.workflows import market
from quantlib.workflows.session import Session


def drawn(page: AppTest) -> dict[str, Any]:
    """Return the instrument's figure as the browser gets it."""
    (chart,) = page.get("plotly_chart")
    return json.loads(chart.proto.spec)


def traces(page: AppTest) -> list[str]:
    return [trace.get("name", "") for trace in drawn(page)["data"]]


def test_the_default_is_everything_stored_and_its_first_symbol(app):
    page = app("market")
    assert page.selectbox(key="list").value == "all"
    assert page.selectbox(key="symbol").value == "AAPL"
    assert [metric.label for metric in page.metric] == [
        "Median, 1 month",
        "In an uptrend",
        "Volatility",
        "Best, 1 month",
        "Worst, 1 month",
    ]
    assert len(page.dataframe[0].value) == 27


def test_the_table_says_what_the_closes_say(app):
    close = load_sp500_dataset()["KO"]
    row = app("market").dataframe[0].value.set_index("symbol").loc["KO"]
    assert row["last"] == pytest.approx(close.iloc[-1])
    assert row["month"] == round((close.iloc[-1] / close.iloc[-22] - 1) * 100, 1)
    assert row["year_line"][-1] == pytest.approx(close.iloc[-1], rel=1e-5)


def test_a_list_narrows_table_and_instruments_and_says_what_it_is(app):
    page = app("market")
    page.selectbox(key="list").select("largest-us-stocks").run()
    symbols = page.selectbox(key="symbol").options
    assert symbols == list(page.dataframe[0].value["symbol"])
    assert "MTUM" not in symbols
    assert any("14 of 30 have prices" in caption.value for caption in page.caption)
    assert not page.exception


def test_only_lists_with_prices_are_offered(app):
    assert "largest-crypto" not in app("market").selectbox(key="list").options


def test_another_symbol_is_drawn_at_once(app):
    page = app("market")
    page.selectbox(key="symbol").select("XOM").run()
    assert traces(page) == ["XOM"]


def test_the_address_holds_what_is_looked_at(app):
    page = app("market", symbol="KO", span="1y", sma="true", sma__n="50", rsi="true")
    assert traces(page) == ["KO", "Simple moving average (50)", "rsi"]
    assert page.selectbox(key="symbol").value == "KO"


def test_an_unknown_symbol_in_the_address_falls_back_without_a_fault(app):
    page = app("market", symbol="NOPE", list="nothing")
    assert page.selectbox(key="symbol").value == "AAPL"
    assert not page.error
    assert not page.exception


def test_an_index_with_open_high_and_low_has_candles_and_true_range(app):
    page = app("market", symbol="^IXIC", atr="true")
    assert drawn(page)["data"][0]["type"] == "candlestick"
    assert "atr" in traces(page)


def test_candles_that_end_before_the_closes_do_not_hide_the_rest(app):
    page = app("market", symbol="^GSPC", span="all")
    first = drawn(page)["data"][0]
    assert first["type"] == "scatter"
    assert any("from 1999-01-04 to 2018-12-31 only" in caption.value for caption in page.caption)


def test_closes_alone_say_why_there_are_no_candles(app):
    page = app("market", symbol="KO", atr="true")
    assert drawn(page)["data"][0]["type"] == "scatter"
    words = " ".join(caption.value for caption in page.caption)
    assert "Only closes of KO are known" in words
    assert "Average true range needs high and low" in words


def test_a_parameter_out_of_bounds_is_one_sentence_beside_the_widgets(app):
    page = app("market", sma="true")
    page.number_input(key="sma-n").set_value(0).run()
    (error,) = page.error
    assert "0" in error.value
    assert page.dataframe, "the rest of the page stands"
    assert not page.exception


def test_the_numbers_behind_the_chart_are_a_table(app):
    page = app("market", symbol="KO", span="1y")
    page.toggle(key="instrument-numbers").set_value(True).run()
    table = page.dataframe[-1].value
    assert list(table.columns) == ["KO"]
    assert table["KO"].iloc[-1] == pytest.approx(load_sp500_dataset()["KO"].iloc[-1])


def test_live_prices_that_stopped_say_since_when_and_how_to_refresh(app, monkeypatch):
    def stopped(session: Session) -> market.Prices:
        found = market.stored_prices(session)
        assert found is not None
        return replace(found, source="yahoo", title="Yahoo Finance", sample=False, newest=pd.Timestamp("2026-11-10"))

    monkeypatch.setattr(page_prices, "stored_prices", stopped)
    monkeypatch.setattr(market, "utc_now", lambda: datetime(2026, 11, 17, 12, tzinfo=UTC))
    (warning,) = app("market").warning
    assert warning.value == (
        "**No bar since Tuesday, 2026-11-10**: 4 weekdays are missing. "
        "Run `workbench ingest --source yahoo` and reload."
    )


def test_a_sample_has_ended_and_is_not_stale(app):
    assert not app("market").warning
