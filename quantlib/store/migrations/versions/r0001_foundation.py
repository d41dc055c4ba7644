"""The schemas, and every table the road from prices to a report needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

SCHEMAS = {
    "raw": "Payloads as a vendor delivered them",
    "market_data": "Instruments, universe lists and daily bars",
    "events": "Dated events: meetings, releases, corporate actions",
    "macro": "Economic series with the time each value became known",
    "derived": "What is computed from the above and worth keeping",
    "strategies": "Strategy definitions and their runs",
    "execution": "Orders, fills and positions",
    "reports": "Recommendations and reports as they were given",
    "ops": "How the workbench itself is doing",
}

MARKET_DATA = """
CREATE TABLE market_data.instruments (
    symbol     text PRIMARY KEY CHECK (symbol <> ''),
    name       text NOT NULL DEFAULT '',
    kind       text NOT NULL CHECK (kind IN ('etf', 'stock', 'crypto', 'index', 'fund', 'fx', 'future')),
    currency   text NOT NULL DEFAULT 'USD',
    exchange   text NOT NULL DEFAULT '',
    sector     text NOT NULL DEFAULT '',
    tags       text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON market_data.instruments USING gin (tags);
COMMENT ON TABLE market_data.instruments IS 'What can be traded or watched, and what is known about it';
COMMENT ON COLUMN market_data.instruments.tags IS 'Themes such as quantum, reit, ai-infrastructure';

CREATE TABLE market_data.universe_lists (
    list     text NOT NULL CHECK (list <> ''),
    drawn_at date NOT NULL,
    title    text NOT NULL DEFAULT '',
    PRIMARY KEY (list, drawn_at)
);
COMMENT ON TABLE market_data.universe_lists IS 'Named lists of symbols, one row per date a list was drawn up';
COMMENT ON COLUMN market_data.universe_lists.drawn_at IS
    'A list drawn up today and tested over the past is look-ahead: compare this date with the span tested';

CREATE TABLE market_data.universe_members (
    list     text NOT NULL,
    drawn_at date NOT NULL,
    symbol   text NOT NULL CHECK (symbol <> ''),
    position integer NOT NULL CHECK (position >= 1),
    PRIMARY KEY (list, drawn_at, symbol),
    FOREIGN KEY (list, drawn_at) REFERENCES market_data.universe_lists ON DELETE CASCADE
);
COMMENT ON TABLE market_data.universe_members IS 'Who is on a list, in its order';

CREATE TABLE market_data.bars (
    symbol      text NOT NULL CHECK (symbol <> ''),
    source      text NOT NULL CHECK (source <> ''),
    ts          date NOT NULL,
    open        double precision CHECK (open > 0 AND open < 'Infinity'),
    high        double precision CHECK (high > 0 AND high < 'Infinity'),
    low         double precision CHECK (low > 0 AND low < 'Infinity'),
    close       double precision NOT NULL CHECK (close > 0 AND close < 'Infinity'),
    volume      double precision CHECK (volume >= 0 AND volume < 'Infinity'),
    adj_close   double precision CHECK (adj_close > 0 AND adj_close < 'Infinity'),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (symbol, source, ts)
);
COMMENT ON TABLE market_data.bars IS 'Daily bars as last delivered; NULL where a value is unknown';
COMMENT ON COLUMN market_data.bars.ts IS 'Session date';
COMMENT ON COLUMN market_data.bars.adj_close IS 'Close adjusted for splits and dividends, as the source computes it';
COMMENT ON COLUMN market_data.bars.recorded_at IS 'When this version of the row was written';

CREATE TABLE market_data.bar_revisions (
    symbol      text NOT NULL,
    source      text NOT NULL,
    ts          date NOT NULL,
    open        double precision,
    high        double precision,
    low         double precision,
    close       double precision NOT NULL,
    volume      double precision,
    adj_close   double precision,
    recorded_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (symbol, source, ts, replaced_at)
);
COMMENT ON TABLE market_data.bar_revisions IS 'Versions of bars that a later delivery has replaced';
COMMENT ON COLUMN market_data.bar_revisions.replaced_at IS 'Until this moment the row was what was known';
"""

MACRO = """
CREATE TABLE macro.series (
    series     text PRIMARY KEY CHECK (series <> ''),
    title      text NOT NULL DEFAULT '',
    unit       text NOT NULL DEFAULT '',
    frequency  text NOT NULL DEFAULT '',
    source     text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE macro.series IS 'What a macro series measures';

CREATE TABLE macro.observations (
    series        text NOT NULL CHECK (series <> ''),
    source        text NOT NULL CHECK (source <> ''),
    period        date NOT NULL,
    released_at   timestamptz NOT NULL,
    release_basis text NOT NULL CHECK (release_basis IN ('recorded', 'estimated')),
    value         double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (series, source, period, released_at)
);
COMMENT ON TABLE macro.observations IS 'Every vintage of every value; rows are added, never changed';
COMMENT ON COLUMN macro.observations.period IS 'First day of the period the value describes';
COMMENT ON COLUMN macro.observations.released_at IS 'From this moment the value was known';
COMMENT ON COLUMN macro.observations.release_basis IS
    'recorded: a known release time; estimated: the period plus the usual delay';
"""

STRATEGIES = """
CREATE TABLE strategies.definitions (
    id         text PRIMARY KEY CHECK (id <> ''),
    family     text NOT NULL CHECK (family <> ''),
    title      text NOT NULL DEFAULT '',
    params     jsonb NOT NULL CHECK (jsonb_typeof(params) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE strategies.definitions IS 'Strategies by the hash of their parameters';

CREATE TABLE strategies.runs (
    id            text PRIMARY KEY CHECK (id <> ''),
    kind          text NOT NULL CHECK (kind IN ('backtest', 'simulation', 'model', 'validation')),
    strategy_id   text REFERENCES strategies.definitions,
    as_of         date NOT NULL,
    snapshot_id   text NOT NULL,
    code_version  text NOT NULL,
    seed          bigint,
    params        jsonb NOT NULL CHECK (jsonb_typeof(params) = 'object'),
    metrics       jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    mlflow_run_id text,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON strategies.runs (strategy_id, as_of);
CREATE INDEX ON strategies.runs (as_of);
COMMENT ON TABLE strategies.runs IS 'Every backtest, simulation, model and validation that was made';
COMMENT ON COLUMN strategies.runs.snapshot_id IS 'Content hash of the panel it ran on';
COMMENT ON COLUMN strategies.runs.strategy_id IS 'NULL where the run is not of one strategy, as with a model';
"""

REPORTS = """
CREATE TABLE reports.recommendations (
    id           text PRIMARY KEY CHECK (id <> ''),
    strategy_id  text NOT NULL REFERENCES strategies.definitions,
    as_of        date NOT NULL,
    body         jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object'),
    snapshot_id  text NOT NULL,
    code_version text NOT NULL,
    seed         bigint,
    run_id       text REFERENCES strategies.runs,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON reports.recommendations (as_of, strategy_id);
COMMENT ON TABLE reports.recommendations IS 'What was recommended, when and on what data, to be graded afterwards';

CREATE TABLE reports.reports (
    id           text PRIMARY KEY CHECK (id <> ''),
    as_of        date NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL,
    html_sha256  text NOT NULL,
    used_at      timestamptz NOT NULL DEFAULT now(),
    snapshot_id  text NOT NULL,
    code_version text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON reports.reports (as_of);
COMMENT ON TABLE reports.reports IS 'Reports as they were given';
COMMENT ON COLUMN reports.reports.body IS 'The JSON its page is rendered from, as text so that not a byte moves';
COMMENT ON COLUMN reports.reports.html_sha256 IS 'Hash of the page that was rendered then';
"""

OPS = """
CREATE TABLE ops.ingest_log (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source         text NOT NULL CHECK (source <> ''),
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL,
    status         text NOT NULL CHECK (status IN ('ok', 'partial', 'failed')),
    rows_new       integer NOT NULL CHECK (rows_new >= 0),
    rows_changed   integer NOT NULL CHECK (rows_changed >= 0),
    rows_unchanged integer NOT NULL CHECK (rows_unchanged >= 0),
    rows_rejected  integer NOT NULL CHECK (rows_rejected >= 0),
    detail         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    message        text NOT NULL DEFAULT '',
    CHECK (finished_at >= started_at)
);
CREATE INDEX ON ops.ingest_log (source, started_at DESC);
COMMENT ON TABLE ops.ingest_log IS 'Every ingest and what came of it';
COMMENT ON COLUMN ops.ingest_log.detail IS 'Which rows were rejected and why, the first of each reason';

CREATE TABLE ops.capabilities (
    name      text PRIMARY KEY,
    available boolean NOT NULL,
    note      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE ops.capabilities IS 'What this server could give when the schema was made';
"""

# The loader defines this setting only where it was preloaded; shared_preload_libraries itself is hidden
# from ordinary users.
_PROBE = """
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
       current_setting('timescaledb.disable_load', true) IS NOT NULL AS preloaded
"""
# Two years of 500 symbols are 250,000 rows, some 25 MB: few enough chunks for a panel of decades, small
# enough to keep the newest in memory. The default of 7 days would make 1,800 chunks of 35 years.
_HYPERTABLE = """
SELECT create_hypertable('market_data.bars', 'ts', chunk_time_interval => INTERVAL '730 days',
                         create_default_indexes => FALSE)
"""


def upgrade() -> None:
    """Create everything."""
    for schema, comment in SCHEMAS.items():
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        op.execute(f"COMMENT ON SCHEMA {schema} IS '{comment}'")
    for statements in (MARKET_DATA, MACRO, STRATEGIES, REPORTS, OPS):
        op.execute(statements)
    available, note = make_hypertable(op.get_bind())
    op.get_bind().execute(
        sa.text("INSERT INTO ops.capabilities VALUES ('hypertables', :available, :note)"),
        {"available": available, "note": note},
    )


def make_hypertable(bind: sa.Connection) -> tuple[bool, str]:
    """Make bars a hypertable where the server can; return whether it could, and if not, why."""
    probe = bind.execute(sa.text(_PROBE)).one()
    if not probe.available:
        return False, ""
    if not probe.preloaded:
        return (
            False,
            "TimescaleDB is installed on the server but not in shared_preload_libraries; bars are a plain table.",
        )
    try:
        with bind.begin_nested():
            bind.execute(sa.text("CREATE EXTENSION IF NOT EXISTS timescaledb"))
            bind.execute(sa.text(_HYPERTABLE))
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        return False, f"TimescaleDB could not be used ({reason}); bars are a plain table."
    return True, ""
