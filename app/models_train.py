"""The Models page's form: what to train and how, from the registries, and the job that does it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.address import heed_names, heed_number
from app.cache import keep, session
from app.forms import LIST_WIDTH
from app.job_watch import expect, said, watch
from app.layout import plain
from quantlib.errors import QuantError
from quantlib.ml import FEATURES, MODELS, SCHEMES, TARGETS
from quantlib.ml.features import USUAL
from quantlib.simulators import SIMULATORS
from quantlib.workflows.holdout import holdout_start
from quantlib.workflows.learn import start_training
from quantlib.workflows.market import Prices
from quantlib.workflows.model_inputs import judgeable, macro_series
from quantlib.workflows.training import BY_NAME, FROM_MACRO, FROM_PRICES, MOST_SETS, WITH_SIDE

SCHEME_TITLES = {
    "walk_forward": "Walk forward",
    "purged_kfold": "Purged K-fold",
    "combinatorial_purged": "Combinatorial purged",
}
NONE = "none"
CALIBRATIONS = {NONE: "As it says", "isotonic": "Isotonic", "sigmoid": "Sigmoid"}
#: Symbols that the form begins with, at most.
FIRST = 5


def train(found: Prices) -> None:
    """Draw the form, the button that starts the job, and how far the jobs are."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = _one("Foretell", "target", {name: TARGETS[name].title for name in BY_NAME}, "direction")
        fitting = {name: one.title for name, one in MODELS.items() if _does(name, TARGETS[target].kind)}
        model = _one("Model", "learner", fitting, next(name for name in ("logistic", "ridge") if name in fitting))
        heed_number("Sessions ahead", "ahead", 1, 252)
        ahead = st.number_input("Sessions ahead", 1, 252, 5, key="ahead", bind="query-params", width=140)
    st.caption(f"{TARGETS[target].description} {MODELS[model].description}")
    side, symbols = _judged() if target in WITH_SIDE else (None, _symbols(found))
    groups = {FEATURES[name].title: name for name in (*FROM_PRICES, FROM_MACRO)}
    heed_names("feature group", "features", groups)
    chosen = st.multiselect(
        "Features", list(groups), [FEATURES[name].title for name in USUAL], key="features", bind="query-params",
        help=" ".join(f"{FEATURES[name].title}: {FEATURES[name].description}" for name in groups.values()),
    )  # fmt: skip
    features = [groups[title] for title in chosen]
    macro = _macro() if FROM_MACRO in features else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        scheme = _one(
            "Tested by",
            "scheme",
            {name: SCHEME_TITLES[name] for name in SCHEMES},
            "walk_forward",
            "Only a walk-forward can be promoted: nothing of it was learned from later sessions.",
        )
        worlds = _one("Simulated worlds", "worlds", {NONE: "None", **{k: v.title for k, v in SIMULATORS.items()}}, NONE,
                      "Learn from worlds beside history, drawn from the past of each test alone.")  # fmt: skip
        calibrate = _one("Probabilities", "calibrate", CALIBRATIONS, NONE, "Put right on folds inside the training.")
        heed_number("Sets to try", "tune", 0, MOST_SETS)
        tune = st.number_input(
            "Sets to try",
            0,
            MOST_SETS,
            0,
            key="tune",
            bind="query-params",
            width=140,
            help="Sets of parameters, by Optuna, before the first test. Each is a trial.",
        )
    _start({
        "symbols": symbols, "model": model, "target": target, "features": features, "scheme": scheme,
        "horizon": int(ahead), "tune": int(tune), "worlds": None if worlds == NONE else worlds,
        "calibrate": None if calibrate == NONE else calibrate, "macro": macro, "side": side,
    })  # fmt: skip


def _symbols(found: Prices) -> list[str]:
    heed_names("symbol", "symbols", found.symbols)
    return st.multiselect("Symbols", found.symbols, found.symbols[:FIRST], key="symbols", bind="query-params",
                          help="Learned from all together.")  # fmt: skip


def _judged() -> tuple[str | None, list[str]]:
    """Draw whose trades are judged, and which of them; the choice of symbols is among those it trades."""
    known = keep(judgeable)
    heed_names("strategy", "side", known)
    side = st.selectbox("Strategy whose trades are judged", list(known), key="side", bind="query-params", width=640)
    traded = list(known.get(str(side), ()))
    symbols = st.multiselect("Symbols", traded, traded, key=f"judged-{side}", help="Of those it trades.")
    return side, symbols


def _macro() -> list[str]:
    known = keep(macro_series)
    heed_names("macro series", "macro", known)
    return st.multiselect(
        "Macro series", known, key="macro", bind="query-params",
        help="Each at every session as it had been released by the close, and its change over 21 sessions.",
    )  # fmt: skip


def _start(asked: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = f"{TARGETS[asked['target']].title}, {MODELS[asked['model']].title.lower()}"
        if asked["side"]:
            title += ", " + "".join(sign for sign in asked["side"] if sign not in '/:"')
        name = st.text_input("Name", title, key=f"name-{title}", width=LIST_WIDTH, help="What it is registered under.")
        opened = st.checkbox(
            f"Open the hold-out (from {keep(holdout_start)})", key="train-holdout",
            help="Models are chosen on what comes before it. Each opening is counted.",
        )  # fmt: skip
        if st.button("Train", type="primary", icon=":material/model_training:", key="train-start",
                     disabled=not asked["symbols"] or not asked["features"]):  # fmt: skip
            given = {key: value for key, value in asked.items() if value is not None and key != "symbols"}
            try:
                number = start_training(
                    session(), asked["symbols"], name=name, open_holdout=opened,
                    reason="asked for on the Models page", **given,
                )  # fmt: skip
                expect("train", number)
            except QuantError as error:
                st.error(plain(str(error)), icon=":material/error:")
    trials = 1 + asked["tune"]
    st.caption(
        f"A worker does it; leave the page and come back. Counts as {trials} trial{'s' if trials > 1 else ''} of "
        f"{asked['target']}; its folds are none."
    )


def progress() -> None:
    """Draw how far trainings are, and what came of the last."""
    watch("train", "steps")
    if message := said("train"):
        st.info(plain(message), icon=":material/info:")


def _does(name: str, kind: str) -> bool:
    return (MODELS[name].classifier if kind == "classification" else MODELS[name].regressor) is not None


def _one(label: str, key: str, titles: dict[str, str], usual: str, help_text: str | None = None) -> str:
    """Draw a choice between keys by their titles, which stand in the address, and return the key."""
    heed_names(label.lower(), key, titles.values())
    keys = {title: name for name, title in titles.items()}
    chosen = st.selectbox(label, list(keys), list(titles).index(usual), key=key, bind="query-params", help=help_text,
                          width=300)  # fmt: skip
    return keys[str(chosen)]
