"""`workbench strategy` as its user meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quantlib.store import Store, read_runs
from quantlib.strategies import LIBRARY, READY, Pair
from quantlib.strategies.document import from_yaml, to_yaml

Run = Callable[..., tuple[int, str, str]]
FILE = """
from __future__ import annotations

from typing import ClassVar

import pandas as pd

from quantlib.strategies import Strategy
from quantlib.types import Panel


class Always(Strategy):
    family: ClassVar[str] = "always"
    title: ClassVar[str] = "Always in"
    description: ClassVar[str] = "Own it."

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("KO",)

    @property
    def warmup(self) -> int:
        return 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        return (panel.frame("close") > 0).astype(float)
"""


def one_line(text: str) -> bool:
    return text.startswith("Error: ") and text.count("\n") == 1 and "Traceback" not in text


def pair(folder: Path, **parameters: float) -> str:
    """Return a file with a pair in it."""
    file = folder / f"pair{len(list(folder.iterdir()))}.yaml"
    file.write_text(to_yaml(Pair(y="KO", x="PEP", **parameters), "My pair", "Because it may."))
    return str(file)


def test_definitions_are_saved_compared_and_passed_on(workbench: Run, tmp_path: Path) -> None:
    code, out, err = workbench("strategy", "import", pair(tmp_path), "--note", "as published")
    assert (code, err) == (0, "")
    assert "My pair is version 1 (pair-" in out
    code, out, _ = workbench("strategy", "save", "My pair", pair(tmp_path, exit=0.3))
    assert (code, "My pair is version 2 (pair-" in out) == (0, True)
    code, out, _ = workbench("strategy", "versions", "My pair")
    assert code == 0
    assert "as published" in out
    assert "0.5 → 0.3" in out
    code, out, _ = workbench("strategy", "diff", "My pair@1", "My pair")
    assert out.strip().endswith("0.5 → 0.3")
    assert workbench("strategy", "diff", "My pair", "My pair@2")[1] == "Nothing has changed.\n"
    code, out, _ = workbench("strategy", "export", "My pair")
    assert from_yaml(out)[0] == "My pair"
    assert from_yaml(out)[1].strategy == Pair(y="KO", x="PEP", exit=0.3)
    assert from_yaml(out)[1].why == "Because it may."
    code, out, _ = workbench("strategy", "show", "My pair@1")
    assert (code, from_yaml(out)[1].strategy) == (0, Pair(y="KO", x="PEP"))
    code, _, _ = workbench("strategy", "export", "RSI-2", "--out", str(tmp_path / "rsi.yaml"))
    assert from_yaml((tmp_path / "rsi.yaml").read_text()) == ("RSI-2", LIBRARY["RSI-2"])
    assert workbench("strategy", "rename", "My pair", "Cola")[1] == "My pair is now Cola.\n"
    assert "its versions are kept" in workbench("strategy", "delete", "Cola")[1]
    assert "Cola" not in workbench("strategy", "list")[1]


def test_the_list_says_what_runs_daily_and_what_has_no_prices(
    workbench: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2019-01-01")
    workbench("strategy", "import", pair(tmp_path))
    monkeypatch.setenv("WORKBENCH_STRATEGIES", "My pair, Sell in May")
    code, out, _ = workbench("strategy", "list")
    assert code == 0
    lines = {name: next(line for line in out.splitlines() if f" {name} " in line) for name in (*READY, "My pair")}
    assert "daily" in lines["My pair"]
    assert "version 1" in lines["My pair"]
    assert "no prices" not in lines["My pair"]
    assert "daily, no prices" in lines["Sell in May"]
    assert re.search(r"Coke against Pepsi +│ pair +│ KO, PEP +│ ready", lines["Coke against Pepsi"])
    assert "daily" not in lines["Coke against Pepsi"]


def test_show_tells_why_and_where(workbench: Run) -> None:
    code, out, _ = workbench("strategy", "show", "Sell in May")
    assert code == 0
    assert from_yaml(out) == ("Sell in May", LIBRARY["Sell in May"])


def test_a_name_and_a_file_are_run_and_stored(workbench: Run, store: Store, tmp_path: Path) -> None:
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2016-01-01")
    span = ("--from", "2017-01-01", "--to", "2020-12-31")
    code, out, err = workbench("strategy", "run", "Coke against Pepsi", *span, "--cash", "5000", "--lag", "2")
    assert code == 0, err
    assert "Coke against Pepsi, 2017-01-03 to 2020-12-31" in out
    assert "Sharpe" in out
    assert re.search(r"the account ended with \$\d,\d{3}\.", out)
    (first,) = read_runs(store, kind="backtest")
    assert (first.params["cash"], first.params["lag"]) == (5000.0, 2)
    assert first.id in out
    code, _, err = workbench("strategy", "run", "Tactical five")
    assert (code, "There are no prices of SPY, EFA, AGG, VNQ, GLD yet. Load them with" in err) == (2, True)
    (tmp_path / "mine.py").write_text(FILE)
    code, out, err = workbench("strategy", "run", str(tmp_path / "mine.py"), *span)
    assert code == 0, err
    assert "Always in" in out
    newest = read_runs(store, kind="backtest")[0]
    assert (newest.strategy_id or "").startswith("always-")
    code, out, _ = workbench("strategy", "show", str(tmp_path / "mine.py"))
    assert newest.strategy_id in out


def test_a_symbol_without_prices_is_named_with_its_place(workbench: Run, tmp_path: Path) -> None:
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2019-01-01")
    text = "schema: 1\nname: x\nfamily: group\nparameters:\n  legs: [KO, PEPP]\n"
    (tmp_path / "legs.yaml").write_text(text)
    rules = "  timing: {kind: rules, long: z < -2 and SPYY.close > 3}\n"
    (tmp_path / "rules.yaml").write_text(text.replace("PEPP", "PEP") + rules)
    for file, message in {
        "legs.yaml": "legs.1.symbol is 'PEPP', which is not known. Did you mean PEP?",
        "rules.yaml": "timing.long reads 'SPYY', which is not known. Did you mean",
    }.items():
        code, out, err = workbench("strategy", "run", str(tmp_path / file))
        assert (code, out.strip()) == (2, "")
        assert one_line(err), err
        assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "RSI-3"], "Did you mean RSI-2?"),
        (["run", "nothing.py"], "nothing.py cannot be read"),
        (["run", "bad.py"], "bad.py, line 2: ZeroDivisionError"),
        (["import", "bad.yaml"], "bad.yaml: Line 1: `schema` is missing"),
        (["save", "RSI-2", "Coke against Pepsi"], "is the name of a ready definition"),
        (["versions", "My pare"], "No definition is kept under the name 'My pare'"),
        (["export", "RSI-2@1"], "RSI-2 is a ready definition, which has no versions. Leave @1 out."),
        (["export", "RSI-2", "--out", "nowhere/x.yaml"], "nowhere/x.yaml cannot be written (No such file"),
        (["import", "tab.yaml"], "tab.yaml: Line 3: this is not YAML: found character '\\t'"),
        (["import", "typo.yaml"], "y is 'KOO', which is not known. Did you mean KO?"),
        (["save", "mine", "typo.yaml"], "y is 'KOO', which is not known."),
        (["diff", "RSI-2", "missing.yaml"], "missing.yaml cannot be read"),
        (["rename", "Nobody", "RSI-2"], "is the name of a ready definition"),
        (["delete", "Nobody"], "There are none yet."),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    workbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("x = 1\nx / 0\n")
    (tmp_path / "bad.yaml").write_text("name: x\n")
    (tmp_path / "tab.yaml").write_text("schema: 1\nparameters:\n\ty: KO\n")
    (tmp_path / "typo.yaml").write_text("schema: 1\nname: x\nfamily: pair\nparameters:\n  y: KOO\n")
    code, out, err = workbench("strategy", *arguments)
    assert code == 2
    assert out.strip() == ""
    assert one_line(err), err
    assert message in err
