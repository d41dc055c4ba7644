"""`workbench validate` as its user meets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quantlib.reports.verdict_types import VerdictCard
from quantlib.store import Store, read_runs
from quantlib.store.trials import read_trials
from quantlib.strategies import Pair
from quantlib.strategies.document import to_yaml
from quantlib.workflows import validating

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pair(tmp_path: Path) -> str:
    file = tmp_path / "pair.yaml"
    file.write_text(to_yaml(Pair(y="KO", x="PEP", lookback=60), "My pair", "Because it may."))
    return str(file)


def test_the_verdict_is_printed_sentence_first_and_written(
    workbench: Run, store: Store, pair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validating, "SAMPLES", 10)
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2015-01-01")
    out = tmp_path / "card.json"
    code, said, err = workbench("validate", pair, "--out", str(out))
    assert (code, err) == (0, "")
    card = VerdictCard.model_validate_json(out.read_text(encoding="utf-8"))
    assert said.lstrip().startswith("My pair: ")
    assert card.sentence in said.lstrip().splitlines()[0]
    assert all(check.title in said for check in card.checks)
    assert "What would change it" in said
    assert "was never opened" in said
    [run] = read_runs(store, kind="validation")
    assert f"Stored as {run.id};" in said
    page = tmp_path / "card.html"
    code, again, _ = workbench("validate", pair, "--out", str(page))
    assert "Nothing has changed since this was made." in again
    assert card.sentence in page.read_text(encoding="utf-8")

    code, quick, _ = workbench("validate", pair, "--quick", "--open-holdout", "--lag", "3", "--cash", "5000")
    assert code == 0
    newest = read_trials(store, kind="backtest").iloc[0]
    assert '"lag": 3' in newest["terms"]
    assert '"cash": 5000.0' in newest["terms"]
    assert "was opened once" in quick
    assert "Stored as" not in quick
    assert len(read_runs(store, kind="validation")) == 1

    code, _, err = workbench("validate", pair, "--out", str(out))
    assert code != 0
    assert "exists already" in err
    code, _, err = workbench("validate", pair, "--out", str(tmp_path / "card.txt"))
    assert code != 0
    assert "written as .json or .html" in err
