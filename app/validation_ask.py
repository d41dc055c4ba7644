"""The Validation page's first part: which strategy, on which span, and the job that asks every question of it."""

from __future__ import annotations

import streamlit as st

from app.address import heed_names
from app.cache import keep, session
from app.job_watch import expect, said, watch
from app.layout import plain
from quantlib.errors import QuantError
from quantlib.strategies import Strategy
from quantlib.workflows.holdout import holdout_start
from quantlib.workflows.lab import definitions
from quantlib.workflows.validating import Validated, start_validation, validations

#: Validations of a strategy that can be looked at.
MOST = 20


def choose() -> tuple[str, Strategy]:
    """Draw the choice of a strategy and return it with its name."""
    there = keep(definitions)
    heed_names("strategy", "strategy", there)
    name = st.selectbox("Strategy", list(there), key="strategy", bind="query-params", width=460)
    return name, there[name]


def ask(name: str, strategy: Strategy) -> None:
    """Draw the button that starts the job, whether the hold-out is used, and how far the jobs are."""
    start = keep(holdout_start)
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = st.checkbox(
            f"Open the hold-out (from {start})", key="open_holdout", bind="query-params",
            help="Choices are made on what comes before it. Each opening is counted: what has been looked at is no "
            "longer out of sample.",
        )  # fmt: skip
        if st.button("Validate", type="primary", icon=":material/verified:", key="validate-start"):
            try:
                queued = start_validation(
                    session(), strategy, name=name, open_holdout=opened, reason="asked for on the Validation page"
                )
                expect("validate", queued.id)
            except QuantError as error:
                st.error(str(error), icon=":material/error:")
        st.caption(
            "A worker does it within a minute or so; leave the page and come back. Its variants count as trials."
        )
    watch("validate", "percent")
    if message := said("validate"):
        st.info(plain(message), icon=":material/info:")


def made_of(strategy: Strategy, source: str) -> Validated | None:
    """Return the validation to look at: the newest of the strategy, or the one that is chosen, None without any."""
    made = {one.id: one for one in keep(validations, strategy, source) if one.id}
    if not made:
        st.info(
            "**This strategy has not been validated on these prices.** Press **Validate**, or run "
            f'`workbench validate "{plain(st.session_state["strategy"])}"`.',
            icon=":material/inbox:",
        )
        return None
    if len(made) == 1:
        return next(iter(made.values()))
    heed_names("validation", "made", made)
    newest = next(iter(made))
    if st.session_state.get("validation-newest") not in {None, newest}:  # one more was made while this is looked at
        st.session_state["made"] = newest
    st.session_state["validation-newest"] = newest
    chosen = st.selectbox(
        "Validation", list(made), format_func=lambda key: _called(made[key]), key="made", bind="query-params", width=640
    )
    return made[chosen]


def _called(one: Validated) -> str:
    card = one.card
    trials = f"{card.luck.n:,} trials" if card.luck else "no trials"
    opened = "hold-out opened" if card.opened else "hold-out closed"
    return f"{card.edge}: {card.first} to {card.last}, {opened}, {trials} ({str(one.id)[-4:]})"
