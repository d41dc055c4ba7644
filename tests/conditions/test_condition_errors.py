"""What wrong texts are told: the place, what came and what is accepted."""

from __future__ import annotations

import pickle

import pytest

from quantlib.conditions import ConditionError, evaluate, parse
from quantlib.errors import StrategyError

# The text with the place between «», and words of the message.
TABLE = [
    # names of functions
    ("«smaa»(close, 20) > 5", "There is no function 'smaa'. Did you mean sma?"),
    ("close > «SMA»(close, 20)", "There is no function 'SMA'. Did you mean sma?"),
    ("«cross_above»(close, open)", "Did you mean crosses_above?"),
    ("«xyzzy»(close)", "There is no function 'xyzzy'. Accepted: abs, atr"),
    ("«close»(5) > 3", "There is no function 'close'."),
    ("«SPY.rsi»(14) > 3", "rsi is not asked of a symbol. Write rsi(SPY.close, 14)."),
    ("«SPY.lag»(close) > 3", "lag is not asked of a symbol. Write lag(x, n)."),
    ("close > «sma»", "sma is a function. Write sma(close, 20)."),
    ("«within» and true", "within is a function. Write within(condition, n)."),
    ("«SPY.atr» > 2", "atr is a function. Write atr(14)."),
    ('«"sma"»(close, 20) > 3', "A function's name stands without quotes: sma."),
    # symbols
    ('«"BRK-B".clsoe» > 3', "clsoe is not a field of a symbol. Did you mean close?"),
    ('«"BRK-B".foo.bar» > 3', "bar is not a field of a symbol."),
    ('«"$(rm) [x](y)".close» > 3', "'$(rm) [x](y)' is no symbol; accepted: up to 32 letters"),
    ('«"BRK-B"» > 3', 'A symbol is followed by its field, as in "BRK-B".close.'),
    ("sma(«SPY.clos», 20) > 3", "clos is not a field of a symbol. Did you mean close?"),
    ('«"".close» > 3', "The symbol is empty."),
    ('close > «"»BRK-B.close', "The quote is not closed."),
    ("close > «'»BRK-B'.close", "Quotes are double"),
    ("«^»VIX.close > 30", 'a symbol such as ^VIX stands in quotes: "^VIX".close'),
    # kinds
    ("«close» and 5", "and needs a condition; close is a number. Compare it, as in close > 0."),
    ("close > 3 and «5»", "and needs a condition; 5 is a number."),
    ("close > 3 or «sma(close, 5)»", "or needs a condition; sma(close, 5) is a number."),
    ("not «close»", "not needs a condition; close is a number."),
    ("(«close > 3») + 1", "+ needs a number; close > 3 is a condition, true or false. Use if(close > 3, 1, 0)"),
    ("2 * («close > 3 and true»)", "* needs a number"),
    ("-(«close > 3») > 2", "- needs a number"),
    ("2 ** «true»", "** needs a number; true is a condition"),
    ("sma(«close > 3», 20) > 0", "sma needs a number; close > 3 is a condition"),
    ("for_days(«close», 3)", "for_days needs a condition; close is a number"),
    ("crosses_above(close, «close > 3»)", "crosses_above needs a number"),
    ("if(«close», 1, 2)", "if needs a condition"),
    ("if(close > 3, 1, «true») > 0", "if needs two numbers or two conditions, not one of each."),
    ("«lag(close > 3, 2)» > 1", "> needs a number; lag(close > 3, 2) is a condition"),
    ("then(close > 3, «close», within=2)", "then needs a condition"),
    # arguments
    ("«sma()» > 3", "sma needs an argument. Write sma(close, 20)."),
    ("«crosses_above(close)»", "crosses_above needs more arguments. Write crosses_above(a, b)."),
    ("«then(close > 3, within=2)»", "then needs more arguments. Write then(a, b, ..., within=n)."),
    ("«then(close > 3, close > 4)»", "then needs within. Write then(a, b, ..., within=n)."),
    ("then(close > 3, close > 4, «5»)", "then needs a condition; 5 is a number"),
    ("«mean(close)» > 3", "mean needs n. Write mean(x, n)."),
    ("sma(close, 20, «30») > 3", "sma got too many arguments. Write sma(close, 20)."),
    ("abs(close, «5») > 3", "abs got too many arguments. Write abs(x)."),
    ("sma(close, «m=20») > 3", "sma has no parameter 'm'. Accepted: n."),
    ("bollinger(close, «kk=2»).upper > 3", "bollinger has no parameter 'kk'. Did you mean k?"),
    ("sma(close, 20, n=«30») > 3", "sma got n twice."),
    ("sma(n=20, «close») > 3", "Arguments without a name come before those with one."),
    ("sma(close, «close») > 3", "n of sma is a number written out; came close. Write sma(close, 20)."),
    ("sma(close, «10 * 2») > 3", "n of sma is a number written out; came 10 * 2."),
    ("within(close > 3, «true»)", "n of within is a number written out; came true."),
    ("rsi(«14») > 3", "rsi needs a series; 14 never changes. Write rsi(close, 14)."),
    ("mean(«2 + 3», 5) > 3", "mean needs a series; 2 + 3 never changes."),
    ("for_days(«true», 5)", "for_days needs a series; true never changes."),
    ("sma(«,» 20) > 3", "An argument is missing."),
    # windows
    ("lag(close, «-1») > 3", "n of lag is -1; accepted: a whole number of bars, 1 to 5,000. A negative one would look"),
    ("lag(close, «0») > 3", "n of lag is 0; accepted"),
    ("sma(close, «2.5») > 3", "n of sma is 2.5; accepted: a whole number of bars, 1 to 5,000."),
    ("sma(close, «5001») > 3", "n of sma is 5001; accepted"),
    ("std(close, «1») > 3", "n of std is 1; accepted: a whole number of bars, 2 to 5,000."),
    ("within(close > 3, «50%»)", "n of within is 0.5; accepted"),
    ("then(close > 3, close > 4, within=«0»)", "within of then is 0; accepted"),
    ("atr(«-14») > 3", "n of atr is -14"),
    ("«rsi(close, 1)» > 3", "rsi: n is 1; accepted: a whole number of bars, 2 or above."),
    ("«bollinger(close, 20, -2).upper» > 3", "bollinger: k is -2"),
    ("«rolling_volatility(close, 21, 0)» > 3", "rolling_volatility: periods_per_year is 0.0; accepted"),
    # lines
    ("«bollinger(close, 20, 2)» > 3", "bollinger has the lines middle, upper, lower. Write one of them, as in boll"),
    ("bollinger(close, 20, 2).«uper» > 3", "bollinger has no line uper. Did you mean upper?"),
    ("sma(close, 20).«upper» > 3", "sma has a single line; leave .upper out."),
    ("abs(close).«upper» > 3", "abs has a single line; leave .upper out."),
    # extras by name
    ("«macro» > 3", 'macro is a function. Write macro("CPIAUCSL").'),
    ("macro(«CPIAUCSL») > 3", 'macro needs the name of a series in quotes; came CPIAUCSL. Write macro("CPIAUCSL").'),
    ("«model()» > 0.5", 'model needs the name of a model in quotes. Write model("up or down").'),
    ("model(«5») > 0.5", 'model needs the name of a model in quotes; came 5. Write model("5").'),
    ('model(«"KO".close») > 0.5', 'in quotes; came "KO".close. Write model("up or down").'),
    ('macro("CPIAUCSL", «20») > 3', 'macro got too many arguments. Write macro("CPIAUCSL").'),
    ('macro(«name="CPIAUCSL"») > 3', 'macro needs the name of a series in quotes; came name="CPIAUCSL".'),
    ('macro(«" "») > 3', 'The name is empty. Write macro("CPIAUCSL").'),
    ('«marco»("CPIAUCSL") > 3', "There is no function 'marco'. Did you mean macro?"),
    ('«"macro"»("CPIAUCSL") > 3', "A function's name stands without quotes: macro."),
    ('«SPY.macro»("CPIAUCSL") > 3', 'macro is not asked of a symbol. Write macro("CPIAUCSL").'),
    ('«"a b".model»("up") > 3', "'a b' is no symbol; accepted"),
    ('macro("CPIAUCSL").«upper» > 3', "macro has a single line; leave .upper out."),
    ('sma(close, «macro("N")») > 3', 'n of sma is a number written out; came macro("N").'),
    ('true and «macro("N")»', 'and needs a condition; macro("N") is a number.'),
    # operators
    ("close «=» 5", "= is not expected here. To compare, write ==."),
    ("close > 5 «&» open > 5", "'&' has no meaning here. Write and."),
    ("close > 5 «&&» open > 5", "'&&' has no meaning here. Write and."),
    ("close > 5 «||» open > 5", "'||' has no meaning here. Write or."),
    ("«!»true", "'!' has no meaning here. Write not, or != for unequal."),
    ("close <«>» 5", "> is not expected here. Accepted: a number, a field such as close"),
    ("close «≥» 5", "Write >=."),
    ("close > 5 «AND» open > 5", "AND is not expected here. Write and."),
    ("NOT «close» > 5", "Write not."),
    ("close > «**» 5", "A power is a ** b."),
    ("sma(close «n»=5) > 3", "a comma or a closing bracket."),
    ("close > 5 «adn» open > 5", "Did you mean and?"),
    ("close «crosses» open", "A crossing is written crosses_above(a, b)"),
    ("close > 5 and «or» open > 5", "or is not expected here. Accepted: a number"),
    ("close > «*» 5", "* is not expected here. Accepted: a number"),
    ("close > «+»5", "+ is not expected here."),
    ("«close > 3 < 5»", "A chain runs one way, as in 20 < x < 70; came > <."),
    ("«1 == close == 2»", "A chain runs one way"),
    ("«1 < close != 2»", "A chain runs one way"),
    ("close > 5 «5»", "5 is not expected here. Accepted: an operator (+ - * / ** < <= > >= == != and or)."),
    ("close > 1«,»000", "A comma separates the arguments of a function. Numbers are written without it"),
    ("3 «(»close) > 2", "to multiply, write *."),
    ("close«[»1] > 3", "For an earlier bar write lag(close, 1)."),
    ("close > «.»5", "Write 0.5 with its zero."),
    ("close > 5«;» open > 5", "Join conditions by and, or or."),
    ("close > «$»5", "Numbers carry no currency sign."),
    ("close > 5 «#» note", "There are no comments."),
    ("close > «1e999»", "1e999 is too large for a number."),
    ("close > «1e9999999999999999999»", "1e9999999999999999999 cannot be read as a number."),
    ("close > «1e-9999999999999999999»", "1e-9999999999999999999 cannot be read as a number."),
    ("close > 5 «é»", "'é' has no meaning here."),
    ("close > «\x00»5", "has no meaning here."),
    # brackets and ends
    ("(close > 5)«)»", ") is not expected here. There is no opening bracket for it."),
    ("«(»close > 5", "The bracket is not closed."),
    ("sma«(»close, 20 > 3", "The bracket is not closed."),
    ("min«(»close, max(open, 3)", "The bracket is not closed."),
    ("(«)»", ") is not expected here."),
    ("SPY.«5» > 3", "After the dot comes a name"),
    ("SPY.«and» > 3", "After the dot comes a name"),
]

