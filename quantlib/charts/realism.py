"""Charts of the realism card: history among a simulator's worlds, measure by measure, and simulators side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, figure, line, stack
from quantlib.charts.numbers import Unit, count, interval
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

EDGE = 3.0
"""Distance from the worlds' median, in half intervals, at which history is drawn at the edge."""
GRADES = "ABCDEF"


def realism_intervals(measures: pd.DataFrame, *, simulator: str, symbol: str, grade: str = "") -> go.Figure:
    """Return each measure's value in history as a dot against the interval of the simulated worlds.

    All intervals are drawn equally long, so that measures of any unit stand on one axis; the numbers are beside them.

    Parameters
    ----------
    measures
        One row a measure. Columns: title, unit, history, low, median, high, passed (NA where not measured), and
        distance of history from the median, -1 and 1 at the ends of the interval.
    simulator
        The simulator's title.
    symbol
        Whose measures these are; "" for those of all symbols together.
    grade
        The grade they add up to.
    """
    if measures.empty:
        raise DataError("The realism card has no measures to draw. Choose a symbol of the card.")
    known = measures["passed"].notna()
    failed = known & ~measures["passed"].fillna(value=True)
    whose = symbol or "the symbols together"
    finding = f"{simulator} passes all {count(known.sum())} measures of {whose}"
    if failed.any():
        worst = str(measures["title"].iloc[int(measures["distance"].abs().where(failed, -1.0).argmax())])
        worst = worst[0].lower() + worst[1:]
        finding = f"{simulator} fails {failed.sum()} of {known.sum()} measures of {whose}, {worst} most clearly"
    names = measures["title"].astype(str)
    kinds = {
        "History, inside": (known & ~failed, LIGHT.gain, "circle"),
        "History, outside": (failed, LIGHT.loss, "diamond"),
    }
    traces: Traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": measures.loc[rows, "distance"].clip(-EDGE, EDGE).to_numpy(dtype=np.float64),
            "y": names[rows].to_numpy(),
            "name": name,
            "marker": {"symbol": _marks(measures.loc[rows, "distance"], mark), "size": 11, "color": color},
            "customdata": [_numbers(row) for _, row in measures[rows].iterrows()],
            "hovertemplate": "%{y}: %{customdata}<extra></extra>",
        }
        for name, (rows, color, mark) in kinds.items()
        if rows.any()
    ]
    return figure(
        traces,
        kind="Dots of history against intervals of simulated worlds",
        title=finding + (f": grade {grade}" if grade else ""),
        subtitle="Grey: where 99 % of the worlds lie by all measures at once; above each: history (worlds)",
        note=f"Triangles lie more than {EDGE:g} half intervals from the worlds' median.",
        x="Distance from the worlds' median (half intervals)",
        height=130 + 38 * len(measures),
        layout={
            "hovermode": "closest",
            "xaxis": {"range": [-EDGE - 0.2, EDGE + 0.2], "zeroline": True, "hoverformat": ".2f"},
            "yaxis": {
                "type": "category",
                "categoryorder": "array",
                "categoryarray": names[::-1].tolist(),
                "range": [-0.5, len(names) - 0.1],
                "showticklabels": False,
                "showgrid": False,
            },
            "shapes": [_band()],
            # Above its dot, as beside it a phone would have no room left for the dots.
            "annotations": [note for _, row in measures.iterrows() for note in _above(row)],
        },
        table=measures.drop(columns="unit").set_index("title"),
    )


def _marks(distance: pd.Series, inside: str) -> list[str]:
    """Return a marker for each distance: a triangle that points outwards where it is beyond the edge."""
    marks = np.select([distance > EDGE, distance < -EDGE], ["triangle-right", "triangle-left"], inside)
    return [str(mark) for mark in marks]


def _numbers(row: pd.Series) -> str:
    unit: Unit = row["unit"]
    return interval(row["history"], row["low"], row["high"], unit)


def _above(row: pd.Series) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a measure's title and its numbers as the two ends of a line above its dot."""
    line_above = {"xref": "paper", "y": str(row["title"]), "yref": "y", "yanchor": "bottom", "yshift": 5}
    color = LIGHT.loss if row["passed"] is False else LIGHT.muted
    ends = (0, "left", str(row["title"]), LIGHT.ink), (1, "right", _numbers(row), color)
    title, numbers = (
        {**line_above, "x": x, "xanchor": side, "text": text, "font": {"size": 10, "color": shade}, "showarrow": False}
        for x, side, text, shade in ends
    )
    return title, numbers


def _band() -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "x0": -1,
        "x1": 1,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": fade(LIGHT.ink, 0.1),
        "line": {"width": 0},
        "layer": "below",
    }


