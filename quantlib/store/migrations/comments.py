"""Comments on tables and columns, from the models, so that any client of the database shows what they mean."""

from __future__ import annotations

import sqlalchemy as sa

from quantlib.models import MODELS
from quantlib.models.tables import columns_of, summary_of

_COLUMNS = sa.text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0")


def comment_tables(bind: sa.Connection) -> None:
    """Set the comments of every table that has a model; what a later step adds is left to that step."""
    for model in MODELS.values():
        there = set(bind.scalars(_COLUMNS, {"table": model.table}))
        if not there:
            continue
        words = {f"TABLE {model.table}": summary_of(model)}
        words |= {f"COLUMN {model.table}.{c.name}": c.meaning for c in columns_of(model) if c.name in there}
        for what, text in words.items():
            quoted = text.replace("'", "''")
            bind.exec_driver_sql(f"COMMENT ON {what} IS '{quoted}'")
