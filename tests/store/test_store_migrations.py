"""The schema: complete, described, and on TimescaleDB with bars as a hypertable."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from database import Database

from quantlib.store import Store, coverage, embedded, migrations, read_panel
from quantlib.store.address import read_address
from quantlib.store.migrations.versions import r0001_foundation
from quantlib.store.trials import count_trials, read_openings, read_trials, trial_id

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


@pytest.fixture
def fresh(database: Database) -> Iterator[str]:
    """Return the address of an empty database on the test server."""
    server = database.url or embedded.start(database.home)
    name = f"workbench_test_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def upgraded(address: str, head: str, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """Return an engine of a database that was brought to an older schema."""
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(read_address(address)))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", head)
        migrations.upgrade(engine)
    return engine


OLDER = """
INSERT INTO market_data.bars (symbol, source, ts, close, recorded_at) VALUES
    ('KO', 'a', '2019-01-02', 7, '2024-01-03Z'), ('KO', 'a', '2024-01-02', 9, '2024-01-06Z'),
    ('KO', 'b', '2024-01-03', 5, '2024-01-04Z'), ('PEP', 'a', '2024-01-02', 3, '2024-01-05Z');
INSERT INTO market_data.bar_revisions (symbol, source, ts, close, recorded_at, replaced_at) VALUES
    ('KO', 'a', '2024-01-02', 8, '2024-01-02Z', '2024-01-06Z')
"""


def test_bars_of_an_older_schema_are_read_as_before(
    fresh: str, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    engine = upgraded(fresh, "r0002", monkeypatch)
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT to_regclass('market_data.bar_series')")) is None
        connection.exec_driver_sql(OLDER)
        chosen = connection.execute(sa.text("SELECT * FROM market_data.canonical_bars ORDER BY 1, 2, 3")).all()
    engine.dispose()
    with Store.connect(fresh, database.home) as store:
        assert coverage(store)["bars"].tolist() == [2, 1, 1]
        with store.begin() as connection:
            found = connection.execute(
                sa.text("SELECT symbol, source, first_recorded_at FROM market_data.bar_series ORDER BY 1, 2")
            )
            assert [(*row,) for row in found] == [
                ("KO", "a", datetime(2024, 1, 2, tzinfo=UTC)),
                ("KO", "b", datetime(2024, 1, 4, tzinfo=UTC)),
                ("PEP", "a", datetime(2024, 1, 5, tzinfo=UTC)),
            ]
            view = connection.execute(sa.text("SELECT * FROM market_data.canonical_bars ORDER BY 1, 2, 3")).all()
        assert view == chosen
        assert len(view) == 3
        assert read_panel(store, "KO").frame()["KO"].to_dict() == {
            pd.Timestamp("2019-01-02"): 7.0,
            pd.Timestamp("2024-01-02"): 9.0,
        }
        assert read_panel(store, "KO", as_of="2024-01-02").frame()["KO"].tolist() == [8.0]


RUNS = """
INSERT INTO strategies.definitions (id, family, params) VALUES ('pair-1', 'pair', '{"y": "KO", "x": "PEP"}');
INSERT INTO strategies.runs (id, kind, strategy_id, as_of, snapshot_id, code_version, params, metrics, created_at)
VALUES
    ('b1', 'backtest', 'pair-1', '2022-12-28', 's1', 'c1',
     '{"name": "My pair", "costs": {"KO": {"commission_bps": 1.0}}, "cash": 1000000.0, "lag": 1, "source": "sample"}',
     '{"sharpe_ratio": 1.0}', '2026-01-01Z'),
    ('b2', 'backtest', 'pair-1', '2022-12-28', 's1', 'c2',
     '{"name": "Other code", "costs": {"KO": {"commission_bps": 1.0}}, "cash": 1000000.0, "lag": 1}', '{}',
     '2026-02-01Z'),
    ('b3', 'backtest', 'pair-1', '2022-12-28', 's1', 'c2',
     '{"costs": {"KO": {"commission_bps": 1.0}}, "cash": 1000000.0, "lag": 2}', '{}', '2026-02-02Z'),
    ('sim', 'simulation', 'pair-1', '2022-12-28', 's1', 'c1', '{}', '{}', '2026-01-01Z'),
    ('odd', 'backtest', NULL, '2022-12-28', 's1', 'c1', '{}', '{}', '2026-01-01Z'),
    ('m1', 'model', NULL, '2022-12-28', 's2', 'c1', '{"model": "logistic", "horizon": 5, "verdict": "No."}', '{}',
     '2026-01-03Z'),
    ('sw', 'sweep', 'pair-1', '2020-12-28', 's3', 'c1', '{"name": "My pair", "grid": [["entry", [1, 2]]], "lag": 1}',
     '{"table": {"entry": [1, 2], "sharpe_ratio": [0.5, null]}, "invalid": {"entry": []}, "asked": 2}', '2026-01-02Z'),
    ('sw2', 'sweep', 'pair-1', '2020-12-28', 's3', 'c1', '{"grid": {"entry": [1, 2]}}', '{}', '2026-01-02Z');
