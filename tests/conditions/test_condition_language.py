"""The language as a whole: its logic, its canonical text, random trees and texts, and that nothing runs as code."""

from __future__ import annotations

import ast
import itertools
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import quantlib.conditions
from quantlib.conditions import FUNCTIONS, Condition, ConditionError, evaluate, extra_key, extra_parts, parse
from quantlib.conditions.nodes import (
    CALENDAR,
    FIELDS,
    Arithmetic,
    Calendar,
    Call,
    Compare,
    Constant,
    Extra,
    Field,
    Joined,
    Name,
    Negate,
    Not,
    Number,
    is_constant,
    kind_of,
)
from quantlib.errors import DataError
from quantlib.indicators import INDICATORS
from quantlib.types import Panel

T, F, U = True, False, None
# Kleene (1952), Introduction to Metamathematics, section 64: the strong tables.
TABLES = {
    "and": {(T, T): T, (T, F): F, (T, U): U, (F, T): F, (F, F): F, (F, U): F, (U, T): U, (U, F): F, (U, U): U},
    "or": {(T, T): T, (T, F): T, (T, U): T, (F, T): T, (F, F): F, (F, U): U, (U, T): T, (U, F): U, (U, U): U},
}


def panel_of(**columns: list[bool | None]) -> Panel:
    """Return a panel with extras that are 1, 0 and NaN for true, false and unknown."""
    n = len(next(iter(columns.values())))
    close = pd.DataFrame({"X": np.arange(1.0, n + 1)}, index=pd.bdate_range("2024-01-01", periods=n))
    extra = {name: np.array([np.nan if v is None else float(v) for v in values]) for name, values in columns.items()}
    return Panel.from_frames(close, extra=extra)


def of(values: np.ndarray) -> list[bool | None]:
    return [None if np.isnan(v) else bool(v) for v in values]


@pytest.mark.parametrize("word", ["and", "or"])
def test_kleenes_tables(word):
    pairs = list(TABLES[word])
    panel = panel_of(a=[a for a, _ in pairs], b=[b for _, b in pairs])
    (got,) = evaluate([parse(f"a == 1 {word} b == 1")], panel)
    assert of(got) == list(TABLES[word].values())


def test_kleenes_negation():
    assert of(evaluate([parse("not a == 1")], panel_of(a=[T, F, U]))[0]) == [F, T, U]


def test_the_laws_of_the_logic():
    triples = list(itertools.product([T, F, U], repeat=3))
    panel = panel_of(**dict(zip("abc", map(list, zip(*triples, strict=True)), strict=True)))
    a, b, c = "a == 1", "b == 1", "c == 1"
    for one, other in [
        (f"{a} and {b}", f"{b} and {a}"),
        (f"{a} and ({b} or {c})", f"{a} and {b} or {a} and {c}"),
        (f"{a} or {b} and {c}", f"({a} or {b}) and ({a} or {c})"),
        (f"not ({a} and {b})", f"not {a} or not {b}"),
        (f"not ({a} or {b} or {c})", f"not {a} and not {b} and not {c}"),
        (f"({a} and {b}) and {c}", f"{a} and ({b} and {c})"),
        (f"not not {a}", a),
    ]:
        left, right = evaluate([parse(one), parse(other)], panel)
        np.testing.assert_array_equal(left, right)


def test_what_is_known_does_not_change_when_the_unknown_becomes_known():
    """The logic is monotone: filling in an unknown bar never turns a true or false around; `known` is the exception."""
    rng = np.random.default_rng(8)
    texts = [
        "a == 1 and not (b == 1 or a == 0)",
        "for_days(a == 1, 3)",
        "within(a == 1 or b == 1, 3)",
        "then(a == 1, b == 1, within=3)",
        "crosses_above(a, b)",
        "since(a == 1) > 2",
        "if(a == 1, b == 1, a == 0)",
        "count(a == 1, 4) >= 2",
        "lag(a == 1, 2)",
    ]
    conditions = [parse(text) for text in texts]
    for _ in range(30):
        a, b = ([None if u < 0.2 else bool(u < 0.6) for u in rng.random(40)] for _ in range(2))
        full = panel_of(a=[rng.random() < 0.5 if v is None else v for v in a], b=[bool(v) for v in b])
        before = evaluate(conditions, panel_of(a=a, b=b))
        after = evaluate(conditions, full)
        for some, more in zip(before, after, strict=True):
            known = ~np.isnan(some)
            np.testing.assert_array_equal(some[known], more[known])
            assert known.any()


