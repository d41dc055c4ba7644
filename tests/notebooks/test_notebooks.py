"""The research notebooks: a pair in step, executed whole in a fresh home, and showing the workflows' very numbers."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pandas as pd
import pytest
from database import _database
from drawn import plain
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

from quantlib.backtest import run_strategy
from quantlib.backtest.fragility import break_even_cost
from quantlib.charts import alt_text
from quantlib.costs import Costs
from quantlib.reports.figures import frozen_figure
from quantlib.reports.types import Recommendation
from quantlib.settings import Settings
from quantlib.simulators import USUAL
from quantlib.store import read_runs
from quantlib.strategies import READY
from quantlib.workflows.lab import try_strategy
from quantlib.workflows.ledger import ledger_table
from quantlib.workflows.reading import newest_report
from quantlib.workflows.research import StrategyRun, backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session, open_session

RESEARCH = Path(__file__).resolve().parents[2] / "research"
NAMES = sorted(path.stem for path in RESEARCH.glob("*.ipynb"))
FAMILIES = [name for name in NAMES if name >= "04"]  # one a family of simulators; they need no database
PLOTLY = "application/vnd.plotly.v1+json"
WORLDS = 100
# The kernel reads no .env, as no test does.
WITHOUT_ENV_FILE = "from quantlib.settings import Settings; Settings.model_config['env_file'] = None"


@dataclass(frozen=True)
class Executed:
    """A notebook after its execution, what a last cell printed of its variables, and a session on its database."""

    notebook: nbformat.NotebookNode
    shown: Any
    session: Session


@contextmanager
def executed(name: str, wanted: str) -> Iterator[Executed]:
    """Give a notebook executed in a home and a database of its own; `wanted` is an expression JSON can hold.

    The database is the embedded one of the home, or a new one on the server that TEST_DATABASE_URL names.
    """
    notebook = jupytext.read(RESEARCH / f"{name}.ipynb")
    probe = nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({wanted}))")
    notebook.cells.append(probe)
    # Not under pytest's own folder: every pytest session of root closes that to the server's account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder, ExitStack() as stack:
        home = Path(folder).resolve()
        url = stack.enter_context(contextmanager(_database)(home)).url
        run_all_cells(notebook, home, url)
        session = open_session(Settings(home=home, worlds=WORLDS, database_url=url, _env_file=None))
        stack.callback(session.close)
        notebook.cells.remove(probe)
        yield Executed(notebook, json.loads(probe.outputs[0].text), session)


def run_all_cells(notebook: nbformat.NotebookNode, home: Path, url: str | None) -> None:
    """Execute with this very Python; no Jupyter, IPython or workbench settings of the user reach the kernel."""
    arguments = ["-m", "ipykernel_launcher", "-f", "{connection_file}", f"--IPKernelApp.exec_lines={WITHOUT_ENV_FILE}"]
    spec = {"argv": [sys.executable, *arguments], "display_name": "this Python", "language": "python"}
    kernel = home / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(spec))
    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(home / "kernels")], ensure_native_kernel=False),
        connection_file=str(home / "kernel.json"),
    )
    users = ("WORKBENCH_", "MLFLOW_", "DATABASE_URL", "PLOTLY_", "IPYTHON", "JUPYTER", "PYTHONSTARTUP")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(users)}
    environment |= {"WORKBENCH_HOME": str(home), "WORKBENCH_WORLDS": str(WORLDS), "IPYTHONDIR": str(home / "ipython")}
    if url:
        environment["DATABASE_URL"] = url
    client = NotebookClient(notebook, km=manager, timeout=240, resources={"metadata": {"path": str(RESEARCH)}})
    client.execute(env=environment, cleanup_kc=True)  # the manager being ours, it would leave the kernel running


@pytest.fixture(scope="module")
def quickstart() -> Iterator[Executed]:
    """Return the first notebook, executed."""
    wanted = """{
        "metrics": run.metrics.to_dict(), "run_id": run.run_id, "strategy": strategy.id,
        "worlds": {name: [found.mean, found.probability_of_loss] for name, found in worlds.items()},
        "advice": advice.model_dump(mode="json"), "report": str(result.path), "same": same.to_dict(),
    }"""
    with executed("01-quickstart", wanted) as done:
        yield done


@pytest.fixture(scope="module")
def simulate() -> Iterator[Executed]:
    """Return the second notebook, executed."""
    wanted = """{
        "passed": {title: found.passed for title, found in certificates.items()},
        "sharpe": {"leaky": sharpe(leaky, panel), "rule": sharpe(rule, panel), "run": truth["value"]},
        "theory": {name: table.to_dict() for name, table in theory.items()},
        "returns": {name: found.returns.tolist() for name, found in simulated.items()},
        "replayed": {name: values.tolist() for name, values in replayed.items()},
        "cost": cost, "rule": rule.id,
    }"""
    with executed("02-simulate-and-test", wanted) as done:
        yield done


@pytest.fixture(scope="module")
def groups() -> Iterator[Executed]:
    """Return the third notebook, executed."""
    wanted = """{
        "run_id": run.run_id, "sharpe": sharpe.to_dict(), "left_over": left_over, "tried": swept.n_tried,
        "bears": bears, "tied": tied, "decision": decision, "answers": list(questions.values()), "luck": luck,
        "heat": heat.to_numpy().tolist(), "break_even": break_even, "sentences": sheet.fragility(),
        "by_group": profits.to_dict(), "equity": together.result.equity.iloc[[0, -1]].tolist(),
        "interest": -together.result.cost_parts["financing"].sum(),
        "gross": together.result.targets.abs().sum(axis=1).max(),
    }"""
    with executed("03-groups", wanted) as done:
        yield done


@pytest.fixture(params=["quickstart", "simulate", "groups"])
def each(request: pytest.FixtureRequest) -> Executed:
    """Return each executed notebook in turn."""
    return request.getfixturevalue(request.param)


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_is_its_script_without_outputs(name: str) -> None:
    script, notebook = (jupytext.read(RESEARCH / f"{name}{suffix}") for suffix in (".py", ".ipynb"))
    assert [(c.cell_type, c.source) for c in script.cells] == [(c.cell_type, c.source) for c in notebook.cells]
    assert outputs(notebook) == [], "clear the outputs: python -m nbconvert --clear-output --inplace research/*.ipynb"
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.cells[0].source.splitlines()[0].endswith("?")


def test_the_quickstart_is_short() -> None:
    assert len(jupytext.read(RESEARCH / "01-quickstart.ipynb").cells) < 15


@pytest.mark.notebook
def test_it_runs_and_nothing_complains(each: Executed) -> None:
    assert [o for o in outputs(each.notebook) if o.output_type == "error"] == []
    assert [o.text for o in outputs(each.notebook) if o.get("name") == "stderr"] == []


@pytest.mark.notebook
def test_every_chart_it_shows_is_drawn(each: Executed) -> None:
    shown = sum(cell.source.count(".show(") for cell in each.notebook.cells if cell.cell_type == "code")
    assert len(charts_of(each.notebook)) == shown > 3


def charts_of(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Return the figures a notebook shows, each found to be whole."""
    charts = [o.data for o in outputs(notebook) if PLOTLY in o.get("data", {})]
    for data in charts:
        figure = data[PLOTLY]
        assert figure["data"]
        assert figure["layout"]["title"]["text"]
        assert figure["config"]["showSendToCloud"] is False
        assert "Plotly.newPlot" in data["text/html"], "lost in an export to HTML"
    return charts


