"""The frame around every chart: a title that states the finding, an alt text, and the table behind it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.theme import LIGHT, TEMPLATES, fade
from quantlib.errors import DataError

TITLE_WIDTH = 78  # characters a title takes on a line before it wraps
Traces = list[dict[str, Any]]


def days(index: pd.Index) -> Any:
    """Return dates as plotly writes them shortest: whole days where the index holds only midnights."""
    if not isinstance(index, pd.DatetimeIndex):
        return index.to_numpy()
    whole = bool((index == index.normalize()).all())
    return index.to_numpy().astype("datetime64[D]" if whole else "datetime64[s]")


def figure(
    traces: Traces,
    *,
    kind: str,
    title: str,
    subtitle: str = "",
    note: str = "",
    x: str = "",
    y: str = "",
    height: int = 380,
    layout: Mapping[str, Any] | None = None,
    table: pd.DataFrame | None = None,
) -> go.Figure:
    """Return a figure in our look that knows its own alt text.

    Parameters
    ----------
    traces
        Plotly traces as dictionaries; a trace with a name is a column of the table behind the chart.
    kind
        What is drawn, for those who do not see it: "Line chart of …".
    title, subtitle
        The finding, and how it was measured.
    note
        What the drawing leaves out, such as thinned points.
    x, y
        Axis titles with their units.
    height
        Pixels.
    layout
        Anything else, laid over the defaults.
    table
        The table behind the chart where the traces do not say it themselves.
    """
    lines = textwrap.wrap(title.replace(" %", "\u00a0%"), TITLE_WIDTH)  # a number keeps its percent sign
    # Plotly hangs a title by its last line, so every line before it moves the whole down by its height.
    text: dict[str, Any] = {
        "text": "<br>".join(html.escape(line, quote=False) for line in lines),
        "pad": {"t": 6 + 20 * (len(lines) - 1), "l": 2},
    }
    if subtitle:
        text["subtitle"] = {"text": html.escape(subtitle, quote=False)}
    parts = (f"{part.rstrip('.')}." for part in (kind, title, subtitle, note) if part)
    meta: dict[str, Any] = {"alt": " ".join(parts), "title": title, "subtitle": subtitle, "note": note}
    if table is not None:
        meta["table"] = {
            "index": [str(label) for label in table.index],
            "columns": [str(column) for column in table.columns],
            "values": table.astype(object).where(table.notna(), None).to_numpy().tolist(),
        }
    for trace in traces:
        if "name" in trace:
            trace["name"] = html.escape(trace["name"], quote=False)
    legend = 26 if sum(_in_legend(trace) for trace in traces) > 1 else 0
    settings: dict[str, Any] = {
        "template": TEMPLATES["light"],
        "title": text,
        "height": height,
        "margin": {"t": 14 + 21 * len(lines) + (26 if subtitle else 0) + legend},
        "xaxis": {"hoverformat": "%a %Y-%m-%d", **({"title": {"text": x}} if x else {})},
        "yaxis": {"title": {"text": y}},
        "showlegend": bool(legend),
        "meta": meta,
    }
    for key, value in (layout or {}).items():
        base = settings.get(key)
        settings[key] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
    return go.Figure({"data": traces, "layout": settings})


def _in_legend(trace: Mapping[str, Any]) -> bool:
    return "name" in trace and trace.get("showlegend", True) is not False


def line(x: Any, y: Any, name: str, color: str, *, unit: str = "", **more: Any) -> dict[str, Any]:
    """Return one line as a trace; `unit` is the hover's number format, such as ":.1f} %"."""
    style = {"color": color, "width": more.pop("width", 1.6), "dash": more.pop("dash", "solid")}
    style["shape"] = more.pop("shape", "linear")
    hover = {"hovertemplate": f"%{{y{unit}" if unit else "%{y:.4~g}"}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": style, **hover, **more}


def level_marks(levels: Mapping[str, float], color: str) -> dict[str, Any]:
    """Return the layout of dotted horizontal lines with their names at the left end, away from today."""
    shown = {name: float(at) for name, at in levels.items() if np.isfinite(at)}
    return {
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "yref": "y",
                "y0": at,
                "y1": at,
                "line": {"color": fade(color, 0.8), "width": 1, "dash": "dot"},
            }
            for at in shown.values()
        ],
        "annotations": [
            {
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "y",
                "y": at,
                "yanchor": "bottom",
                "text": html.escape(name, quote=False),
                "font": {"size": 11, "color": color},
                "bgcolor": fade(LIGHT.paper, 0.7),
                "showarrow": False,
            }
            for name, at in shown.items()
        ],
    }


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Return the layout of a logarithmic axis whose ticks are round numbers all of one size."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = [float(f"{step * 10.0**decade:.6g}") for decade in decades for step in steps]
        if sum(low <= tick <= high for tick in ticks) >= 3:
            break
    else:  # so narrow that it is nearly linear
        third = max(high - low, 1e-6 * high) / 3
        size = 10.0 ** np.floor(np.log10(third))
        step = size * next(times for times in (5, 2, 1) if times * size <= third)
        ticks = [float(f"{tick:.6g}") for tick in step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)]
    return {"type": "log", "tickvals": ticks, "tickformat": ",~g"}


