"""Definitions as YAML: what is written is read again, and what is wrong is refused with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.errors import StrategyError
from quantlib.settings import ROOT
from quantlib.strategies import LIBRARY, STRATEGIES, Definition, Group, MACross, Pair, Rotation
from quantlib.strategies.document import SCHEMA, from_yaml, to_yaml
from quantlib.strategies.from_file import load_source

PLAIN = """\
# A comment.
schema: 1
name: My pair
why: Because.
family: pair
parameters:
  y: KO
  x: PEP
  entry: 2.5
"""
GROUP = """\
schema: 1
name: My group
family: group
parameters:
  kind: pair
  legs:
    - symbol: KO
    - symbol: PEP
      weight: -1.0
  timing:
    kind: band
    entry: 2.0
    exit: 0.5
"""


@pytest.mark.parametrize("name", LIBRARY)
def test_every_ready_definition_comes_back_the_same(name: str) -> None:
    told = LIBRARY[name]
    text = to_yaml(told.strategy, name, told.why, told.reference)
    again, definition = from_yaml(text)
    assert (again, definition) == (name, told)
    assert definition.strategy.id == told.strategy.id
    assert told.strategy.id in text.splitlines()[0]


@pytest.mark.parametrize("family", STRATEGIES)
def test_the_document_is_yaml_to_others_too_in_the_order_of_the_form(family: str) -> None:
    strategy = STRATEGIES[family]()
    document = yaml.safe_load(to_yaml(strategy, "Plain"))
    assert list(document) == ["schema", "name", "family", "parameters"]
    assert document["schema"] == SCHEMA
    fields = [name for name in STRATEGIES[family].model_fields if name in document["parameters"]]
    assert list(document["parameters"]) == fields
    assert STRATEGIES[family](**document["parameters"]) == strategy


def test_what_is_not_set_is_not_written() -> None:
    document = yaml.safe_load(to_yaml(Group(), "Plain"))["parameters"]
    assert "volatility_target" not in document
    assert "loss" not in document["stops"]
    assert document["timing"]["exit"] == 0.5, "a default is, since it may change"


LOOKALIKES = ["ON", "NO", "Y", "1E5", "12", "1_0", "null", "TRUE", "2020-01-01", "1:30", "=", "-", "", "a\nb", "\x85"]


@pytest.mark.parametrize("symbol", LOOKALIKES)
def test_a_symbol_that_looks_like_something_else_stays_a_symbol(symbol: str) -> None:
    strategy = MACross(universe=(symbol, "KO"))
    assert from_yaml(to_yaml(strategy, "Odd"))[1].strategy == strategy


@pytest.mark.parametrize("word", ["ON", "NO", "yes", "2020-01-01", "1:30", "0x10", "1_000"])
def test_a_symbol_written_without_quotes_is_text(word: str) -> None:
    _, definition = from_yaml(PLAIN.replace("x: PEP", f"x: {word}"))
    assert definition.strategy.symbols == ("KO", word)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60)


@given(
    name=st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=",@"), min_size=1
    ).filter(lambda name: not name.startswith("-") and not name.endswith((".yaml", ".yml", ".py"))),
    why=TEXT,
    reference=TEXT,
    fast=st.integers(1, 500),
    symbols=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=150, deadline=None)
def test_any_words_and_symbols_come_back(name: str, why: str, reference: str, fast: int, symbols: list[str]) -> None:
    strategy = MACross(universe=tuple(symbols), fast=fast, slow=501)
    again, told = from_yaml(to_yaml(strategy, name[:80], why, reference))
    assert again == name[:80]
    assert told == Definition(strategy, why.strip(), reference.strip())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("entry: 2.5", "entry: [1]"), r"^Line 9: parameters\.entry should be a valid number"),
        (lambda t: t.replace("entry: 2.5", "enter: 2.5"), r"^Line 9: parameters\.enter is not a parameter.*mean entry"),
        (lambda t: t.replace("entry: 2.5", "entry: 0.1"), r"^Line 6: parameters .*must rise in that order"),
        (lambda t: t.replace("entry: 2.5", "x: KO"), r"^Line 9: 'x' is written a second time"),
        (lambda t: t.replace("entry: 2.5", "entry: &a 2.5\n  exit: *a"), r"^Line 10: \*a refers to another place"),
        (lambda t: t.replace("entry: 2.5", "entry: !!python/name:os.system x"), r"^Line 9: .* is not accepted"),
        (lambda t: t.replace("entry: 2.5", "entry: !wild 1"), r"^Line 9: !wild is not accepted"),
        (lambda t: t.replace("entry: 2.5", "entry: 2.5\n   exit: 1"), r"^Line 10: this is not YAML"),
        (lambda t: t.replace("  entry", "\tentry"), r"^Line 9: this is not YAML: .* Indent with spaces\."),
        (lambda t: t.replace("entry: 2.5", "entry: " + "9" * 5000), r"^Line 9: a number of 5,000 digits"),
        (lambda t: t.replace("entry: 2.5", "[a]: 1"), r"^Line 9: a key must be a word"),
        (lambda t: t.replace("family: pair", "family: pairs"), r"^Line 5: family is 'pairs'.*Did you mean pair\?"),
        (lambda t: t.replace("family: pair", "famly: pair"), r"^Line 5: famly is not a key.*Did you mean family\?"),
        (lambda t: t.replace("family: pair\n", ""), r"^Line 2: `family` is missing"),
        (lambda t: t.replace("name: My pair", "name: 7"), r"^Line 3: name is 7; accepted: text"),
        (lambda t: t.replace("name: My pair", "name: a@b"), r"^Line 3: name is refused.*'@'"),
        (lambda t: t.replace("name: My pair", "name: ''"), r"^Line 3: name is refused. A name has 1 to 80"),
        (lambda t: t.replace("schema: 1\n", ""), r"`schema` is missing.*`schema: 1`"),
        (lambda t: t.replace("schema: 1", "schema: 2"), r"^Line 2: schema is 2, newer than the 1 this version reads"),
        (lambda t: t.replace("schema: 1", "schema: true"), r"^Line 2: schema is True; accepted: 1"),
        (lambda t: t.replace("schema: 1", "schema: 0"), r"^Line 2: schema is 0; accepted: 1"),
        (lambda t: t.partition("parameters:")[0] + "parameters: KO", r"^Line 6: parameters are 'KO'"),
        (lambda t: "", "empty"),
        (lambda t: "- KO\n", r"^Line 1: a definition has the keys"),
        (lambda t: "[" * 50_000, r"^Line 1: this is nested 11 deep"),
        (lambda t: "#" * 200_000, "at most 100,000 characters; got 200,000"),
        (lambda t: t + "\x00", "not YAML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(change: Callable[[str], str], message: str) -> None:
    assert from_yaml(PLAIN)[0] == "My pair"
    with pytest.raises(StrategyError, match=message):
        from_yaml(change(PLAIN))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "weight: -1.0",
            "wieght: -1.0",
            r"^Line 9: parameters\.legs\.1\.wieght is not a parameter.*you mean weight",
        ),
        ("weight: -1.0", "weight: 0", r"^Line 9: parameters\.legs\.1\.weight is zero"),
        ("exit: 0.5", "exot: 0.5", r"^Line 13: parameters\.timing\.exot is not a parameter.*Did you mean exit"),
        (
            "exit: 0.5",
            "exit: -1",
            r"^Line 13: parameters\.timing\.exit should be greater than or .* 0 \(got -1\)",
        ),
        ("exit: 0.5", "exit: 3.0", r"^Line 13: parameters\.timing\.exit \(3\) must be below entry \(2\)"),
        ("kind: band", "kind: bond", r"^Line 11: parameters\.timing\.kind has no choice 'bond'. Did you mean band\?"),
        (
            "- symbol: PEP\n      weight: -1.0",
            "- symbol: KO",
            r"^Line 8: parameters\.legs\.1 is KO, which is legs\.0 already",
        ),
        (
            "weight: -1.0",
            "weight: -1.5",
            r"^Line 9: parameters\.legs\.1\.weight is -1\.5, but ols finds the ratio itself",
        ),
        ("    kind: band\n", "", r"^Line 10: parameters\.timing does not say its kind"),
        ("kind: pair", "kind: pear", r"^Line 5: parameters\.kind should be 'outright', .*\(got 'pear'\)"),
        ("    - symbol: KO\n", "    - weight: 1\n", r"^Line 7: parameters\.legs\.0\.symbol is missing"),
    ],
)
def test_a_fault_deep_inside_has_its_line_and_its_nearest_name(old: str, new: str, message: str) -> None:
    assert from_yaml(GROUP)[1].strategy == Group()
    assert GROUP.count(old) == 1
    with pytest.raises(StrategyError, match=message):
        from_yaml(GROUP.replace(old, new))


@given(st.text(st.sampled_from("schema: 1\nname-[]{}'\"&*!#|>%@,2.5KO\t"), max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_definition_or_a_plain_error(text: str) -> None:
    for document in (text, PLAIN + "  " + text):
        with suppress(StrategyError):
            from_yaml(document)


def test_a_strategy_in_python_is_not_yaml() -> None:
    text = "from quantlib.strategies import Pair\n\n\nclass Mine(Pair):\n    family = 'mine'\n"
    with pytest.raises(StrategyError, match="Pass on its file instead"):
        to_yaml(load_source(text, "mine.py"), "Mine")


def test_defaults_of_other_families_are_written_out() -> None:
    text = to_yaml(Rotation(), "R")
    assert "lookback: 126" in text
    assert "universe: [MTUM, QUAL, SIZE, USMV, VLUE]" in text
    assert from_yaml(to_yaml(Pair(), "P", "why: [odd]", "# not a comment"))[1] == Definition(
        Pair(), "why: [odd]", "# not a comment"
    )


def test_the_documented_document_is_one() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "strategies.md").read_text(), re.M | re.S)
    name, told = from_yaml(block)
    assert name == "Out sooner"
    assert told.strategy.id == Group(timing={"kind": "band", "exit": 0.3}, stops={"spread_z": 4, "time": 63}).id
