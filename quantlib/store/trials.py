"""The ledger of trials: written before the work and completed after it, each trial once, however often it is asked for.

A row is begun before its work, so what is killed stays counted; its id is a hash of what went in, so asking again finds
the same row. Sets of a sweep come in bulk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from quantlib.models.trials import Kind, Origin, Trial
from quantlib.store.database import Store
from quantlib.store.upsert import as_json
from quantlib.types import DateLike, FloatArray, as_date

# A sweep or a search is no trial: it is what its sets and fits belong to.
_COUNTS = "kind IN ('backtest', 'set', 'model', 'fit') AND outcome IN ('begun', 'done')"

_BEGUN = (
    *("id", "parent", "kind", "idea", "strategy_id", "title", "universe", "first", "last", "params", "terms"),
    *("snapshot_id", "code_version", "origin", "who"),
)
_JSON, _DATES = ("params", "terms"), ("first", "last")
_INCOMING = f"""
CREATE TEMP TABLE begun_trials (
    {", ".join(f"{name} {'date' if name in _DATES else 'text'}" for name in _BEGUN)}
) ON COMMIT DROP
"""
# What the pipeline does is no person's choice: it takes nothing over from a person, and a person does from it.
_STAYS = "CASE WHEN excluded.origin = 'pipeline' AND t.origin <> 'pipeline' THEN t.{0} ELSE {1} END"
_BEGIN = f"""
INSERT INTO strategies.trials AS t ({", ".join(_BEGUN)})
SELECT {", ".join(f"{name}::jsonb" if name in _JSON else name for name in _BEGUN)} FROM begun_trials
ON CONFLICT (id) DO UPDATE SET
    times = t.times + 1,
    parent = CASE WHEN excluded.origin <> 'pipeline' AND t.origin = 'pipeline' THEN excluded.parent ELSE t.parent END,
    outcome = CASE t.outcome WHEN 'done' THEN 'done' ELSE 'begun' END,
    origin = {_STAYS.format("origin", "excluded.origin")},
    who = {_STAYS.format("who", "excluded.who")},
    last_at = {_STAYS.format("last_at", "clock_timestamp()")}
RETURNING xmax = 0
"""  # noqa: S608  ours
_ENDING = """
CREATE TEMP TABLE ended_trials (
    id text, outcome text, said text, n bigint, mean double precision, sd double precision, skew double precision,
    kurtosis double precision, sharpe double precision, curve bytea, run_id text, mlflow_run_id text
) ON COMMIT DROP
"""
_END = """
UPDATE strategies.trials t SET
    outcome = e.outcome, said = e.said, ended_at = clock_timestamp(),
    n = coalesce(e.n::integer, t.n), mean = coalesce(e.mean, t.mean), sd = coalesce(e.sd, t.sd),
    skew = coalesce(e.skew, t.skew), kurtosis = coalesce(e.kurtosis, t.kurtosis),
    sharpe = coalesce(e.sharpe, t.sharpe), curve = coalesce(e.curve, t.curve),
    run_id = coalesce(e.run_id, t.run_id), mlflow_run_id = coalesce(e.mlflow_run_id, t.mlflow_run_id)
