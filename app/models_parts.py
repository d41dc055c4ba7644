"""The Models page's tabs: how it did, whether it means what it says, what it leans on, and what it says now."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.layout import chart, plain, table
from app.models_list import judged
from quantlib.ml import TARGETS
from quantlib.workflows.foretelling import Foretold
from quantlib.workflows.trained import KeptModel, ModelDetail

WORDS = {
    "stable": "as it was",
    "moved": "has moved",
    "drifted": "has drifted: the model is asked about a world it did not learn from",
    "unknown": "unknown",
}


def gains(one: KeptModel, detail: ModelDetail) -> None:
    """Draw the gain fold by fold beside the gain over all."""
    chart(detail.figures["gain"], f"gains-{one.id}")


def calibration(one: KeptModel, detail: ModelDetail) -> None:
    """Draw whether what it says comes true as often as it says."""
    chart(detail.figures["calibration"], f"calibration-{one.id}")


def importance(one: KeptModel, detail: ModelDetail) -> None:
    """Draw what it leans on."""
    if "importance" not in detail.figures:
        st.caption("It was not asked what it leans on.")
        return
    chart(detail.figures["importance"], f"importance-{one.id}")


def drift(one: KeptModel, detail: ModelDetail) -> None:
    """Draw whether today's features and predictions look like those it learned from."""
    if (said := _asked(detail)) is None:
        return
    chart(detail.figures["drift"], f"drift-{one.id}", table=False)
    words = said.drift.reset_index().assign(words=said.drift["word"].map(WORDS).to_numpy())
    columns = {
        "feature": "Feature", "psi": ("Stability index", "%.3f"), "words": "In words",
        "noise": st.column_config.NumberColumn("By chance", format="%.3f", help="Expected where nothing has changed."),
    }  # fmt: skip
    table(words, columns, f"drift-{one.id}-table", hide_index=True)


def today(one: KeptModel, detail: ModelDetail) -> None:
    """Draw what it said of each session, and what it says today."""
    if (said := _asked(detail)) is None:
        return
    what = "Probability" if one.kind == "classification" else "Prediction"
    chart(detail.figures["said"], f"said-{one.id}")
    frame = pd.DataFrame({"symbol": said.latest.index, "said": said.latest.to_numpy()})
    if said.latest.isna().all():
        st.info(f"**{plain(judged(one))} has no side today,** so there is no trade to judge.", icon=":material/info:")
    target = TARGETS[one.target].description if one.target in TARGETS else one.target
    st.markdown(f"**As of {said.as_of}, over {one.horizon} sessions**  \n:small[:gray[{plain(target)}]]")
    columns = {"symbol": "Symbol", "said": (what, "%.4f")}
    table(frame.sort_values("said", ascending=False), columns, f"today-{one.id}", hide_index=True)
    if one.version is not None:
        st.caption(
            f"Stored as the derived series `model: {plain(one.version.name)}` when it was trained, and after each "
            f'session while it is the champion; conditions read it as `model("{plain(one.version.name)}")`.'
        )


def card(detail: ModelDetail) -> None:
    """Draw the model card."""
    body = "\n".join(f"##{line}" if line.startswith("#") else line for line in detail.card.splitlines())
    st.markdown(body.replace("$", r"\$").replace("~", r"\~"))


def _asked(detail: ModelDetail) -> Foretold | None:
    if detail.foretold is None:
        st.info(f"**It could not be asked about today.** {plain(detail.why_not)}", icon=":material/info:")
    return detail.foretold
