"""What there is of each series of bars, so that nobody has to look through the bars for it."""

from __future__ import annotations

from alembic import op

from quantlib.store.migrations.comments import comment_tables

revision = "r0003"
down_revision = "r0002"

SERIES = """
CREATE TABLE market_data.bar_series (
    symbol            text NOT NULL CHECK (symbol <> ''),
    source            text NOT NULL CHECK (source <> ''),
    first             date NOT NULL,
    last              date NOT NULL CHECK (last >= first),
    bars              integer NOT NULL CHECK (bars >= 0),
    first_recorded_at timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL CHECK (recorded_at >= first_recorded_at),
    PRIMARY KEY (symbol, source)
);
"""
# Whoever writes bars this moment ends first; nobody else begins before the end of this step.
FILL = """
SELECT pg_advisory_xact_lock(hashtext('market_data.bars'));
INSERT INTO market_data.bar_series (symbol, source, first, last, bars, first_recorded_at, recorded_at)
SELECT b.symbol, b.source, b.first, b.last, b.bars, least(b.first_recorded_at, r.first_recorded_at), b.recorded_at
FROM (SELECT symbol, source, min(ts) AS first, max(ts) AS last, count(*) AS bars,
             min(recorded_at) AS first_recorded_at, max(recorded_at) AS recorded_at
      FROM market_data.bars GROUP BY symbol, source) b
LEFT JOIN (SELECT symbol, source, min(recorded_at) AS first_recorded_at
           FROM market_data.bar_revisions GROUP BY symbol, source) r USING (symbol, source);
ANALYZE market_data.bar_series;
"""
CANONICAL = """
CREATE OR REPLACE VIEW market_data.canonical_bars AS
SELECT b.*
FROM (SELECT DISTINCT ON (symbol) symbol, source
      FROM (SELECT *, max(last) OVER (PARTITION BY symbol) AS newest
            FROM (SELECT symbol, source, last, last - first AS days,
                         max(last - first) OVER (PARTITION BY symbol) AS longest
                  FROM market_data.bar_series) series
            WHERE days >= least(365, longest / 2.0)) candidates
      LEFT JOIN market_data.sources USING (source)
      WHERE newest - last <= 10
      ORDER BY symbol, priority NULLS LAST, source COLLATE "C") chosen
JOIN market_data.bars b USING (symbol, source);
"""


def upgrade() -> None:
    """Create the table out of the bars that are stored, and let the view go by it."""
    for statements in (SERIES, FILL, CANONICAL):
        op.execute(statements)
    comment_tables(op.get_bind())
