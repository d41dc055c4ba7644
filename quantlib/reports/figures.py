"""Charts as a report keeps them: plain JSON that is the same bytes for the same numbers."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import table_behind

DIGITS = 8  # significant digits of a drawn number: below what a screen shows, above what differs by machine
MOST_ROWS = 40
PERIODS = {"week": "W", "month": "M", "quarter": "Q", "year": "Y"}


def frozen_figure(figure: go.Figure | dict[str, Any]) -> dict[str, Any]:
    """Return a figure as plain JSON without its template: rounded numbers, dates as text, null where unknown.

    A dictionary is taken to be one already and comes back as it is.
    """
    if not isinstance(figure, go.Figure):
        return figure
    layout = figure.layout.to_plotly_json()
    layout.pop("template", None)
    return {"data": [_plain(trace.to_plotly_json()) for trace in figure.data], "layout": _plain(layout)}


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, np.ndarray):
        if node.dtype.kind == "M":
            return np.datetime_as_string(node).tolist()
        return [_plain(item) for item in node.tolist()]
    if isinstance(node, list | tuple):
        return [_plain(item) for item in node]
    if isinstance(node, np.datetime64):
        return str(node)
    if isinstance(node, date):
        return node.isoformat()
    if isinstance(node, np.generic):
        return _plain(node.item())
    if isinstance(node, float):
        return float(f"{node:.{DIGITS}g}") if np.isfinite(node) else None
    return node


def words_of(figure: dict[str, Any]) -> dict[str, str]:
    """Return a figure's title, subtitle, alt text and note; empty where it has none."""
    meta = figure.get("layout", {}).get("meta") or {}
    return {key: str(meta.get(key) or "") for key in ("title", "subtitle", "alt", "note")}


def untitled(figure: dict[str, Any]) -> dict[str, Any]:
    """Return a figure for a page that writes the title itself, where it can wrap: the title's room is cut off."""
    layout = {key: value for key, value in figure["layout"].items() if key not in {"title", "meta"}}
    head = 30 if layout.get("showlegend") else 10
    margin = dict(layout.get("margin") or {})
    if "height" in layout:
        layout["height"] = layout["height"] - margin.get("t", head) + head
    layout["margin"] = {**margin, "t": head}
    return {"data": figure["data"], "layout": layout}


def short_table(figure: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """Return the table behind a figure in at most 40 rows, and in words which rows those are.

    Dates are thinned to the last one of each week, month, quarter or year; anything else to equal steps.
    """
    table = table_behind(go.Figure(figure))
    if len(table) <= MOST_ROWS:
        return table, ""
    index = pd.to_datetime(pd.Series(table.index), errors="coerce", format="ISO8601")
    if index.isna().any():
        step = -(-len(table) // MOST_ROWS)
        return table.iloc[::step], f"Every {step}th of {len(table):,} rows."
    dates = pd.DatetimeIndex(index)
    word = next((w for w, p in PERIODS.items() if dates.to_period(p).nunique() <= MOST_ROWS), "year")
    return table.groupby(dates.to_period(PERIODS[word])).tail(1), f"The last drawn value of each {word}."
