"""A scenario of one's own on the simulator page: a form and its text, which read and write the same draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Any, Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_names
from app.forms import parameters
from app.layout import plain
from app.simulator_own_draft import (
    LONGEST,
    Draft,
    as_link,
    begin,
    called,
    dump,
    from_link,
    longest,
    name_of,
    rows_of,
    shares_of,
    shocks_of,
)
from quantlib.errors import DataError
from quantlib.scenarios import FACTORS, Law, Scenario, Window
from quantlib.scenarios.scenario import SHAPES

#: Where the draft is kept between runs, and how the address calls it.
DRAFT, DRAFT_LINK = "own-held", "draft"
BY_SESSION = "session by session"
WORDS = {
    "gap": "all at once",
    "linear": "in equal steps",
    "front_loaded": "fast, then slower",
    "crash_then_recover": "down, then partly back",
    BY_SESSION: "session by session",
}
Place = Callable[[str, int], AbstractContextManager[None]]


def own_scenario(own: dict[str, Scenario], there: Mapping[str, Scenario], symbols: Sequence[str]) -> None:
    """Draw the scenario of one's own as a form or as text, judged as it is typed; and those taken in before."""
    draft = _open(own, there)
    view = st.segmented_control(
        "As", ["Form", "YAML"], default="Form", required=True, key="own-view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "Form":
        _form(draft, symbols)
    else:
        _document(draft)
    _keep_draft(draft)
    scenario = draft.scenario
    if draft.faults:
        st.error("It is no scenario yet; what is wrong is said beside it.", icon=":material/error:")
    with st.container(horizontal=True):
        sent = st.button("Take it in", icon=":material/add:", key="own-take", type="primary", disabled=scenario is None)
        if sent and scenario is not None:
            own[scenario.title] = scenario
            st.session_state["own-said"] = scenario.title
            st.rerun()
        st.download_button(
            "File (.yaml)", draft.document, f"{draft.fields.get('id', 'scenario')}.yaml", "application/yaml",
            on_click="ignore", icon=":material/download:", key="own-file", disabled=scenario is None,
            help="In the folder data/scenarios it is one of the ready scenarios from the next start on.",
        )  # fmt: skip
    if said := st.session_state.pop("own-said", ""):
        st.success(f"{plain(said)} is among the scenarios. Press Run.", icon=":material/check:")
    for title in own:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Leave out", icon=":material/remove:", key=f"own-drop-{title}"):
                del own[title]
                st.rerun()
            st.markdown(plain(title))
    st.caption("What is valid stands in the address: a reload or a bookmark brings it back, a link passes it on.")


def _open(own: Mapping[str, Scenario], there: Mapping[str, Scenario]) -> Draft:
    """Draw what to begin with and return the draft of this visit; one in the address goes before it."""
    patterns = {one.title: one for one in (*there.values(), *own.values())}
    heed_names("scenario", "own-pattern", patterns)
    title = st.selectbox("Begin with", list(patterns), key="own-pattern", bind="query-params")
    found: Draft | None = st.session_state.get(DRAFT)
    if found is not None and found.base == title:
        return found
    pattern, turn = patterns[title], 0 if found is None else found.turn + 1
    fields = dump(pattern) if title in own else begin(pattern)
    st.session_state[DRAFT] = draft = Draft(title, fields, tuple(there.values()), turn=turn)
    if found is None and (code := st.query_params.get(DRAFT_LINK)):
        try:
            draft.typed(dump(from_link(code)))
        except DataError as error:
            st.error(plain(str(error)), icon=":material/link_off:")
    return draft


def _keep_draft(draft: Draft) -> None:
    """Let the draft travel in the address; the last valid one stays while it is none."""
    if not draft.changed:
        if DRAFT_LINK in st.query_params:
            del st.query_params[DRAFT_LINK]
        return
    if draft.scenario is None:
        return
    code = as_link(draft.scenario)
    if len(code) <= LONGEST and st.query_params.get(DRAFT_LINK) != code:
        st.query_params[DRAFT_LINK] = code


def _document(draft: Draft) -> None:
    """Draw the draft as text."""
    key, seen = "own-text", "own-text-seen"
    if key not in st.session_state or st.session_state.get("own-text-turn") != (draft.base, draft.turn):
        st.session_state[key] = st.session_state[seen] = draft.document
    text = st.text_area("Scenario as YAML", key=key, height=420, help="Judged when you leave the box, or Ctrl+Enter.")
    if text != st.session_state[seen]:
        st.session_state[seen] = text
        draft.written(text)
    st.session_state["own-text-turn"] = (draft.base, draft.turn)
    for name, sentences in draft.faults.items():
        _say(st, [f"{name}: {sentence}" if name else sentence for sentence in sentences])


def _form(draft: Draft, symbols: Sequence[str]) -> None:
    """Draw the draft as a form, with what is wrong beside each field."""
    if draft.text is not None:
        _say(st, draft.faults[""])
        st.info("The text is no scenario yet, so the form shows the last one that was. What you typed is kept: go back "
                "to **YAML** to mend it. A change here takes its place.", icon=":material/info:")  # fmt: skip
    slots: dict[str, DeltaGenerator] = {}
    with st.container(border=True):
        held = _fields(draft, symbols, f"own-{draft.base}-{draft.turn}", slots)
    draft.typed(held)
    if draft.text is None:
        for name, sentences in draft.faults.items():
            _say(slots.get(name, st), sentences)


def _fields(draft: Draft, symbols: Sequence[str], key: str, slots: dict[str, DeltaGenerator]) -> dict[str, Any]:
    """Draw one widget a field and return what they hold, as a file would; `slots` gets the place below each."""
    was, out = draft.fields, dict(draft.fields)

    @contextmanager
    def place(name: str, width: int | Literal["stretch"] = "stretch") -> Iterator[None]:
        with st.container(width=width, gap="xxsmall"):
            yield
            slots[name] = st.container()

    def of(model: type[Scenario] | type[Law], values: Mapping[str, Any], name: str, width: int = 150) -> Any:
        with place(name, width):
            return parameters(model, values, (), key, fields=(name,))[name]

    about = {name: one.description or "" for name, one in Scenario.model_fields.items()}
    with st.container(horizontal=True):
        with place("title", 360):
            out["title"] = st.text_input(
                "Title", was["title"], longest("title"), f"{key}-title", help=about["title"]
            ).strip()
        out["kind"] = of(Scenario, was, "kind")
        if out["kind"] == "historical":
            before = was.get("window") or {}
            out["window"] = _window(before, key, place)
            slots["window"] = slots["end"]
        else:
            out["window"] = None
    if out["title"] != was["title"]:
        out["id"] = name_of(out["title"])
    with place("story"):
        out["story"] = st.text_area("Story", was["story"], height=110, key=f"{key}-story", help=about["story"]).strip()
    with place("source"):
        out["source"] = st.text_input("Source", was["source"], key=f"{key}-source", help=about["source"]).strip()
    with st.container(horizontal=True):
        out["sessions"] = of(Scenario, was, "sessions")
        out["path"] = _path(was["path"], key, about["path"], place)
        out["recovers"] = None
        if out["path"] == "crash_then_recover":
            out["recovers"] = of(Scenario, {"recovers": was["recovers"] or 0.5}, "recovers")
    with st.container(horizontal=True):
        out["law"] = {name: of(Law, was["law"], name) for name in Law.model_fields}
    slots["law"] = st.container()
    with place("shocks"):
        out["shocks"] = _shocks(was["shocks"], symbols, key)
    return out


def _window(before: Mapping[str, str], key: str, place: Place) -> dict[str, str | None]:
    """Draw the two closes between which the facts of a historical scenario were measured."""
    out: dict[str, str | None] = {}
    for name, title in (("start", "From the close of"), ("end", "To the close of")):
        with place(name, 150):
            came = date.fromisoformat(before[name]) if before.get(name) else None
            day = st.date_input(title, came, date(1900, 1, 1), key=f"{key}-{name}",
                                help=Window.model_fields[name].description)  # fmt: skip
            out[name] = f"{day:%Y-%m-%d}" if day else None
    return out


def _path(before: Any, key: str, about: str, place: Place) -> Any:
    """Draw the way there: a shape, or the share of the move by each close."""
    with place("path", 360):
        options, given = [*SHAPES, BY_SESSION], not isinstance(before, str)
        shape = st.selectbox(
            "Path", options, options.index(BY_SESSION if given else before), WORDS.__getitem__, f"{key}-path", about
        )
        if shape != BY_SESSION:
            return shape
        shares = (
            ", ".join(f"{share:g}" if isinstance(share, float | int) else share for share in before) if given else "1"
        )
        return shares_of(st.text_input("Share of the move by each close", shares, key=f"{key}-shares",
                                       help="As many as there are sessions, the last one 1."))  # fmt: skip


def _shocks(before: Sequence[Mapping[str, Any]], symbols: Sequence[str], key: str) -> list[dict[str, Any]]:
    """Draw the shocks as a table and return them."""
    key, start = f"{key}-shocks", f"{key}-shocks-start"
    if key not in st.session_state:  # its edits are gone or there were none, so it starts from what the draft has
        st.session_state[start] = rows_of(before)
    begun: pd.DataFrame = st.session_state[start]
    options = list(dict.fromkeys([*FACTORS, *sorted({*symbols, *begun["moves"].dropna()} - FACTORS.keys())]))
    st.markdown("**Shocks**", help="What is not named follows by history. The last row takes a new one.")
    edited = st.data_editor(
        begun,
        key=key,
        num_rows="dynamic",
        hide_index=True,
        width=560,
        placeholder="",
        column_config={
            "moves": st.column_config.SelectboxColumn(
                "Moves", options=options, format_func=called, width="medium", required=True
            ),
            "size": st.column_config.NumberColumn("By", format="%+g", help="In the unit beside what moves."),
        },
    )
    return shocks_of(edited)


def _say(where: Any, sentences: Sequence[str]) -> None:
    """Write what is wrong, below the field it is about."""
    for sentence in sentences:
        where.markdown(f":red[:material/error: {plain(sentence)}]")
