"""The catalogue of sources, so that SQL chooses and adjusts as the code does."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from quantlib.models.market import SourceRow
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.upsert import upsert

_SOURCES = sa.Table(
    "sources",
    sa.MetaData(schema="market_data"),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("title", sa.Text),
    sa.Column("priority", sa.Integer),
    sa.Column("price_scale", sa.Text),
    sa.Column("has_actions", sa.Boolean),
)


def write_sources(store: Store, rows: Iterable[SourceRow]) -> WriteCount:
    """Return how many sources were new, changed and unchanged; one that is not given stays, for its data does."""
    values = [row.model_dump() for row in rows]
    if not values:
        return WriteCount()
    with store.begin() as connection:
        return upsert(connection, _SOURCES, values)


def read_sources(store: Store) -> dict[str, SourceRow]:
    """Return the sources the store knows of by name, the lowest priority number first."""
    query = sa.select(_SOURCES).order_by(_SOURCES.c.priority, _SOURCES.c.source)
    with store.begin() as connection:
        return {row.source: SourceRow(**row._mapping) for row in connection.execute(query)}
