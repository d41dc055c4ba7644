"""docs/scenarios.md says how to write a scenario: its fields are the model's, its example can be read."""

from __future__ import annotations

import re
from pathlib import Path

from quantlib.scenarios import FACTORS, Law, Scenario, Shock, Window, parse_scenario

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_the_tables_are_the_fields_of_the_model():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|$", TEXT, re.MULTILINE)
    fields = [item for model in (Scenario, Shock, Law, Window) for item in model.model_fields.items()]
    assert rows == [(name, field.description) for name, field in fields]


def test_the_table_of_factors_is_the_registry():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert rows == [(name, one.title, one.unit, ", ".join(one.symbols)) for name, one in FACTORS.items()]


def test_the_example_is_a_scenario():
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert [shock.name for shock in parse_scenario(block).shocks] == ["oil", "XOM"]
