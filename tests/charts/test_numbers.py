from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantlib.charts import numbers
from quantlib.charts.numbers import (
    arrow,
    bps,
    count,
    interval,
    money,
    number,
    percent,
    ratio,
    signed_percent,
    span,
)

UNKNOWNS = [None, float("nan"), float("inf"), -float("inf"), np.nan, pd.NA, pd.NaT, np.float64("nan"), "", "n/a"]
WRITERS = [percent, signed_percent, bps, money, ratio, count, arrow]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.041, "4.1 %"),
        (-0.041, "-4.1 %"),
        (0.0, "0.0 %"),
        (-0.0, "0.0 %"),
        (-0.0004, "0.0 %"),
        (-0.0006, "-0.1 %"),
        (1, "100.0 %"),
        (27.013, "2,701.3 %"),
        (np.float32(0.5), "50.0 %"),
        (True, "100.0 %"),
    ],
)
def test_percent(value, text):
    assert percent(value) == text


def test_percent_decimals():
    assert percent(0.4149, 0) == "41 %"
    assert percent(0.12345, 2) == "12.35 %"
    assert percent(-0.004, 0) == "0 %"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.041, "+4.1 %"), (-0.041, "-4.1 %"), (0.0004, "0.0 %"), (-0.0004, "0.0 %"), (12, "+1,200.0 %")],
)
def test_signed_percent(value, text):
    assert signed_percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00035, "3.5 bps"), (0, "0.0 bps"), (-1e-7, "0.0 bps"), (0.02, "200.0 bps")]
)
def test_bps(value, text):
    assert bps(value) == text


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((1234567,), "$1,234,567"),
        ((-1234.4,), "-$1,234"),
        ((0.4,), "$0"),
        ((-0.4,), "$0"),
        ((12.5, "EUR", 2), "€12.50"),
        ((1234567, "CHF"), "CHF 1,234,567"),
        ((-5, "CHF"), "-CHF 5"),
    ],
)
def test_money(args, text):
    assert money(*args) == text


def test_signed_money():
    assert money(1500, signed=True) == "+$1,500"
    assert money(-1500, signed=True) == "-$1,500"
    assert money(0, signed=True) == "$0"


def test_ratio_and_count():
    assert ratio(1.234) == "1.23"
    assert ratio(-0.001) == "0.00"
    assert ratio(-0.126) == "-0.13"
    assert count(8313) == "8,313"
    assert count(np.int64(7)) == "7"


def test_number_takes_the_unit_by_name():
    assert number(0.5, "percent") == percent(0.5)
    assert number(0.5) == ratio(0.5)
    assert number(5, "count") == "5"


@pytest.mark.parametrize(
    ("args", "unit", "text"),
    [
        ((0.041, 0.01, 0.073), "percent", "4.1 % (1.0 … 7.3)"),
        ((-0.002, -0.0102, 0.0001), "percent", "-0.2 % (-1.0 … 0.0)"),
        ((0.72, 0.41, 1.02), "ratio", "0.72 (0.41 … 1.02)"),
        ((0.0003, 0.0001, 0.0005), "bps", "3.0 bps (1.0 … 5.0)"),
        ((-1234, -2000, -500), "money", "-$1,234 (-2,000 … -500)"),
        ((0.041, math.nan, 0.073), "percent", "4.1 %"),
        ((0.041, 0.01, None), "percent", "4.1 %"),
        ((None, 0.01, 0.02), "percent", "–"),
    ],
)
def test_interval(args, unit, text):
    assert interval(*args, unit) == text


def test_signed_interval_marks_the_estimate_only():
    assert interval(0.009, 0.004, 0.014, signed=True) == "+0.9 % (0.4 … 1.4)"


def test_span():
    assert span(-0.062, 0.079) == "-6.2 … 7.9 %"
    assert span(0.41, 1.02, "ratio") == "0.41 … 1.02"
    assert span(None, 0.079) == "– … 7.9 %"
    assert span(None, math.nan) == "–"


@pytest.mark.parametrize(("value", "mark"), [(0.02, "▲"), (-0.02, "▼"), (0.0, "→"), (-0.0004, "→"), (0.0006, "▲")])
def test_arrow(value, mark):
    assert arrow(value) == mark


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("value", UNKNOWNS)
def test_the_unknown_is_a_dash(write, value):
    assert write(value) == numbers.UNKNOWN == "–"


@given(st.floats(allow_nan=True, allow_infinity=True, width=64))
def test_no_writer_shows_nan_infinity_or_a_signed_zero(value):
    for write in WRITERS:
        text = write(value)
        assert "nan" not in text.lower()
        assert "inf" not in text.lower()
        if text.startswith(("-", "+")):
            assert text.strip("-+$ 0.,%bps") != ""


@given(st.floats(min_value=-100, max_value=100))
def test_percent_reads_back_to_the_value_it_was_given(value):
    assert float(percent(value).removesuffix(" %").replace(",", "")) == pytest.approx(value * 100, abs=0.0501)


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_a_change_and_its_arrow_never_disagree(value):
    text = signed_percent(value)
    assert {"+": "▲", "-": "▼"}.get(text[0], "→") == arrow(float(f"{value:.3f}"))
