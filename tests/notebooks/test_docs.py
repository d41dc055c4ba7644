"""The documentation: its examples run and print what it says, and everything it names exists."""

from __future__ import annotations

import ast
import doctest
import importlib
import itertools
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from pytest_httpserver import HTTPServer

import quantlib.indicators
from app.main import NAV
from quantlib.backtest import WorldsResult, run
from quantlib.cli import app as command_line
from quantlib.costs import Costs, default_costs
from quantlib.grades import GRADES
from quantlib.indicators import INDICATORS
from quantlib.ml import MODELS
from quantlib.settings import Settings
from quantlib.simulators import SIMULATORS
from quantlib.sources import SOURCES
from quantlib.sources.base import Call
from quantlib.store import Store, read_panel
from quantlib.store.account import SYSTEM_USER
from quantlib.store.cluster import MAJOR
from quantlib.store.database import OLDEST
from quantlib.store.embedded import LINGER_SECONDS
from quantlib.strategies import STRATEGIES, build
from quantlib.types import Instrument, Panel
from quantlib.universe import Universe
from quantlib.validation import certify
from quantlib.workflows.ingest import ingest
from quantlib.workflows.research import load_panel
from quantlib.workflows.session import Session

ROOT = Path(__file__).resolve().parents[2]
DOCS = {
    path.name: path.read_text(encoding="utf-8") for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
}
# Chunks of a hypertable and other extensions' own tables lie in schemas that start with an underscore.
TABLES = """
SELECT schemaname || '.' || tablename FROM (SELECT schemaname, tablename FROM pg_tables UNION
    SELECT schemaname, viewname FROM pg_views) AS relations (schemaname, tablename)
WHERE schemaname !~ '^(_|pg_|information_schema$|timescaledb_|public$)'
"""
SCHEMAS = (
    r"SELECT nspname FROM pg_namespace WHERE nspname !~ '^(_|pg_|information_schema$|timescaledb_|toolkit_|public$)'"
)
REGISTRIES: dict[str, dict[str, Any]] = {
    "SOURCES": SOURCES,
    "INDICATORS": INDICATORS,
    "SIMULATORS": SIMULATORS,
    "STRATEGIES": STRATEGIES,
    "MODELS": MODELS,
    "NAV": NAV,
}


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of a language in a document."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", DOCS[document], re.MULTILINE | re.DOTALL)
    return [body for named, body in fenced if named == language]


def spans(document: str) -> list[str]:
    """Return what stands in single backticks outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", DOCS[document], flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def examples() -> SimpleNamespace:
    """Return the examples of architecture.md: sources by file name, and what each registry gains."""
    files, entries, names = {}, {}, {}
    for block in blocks("architecture.md", "python"):
        first, _, rest = block.partition("\n")
        if found := re.fullmatch(r"# in (\w+), (\S+)", first):
            registry, place = found.groups()
            assert re.search(rf"^{registry}\b.*= \{{$", (ROOT / place).read_text(), re.MULTILINE), block
            package = importlib.import_module(place.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
            entries[registry] = eval(f"{{{rest}}}", {**vars(package), **names})
        else:
            files[first.removeprefix("# ")] = block
            if not first.startswith("# pages/"):
                module = sys.modules.setdefault("documented", type(sys)("documented"))
                names["__name__"] = module.__name__  # dataclasses look their module up
                exec(compile(block, first, "exec"), names)
    return SimpleNamespace(files=files, entries=entries)


@pytest.fixture
def entry(examples: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that lists the example of a registry and returns its name and value."""

    def listed(registry: str) -> tuple[str, Any]:
        ((name, value),) = examples.entries[registry].items()
        assert name not in REGISTRIES[registry]
        monkeypatch.setitem(REGISTRIES[registry], name, value)
        return name, value

    return listed


def test_each_kind_of_thing_is_shown_once(examples: SimpleNamespace) -> None:
    assert examples.entries.keys() == REGISTRIES.keys() - {"MODELS"}
    assert len(examples.files) == len(examples.entries)
    for path in examples.files:
        assert (ROOT / path).parent.is_dir()


