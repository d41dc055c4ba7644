"""A run as a notebook: the cells hold the whole definition, and make the same numbers again."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest

from quantlib.costs import Costs
from quantlib.strategies import READY, Group, Strategy
from quantlib.workflows.lab import try_strategy
from quantlib.workflows.notebook import as_notebook, notebook_cells, worlds_cells
from quantlib.workflows.session import Session
from quantlib.workflows.worlds import ask, look_ahead

pytestmark = pytest.mark.slow

PAIR = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.5, "lookback": 60}, hedge={"lookback": 60})
COSTS = Costs(half_spread_bps=5.0)


def run_cells(cells: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], str]:
    """Return what the cells leave behind and print, run on a session, with charts made but not shown."""
    monkeypatch.setattr("quantlib.workflows.session.open_session", lambda: session)
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        monkeypatch.setattr("plotly.graph_objects.Figure.show", lambda fig, **_: said.write(fig.layout.meta["title"]))
        exec(compile(cells, "cells", "exec"), space)
    return space, said.getvalue()


def test_the_cells_make_the_same_run_again(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = try_strategy(lab, PAIR, "A pair", COSTS, "2018-01-02")
    cells = notebook_cells(PAIR, "A pair", COSTS, "2018-01-02")
    space, said = run_cells(cells, lab, monkeypatch)
    assert space["trial"].run.run_id == shown.run.run_id
    assert shown.run.verdict.sentence in said
    assert "A pair turned 1 into" in said


def test_usual_costs_and_all_sessions_need_no_words(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = notebook_cells(PAIR, "A pair")
    assert "Costs(" not in cells
    assert "start=" not in cells
    space, _ = run_cells(cells, lab, monkeypatch)
    assert space["trial"].run.run_id == try_strategy(lab, PAIR, "A pair").run.run_id


@pytest.mark.parametrize("strategy", READY.values(), ids=READY)
def test_every_ready_definition_survives_its_cells(strategy: Strategy) -> None:
    cells = notebook_cells(strategy, "It")
    space: dict[str, Any] = {}
    reading = cells[cells.index("from quantlib.strategies.document") : cells.index("# %%\nsession")]
    exec(compile(reading, "cells", "exec"), space)
    assert space["definition"].strategy == strategy
    assert space["name"] == "It"


@pytest.mark.parametrize("strategy", [None, PAIR], ids=["price", "strategy"])
def test_the_cells_of_worlds_make_the_same_worlds_again(
    strategy: Strategy | None, lab: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    extent = {"horizon": 10, "worlds": 30, "seed": 5, "compare": False}
    asked = ask("KO" if strategy is None else "A pair", strategy, "gbm", {"window": 500}, extent)
    shown = look_ahead(lab, asked)
    space, said = run_cells(worlds_cells(asked), lab, monkeypatch)
    found = space["paths"] if strategy is None else space["worlds"].paths
    assert found == pytest.approx(shown.first.paths)
    assert space["simulator"] == asked.simulators[0]
    assert "worlds end above" in said
    assert shown.grade.sentence in said


def test_a_notebook_is_one_that_jupyter_opens_with_the_same_cells() -> None:
    import nbformat

    cells = notebook_cells(PAIR, "A pair")
    book = nbformat.reads(as_notebook(cells), as_version=4)
    nbformat.validate(book)
    assert [cell.cell_type for cell in book.cells] == ["markdown", "code", "code", "code", "code"]
    assert book.cells[0].source.startswith("# A pair")
    assert all(
        "".join(cell.source.split()) in "".join(cells.split()) for cell in book.cells if cell.cell_type == "code"
    )
    assert json.loads(as_notebook(cells))["metadata"]["kernelspec"]["name"] == "python3"
