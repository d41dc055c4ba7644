"""`workbench trials` as its user meets it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quantlib.store import Store
from quantlib.store.trials import read_trials
from quantlib.workflows.tracking import Tracker

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "log", lambda *_: "none")


def test_it_says_what_was_tried_and_who_looked_at_the_hold_out(workbench: Run, store: Store) -> None:
    code, out, _ = workbench("trials")
    assert (code, out) == (0, "Nothing has been tried yet. `workbench strategy run` tries a definition.\n")
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2014-01-01")
    swept = ("strategy", "sweep", "Coke against Pepsi", "--vary", "entry=1.5,2.5")
    assert workbench(*swept)[0] == 0
    assert workbench(*swept, "--idea", "cola", "--open-holdout")[0] == 0
    assert workbench(*swept, "--idea", "cola", "--open-holdout")[0] == 0
    table = read_trials(store)
    assert set(table["origin"]) == {"cli"}
    assert table.groupby("idea")["last"].max().dt.year.to_dict() == {"cola": 2022, "pair": 2019}
    code, out, _ = workbench("trials")
    assert code == 0
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    assert [(name, n, opened) for name, n, _, opened in cells] == [("cola", "2", "1"), ("pair", "2", "0")]
    code, out, _ = workbench("trials", "--idea", "cola", "--last", "2")
    assert code == 0
    assert "The hold-out of cola from 2020-01-01 on was opened once with 2 trials, last on " in out
    assert " from the command line." in out
    assert out.count('{"entry": ') == 2
    code, out, err = workbench("trials", "--idea", "colla")
    assert (code, out) == (2, "")
    assert err == "Error: No trial of 'colla' is on record. Did you mean cola?\n"


def test_a_span_within_the_hold_out_has_to_be_opened(workbench: Run) -> None:
    workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "PEP", "--start", "2014-01-01")
    asked = ("strategy", "sweep", "Coke against Pepsi", "--vary", "entry=1.5,2.5", "--from", "2021-01-04")
    code, _, err = workbench(*asked)
    assert code == 2
    assert "begins on 2021-01-04, in the hold-out, which begins on 2020-01-01" in err
    assert workbench(*asked, "--open-holdout")[0] == 0
