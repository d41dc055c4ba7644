from __future__ import annotations

from pathlib import Path

from quantlib.metrics import METRICS
from quantlib.metrics.document import markdown

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_the_document_is_in_step():
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), "run `python -m quantlib.metrics > docs/metrics.md`"


def test_every_metric_is_in_it_once_with_formula_and_reference():
    rows = [line.replace("\\|", "|") for line in markdown().splitlines() if line.startswith("| ")]
    for metric in METRICS.values():
        assert sum(f"| `{metric.key}` | {metric.formula} |" in row and metric.reference in row for row in rows) == 1


def test_cells_do_not_break_their_table():
    tables = [line for line in markdown().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {7, 3}
