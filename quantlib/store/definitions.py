"""Definitions kept under a name: every version, in `strategies.versions`.

A version is never taken away, since runs and reports may have been made with it. Deleting a name only retires its
versions; saving under it again brings them back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quantlib.errors import DataError, nearest
from quantlib.store.database import Store
from quantlib.store.records import StrategyRecord
from quantlib.store.upsert import as_json


@dataclass(frozen=True)
class VersionRecord:
    """One version of a definition that is kept under a name.

    Parameters
    ----------
    name, version
        What it is called, and its number: 1 for the first.
    strategy_id, family, params
        The definition, as in `StrategyRecord`.
    note
        What was changed, in the words of whoever saved it.
    why, reference
        Why it might work, and where it was written about.
    saved_at
        When it was saved first.
    """

    name: str
    version: int
    strategy_id: str
    family: str
    params: Mapping[str, Any]
    note: str
    why: str
    reference: str
    saved_at: datetime


_READ = sa.text("""
SELECT v.name, v.version, v.strategy_id, d.family, d.params, v.note, v.why, v.reference, v.saved_at
FROM strategies.versions v JOIN strategies.definitions d ON d.id = v.strategy_id
WHERE v.retired_at IS NULL AND (CAST(:name AS text) IS NULL OR v.name = :name)
ORDER BY v.name COLLATE "C", v.version
""")
_DEFINE = """
INSERT INTO strategies.definitions (id, family, title, params)
VALUES (:id, :family, :title, CAST(:params AS jsonb)) ON CONFLICT (id) DO NOTHING
"""
_NEWEST = (
    "SELECT version, strategy_id, why, reference FROM strategies.versions WHERE name = :name "
    "ORDER BY version DESC LIMIT 1"
)
_BACK = """
UPDATE strategies.versions SET retired_at = NULL, changed_at = clock_timestamp()
WHERE name = :name AND retired_at IS NOT NULL
"""
_ADD = """
INSERT INTO strategies.versions (name, version, strategy_id, note, why, reference)
VALUES (:name, :version, :id, :note, :why, :reference)
"""
_REWORD = """
UPDATE strategies.versions v
SET note = new.note, why = new.why, reference = new.reference, changed_at = clock_timestamp()
FROM (SELECT coalesce(:note, note) AS note, coalesce(:why, why) AS why, coalesce(:reference, reference) AS reference
      FROM strategies.versions WHERE name = :name AND version = :version) new
WHERE v.name = :name AND v.version = :version
      AND (v.note, v.why, v.reference) IS DISTINCT FROM (new.note, new.why, new.reference)
"""


def save_version(
    store: Store,
    name: str,
    strategy: StrategyRecord,
    *,
    note: str | None = None,
    why: str | None = None,
    reference: str | None = None,
) -> VersionRecord:
    """Return the newest version of a name after saving a definition under it.

    Where the newest version is that definition already, there is no new one; words that are given replace the old
    ones. Of two processes that save at once, one waits for the other.

    Parameters
    ----------
    name
        A new one, or one in use. One that was deleted comes back with all its versions.
    strategy
        The definition; it is stored with the version.
    note, why, reference
        What was changed, why it might work, and where it was written about. None leaves the last two as they were
        in the newest version; a note is of one version alone.
    """
    words = {"note": note, "why": why, "reference": reference}
    defined = {"id": strategy.id, "family": strategy.family, "title": strategy.title}
    with _writing(store) as connection:
        connection.execute(sa.text(_BACK), {"name": name})
        newest = connection.execute(sa.text(_NEWEST), {"name": name}).one_or_none()
        if newest is not None and newest.strategy_id == strategy.id:
            connection.execute(sa.text(_REWORD), {"name": name, "version": newest.version, **words})
        else:
            connection.execute(sa.text(_DEFINE), {**defined, "params": json.dumps(as_json(strategy.params))})
            version = 1 if newest is None else newest.version + 1
            before = {} if newest is None else {"why": newest.why, "reference": newest.reference}
            added = {key: before.get(key, "") if text is None else text for key, text in words.items()}
            connection.execute(sa.text(_ADD), {"name": name, "version": version, "id": strategy.id, **added})
        return _versions(connection, name)[-1]


def read_definition_versions(store: Store, name: str | None = None) -> list[VersionRecord]:
    """Return the versions kept under a name, or all that are in use, by name and number.

    Raises
    ------
    DataError
        Nothing is kept under that name.
    """
    with store.begin() as connection:
        found = _versions(connection, name)
        if name is not None and not found:
            raise _unknown(connection, name)
        return found


def rename_definition(store: Store, name: str, new: str) -> None:
    """Keep all versions of a name under a new one.

    Raises
    ------
    DataError
        Nothing is kept under the old name, or something is or was under the new one.
    """
    with _writing(store) as connection:
        if taken := connection.execute(sa.text(_NEWEST), {"name": new}).one_or_none():
            kept = "1 version, which is" if taken.version == 1 else f"{taken.version} versions, which are"
            raise DataError(f"The name {new!r} is taken by {kept} kept even after deleting it. Choose another.")
        _change(connection, "name = :new", name, new=new)


def delete_definition(store: Store, name: str) -> None:
    """Take a name out of use; its versions stay, and come back when something is saved under it again.

    Raises
    ------
    DataError
        Nothing is kept under that name.
    """
    with _writing(store) as connection:
        _change(connection, "retired_at = clock_timestamp()", name)


@contextmanager
def _writing(store: Store) -> Iterator[sa.Connection]:
    """Give a transaction beside which nobody else writes versions; readers do not wait."""
    with store.begin() as connection:
        connection.execute(sa.text("LOCK TABLE strategies.versions IN SHARE ROW EXCLUSIVE MODE"))
        yield connection


def _versions(connection: sa.Connection, name: str | None) -> list[VersionRecord]:
    rows = connection.execute(_READ, {"name": name}).mappings()
    return [VersionRecord(**row) for row in rows]


def _change(connection: sa.Connection, what: str, name: str, **values: str) -> None:
    """Change all versions of a name that is in use."""
    statement = f"UPDATE strategies.versions SET {what}, changed_at = clock_timestamp() WHERE name = :name"  # noqa: S608  ours
    done = connection.execute(sa.text(f"{statement} AND retired_at IS NULL"), {"name": name, **values})
    if not done.rowcount:
        raise _unknown(connection, name)


def _unknown(connection: sa.Connection, name: str) -> DataError:
    names = {record.name for record in _versions(connection, None)}
    return DataError(f"No definition is kept under the name {name!r}. {nearest(name, names)}")
