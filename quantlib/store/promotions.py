"""Promotions: the log of which version of a registered name is the champion, decided one at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from quantlib.models.promotions import Promotion
from quantlib.store.database import Store
from quantlib.store.upsert import as_json

_COLUMNS = [name for name in Promotion.columns() if name != "decided_at"]
_VALUES = ", ".join(f"CAST(:{name} AS jsonb)" if name == "scores" else f":{name}" for name in _COLUMNS)
_WRITE = sa.text(f"INSERT INTO strategies.promotions ({', '.join(_COLUMNS)}) VALUES ({_VALUES})")  # noqa: S608  ours
_TURN = sa.text("SELECT pg_advisory_xact_lock(hashtext('strategies.promotions'), hashtext(:name))")
_READ = sa.text(f"""
SELECT {", ".join(Promotion.columns())} FROM strategies.promotions
WHERE CAST(:name AS text) IS NULL OR name = :name ORDER BY decided_at, id
""")  # noqa: S608  ours


@contextmanager
def deciding(store: Store, name: str) -> Iterator[Callable[[Promotion], None]]:
    """Wait for a name's turn and yield what writes the decision; it is kept only if all inside succeeds.

    Of two who decide about one name at once, one waits for the other.
    """
    with store.begin() as connection:
        connection.execute(_TURN, {"name": name})

        def write(promotion: Promotion) -> None:
            row = promotion.model_dump(include=set(_COLUMNS))
            connection.execute(_WRITE, row | {"scores": json.dumps(as_json(promotion.scores))})

        yield write


def read_promotions(store: Store, name: str | None = None) -> list[Promotion]:
    """Return the decisions about a name, or about all, the first one first."""
    with store.begin() as connection:
        return [Promotion(**row) for row in connection.execute(_READ, {"name": name}).mappings()]
