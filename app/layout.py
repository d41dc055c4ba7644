"""The parts every page is made of: its question, the strip, charts with a table behind, and designed states."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from quantlib.charts import PLOTLY_CONFIG, alt_text, in_theme, table_behind
from quantlib.charts.numbers import UNKNOWN, interval, known, number, signed_percent, span
from quantlib.errors import QuantError
from quantlib.grades import Grade
from quantlib.metrics import METRICS
from quantlib.reports.types import Check as ReportedCheck
from quantlib.validation import Check

#: Pixels of a key number's tile: five in a row on a laptop, two on a phone.
TILE = 171
#: Colours of the grades that are marked.
GRADE_COLORS: dict[Grade, str] = {
    "late": "gray",
    "filled": "gray",
    "repaired": "gray",
    "disagree": "orange",
    "suspect": "red",
}


def question(text: str, help_text: str = "") -> None:
    """Write the page's question as its first line, and one sentence on how it is answered."""
    st.title(text, anchor=False)
    if help_text:
        st.caption(help_text)


def strip(parts: Mapping[str, str], *, sample: bool, grade: Grade = "ok") -> None:
    """Write the strip under the question: what the numbers are of; a sample, and prices in doubt, are marked."""
    badge = (
        ":orange-badge[:material/science: Sample data] " if sample else ":green-badge[:material/database: Live data] "
    )
    if grade != "ok":
        badge += f":{GRADE_COLORS[grade]}-badge[:material/flag: Graded {grade}] "
    st.markdown(badge + " · ".join(f"**{name}** {value}" for name, value in parts.items()))


def stamped(hindsight: str) -> None:
    """Write why the choice of symbols looks into the future, under a mark; nothing where it does not."""
    if hindsight:
        st.markdown(f":orange-badge[:material/history: Selection-biased] :small[{plain(hindsight)}]")


def verdict(outcome: str, sentence: str, hindsight: str = "") -> None:
    """Write what the checks made of a record, and below it what no check can see: a choice made with hindsight."""
    st.subheader(f"{OUTCOMES[outcome]} {sentence}", anchor=False)
    stamped(hindsight)


def tile(
    title: str,
    value: str,
    change: float | None = None,
    *,
    over: str = "",
    better: int = 1,
    line: Sequence[float] | None = None,
    help_text: str | None = None,
) -> None:
    """Draw one key number with its change in percentage points and a small line.

    Parameters
    ----------
    change, over
        A difference of fractions, and what it is over or against; nothing is drawn where it is unknown.
    better
        Which direction is a gain: 1 upwards, -1 downwards, 0 neither.
    """
    points = None if known(change) is None else signed_percent(change).replace(" %", " pts")
    st.metric(
        title,
        value,
        points,
        delta_color="normal" if better > 0 else "inverse" if better else "off",
        delta_description=over if points else None,
        help=help_text,
        chart_data=line,
        border=True,
        width=TILE,
    )


@contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with (done, in all), which draws how far the work is, gone when the work is done."""
    bar = st.progress(0.0, f"{what}…")

    def tell(done: int, total: int) -> None:
        bar.progress(done / total, f"{what}: {unit} {done:,} of {total:,}")

    yield tell
    bar.empty()


def chart(fig: go.Figure, key: str, *, table: bool = True) -> None:
    """Draw a chart in the reader's theme under its title as text, with its alt text and the table behind it."""
    meta = fig.layout.meta or {}
    if title := meta.get("title"):
        st.markdown(f"**{plain(title)}**  \n:small[:gray[{plain(meta.get('subtitle', ''))}]]")
    mode = st.context.theme.type
    shown = _shown(fig, mode if mode in {"light", "dark"} else "light")
    st.plotly_chart(shown, theme=None, config=PLOTLY_CONFIG, key=key, alt=alt_text(fig))
    if table and st.toggle("Show the numbers", key=f"{key}-numbers", value=False):
        st.dataframe(table_behind(fig), key=f"{key}-table")


#: Figures as they are shown, by the identity of the figure they come from, for as long as that lives.
_SHOWN: dict[tuple[int, str], go.Figure] = {}


def _shown(fig: go.Figure, mode: str) -> go.Figure:
    """Return a figure in a mode's colours and without its title: text in a drawing does not wrap on a narrow page."""
    key = (id(fig), mode)
    if key not in _SHOWN:
        out = go.Figure(in_theme(fig, mode))
        if (fig.layout.meta or {}).get("title"):
            above = any(
                str(note.yref).endswith(("paper", "domain")) and (note.y or 0) >= 1 for note in out.layout.annotations
            )
            margin, slim = out.layout.margin.t, 40 if out.layout.showlegend or above else 14
            out.update_layout(title=None, margin_t=slim, height=out.layout.height - margin + slim)
        _SHOWN[key] = out
        weakref.finalize(fig, _SHOWN.pop, key, None)
    return _SHOWN[key]


