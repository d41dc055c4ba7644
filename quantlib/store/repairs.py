"""Repairs: proposed changes of bars, applied only when somebody asks, and undone likewise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from quantlib.errors import DataError
from quantlib.store.bars import NUMBERS, check_bars, write_bars
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.upsert import as_json
from quantlib.types import BAR_COLUMNS, DateLike, as_date

COLUMNS = (
    *("symbol", "source", "ts", "check_name", "before", "after", "reason", "status", "proposed_at", "decided_at"),
)
SAME = 1e-9
"""Relative difference up to which a value counts as the one that was repaired."""
_REPAIRS = sa.table("repairs", *(sa.column(name) for name in COLUMNS), schema="market_data")

# What somebody has decided stays decided while the proposal stays the same. A proposal to change what an applied
# repair has put there would take away the way back, so it is left out.
_PROPOSE = sa.text("""
INSERT INTO market_data.repairs AS r (symbol, source, ts, check_name, before, after, reason)
VALUES (:symbol, :source, :ts, :check_name, :before, :after, :reason)
ON CONFLICT (symbol, source, ts, check_name) DO UPDATE
SET before = excluded.before, after = excluded.after, reason = excluded.reason, status = 'proposed',
    proposed_at = now(), decided_at = NULL
WHERE (r.before, r.after) IS DISTINCT FROM (excluded.before, excluded.after)
  AND NOT (r.status = 'applied' AND excluded.before = r.after)