FROM ended_trials e
WHERE t.id = e.id AND (e.outcome = 'done' OR t.outcome <> 'done')
RETURNING 1
"""
_TURN = "SELECT pg_advisory_xact_lock(hashtext('strategies.trials'))"


@dataclass(frozen=True)
class Ending:
    """What came of a trial.

    Parameters
    ----------
    id
        Which.
    outcome, said
        "done", "refused" or "failed", and why where it was not done.
    n, mean, sd, skew, kurtosis, sharpe
        Of its returns by session, from the first fill on; None where there are none, unknown is NaN.
    curve
        Log growth by bucket [at most 96]; None where there are no returns.
    run_id, mlflow_run_id
        Where its detail is kept.
    """

    id: str
    outcome: Literal["done", "refused", "failed"] = "done"
    said: str = ""
    n: int | None = None
    mean: float | None = None
    sd: float | None = None
    skew: float | None = None
    kurtosis: float | None = None
    sharpe: float | None = None
    curve: FloatArray | None = None
    run_id: str | None = None
    mlflow_run_id: str | None = None


def trial_id(content: Mapping[str, Any]) -> str:
    """Return an id that is equal for equal content."""
    canonical = json.dumps(as_json(content), sort_keys=True, separators=(",", ":"))
    return f"trial-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def begin_trials(store: Store, trials: Sequence[Trial]) -> int:
    """Return how many trials had never been begun before; the others are asked for once more. All are noted or none.

    Of two with the same id the first is taken.
    """
    unique = list({trial.id: trial for trial in reversed(trials)}.values())[::-1]
    if not unique:
        return 0
    columns: dict[str, Any] = {}
    for name in _BEGUN:
        values = [getattr(trial, name) for trial in unique]
        if name in _JSON:
            values = [json.dumps(as_json(value)) for value in values]
        columns[name] = pa.array(values, type=pa.date32() if name in _DATES else pa.string())
    with store.bulk() as cursor:
        cursor.execute(_INCOMING)
        cursor.adbc_ingest("begun_trials", pa.table(columns), mode="append", temporary=True)
        cursor.execute(_TURN)
        cursor.fetchall()
        cursor.execute(_BEGIN)
        return sum(row[0] for row in cursor.fetchall())


_TAKE_OVER = """
UPDATE strategies.trials SET origin = $2, who = $3, last_at = clock_timestamp(), times = times + 1
WHERE mlflow_run_id = $1 AND origin = 'pipeline' AND $2 <> 'pipeline' RETURNING 1
"""


def take_over(store: Store, mlflow_run_id: str, origin: Origin, who: str) -> int:
    """Return how many trials of the pipeline are a person's from now on: who relies on a run has looked at it."""
    with store.bulk() as cursor:
        cursor.execute(_TAKE_OVER, [mlflow_run_id, origin, who])
        return len(cursor.fetchall())


def end_trials(store: Store, endings: Sequence[Ending]) -> int:
    """Return how many trials were completed; one that was done before stays done, whatever became of it now."""
    if not endings:
        return 0
    kinds = {"n": pa.int64(), "curve": pa.binary()}
    kinds |= dict.fromkeys(("mean", "sd", "skew", "kurtosis", "sharpe"), pa.float64())
    columns: dict[str, Any] = {}
    for field in fields(Ending):
        values = [getattr(ending, field.name) for ending in endings]
        if field.name == "curve":
            values = [None if value is None else np.asarray(value, dtype="<f4").tobytes() for value in values]
        # What is unknown, NaN, is NULL.
        columns[field.name] = pa.array(values, type=kinds.get(field.name, pa.string()), from_pandas=True)
    with store.bulk() as cursor:
        cursor.execute(_ENDING)
        cursor.adbc_ingest("ended_trials", pa.table(columns), mode="append", temporary=True)
        cursor.execute(_TURN)
        cursor.fetchall()
        cursor.execute(_END)
        return len(cursor.fetchall())


_COLUMNS = [name for name in Trial.columns() if name != "curve"]
_READ = """
SELECT {columns} FROM strategies.trials
WHERE ($1::text IS NULL OR idea = $1) AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR origin = $3)
  AND ($4::date IS NULL OR last >= $4) AND ($5::date IS NULL OR first <= $5)
  AND ($6::text IS NULL OR parent = $6) AND ($7::text IS NULL OR id = $7)
  AND (NOT $8::boolean OR ({counts}))
ORDER BY began_at DESC, id LIMIT $9
"""