def test_the_documented_source_can_be_ingested(
    entry: Any, store: Store, tmp_path: Path, httpserver: HTTPServer
) -> None:
    name, _ = entry("SOURCES")
    files = {
        "ABC": "date,open,high,low,close,volume\n2024-01-02,10,11,9,10.5,100\n2024-01-03,,,,11,\n",
        "BAD": "<html>",
    }
    for symbol, text in files.items():
        httpserver.expect_request(f"/{symbol}.csv").respond_with_data(text)
    httpserver.expect_request("/GONE.csv").respond_with_data("", status=404)
    known = Universe(instruments=tuple(Instrument(symbol=s) for s in ("ABC", "BAD", "GONE")), lists={})
    call = Call(tmp_path, base_url=httpserver.url_for("").rstrip("/"))
    result = ingest(store, name, ["ABC", "BAD", "GONE"], universe=known, call=call)
    assert result.total.new == 2
    assert [(one.symbol, one.error.split(".")[0]) for one in result.failed] == [
        ("BAD", "Tape's file of BAD is not a table of daily bars with a date"), ("GONE", "Tape has no GONE")
    ]  # fmt: skip
    panel = read_panel(store, "ABC")
    assert panel.close[:, 0].tolist() == [10.5, 11.0]
    assert np.isnan(panel.open[1, 0])
    assert ingest(store, name, ["ABC"], universe=known, call=call).changed_nothing


def test_the_documented_indicator_is_causal_and_warms_up_as_it_says(entry: Any, small: Panel) -> None:
    name, card = entry("INDICATORS")
    whole = quantlib.indicators.compute(name, small, n=50)[name]
    first = whole["KO"].first_valid_index()
    assert small.index.get_loc(first) + 1 == card.warmup(n=50)
    for t in (60, 200, 499):
        part = quantlib.indicators.compute(name, small.until(small.index[t]), n=50)[name]
        pd.testing.assert_frame_equal(part, whole.iloc[: t + 1])


def test_the_documented_simulator_keeps_the_contract(entry: Any, small: Panel) -> None:
    _, simulator = entry("SIMULATORS")
    closes = simulator().closes(small, n=400, horizon=21, seed=7)
    np.testing.assert_array_equal(closes[:5], simulator().closes(small, n=5, horizon=21, seed=7))
    assert not np.array_equal(closes, simulator().closes(small, n=400, horizon=21, seed=8))
    assert (closes > 0).all()
    fit = simulator().calibrate(small)
    growth = np.log(closes[:, -1] / small.close[-1])
    wanted = fit.moves.mean(axis=0) * 21
    assert (np.abs(growth.mean(axis=0) - wanted) < 4 * growth.std(axis=0) / 400**0.5).all()
    assert simulator(**json.loads(simulator().model_dump_json())) == simulator()


def test_the_documented_strategy_keeps_the_contract(entry: Any, small: Panel) -> None:
    name, family = entry("STRATEGIES")
    strategy = build(name, {"symbol": "KO", "n": 50})
    assert strategy == build(name, json.loads(strategy.model_dump_json()))
    assert certify(strategy.targets, small, cuts=20).passed
    weights = strategy.targets(small)
    assert (weights.iloc[: strategy.warmup - 1] == 0).all().all()
    assert set(weights["KO"].unique()) == {0.0, 1.0}
    assert any(c.isdigit() for c in strategy.explain(small).reasons[0])
    assert all(field.title for field in family.model_fields.values())


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    """Return a session on a store with the few symbols the examples use."""
    session = Session(Settings(home=tmp_path, worlds=20, _env_file=None), store)
    ingest(store, "sample", ["KO", "PEP", "CPILFESL"], universe=session.universe)
    return session


def test_the_documented_page_runs(
    examples: SimpleNamespace, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.testing.v1 import AppTest

    import app.cache

    (source,) = (block for path, block in examples.files.items() if path.startswith("pages/"))
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    monkeypatch.setattr(app.cache, "session", lambda: session)
    monkeypatch.setattr(type(session.universe), "symbols", lambda *_: ("KO", "PEP"))
    (tmp_path / "page.py").write_text(source)
    page = AppTest.from_file(str(tmp_path / "page.py"), default_timeout=60).run()
    assert not page.exception
    assert page.title[0].value == "How far below its high is it?"
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.parametrize("document", [name for name in DOCS if ">>> " in DOCS[name]])
def test_the_examples_print_what_the_document_says(document: str, session: Session) -> None:
    names = {
        "session": session,
        "load_panel": load_panel,
        "pd": pd,
        "np": np,
        "Panel": Panel,
        "Costs": Costs,
        "default_costs": default_costs,
        "run": run,
        "WorldsResult": WorldsResult,
    }
    test = doctest.DocTestParser().get_doctest("\n".join(blocks(document, "pycon")), names, document, None, 0)
    assert len(test.examples) > 3
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test, out=said.append)
    assert not said, "".join(said)