CANONICAL = [
    ("close>5and(open<3)", "close > 5 and open < 3"),
    ("rsi(close)", "rsi(close, 14)"),
    ("rsi( close , n = 9 )", "rsi(close, 9)"),
    ("bollinger(close).upper", "bollinger(close, 20, 2).upper"),
    ("bollinger(close, k=1.5).upper", "bollinger(close, 20, 1.5).upper"),
    ("rolling_volatility(close)", "rolling_volatility(close, 21)"),
    ("rolling_volatility(close, 9, 365)", "rolling_volatility(close, 9, 365)"),
    ("lag(close)", "lag(close, 1)"),
    ("lag(close, 5.0)", "lag(close, 5)"),
    ("atr()", "atr(14)"),
    ('"SPY".atr(n=3)', "SPY.atr(3)"),
    ('"^VIX".close', '"^VIX".close'),
    ('"SPY".close', "SPY.close"),
    ("BRK.B.close", '"BRK.B".close'),
    ('"and".close', '"and".close'),
    ("then(z > 1, z < 1, within = 4)", "then(z > 1, z < 1, within=4)"),
    ("(z > 1 and z < 2) and (z > 3 and (z > 4 and z > 5))", "z > 1 and z < 2 and z > 3 and z > 4 and z > 5"),
    ("(z > 1 or z < 2) and z > 3", "(z > 1 or z < 2) and z > 3"),
    ("z > 1 or (z < 2 and z > 3)", "z > 1 or z < 2 and z > 3"),
    ("not (z > 1)", "not z > 1"),
    ("not (z > 1 and z > 2)", "not (z > 1 and z > 2)"),
    ("(not z > 1) and z > 2", "not z > 1 and z > 2"),
    ("(a + b) + c", "a + b + c"),
    ("a + (b + c)", "a + (b + c)"),
    ("a - (b - c)", "a - (b - c)"),
    ("(a * b) + c", "a * b + c"),
    ("a * (b + c)", "a * (b + c)"),
    ("(a ** b) ** c", "(a ** b) ** c"),
    ("a ** (b ** c)", "a ** b ** c"),
    ("(-a) ** b", "(-a) ** b"),
    ("-(a ** b)", "-a ** b"),
    ("a ** (-b)", "a ** -b"),
    ("a - (-b)", "a - -b"),
    ("-(a * b)", "-(a * b)"),
    ("(-a) * b", "-a * b"),
    ("(a) < ((b)) < c", "a < b < c"),
    ("5%", "5%"),
    ("7.0 %", "7%"),
    ("7.00", "7"),
    ("1e3", "1000"),
    ("1e20", "1e+20"),
    ("0.00000001", "1e-08"),
    ("250%", "250%"),
    ("1e-9%", "1e-9%"),
    ("known(a>b)", "known(a > b)"),
    ("close\n  > 5\n", "close > 5"),
    ('macro( "CPIAUCSL" )>3', 'macro("CPIAUCSL") > 3'),
    ('"SPY".model("up or down")', 'SPY.model("up or down")'),
    ('BRK.B.model("x")', '"BRK.B".model("x")'),
    ('sma(macro("a (b) ) # ; c"))', 'sma(macro("a (b) ) # ; c"), 20)'),
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_the_canonical_text(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)
    assert parse(canonical).text == canonical


def test_conditions_are_equal_where_they_say_the_same():
    assert parse("close>rsi(close)") == parse("close  >  rsi(close, 14)")
    assert len({parse("close > 5"), parse("close>5"), parse("close > 6")}) == 2
    assert parse("close > 5%") != parse("close > 0.05")
    assert pickle.loads(pickle.dumps(parse("close > 5"))) == parse("close > 5")
    assert "close > 5" in repr(str(parse("close > 5")))


def test_what_can_be_said_without_data():
    condition = parse(
        'crosses_above(KO.close / PEP.close, sma("^VIX".close, 50)) and macro.cpi > z and KO.atr(3) > close'
    )
    assert condition.symbols == ("KO", "PEP", "^VIX")
    assert condition.names == ("macro.cpi", "z")
    assert condition.warmup == 51
    assert condition.needs_subject
    assert condition.is_truth


def test_extras_are_told_by_their_keys_and_a_model_without_a_symbol_is_of_the_subject():
    condition = parse('macro("CPIAUCSL") > 3 and KO.model("up") > 0.5 or macro("CPIAUCSL") < sma(macro("VIXCLS"))')
    assert condition.extras == ("macro: CPIAUCSL", "model: up", "macro: VIXCLS")
    assert (condition.symbols, condition.names, condition.needs_subject) == (("KO",), (), False)
    assert parse('close > 3 and model("up") > 0.5').of_subject == "close"
    assert parse('KO.close > 3 and model("up") > 0.5').of_subject == 'model("up")'
    assert parse("KO.close > atr(14)").of_subject == "atr(14)"
    assert [extra_parts(key) for key in condition.extras[:2]] == [("macro", "CPIAUCSL"), ("model", "up")]
    for wrong, words in {
        "marco: X": "Did you mean macro?",
        "CPI": "names no extra",
        "macro: ": "names no series",
    }.items():
        with pytest.raises(DataError, match=words.replace("?", r"\?")):
            extra_parts(wrong)


WARMUPS = {
    'macro("CPIAUCSL")': 1,
    'sma(model("up"), 7) > 0.5': 7,
    "5 > 3": 1,
    "close": 1,
    "returns": 2,
    "bias": 1,
    "month": 1,
    "session_of_month": 32,
    "lag(close)": 2,
    "lag(returns, 5)": 7,
    "sma(close, 20)": 20,
    "rsi(sma(close, 20), 14)": 34,
    "atr(14)": 15,
    "bollinger(returns, 20, 2).upper": 21,
    "close > sma(close, 5) and sma(close, 9) > 1 or close > 3": 9,
    "crosses_above(sma(close, 5), close)": 6,
    "for_days(sma(close, 5) > 1, 3)": 7,
    "within(close > 1, 3)": 3,
    "count(close > 1, 3)": 3,
    "then(sma(close, 5) > 1, close > 1, within=3)": 8,
    "then(close > 1, sma(close, 50) > 1, close > 1, within=3)": 53,
    "since(sma(close, 5) > 1)": 5,
    "known(sma(close, 5))": 1,
    "latest(sma(close, 5), 3)": 5,
    "correlation(returns, close, 60)": 61,
    "if(close > 1, sma(close, 7), mean(close, 8))": 8,
    "-sma(close, 7) ** 2": 7,
    "not sma(close, 7) > 2": 7,
}


@pytest.mark.parametrize("text", WARMUPS)
def test_warm_ups(text):
    assert parse(text).warmup == WARMUPS[text]


EXTRA_NAMES = ["CPIAUCSL", "up or down", "macro", " a) > (b # é", "5%"]
# Random trees, built from the nodes themselves.
leaves = st.one_of(
    st.builds(Number, st.floats(0, 1e300), st.booleans()),
    st.builds(Number, st.integers(0, 10**6).map(float), st.booleans()),
    st.builds(Field, st.sampled_from(FIELDS), st.sampled_from([None, "SPY", "BRK-B", "^VIX", "a.b", "or"])),
    st.builds(Calendar, st.sampled_from(CALENDAR)),
    st.builds(Name, st.sampled_from(["z", "macro.cpi", "portfolio.gross"])),
    st.builds(Extra, st.just("macro"), st.sampled_from(EXTRA_NAMES)),
    st.builds(Extra, st.just("model"), st.sampled_from(EXTRA_NAMES), st.sampled_from([None, "SPY", "BRK-B", "or"])),
)
series = leaves.filter(lambda node: not is_constant(node))
windows = st.integers(2, 5000)


def grown(numbers):
    """Return trees one storey higher: numbers and truths from numbers."""
    varying = numbers.filter(lambda node: not is_constant(node))
    signs = st.sampled_from([("<",), ("<=",), (">",), (">=",), ("==",), ("!=",), ("<", "<="), (">=", ">", ">=")])
    compared = signs.flatmap(lambda some: st.builds(Compare, st.just(some), st.tuples(*[numbers] * (len(some) + 1))))
    truths = st.recursive(
        st.one_of(compared, st.builds(Constant, st.booleans())),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
            st.builds(
                lambda x, name, n: Call(name, (x,), (("n", n),), kind="number" if name == "count" else "truth"),
                inner.filter(lambda node: not is_constant(node)),
                st.sampled_from(["for_days", "within", "lag", "latest"]),
                windows,
            ),
            st.builds(
                lambda a, b, n: Call("then", (a, b), (("within", n),), kind="truth", keywords=("within",)),
                *[inner.filter(lambda node: not is_constant(node))] * 2,
                windows,
            ),
        ),
        max_leaves=4,
    )
    return st.one_of(
        st.builds(Negate, numbers),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "**"]), numbers, numbers),
        st.builds(lambda a, b: Call("max", (a, b)), numbers, numbers),
        st.builds(lambda x, n: Call("sma", (x,), (("n", n),)), varying, windows),
        st.builds(lambda x, n: Call("bollinger", (x,), (("n", n), ("k", 2.5)), "lower"), varying, windows),
        st.builds(lambda t, a, b: Call("if", (t, a, b)), truths, numbers, numbers),
        truths,
    )


