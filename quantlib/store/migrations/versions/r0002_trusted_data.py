"""Many sources, every version of what they said, doubts and repairs, jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

from quantlib.store.migrations.bar_views import compress_bars, create_bar_views
from quantlib.store.migrations.comments import comment_tables

revision = "r0002"
down_revision = "r0001"

# Every version of a row stays: the current one has no replaced_at. One current version per key.
VERSIONS = "recorded_at timestamptz NOT NULL, replaced_at timestamptz CHECK (replaced_at >= recorded_at)"

RAW = """
CREATE TABLE raw.payloads (
    id         text PRIMARY KEY CHECK (id <> ''),
    source     text NOT NULL CHECK (source <> ''),
    kind       text NOT NULL CHECK (kind <> ''),
    name       text NOT NULL,
    asked      jsonb NOT NULL CHECK (jsonb_typeof(asked) = 'object'),
    status     integer NOT NULL,
    body       bytea NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON raw.payloads (source, kind, name, fetched_at);
"""

MARKET_DATA = f"""
ALTER TABLE market_data.instruments ADD COLUMN listed date;
ALTER TABLE market_data.instruments ADD COLUMN delisted date CHECK (delisted >= listed);
COMMENT ON COLUMN market_data.instruments.listed IS 'First session; NULL where not known';
COMMENT ON COLUMN market_data.instruments.delisted IS 'Last session; NULL while it trades';

CREATE TABLE market_data.sources (
    source      text PRIMARY KEY CHECK (source <> ''),
    title       text NOT NULL,
    priority    integer NOT NULL,
    price_scale text NOT NULL CHECK (price_scale IN ('raw', 'split_adjusted', 'adjusted')),
    has_actions boolean NOT NULL
);

CREATE TABLE market_data.actions (
    symbol text NOT NULL CHECK (symbol <> ''),
    source text NOT NULL CHECK (source <> ''),
    ts     date NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('dividend', 'split')),
    value  double precision NOT NULL CHECK (value > 0 AND value < 'Infinity'),
    {VERSIONS},
    PRIMARY KEY (symbol, source, ts, kind, recorded_at)
);
CREATE UNIQUE INDEX ON market_data.actions (symbol, source, ts, kind) WHERE replaced_at IS NULL;

CREATE TABLE market_data.measures (
    symbol  text NOT NULL CHECK (symbol <> ''),
    source  text NOT NULL CHECK (source <> ''),
    ts      date NOT NULL,
    measure text NOT NULL CHECK (measure <> ''),
    value   double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    unit    text NOT NULL DEFAULT '',
    {VERSIONS},
    PRIMARY KEY (symbol, source, ts, measure, recorded_at)
);
CREATE UNIQUE INDEX ON market_data.measures (symbol, source, ts, measure) WHERE replaced_at IS NULL;

CREATE TABLE market_data.membership (
    list        text NOT NULL CHECK (list <> ''),
    symbol      text NOT NULL CHECK (symbol <> ''),
    member_from date NOT NULL,
    member_to   date CHECK (member_to > member_from),
    basis       text NOT NULL CHECK (basis IN ('history', 'drawn_up')),
    {VERSIONS},
    PRIMARY KEY (list, symbol, member_from, recorded_at)
);
CREATE UNIQUE INDEX ON market_data.membership (list, symbol, member_from) WHERE replaced_at IS NULL;

CREATE TABLE market_data.bar_grades (
    symbol     text NOT NULL CHECK (symbol <> ''),
    source     text NOT NULL CHECK (source <> ''),
    ts         date NOT NULL,
    check_name text NOT NULL CHECK (check_name <> ''),
    grade      text NOT NULL CHECK (grade IN ('late', 'filled', 'repaired', 'disagree', 'suspect')),
    reason     text NOT NULL,
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, source, ts, check_name)
);

