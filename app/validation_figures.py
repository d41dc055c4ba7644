"""The Validation page's figures by question, and the verdict to take along."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from app.lab_draft import plain_name
from app.layout import chart, plain
from quantlib.errors import StrategyError
from quantlib.reports.verdict_page import render_verdict
from quantlib.reports.verdict_types import VerdictCard
from quantlib.strategies import Strategy
from quantlib.workflows.notebook import as_notebook, validation_cells

Figures = dict[str, go.Figure]


def drawn(figures: Figures, card: VerdictCard, names: dict[str, tuple[str, ...]]) -> None:
    """Draw some figures, each under the answers it stands behind; say which could not be made.

    Parameters
    ----------
    names
        Figures by name, with the keys of their checks.
    """
    for name, keys in names.items():
        for check in filter(None, map(card.check, keys)):
            st.markdown(f"*{plain(check.title)}: {check.outcome}.* {plain(check.sentence)}")
        if name in figures:
            chart(figures[name], f"validation-{name}")
        else:
            st.info("The record does not allow this figure: too little of it is known.", icon=":material/info:")


def take_along(card: VerdictCard, strategy: Strategy, made: dict[str, str]) -> None:
    """Draw what the verdict can be taken along as: a page, JSON, and a notebook that makes it again."""
    name = plain_name(card.name)
    file = "".join(sign if sign.isalnum() else "-" for sign in name.lower()).strip("-")
    st.markdown(
        "The page opens offline, with all figures. The notebook makes the verdict again from stored prices: put it "
        "into `research/` and open it with `make notebook`."
    )
    with st.container(horizontal=True):
        st.download_button(
            "Verdict (.html)", lambda: render_verdict(card, made), f"{file}-verdict.html", "text/html",
            on_click="ignore", icon=":material/article:", key="verdict-html",
        )  # fmt: skip
        st.download_button(
            "Verdict (.json)", card.model_dump_json(indent=2), f"{file}-verdict.json", "application/json",
            on_click="ignore", key="verdict-json",
        )  # fmt: skip
        try:
            cells = validation_cells(strategy, name, opened=card.opened)
        except StrategyError as error:  # a class of its own in a file of Python has no document
            st.caption(str(error))
            return
        st.download_button(
            "Open in a notebook (.ipynb)", lambda: as_notebook(cells), f"{file}-verdict.ipynb",
            "application/x-ipynb+json", on_click="ignore", icon=":material/book:", key="verdict-notebook",
        )  # fmt: skip