def acf_comparison(acf: pd.DataFrame, *, simulator: str, symbol: str) -> go.Figure:
    """Return history's autocorrelations against the band of the simulated worlds: absolute returns, then returns.

    Parameters
    ----------
    acf
        Index: series ("absolute returns" and "returns") and lag in sessions. Columns: history, low, median, high.
    simulator
        The simulator's title.
    symbol
        Whose they are.
    """
    panes: list[go.Figure] = []
    for series in ("absolute returns", "returns"):
        if series not in acf.index.get_level_values(0):
            raise DataError(f"There are no autocorrelations of {series} to draw. Take them from a realism card.")
        part = acf.loc[series]
        lags = part.index.to_numpy()
        above, below = (part["history"] > part["high"]).sum(), (part["history"] < part["low"]).sum()
        where = f"at {above + below} of {len(part)} lags"
        finding = f"{series.capitalize()} of {symbol}: history lies within the worlds at every lag"
        if above + below:
            side = "above" if not below else "below" if not above else "outside"
            finding = f"{series.capitalize()} of {symbol}: history lies {side} the worlds {where}"
        edge: dict[str, Any] = {"width": 0.0, "showlegend": False}
        traces: Traces = [
            line(lags, part["low"].to_numpy(), "0.5 % of worlds below", LIGHT.accent, **edge),
            line(
                lags,
                part["high"].to_numpy(),
                "99.5 % below",
                LIGHT.accent,
                fill="tonexty",
                fillcolor=fade(LIGHT.accent, 0.2),
                **edge,
            ),
            line(lags, part["median"].to_numpy(), "Median world", LIGHT.accent),
            line(
                lags,
                part["history"].to_numpy(),
                "History",
                LIGHT.ink,
                mode="lines+markers",
                marker={"size": 8, "symbol": "circle", "color": LIGHT.ink},
            ),
        ]
        panes.append(
            figure(
                traces,
                kind=f"Line chart of the autocorrelation of {series}",
                title=finding,
                subtitle=f"{simulator}; band: 99 % of its worlds at each lag alone" if not panes else "",
                x="Lag (sessions)",
                y=f"Correlation, {series}",
                height=260,
                layout={
                    "xaxis": {
                        "type": "log",
                        "tickvals": lags.tolist(),
                        "ticktext": [str(lag) for lag in lags],
                        "hoverformat": "d",
                    }
                },
            )
        )
    return stack(panes)


def realism_heatmap(grades: pd.DataFrame) -> go.Figure:
    """Return the grades of several simulators on several symbols as a map, the most real simulator first.

    Parameters
    ----------
    grades
        Letters A to F [simulator x symbol], missing where a simulator could not be judged; a last column "overall"
        where there is one.
    """
    if not grades.isin(list(GRADES)).to_numpy().any():
        raise DataError(f"There is no grade to draw. Accepted are the letters {GRADES[0]} to {GRADES[-1]}.")
    marks = grades.apply(lambda column: column.map({letter: i for i, letter in enumerate(GRADES)})).astype(float)
    alone = marks.columns.equals(pd.Index(["overall"]))
    judged = (marks if alone else marks.drop(columns="overall", errors="ignore")).dropna(how="all")
    average = judged.mean(axis=1).sort_values(kind="stable")
    judged = judged.loc[average.index]
    alike = int((average == average.iloc[0]).sum()) - 1
    shown = grades.loc[[*judged.index, *marks.index.difference(judged.index, sort=False)]]
    first, last = judged.index[0], judged.index[-1]
    who = f"{first} comes" if not alike else f"{first} and {alike} more come"
    finding = f"{who} closest to history, {_earned(judged.loc[first])}"
    if average.iloc[-1] > average.iloc[0]:
        finding += f"; {last} stays furthest away, {_earned(judged.loc[last])}"
    steps = len(GRADES)
    scale = [fade(LIGHT.gain, 0.75), fade(LIGHT.gain, 0.4), fade(LIGHT.gain, 0.15)]
    scale += [fade(LIGHT.loss, 0.15), fade(LIGHT.loss, 0.4), fade(LIGHT.loss, 0.75)]
    text = shown.fillna("").astype(str).to_numpy()
    traces: Traces = [
        {
            "type": "heatmap",
            "x": [str(column) for column in shown.columns],
            "y": [str(name) for name in shown.index],
            "z": marks.loc[shown.index].to_numpy(),
            "zmin": -0.5,
            "zmax": steps - 0.5,
            "xgap": 1,
            "ygap": 1,
            "colorscale": [[(i + side) / steps, color] for i, color in enumerate(scale) for side in (0, 1)],
            "text": text,
            "texttemplate": "%{text}",
            "showscale": False,
            "hovertemplate": "%{y} on %{x}: grade %{text}<extra></extra>",
        }
    ]
    return figure(
        traces,
        kind="Heat map of realism grades",
        title=finding,
        subtitle="A: no measure tells it from history; one letter down for each facet that fails; blank: not judged",
        height=140 + 28 * len(shown),
        layout={
            "hovermode": "closest",
            "xaxis": {"type": "category", "showgrid": False, "showline": False, "hoverformat": ""},
            "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "dtick": 1},
        },
        table=shown,
    )


def _earned(marks: pd.Series) -> str:
    """Return the grades of one simulator in words: the usual one, and how far apart they are."""
    known = marks.dropna()
    middle, best, worst = (GRADES[int(m)] for m in (np.ceil(known.median()), known.min(), known.max()))
    return f"grade {middle}" if best == worst else f"mostly {middle} ({best} to {worst})"
