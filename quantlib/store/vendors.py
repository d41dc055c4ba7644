"""The circuit breaker of each vendor, shared by all processes: `ops.vendors`.

Closed while a vendor answers. After `FAULTS_TO_OPEN` faults in a row it is open: the vendor is left alone, for
longer after each further fault. When the pause is over, exactly one process may try; a good answer closes the
breaker, a fault opens it again.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pandas as pd
import sqlalchemy as sa

from quantlib.models.ops import VendorState
from quantlib.store.database import Store

FAULTS_TO_OPEN = 5
FIRST_PAUSE, LONGEST_PAUSE = 300, 3600
"""Seconds the breaker stays open at first and at most; each further fault doubles the pause."""
TRIAL_SECONDS = 180
"""How long the one process that tries may take before another one may."""
_MOMENT = sa.DateTime(timezone=True)


class Admission(NamedTuple):
    """Whether a vendor may be asked.

    Attributes
    ----------
    open
        Whether the way is open.
    trial
        Whether this is the one try after a pause.
    until
        Where it is not: from when it may be worth asking again.
    failures
        Faults in a row.
    last_error
        The last of them, in words.
    """

    open: bool
    trial: bool = False
    until: datetime | None = None
    failures: int = 0
    last_error: str = ""


# One statement each: two processes never see the same state and both act on it.
_TRY = sa.text("""
UPDATE ops.vendors SET trial_until = coalesce(:at, now()) + make_interval(secs => :trial)
WHERE source = :source AND open_until <= coalesce(:at, now())
  AND (trial_until IS NULL OR trial_until <= coalesce(:at, now()))
RETURNING failures
""").bindparams(sa.bindparam("at", type_=_MOMENT), trial=TRIAL_SECONDS)
_STATE = sa.text("""
SELECT failures, greatest(open_until, trial_until) AS until, last_error
FROM ops.vendors WHERE source = :source AND open_until IS NOT NULL
""")
_SUCCESS = sa.text("""
INSERT INTO ops.vendors AS v (source, last_success_at) VALUES (:source, coalesce(:at, now()))
ON CONFLICT (source) DO UPDATE
SET failures = 0, open_until = NULL, trial_until = NULL, last_success_at = excluded.last_success_at
""").bindparams(sa.bindparam("at", type_=_MOMENT))
# A fault of a call that was under way when the breaker opened is written down and not counted: else the more
# calls run at once, the longer the pause.
_FAULT = sa.text("""
INSERT INTO ops.vendors AS v (source, failures, last_error_at, last_error)
VALUES (:source, 1, coalesce(:at, now()), :words)
ON CONFLICT (source) DO UPDATE
SET failures = CASE WHEN v.open_until > excluded.last_error_at THEN v.failures ELSE v.failures + 1 END,
    open_until = CASE
        WHEN v.open_until > excluded.last_error_at THEN v.open_until
        WHEN v.failures + 1 >= :faults THEN excluded.last_error_at + make_interval(
            secs => least(:longest, :first * 2 ^ least(v.failures + 1 - :faults, 10)))
    END,
    trial_until = NULL, last_error_at = excluded.last_error_at, last_error = excluded.last_error
""").bindparams(sa.bindparam("at", type_=_MOMENT), faults=FAULTS_TO_OPEN, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
_NOTE = sa.text("""
INSERT INTO ops.vendors (source, last_error_at, last_error) VALUES (:source, coalesce(:at, now()), :words)
ON CONFLICT (source) DO UPDATE SET last_error_at = excluded.last_error_at, last_error = excluded.last_error
""").bindparams(sa.bindparam("at", type_=_MOMENT))
_TABLE = sa.table("vendors", *(sa.column(name) for name in VendorState.columns()), schema="ops")


def admit(store: Store, source: str, *, at: datetime | None = None) -> Admission:
    """Return whether a vendor may be asked; after a pause, only one asker of all processes is told yes.

    Parameters
    ----------
    store
        The database all processes share.
    source
        Key in `SOURCES`.
    at
        The present moment; the server's clock if None.
    """
    asked = {"source": source, "at": at}
    with store.begin() as connection:
        state = connection.execute(_STATE, {"source": source}).one_or_none()
        if state is None:
            return Admission(open=True)
        if connection.execute(_TRY, asked).one_or_none() is not None:
            return Admission(open=True, trial=True, failures=state.failures, last_error=state.last_error)
        return Admission(open=False, until=state.until, failures=state.failures, last_error=state.last_error)


def note_success(store: Store, source: str, *, at: datetime | None = None) -> None:
    """Write down a good answer; it closes the breaker."""
    _run(store, _SUCCESS, source=source, at=at)


def note_fault(store: Store, source: str, words: str, *, at: datetime | None = None) -> None:
    """Write down a fault of the vendor's, with what it was; it may open the breaker."""
    _run(store, _FAULT, source=source, words=words, at=at)


def note_refusal(store: Store, source: str, words: str, *, at: datetime | None = None) -> None:
    """Write down an error that says nothing about the vendor's health, such as a wrong key."""
    _run(store, _NOTE, source=source, words=words, at=at)


def _run(store: Store, statement: sa.TextClause, **values: object) -> None:
    with store.begin() as connection:
        connection.execute(statement, values)


def vendor_states(store: Store) -> pd.DataFrame:
    """Return how each vendor answers, in the columns of `VendorState`; vendors never asked have no row."""
    with store.begin() as connection:
        rows = connection.execute(sa.select(_TABLE).order_by(_TABLE.c.source)).all()
    frame = pd.DataFrame(rows, columns=list(VendorState.columns()))
    moments = [name for name in VendorState.columns() if name.endswith(("_at", "_until"))]
    return frame.astype({"source": "str", "failures": "int64", "last_error": "str"}).astype(
        dict.fromkeys(moments, "datetime64[us, UTC]")
    )
