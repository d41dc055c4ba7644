"""Models: can a model foretell anything here, and which one is trusted?"""

from functools import partial

import streamlit as st

from app import models_parts as parts
from app.address import heed_names
from app.cache import keep, session
from app.layout import plain, provenance, question, tabs
from app.models_decide import actions, log, mark
from app.models_list import choose, finding, listed
from app.models_train import progress, train
from app.prices import price_strip, prices
from quantlib.errors import QuantError
from quantlib.workflows.reading import run_link
from quantlib.workflows.trained import kept_models, model_detail


def main() -> None:
    """Draw the page."""
    question(
        "Can a model foretell anything here, and which one is trusted?",
        "Trained before the hold-out, scored on sessions it had not seen, against what knows next to nothing.",
    )
    found = prices()
    price_strip(found)
    if st.toggle("Train a model", key="train", bind="query-params"):
        with st.container(border=True):
            train(found)
    progress()
    try:
        with st.spinner("Reading the models from MLflow; the first time takes a few seconds…"):
            made = keep(kept_models, mark())
    except QuantError as error:
        st.error(f"**MLflow cannot be read, so no model can be shown.** {plain(str(error))}", icon=":material/error:")
        return
    if not made:
        st.info(
            "**No model has been trained yet.** Train one above, or run `workbench train`.", icon=":material/inbox:"
        )
        return
    trusted = [one.version for one in made if one.version is not None and "champion" in one.version.aliases]
    names = ", ".join(f"{plain(one.name)} version {one.version}" for one in trusted)
    st.markdown(f"**Trusted:** {names}." if trusted else "**None is trusted yet:** no version has passed the gate.")
    listed(made)
    one = choose(made)
    try:
        with st.spinner("Asking the model about the sessions up to today…"):
            detail = keep(model_detail, one.mlflow_run_id)
    except QuantError as error:
        st.error(f"**What it left in MLflow cannot be read.** {plain(str(error))}", icon=":material/error:")
        return
    finding(one, detail)
    actions(one)
    sections = {
        "Gain": partial(parts.gains, one, detail),
        "Today": partial(parts.today, one, detail),
        "Calibration": partial(parts.calibration, one, detail),
        "Importance": partial(parts.importance, one, detail),
        "Drift": partial(parts.drift, one, detail),
        "Card": partial(parts.card, detail),
        "Decisions": partial(log, one),
    }
    heed_names("tab", "tab", sections)
    tabs(sections)
    provenance({"run": one.id, "snapshot": one.snapshot_id, "code": one.code_version})
    st.caption(f"[This model in MLflow]({run_link(session(), one.mlflow_run_id)}). {found.note}")


main()