CREATE TABLE market_data.repairs (
    symbol      text NOT NULL CHECK (symbol <> ''),
    source      text NOT NULL CHECK (source <> ''),
    ts          date NOT NULL,
    check_name  text NOT NULL CHECK (check_name <> ''),
    before      jsonb NOT NULL CHECK (jsonb_typeof(before) = 'object'),
    after       jsonb NOT NULL CHECK (jsonb_typeof(after) = 'object'),
    reason      text NOT NULL,
    status      text NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'applied', 'dismissed')),
    proposed_at timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz,
    doubt       jsonb CHECK (jsonb_typeof(doubt) = 'object'),
    PRIMARY KEY (symbol, source, ts, check_name)
);
"""

CANONICAL = """
CREATE VIEW market_data.canonical_bars AS
SELECT b.*
FROM (SELECT DISTINCT ON (symbol) symbol, source
      FROM (SELECT *, max(last) OVER (PARTITION BY symbol) AS newest
            FROM (SELECT symbol, source, max(ts) AS last, max(ts) - min(ts) AS days,
                         max(max(ts) - min(ts)) OVER (PARTITION BY symbol) AS longest
                  FROM market_data.bars GROUP BY symbol, source) series
            WHERE days >= least(365, longest / 2.0)) candidates
      LEFT JOIN market_data.sources USING (source)
      WHERE newest - last <= 10
      ORDER BY symbol, priority NULLS LAST, source COLLATE "C") chosen
JOIN market_data.bars b USING (symbol, source);
COMMENT ON VIEW market_data.canonical_bars IS
    'Bars of each symbol from one source: of those that span a year, or half of the longest span, and end at most '
    '10 days before the newest of these, the first by priority';
"""

EVENTS = f"""
CREATE TABLE events.releases (
    source        text NOT NULL CHECK (source <> ''),
    country       text NOT NULL,
    name          text NOT NULL CHECK (name <> ''),
    released_at   timestamptz NOT NULL,
    period        text NOT NULL DEFAULT '',
    actual        double precision,
    forecast      double precision,
    forecast_kind text NOT NULL DEFAULT 'none' CHECK (forecast_kind IN ('survey', 'model', 'none')),
    previous      double precision,
    revised       double precision,
    unit          text NOT NULL DEFAULT '',
    importance    text NOT NULL DEFAULT '' CHECK (importance IN ('', 'low', 'medium', 'high')),
    {VERSIONS},
    PRIMARY KEY (source, country, name, released_at, recorded_at)
);
CREATE UNIQUE INDEX ON events.releases (source, country, name, released_at) WHERE replaced_at IS NULL;
CREATE INDEX ON events.releases (released_at);

CREATE TABLE events.security_events (
    symbol   text NOT NULL CHECK (symbol <> ''),
    source   text NOT NULL CHECK (source <> ''),
    kind     text NOT NULL CHECK (kind IN ('earnings', 'dividend', 'split')),
    ts       date NOT NULL,
    session  text NOT NULL DEFAULT '' CHECK (session IN ('', 'before_open', 'during', 'after_close')),
    expected double precision,
    actual   double precision,
    period   text NOT NULL DEFAULT '',
    {VERSIONS},
    PRIMARY KEY (symbol, source, kind, ts, recorded_at)
);
CREATE UNIQUE INDEX ON events.security_events (symbol, source, kind, ts) WHERE replaced_at IS NULL;
CREATE INDEX ON events.security_events (ts);

CREATE TABLE events.world_events (
    id          text NOT NULL CHECK (id <> ''),
    happened_at timestamptz NOT NULL,
    day         date NOT NULL,
    time_zone   text NOT NULL CHECK (time_zone <> ''),
    kind        text NOT NULL CHECK (kind IN ('monetary', 'market', 'economic', 'geopolitical', 'disaster')),
    title       text NOT NULL CHECK (title <> ''),
    affected    text[] NOT NULL,
    source      text NOT NULL DEFAULT '',
    {VERSIONS},
    PRIMARY KEY (id, recorded_at)
);
CREATE UNIQUE INDEX ON events.world_events (id) WHERE replaced_at IS NULL;

CREATE TABLE events.news (
    source       text NOT NULL CHECK (source <> ''),
    id           text NOT NULL CHECK (id <> ''),
    published_at timestamptz NOT NULL,
    title        text NOT NULL CHECK (title <> ''),
    summary      text NOT NULL DEFAULT '',
    url          text NOT NULL DEFAULT '',
    publisher    text NOT NULL DEFAULT '',
    symbols      text[] NOT NULL DEFAULT '{{}}',
    {VERSIONS},
    PRIMARY KEY (source, id, recorded_at)
);
CREATE UNIQUE INDEX ON events.news (source, id) WHERE replaced_at IS NULL;
CREATE INDEX ON events.news (published_at);
CREATE INDEX ON events.news USING gin (symbols);

