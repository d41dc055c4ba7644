"""The schema: complete, described, and on TimescaleDB with bars as a hypertable."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from quantlib.store import Store, migrations
from quantlib.store.migrations.versions import r0001_foundation

SCHEMAS = {"raw", "market_data", "events", "macro", "derived", "strategies", "execution", "reports", "ops"}


def test_head_is_the_end_of_the_one_road() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [migrations.HEAD]
    assert [step.revision for step in script.walk_revisions()] == list(reversed(migrations.REVISIONS))


def test_every_schema_and_table_is_there_and_described(store: Store) -> None:
    with store.begin() as connection:
        inspector = sa.inspect(connection)
        assert set(inspector.get_schema_names()) >= SCHEMAS
        for schema in SCHEMAS:
            for table in inspector.get_table_names(schema):
                if table != migrations.TABLE:
                    assert inspector.get_table_comment(table, schema)["text"], f"{schema}.{table}"
                assert inspector.get_pk_constraint(table, schema)["constrained_columns"], f"{schema}.{table}"


def test_bars_are_a_hypertable_exactly_where_the_server_has_timescaledb(store: Store) -> None:
    info = store.info()
    with store.begin() as connection:
        installed, loaded = connection.execute(
            sa.text(
                "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'), "
                "current_setting('timescaledb.license', true) IS NOT NULL"
            )
        ).one()
        offered = installed and loaded
        assert (info["timescaledb"] is not None) == offered
        assert info["hypertables"] == offered
        assert bool(info["notes"]) == (installed and not loaded)
        if not offered:
            assert info["edition"] is None
            return
        assert info["edition"] in {"apache", "community"}
        found = connection.execute(
            sa.text("SELECT hypertable_schema, hypertable_name FROM timescaledb_information.hypertables")
        )
        assert [tuple(row) for row in found] == [("market_data", "bars")]
        interval = connection.scalar(
            sa.text("SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'bars'")
        )
        assert 365 <= interval.days <= 5 * 366


@pytest.mark.parametrize(
    ("available", "preloaded", "note"),
    [
        (False, False, ""),
        (True, False, "not in shared_preload_libraries; bars are a plain table"),
        (True, True, "could not be used (.*); bars are a plain table"),  # may not create it, or it is odd
    ],
)
def test_a_server_that_cannot_give_hypertables_is_used_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch, available: bool, preloaded: bool, note: str
) -> None:
    probe = f"SELECT {available} AS available, {preloaded} AS preloaded"
    monkeypatch.setattr(r0001_foundation, "_PROBE", probe)
    monkeypatch.setattr(r0001_foundation, "_HYPERTABLE", "SELECT create_hypertable('no such table')")
    with store.begin() as connection:
        given, why = r0001_foundation.make_hypertable(connection)
        assert given is False
        assert re.search(note, why)
        assert bool(why) == available
        assert connection.scalar(sa.text("SELECT 1")) == 1, "the transaction must go on"