def alt_text(fig: go.Figure) -> str:
    """Return what the chart shows in words, for `st.plotly_chart(alt=…)` and screen readers."""
    return str((fig.layout.meta or {}).get("alt", ""))


def table_behind(fig: go.Figure) -> pd.DataFrame:
    """Return the numbers a chart draws as a table: one column a named trace, one row an x value.

    Candles give their four prices, a heat map its grid. In a stack of panes each column also says its axis.

    Raises
    ------
    DataError
        Nothing in the figure has a name, so there is no table to make.
    """
    given = (fig.layout.meta or {}).get("table")
    if given:
        return pd.DataFrame(given["values"], index=pd.Index(given["index"]), columns=given["columns"])
    panes = {trace.yaxis or "y" for trace in fig.data if hasattr(trace, "yaxis")}
    columns: list[pd.Series] = []
    for trace in fig.data:
        if not trace.name:
            continue
        name = html.unescape(trace.name)
        if len(panes) > 1:
            pane = fig.layout[f"yaxis{(trace.yaxis or 'y')[1:]}"]
            name = f"{name}, {html.unescape(pane.title.text or '')}"
        index = pd.Index(np.asarray(trace.x))
        if trace.type == "heatmap":
            grid = np.asarray(trace.z).T
            columns += [pd.Series(grid[:, i], index=index, name=str(row)) for i, row in enumerate(np.asarray(trace.y))]
        elif trace.type == "candlestick":
            columns += [
                pd.Series(np.asarray(trace[field]), index=index, name=f"{name} {field}")
                for field in ("open", "high", "low", "close")
            ]
        else:
            columns.append(pd.Series(np.asarray(trace.y), index=index, name=name))
    if not columns:
        raise DataError("This figure has no named trace, so there is no table behind it.")
    # A marker trace may hold several events on one day: the last of them stands for the day.
    return pd.concat([c[~c.index.duplicated(keep="last")] for c in columns], axis=1, sort=True)


def stack(figures: Sequence[go.Figure], heights: Sequence[int] | None = None) -> go.Figure:
    """Return figures one above the other on one shared x axis; the first gives the title.

    Parameters
    ----------
    figures
        Figures of this room with one pane each, all over the same kind of x.
    heights
        Pixels of each pane; the figures' own heights where not given.
    """
    if len(figures) == 1:
        return figures[0]
    tall = list(heights or [fig.layout.height for fig in figures])
    gap = 38 / sum(tall)
    room = 1 - gap * (len(tall) - 1)
    data: list[Any] = []
    first = figures[0].layout
    layout: dict[str, Any] = {
        "template": TEMPLATES["light"],
        "title": first.title.to_plotly_json(),
        "margin": first.margin.to_plotly_json(),
        "showlegend": first.showlegend,
        "height": sum(tall) + 38 * (len(tall) - 1),
        "shapes": [],
        "annotations": [],
    }
    top = 1.0
    for i, (fig, pixels) in enumerate(zip(figures, tall, strict=True), start=1):
        mark = "" if i == 1 else str(i)
        bottom = max(top - room * pixels / sum(tall), 0.0)
        axis = {**fig.layout.yaxis.to_plotly_json(), "domain": [bottom, top], "anchor": "x"}
        layout[f"yaxis{mark}"] = axis
        for trace in fig.data:
            data.append({**trace.to_plotly_json(), "xaxis": "x", "yaxis": f"y{mark}"})
            if i > 1:
                data[-1]["showlegend"] = False
        for kind in ("shapes", "annotations"):
            for item in fig.layout[kind]:
                moved = item.to_plotly_json()
                moved["yref"] = str(moved.get("yref", "y")).replace("y", f"y{mark}", 1)
                layout[kind].append(moved)
        if i > 1:
            layout["annotations"].append(
                {
                    "text": fig.layout.title.text.split(";")[0],  # the pane has room for its first clause
                    "xref": "paper",
                    "yref": "paper",
                    "x": 0,
                    "y": top,
                    "xanchor": "left",
                    "yanchor": "bottom",
                    "yshift": 4,
                    "showarrow": False,
                    "font": {"size": 13},
                }
            )
        top = bottom - gap
    layout["xaxis"] = {**first.xaxis.to_plotly_json(), "anchor": f"y{len(tall)}"}
    metas = [dict(fig.layout.meta or {}) for fig in figures]
    layout["meta"] = {
        **metas[0],
        "alt": " Below it: ".join(meta.get("alt", "") for meta in metas),
        "note": " ".join(dict.fromkeys(meta["note"] for meta in metas if meta.get("note"))),
    }
    return go.Figure({"data": data, "layout": layout})
