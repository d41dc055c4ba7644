"""The contract between models, migrations and documentation: all three say the same of every table."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from quantlib.models import MODELS
from quantlib.models.tables import columns_of, key_of, markdown, summary_of
from quantlib.store import Store

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tables.md"
COLUMNS = sa.text("""
SELECT a.attname, format_type(a.atttypid, NULL) AS type, NOT a.attnotnull AS nullable,
       col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a WHERE a.attrelid = CAST(:name AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
""")
KEY = sa.text("""
SELECT a.attname FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = CAST(:name AS regclass) AND i.indisprimary ORDER BY k.place
""")
LONG = {"timestamp with time zone": "timestamptz"}


@pytest.mark.parametrize("table", MODELS)
def test_the_database_is_what_the_models_say(store: Store, table: str) -> None:
    model = MODELS[table]
    with store.begin() as connection:
        columns = connection.execute(COLUMNS, {"name": model.table}).all()
        key = connection.scalars(KEY, {"name": model.table}).all()
        comment = connection.scalar(
            sa.text("SELECT obj_description(CAST(:name AS regclass), 'pg_class')"), {"name": model.table}
        )
    assert {(c.attname, LONG.get(c.type, c.type), c.nullable, c.comment) for c in columns} == {
        (c.name, c.sql, c.nullable, c.meaning) for c in columns_of(model)
    }
    assert tuple(key) == key_of(model)
    assert comment == summary_of(model)


def test_every_table_of_data_has_a_model(store: Store) -> None:
    with store.begin() as connection:
        tables = connection.scalars(
            sa.text(
                "SELECT schemaname || '.' || tablename FROM pg_tables "
                "WHERE schemaname IN ('raw', 'market_data', 'events', 'macro', 'derived')"
            )
        ).all()
    older = {"market_data.instruments", "market_data.universe_lists", "market_data.universe_members"}
    assert set(tables) - older == {m.table for m in MODELS.values() if not m.table.startswith(("ops.", "strategies."))}


def test_keys_and_marks_of_a_model_are_columns_of_it() -> None:
    for model in MODELS.values():
        assert {*model.key, *([model.known] if model.known else [])} <= set(model.columns()), model.table
        if model.versioned:
            assert set(model.recorded_by) <= set(model.key) | {"source"}, model.table
            assert model.known, model.table
            assert set(model.columns()) > set(model.key), f"{model.table} has nothing that could change"


def test_the_documentation_is_that_of_the_models() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), "run `python -m quantlib.models > docs/tables.md`"
