"""Conditions worked out by hand on twelve sessions: the meaning of every operator and function.

The data are in conftest.py: A closes at 10 11 12 11 10 ? 12 13 13 12 11 14.
"""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.conditions import evaluate, parse

ALL_T, ALL_F, ALL_UNKNOWN = " T" * 12, " F" * 12, " ?" * 12


def always(number: float) -> str:
    return f" {number}" * 12


CASES = [
    # fields, of the subject and of others
    ("close", "10 11 12 11 10 ? 12 13 13 12 11 14"),
    ("open", "10 10 11 12 11 ? 11 12 13 13 12 11"),
    ("high", "11 12 13 12 11 ? 13 14 14 13 12 15"),
    ("low", "9 10 11 10 9 ? 11 12 12 11 10 11"),
    ("volume", "100 200 300 0 100 ? 100 200 300 400 500 600"),
    ("SPY.close", "100 101 102 103 104 105 106 107 108 109 110 111"),
    ('"SPY".close', "100 101 102 103 104 105 106 107 108 109 110 111"),
    ('"BRK-B".close', "20 19 18 19 21 20 20 22 23 22 20 21"),
    ("BF.B.close", always(5)),
    ('"BF.B".close', always(5)),
    ("A.close - close", "0 0 0 0 0 ? 0 0 0 0 0 0"),
    ("SPY.volume", ALL_UNKNOWN),
    ("returns > 0", "? T T F F ? ? T F F F T"),
    ("returns == close / lag(close, 1) - 1", "? T T T T ? ? T T T T T"),
    ("SPY.returns > 0", "? T T T T T T T T T T T"),
    ('"BF.B".returns', "? 0 0 0 0 0 0 0 0 0 0 0"),
    # names: the panel's extras and what the caller gives
    ("bias", "1 1 0 0 -1 -1 ? 0 1 1 2 2"),
    ("macro.cpi_yoy", "? ? 2 2 2 3 3 3 3 4 4 4"),
    ("score", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("z", "-3 -2 -1 0 1 2 3 2 1 0 -1 -2"),
    ("portfolio.drawdown <= -10%", "F F F T T T F F F T T F"),
    ("abs(z) >= 2 and bias >= 0", "T T F F F F ? T F F F T"),
    # extras by name
    ('macro("CPIAUCSL")', "? ? 2 2 2 3 3 3 3 4 4 4"),
    ('change(macro("CPIAUCSL")) > 0', "? ? ? F F T F F F T F F"),
    ('sma(macro("CPIAUCSL"), 2)', "? ? ? 2 2 2.5 3 3 3 3.5 4 4"),
    ('model("up or down") > 0.5', "F F F F F F T T T T T T"),
    ('SPY.model("up or down")', always(0.5)),
    ('"BRK-B".model("up or down")', ALL_UNKNOWN),
    ('model("up or down") > SPY.model("up or down") and macro("CPIAUCSL") < 4', "F F F F F F T T T F F F"),
    # the calendar; 30 January 2024 is a Tuesday
    ("year", always(2024)),
    ("month", "1 1 2 2 2 2 2 2 2 2 2 2"),
    ("day", "30 31 1 2 5 6 7 8 9 12 13 14"),
    ("weekday", "2 3 4 5 1 2 3 4 5 1 2 3"),
    ("session_of_month", "? ? 1 2 3 4 5 6 7 8 9 10"),
    ("sessions_left", "1 0 20 19 18 17 16 15 14 13 12 11"),
    ("weekday == 5", "F F F T F F F F T F F F"),
    ("month == 2 and session_of_month <= 2", "F F T T F F F F F F F F"),
    ("sessions_left == 0 or session_of_month <= 3", "? T T T T F F F F F F F"),
    # numbers and arithmetic
    ("12.5", always(12.5)),
    ("1.5e3", always(1500)),
    ("2E-1", always(0.2)),
    ("50%", always(0.5)),
    ("7%", always(0.07)),
    ("12.5 %", always(0.125)),
    ("2 * 5%", always(0.1)),
    ("2 + 3 * 4", always(14)),
    ("(2 + 3) * 4", always(20)),
    ("10 - 4 - 3", always(3)),
    ("10 - (4 - 3)", always(9)),
    ("16 / 4 / 2", always(2)),
    ("16 / (4 / 2)", always(8)),
    ("16 / 4 * 2", always(8)),
    ("2 ** 3 ** 2", always(512)),
    ("(2 ** 3) ** 2", always(64)),
    ("-2 ** 2", always(-4)),
    ("(-2) ** 2", always(4)),
    ("2 ** -1", always(0.5)),
    ("2 - -3", always(5)),
    ("--5", always(5)),
    ("-(2 + 3)", always(-5)),
    ("0 ** 0", always(1)),
    ("1 / 0", ALL_UNKNOWN),
    ("0 / 0", ALL_UNKNOWN),
    ("0 ** -1", ALL_UNKNOWN),
    ("(-2) ** 0.5", ALL_UNKNOWN),
    ("10 ** 400", ALL_UNKNOWN),
    ("close + 1", "11 12 13 12 11 ? 13 14 14 13 12 15"),
    ("high - low", "2 2 2 2 2 ? 2 2 2 2 2 4"),
    ("-close", "-10 -11 -12 -11 -10 ? -12 -13 -13 -12 -11 -14"),
    ("close ** 2", "100 121 144 121 100 ? 144 169 169 144 121 196"),
    ("close * 2 - open", "10 12 13 10 9 ? 13 14 13 11 10 17"),
    ("300 / volume", "3 1.5 1 ? 3 ? 3 1.5 1 0.75 0.6 0.5"),
    ("(close - low) / (high - low)", "0.5 0.5 0.5 0.5 0.5 ? 0.5 0.5 0.5 0.5 0.5 0.75"),
    # functions of one bar
    ("abs(z)", "3 2 1 0 1 2 3 2 1 0 1 2"),
    ("sqrt(-bias)", "? ? 0 0 1 1 ? 0 ? ? ? ?"),
    ("sqrt(z ** 2)", "3 2 1 0 1 2 3 2 1 0 1 2"),
    ("log(1)", always(0)),
    ("log(0)", ALL_UNKNOWN),
    ("log(-1)", ALL_UNKNOWN),
    ("exp(0)", always(1)),
    ("exp(1000)", ALL_UNKNOWN),
    ("exp(log(volume))", "100 200 300 ? 100 ? 100 200 300 400 500 600"),
    ("min(close, 12)", "10 11 12 11 10 ? 12 12 12 12 11 12"),
    ("max(close, 12)", "12 12 12 12 12 ? 12 13 13 12 12 14"),
    ("min(open, close, low + 1)", "10 10 11 11 10 ? 11 12 13 12 11 11"),
    ("max(3, 1, 2)", always(3)),
    ("if(bias > 0, close, open)", "10 11 11 12 11 ? ? 12 13 12 11 14"),
    ("if(z > 0, 1, 0)", "0 0 0 0 1 1 1 1 1 0 0 0"),
    ("if(close > 11, 1, 2)", "2 2 1 2 2 ? 1 1 1 1 2 1"),
    ("if(z > 0, close > 11, true)", "T T T T F ? T T T T T T"),
    # comparisons
    ("close > 11", "F F T F F ? T T T T F T"),
    ("close >= 11", "F T T T F ? T T T T T T"),
    ("close < 11", "T F F F T ? F F F F F F"),
    ("close <= 11", "T T F T T ? F F F F T F"),
    ("close == 11", "F T F T F ? F F F F T F"),
    ("close != 11", "T F T F T ? T T T T F T"),
    ("open < close", "F T T F F ? T T F F F T"),
    ("10 < close < 13", "F T T T F ? T F F T T F"),
    ("10 <= close <= 12", "T T T T T ? T F F T T F"),
    ("13 > close > 10", "F T T T F ? T F F T T F"),
    ("low <= 10 < high", "T T F T T ? F F F F T F"),
    ("0 < 1 < 2 < 3", ALL_T),
    ("0 < 1 < 1 < 3", ALL_F),
    ("9 < 5 < SPY.volume", ALL_F),
    ('close > "BRK-B".close / 2', "F T T T F ? T T T T T T"),
    ("close > lag(close, 1)", "? T T F F ? ? T F F F T"),
    # three-valued logic
    ("true", ALL_T),
    ("false", ALL_F),
    ("not true", ALL_F),
    ("bias > 0 and close > 11", "F F F F F F ? F T T F T"),
    ("bias > 0 or close > 11", "T T T F F ? T T T T T T"),
    ("not bias > 0", "F F T T T T ? T F F F F"),
    ("not not bias > 0", "T T F F F F ? F T T T T"),
    ("not (bias > 0 and close > 11)", "T T T T T T ? T F F T F"),
    ("not bias > 0 or not close > 11", "T T T T T T ? T F F T F"),
    ("bias > 0 and true", "T T F F F F ? F T T T T"),
    ("bias > 0 and false", ALL_F),
    ("bias > 0 or true", ALL_T),
    ("bias > 0 or false", "T T F F F F ? F T T T T"),
    ("bias > 0 and not bias > 0", "F F F F F F ? F F F F F"),
    ("bias > 0 or not bias > 0", "T T T T T T ? T T T T T"),
    ("true or false and false", ALL_T),
    ("(true or false) and false", ALL_F),
    ("not false and false", ALL_F),
    ("not (false and false)", ALL_T),
    ("volume > 0 and 300 / volume > 1", "T T F F T ? T T F F F F"),
    ("z > 0 and bias > 0 and close > 12", "F F F F F F F F T F F F"),
    ("z > 2 or bias > 1 or close == 10", "T F F F T ? T F F F T T"),
    # what is known
    ("known(close)", "T T T T T F T T T T T T"),
    ("known(close > 3)", "T T T T T F T T T T T T"),
    ("not known(macro.cpi_yoy)", "T T F F F F F F F F F F"),
    ("known(bias) and bias > 0", "T T F F F F F F T T T T"),
    ("latest(close, 2)", "10 11 12 11 10 10 12 13 13 12 11 14"),
    ("latest(close, 1)", "10 11 12 11 10 ? 12 13 13 12 11 14"),
    ("latest(macro.cpi_yoy, 3)", "? ? 2 2 2 3 3 3 3 4 4 4"),
    ("latest(bias > 0, 2)", "T T F F F F F F T T T T"),
    ("latest(if(z == 0, 5, 1 / 0), 3)", "? ? ? 5 5 5 ? ? ? 5 5 5"),
    # the past
    ("lag(close)", "? 10 11 12 11 10 ? 12 13 13 12 11"),
    ("lag(close, 3)", "? ? ? 10 11 12 11 10 ? 12 13 13"),
    ("lag(z > 0, 1)", "? F F F F T T T T T F F"),
    ("lag(close, 11)", "? ? ? ? ? ? ? ? ? ? ? 10"),
    ("lag(close, 12)", ALL_UNKNOWN),
    ("lag(close, 5000)", ALL_UNKNOWN),
    ("change(close)", "? 1 1 -1 -1 ? ? 1 0 -1 -1 3"),
    ("change(close, 2)", "? ? 2 0 -2 ? 2 ? 1 -1 -2 2"),
    ("mean(close, 2)", "? 10.5 11.5 11.5 10.5 ? ? 12.5 13 12.5 11.5 12.5"),
    ("sma(close, 2)", "? 10.5 11.5 11.5 10.5 ? ? 12.5 13 12.5 11.5 12.5"),
    ("ema(close, 1)", "10 11 12 11 10 ? 12 13 13 12 11 14"),
    ("sum(close, 3)", "? ? 33 34 33 ? ? ? 38 38 36 37"),
    ("sum(close, 13)", ALL_UNKNOWN),
    ("highest(close, 3)", "? ? 12 12 12 ? ? ? 13 13 13 14"),
    ("lowest(close, 3)", "? ? 10 11 10 ? ? ? 12 12 11 11"),
    ("highest(high, 2)", "? 12 13 13 12 ? ? 14 14 14 13 15"),
    ("lowest(low, n=2)", "? 9 10 10 9 ? ? 11 12 11 10 10"),
    ("close > lag(highest(close, 2), 1)", "? ? T F F ? ? ? F F F T"),
    ("std(close, 2)", "? 0.5 0.5 0.5 0.5 ? ? 0.5 0 0.5 0.5 1.5"),
    ("3 / std(close, 2)", "? 6 6 6 6 ? ? 6 ? 6 6 2"),
    ("zscore(close, 2)", "? 1 1 -1 -1 ? ? 1 ? -1 -1 1"),
    ("percentile(close, 3) * 3", "? ? 3 2 1 ? ? ? 3 1 1 3"),
    ("roc(close, 1) > 5%", "? T T F F ? ? T F F F T"),
    ("bollinger(close, 2, 1).upper", "? 11 12 12 11 ? ? 13 13 13 12 14"),
    ("bollinger(close, 2, 1).lower", "? 10 11 11 10 ? ? 12 13 12 11 11"),
    ("bollinger(close, n=2, k=2).middle", "? 10.5 11.5 11.5 10.5 ? ? 12.5 13 12.5 11.5 12.5"),
    ("bollinger(close, k=3, n=2).upper", "? 12 13 13 12 ? ? 14 13 14 13 17"),
    ("atr(1)", "? 2 2 2 2 ? ? 2 2 2 2 4"),
    ("A.atr(1)", "? 2 2 2 2 ? ? 2 2 2 2 4"),
    ("SPY.atr(1)", ALL_UNKNOWN),
    ("correlation(close, -close, 3)", "? ? -1 -1 -1 ? ? ? -1 -1 -1 -1"),
    ('correlation(close, "BF.B".close, 3)', ALL_UNKNOWN),
    ("sma(lag(close), 2)", "? ? 10.5 11.5 11.5 10.5 ? ? 12.5 13 12.5 11.5"),
    # crossings: both bars known
    ("crosses_above(close, 11)", "? F T F F ? ? F F F F T"),
    ("crosses_below(close, 11)", "? F F F T ? ? F F F F F"),
    ("crosses_above(z, 0)", "? F F F T F F F F F F F"),
    ("crosses_below(z, 0)", "? F F F F F F F F F T F"),
    ("crosses_above(0, z)", "? F F F F F F F F F T F"),
    ("crosses_above(close, open)", "? T F F F ? ? F F F F T"),
    ("crosses_above(z, z)", "? F F F F F F F F F F F"),
    # stretches of days
    ("for_days(close > 11, 1)", "F F T F F ? T T T T F T"),
    ("for_days(close > 11, 2)", "F F F F F F ? T T T F F"),
    ("for_days(close >= 10, 2)", "? T T T T ? ? T T T T T"),
    ("for_days(z > 0, 3)", "F F F F F F T T T F F F"),
    ("for_days(z > 0, 50)", "F F F F F F F F F F F F"),
    ("within(close > 11, 1)", "F F T F F ? T T T T F T"),
    ("within(close > 11, 2)", "? F T T F ? T T T T T T"),
    ("within(z == 0, 3)", "? ? F T T T F F F T T T"),
    ("within(z == 0, 50)", "? ? ? T T T T T T T T T"),
    ("count(z > 0, 3)", "? ? 0 0 1 2 3 3 3 2 1 0"),
    ("count(close > 11, 2)", "? 0 1 1 0 ? ? 2 2 2 1 1"),
    ("since(z == 0)", "? ? ? 0 1 2 3 4 5 0 1 2"),
    ("since(close > 12)", "? ? ? ? ? ? ? 0 0 1 2 0"),
    ("since(close > 11)", "? ? 0 1 2 ? 0 0 0 0 1 0"),
    ("since(z == 0) <= 1", "? ? ? T T F F F F T T F"),
    # one thing after another
    ("then(z == 0, z == 1, within=1)", "F F F F T F F F F F F F"),
    ("then(z == 0, z == 1, within=4)", "F F F F T F F F F F F F"),
    ("then(z == 0, z == 1, within=5)", "F F F F T F F F T F F F"),
    ("then(z > 0, z > 0, within=1)", "F F F F F T T T T F F F"),
    ("then(z == 0, z == 2, z == 1, within=4)", "F F F F F F F F T F F F"),
    ("then(z == 0, z == 3, z == 2, z == 0, within=3)", "F F F F F F F F F T F F"),
    ("then(close > 12, close == 11, within=3)", "F ? F F F F F F F F T F"),
    ("then(z == -3, bias > 0, within=6)", "? T F F F F ? F F F F F"),
    # a group's spread, an account's state and released data
    ("spread < -1%", "? ? F F F F T T T F F F"),
    ("abs(spread) > 2% and hedge_ratio <= 2", "? ? F F F F F T F F F T"),
    ("crosses_below(spread, 0)", "? ? ? F F T F F F F F F"),
    ("for_days(spread > 0, 2)", "? ? ? T F F F F F F F T"),
    ("change(hedge_ratio) != 0", "? F F T F F T F F F T F"),
    ("portfolio.gross > 1 or portfolio.drawdown < -15%", "F F F F T T F F F T F F"),
    ("since(portfolio.gross == 0)", "0 1 2 3 4 5 6 7 8 0 0 1"),
    ("macro.cpi_yoy > 2 and z < 0", "? ? F F F F F F F F T T"),
    ("macro.cpi_yoy > 2 or z < 0", "T T T F F T T T T T T T"),
    ("change(macro.cpi_yoy) > 0", "? ? ? F F T F F F T F F"),
    ("within(change(macro.cpi_yoy) > 0, 2)", "? ? ? ? F T T F F T T F"),
    # several symbols and several parts
    ("SPY.close > lag(SPY.close, 5) + 4", "? ? ? ? ? T T T T T T T"),
    ("close / SPY.close > 0.1", "F T T T F ? T T T T F T"),
    ('"BRK-B".close - 2 * close', "0 -3 -6 -3 1 ? -4 -4 -3 -2 -2 -7"),
    ("weekday <= 2 and close > 10", "F F F F F ? F F F T T F"),
    ("lag(close > 11, 2) and z > 0", "F F F F T F F ? T F F F"),
    ("not within(z == 0, 2) and bias >= 0", "? T T F F F ? T T F F T"),
    ("if(known(close), close, lag(close))", "10 11 12 11 10 10 12 13 13 12 11 14"),
    ("latest(close, 12) > lag(latest(close, 12), 3)", "? ? ? T F F T T T F F T"),
    ("count(close > lag(close), 3)", "? ? ? 2 1 ? ? ? ? 1 0 1"),
    ("mean(if(z > 0, 1, 0), 4)", "? ? ? 0 0.25 0.5 0.75 1 1 0.75 0.5 0.25"),
    ("highest(z, 4) - lowest(z, 4)", "? ? ? 3 3 3 3 2 2 3 3 3"),
    ("percentile(z, 3) == 1", "? ? T T T T T F F F F F"),
    ("sum(volume, 2)", "? 300 500 300 100 ? ? 300 500 700 900 1100"),
    ("volume > 1.2 * mean(volume, 3)", "? ? T F F ? ? ? T T T F"),
    # indicators, worked out: the average of a line is its value one bar ago, Wilder's halves what is left
    ("ema(SPY.close, 3)", "? ? 101 102 103 104 105 106 107 108 109 110"),
    ("rsi(SPY.close, 2)", "? ? 100 100 100 100 100 100 100 100 100 100"),
    ("rsi(z, 2)", "? ? 100 100 100 100 100 50 25 12.5 6.25 3.125"),
    ("atr(2)", "? ? 2 2 2 ? ? ? 2 2 2 3"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_by_hand(text, expected, twelve, given, row):
    condition = parse(text)
    (got,) = evaluate([condition], twelve, subject="A", names=given)
    np.testing.assert_allclose(got, row(expected), rtol=1e-12, atol=1e-12)
    assert condition.is_truth == bool({"T", "F"} & set(expected.split()))


def test_there_are_many_and_no_two_are_the_same():
    assert len({text for text, _ in CASES}) == len(CASES) >= 200


def test_all_at_once_is_the_same_as_one_by_one(twelve, given):
    conditions = [parse(text) for text, _ in CASES]
    together = evaluate(conditions, twelve, subject="A", names=given)
    for condition, got in zip(conditions, together, strict=True):
        np.testing.assert_array_equal(got, evaluate([condition], twelve, subject="A", names=given)[0])


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_the_canonical_text_reads_back_as_the_same(text):
    condition = parse(text)
    again = parse(str(condition))
    assert again == condition
    assert hash(again) == hash(condition)
    assert again.text == condition.text
