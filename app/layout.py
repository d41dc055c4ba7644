"""The parts every page is made of: its question, the strip, charts with a table behind, and designed states."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from quantlib.charts import PLOTLY_CONFIG, alt_text, in_theme, sparkline, table_behind
from quantlib.charts.numbers import UNKNOWN, interval, signed_percent
from quantlib.errors import QuantError
from quantlib.metrics import METRICS

#: Pixels of a key number's tile: five in a row on a laptop, two on a phone.
TILE = 176


def question(text: str, help_text: str = "") -> None:
    """Write the page's question as its first line, and one sentence on how it is answered."""
    st.title(text, anchor=False)
    if help_text:
        st.caption(help_text)


def strip(parts: Mapping[str, str], *, sample: bool) -> None:
    """Write the strip under the question: what the numbers are of; a sample is marked as one."""
    badge = (
        ":orange-badge[:material/science: Sample data] " if sample else ":green-badge[:material/database: Live data] "
    )
    st.markdown(badge + " · ".join(f"**{name}** {value}" for name, value in parts.items()))


def key_number(title: str, line: pd.Series, write: Callable[[float], str], help_text: str, *, colored: bool) -> None:
    """Draw the newest value of a daily line with its change over 21 sessions and the line itself.

    Parameters
    ----------
    line
        A fraction through time, newest last.
    write
        How the value is written.
    colored
        Whether more is better.
    """
    known = line.dropna()
    change = signed_percent(known.iloc[-1] - known.iloc[-22]).replace(" %", " pts") if len(known) > 21 else None
    st.metric(
        title,
        write(known.iloc[-1]) if len(known) else UNKNOWN,
        change,
        help=help_text,
        delta_color="normal" if colored else "off",
        delta_description="a month" if change else None,
        chart_data=sparkline(known),
        border=True,
        width=TILE,
    )


def chart(fig: go.Figure, key: str, *, table: bool = True) -> None:
    """Draw a chart in the reader's theme under its title as text, with its alt text and the table behind it."""
    meta = fig.layout.meta or {}
    if title := meta.get("title"):
        st.markdown(f"**{_plain(title)}**  \n:small[:gray[{_plain(meta.get('subtitle', ''))}]]")
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
            margin, slim = out.layout.margin.t, 40 if out.layout.showlegend else 14
            out.update_layout(title=None, margin_t=slim, height=out.layout.height - margin + slim)
        _SHOWN[key] = out
        weakref.finalize(fig, _SHOWN.pop, key, None)
    return _SHOWN[key]


def _plain(text: str) -> str:
    """Return text in which nothing is read as Markdown."""
    return re.sub(r"([\\`*_\[\]$~:#<>])", r"\\\1", text)


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


def tabs(sections: Mapping[str, Callable[[], None]], key: str = "tab") -> None:
    """Draw sections as tabs of which only the open one is computed; which one it is stands in the address."""
    for tab, draw in zip(st.tabs(list(sections), key=key, bind="query-params"), sections.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def empty(what: str, next_step: str) -> None:
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