# Where the place is the end of the text, it lies behind the last character.
AT_THE_END = [
    ("close >", "The text ends too early. Accepted: a number, a field such as close"),
    ("close > 3 and", "The text ends too early."),
    ("not", "The text ends too early."),
    ("sma(close,", "The text ends too early."),
    ("SPY.", "The text ends after a dot."),
]


@pytest.mark.parametrize(("marked", "words"), TABLE, ids=[repr(text) for text, _ in TABLE])
def test_the_place_and_the_words(marked, words):
    text = marked.replace("«", "").replace("»", "")
    start = marked.index("«")
    end = marked.index("»") - 1
    with pytest.raises(ConditionError) as caught:
        parse(text)
    error = caught.value
    assert words in error.problem
    assert (text, text[start:end], start, end) == (error.text, text[error.start : error.end], error.start, error.end)
    problem, where, line, carets = str(error).split("\n")
    assert problem == error.problem
    assert where == f"At character {start + 1}:"
    assert line == "    " + text.replace("\x00", " ")
    assert carets == "    " + " " * start + "^" * (end - start)


def test_there_are_many():
    assert len(TABLE) >= 80


@pytest.mark.parametrize(("text", "words"), AT_THE_END)
def test_the_end_of_the_text_is_a_place(text, words):
    for given in (text, text + "  "):
        with pytest.raises(ConditionError) as caught:
            parse(given)
        assert words in caught.value.problem
        assert str(caught.value).endswith(f"\n    {given}\n    {' ' * len(text)}^")


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text(text):
    with pytest.raises(ConditionError, match=r"The condition is empty\. Write one, such as close > sma"):
        parse(text)


