"""The Models page's list: what was trained, what it gained over the base rate, and which version is trusted."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.address import heed_names
from app.layout import TILE, plain, stamped, table, tile
from quantlib.charts.numbers import UNKNOWN, known, signed_percent
from quantlib.ml import MODELS, TARGETS
from quantlib.ml.drift import DRIFTED
from quantlib.ml.scores import LOSS
from quantlib.workflows.trained import KeptModel, ModelDetail

COLUMNS = {
    "name": st.column_config.TextColumn("Registered as", pinned=True),
    "status": st.column_config.TextColumn("Trusted", help="A champion has passed the gate; a candidate may ask it."),
    "model": "Model",
    "target": "Foretells",
    "horizon": ("Sessions ahead", "%d"),
    "gain": ("Gain", "%+.5f"),
    "low": ("95 % low", "%+.5f"),
    "high": ("95 % high", "%+.5f"),
    "said": "In words",
    "tested": "Tested by",
    "as_of": "Learned until",
}


def label(one: KeptModel) -> str:
    """Return what a model is called: its name and version, or what it is."""
    what = f"{MODELS[one.model].title if one.model in MODELS else one.model}: {one.target}"
    if one.version is None:
        return f"{what}, not registered ({one.id[-4:]})"
    return f"{one.version.name}, version {one.version.version}"


def judged(one: KeptModel) -> str:
    """Return the strategy whose trades a model judges; empty where it judges none."""
    return str(one.params.get("judges", ""))


def _foretells(one: KeptModel) -> str:
    title = TARGETS[one.target].title if one.target in TARGETS else one.target
    return f"{title} of {judged(one)}" if judged(one) else title


def in_words(one: KeptModel) -> str:
    """Return what the interval of a gain says."""
    if known(one.low) is None:
        return UNKNOWN if known(one.gain) is None else "too few sessions"
    return "an edge" if one.low > 0 else "worse" if one.high < 0 else "no edge beyond chance"


def listed(made: list[KeptModel]) -> None:
    """Draw the models that were trained, the newest first."""
    frame = pd.DataFrame(
        [
            {
                "name": "–" if one.version is None else f"{one.version.name}, v{one.version.version}",
                "status": "" if one.version is None else ", ".join(one.version.aliases),
                "model": MODELS[one.model].title if one.model in MODELS else one.model,
                "target": _foretells(one),
                "horizon": one.horizon, "gain": one.gain, "low": one.low, "high": one.high, "said": in_words(one),
                "tested": one.scheme.replace("_", " "), "as_of": one.as_of,
            }
            for one in made
        ]
    )  # fmt: skip
    table(frame, COLUMNS, "models", hide_index=True, height="content" if len(made) <= 8 else 320,
          alt="Trained models with their gain over the base rate.")  # fmt: skip


def choose(made: list[KeptModel]) -> KeptModel:
    """Draw the choice of a model and return it; champions first, then the newest."""
    there = {label(one): one for one in made}
    champions = [name for name, one in there.items() if one.version is not None and "champion" in one.version.aliases]
    names = [*champions, *(name for name in there if name not in champions)]
    heed_names("model", "model", names)
    if st.session_state.get("model") not in {None, *names}:
        del st.session_state["model"]
    return there[st.selectbox("Model", names, key="model", bind="query-params", width=640)]


def finding(one: KeptModel, detail: ModelDetail) -> None:
    """Draw what came of it in a sentence, what speaks against it, and the numbers it hangs on."""
    mark = ":material/check_circle:" if one.low > 0 else ":material/cancel:"
    st.subheader(f"{mark} {plain(one.verdict)}", anchor=False)
    stamped(detail.hindsight)
    for warning in one.warnings:
        st.warning(plain(warning), icon=":material/flag:")
    loss = LOSS[one.kind]
    over = one.yardstick
    better = int((detail.folds[loss] < detail.folds[f"{over}_{loss}"]).sum())
    yardstick = "the base rate" if over == "prior" else "the last known value"
    words = "log loss" if one.kind == "classification" else "squared error"
    theirs = one.loss + one.gain
    with st.container(horizontal=True):
        sure = "too few sessions for an interval"  # an infinite one is not kept
        if known(one.low) is not None:
            sure = f"{one.low / theirs * 100:+.2f} … {one.high / theirs * 100:+.2f}"
        st.metric("Gain", signed_percent(one.gain / theirs, 2), sure, delta_color="off", delta_arrow="off",
                  border=True, width=TILE,
                  help=f"By how much the {words} out of sample is below the hardest yardstick's, the base rate or the "
                  "last known value, as a share of that; in grey its 95 % interval (Diebold-Mariano).")  # fmt: skip
        tile(words.capitalize(), f"{one.loss:.4g}", help_text=f"That of {yardstick} is {theirs:.4g}.")
        tile("Better folds", f"{better} of {len(detail.folds)}", help_text=f"Folds in which it beat {yardstick}.")
        moved = (
            UNKNOWN
            if detail.foretold is None
            else f"{(detail.foretold.drift['psi'] >= DRIFTED).sum()} of " + str(len(detail.foretold.drift))
        )
        tile("Drifted", moved, help_text="Features and predictions of the last year unlike those it learned from.")
