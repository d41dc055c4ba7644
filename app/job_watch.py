"""Jobs of one task on the page that asked for them: how far they are, cancelling, and what came of them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.cache import session
from app.layout import plain
from quantlib.errors import QuantError
from quantlib.workflows.jobs import OPEN, cancel_job, job, job_history, workers_alive


def watched(task: str) -> str:
    """Return where a visit keeps the numbers of the jobs it saw waiting or running."""
    return f"{task}-jobs"


def expect(task: str, number: int) -> None:
    """Watch a job that this visit has just asked for."""
    st.session_state.setdefault(watched(task), set()).add(number)


def watch(task: str, unit: str) -> None:
    """Draw how far the jobs of a task are, anew every few seconds while there are any.

    Parameters
    ----------
    unit
        What is counted: "combinations", "percent".
    """
    # A page without a job under way has nothing to ask for every few seconds.
    running = _open(task)
    if running.empty and not st.session_state.get(watched(task)):
        return
    st.fragment(_progress, run_every=None if running.empty else 3)(task, unit)


def said(task: str) -> str:
    """Return what came of the last job or of cancelling it, once; empty where there is nothing new."""
    return str(st.session_state.pop(f"{task}-said", ""))


def _open(task: str) -> pd.DataFrame:
    return job_history(session(), task=task, open_only=True, limit=5)


def _progress(task: str, unit: str) -> None:
    """Draw the jobs that wait or run; when one ends the page is drawn again."""
    running = _open(task)
    now = {int(number) for number in running["id"]}
    # The table holds the newest few, so one that is not in it may still wait.
    unseen = [job(session(), number) for number in sorted(st.session_state.get(watched(task), set()) - now)]
    outcomes = [one for one in unseen if one["status"] not in OPEN]
    st.session_state[watched(task)] = now | {int(one["id"]) for one in unseen if one["status"] in OPEN}
    if outcomes:
        ended = (f"Job {one['id']} {one['status']}: {one['said'] or 'it says nothing'}" for one in outcomes)
        st.session_state[f"{task}-said"] = " ".join(ended)
        st.rerun()
    if running.empty:
        return
    if not workers_alive(session()):
        waits = f"**No worker is running**, so the {'sweep' if task == 'sweep' else 'job'} waits."
        st.warning(f"{waits} `make run` and `workbench worker` start one.", icon=":material/pause_circle:")
    for row in running.to_dict("records"):
        number, done, total = int(row["id"]), int(row["done"]), int(row["total"])
        with st.container(horizontal=True, vertical_alignment="center"):
            told = f"{done:,} of {total:,} {unit}" if total else str(row["status"])
            name = plain((row["args"] or {}).get("name") or task.capitalize())
            st.progress(min(done / total, 1.0) if total else 0.0, f"{name}, job {number}: {told}")
            st.button("Cancel", key=f"{task}-cancel-{number}", on_click=_cancel, args=(task, number),
                      disabled=row["status"] == "stopping")  # fmt: skip


def _cancel(task: str, number: int) -> None:
    """Cancel a job and keep what that did for the next run of the page."""
    try:
        st.session_state[f"{task}-said"] = cancel_job(session(), number)
    except QuantError as error:
        st.session_state[f"{task}-said"] = str(error)
