"""Versions: keep a definition under a name, see what changed from one to the next, and compare two of them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.cache import keep, new_run, session
from app.lab_draft import Draft
from app.lab_views import wrong
from app.layout import chart, plain, table
from quantlib.charts import compare_runs
from quantlib.charts.numbers import interval
from quantlib.costs import Costs
from quantlib.errors import QuantError
from quantlib.metrics import METRICS
from quantlib.strategies import LIBRARY, Strategy, build
from quantlib.strategies.difference import diff
from quantlib.types import DateLike
from quantlib.workflows.definitions import definition_versions, known_definitions, save_definition, version_changes
from quantlib.workflows.lab import try_strategy

VERSIONS = {
    "version": ("Version", "%d"),
    "saved_at": st.column_config.DatetimeColumn("Saved (UTC)", format="YYYY-MM-DD HH:mm"),
    "note": st.column_config.TextColumn("Note", width="medium"),
    "changes": st.column_config.TextColumn("Changed from the one before", width="large"),
    "id": "Definition",
}


def versions(draft: Draft, saved: frozenset[str], paid: Costs | None, start: DateLike | None) -> None:
    """Draw the form to keep the draft under a name, and the versions of a name."""
    _save(draft)
    if not saved:
        st.caption("Nothing is kept under a name yet.")
        return
    names = sorted(saved)
    at = names.index(draft.name) if draft.name in saved else 0
    name = st.selectbox("Versions of", names, index=at, key="versions-of")
    kept = definition_versions(session(), name)
    rows = [(one.version, one.saved_at, one.note, one.strategy_id) for one in kept]
    shown = pd.DataFrame(rows, columns=["version", "saved_at", "note", "id"]).assign(changes=version_changes(kept))
    table(shown[::-1], VERSIONS, "versions", hide_index=True)
    numbers = [one.version for one in kept][::-1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        old = st.selectbox(
            "Compare version", numbers, index=min(1, len(numbers) - 1), key=f"version-a-{name}-{len(kept)}", width=160
        )
        new = st.selectbox("with version", numbers, key=f"version-b-{name}-{len(kept)}", width=160)
        asked = st.button("Compare", icon=":material/compare_arrows:", disabled=old == new, key="compare",
                          help="Runs both where they have not been run, which counts as tries.")  # fmt: skip
        if st.button(f"Open version {new}", icon=":material/edit:", key="open-version"):
            record = next(one for one in kept if one.version == new)
            try:
                draft.become(build(record.family, record.params))
            except QuantError as error:  # its family no longer accepts it
                wrong(str(error), f"Version {new} cannot be opened.")
            else:
                st.rerun()
    if asked:
        st.session_state["compared"] = (name, old, new)
    if st.session_state.get("compared") == (name, old, new):
        try:
            both = {one.version: build(one.family, one.params) for one in kept if one.version in {old, new}}
        except QuantError as error:
            wrong(str(error), "These versions cannot be compared.")
        else:
            _compare(name, both, old, new, paid, start)


def _save(draft: Draft) -> None:
    if said := st.session_state.pop("saved", ""):
        st.success(said, icon=":material/bookmark_added:")
    with st.form("save", border=True), st.container(horizontal=True, vertical_alignment="bottom"):
        suggested = "" if draft.name in LIBRARY else draft.name
        name = st.text_input("Name", suggested, key=f"save-name-{draft.name}", placeholder="My pair")
        note = st.text_input("Note", key="save-note", placeholder="What was changed, and why")
        sent = st.form_submit_button("Save", icon=":material/bookmark:", disabled=draft.strategy is None)
    if not sent or draft.strategy is None:
        return
    try:
        about = draft.told
        if about is None and draft.strategy.symbols == draft.base.symbols:  # the same idea with other numbers
            about = keep(known_definitions).get(draft.name)
        kept = save_definition(
            session(), name, draft.strategy, note or None,
            why=about.why or None if about else None, reference=about.reference or None if about else None,
        )  # fmt: skip
    except QuantError as error:
        st.error(str(error), icon=":material/error:")
        return
    new_run()
    st.session_state["saved"] = f"Saved as **{kept.name}**, version {kept.version}."
    st.session_state["ran"] = kept.name
    st.rerun()


def _compare(
    name: str, kept: dict[int, Strategy], old: int, new: int, paid: Costs | None, start: DateLike | None
) -> None:
    """Draw two versions' growth and metrics beside each other, and what changed between them."""
    try:
        with st.spinner(f"Running versions {old} and {new} of {name}…"):
            tried = {n: keep(try_strategy, kept[n], f"{name} {n}", paid, start) for n in (old, new)}
    except QuantError as error:
        st.error(str(error), icon=":material/error:")
        return
    changes = diff(tried[old].run.strategy, tried[new].run.strategy)
    st.markdown(
        f"**From version {old} to {new}:** " + plain("; ".join(c.sentence for c in changes) or "nothing changed") + "."
    )
    chart(compare_runs({f"Version {n}": one.run.result.equity for n, one in tried.items()}), "versions-growth")
    metrics = {
        f"Version {n}": [
            interval(row["value"], row["ci_low"], row["ci_high"], METRICS[str(key)].unit)
            for key, row in one.run.metrics.iterrows()
        ]
        for n, one in tried.items()
    }
    titles = [METRICS[str(key)].title for key in tried[old].run.metrics.index]
    st.dataframe(pd.DataFrame({"Metric": titles, **metrics}), hide_index=True, key="versions-metrics")
