"""World events: the files of `data/events` into the store, and out of it as a table."""

from __future__ import annotations

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.events import KINDS, read_events
from quantlib.store import WriteCount, check_rows, read_versions, write_versions
from quantlib.types import DateLike
from quantlib.workflows.session import Session

TABLE = "world_events"


def load_events(session: Session) -> WriteCount:
    """Return how many world events were new, changed and unchanged, having stored those of `data/events`.

    The files are all there is: an event that is in none of them any more is withdrawn. Loading the same files
    again writes nothing.

    Raises
    ------
    DataError
        A file is missing or breaks a rule; the message names file and line.
    """
    good, rejected = check_rows(TABLE, read_events(session.settings.data / "events"))
    if not rejected.empty:
        first = rejected.iloc[0]
        raise DataError(f"The event {first['id']} of data/events cannot be stored: {first['reason']}.")
    return write_versions(session.store, TABLE, good, complete={"kind": KINDS})


def list_events(
    session: Session,
    *,
    kinds: tuple[str, ...] = (),
    affected: tuple[str, ...] = (),
    start: DateLike | None = None,
    end: DateLike | None = None,
    as_of: DateLike | None = None,
) -> pd.DataFrame:
    """Return the stored world events, oldest first, in the columns of the model.

    Parameters
    ----------
    kinds, affected
        Only those of any of these kinds, and only those that moved any of these; all if empty.
    start, end
        First and last day (UTC), both included.
    as_of
        Only what was known at the end of that day.

    Raises
    ------
    DataError
        There is no such kind, or the span is upside down.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise DataError(f"There is no kind of event {kind!r}. {nearest(kind, KINDS)}")
    where = {name: wanted for name, wanted in (("kind", kinds), ("affected", affected)) if wanted}
    events = read_versions(session.store, TABLE, where=where, start=start, end=end, as_of=as_of)
    return events.sort_values(["happened_at", "id"], ignore_index=True)