def joined(word, terms):
    flat = [
        part for term in terms for part in (term.terms if isinstance(term, Joined) and term.word == word else [term])
    ]
    return Joined(word, tuple(flat))


trees = st.recursive(leaves, lambda inner: grown(inner.filter(lambda node: kind_of(node) == "number")), max_leaves=10)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees)
def test_every_tree_is_read_back_from_its_text(tree):
    refused: list[ConditionError] = []
    try:
        condition = parse(str(tree))
    except ConditionError as error:
        refused.append(error)
    if refused:
        assert "more than" in refused[0].problem  # too large
        return
    assert condition.root == tree
    assert condition.text == str(tree)
    assert condition == Condition(tree)
    assert condition.warmup >= 1


WORDS = [
    *FUNCTIONS, *INDICATORS, *FIELDS, *CALENDAR, "SPY.close", '"BRK-B".close', '"', "z", "bias", "and", "or", "not",
    "true", "false", "(", ")", ",", "+", "-", "*", "/", "**", "<", "<=", ">", ">=", "==", "!=", "=", ".", "5", "20",
    "2.5", "7%", "1e9", "n=", "k=2", "within=3",
    "1e9999999999999999999", ".upper", "sma(close, 20)", "close > 5", "lag(close, 2)", "bias > 0",
    "macro", "model", 'macro("a")', 'model("b")', 'SPY.model("b")', '"a"',
]  # fmt: skip


