"""Promotions: which version of a registered model or strategy became the champion, and by what numbers."""

from __future__ import annotations

from alembic import op

from quantlib.store.migrations.comments import comment_tables

revision = "r0007"
down_revision = "r0006"

PROMOTIONS = """
CREATE TABLE strategies.promotions (
    id            text PRIMARY KEY CHECK (id <> ''),
    name          text NOT NULL CHECK (name <> ''),
    kind          text NOT NULL CHECK (kind IN ('strategy', 'model')),
    outcome       text NOT NULL CHECK (outcome IN ('promoted', 'refused', 'rolled back')),
    from_version  integer,
    to_version    integer NOT NULL,
    strategy_id   text,
    snapshot_id   text NOT NULL DEFAULT '',
    mlflow_run_id text NOT NULL CHECK (mlflow_run_id <> ''),
    why           text NOT NULL CHECK (why <> ''),
    scores        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(scores) = 'object'),
    origin        text NOT NULL
                  CHECK (origin IN ('app', 'notebook', 'cli', 'pipeline', 'worker', 'ray', 'unknown')),
    who           text NOT NULL DEFAULT '',
    decided_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON strategies.promotions (name, decided_at);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(PROMOTIONS)
    comment_tables(op.get_bind())
