"""The ledger of trials, begun with the runs that are stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from quantlib.store.migrations.comments import comment_tables

revision = "r0006"
down_revision = "r0005"

TRIALS = """
CREATE TABLE strategies.trials (
    id            text PRIMARY KEY CHECK (id <> ''),
    parent        text,
    kind          text NOT NULL CHECK (kind IN ('backtest', 'set', 'model', 'fit', 'sweep', 'search')),
    idea          text NOT NULL CHECK (idea <> ''),
    strategy_id   text,
    title         text NOT NULL DEFAULT '',
    universe      text NOT NULL DEFAULT '',
    first         date,
    last          date CHECK (last >= first),
    params        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(params) = 'object'),
    terms         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(terms) = 'object'),
    snapshot_id   text NOT NULL DEFAULT '',
    code_version  text NOT NULL DEFAULT '',
    origin        text NOT NULL
                  CHECK (origin IN ('app', 'notebook', 'cli', 'pipeline', 'worker', 'ray', 'unknown')),
    who           text NOT NULL DEFAULT '',
    began_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    last_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    times         integer NOT NULL DEFAULT 1 CHECK (times >= 1),
    outcome       text NOT NULL DEFAULT 'begun' CHECK (outcome IN ('begun', 'done', 'refused', 'failed')),
    said          text NOT NULL DEFAULT '',
    n             integer,
    mean          double precision,
    sd            double precision,
    skew          double precision,
    kurtosis      double precision,
    sharpe        double precision,
    curve         bytea,
    run_id        text,
    mlflow_run_id text
);
CREATE INDEX ON strategies.trials (idea, last);
CREATE INDEX ON strategies.trials (began_at);
CREATE INDEX ON strategies.trials (parent) WHERE parent IS NOT NULL;
"""
RUNS = """
SELECT r.id, r.kind, r.strategy_id, r.as_of, r.snapshot_id, r.code_version, r.params, r.mlflow_run_id, r.created_at,
       d.family, d.params AS definition, r.metrics -> 'table' AS sets
FROM strategies.runs r LEFT JOIN strategies.definitions d ON d.id = r.strategy_id
WHERE r.kind IN ('backtest', 'model', 'sweep') ORDER BY r.created_at, r.id
"""
PAST = """
INSERT INTO strategies.trials (id, parent, kind, idea, strategy_id, title, last, params, terms, snapshot_id,
    code_version, origin, began_at, ended_at, last_at, outcome, run_id, mlflow_run_id)
VALUES (:id, :parent, :kind, :idea, :strategy_id, :title, :last, CAST(:params AS jsonb), CAST(:terms AS jsonb),
    :snapshot_id, :code_version, 'unknown', :at, :at, :at, 'done', :run_id, :mlflow_run_id)
ON CONFLICT (id) DO UPDATE SET times = trials.times + 1, last_at = excluded.last_at
"""
TERMS = ("costs", "cash", "lag", "source", "data_grade")


def upgrade() -> None:
    """Create the table, and take what was tried before into it as far as the runs tell."""
    op.execute(TRIALS)
    bind = op.get_bind()
    for run in bind.execute(sa.text(RUNS)).mappings().all():
        rows = list(PAST_OF[run["kind"]](dict(run)))
        if rows:
            bind.execute(sa.text(PAST), rows)
    comment_tables(bind)


def _backtest(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the trial of a backtest, under the id that the same backtest has when it is asked for again."""
    params = run["params"]
    if run["family"] is not None and {"costs", "cash", "lag"} <= set(params):
        content = {
            "idea": run["family"],
            "strategy": run["strategy_id"],
            "snapshot": run["snapshot_id"],
            "costs": params["costs"],
            "cash": float(params["cash"]),
            "lag": params["lag"],
        }
        yield _row(run, _hash(content), "backtest", run["definition"])


def _model(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the trial of a model, likewise; all there was then were models of the next sessions' direction."""
    params = {"model": run["params"].get("model"), "seed": run["params"].get("seed")}
    content = {"idea": "direction", "snapshot": run["snapshot_id"], "params": params}
    yield _row({**run, "family": "direction"}, _hash(content), "model", params)


def _sweep(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a sweep and its sets; what the sets would be called today cannot be told without their definitions."""
    grid, sets = run["params"].get("grid"), run["sets"] or {}
    varied = [pair[0] for pair in grid] if isinstance(grid, list) else []  # an early form was a mapping
    if run["family"] is None or not varied or not set(varied) <= set(sets):
        return
    parent = _hash({"sweep": run["id"]})
    yield _row(run, parent, "sweep", {"grid": grid})
    for place, values in enumerate(zip(*(sets[name] for name in varied), strict=False)):
        one = dict(zip(varied, values, strict=True))
        yield _row(run, _hash({"sweep": run["id"], "set": place}), "set", one, parent)


PAST_OF = {"backtest": _backtest, "model": _model, "sweep": _sweep}


def _row(
    run: Mapping[str, Any], trial: str, kind: str, params: Mapping[str, Any], parent: str | None = None
) -> dict[str, Any]:
    terms = {} if parent else {key: run["params"][key] for key in TERMS if key in run["params"]}
    return {
        "id": trial,
        "parent": parent,
        "kind": kind,
        "idea": run["family"],
        "strategy_id": None if parent else run["strategy_id"],
        "title": run["params"].get("name", run["params"].get("model", "")),
        "last": run["as_of"],
        "params": json.dumps(params),
        "terms": json.dumps(terms),
        "snapshot_id": run["snapshot_id"],
        "code_version": run["code_version"],
        "at": run["created_at"],
        "run_id": run["id"],
        "mlflow_run_id": run["mlflow_run_id"],
    }


def _hash(content: Mapping[str, Any]) -> str:
    """Return a trial's id as `quantlib.store.trials.trial_id` made it when this step was written."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"trial-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"