@pytest.mark.notebook
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_of_simulators_keeps_to_its_theory(name: str, tmp_path: Path) -> None:
    """Its cells assert each check themselves, so that one that broke ends the run."""
    notebook = jupytext.read(RESEARCH / f"{name}.ipynb")
    opening = notebook.cells[0].source
    assert "The theory in five lines" in opening
    assert re.findall(r"^(\d)\. ", opening, re.MULTILINE) == list("12345")
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(source.count("assert ") for source in code) > 3
    run_all_cells(notebook, tmp_path, None)
    assert [o.text for o in outputs(notebook) if o.get("name") == "stderr"] == []
    assert len(charts_of(notebook)) >= sum(source.count(".show(") for source in code) > 3


@pytest.mark.notebook
def test_the_ready_strategy_has_the_numbers_of_the_workflow(quickstart: Executed) -> None:
    session, values = quickstart.session, quickstart.shown
    name = "Large-cap trend"
    run = backtest_strategy(session, READY[name], name=name)
    assert (values["run_id"], values["strategy"]) == (run.run_id, READY[name].id)
    for column in ("value", "ci_low", "ci_high"):
        assert pd.Series(values["metrics"][column]).dropna().to_dict() == run.metrics[column].dropna().to_dict()
    stored = read_runs(session.store, id=run.run_id)[0]
    assert stored.metrics["sharpe_ratio"] == values["metrics"]["value"]["sharpe_ratio"]
    for simulator in USUAL:
        worlds = simulate_strategy(session, READY[name], simulator, name=name)
        assert len(worlds.returns) == WORLDS
        assert values["worlds"][simulator] == [worlds.mean, worlds.probability_of_loss]


@pytest.mark.notebook
def test_the_recommendation_is_the_stored_one_and_the_report_is_written(quickstart: Executed) -> None:
    values = quickstart.shown
    advice = Recommendation.model_validate(values["advice"])
    report = newest_report(quickstart.session)
    assert report is not None
    assert advice in report.recommendations
    assert {key: metric.value for key, metric in advice.metrics.items()} == values["metrics"]["value"]
    assert values["same"]["notebook"] == values["same"]["MLflow"] == values["same"]["report"]
    assert advice.headline in Path(values["report"]).read_text(encoding="utf-8")


