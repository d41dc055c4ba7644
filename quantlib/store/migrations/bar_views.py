"""Weekly and monthly bars as views, kept up to date by TimescaleDB where its licence allows; compression likewise."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

PERIODS = {"week": "market_data.weekly_bars", "month": "market_data.monthly_bars"}
"""View of each period; a week starts on Monday, a month on its first."""
COLUMNS = ("symbol", "source", "ts", "open", "high", "low", "close", "volume", "adj_close", "sessions")

# A value is NULL where that of one of its sessions is: the highest of the known highs is not the week's high.
_EXTREMES = """
       CASE WHEN count(high) = count(*) THEN max(high) END AS high,
       CASE WHEN count(low) = count(*) THEN min(low) END AS low"""
_SUMS = """
       CASE WHEN count(volume) = count(*) THEN sum(volume) END AS volume"""


def select_bars_by(period: str, where: str = "true") -> str:
    """Return the SELECT of weekly or monthly bars out of daily ones, in the columns of `COLUMNS`.

    Parameters
    ----------
    period
        A key of `PERIODS`.
    where
        SQL condition on `market_data.bars`.
    """
    return f"""
SELECT symbol, source, date_trunc('{period}', ts::timestamp)::date AS ts,
       (array_agg(open ORDER BY ts))[1] AS open,{_EXTREMES},
       (array_agg(close ORDER BY ts DESC))[1] AS close,{_SUMS},
       (array_agg(adj_close ORDER BY ts DESC))[1] AS adj_close,
       count(*) AS sessions
FROM market_data.bars
WHERE {where}
GROUP BY 1, 2, 3
"""  # noqa: S608  no value from outside: the period is a key of PERIODS, the condition written where it is called


# WITH NO DATA, for filling it needs a transaction of its own; the policy does that. Not yet refreshed periods are
# computed when read. The policy leaves the running period to that: materialised, it would go stale at the next bar.
_AGGREGATE = """
CREATE MATERIALIZED VIEW {view}
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT symbol, source, time_bucket(INTERVAL '1 {period}', ts) AS ts,
       first(open, ts) AS open,{extremes},
       last(close, ts) AS close,{sums},
       last(adj_close, ts) AS adj_close,
       count(*) AS sessions
FROM market_data.bars
GROUP BY 1, 2, 3
WITH NO DATA
"""
_REFRESH = """
SELECT add_continuous_aggregate_policy('{view}', start_offset => NULL, end_offset => INTERVAL '1 {period}',
                                       schedule_interval => INTERVAL '1 hour')
"""
_LICENSED = """
SELECT current_setting('timescaledb.license', true) = 'timescale'
       AND EXISTS (SELECT FROM ops.capabilities WHERE name = 'hypertables' AND available)
"""
_COMMENT = "COMMENT ON VIEW {view} IS 'Bars of a {period}, dated by its first day; NULL where a session has no value'"
# Without the last one a vendor's restatement of a long history would fail: a statement may unpack only 100,000
# packed rows by default.
_COMPRESS = (
    """
    ALTER TABLE market_data.bars SET (timescaledb.enable_columnstore = true,
                                      timescaledb.segmentby = 'symbol, source', timescaledb.orderby = 'ts')
    """,
    """
    DO $$ BEGIN
        EXECUTE format('CALL add_columnstore_policy(%L, after => INTERVAL %L)', 'market_data.bars',
                       (SELECT 2 * time_interval FROM timescaledb_information.dimensions
                        WHERE hypertable_schema = 'market_data' AND hypertable_name = 'bars'));
    END $$
    """,
    """
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0',
                       current_database());
    END $$
    """,
)


def create_bar_views(bind: sa.Connection) -> None:
    """Create weekly and monthly bars: continuous aggregates where the server can, plain views elsewhere.

    What the server could not give, and why, goes to `ops.capabilities`; only a surprise gets a note.
    """
    aggregates, views = [], []
    for period, view in PERIODS.items():
        words = {"view": view, "period": period, "extremes": _EXTREMES, "sums": _SUMS}
        comment = _COMMENT.format(**words)
        aggregates += [_AGGREGATE.format(**words), _REFRESH.format(**words), comment]
        views += [f"CREATE VIEW {view} AS {select_bars_by(period)}", comment]
    note = "Continuous aggregates could not be made ({}); weekly and monthly bars are plain views."
    if not _licensed(bind, "continuous_aggregates", aggregates, note):
        for statement in views:
            bind.exec_driver_sql(statement)


def compress_bars(bind: sa.Connection) -> None:
    """Have TimescaleDB pack chunks of bars older than two of their spans, where its licence allows."""
    _licensed(bind, "compression", _COMPRESS, "Old bars could not be compressed ({}).")


def _licensed(bind: sa.Connection, name: str, statements: Sequence[str], note: str) -> bool:
    """Return whether the server ran the statements, all or none, and record that as capability `name`."""
    given, why = False, ""
    if bind.execute(sa.text(_LICENSED)).scalar():
        try:
            with bind.begin_nested():
                for statement in statements:
                    bind.exec_driver_sql(statement)
            given = True
        except sa.exc.DBAPIError as error:
            why = note.format(str(error.orig).strip().splitlines()[0])
    bind.execute(
        sa.text("INSERT INTO ops.capabilities VALUES (:name, :given, :why)"), {"name": name, "given": given, "why": why}
    )
    return given