CREATE TABLE events.sentiment (
    symbol    text NOT NULL CHECK (symbol <> ''),
    source    text NOT NULL CHECK (source <> ''),
    measure   text NOT NULL CHECK (measure <> ''),
    scored_at timestamptz NOT NULL,
    score     double precision NOT NULL CHECK (score BETWEEN -1 AND 1),
    relevance double precision CHECK (relevance BETWEEN 0 AND 1),
    about     text NOT NULL DEFAULT '',
    {VERSIONS},
    PRIMARY KEY (symbol, source, measure, scored_at, about, recorded_at)
);
CREATE UNIQUE INDEX ON events.sentiment (symbol, source, measure, scored_at, about) WHERE replaced_at IS NULL;
"""

DERIVED = """
CREATE TABLE derived.values (
    name         text NOT NULL CHECK (name <> ''),
    symbol       text NOT NULL CHECK (symbol <> ''),
    ts           date NOT NULL,
    value        double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    source       text NOT NULL CHECK (source <> ''),
    code_version text NOT NULL CHECK (code_version <> ''),
    computed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, symbol, ts, code_version)
);
"""

OPS = """
CREATE TABLE ops.quarantine (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source        text NOT NULL CHECK (source <> ''),
    kind          text NOT NULL CHECK (kind <> ''),
    name          text NOT NULL,
    row           jsonb NOT NULL CHECK (jsonb_typeof(row) = 'object'),
    reason        text NOT NULL CHECK (reason <> ''),
    payload_id    text REFERENCES raw.payloads,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    times         integer NOT NULL DEFAULT 1 CHECK (times >= 1)
);
CREATE UNIQUE INDEX quarantine_same_row ON ops.quarantine (source, kind, name, reason, md5(row::text));
CREATE INDEX ON ops.quarantine (last_seen_at);

CREATE TABLE ops.vendors (
    source          text PRIMARY KEY CHECK (source <> ''),
    failures        integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    open_until      timestamptz,
    trial_until     timestamptz,
    last_success_at timestamptz,
    last_error_at   timestamptz,
    last_error      text NOT NULL DEFAULT ''
);

CREATE TABLE ops.job_progress (
    job_id     bigint PRIMARY KEY,
    reason     text NOT NULL DEFAULT '',
    queued_at  timestamptz NOT NULL DEFAULT now(),
    done       integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    total      integer NOT NULL DEFAULT 0 CHECK (total >= 0),
    label      text NOT NULL DEFAULT '',
    faults     integer NOT NULL DEFAULT 0 CHECK (faults >= 0),
    outcome    text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'skipped', 'failed', 'cancelled')),
    said       text NOT NULL DEFAULT '',
    mark       text NOT NULL DEFAULT '',
    traceback  text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ops.schedules (
    name       text PRIMARY KEY CHECK (name <> ''),
    task       text NOT NULL CHECK (task <> ''),
    args       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(args) = 'object'),
    trigger    text NOT NULL CHECK (trigger <> ''),
    enabled    boolean NOT NULL DEFAULT false,
    enabled_at timestamptz CHECK (enabled_at IS NOT NULL OR NOT enabled),
    note       text NOT NULL DEFAULT ''
);

CREATE TABLE ops.occurrences (
    schedule   text NOT NULL REFERENCES ops.schedules ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('run', 'covered')),
    job_id     bigint NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule, at)
);
"""

QUOTA = """
CREATE SCHEMA quota;
COMMENT ON SCHEMA quota IS 'Calls made of late, one table per vendor, made at its first call as the library defines it';
"""


def upgrade() -> None:
    """Create what is new; nothing that is there is touched."""
    for statements in (RAW, MARKET_DATA, CANONICAL, EVENTS, DERIVED, OPS):
        op.execute(statements)
    op.execute(QUOTA)
    create_bar_views(op.get_bind())
    compress_bars(op.get_bind())
    comment_tables(op.get_bind())
    install_jobs(op.get_bind())


def install_jobs(bind: sa.Connection) -> None:
    """Create the job queue's own tables and functions in the schema `jobs`."""
    bind.execute(sa.text("CREATE SCHEMA jobs"))
    bind.execute(sa.text("COMMENT ON SCHEMA jobs IS 'The job queue, as its library defines it'"))
    path = bind.scalar(sa.text("SELECT current_setting('search_path')"))
    driver: Any = bind.connection.dbapi_connection
    with driver.cursor() as cursor:  # many statements at once, with signs SQLAlchemy would read as its own
        cursor.execute("SET LOCAL search_path = jobs")
        cursor.execute(SchemaManager.get_schema())
        cursor.execute("SELECT set_config('search_path', %s, true)", [path])
