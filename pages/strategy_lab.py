"""Strategy lab: is this idea worth anything?"""

import streamlit as st

from app import lab_views as views
from app.cache import keep, new_run, stamp
from app.lab_draft import NEW, Draft, keep_address, mend_address, open_draft
from app.lab_sheet import record
from app.lab_sweep import sweep
from app.lab_versions import versions
from app.layout import question, strip
from app.prices import price_strip, prices
from quantlib.costs import Costs
from quantlib.errors import QuantError, nearest
from quantlib.strategies import Strategy
from quantlib.types import DateLike
from quantlib.workflows.definitions import saved_definitions
from quantlib.workflows.lab import Trial, definitions, tried, try_strategy

Asked = tuple[Strategy, Costs | None, DateLike | None]
VIEWS = ("Form", "YAML", "Spread", "Versions", "Sweep", "Share")


def choose(there: dict[str, Strategy]) -> Draft:
    """Draw the choice of a definition and return it as a draft; what was just run or saved is chosen by itself."""
    if ran := st.session_state.pop("ran", None):
        its = (name for name, strategy in there.items() if ran in {name, strategy.id})
        st.session_state["definition"] = next(its, st.session_state["definition"])
    names = [*there, *NEW]
    asked = st.query_params.get("definition", names[0])
    mend_address("definition", names[0])
    chosen = st.selectbox("Definition", names, key="definition", bind="query-params")
    draft = open_draft(chosen, there[chosen] if chosen in there else NEW[chosen]())
    if asked not in names:
        draft.notice = f"There is no definition {asked!r} here, so this is another one. {nearest(asked, names)}"
    return draft


def tried_now(
    draft: Draft, paid: Costs | None, start: DateLike | None, source: str, *, sent: bool
) -> tuple[Trial | None, Asked | None]:
    """Return the backtest on screen, and what it was asked for with where that is not what the page now holds.

    One that was tried before is shown at once; any other, and any change, waits for the button.
    """
    name, key, trial = st.session_state.get("lab", ("", (), None))
    if (strategy := draft.strategy) is not None:
        wanted = (strategy, paid, start)
        usual = paid is None and start is None  # as it was tried; in other terms it would be another try
        opened = name != draft.name and draft.name not in NEW and usual and strategy.id in keep(tried, source)
        if sent or opened or key[:3] == wanted:
            if key != (*wanted, stamp()):  # something else was asked for, or something was stored
                with st.spinner(f"Running {draft.title} over all its prices, and checking the record…", show_time=True):
                    trial = keep(try_strategy, strategy, draft.title, paid, start)
                new_run()  # it may have been stored just now
            st.session_state["lab"] = (draft.name, (*wanted, stamp()), trial)
            return trial, None
    return (trial, key[:3]) if name == draft.name else (None, None)


def drawer(view: str | None, draft: Draft, paid: Costs | None, start: DateLike | None, source: str) -> None:
    """Draw what was opened of the definition."""
    if view == "Spread":
        views.spread(draft, start)
    elif view == "Versions":
        versions(draft, frozenset(keep(saved_definitions)), paid, start)
    elif view == "Sweep":
        sweep(draft, paid, start, source)
    elif view == "Share":
        views.share(draft, paid, start)


def main() -> None:
    """Draw the page."""
    question("Is this idea worth anything?", "A definition, run over all stored prices, after costs.")
    found, head = prices(), st.empty()
    with head:
        price_strip(found)
    draft = choose(keep(definitions))
    about = st.container()
    if draft.name in NEW and "view" not in {*st.session_state, *st.query_params}:
        st.session_state["view"] = "Form"
    mend_address("view")
    view = st.segmented_control("Open", VIEWS, key="view", bind="query-params", label_visibility="collapsed")
    opened, below = st.container(), st.container()
    with opened:
        if view == "Form":
            views.form(draft, found)
        elif view == "YAML":
            views.document(draft, found)
    with about:
        views.told(draft)
    with below:
        absent = views.missing(draft, found)
        paid, start, sent = views.terms(draft, found, absent=absent)
    keep_address(draft)
    with opened:
        drawer(view, draft, paid, start, found.source)
    try:
        trial, former = tried_now(draft, paid, start, found.source, sent=sent)
    except QuantError as error:
        views.wrong(str(error))
        return
    if sent and draft.changed and draft.strategy is not None:
        st.session_state["ran"] = draft.strategy.id
        st.rerun()
    if trial is None and draft.strategy is not None and not absent:
        st.info("Press **Run** to see its record. It takes a second or two, is kept, and counts as one try.")
        if view is None:
            views.spread(draft, start)
    if trial is None:
        return
    if former:
        views.stale(draft, former, (paid, start))
    with head:
        strip(trial.label, sample=found.sample, grade=trial.run.panel.grade)
    record(trial, found)


main()
