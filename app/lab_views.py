"""What there is to a definition before it is run: its fields, its document, its spread, and its address."""

from __future__ import annotations

import shlex
from urllib.parse import quote_plus

import numpy as np
import pandas as pd
import streamlit as st

from app.cache import keep
from app.forms import COSTS, costs
from app.lab_draft import LINK, Draft, as_link, plain_name
from app.lab_form import definition_form
from app.layout import chart, plain, table
from quantlib.charts.numbers import UNKNOWN, count
from quantlib.costs import Costs
from quantlib.errors import QuantError
from quantlib.strategies import LIBRARY, Definition, Strategy
from quantlib.strategies.difference import diff
from quantlib.types import DateLike
from quantlib.workflows.definitions import known_definitions
from quantlib.workflows.lab import unreadable
from quantlib.workflows.market import Prices
from quantlib.workflows.notebook import as_notebook, notebook_cells
from quantlib.workflows.spread import look_at_spread
from quantlib.workflows.trading_costs import costs_in_words, usual_costs

WINDOWS = {
    "start": st.column_config.DateColumn("From", format="YYYY-MM-DD", pinned=True),
    "end": st.column_config.DateColumn("To", format="YYYY-MM-DD"),
    "n": ("Sessions", "%,d"),
    "cointegration_p": st.column_config.NumberColumn(
        "Cointegration p", format="%.3f", help="Engle and Granger: below 0.05 speaks for legs that are tied together."
    ),
    "adf_p": st.column_config.NumberColumn(
        "Stationary p", format="%.3f", help="Dickey and Fuller: below 0.05 speaks for a spread that comes back."
    ),
    "half_life": st.column_config.TextColumn(
        "Half-life, 95 % interval",
        alignment="right",
        help="Sessions until half of a gap has closed; ∞ where it may never close.",
    ),
    "correlation": ("Correlation with the hedge", "%.2f"),
    "hedge_ratio": ("Hedge ratio", "%.2f"),
}


def told(draft: Draft) -> None:
    """Write why the definition might work and where it comes from, or how it differs from the one it began as."""
    if draft.broken_link:
        st.error(f"**This link does not work.** {draft.broken_link}", icon=":material/link_off:")
    if draft.notice:
        st.info(plain(draft.notice), icon=":material/sync:")
    about = draft.told if draft.strategy is None or draft.changed else keep(known_definitions).get(draft.name)
    if about is None and not draft.changed:
        about = LIBRARY.get(draft.name, Definition(draft.base))
    words = "" if about is None else plain(" ".join(part for part in (about.why, _source(about.reference)) if part))
    if words:
        st.caption(words)
    if draft.strategy is None or not draft.changed:
        return
    changes = [change.sentence for change in diff(draft.base, draft.strategy)]
    if draft.base.family == draft.strategy.family and len(changes) <= 12:
        st.caption(f":material/edit: **Changed from {plain(draft.name)}:** {plain('; '.join(changes))}.")
    else:
        st.caption(f":material/edit: **{plain(draft.title)}**, not kept under a name yet.")


def _source(reference: str) -> str:
    return f"Source: {reference}." if reference else ""


def wrong(message: str, head: str = "This did not work.") -> None:
    """Say what is wrong: the place, what came and what is accepted, a caret under its sign."""
    first, _, rest = message.partition("\n")
    st.error(f"**{head}** {plain(first)}", icon=":material/error:")
    if rest:
        st.code(rest, language=None)


def fault(draft: Draft) -> None:
    """Say what is wrong with what is typed."""
    wrong(draft.fault, "This is no definition yet.")


def judge(draft: Draft, found: Prices) -> None:
    """Refuse conditions that name what there is not, as soon as all symbols are there to look."""
    if draft.strategy is None or not draft.changed or not set(draft.strategy.inputs) <= set(found.symbols):
        return
    if why := keep(unreadable, draft.strategy):
        draft.refused(why)


def form(draft: Draft, found: Prices) -> None:
    """Draw the definition as a form, judged as it is typed."""
    if draft.text is not None:
        fault(draft)
        kept = "What you typed is kept: go back to **YAML** to mend it. A change here takes its place."
        st.info(f"The text is no definition yet, so the form shows the last one that was. {kept}")
    with st.container(border=True):
        held = definition_form(draft, found.symbols)
    if draft.text is None or not draft.holds(held):
        draft.typed(held)
        judge(draft, found)
        if draft.fault:
            fault(draft)


def document(draft: Draft, found: Prices) -> None:
    """Draw the definition as a document, judged as it is typed."""
    key, seen = f"yaml-{draft.name}", f"yaml-seen-{draft.name}"
    if key not in st.session_state:  # it was not shown in the run before, so it starts from what the draft has
        st.session_state[key] = st.session_state[seen] = draft.document
    text = st.text_area("Definition as YAML", key=key, height=460, help="Judged when you leave the box, or Ctrl+Enter.")
    if text != st.session_state[seen]:
        st.session_state[seen] = text
        draft.written(text)
        judge(draft, found)
    if draft.fault:
        fault(draft)
    else:
        st.caption(":material/check: A definition. The form shows the same.")


