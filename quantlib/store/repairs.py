"""Repairs: proposed changes of bars, applied only when somebody asks, and undone likewise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
from quantlib.store.turns import BARS, GRADES, REPAIRS, Turn, take_turn
from quantlib.store.upsert import as_json
from quantlib.types import BAR_COLUMNS, DateLike, as_date

KEY = ("symbol", "source", "ts", "check_name")
COLUMNS = (
    *KEY,
    *("before", "after", "reason", "status", "proposed_at", "decided_at"),
)
SAME = 1e-6
"""Relative difference up to which a value counts as the one that was repaired: vendors round."""
_REPAIRS = sa.table("repairs", *(sa.column(name) for name in COLUMNS), schema="market_data")

# What somebody has decided stays decided while the proposal stays the same. A proposal to change what an applied
# repair has put there would take away the way back, so it is left out.
_PROPOSE = sa.text("""
INSERT INTO market_data.repairs AS r (symbol, source, ts, check_name, before, after, reason)
VALUES (:symbol, :source, :ts, :check_name, :before, :after, :reason)
ON CONFLICT (symbol, source, ts, check_name) DO UPDATE
SET before = excluded.before, after = excluded.after, reason = excluded.reason, status = 'proposed',
    proposed_at = now(), decided_at = NULL, doubt = NULL
WHERE (r.before, r.after) IS DISTINCT FROM (excluded.before, excluded.after)
  AND NOT (r.status = 'applied' AND excluded.before = r.after)
RETURNING xmax = 0
""").bindparams(sa.bindparam("before", type_=JSONB), sa.bindparam("after", type_=JSONB))
_TAKE_TURN = sa.text("SELECT pg_advisory_xact_lock(hashtext(:table))")
_REPAIR = """
SELECT before::text, after::text, reason, status FROM market_data.repairs
WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4)
"""
_BAR = """
SELECT symbol, source, ts, open, high, low, close, volume, adj_close FROM market_data.bars
WHERE (symbol, source, ts) = ($1, $2, $3)
"""
_DECIDE = """
UPDATE market_data.repairs SET status = $5, decided_at = now()
WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4)
"""
# An applied repair keeps the doubt it lifts, and gives it back when it is dismissed.
_LIFT_DOUBT = """
WITH lifted AS (DELETE FROM market_data.bar_grades WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4)
                RETURNING jsonb_build_object('grade', grade, 'reason', reason, 'found_at', found_at) AS doubt)
UPDATE market_data.repairs r SET doubt = lifted.doubt FROM lifted
WHERE (r.symbol, r.source, r.ts, r.check_name) = ($1, $2, $3, $4)
"""
_RETURN_DOUBT = """
INSERT INTO market_data.bar_grades (symbol, source, ts, check_name, grade, reason, found_at)
SELECT symbol, source, ts, check_name, doubt->>'grade', doubt->>'reason', (doubt->>'found_at')::timestamptz
FROM market_data.repairs
WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4) AND doubt IS NOT NULL
ON CONFLICT DO NOTHING
"""
_FORGET_DOUBT = """
UPDATE market_data.repairs SET doubt = NULL
WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4)
"""
_MARK = """
INSERT INTO market_data.bar_grades (symbol, source, ts, check_name, grade, reason)
VALUES ($1, $2, $3, 'repair:' || $4::text, 'repaired', $5)
ON CONFLICT (symbol, source, ts, check_name) DO UPDATE SET reason = excluded.reason
"""
_UNMARK = """
DELETE FROM market_data.bar_grades WHERE (symbol, source, ts, check_name) = ($1, $2, $3, 'repair:' || $4::text)
"""
_APPLIED = """
SELECT symbol, source, ts, check_name, before::text, after::text FROM market_data.repairs
WHERE status = 'applied' AND source = ANY ($1::text[]) AND symbol = ANY ($2::text[])
ORDER BY decided_at, symbol, source, ts, check_name
"""
_OUTDATE = """
UPDATE market_data.repairs
SET status = 'dismissed', decided_at = now(), doubt = NULL, reason = concat_ws(' ', reason, $5::text)
WHERE (symbol, source, ts, check_name) = ($1, $2, $3, $4)
"""


def propose_repairs(
    store: Store, frame: pd.DataFrame, *, complete: Mapping[str, Iterable[str]] | None = None
) -> WriteCount:
    """Return how many proposals were new, changed (withdrawn ones included) and known already; nothing is repaired.

    A proposal that somebody has applied or dismissed is not made again as long as it is the same.

    Parameters
    ----------
    store
        Where to.
    frame
        Columns symbol, source, ts, check_name, before, after, reason; `before` and `after` map columns of a bar
        to values.
    complete
        Names by symbol, source and check_name: the frame is all that these checks propose for these series, so
        what nobody has decided on and the frame lacks is withdrawn.

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
    withdrawn = 0
    with store.begin() as connection:
        connection.execute(_TAKE_TURN, {"table": REPAIRS})
        returned = [kind for row in rows for kind in connection.scalars(_PROPOSE, row)]
        if complete is not None:
            made = [tuple(row[name] for name in KEY) for row in rows]
            scope = [_REPAIRS.c[name].in_(list(complete[name])) for name in ("symbol", "source", "check_name")]
            stale = sa.delete(_REPAIRS).where(
                _REPAIRS.c.status == "proposed", *scope, sa.tuple_(*(_REPAIRS.c[name] for name in KEY)).not_in(made)
            )
            withdrawn = connection.execute(stale).rowcount
    new = sum(returned)
    return WriteCount(new, len(returned) - new + withdrawn, len(rows) - len(returned))