def read_trials(
    store: Store,
    *,
    idea: str | None = None,
    kind: Kind | None = None,
    origin: Origin | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    parent: str | None = None,
    id: str | None = None,  # noqa: A002  the field's name everywhere
    counted: bool = False,
    curves: bool = False,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return trials as a table, the newest first.

    Parameters
    ----------
    store
        Where from.
    idea, kind, origin, parent, id
        Only those.
    start, end
        Only those whose sessions reach into this span, both ends included.
    counted
        Only those that count: sets and backtests, models and fits, begun or done.
    curves
        Whether with the column `curve`, as bytes; `curves_of` reads them.
    limit
        At most so many.

    Returns
    -------
    DataFrame
        The columns of the model `Trial`; `params` and `terms` are JSON as text, moments in UTC, unknown is NaN.
    """
    columns = [*_COLUMNS, "curve"] if curves else _COLUMNS
    shown = ", ".join(f"{name}::text" if name in _JSON else name for name in columns)
    query = _READ.format(columns=shown, counts=_COUNTS)
    span = [None if day is None else as_date(day).date() for day in (start, end)]
    with store.bulk() as cursor:
        cursor.execute(query, [idea, kind, origin, *span, parent, id, counted, limit])
        found: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    days = {name: found[name].astype("datetime64[us]") for name in _DATES}
    return found.assign(**days, n=found["n"].astype("Int64"))


_GROWTH = f"""
SELECT outcome, first, last, n, sharpe, curve FROM strategies.trials
WHERE idea = $1 AND {_COUNTS} ORDER BY began_at, id
"""  # noqa: S608  ours


def read_growth(store: Store, idea: str) -> pd.DataFrame:
    """Return how the trials of an idea grew, of all that count: `outcome`, `first`, `last`, `n`, `sharpe`, `curve`.

    As in `read_trials`; a sweep of thousands is read in a fraction of the time.
    """
    with store.bulk() as cursor:
        cursor.execute(_GROWTH, [idea])
        found: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    return found.assign(**{name: found[name].astype("datetime64[us]") for name in _DATES})


def curves_of(trials: pd.DataFrame) -> list[FloatArray]:
    """Return the log growth by bucket of trials that were read with their curves; an empty one where there is none."""
    nothing = np.empty(0)
    return [
        nothing if raw is None else np.frombuffer(raw, dtype="<f4").astype(np.float64)
        for raw in trials["curve"].tolist()
    ]


_COUNT = f"""
SELECT idea, count(*) AS n FROM strategies.trials
WHERE {_COUNTS} AND ($1::text IS NULL OR idea = $1)
GROUP BY idea ORDER BY max(began_at) DESC, idea
"""  # noqa: S608  ours


def count_trials(store: Store, idea: str | None = None) -> dict[str, int]:
    """Return how many trials there are by idea, the latest idea first: distinct ones, begun or done."""
    with store.bulk() as cursor:
        cursor.execute(_COUNT, [idea])
        return {str(name): int(n) for name, n in cursor.fetchall()}


_MARK = "SELECT concat_ws(' ', count(*), sum(times), max(last_at), max(ended_at)) FROM strategies.trials"


def ledger_mark(store: Store) -> str:
    """Return a mark that changes whenever a trial is begun, asked for again or completed."""
    with store.bulk() as cursor:
        cursor.execute(_MARK)
        return str(cursor.fetchall()[0][0])


@dataclass(frozen=True)
class Openings:
    """How often people have looked beyond a day.

    Parameters
    ----------
    openings
        Backtests, trainings, sweeps and searches that did; a sweep is one, however many sets it has.
    trials
        Trials in them.
    unknown
        Trials that did, of which nobody knows who asked for them.
    last_at, who, origin
        Of the last one; None where there was none.
    """

    openings: int
    trials: int
    unknown: int
    last_at: datetime | None = None
    who: str = ""
    origin: Origin | None = None


_OPENINGS = f"""
WITH beyond AS (
    SELECT coalesce(parent, id) AS act, last_at, who, origin FROM strategies.trials
    WHERE idea = $1 AND last >= $2 AND {_COUNTS}
      AND origin <> 'pipeline'
), known AS (SELECT * FROM beyond WHERE origin <> 'unknown'),
newest AS (SELECT * FROM known ORDER BY last_at DESC, act LIMIT 1)
SELECT (SELECT count(DISTINCT act) FROM known), (SELECT count(*) FROM known),
       (SELECT count(*) FROM beyond WHERE origin = 'unknown'),
       (SELECT last_at FROM newest), (SELECT who FROM newest), (SELECT origin FROM newest)
"""  # noqa: S608  ours


def read_openings(store: Store, idea: str, start: date) -> Openings:
    """Return how often people, and not the pipeline, have tried an idea on sessions from `start` on."""
    with store.bulk() as cursor:
        cursor.execute(_OPENINGS, [idea, start])
        openings, trials, unknown, last_at, who, origin = cursor.fetchall()[0]
    return Openings(int(openings), int(trials), int(unknown), last_at, who or "", origin)
