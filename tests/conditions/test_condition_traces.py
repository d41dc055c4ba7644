"""What a trace says: the values of all parts, what decided, and why something is unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.conditions import ConditionError, evaluate, explain, parse
from quantlib.errors import DataError
from quantlib.types import Panel

# Text, row and sentence on the twelve sessions of conftest.py (A closes at 10 11 12 11 10 ? 12 13 13 12 11 14).
SENTENCES = [
    ("close > 11", 2, "true: close = 12 > 11"),
    ("close > 11", 3, "false: close = 11 > 11"),
    ("close > 11", 5, "unknown: A.close is missing"),
    ("close > 11 and z == -1", 2, "2 of 2 true"),
    ("close > 11 and z == -1 and bias > 0 and open > 5", 2, "3 of 4 true; blocked by bias = 0 > 0"),
    ("z < -5 and bias > 0", 0, "1 of 2 true; blocked by z = -3 < -5"),
    ("z < -5 and bias > 3", 0, "0 of 2 true; blocked by z = -3 < -5, and by bias = 1 > 3"),
    ("z > 0 and bias > 0", 6, "1 of 2 true; unknown: bias is missing"),
    ("z < 0 and bias > 0", 6, "0 of 2 true; blocked by z = 3 < 0; unknown: bias is missing"),
    ("z > 0 or bias > 0", 8, "2 of 2 true; by z = 1 > 0, and by bias = 1 > 0"),
    ("z > 0 or bias > 0", 6, "1 of 2 true; by z = 3 > 0"),
    ("z < 0 or bias > 0", 6, "0 of 2 true; unknown: bias is missing"),
    ("z < 0 or bias > 0", 7, "0 of 2 true; blocked by z = 2 < 0, and by bias = 0 > 0"),
    ("z > 0 and (bias > 1 or close > 13)", 7, "1 of 2 true; blocked by (bias = 0 > 1 or close = 13 > 13)"),
    ("z > 0 and not bias == 0", 7, "1 of 2 true; blocked by not (bias = 0 == 0)"),
    ("z > 0 and false", 7, "1 of 2 true; blocked by false"),
    ("-1 < z < 2", 7, "false: -1 < z = 2 < 2"),
    ("close > open", 3, "false: close = 11 > open = 12"),
    ("portfolio.drawdown > -5%", 4, "false: portfolio.drawdown = -20% > -5%"),
    ("close * 1.001 < close", 2, "false: close * 1.001 = 12.012 < close = 12"),
    ("close - 10 ** -7 > close", 2, "false: close - 10 ** -7 = 11.9999999 > close = 12"),
    ("SPY.close * 10000 > 2", 2, "true: SPY.close * 10000 = 1020000 > 2"),
    ("crosses_above(close, 12)", 7, "true: crosses_above(close, 12), with close = 13"),
    ("crosses_above(close, open)", 3, "false: crosses_above(close, open), with close = 11 and open = 12"),
    ("for_days(z > 0, 3)", 5, "false: for_days(z > 0, 3), with z = 2 > 0"),
    ("then(z == 0, z == 1, within=4)", 4, "true: then(z == 0, z == 1, within=4), with z = 1 == 0 and z = 1 == 1"),
    ("sma(close, 2)", 2, "sma(close, 2) = 11.5"),
    ("sma(close, 4)", 1, "sma(close, 4) is unknown: sma(close, 4) is warming up (2 of 4 bars)"),
    ("sma(close, 4) > 3", 1, "unknown: sma(close, 4) is warming up (2 of 4 bars)"),
    ("sma(close, 4) > 3", 5, "unknown: A.close is missing"),
    ("sma(close, 4) > 3", 7, "unknown: sma(close, 4) is warming up (2 of 4 bars)"),
    ("atr(3) > 1", 8, "unknown: atr(3) is warming up (3 of 4 bars)"),
    ("SPY.atr(3) > 1", 8, "unknown: SPY.high is missing; SPY.low is missing"),
    ("for_days(close >= 10, 4)", 2, "unknown: for_days(close >= 10, 4) is warming up (3 of 4 bars)"),
    ("crosses_above(close, 11)", 6, "unknown: crosses_above(close, 11) is warming up (1 of 2 bars)"),
    ("since(z == 0) > 2", 1, "unknown: z == 0 has not held yet, or not since it was last unknown"),
    ("1 / (z + 3) > 2", 0, "unknown: 1 / (z + 3) has no value"),
    ("log(bias) > 2", 2, "unknown: log(bias) has no value"),
    ("session_of_month > 2", 0, "unknown: session_of_month is not known in the month the data starts in"),
    ("if(z > 0, bias, macro.cpi_yoy) > 1", 0, "unknown: macro.cpi_yoy is missing"),
    ("if(z > 0, bias, SPY.open) > 1", 6, "unknown: bias is missing"),
    ("if(bias > 0, SPY.open, z) > 1", 6, "unknown: bias is missing"),
    ("if(bias > 0, z, macro.cpi_yoy) > 1", 6, "unknown: bias is missing"),
    (
        "close > 1 and bias > 1 and SPY.open > 1 and SPY.low > 1 and SPY.high > 1",
        6,
        "1 of 5 true; unknown: bias is missing; SPY.open is missing; SPY.low is missing; and 1 more",
    ),
    ('macro("CPIAUCSL") > 2', 5, 'true: macro("CPIAUCSL") = 3 > 2'),
    ('macro("CPIAUCSL") > 2', 1, 'unknown: nothing of macro("CPIAUCSL") had been released'),
    ('model("up or down") > 55%', 7, 'true: model("up or down") = 70% > 55%'),
    (
        'model("up or down") > 0.5 and "BRK-B".model("up or down") > 0.5',
        3,
        '0 of 2 true; blocked by model("up or down") = 0.3 > 0.5; '
        'unknown: model("up or down") says nothing of BRK-B at this close',
    ),
    ("true", 0, "true: true"),
    ("5", 0, "5"),
    ("-5", 0, "-5"),
]


@pytest.mark.parametrize(("text", "row", "sentence"), SENTENCES)
def test_the_sentence(text, row, sentence, twelve, given):
    assert explain(parse(text), twelve, subject="A", names=given, at=row).sentence == sentence


def test_the_example_of_the_documentation():
    close = pd.DataFrame({"KO": 100 * 1.01 ** np.arange(250.0)})
    close.loc[245, "KO"] -= 8
    close.index = pd.bdate_range("2020-01-01", periods=250)
    condition = parse("close > sma(close, 200) and returns > -5% and rsi(close, 14) < 70 and year == 2020")
    sentence = explain(condition, Panel.from_frames(close), subject="KO").sentence
    assert sentence.startswith("3 of 4 true; blocked by rsi(close, 14) = ")
    assert sentence.endswith(" < 70")
    early = explain(condition, Panel.from_frames(close), subject="KO", at=100).sentence
    assert "unknown: sma(close, 200) is warming up (101 of 200 bars)" in early


def test_the_tree_holds_every_part_that_can_change(twelve, given):
    condition = parse("sma(close + 1, 2) > 11 and not z > 0")
    trace = explain(condition, twelve, subject="A", names=given, at=1)
    assert (trace.text, trace.value, trace.truth, trace.word) == (condition.text, 1.0, True, "and")
    above, neither = trace.children
    assert (above.text, above.truth, above.phrase) == ("sma(close + 1, 2) > 11", True, "sma(close + 1, 2) = 11.5 > 11")
    (average,) = above.children
    assert (average.value, average.truth, average.is_truth) == (11.5, None, False)
    assert [child.text for child in average.children] == ["close + 1"]
    assert [child.value for child in average.children[0].children] == [11]
    assert neither.children[0].truth is False


@pytest.mark.parametrize("text", [text for text, _, _ in SENTENCES])
def test_every_value_is_that_of_its_own_text(text, twelve, given):
    """Each part, read and evaluated by itself, is what the trace says of it."""

    def parts(trace):
        yield trace
        for child in trace.children:
            yield from parts(child)

    for row in range(12):
        for part in parts(explain(parse(text), twelve, subject="A", names=given, at=row)):
            alone = parse(part.text)
            (values,) = evaluate([alone], twelve, subject="A", names=given)
            np.testing.assert_array_equal(part.value, values[row])
            assert part.is_truth == alone.is_truth
            assert bool(part.reasons) == (not part.known)
            assert part.truth == (bool(values[row]) if alone.is_truth and part.known else None)


def test_a_trace_does_not_look_ahead(twelve, given):
    for text, row, _ in SENTENCES:
        cut = {name: values[: row + 1] for name, values in given.items()}
        past = twelve.until(twelve.index[row])
        assert repr(explain(parse(text), past, subject="A", names=cut)) == repr(
            explain(parse(text), twelve, subject="A", names=given, at=row)
        )


def test_the_bar_by_row_or_by_date(twelve):
    condition = parse("close")
    for at in (7, -5, np.int64(7), "2024-02-08", twelve.index[7], twelve.index[7].date()):
        assert explain(condition, twelve, subject="A", at=at).value == 13
    assert explain(condition, twelve, subject="A").value == 14
    for at, words in {
        12: "There is no row 12; the panel has 12 rows.",
        -13: "There is no row -13",
        "2024-02-10": "2024-02-10 is not a session of the panel.",
        "2030-01-01": "2030-01-01 is not a session",
    }.items():
        with pytest.raises(DataError, match=words):
            explain(condition, twelve, subject="A", at=at)
    with pytest.raises(DataError, match="There is no row -1; the panel has 0 rows"):
        explain(condition, twelve.tail(0), subject="A")
    with pytest.raises(ConditionError, match="close of which symbol"):
        explain(condition, twelve)