def spread(draft: Draft, start: DateLike | None) -> None:
    """Draw where the spread stands and whether its legs belong together; nothing of this counts as a try."""
    if draft.strategy is None:
        st.info("There is no definition yet; mend what is typed first.", icon=":material/info:")
        return
    try:
        with st.spinner("Looking at the legs…"):
            seen = keep(look_at_spread, draft.strategy, start)
    except QuantError as error:
        st.info(f"There is nothing to see yet. {plain(str(error))}", icon=":material/info:")
        return
    for name, figure in seen.figures.items():
        chart(figure, f"spread-{name}")
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in seen.sentences))
    if seen.windows is not None:
        table(seen.windows.assign(half_life=half_lives(seen.windows)), WINDOWS, "windows", hide_index=True)
        st.caption("The first row is of all sessions. Each looks back over its own, so none of it is a decision.")


def half_lives(windows: pd.DataFrame) -> list[str]:
    """Return half-lives with their intervals as text; a gap that never closes takes for ever."""
    ends = windows[["half_life", "half_life_low", "half_life_high"]].itertuples(index=False)
    written = [tuple("∞" if np.isinf(end) else count(end) for end in row) for row in ends]
    return [value if low == UNKNOWN else f"{value} ({low} … {high})" for value, low, high in written]


def share(draft: Draft, paid: Costs | None, start: DateLike | None) -> None:
    """Draw the address that holds the whole definition, and the run as a notebook."""
    if (strategy := draft.strategy) is None:
        st.info("There is no definition yet; mend what is typed first.", icon=":material/info:")
        return
    code = as_link(strategy, draft.title)
    query = {"definition": quote_plus(draft.anywhere)} | ({} if paid is None else {"own_costs": "true"})
    query |= {} if paid is None else {name: f"{getattr(paid, name):g}" for name in COSTS}
    query |= {} if start is None else {"from": f"{start:%Y-%m-%d}"}
    here = (st.context.url or "").partition("?")[0]
    link = f"{here}?" + "&".join(f"{name}={value}" for name, value in {**query, LINK: code}.items())
    st.markdown(
        "**A link with the whole definition in it.** Whoever opens it sees the same definition, costs and span."
    )
    st.code(link, language=None, wrap_lines=True)
    name = plain_name(draft.title)
    cells = notebook_cells(strategy, name, paid, start)
    file = "".join(sign if sign.isalnum() else "-" for sign in name.lower()).strip("-")
    st.markdown(
        "**Open in a notebook.** The cells make this run again, with the same numbers. Put the file into `research/` "
        "and open it with `make notebook`."
    )
    with st.container(horizontal=True):
        st.download_button(
            "Notebook (.ipynb)", lambda: as_notebook(cells), f"{file}.ipynb", "application/x-ipynb+json",
            on_click="ignore", icon=":material/book:", key="notebook",
        )  # fmt: skip
        st.download_button("Python cells (.py)", cells, f"{file}.py", "text/x-python", on_click="ignore", key="cells")
        st.download_button(
            "Definition (.yaml)", draft.document, f"{file}.yaml", "application/yaml", on_click="ignore", key="yaml-file"
        )


def missing(draft: Draft, found: Prices) -> bool:
    """Say which symbols have no stored prices and how to load them; return whether there are any."""
    if draft.strategy is None:
        return False
    absent = [symbol for symbol in draft.strategy.inputs if symbol not in found.symbols]
    if not absent:
        return False
    have = "has" if len(absent) == 1 else "have"
    command = "workbench ingest " + " ".join(f"--symbol {shlex.quote(symbol)}" for symbol in absent)
    st.warning(
        f"**{plain(', '.join(absent))} {have} no stored prices** of the source in force ({found.title}). Load them on "
        f"the Data page, or run `{command} --source SOURCE` with a source that has them, and reload.",
        icon=":material/database_off:",
    )
    return True


def stale(
    draft: Draft, ran: tuple[Strategy, Costs | None, DateLike | None], now: tuple[Costs | None, DateLike | None]
) -> None:
    """Say that the record below is of other inputs than those above, and which."""
    strategy, paid, start = ran
    changes = [] if draft.strategy is None else [change.sentence for change in diff(strategy, draft.strategy)]
    if draft.strategy is None:
        changes.append("what is typed is no definition yet")
    if paid != now[0]:
        changes.append("the costs are others")
    if start != now[1]:
        changes.append(f"the first session is {now[1]:%Y-%m-%d}" if now[1] else "the first session is the first of all")
    few = "; ".join(changes[:6]) + (f"; and {len(changes) - 6} more" if len(changes) > 6 else "")
    st.warning(
        f"**The record below is of the former definition.** Since then: {plain(few)}. Press **Run** for the new one.",
        icon=":material/history:",
    )


def terms(draft: Draft, found: Prices, *, absent: bool) -> tuple[Costs | None, DateLike | None, bool]:
    """Draw costs, first session and the button; return them and whether it was pressed just now.

    Costs are None where they are the usual ones.
    """
    traded = () if draft.strategy is None else draft.strategy.inputs
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = st.date_input(
            "From", None, found.first.date(), found.newest.date(), "from", format="YYYY-MM-DD", bind="query-params",
            width=170, help="First session; all there are where it is left empty.",
        )  # fmt: skip
        with st.popover("Costs", icon=":material/payments:"):
            paid = costs(costs_in_words(keep(usual_costs, traded)) if traded else "by kind of instrument")
        sent = st.button(
            "Run", icon=":material/play_arrow:", type="primary", key="run",
            disabled=draft.strategy is None or absent,
            help="Runs it over its prices. Every run is kept, logged and counted as a try.",
        )  # fmt: skip
    return paid, start, sent
