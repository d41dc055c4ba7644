"""docs/conditions.md says what the language is: every function and indicator, and every condition in it can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantlib.conditions import EXTRAS, FUNCTIONS, ConditionError, parse
from quantlib.conditions.nodes import CALENDAR, FIELDS
from quantlib.conditions.signatures import MAX_WINDOW, signature_of
from quantlib.indicators import INDICATORS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conditions.md").read_text(encoding="utf-8")


def test_every_function_stands_in_it_once_with_what_it_gives():
    section = TEXT.partition("## Functions")[2].partition("### Indicators")[0]
    rows = re.findall(r"^\| `(\w+\([^`]*\))` \| (.*) \|$", section, re.MULTILINE)
    assert sorted(rows) == sorted((one.form, one.about) for one in (*FUNCTIONS.values(), *EXTRAS.values()))


def test_every_indicator_stands_in_it_with_its_defaults():
    section = TEXT.partition("### Indicators")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([^`]*)` \| ([^;|]*?)(?:;[^|]*)? \|$", section, re.MULTILINE))
    forms = {signature_of(name).form(): card.title for name, card in INDICATORS.items()}
    assert {re.sub(r"\)\.\w+$", ")", form): title for form, title in rows.items()} == forms
    for form in rows:
        assert parse(form).text.startswith(form.removesuffix(")").partition(")")[0])


def test_every_field_and_calendar_number_stands_in_it():
    for name in (*FIELDS, *CALENDAR):
        assert f"`{name}`" in TEXT


def test_every_example_can_be_read():
    (block,) = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        assert parse(line, gives="truth", names=["z"])
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if re.search(r"[a-z]\w*\(.*\)|\d", span)]
    assert len(spans) > 40
    refused = []
    for span in spans:
        try:
            parse(span)
        except ConditionError:
            refused.append(span)
    placeholders = {function.form for function in FUNCTIONS.values()} | {
        "then(a, b, within=n)",
        "b and lag(within(a, n), 1)",
        "known(x)",
        "latest(x, n)",
    }
    assert set(refused) <= placeholders | {"close and 5"}  # which the text says is refused


@pytest.mark.parametrize(
    "limit", ["4,000 characters", "500 parts", "40 levels", "50 symbols", f"1 to {MAX_WINDOW:,} bars"]
)
def test_the_limits_are_those_of_the_parser(limit):
    assert limit in TEXT
