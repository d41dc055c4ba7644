"""Validation: is this edge real?"""

from functools import partial

import streamlit as st

from app.address import heed_names
from app.cache import keep, session
from app.layout import checks, plain, provenance, question, strip, tabs
from app.prices import price_strip, prices
from app.validation_ask import ask, choose, made_of
from app.validation_card import certificate, numbers, verdict
from app.validation_figures import drawn, take_along
from quantlib.workflows.reading import run_link
from quantlib.workflows.validating import validation_figures

#: Figures by tab, with the checks that they stand behind.
FIGURES: dict[str, dict[str, tuple[str, ...]]] = {
    "Out of sample": {"forward": ("walk_forward_anchored", "walk_forward_rolling"), "paths": ("cpcv",)},
    "Overfitting": {"overfitting": ("pbo", "spa_zero")},
    "Parameters": {"plateau": ("plateau",)},
    "Years & markets": {"subperiods": ("subperiods", "last_third"), "regimes": ("regimes",)},
    "Chance": {"entries": ("random_entry",)},
    "Holding": {"holding": ("holding", "equal_weight", "spa_holding")},
    "Costs": {"costs": ("break_even", "costs")},
}


def main() -> None:
    """Draw the page."""
    question("Is this edge real?", "Every question there is, asked of a strategy with the count of all that was tried.")
    found, head = prices(), st.empty()
    with head:
        price_strip(found)
    name, strategy = choose()
    ask(name, strategy)
    made = made_of(strategy, found.source)
    if made is None or made.id is None:
        return
    card = made.card
    with head:
        span = {"judged on": f"{card.first} to {card.last}", "prices": card.data_label, "idea": plain(card.idea)}
        strip(span, sample=card.sample, grade=card.grade)
    verdict(card)
    numbers(card)
    figures = keep(validation_figures, made.id)
    ids = {"validation": made.id, "strategy": card.strategy_id}
    if "luck" in figures:
        drawn(figures, card, {"luck": ("dsr",)})
    sections = {
        "Every question": partial(checks, card.checks),
        **{title: partial(drawn, figures, card, names) for title, names in FIGURES.items()},
        "Look-ahead & hold-out": partial(certificate, card),
        "Take along": partial(take_along, card, strategy, ids),
    }
    heed_names("tab", "tab", sections)
    tabs(sections)
    provenance(ids)
    link = f"[This validation in MLflow]({run_link(session(), made.mlflow_run_id)})" if made.mlflow_run_id else ""
    st.caption(f"{plain(card.variants)} Trading cost {plain(card.paid)}. {found.note} {link}")


main()