def read_or_refused(text: str, panel: Panel) -> None:
    """Check that a text is either refused with its place, or evaluates to values of the right shape and kind."""
    try:
        condition = parse(text)
        assert parse(condition.text) == condition
        (got,) = evaluate([condition], panel, subject="X", names={"z": panel.close[:, 0] - 20})
    except ConditionError as refused:
        error = refused
    else:
        check(condition, got, panel)
        return
    assert 0 <= error.start <= error.end <= max(len(error.text) + 1, 1)
    assert str(error).startswith(error.problem)


def check(condition: Condition, got: np.ndarray, panel: Panel) -> None:
    """Check the shape and kind of a condition's values."""
    assert got.shape == (len(panel),)
    assert not np.isinf(got).any()
    if condition.is_truth:
        assert set(np.unique(got[~np.isnan(got)])) <= {0.0, 1.0}


@pytest.fixture(scope="module")
def forty() -> Panel:
    close = pd.DataFrame(
        {"X": np.arange(40.0) % 7 + 1, "SPY": np.arange(40.0) % 5 + 3}, pd.bdate_range("2024-01-29", periods=40)
    )
    told = {"macro: a": np.arange(40.0), "model: b": np.tile([0.4, np.nan], (40, 1))}
    return Panel.from_frames(close, extra={"bias": np.sin(np.arange(40.0)), **told})


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_soups_of_words_are_read_or_refused(forty, text):
    read_or_refused(text, forty)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(forty, text):
    read_or_refused(text, forty)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_conditions_are_read_or_refused(forty, data):
    """A right text with a few characters taken out, doubled or replaced is the likeliest wrong one."""
    text = data.draw(st.sampled_from([text for text, _ in CANONICAL]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "(", ")", ",", ".", '"', "-", "%", " ", "x", "9", "e"]))
            + text[at + data.draw(st.integers(0, 2)) :]
        )
    read_or_refused(text, forty)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees)
def test_random_trees_evaluate_to_finite_or_unknown(tree):
    symbols = ["X", "SPY", "BRK-B", "^VIX", "a.b", "or"]
    close = pd.DataFrame(
        np.random.default_rng(1).lognormal(3, 1, (30, 6)), pd.bdate_range("2024-01-29", periods=30), columns=symbols
    )
    names = {name: np.linspace(-2, 2, 30) for name in ("z", "macro.cpi", "portfolio.gross")}
    extra = {extra_key("macro", name): np.linspace(-1, 1, 30) for name in EXTRA_NAMES}
    extra |= {extra_key("model", name): np.random.default_rng(2).random((30, 6)) for name in EXTRA_NAMES}
    (got,) = evaluate([Condition(tree)], Panel.from_frames(close, extra=extra), subject="X", names=names)
    assert not np.isinf(got).any()
    if kind_of(tree) == "truth":
        assert set(got[~np.isnan(got)]) <= {0.0, 1.0}


def test_nothing_in_the_package_runs_text_as_code():
    (folder,) = quantlib.conditions.__path__
    modules = sorted(Path(folder).glob("*.py"))
    assert len(modules) >= 10
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                assert name not in {
                    "eval",
                    "exec",
                    "compile",
                    "__import__",
                    "import_module",
                    "literal_eval",
                    "query",
                }, path
