"""What the workbench has made: strategy definitions, runs, recommendations and reports, each under its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal, TypeVar

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from quantlib.errors import DataError, nearest
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.upsert import as_json, upsert
from quantlib.types import DateLike, as_date


@dataclass(frozen=True)
class StrategyRecord:
    """A strategy definition; `id` is the hash of its family and parameters."""

    id: str
    family: str
    title: str
    params: Mapping[str, Any]
    created_at: datetime | None = None


@dataclass(frozen=True)
class RunRecord:
    """A backtest, simulation, model, validation or sweep that was made, and the key to make it again."""

    id: str
    kind: Literal["backtest", "simulation", "model", "validation", "sweep"]
    as_of: date
    snapshot_id: str
    code_version: str
    strategy_id: str | None = None
    seed: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    mlflow_run_id: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class RecommendationRecord:
    """What was recommended for a strategy on a date; `body` is the whole recommendation as JSON."""

    id: str
    strategy_id: str
    as_of: date
    body: Mapping[str, Any]
    snapshot_id: str
    code_version: str
    seed: int | None = None
    run_id: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class ReportRecord:
    """A report as it was given: the JSON its page is rendered from, as text so that not a byte moves."""

    id: str
    as_of: date
    title: str
    body: str
    html_sha256: str
    snapshot_id: str
    code_version: str
    created_at: datetime | None = None
    used_at: datetime | None = None


Record = TypeVar("Record", StrategyRecord, RunRecord, RecommendationRecord, ReportRecord)


def _table(schema: str, name: str, record: type) -> sa.Table:
    """Return a table whose columns are the record's fields; only the types that need converting are named."""
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"as_of": sa.Date()}
    kinds |= {name: sa.DateTime(timezone=True) for name in ("created_at", "used_at")}
    kinds |= {name: JSONB() for name in ("params", "metrics")} | {"seed": sa.BigInteger()}
    if record is RecommendationRecord:
        kinds["body"] = JSONB()
    columns = [sa.Column(f.name, kinds.get(f.name, sa.Text()), primary_key=f.name == "id") for f in fields(record)]
    return sa.Table(name, sa.MetaData(schema=schema), *columns)


_DEFINITIONS = _table("strategies", "definitions", StrategyRecord)
_RUNS = _table("strategies", "runs", RunRecord)
_RECOMMENDATIONS = _table("reports", "recommendations", RecommendationRecord)
_REPORTS = _table("reports", "reports", ReportRecord)


def _save(store: Store, table: sa.Table, records: Iterable[Record]) -> WriteCount:
    rows = []
    for record in records:
        # Times are the database's, and creation's stays that of the first save.
        row = {name: value for name, value in asdict(record).items() if name not in {"created_at", "used_at"}}
        rows.append({n: as_json(v) if isinstance(table.c[n].type, JSONB) else v for n, v in row.items()})
    if not rows:
        return WriteCount()
    try:
        with store.begin() as connection:
            return upsert(connection, table, rows)
    except sa.exc.IntegrityError as error:
        detail = getattr(getattr(error.orig, "diag", None), "message_detail", None) or error.orig
        raise DataError(
            f"A row for {table.fullname} breaks a rule of the table: {detail} Save what it refers to first."
        ) from None


def _read(store: Store, record: type[Record], query: sa.Select[Any]) -> list[Record]:
    with store.begin() as connection:
        return [record(**row) for row in connection.execute(query).mappings()]


def save_strategies(store: Store, records: Iterable[StrategyRecord]) -> WriteCount:
    """Return how many definitions were new, changed and unchanged; all are saved or none."""
    return _save(store, _DEFINITIONS, records)


def save_runs(store: Store, records: Iterable[RunRecord]) -> WriteCount:
    """Return how many runs were new, changed and unchanged; their strategies must be saved first."""
    return _save(store, _RUNS, records)


def save_recommendations(store: Store, records: Iterable[RecommendationRecord]) -> WriteCount:
    """Return how many recommendations were new, changed and unchanged; strategies and runs come first."""
    return _save(store, _RECOMMENDATIONS, records)


def save_report(store: Store, record: ReportRecord) -> WriteCount:
    """Return whether the report was new, changed or unchanged, as a count of one."""
    return _save(store, _REPORTS, [record])


def touch_report(store: Store, id: str) -> None:  # noqa: A002  the field's name everywhere
    """Mark a stored report as the newest of its date: it was asked for again and nothing had changed."""
    with store.begin() as connection:
        connection.execute(sa.update(_REPORTS).where(_REPORTS.c.id == id).values(used_at=sa.func.clock_timestamp()))


