"""The Experiments page's second half: trials side by side, by their growth, their parameters and what went in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.address import heed_names
from app.cache import session
from app.experiments_ledger import CHOSEN, Chosen
from app.layout import chart, plain
from quantlib.charts import parameter_paths, trial_curves
from quantlib.errors import QuantError
from quantlib.workflows.trial_contents import differences, growth_of, parameters_of

#: Trials that can be chosen by name, and trials whose curves are set over each other, at most.
OFFERED, DRAWN = 200, 10_000
#: Where the choice is kept that the page made itself.
PROPOSED = "compare-proposed"


def compare(left: pd.DataFrame, everything: pd.DataFrame) -> list[str]:
    """Draw the choice of the trials that are named, and return their labels.

    Until somebody chooses, they are the newest of what was found, one a title.
    """
    known = set(everything["label"])
    curved = left[left["n"].notna()]
    first = curved.drop_duplicates("title")["label"].head(3).tolist()
    now: list[str] | None = st.session_state.get("compare")
    if now == st.session_state.get(PROPOSED) and not (now is None and "compare" in st.query_params):
        now = first
        st.session_state[PROPOSED] = first
    if now is not None:
        st.session_state["compare"] = now = [name for name in now if name in known]
    asked = now if now is not None else [name for name in st.query_params.get_all("compare") if name in known]
    names = list(dict.fromkeys([*asked, *first, *curved["label"].head(OFFERED)]))
    heed_names("trial", "compare", [*names, *known.difference(names)])
    return list(st.multiselect(
        "Trials to compare", names, max_selections=CHOSEN, key="compare", bind="query-params",
        placeholder="Choose trials, or tick them in the table",
    ))  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner=False)
def _curves(
    when: str, by: tuple[Any, ...], names: tuple[str, ...], _left: pd.DataFrame, _everything: pd.DataFrame
) -> go.Figure:
    growth = growth_of(_with(_left.head(DRAWN), list(names), _everything))
    return trial_curves(growth, [name for name in names if name in growth])


@st.cache_resource(max_entries=8, show_spinner=False)
def _paths(when: str, by: tuple[Any, ...], _left: pd.DataFrame) -> go.Figure:
    return parameter_paths(parameters_of(_left), _left)


def curves(when: str, chosen: Chosen, names: list[str], everything: pd.DataFrame) -> None:
    """Draw the growth of all trials that were found, the chosen ones by colour and name."""
    _drawn(lambda: _curves(when, chosen.by, tuple(names), chosen.table, everything), "curves")
    if len(chosen.table) > DRAWN:
        st.caption(f"Of the first {DRAWN:,} trials in the order of the table.")


def parameters(when: str, chosen: Chosen) -> None:
    """Draw the parameters of the trials that were found beside their results."""
    st.caption("Of one idea or one sweep it says most: choose the idea above, or search for the sweep's name.")
    _drawn(lambda: _paths(when, chosen.by, chosen.table), "parameters")


def went_in(names: list[str], everything: pd.DataFrame) -> None:
    """Draw what went into the chosen trials where they differ."""
    rows = everything.set_index("label", drop=False)
    found = rows.loc[[name for name in names if name in rows.index]]
    if len(found) < 2:
        st.info("Choose two trials or more to see what went in otherwise.", icon=":material/compare_arrows:")
        return
    table = differences(session(), found)
    if table.empty:
        st.info("The same went into all of them; only their names differ.", icon=":material/info:")
        return
    height: int | Literal["content"] = "content" if len(table) <= 20 else 740
    wide = {"_index": st.column_config.TextColumn("What", width="medium")}
    st.dataframe(table, height=height, key="differences", column_config=wide)


def _with(left: pd.DataFrame, names: list[str], everything: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were found and those of the chosen trials that a filter leaves out."""
    missing = everything[everything["label"].isin(names) & ~everything["label"].isin(left["label"])]
    return pd.concat([left, missing]) if len(missing) else left


def _drawn(make: Callable[[], go.Figure], key: str) -> None:
    """Draw a chart, or say why there is none."""
    try:
        figure = make()
    except QuantError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    chart(figure, key)
    if note := (figure.layout.meta or {}).get("note"):
        st.caption(plain(note))