@pytest.mark.parametrize("text", [None, 5, b"close > 3", ["close"]])
def test_what_is_no_text(text):
    with pytest.raises(ConditionError, match="A condition is a text; came"):
        parse(text)


def test_a_text_of_several_lines_shows_the_line():
    with pytest.raises(ConditionError) as caught:
        parse("close > 3\n  and open >> 4\n  and true")
    assert str(caught.value).endswith("At line 2, character 13:\n      and open >> 4\n                ^")


def test_of_a_long_line_the_part_around_the_place_is_shown():
    before = "close > 1 and " * 20
    with pytest.raises(ConditionError) as caught:
        parse(f"{before}clse( and {before}true")
    _, where, line, carets = str(caught.value).split("\n")
    assert where == f"At character {len(before) + 7}:"
    assert len(line) <= 104
    assert line.startswith("    …")
    assert line.endswith("…")
    assert line[carets.index("^") :].startswith("and")


def test_it_is_one_of_our_errors_and_survives_a_process_border():
    with pytest.raises(StrategyError) as caught:
        parse("close >> 4")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, ConditionError)
    assert (str(again), again.start, again.problem) == (str(caught.value), 7, caught.value.problem)


def test_limits():
    assert parse("close > 1" + " " * 3991)
    with pytest.raises(ConditionError, match="The condition has 4,001 characters; accepted: at most 4,000"):
        parse("close > 1" + " " * 3992)
    parts = " or ".join(["z > 1"] * 166)
    assert parse(f"{parts} or true")
    with pytest.raises(ConditionError, match="more than 500 parts"):
        parse(f"{parts} or true or true")
    assert parse("-" * 39 + "5")
    with pytest.raises(ConditionError, match="nested more than 40 deep"):
        parse("-" * 40 + "5")
    with pytest.raises(ConditionError, match="nested more than 40 deep"):
        parse("1" + " + 1" * 40)
    assert parse(" + ".join(f"S{i}.close" for i in range(40)))
    fifty = " or ".join(f"S{i}.close > 1" for i in range(50))
    assert len(parse(f"{fifty} or S3.open > 1").symbols) == 50
    with pytest.raises(ConditionError, match="names more than 50 symbols") as caught:
        parse(f"{fifty} or S50.close > 1")
    assert caught.value.text[caught.value.start : caught.value.end] == "S50.close"
    assert parse("(" * 1000 + "close" + ")" * 1000).text == "close"
    # Written in full it would be too long to read back.
    with pytest.raises(ConditionError, match="written in full, has more than 4,000 characters"):
        parse(" or ".join(["bollinger(z).upper>1"] * 124))


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 4000, ")" * 4000, "-" * 4000, "not " * 1000, "a." * 2000, "lag(" * 1000, '"' * 3999),
        *(f"{'(' * 10_000}close{')' * 10_000}", "sma(close, 1000000000) > 1", f"then({'z > 1, ' * 400}within=5000)"),
    ],
)
def test_towers_of_anything_are_refused_in_order(text):
    with pytest.raises(ConditionError):
        parse(text)


