"""What pages share between runs: the session, and results that hold until the store changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import streamlit as st

from quantlib.settings import utc_now
from quantlib.workflows.session import Session, open_session

Result = TypeVar("Result")
MARK = "_watermark"


@st.cache_resource(show_spinner="Opening the database…", on_release=Session.close)
def session() -> Session:
    """Return the one session of this server process."""
    return open_session(origin="app")


def new_run() -> None:
    """Forget the mark of the run before; the app's entry calls this first, so that a page reads it once a run."""
    st.session_state.pop(MARK, None)


def stamp() -> str:
    """Return a mark that changes when anything is stored; results are kept as long as it stays."""
    if MARK not in st.session_state:
        st.session_state[MARK] = session().watermark
    return str(st.session_state[MARK])


def hour() -> datetime:
    """Return the last full hour, an argument of `keep` for what changes with the clock although nothing is stored."""
    return utc_now().replace(minute=0, second=0, microsecond=0)


@st.cache_resource(max_entries=64, show_spinner=False)
def _kept(key: str, mark: str, arguments: tuple[Any, ...], _compute: Callable[..., Any]) -> Any:
    return _compute(session(), *arguments)


def keep(compute: Callable[..., Result], *arguments: Any) -> Result:
    """Return `compute(session, *arguments)`, computed once for as long as the store does not change.

    Parameters
    ----------
    compute
        A workflow that only reads; its result is shared between users and must not be changed.
    arguments
        Hashable arguments.
    """
    return _kept(f"{compute.__module__}.{compute.__qualname__}", stamp(), arguments, compute)  # type: ignore[no-any-return]