def read_strategies(store: Store, ids: Sequence[str] | None = None) -> list[StrategyRecord]:
    """Return definitions: those named, in that order, or all, by family and title.

    Raises
    ------
    DataError
        An id is not among them.
    """
    query = sa.select(_DEFINITIONS).order_by(_DEFINITIONS.c.family, _DEFINITIONS.c.title, _DEFINITIONS.c.id)
    found = {record.id: record for record in _read(store, StrategyRecord, query)}
    if ids is None:
        return list(found.values())
    if missing := [one for one in ids if one not in found]:
        raise DataError(f"Strategy {missing[0]!r} is not stored. {nearest(missing[0], found)}")
    return [found[one] for one in ids]


def read_runs(
    store: Store,
    *,
    id: str | None = None,  # noqa: A002  the field's name everywhere
    kind: str | None = None,
    strategy_id: str | None = None,
    as_of: DateLike | None = None,
    limit: int | None = None,
    metrics: bool = True,
) -> list[RunRecord]:
    """Return runs, the newest first, narrowed to what is named; without `metrics`, which of sweeps are whole tables."""
    columns = [column for column in _RUNS.c if metrics or column.name != "metrics"]
    query = sa.select(*columns).order_by(_RUNS.c.created_at.desc(), _RUNS.c.id).limit(limit)
    for column, value in (
        ("id", id),
        ("kind", kind),
        ("strategy_id", strategy_id),
        ("as_of", None if as_of is None else as_date(as_of, "as_of").date()),
    ):
        if value is not None:
            query = query.where(_RUNS.c[column] == value)
    return _read(store, RunRecord, query)


def read_recommendations(
    store: Store, *, as_of: DateLike | None = None, strategy_id: str | None = None
) -> list[RecommendationRecord]:
    """Return the recommendations of a date, by default the newest there is: the last given per strategy."""
    table = _RECOMMENDATIONS
    query = sa.select(table)
    if strategy_id is not None:
        query = query.where(table.c.strategy_id == strategy_id)
    if as_of is not None:
        query = query.where(table.c.as_of == as_date(as_of, "as_of").date())
    else:
        newest = sa.select(sa.func.max(table.c.as_of))
        if strategy_id is not None:
            newest = newest.where(table.c.strategy_id == strategy_id)
        query = query.where(table.c.as_of == newest.scalar_subquery())
    query = query.ext(distinct_on(table.c.strategy_id)).order_by(
        table.c.strategy_id, table.c.created_at.desc(), table.c.id
    )
    return _read(store, RecommendationRecord, query)


def read_report(store: Store, id: str | None = None) -> ReportRecord:  # noqa: A002  the field's name everywhere
    """Return the report with that id, or the newest.

    Raises
    ------
    DataError
        There is none.
    """
    query = sa.select(_REPORTS).order_by(_REPORTS.c.as_of.desc(), _REPORTS.c.used_at.desc()).limit(1)
    found = _read(store, ReportRecord, query if id is None else query.where(_REPORTS.c.id == id))
    if not found:
        if id is None:
            raise DataError("No report has been made yet. Run `workbench pipeline`.")
        raise DataError(f"Report {id!r} is not stored. {nearest(id, read_reports(store)['id'])}")
    return found[0]


def read_reports(store: Store) -> pd.DataFrame:
    """Return a table of the reports, the newest first: all but their body, whose length is `size` in bytes."""
    columns = [column for column in _REPORTS.c if column.name != "body"]
    size = sa.func.octet_length(_REPORTS.c.body).label("size")
    query = sa.select(*columns, size).order_by(_REPORTS.c.as_of.desc(), _REPORTS.c.used_at.desc())
    with store.begin() as connection:
        result = connection.execute(query)
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def watermark(store: Store) -> str:
    """Return a mark that changes with every ingest, check, repair, definition, run, promotion, report and end of a job.

    What was read under the same mark holds.
    """
    query = """
    SELECT concat_ws('/', (SELECT max(id) FROM ops.ingest_log), (SELECT count(*) FROM strategies.runs),
                     (SELECT max(created_at) FROM strategies.runs),
                     (SELECT concat(count(*), ' ', max(changed_at)) FROM strategies.versions),
                     (SELECT count(*) FROM strategies.promotions),
                     (SELECT count(*) FROM reports.reports), (SELECT max(used_at) FROM reports.reports),
                     (SELECT concat(count(*), ' ', max(found_at)) FROM market_data.bar_grades),
                     (SELECT concat(count(*), ' ', max(proposed_at), max(decided_at)) FROM market_data.repairs),
                     (SELECT max(last_seen_at) FROM ops.quarantine),
                     (SELECT concat(count(*), ' ', max(updated_at)) FROM ops.job_progress WHERE outcome <> ''))
    """
    with store.begin() as connection:
        return str(connection.scalar(sa.text(query)))