def test_the_kind_and_the_names_can_be_asked_for():
    assert parse("close > 3", gives="truth").is_truth
    assert not parse("close", gives="number").is_truth
    with pytest.raises(ConditionError, match=r"This is a number; a condition is needed here\. Compare it") as caught:
        parse("close - 3", gives="truth")
    assert (caught.value.start, caught.value.end) == (0, 9)
    with pytest.raises(ConditionError, match=r"This is a condition; a number is needed here\.\n"):
        parse("close > 3", gives="number")
    assert parse("z > 1 and macro.cpi > 2", names=["z", "macro.cpi"]).names == ("z", "macro.cpi")
    assert parse("z > 1").names == ("z",)
    with pytest.raises(ConditionError) as caught:
        parse("z > 1 and macro.cpy > 2", names=["z", "macro.cpi"])
    assert caught.value.problem == "There is no 'macro.cpy' here. Did you mean macro.cpi?"
    assert caught.value.start == 10
    with pytest.raises(ConditionError, match=r"no 'SPY' here\. Accepted: .* The price of a symbol is SPY\.close\."):
        parse("SPY > 1", names=[])


def test_an_extra_that_the_panel_does_not_carry_says_how_to_get_it(twelve):
    condition = parse('close > 1 and macro("VIXCLS") > 20')
    with pytest.raises(ConditionError, match=r"with_extras\(session, panel, \['macro: VIXCLS'\]\)") as caught:
        evaluate([condition], twelve, subject="A")
    assert caught.value.text[caught.value.start : caught.value.end] == 'macro("VIXCLS")'
    with pytest.raises(ConditionError, match=r'no subject\. Say of which, as in A\.model\("up or down"\)'):
        evaluate([parse('model("up or down") > 0.5')], twelve)
    with pytest.raises(ConditionError, match=r"There is no symbol 'SPX' here\. Did you mean SPY\?"):
        evaluate([parse('SPX.model("up or down") > 0.5')], twelve)
