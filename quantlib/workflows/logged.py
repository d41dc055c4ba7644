"""A run as it is logged: what goes in, and the files it becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import PLOTLY_CONFIG
from quantlib.strategies import Strategy
from quantlib.types import Panel

MOST_SYMBOLS = 12
"""Symbols that a data set is named after; of more it is told how many."""


@dataclass(frozen=True)
class Child:
    """A run below another one, without files of its own: one set of a sweep.

    Parameters
    ----------
    name, params, metrics, tags
        As in `Logged`.
    """

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Logged:
    """One run as it is logged.

    Parameters
    ----------
    name
        What it is called in the list of runs.
    kind
        "backtest", "simulation", "sweep", "search", "validation" or "model".
    idea
        What it is a trial of; empty where it is of none.
    params, metrics, tags
        What went in, the numbers that came out (unknown ones are left out), and labels.
    texts, frames
        Artifacts by file name: text as it is, frames as CSV, or as Parquet where the name ends so.
    tables
        Frames by name that the MLflow UI lays side by side for several runs.
    figures
        Charts by name: pages that ask a browser to draw them.
    data
        The panel it was made from: logged as a data set under its snapshot id, without its prices.
    strategy
        Logged as a model from code.
    model, model_asked, model_input, model_requirements
        A fitted scikit-learn model, the method that answers, a few rows it accepts, and the packages it needs.
    children
        Runs below this one.
    """

    name: str
    kind: str
    idea: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, go.Figure] = field(default_factory=dict)
    data: Panel | None = None
    strategy: Strategy | None = None
    model: Any = None
    model_asked: str = "predict_proba"
    model_input: pd.DataFrame | None = None
    model_requirements: tuple[str, ...] = ()
    children: Sequence[Child] = ()


def write_files(logged: Logged, folder: Path) -> list[dict[str, str]]:
    """Write what is to be kept as files, and return which of them MLflow is to show as tables."""
    for file, text in logged.texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, frame in logged.frames.items():
        if file.endswith(".parquet"):
            frame.to_parquet(folder / file)
        else:
            frame.to_csv(folder / file, lineterminator="\n")
    for name, frame in logged.tables.items():
        shown = frame.reset_index()
        rows = {"columns": [str(column) for column in shown.columns]}
        body = json.loads(shown.to_json(orient="split", index=False, date_format="iso"))
        (folder / f"{name}.json").write_text(json.dumps(rows | {"data": body["data"]}), encoding="utf-8")
    for name, figure in logged.figures.items():
        # Drawn by plotly's library from where its makers publish it: within each page it would be 5 MB a run.
        figure.write_html(folder / f"{name}.html", config=PLOTLY_CONFIG, include_plotlyjs="cdn")
    return [{"path": f"{name}.json", "type": "table"} for name in logged.tables]


def dataset_of(panel: Panel, context: str) -> Any:
    """Return a panel as an input that MLflow lists: its snapshot id, symbols, span and source, not its prices."""
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415  takes seconds

    n = len(panel.symbols)
    about = {"source": panel.source, "symbols": ",".join(panel.symbols)}
    profile = {"sessions": len(panel), "symbols": n, "first": f"{panel.index[0]:%Y-%m-%d}"}
    profile |= {"last": f"{panel.index[-1]:%Y-%m-%d}", "grade": panel.grade}
    known = [name for name in ("open", "high", "low", "close", "volume") if panel.frame(name).notna().any(axis=None)]
    columns = [{"name": name, "type": "double", "required": False} for name in (*known, *panel.extra)]
    dataset = Dataset(
        name=", ".join(panel.symbols) if n <= MOST_SYMBOLS else f"{n} symbols of {panel.source}",
        digest=panel.snapshot_id,
        source_type="code",
        source=json.dumps({"tags": about}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
