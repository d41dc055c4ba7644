"""`workbench strategy sweep` as its user meets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quantlib.cli.sweep import values_of
from quantlib.errors import StrategyError
from quantlib.store import Store, read_runs
from quantlib.strategies import Pair
from quantlib.strategies.document import to_yaml

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pair(tmp_path: Path) -> str:
    file = tmp_path / "pair.yaml"
    file.write_text(to_yaml(Pair(y="KO", x="PEP"), "My pair", "Because it may."))
    return str(file)


def test_sets_are_run_ordered_and_kept(workbench: Run, store: Store, pair: str) -> None:
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2014-01-01")
    asked = ("strategy", "sweep", pair, "--vary", "entry=1.5,2.5,0.2", "--vary", "lookback=60:90:30")
    code, out, err = workbench(*asked, "--metric", "max_drawdown", "--from", "2015-01-02", "--top", "3")
    assert (code, err) == (0, "")
    assert "4 sets run, 2 refused" in out
    assert "Refused: entry 0.2, lookback 60: " in out
    [run] = read_runs(store, kind="sweep")
    table = run.metrics["table"]
    best = sorted(zip(table["max_drawdown"], table["entry"], table["lookback"], strict=True), reverse=True)
    printed = [line.split("│")[1:3] for line in out.splitlines() if line.startswith("│")]
    assert [(float(entry), int(lookback)) for entry, lookback in printed] == [(e, n) for _, e, n in best[:3]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--vary", "entri=1,2"), "Did you mean entry?"),
        (("--vary", "entry"), "entry has no values"),
        (("--vary", "entry=1,2", "--vary", "entry=3"), "entry is given twice"),
        (("--vary", "entry=1,1"), "a value twice"),
        (("--vary", "entry=1:2"), "is no range"),
        (("--vary", "entry=1,2", "--metric", "sharp"), "Accepted: cagr, max_drawdown, sharpe_ratio"),
        (("--vary", "entry=1:3:0.001", "--vary", "lookback=60:160:10"), "at most 20,000 are kept"),
        (("--vary", "entry=1,2", "--from", "yesterday"), "--from"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_a_line(
    workbench: Run, store: Store, pair: str, given: tuple[str, ...], said: str
) -> None:
    code, out, err = workbench("strategy", "sweep", pair, *given)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not read_runs(store, kind="sweep")


def test_ranges_have_both_ends() -> None:
    assert values_of("0.5:0.8:0.1") == [0.5, 0.6, 0.7, 0.8]
    assert values_of("3:1:-1") == [3, 2, 1]
    assert values_of("20:45:10") == [20, 30, 40]
    assert values_of("true, null, NO, 1e-4") == [True, None, "NO", 1e-4]
    with pytest.raises(StrategyError, match="never gets from 1 to 2"):
        values_of("1:2:-1")
    with pytest.raises(StrategyError, match="never gets"):
        values_of("1:2:0")
    with pytest.raises(StrategyError, match="cannot be read"):
        values_of("[1,2")