RETURNING xmax = 0
""").bindparams(sa.bindparam("before", type_=JSONB), sa.bindparam("after", type_=JSONB))
_DECIDE = sa.text("""
UPDATE market_data.repairs SET status = :status, decided_at = now()
WHERE (symbol, source, ts, check_name) = (:symbol, :source, :ts, :check_name)
""")
_BAR = sa.text("SELECT * FROM market_data.bars WHERE (symbol, source, ts) = (:symbol, :source, :ts)")
_MARK = sa.text("""
INSERT INTO market_data.bar_grades (symbol, source, ts, check_name, grade, reason)
VALUES (:symbol, :source, :ts, 'repair:' || :check_name, 'repaired', :reason)
ON CONFLICT (symbol, source, ts, check_name) DO UPDATE SET reason = excluded.reason
""")
_UNMARK = sa.text("""
DELETE FROM market_data.bar_grades
WHERE (symbol, source, ts) = (:symbol, :source, :ts) AND check_name = :mark
""")


def propose_repairs(store: Store, frame: pd.DataFrame) -> WriteCount:
    """Return how many proposals were new, changed and known already; nothing is repaired.

    A proposal that somebody has applied or dismissed is not made again as long as it is the same.

    Parameters
    ----------
    store
        Where to.
    frame
        Columns symbol, source, ts, check_name, before, after, reason; `before` and `after` map columns of a bar
        to values.

    Raises
    ------
    DataError
        A column is missing, or a value is proposed for something that is no column of a bar.
    """
    needed = ["symbol", "source", "ts", "check_name", "before", "after", "reason"]
    if missing := [name for name in needed if name not in frame.columns]:
        raise DataError(f"Proposals lack the column {missing[0]}. Needed: {', '.join(needed)}.")
    rows: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    for row in rows:
        row["ts"] = as_date(row["ts"], "ts").date()
        row["before"], row["after"] = as_json(row["before"]), as_json(row["after"])
        if set(row["before"]) != set(row["after"]) or not set(row["after"]) <= set(NUMBERS) or not row["after"]:
            raise DataError(
                f"A repair of {row['symbol']} on {row['ts']} changes {', '.join(row['after']) or 'nothing'}. Give "
                f"before and after for the same of {', '.join(NUMBERS)}."
            )
    with store.begin() as connection:
        returned = [kind for row in rows for kind in connection.scalars(_PROPOSE, row)]
    new = sum(returned)
    return WriteCount(new, len(returned) - new, len(rows) - len(returned))


def read_repairs(store: Store, *, status: str | None = None) -> pd.DataFrame:
    """Return the proposals, the newest first: all of them, or those proposed, applied or dismissed.

    Returns
    -------
    DataFrame
        The columns of the model `Repair`.
    """
    query = sa.select(_REPAIRS).order_by(
        _REPAIRS.c.proposed_at.desc(), _REPAIRS.c.symbol, _REPAIRS.c.source, _REPAIRS.c.ts, _REPAIRS.c.check_name
    )
    if status is not None:
        query = query.where(_REPAIRS.c.status == status)
    with store.begin() as connection:
        frame = pd.DataFrame(connection.execute(query).all(), columns=list(COLUMNS))
    return frame.assign(ts=pd.to_datetime(frame["ts"]).astype("datetime64[us]"))


def decide_repair(store: Store, symbol: str, source: str, ts: DateLike, check_name: str, *, apply: bool) -> None:
    """Apply a proposed repair, or dismiss it; dismissing an applied one puts the bar back.

    The version before is kept like that of any changed bar, and the bar is graded `repaired`.

    Raises
    ------
    DataError
        There is no such proposal, the bar has changed since it was made, or what it proposes is no valid bar.
    """
    key: dict[str, Any] = {"symbol": symbol, "source": source, "ts": as_date(ts, "ts").date(), "check_name": check_name}
    place = " and ".join(f"{name} {value}" for name, value in key.items())
    with store.begin() as connection:
        query = sa.select(_REPAIRS).where(*(_REPAIRS.c[name] == value for name, value in key.items()))
        repair = connection.execute(query).mappings().one_or_none()
        if repair is None:
            raise DataError(f"No repair is proposed for {place}. `workbench quality repairs` lists them.")
        found = connection.execute(_BAR, key).mappings().one_or_none()
        bar = None if found is None else dict(found)
    if apply or repair["status"] == "applied":
        old, new = (repair["before"], repair["after"]) if apply else (repair["after"], repair["before"])
        # Where it is done already, an earlier attempt got as far as the bar and no further.
        if bar is not None and _holds(bar, old) and not _holds(bar, new):
            write_bars(store, _changed(bar, new))
        elif apply and (bar is None or not _holds(bar, new)):
            raise DataError(
                f"The bar of {symbol} on {key['ts']} has changed since the repair was proposed. "
                "Run `workbench quality check` again."
            )
    with store.begin() as connection:
        connection.execute(_DECIDE, {**key, "status": "applied" if apply else "dismissed"})
        if apply:
            changes = ", ".join(f"{n} {_shown(repair['before'][n])} to {_shown(v)}" for n, v in repair["after"].items())
            connection.execute(_MARK, {**key, "reason": f"{changes}: {repair['reason']}"})
        connection.execute(_UNMARK, {**key, "mark": check_name if apply else f"repair:{check_name}"})


def with_repairs(store: Store, good: pd.DataFrame) -> pd.DataFrame:
    """Return bars as `check_bars` gave them, with the applied repairs: a fault that comes again is repaired again.

    A bar that comes with other values than those repaired is left as it comes.
    """
    if good.empty:
        return good
    query = sa.select(_REPAIRS).where(
        _REPAIRS.c.status == "applied",
        _REPAIRS.c.source.in_(good["source"].unique().tolist()),
        _REPAIRS.c.symbol.in_(good["symbol"].unique().tolist()),
    )
    with store.begin() as connection:
        repairs = connection.execute(query.order_by(_REPAIRS.c.decided_at)).mappings().all()
    if not repairs:
        return good
    place = {key: i for i, key in enumerate(zip(good["symbol"], good["source"], good["ts"].dt.date, strict=True))}
    out = good.copy()
    for repair in repairs:
        i = place.get((repair["symbol"], repair["source"], repair["ts"]))
        if i is not None and _holds(out.iloc[i], repair["before"]):
            for name, value in repair["after"].items():
                out.loc[out.index[i], name] = _number(value)
    return out


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _holds(bar: Mapping[str, Any] | pd.Series, values: Mapping[str, float | None]) -> bool:
    """Tell whether a bar has these values."""
    have, want = [_number(bar[name]) for name in values], [_number(value) for value in values.values()]
    return bool(np.isclose(have, want, rtol=SAME, atol=0.0, equal_nan=True).all())


def _changed(bar: Mapping[str, Any], values: Mapping[str, float | None]) -> pd.DataFrame:
    """Return a stored bar with other values, checked."""
    day: date = bar["ts"]
    row = {**{name: bar[name] for name in BAR_COLUMNS}, **values, "ts": pd.Timestamp(day)}
    good, rejected = check_bars(pd.DataFrame([row]))
    if len(rejected):
        raise DataError(f"The repair of {bar['symbol']} on {day} gives no valid bar: {rejected['reason'].iloc[0]}.")
    return good
