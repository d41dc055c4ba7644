"""The Models page's decisions: register, promote and roll back, with the gate's numbers."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from app.cache import hour, keep, session
from app.layout import OUTCOMES, plain, table
from app.models_list import label
from quantlib.errors import QuantError
from quantlib.models.promotions import Promotion
from quantlib.workflows.registry import promote, register, rollback
from quantlib.workflows.trained import KeptModel, decisions

SAID, FAILED = "models-said", "models-failed"
COLUMNS = {
    "decided_at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm"),
    "who": "Who",
    "outcome": "Decision",
    "to_version": ("Version", "%d"),
    "from_version": ("Instead of", "%d"),
    "why": st.column_config.TextColumn("Why", width="large"),
}


def actions(one: KeptModel) -> None:
    """Draw what can be decided about a model, and what was decided last."""
    version = one.version
    with st.container(horizontal=True, vertical_alignment="center"):
        if version is None:
            st.button(
                "Register as a candidate",
                icon=":material/bookmark_add:",
                key="model-register",
                on_click=_register,
                args=(one,),
            )
            st.caption("It is asked again first; only what comes out the same is registered.")
        else:
            champion = "champion" in version.aliases
            st.button(
                f"Promote version {version.version}",
                type="primary",
                icon=":material/verified:",
                key="model-promote",
                disabled=champion,
                on_click=_promote,
                args=(version.name, version.version),
            )
            st.button(
                "Roll back",
                icon=":material/undo:",
                key="model-rollback",
                disabled=not champion,
                on_click=_rollback,
                args=(version.name,),
                help="Make the former champion the champion again.",
            )
            st.caption(
                "It is the champion: trusted until another shows more."
                if champion
                else "The gate asks for a gain over the base rate, and over the champion, beyond chance."
            )
    _told()


def log(one: KeptModel) -> None:
    """Draw every decision about the name of a model, the latest first."""
    made = [] if one.version is None else keep(decisions, one.version.name)
    if not made:
        st.caption("Nothing was decided about it yet.")
        return
    frame = pd.DataFrame([{name: getattr(row, name) for name in COLUMNS} for row in made])
    table(frame.assign(decided_at=pd.to_datetime(frame["decided_at"], utc=True)), COLUMNS, "model-log", hide_index=True)


def _told() -> None:
    """Write what the last decision came to, with its numbers, until the next."""
    if failed := st.session_state.pop(FAILED, ""):
        st.error(plain(failed), icon=":material/error:")
    said = st.session_state.pop(SAID, None)
    if isinstance(said, Promotion):
        passed = said.outcome != "refused"
        head = f"Version {said.to_version} of {plain(said.name)} " + (
            "is the champion." if passed else "was refused; nothing has changed."
        )
        mark = OUTCOMES["pass" if passed else "fail"]
        (st.success if passed else st.error)(f"{mark} **{head}** {plain(said.why)}")
    elif said:
        st.success(plain(said), icon=":material/check:")


def _register(one: KeptModel) -> None:
    try:
        made = register(session(), one.mlflow_run_id)
        st.session_state[SAID] = f"Version {made.version} of {made.name} is the candidate."
        st.session_state["model"] = label(replace(one, version=made))
        _registered().append(1)
    except QuantError as error:
        st.session_state[FAILED] = str(error)


def _promote(name: str, version: int) -> None:
    try:
        st.session_state[SAID] = promote(session(), name, version)
    except QuantError as error:
        st.session_state[FAILED] = str(error)


def _rollback(name: str) -> None:
    try:
        st.session_state[SAID] = rollback(session(), name)
    except QuantError as error:
        st.session_state[FAILED] = str(error)


@st.cache_resource
def _registered() -> list[int]:
    """Return what grows with each version that is registered here."""
    return []


def mark() -> str:
    """Return what changes when a version is registered here, or an hour has passed, as one may be from elsewhere."""
    return f"{len(_registered())} {hour():%Y-%m-%d %H}"
