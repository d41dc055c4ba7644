"""The Data page's second half: what is being loaded, what ran, what runs by itself, and how the vendors are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.cache import session
from app.layout import table
from quantlib.charts.numbers import UNKNOWN
from quantlib.errors import QuantError
from quantlib.sources import SOURCES
from quantlib.workflows.jobs import OPEN, cancel_job, job_history, repeat_job, start_job, workers_alive
from quantlib.workflows.reading import ingest_history
from quantlib.workflows.schedule import list_schedules, switch
from quantlib.workflows.tasks import TASKS
from quantlib.workflows.vendors import list_sources

MOMENT = "YYYY-MM-DD HH:mm"
JOBS: dict[str, Any] = {
    "id": st.column_config.NumberColumn("Job", format="%d"),
    "task": "What",
    "status": "State",
    "reason": "Why",
    "said": st.column_config.TextColumn("What came of it", width="large"),
    "started_at": st.column_config.DatetimeColumn("Started (UTC)", format=MOMENT),
    "finished_at": st.column_config.DatetimeColumn("Ended (UTC)", format=MOMENT),
    "attempts": "Attempts",
}
INGESTS: dict[str, Any] = {
    "started_at": st.column_config.DatetimeColumn("Started (UTC)", format=MOMENT),
    "source": "Source",
    "status": "State",
    "rows_new": ("New", "%,d"),
    "rows_changed": ("Changed", "%,d"),
    "rows_unchanged": ("Unchanged", "%,d"),
    "rows_rejected": ("Rejected", "%,d"),
    "message": st.column_config.TextColumn("In words", width="large"),
}
SOURCE_COLUMNS: dict[str, Any] = {
    "title": st.column_config.TextColumn("Vendor", pinned=True),
    "kinds": "Has",
    "key": "Key",
    "tested_on": "Parser tested on",
    "quota": "Quota left",
    "last_success": st.column_config.DatetimeColumn("Last answer (UTC)", format=MOMENT),
    "breaker": "State",
    "last_error": st.column_config.TextColumn("Last fault", width="large"),
    "note": st.column_config.TextColumn("What to know", width="large"),
}
LIVE = [name for name, source in SOURCES.items() if not source.local]


def _do(action: Any, *arguments: Any, **more: Any) -> None:
    """Run an action of a button and keep what it said for the next run of the page."""
    try:
        st.session_state["data-said"] = str(action(session(), *arguments, **more) or "Done.")
    except QuantError as error:
        st.session_state["data-failed"] = str(error)


def said() -> None:
    """Write what the last button did, once."""
    if message := st.session_state.pop("data-said", ""):
        st.success(message, icon=":material/check:")
    if message := st.session_state.pop("data-failed", ""):
        st.error(message, icon=":material/error:")


def refresh(symbols: list[str], where: str) -> None:
    """Draw the button that asks a vendor for what is new; the work is a job, so the page need not stay open."""
    with st.popover("Refresh…", icon=":material/refresh:"):
        st.caption("Asks one vendor for what is new. A worker does it; progress is under Jobs.")
        source = st.selectbox("Vendor", LIVE, format_func=lambda name: SOURCES[name].title, key="refresh-source")
        kinds = st.multiselect("What", SOURCES[source].kinds, SOURCES[source].kinds[:1], key=f"refresh-kinds-{source}")
        everything = st.toggle("All the vendor has of the universe", key="refresh-all", value=not symbols)
        missing = [key for key in SOURCES[source].keys if not session().settings.credentials([key])]
        if missing:
            st.warning(f"{', '.join(missing)} is not set, so it would be skipped. See Vendors.")
        arguments = {"source": source, "kinds": kinds, "symbols": None if everything else symbols}
        st.button(
            "Put into the queue", type="primary", disabled=not kinds, on_click=_do, args=(_queue, arguments, where)
        )


def _queue(here: Any, arguments: dict[str, Any], where: str) -> str:
    queued = start_job(here, "ingest", arguments, reason=f"asked for on the Data page, {where}")
    words = f"Job {queued.id} waits for a worker." if queued.new else f"Job {queued.id} is waiting for the same."
    return words if workers_alive(here) else f"{words} None is running: start one with `workbench worker`."


@st.fragment(run_every=3)
def running() -> None:
    """Draw the jobs that wait or run, with their progress, anew every few seconds."""
    now = job_history(session(), open_only=True, limit=20)
    if not workers_alive(session()):
        st.warning("**No worker is running**, so nothing is loaded. `make run` and `workbench worker` start one.",
                   icon=":material/pause_circle:")  # fmt: skip
    if now.empty:
        st.caption("Nothing waits and nothing runs.")
        return
    for row in now.to_dict("records"):
        number, done, total = int(row["id"]), int(row["done"]), int(row["total"])
        with st.container(horizontal=True, vertical_alignment="center"):
            steps = f"{done:,} of {total:,}, {row['label']}" if total else row["status"]
            title = TASKS[row["task"]].title.lower()
            st.progress(min(done / total, 1.0) if total else 0.0, f"Job {number}, {title}: {steps}")
            st.button(
                "Cancel",
                key=f"cancel-{number}",
                on_click=_do,
                args=(cancel_job, number),
                disabled=row["status"] == "stopping",
            )


def jobs() -> None:
    """Draw what runs, what ran, and a way to run it again."""
    running()
    past = job_history(session(), limit=200)
    past = past[~past["status"].isin(OPEN)]
    st.markdown("**History**")
    if past.empty:
        st.caption("No job has ended yet.")
    else:
        moments = {name: pd.to_datetime(past[name]).dt.tz_convert(None) for name in ("started_at", "finished_at")}
        shown = past.assign(task=past["task"].map(lambda task: TASKS[task].title), **moments)
        event = st.dataframe(
            shown[list(JOBS)],
            column_config=JOBS, hide_index=True,
            key=f"job-history-{past['id'].iloc[0]}-{len(past)}", placeholder=UNKNOWN,
            on_select="rerun", selection_mode="single-row", height="content" if len(past) <= 10 else 388,
        )  # fmt: skip
        chosen = event["selection"]["rows"]
        number = int(past["id"].iloc[chosen[0]]) if chosen else 0
        st.button(
            f"Run job {number} again" if chosen else "Choose a job to run it again",
            disabled=not chosen, on_click=_do, args=(_again, number), icon=":material/replay:",
        )  # fmt: skip
    st.markdown("**Ingests**")
    log = ingest_history(session())
    if log.empty:
        st.caption("Nothing has been loaded yet.")
    else:
        table(log, INGESTS, "ingests", hide_index=True, height="content" if len(log) <= 10 else 388)


def _again(here: Any, number: int) -> str:
    return f"Job {repeat_job(here, number).id} does the same again."


def schedules() -> None:
    """Draw what runs by itself and when, with a switch each."""
    planned = list_schedules(session())
    if not planned:
        st.info("No schedule is written yet; the first start of a worker writes the usual ones.")
        return
    st.caption("Times follow the exchange: holidays, half days and clock changes are in them.")
    for one in planned:
        name, record = one.record.name, one.record
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            when = f"next {one.next_at:%a %Y-%m-%d %H:%M} UTC" if one.next_at else one.problem or "off"
            st.markdown(f"**{name}** · {TASKS[record.task].title} · {record.trigger} · {when}  \n:small[{record.note}]")
            st.toggle(
                "On",
                record.enabled,
                key=f"schedule-{name}",
                on_change=_switch,
                args=(name,),
                label_visibility="collapsed",
            )


def _switch(name: str) -> None:
    _do(switch, name, on=st.session_state[f"schedule-{name}"])


def vendors() -> None:
    """Draw every vendor: whether it can be asked, and how it answered last."""
    states = pd.DataFrame(
        [
            {
                "title": one.title,
                "kinds": ", ".join(one.kinds),
                "key": one.key,
                "tested_on": "recorded answers" if one.verified else "its documentation only: unverified",
                "quota": one.quota,
                "last_success": one.last_success_at,
                "breaker": one.breaker,
                "last_error": one.last_error,
                "note": one.note,
            }
            for one in list_sources(session())
        ]
    )
    states["last_success"] = pd.to_datetime(states["last_success"], utc=True)
    table(states, SOURCE_COLUMNS, "vendors", hide_index=True, height="content")
    st.caption("Keys come from the environment, `.env`, the keyring or Vault, and are never shown or stored.")
