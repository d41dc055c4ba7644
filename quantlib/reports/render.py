"""A report as one HTML file that opens offline and is the same bytes for the same report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from quantlib.charts import numbers
from quantlib.charts.theme import DARK, FONT, LIGHT, MONO, PLOTLY_CONFIG, color_swap, plotly_template, series_color
from quantlib.metrics import METRICS
from quantlib.reports.figures import short_table, untitled, words_of
from quantlib.reports.types import MetricValue, Recommendation, Report
from quantlib.strategies import STRATEGIES

MARKS = {"enter": "→", "exit": "←", "rebalance": "⇄", "hold": "●", "stay out": "○"}
CHECK_MARKS = {"pass": "✓", "weak": "?", "fail": "✗"}
PLACES = ("outlook", "outcomes", "signal", "record", "months", "costs", "delay", "weights")
SUMMARY_METRIC = "sharpe_ratio"
MOST_NAMED = 3  # holdings a line can name


@cache
def environment() -> Environment:
    """Return what renders the templates of this room: our number formats, colours and marks."""
    env = Environment(
        loader=PackageLoader("quantlib.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    written = (
        numbers.percent,
        numbers.signed_percent,
        numbers.bps,
        numbers.count,
        numbers.ratio,
        numbers.interval,
        numbers.span,
        numbers.arrow,
        numbers.number,
    )
    env.filters.update({function.__name__: function for function in written})
    env.globals.update(light=LIGHT, dark=DARK, font=FONT, mono=MONO, marks=MARKS, check_marks=CHECK_MARKS)
    return env


def render_html(report: Report) -> str:
    """Return the report as one self-contained HTML page: nothing is fetched, and equal reports give equal text.

    It follows the reader's light or dark setting, fits a phone and a printed page, says in words and in tables what
    its charts draw, and carries a content policy under which a browser loads nothing from anywhere.

    Parameters
    ----------
    report
        What to say.
    """
    pictures: dict[str, Any] = {}
    sections = [_section(report, rec, i, pictures) for i, rec in enumerate(report.recommendations, start=1)]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            sections=sections,
            scale=_Scale(report.recommendations),
            lede=_lede(report.recommendations),
            summary_metric=METRICS[SUMMARY_METRIC],
            **scripts(pictures),
        )
    )


def scripts(pictures: dict[str, Any]) -> dict[str, Markup]:
    """Return what a template needs for its charts to be drawn: their data, and the library that draws them."""
    data = {
        "figures": pictures,
        "axes": _share_axes(pictures),
        "config": {**PLOTLY_CONFIG, "responsive": True},
        "templates": {"light": plotly_template("light"), "dark": plotly_template("dark")},
        "swap": color_swap(),
    }
    library = Markup(get_plotlyjs())  # noqa: S704 the library's own code, meant to be a script
    return {"data": _json(data), "plotly_js": library}


def placed(name: str, figure: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
    """Return what a template needs of one chart, and leave its drawing in `pictures` under a name."""
    pictures[name] = untitled(figure)
    table, rows = short_table(figure)
    height = pictures[name]["layout"].get("height", 380)
    return {"id": name, **words_of(figure), "height": height, "table": _table(table), "rows": rows}


def _share_axes(pictures: dict[str, Any]) -> list[Any]:
    """Return every distinct x axis of the charts once, having put its place in this list in the traces' stead.

    The lines of a chart mostly stand on the same dates, which take more room than the numbers themselves.
    """
    places: dict[str, int] = {}
    axes: list[Any] = []
    for name, picture in pictures.items():
        traces = []
        for trace in picture["data"]:
            own = dict(trace)
            if isinstance(x := own.get("x"), list):
                own["x"] = places.setdefault(json.dumps(x), len(axes))
                if own["x"] == len(axes):
                    axes.append(x)
            traces.append(own)
        pictures[name] = {**picture, "data": traces}
    return axes


def _json(value: Any) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 every sign that has a meaning in HTML is escaped above


class _Scale:
    """Where a return stands on the axis all outlook bars of the summary share, as percent of its width."""

    def __init__(self, recommendations: Sequence[Recommendation]) -> None:
        ends = [x for rec in recommendations for x in (rec.outcome_low, rec.outcome_high) if x is not None]
        self.low, self.high = min([*ends, -0.005]), max([*ends, 0.005])

    def at(self, value: float) -> str:
        """Return a position such as "41.7"."""
        return f"{(value - self.low) / (self.high - self.low) * 100:.1f}"


def _lede(recommendations: Sequence[Recommendation]) -> str:
    """Return what to do in one line: "3 strategies: 1 to enter, 2 to hold"."""
    if not recommendations:
        return "No strategy has a recommendation for this date."
    tally = Counter(rec.action for rec in recommendations)
    total = len(recommendations)
    return f"{total} {'strategy' if total == 1 else 'strategies'}: " + ", ".join(
        f"{number} to {action}" for action, number in tally.items()
    )


def _section(report: Report, rec: Recommendation, place: int, pictures: dict[str, Any]) -> dict[str, Any]:
    """Return what the template needs for one strategy, and leave its charts in `pictures`."""
    drawn = report.figures.get(rec.strategy_id, {})
    charts: dict[str, dict[str, Any]] = {}
    for key in [*(k for k in PLACES if k in drawn), *(k for k in drawn if k not in PLACES)]:
        charts[key] = placed(f"s{place}-{len(charts) + 1}", drawn[key], pictures)
    tone = series_color(rec.name)
    return {
        "id": f"s{place}",
        "rec": rec,
        "family": STRATEGIES[rec.family].title if rec.family in STRATEGIES else rec.family,
        "tone": tone,
        "tone_dark": color_swap()[tone],
        "charts": {**dict.fromkeys(PLACES), **charts},
        "more": [key for key in charts if key not in PLACES],
        "metrics": [_metric(key, value) for key, value in rec.metrics.items()],
        "summary": rec.metrics.get(SUMMARY_METRIC, MetricValue(value=None)),
        "holding": _holding(rec.weights_now),
    }


def _metric(key: str, metric: MetricValue) -> dict[str, Any]:
    known = METRICS.get(key)
    title, unit = (known.title, known.unit) if known else (key.replace("_", " ").capitalize(), "ratio")
    return {"title": title, "unit": unit, "value": metric}


def _holding(weights: dict[str, float]) -> str:
    """Return the target weights in words: "MTUM 100.0 %", "nothing", or how many and how much where they are many."""
    held = sorted(((s, w) for s, w in weights.items() if abs(w) > 5e-4), key=lambda item: (-abs(item[1]), item[0]))
    if len(held) > MOST_NAMED:
        return f"{len(held)} positions, {numbers.percent(sum(abs(weight) for _, weight in held))} in all"
    return ", ".join(f"{symbol} {numbers.percent(weight)}" for symbol, weight in held) or "nothing"


def _table(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as text, ready to be laid out."""
    index = table.index.map(numbers.ratio) if pd.api.types.is_float_dtype(table.index) else table.index
    columns = [_cells(table.iloc[:, i]) for i in range(table.shape[1])]
    return {"columns": list(table.columns), "rows": list(zip(map(str, index), *columns, strict=True))}


def _cells(column: pd.Series) -> list[str]:
    """Return a column as text, with as many decimals as the size of its numbers asks for."""
    if not pd.api.types.is_numeric_dtype(column):
        return [numbers.UNKNOWN if pd.isna(x) else str(x) for x in column]
    size = float(column.abs().max())
    decimals = 0 if size >= 10_000 else 2 if size >= 1 else 4
    return [numbers.ratio(x, decimals) for x in column]