def read_repairs(store: Store, *, status: str | None = None) -> pd.DataFrame:
    """Return the proposals, the newest first: all of them, or those proposed, applied or dismissed.

    Returns
    -------
    DataFrame
        The columns of the model `Repair`, but for the doubt that an applied one keeps.
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
    """Apply a proposed repair, or dismiss it; dismissing an applied one puts the bar and the doubt about it back.

    The version before is kept like that of any changed bar, and the bar is graded `repaired`. Bar, decision and
    grade are stored together or not at all, and no other writer of bars comes in between.

    Raises
    ------
    DataError
        There is no such proposal, the bar has changed since it was made, or what it proposes is no valid bar.
    """
    key = [symbol, source, as_date(ts, "ts").date(), check_name]
    with take_turn(store, BARS, GRADES, REPAIRS) as turn:
        cursor = turn.cursor
        cursor.execute(_REPAIR, key)
        repairs = cursor.fetchall()
        if not repairs:
            place = " and ".join(f"{name} {value}" for name, value in zip(KEY, key, strict=True))
            raise DataError(f"No repair is proposed for {place}. `workbench quality repairs` lists them.")
        before, after = json.loads(repairs[0][0]), json.loads(repairs[0][1])
        reason, status = repairs[0][2:]
        cursor.execute(_BAR, key[:3])
        bar = next(iter(cursor.fetch_arrow_table().to_pylist()), None)
        old, new = (before, after) if apply else (after, before)
        wanted = status != "applied" if apply else status == "applied"
        fits = bar is not None and _holds(bar, old)
        if apply and wanted and not fits:
            raise DataError(
                f"The bar of {symbol} on {key[2]} has changed since the repair was proposed. "
                "Run `workbench quality check` again."
            )
        if wanted and fits and bar is not None:
            write_bars(store, _changed(bar, new), within=turn)
        cursor.execute(_DECIDE, [*key, "applied" if apply else "dismissed"])
        if apply:
            changes = ", ".join(f"{name} {_shown(before[name])} to {_shown(value)}" for name, value in after.items())
            cursor.execute(_MARK, [*key, f"{changes}: {reason}"])
            cursor.execute(_LIFT_DOUBT, key)
            return
        cursor.execute(_UNMARK, key)
        if wanted and fits:  # the faulty bar is back
            cursor.execute(_RETURN_DOUBT, key)
        cursor.execute(_FORGET_DOUBT, key)


def with_repairs(store: Store, good: pd.DataFrame, *, within: Turn | None = None) -> pd.DataFrame:
    """Return bars to be written, with the applied repairs: a fault that comes again is repaired again.

    A bar that comes with other values than those repaired is left as it comes: the source has spoken again. Its
    repair is then dismissed, with a word on why, and its mark is gone; what the new values are worth is for the
    checks to say.

    Parameters
    ----------
    store
        Where the repairs are.
    good
        The first result of `check_bars`.
    within
        The turn in which the bars are going to be written; it is for bars, their grades and repairs.
    """
    if good.empty:
        return good
    with take_turn(store, BARS, GRADES, REPAIRS, within=within) as turn:
        turn.cursor.execute(_APPLIED, [good["source"].unique().tolist(), good["symbol"].unique().tolist()])
        repairs = turn.cursor.fetchall()
        if not repairs:
            return good
        place = {key: i for i, key in enumerate(zip(good["symbol"], good["source"], good["ts"].dt.date, strict=True))}
        out = good.copy()
        for *key, old, new in repairs:
            i = place.get((key[0], key[1], key[2]))
            if i is None:
                continue
            before, after = json.loads(old), json.loads(new)
            bar = out.iloc[i]
            if _holds(bar, before):
                for name, value in after.items():
                    out.loc[out.index[i], name] = _number(value)
                continue
            came = ", ".join(f"{name} {_shown(_known(bar[name]))}" for name in after)
            turn.cursor.execute(_OUTDATE, [*key, f"Dismissed since the source now says {came}."])
            turn.cursor.execute(_UNMARK, key)
    return out


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


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
