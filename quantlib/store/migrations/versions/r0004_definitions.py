"""Definitions that people keep under a name, every version of them; and sweeps as runs."""

from __future__ import annotations

from alembic import op

revision = "r0004"
down_revision = "r0003"

VERSIONS = """
CREATE TABLE strategies.versions (
    name        text NOT NULL CHECK (name <> ''),
    version     integer NOT NULL CHECK (version >= 1),
    strategy_id text NOT NULL REFERENCES strategies.definitions,
    note        text NOT NULL DEFAULT '',
    why         text NOT NULL DEFAULT '',
    reference   text NOT NULL DEFAULT '',
    saved_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at  timestamptz,
    PRIMARY KEY (name, version)
);
CREATE INDEX ON strategies.versions (strategy_id);
COMMENT ON TABLE strategies.versions IS 'Definitions under the name they are kept by; a change is a new version';
COMMENT ON COLUMN strategies.versions.note IS 'What was changed, in the words of whoever saved it';
COMMENT ON COLUMN strategies.versions.why IS 'Why it might work';
COMMENT ON COLUMN strategies.versions.reference IS 'Where it was written about';
COMMENT ON COLUMN strategies.versions.changed_at IS 'When its name or its words last changed';
COMMENT ON COLUMN strategies.versions.retired_at IS 'When the name was deleted; NULL while it is in use';
"""
# A sweep is a run of its own: one strategy over a grid, with a row of metrics for every set.
SWEEPS = """
ALTER TABLE strategies.runs DROP CONSTRAINT runs_kind_check,
    ADD CONSTRAINT runs_kind_check CHECK (kind IN ('backtest', 'simulation', 'model', 'validation', 'sweep'))
"""


def upgrade() -> None:
    """Create the table, and let sweeps be runs."""
    op.execute(VERSIONS)
    op.execute(SWEEPS)