def plain(text: str) -> str:
    """Return text in which nothing is read as Markdown."""
    return re.sub(r"([\\`*_\[\]$~:#<>|])", r"\\\1", text)


#: Number formats of `table`; a fraction is written as percent.
SIGNED, PERCENT, AMOUNT = "%+.1f %%", "%.1f %%", "%,.2f"


def table(frame: pd.DataFrame, columns: Mapping[str, Any], key: str, **more: Any) -> None:
    """Draw a frame's columns in the order given; what is unknown is a dash.

    Parameters
    ----------
    columns
        By name: a title, a title with a number format, or a column configuration.
    more
        Further arguments of `st.dataframe`.
    """
    formats = {name: column for name, column in columns.items() if isinstance(column, tuple)}
    numbers = {name: st.column_config.NumberColumn(title, format=form) for name, (title, form) in formats.items()}
    # Rounded here as text is: a browser rounds halves another way, and the same number must read the same.
    shares = [name for name, (_, form) in formats.items() if form.endswith("%%")]
    shown = frame.assign(**{name: (frame[name] * 100).round(1) + 0.0 for name in shares})
    for name in shown.select_dtypes("datetimetz"):  # a browser would write them in its own zone
        shown[name] = shown[name].dt.tz_convert(None)
    order = [name for name in columns if name in frame]
    config = {**columns, **numbers}
    st.dataframe(shown, column_order=order, column_config=config, placeholder=UNKNOWN, key=key, **more)


def metrics_table(
    metrics: Mapping[str, tuple[float | None, float | None, float | None, int]], key: str = "metrics"
) -> None:
    """Draw metrics by key (value, low and high end of the 95 % interval, number of returns) with their formulas."""
    rows = [
        (METRICS[name].title, interval(value, low, high, METRICS[name].unit), f"{n:,}", METRICS[name].formula)
        for name, (value, low, high, n) in metrics.items()
    ]
    columns = ["Metric", "Value (95 % interval)", "Sessions", "Formula"]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, key=key)


def key_metrics(
    metrics: Mapping[str, tuple[float | None, float | None, float | None, int]], keys: Iterable[str]
) -> None:
    """Draw some of the metrics that `metrics_table` takes as key numbers, each over its 95 % interval."""
    with st.container(horizontal=True):
        for (value, low, high, _), metric in ((metrics[key], METRICS[key]) for key in keys):
            st.metric(
                metric.title.partition(" (")[0],
                number(value, metric.unit),
                "no interval" if known(low) is None else span(low, high, metric.unit),
                delta_color="off",
                delta_arrow="off",
                help=f"{metric.title}: {metric.formula}",
                border=True,
            )
    st.caption("In grey: the 95 % interval. It tells how far chance in this history goes, not how the future differs.")


#: The mark of a check's outcome, as an icon beside the words.
OUTCOMES = {"pass": ":material/check_circle:", "weak": ":material/help:", "fail": ":material/cancel:"}


def checks(asked: Iterable[Check | ReportedCheck]) -> None:
    """Write checks as a list: title, outcome and sentence of each, and what would change it where that is known."""
    lines = []
    for one in asked:
        line = f"{OUTCOMES[one.outcome]} **{plain(one.title)}: {one.outcome}.** {plain(one.sentence)}"
        lines.append(f"{line}  \n:small[:gray[What would change it: {plain(one.change)}]]" if one.change else line)
    st.markdown("\n\n".join(lines))


def tabs(sections: Mapping[str, Callable[[], None]], key: str = "tab") -> None:
    """Draw sections as tabs of which only the open one is computed; which one it is stands in the address."""
    for tab, draw in zip(st.tabs(list(sections), key=key, bind="query-params"), sections.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def empty(what: str, next_step: str) -> NoReturn:
    """Write the empty state: what is not there yet, and what to do first; the page ends here."""
    st.info(f"**{what}**\n\n{next_step}", icon=":material/inbox:")
    st.stop()


def failed(error: QuantError) -> None:
    """Write the failed state: what failed, and that the rest still works."""
    st.error(f"**This did not work.** {error}", icon=":material/error:")
    st.caption("The other pages still work; choose one on the left, or mend the cause and reload.")
    if st.button("Try again", icon=":material/refresh:"):
        st.rerun()


def provenance(parts: Mapping[str, str]) -> None:
    """Write the foot of the page: what the numbers were made from."""
    st.divider()
    st.caption(" · ".join(f"{name} `{value}`" for name, value in parts.items() if value))