def test_the_readme_examples_run_one_after_the_other(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantlib.workflows.session.open_session", lambda: session)
    names: dict[str, Any] = {}
    for example in blocks("README.md", "python"):
        exec(compile(example, "README.md", "exec"), names)
    assert names["panel"].symbols == ("KO", "PEP")
    assert len(names["worlds"].returns) == 20
    assert len(names["result"].group_trades) > 3


def commands() -> dict[str, set[str]]:
    """Return every command of the command line, such as "db info", with its options."""

    def walk(group: Any, before: str) -> Iterator[tuple[str, set[str]]]:
        for name, command in group.commands.items():
            yield f"{before}{name}", {option for parameter in command.params for option in parameter.opts}
            if hasattr(command, "commands"):
                yield from walk(command, f"{before}{name} ")

    return dict(walk(typer.main.get_command(command_line), ""))


@pytest.mark.parametrize("document", DOCS)
def test_every_command_named_exists(document: str) -> None:
    code = "\n".join([*spans(document), *blocks(document, "text"), *blocks(document, "")])
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^(?:[A-Z_]+=\S+ )?make ([a-z-]+)", code, re.MULTILINE)) <= set(targets)
    known = commands()
    for line in re.findall(r"^workbench ([^#\n]+)", code, re.MULTILINE):
        words = list(itertools.takewhile(lambda word: not word.startswith("-"), shlex.split(line)))
        # A command first, then its arguments, which are no options.
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), line)
        assert name in known, line
        assert len(words) <= len(name.split()) + sum(not option.startswith("-") for option in known[name]), line
        assert set(re.findall(r"--[a-z-]+", line)) <= known[name], line


@pytest.mark.parametrize("document", DOCS)
def test_every_setting_and_file_named_exists(document: str) -> None:
    text, settings = DOCS[document], (ROOT / ".env.example").read_text()
    for name in set(re.findall(r"\b(?:WORKBENCH_\w+|DATABASE_URL|MLFLOW_\w+_URI)\b", text)):
        assert re.search(rf"^#?{name}=", settings, re.MULTILINE), name
    for word in spans(document):
        if re.fullmatch(r"[\w./-]+\.(py|md|yaml|yml|toml|csv|example)", word) and "/" in word:
            assert (ROOT / word).is_file(), word
        elif re.fullmatch(r"[\w/]+/", word) and word != "data/local/":  # made at run time
            assert any((ROOT / base / word).is_dir() for base in (".", "quantlib")), word
        elif re.fullmatch(r"quantlib(\.\w+)+", word):
            importlib.import_module(word)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        base = ROOT if document == "README.md" else ROOT / "docs"
        if not target.startswith("docs/images/"):
            assert (base / target).exists(), target


def test_the_table_of_rooms_lists_every_room() -> None:
    table = re.findall(r"^\| (\d) \| (.*?) \|", DOCS["architecture.md"], re.MULTILINE)
    floors = {room.strip("/"): int(floor) for floor, rooms in table for room in re.findall(r"`([\w./]+)`", rooms)}
    rooms = {path.name for path in (ROOT / "quantlib").iterdir() if not path.name.startswith("__")} - {"py.typed"}
    assert floors.keys() == rooms | {"app", "pages", "research"}
    rules = ast.parse((ROOT / "tests" / "test_architecture.py").read_text())
    (enforced,) = (
        ast.literal_eval(node.value)
        for node in rules.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    )
    for room, floor in floors.items():
        assert max(enforced[room.removesuffix(".py")], 0) == floor, room


def test_the_tables_documented_are_the_tables_there_are(store: Store) -> None:
    with store.begin() as connection:
        made = set(connection.exec_driver_sql(TABLES).scalars())
        schemas = set(connection.exec_driver_sql(SCHEMAS).scalars())
    said, named, schema = set(), set(), ""
    _, _, listed = DOCS["database.md"].partition("## What is in it")
    for first, second in re.findall(r"^\|(.*?)\|(.*?)\|", listed, re.MULTILINE):
        names = re.findall(r"`(\w+)`", first)
        named |= set(names)
        schema = names[0] if names else schema
        said |= {f"{schema}.{table}" for table in re.findall(r"`(\w+)`", second)}
    assert said == made
    assert named == schemas
    for block in blocks("database.md", "sql"):
        with store.begin() as connection:
            connection.exec_driver_sql(block)


def test_the_table_of_vendors_is_the_registry() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", DOCS["data.md"], re.MULTILINE)
    vendors = [one for one in SOURCES.values() if not (one.sample or one.local)]
    assert rows == [
        (one.name, one.title, ", ".join(one.kinds), ", ".join(f"`{key}`" for key in one.keys) or "–",
         "recorded answers" if one.verified else "documentation")
        for one in sorted(vendors, key=lambda one: one.priority)
    ]  # fmt: skip
    for grade, meaning in GRADES.items():
        assert f"- `{grade}`: {meaning}" in DOCS["data.md"]


def test_what_is_said_of_the_servers_is_so() -> None:
    text = DOCS["database.md"]
    assert LINGER_SECONDS <= 10  # "a few seconds"
    assert f"PostgreSQL {MAJOR} comes inside" in text
    assert f"a system user `{SYSTEM_USER}`" in text
    assert f"PostgreSQL {OLDEST} or newer" in text