@pytest.mark.notebook
def test_the_leak_is_caught_and_the_simulators_keep_to_their_theory(simulate: Executed) -> None:
    values = simulate.shown
    assert values["passed"] == {"Dip in a rising trend": True, "The same with a centred mean": False}
    assert values["sharpe"]["leaky"] > 3 > values["sharpe"]["rule"] == values["sharpe"]["run"]
    for name, table in values["theory"].items():
        assert all(abs(errors) < 5 for errors in table["errors"].values()), name
        assert table["theory"]["gross return"] == pytest.approx(1.0, abs=2e-3)
        assert (abs(table["theory"]["gross return"] - 1.0) < 1e-12) == ("without drift" in name)
    stored = read_runs(simulate.session.store)
    assert sum(run.kind == "simulation" and run.strategy_id == values["rule"] for run in stored) == 4


@pytest.mark.notebook
def test_what_a_notebook_tries_is_in_the_ledger(simulate: Executed) -> None:
    table = ledger_table(simulate.session, kind="backtest")
    mine = table[table["strategy_id"] == simulate.shown["rule"]]
    [one] = mine.to_dict(orient="records")
    assert (one["origin"], one["outcome"], one["times"]) == ("notebook", "done", 1)


@pytest.mark.notebook
def test_the_worlds_without_edge_earn_nothing_but_pay_costs(simulate: Executed) -> None:
    values = simulate.shown
    assert all(len(returns) == WORLDS for returns in values["returns"].values())
    flat = values["returns"]["Brownian motion without drift"]
    mean = sum(flat) / WORLDS
    error = (sum((r - mean) ** 2 for r in flat) / (WORLDS - 1) / WORLDS) ** 0.5
    assert abs(mean + values["cost"]) < 4 * error
    middle = {name: sorted(found)[WORLDS // 2] for name, found in values["replayed"].items()}
    assert middle["no edge at all"] < 0 < middle["the same days, shuffled"] < middle["as it was"]
    assert values["sharpe"]["run"] > sorted(values["replayed"]["the same days, shuffled"])[-4]


@pytest.mark.notebook
def test_the_pair_has_the_numbers_and_the_charts_of_the_lab(groups: Executed) -> None:
    session, values = groups.session, groups.shown
    name = "Coke against Pepsi with drift"
    trial = try_strategy(session, READY[name], name)
    assert values["run_id"] == trial.run.run_id
    for column in ("value", "ci_low", "ci_high"):
        assert values["sharpe"][column] == trial.run.metrics.loc["sharpe_ratio", column]
    assert tuple(values["sentences"]) == trial.sheet.fragility()
    shown = [o.data[PLOTLY] for o in outputs(groups.notebook) if PLOTLY in o.get("data", {})]
    drawn = {figure["layout"]["meta"]["alt"]: plain(figure["data"]) for figure in shown}
    sheet = trial.sheet
    for figure in (sheet.record(), sheet.months(), sheet.delay(), sheet.costs(), sheet.by_leg(), sheet.spread_trades()):
        assert drawn[alt_text(figure)] == frozen_figure(figure)["data"]


@pytest.mark.notebook
def test_the_decision_follows_from_the_numbers(groups: Executed) -> None:
    session, values = groups.session, groups.shown
    run = backtest_strategy(session, READY["Coke against Pepsi with drift"], name="Coke against Pepsi with drift")
    assert values["left_over"] < 1e-9
    assert values["bears"] == break_even_cost(run.strategy, run.panel)
    assert run_flat(run, values["bears"]) == pytest.approx(1.0, abs=1e-6)
    assert values["tied"] == 0
    assert values["answers"][-1] is False
    assert (values["decision"] == "trade it small") == all(values["answers"])
    # The expected largest of n normals lies below sqrt(2 ln n), and above two thirds of it for 25.
    error = (values["sharpe"]["ci_high"] - values["sharpe"]["ci_low"]) / 3.92
    assert values["tried"] == 25
    assert 0.66 < values["luck"] / (error * (2 * math.log(25)) ** 0.5) < 1


def run_flat(run: StrategyRun, bps: float) -> float:
    """Return what 1 becomes at one flat cost a side."""
    flat = Costs(commission_bps=bps, half_spread_bps=0.0, impact_bps=0.0)
    equity = run_strategy(run.strategy, run.panel, costs=flat).equity
    return float(equity.iloc[-1] / equity.iloc[0])


@pytest.mark.notebook
def test_the_groups_share_an_account_whose_books_balance(groups: Executed) -> None:
    values = groups.shown
    first, last = values["equity"]
    assert last - first == pytest.approx(sum(values["by_group"].values()) + values["interest"], abs=1e-3)
    assert len(values["by_group"]) == len(values["break_even"]) == 5
    assert values["gross"] <= 2.0 + 1e-9
