"""The Experiments page's first half: which trials, what their ideas amount to, and the ledger as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app.address import heed_day, heed_names, heed_number
from app.cache import session, stamp
from app.layout import PERCENT, SIGNED, plain, table, tile
from quantlib.charts.numbers import UNKNOWN, count, ratio
from quantlib.settings import utc_now
from quantlib.workflows.experiments import KINDS, MOST, ORDERS, Idea, Ledger, as_csv, find_trials, ledger, mark

#: Rows of the table on a page of it, and chosen ones that a chart tells apart.
ROWS, CHOSEN = 500, 8
ALL = "All"
#: Seconds between looks for trials that were made elsewhere.
LOOK = 30
#: Where the last reading is kept, and for how many times as long as it took it holds.
HELD, HOLD = "ledger-read", 20
BIASED = "Biased: its symbols were chosen from a list drawn up after the first day used, so with hindsight."
BEGUN = "Begun is running, or was killed; it counts. Refused and failed trials do not."
COLUMNS: dict[str, Any] = {
    "label": st.column_config.TextColumn("Trial", pinned=True, width="medium"),
    "sharpe": ("Sharpe", "%.2f"),
    "cagr": ("Return a year", SIGNED),
    "drawdown": ("Drawdown", PERCENT),
    "idea": "Idea",
    "kind": "Kind",
    "origin": "From",
    "who": "Who",
    "outcome": st.column_config.TextColumn("Outcome", help=BEGUN),
    "asked": st.column_config.DatetimeColumn("Asked for (UTC)", format="YYYY-MM-DD HH:mm"),
    "times": ("Times", "%d"),
    "link": st.column_config.LinkColumn("MLflow", display_text="open", help="A set's is the run of its sweep."),
    "n": ("Sessions", "%,d"),
    "first": st.column_config.DateColumn("First", format="YYYY-MM-DD"),
    "last": st.column_config.DateColumn("Last", format="YYYY-MM-DD"),
    "universe": "Symbols",
    "selection": st.column_config.TextColumn("Selection", help=BIASED),
    "said": "Why not done",
    "snapshot_id": "Data snapshot",
    "code_version": "Code version",
}
FILE = [
    *COLUMNS,
    "what",
    "params",
    "strategy_id",
    "parent",
    "source",
    "mean",
    "sd",
    "skew",
    "kurtosis",
    "mlflow_run_id",
]
IDEAS: dict[str, Any] = {
    "name": st.column_config.TextColumn("Idea", pinned=True),
    "trials": ("Trials", "%,d"),
    "effective": st.column_config.NumberColumn(
        "As many as", format="%,.1f", help="Independent trials that have luck as large; trials alike count for less."
    ),
    "best": ("Best Sharpe", "%.2f"),
    "hurdle": st.column_config.NumberColumn(
        "Luck's", format="%.2f", help="Sharpe ratio that the best of so many has without any skill."
    ),
    "opened": st.column_config.NumberColumn("Hold-out opened", format="%d", help="By people, not by the pipeline."),
    "budget": st.column_config.TextColumn("Hold-out", width="large"),
}


class Chosen(NamedTuple):
    """The trials a page looks at: what is left of the ledger, the idea if it is one, and what they were found by."""

    table: pd.DataFrame
    idea: str | None
    text: str
    by: tuple[Any, ...]


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(when: str, stored: str) -> Ledger:
    return ledger(session())


class Reading(NamedTuple):
    """A reading of the ledger: its marks, when it was made, and until when another would take too much of the time."""

    marks: tuple[str, str]
    at: datetime
    holds: datetime


def read_ledger() -> tuple[Ledger, str]:
    """Return the ledger and its mark, read anew where anything was tried or stored.

    While a sweep writes thousands of trials every run of the page would read them all: what took long to read is held
    for a while, and the page says that there is more.
    """
    marks, now = (mark(session()), stamp()), utc_now()
    held: Reading | None = st.session_state.get(HELD)
    if held is None or (held.marks != marks and now >= held.holds):
        with st.spinner("Reading the ledger, and counting what its trials amount to…"):
            _read(*marks)
        held = Reading(marks, now, now + HOLD * (utc_now() - now))
        st.session_state[HELD] = held
    return _read(*held.marks), held.marks[0]


def say_if_stale(when: str, trials: int) -> None:
    """Say that more was tried since the ledger was read, looking now and then, with a way to see it."""
    read: Reading = st.session_state[HELD]

    def look() -> None:
        if mark(session()) != when:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.info(f"**More was tried since {read.at:%H:%M:%S} UTC**; this page counts {count(trials)} trials.",
                        icon=":material/schedule:")  # fmt: skip
                if st.button("Refresh", icon=":material/refresh:", key="refresh"):
                    st.session_state.pop(HELD)
                    st.rerun()

    st.fragment(look, run_every=LOOK)()


def choose(found: Ledger) -> Chosen:
    """Draw the filters and return what they leave."""
    everything = found.table
    ideas = [ALL, *found.ideas]
    ideas += [name for name in everything["idea"].unique() if name not in found.ideas]
    origins = [ALL, *sorted(everything["origin"].unique())]
    people = [ALL, *sorted(name for name in everything["who"].unique() if name)]
    days = pd.concat([everything["first"], everything["last"]]).dropna()
    low, high = (days.min().date(), days.max().date()) if len(days) else (None, None)
    for what, key, accepted in (
        ("idea", "idea", ideas), ("kind", "kind", KINDS), ("place", "from", origins), ("person", "who", people),
        ("order", "order", ORDERS),
    ):  # fmt: skip
        heed_names(what, key, accepted)
    if low and high:
        heed_day("The first session", "since", low, high)
        heed_day("The last session", "until", low, high)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        idea = st.selectbox("Idea", ideas, key="idea", bind="query-params", width=200)
        kind = st.segmented_control("Kind", list(KINDS), default="Trials", key="kind", required=True,
                                    bind="query-params")  # fmt: skip
        text = st.text_input("Search", key="search", placeholder="Name, symbol, parameter, id", bind="query-params",
                             width=240)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        origin = st.selectbox("From", origins, key="from", bind="query-params", width=120)
        who = st.selectbox("Who", people, key="who", bind="query-params", width=120)
        start = end = None
        if low and high:
            start = st.date_input("Sessions since", None, low, high, key="since", bind="query-params", width=150)
            end = st.date_input("until", None, low, high, key="until", bind="query-params", width=150)
        order = st.selectbox("Order", list(ORDERS), key="order", bind="query-params", width=130)
    asked = {"idea": idea, "origin": origin, "who": who}
    names = {name: None if value == ALL else value for name, value in asked.items()}
    left = find_trials(everything, kind, **names, start=start, end=end, text=text or "", order=order)
    return Chosen(left, names["idea"], text or "", (kind, *asked.values(), start, end, text, order))


def amounts(found: Ledger, idea: str | None) -> None:
    """Draw what one idea amounts to as key numbers, or all of them as a table."""
    if idea is None:
        rows = pd.DataFrame([vars(one) for one in found.ideas.values()], columns=list(Idea.__dataclass_fields__))
        table(rows[list(IDEAS)], IDEAS, "ideas", hide_index=True, height="content" if len(rows) < 7 else 248,
              alt="How much was tried of each idea, and what that amounts to.")  # fmt: skip
        return
    if (one := found.ideas.get(idea)) is None:
        st.caption("None of its trials counts: they were refused, or failed.")
        return
    with st.container(horizontal=True):
        tile("Trials", count(one.trials), help_text="Distinct, of the whole idea, begun or done.")
        tile("As many as", ratio(one.effective, 1), help_text="Independent trials that have luck as large.")
        tile("Best Sharpe", ratio(one.best), help_text=f"A year: {plain(one.label)}")
        tile("Luck's Sharpe", ratio(one.hurdle), help_text="What the best of so many has without any skill.")
        tile("Hold-out opened", UNKNOWN if one.opened is None else count(one.opened),
             help_text="By people, not by the pipeline; a sweep is one opening.")  # fmt: skip
    st.markdown(plain(f"{one.sentence} {one.budget}"))


def trials(chosen: Chosen, of: int) -> None:
    """Draw the table, a page of it where it is long; rows that are ticked are the ones compared below."""
    left = chosen.table
    pages = -(-len(left) // ROWS)
    if pages > 1:
        heed_number("The page", "page", 1, pages)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_told(left, of, chosen.by[-1]))
        page = 1
        if pages > 1:
            st.session_state["page"] = min(st.session_state.get("page", 1), pages)
            page = st.number_input(f"Page of {pages}", 1, pages, key="page", bind="query-params", width=130)
    shown = left.iloc[(page - 1) * ROWS : page * ROWS]
    key = f"trials-{hash((chosen.by, page)) & 0xFFFFFF:x}"

    def tick() -> None:
        if rows := st.session_state[key]["selection"]["rows"]:
            st.session_state["compare"] = [shown["label"].iloc[row] for row in rows if row < len(shown)][:CHOSEN]

    empty = [name for name, same in (("said", shown["said"].eq("").all()), ("idea", chosen.idea)) if same]
    columns = {name: column for name, column in COLUMNS.items() if name not in empty}
    table(shown[list(columns)], columns, key, hide_index=True, height="content" if len(shown) <= 10 else 388,
          on_select=tick, selection_mode="multi-row", alt="The trials of the ledger, one a row.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_beware(left))
        st.download_button("Export as CSV", lambda: as_csv(left, FILE), "trials.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", key="csv")  # fmt: skip


def _told(left: pd.DataFrame, of: int, order: str) -> str:
    first = "the newest first" if order == "Newest" else f"the best {order.lower()} first"
    newest = f" Only the newest {count(MOST)} are read." if of >= MOST else ""
    return f"{count(len(left))} of {count(of)} rows, {first}. Tick rows to compare them.{newest}"


def _beware(left: pd.DataFrame) -> str:
    words = []
    if begun := int((left["outcome"] == "begun").sum()):
        words.append(f"{count(begun)} began and did not end: running, or killed.")
    if biased := int((left["selection"] == "biased").sum()):
        words.append(f"Selection-biased: {count(biased)}. {BIASED}")
    return " ".join(words)