"""


def test_runs_of_an_older_schema_become_trials_of_the_past(
    fresh: str, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    engine = upgraded(fresh, "r0005", monkeypatch)
    with engine.begin() as connection:
        connection.exec_driver_sql(RUNS)
    engine.dispose()
    with Store.connect(fresh, database.home) as store:
        assert count_trials(store) == {"direction": 1, "pair": 4}
        found = read_trials(store)
        assert sorted(found["kind"]) == ["backtest", "backtest", "model", "set", "set", "sweep"]
        assert set(found["origin"]) == {"unknown"}
        one = found.iloc[-1]
        key = {"idea": "pair", "strategy": "pair-1", "snapshot": "s1", "cash": 1_000_000.0, "lag": 1}
        assert one["id"] == trial_id({**key, "costs": {"KO": {"commission_bps": 1.0}}}), "asked again it is the same"
        assert (one["times"], one["title"], one["run_id"]) == (2, "My pair", "b1")
        assert one["last_at"] > one["began_at"] == pd.Timestamp("2026-01-01", tz="UTC")
        sets = found[found["kind"] == "set"]
        assert set(sets["params"]) == {'{"entry": 1}', '{"entry": 2}'}
        assert set(sets["parent"]) == set(found.loc[found["kind"] == "sweep", "id"])
        budget = read_openings(store, "pair", date(2022, 1, 1))
        assert (budget.openings, budget.unknown) == (0, 2)


GROUPS = """
INSERT INTO strategies.definitions (id, family, params) VALUES
    ('group-1', 'group', '{"kind": "rotation"}'), ('pair-1', 'pair', '{"y": "KO", "x": "PEP"}');
INSERT INTO strategies.trials (id, parent, kind, idea, strategy_id, params, origin) VALUES
    ('b1', NULL, 'backtest', 'group', 'group-1', '{}', 'app'),
    ('b2', NULL, 'backtest', 'group', 'group-9', '{"kind": "fly"}', 'app'),
    ('b3', NULL, 'backtest', 'my idea', 'group-1', '{"kind": "rotation"}', 'app'),
    ('b4', NULL, 'backtest', 'pair', 'pair-1', '{}', 'app'),
    ('sw', NULL, 'sweep', 'group', 'group-1', '{}', 'cli'),
    ('s1', 'sw', 'set', 'group', 'group-2', '{"hold": 5}', 'cli'),
    ('m1', NULL, 'model', 'direction', NULL, '{}', 'cli');
"""


def test_trials_of_groups_go_by_the_kind_of_group(
    fresh: str, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    engine = upgraded(fresh, "r0007", monkeypatch)
    with engine.begin() as connection:
        connection.exec_driver_sql(GROUPS)
    engine.dispose()
    with Store.connect(fresh, database.home) as store:
        assert read_trials(store).set_index("id")["idea"].to_dict() == {
            "b1": "rotation", "b2": "fly", "b3": "my idea", "b4": "pair", "sw": "rotation", "s1": "rotation",
            "m1": "direction",
        }  # fmt: skip
