"""One file with every row of the database, and the way back."""

from __future__ import annotations

import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from quantlib.errors import DataError
from quantlib.store.database import Store
from quantlib.store.transfer import (
    BLOCK,
    Contents,
    Progress,
    TableSum,
    Transfer,
    fill,
    read_contents,
    read_rows,
    snapshot,
)

MANIFEST = "manifest.json"
LEVEL = 1
"""Of compression: a higher one takes half as long again and more, for a twentieth less."""


def backup(store: Store, path: Path, on_progress: Progress | None = None) -> Transfer:
    """Return what was saved, having written all rows into one new file; whole, or no file at all.

    The file is a zip archive: one member per table in PostgreSQL's text form of COPY, and `manifest.json` with
    the schema's revision, the time, and count and checksum of each table. The database may be in use meanwhile;
    the file holds one moment of it. Only its owner can read it. There are no keys or passwords in it, for there
    are none in the database.

    Parameters
    ----------
    store
        What to save.
    path
        The file to make.
    on_progress
        Called as rows are saved.

    Raises
    ------
    DataError
        The file exists or cannot be written.
    ConfigError
        The database failed meanwhile.
    """
    if path.exists():
        raise DataError(f"{path} exists already. Choose another name; a backup replaces nothing.")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            contents = _write(store, file, on_progress)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}. Nothing was left behind.") from None
    finally:
        fresh.unlink(missing_ok=True)
    return Transfer(contents, written=True)


def _write(store: Store, file: BinaryIO, on_progress: Progress | None) -> Contents:
    """Return what was written into the open file."""
    done = 0
    packed = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
    with snapshot(store) as cursor, packed as archive:
        contents = read_contents(cursor)
        for table in contents.tables:
            with archive.open(_member(table), "w", force_zip64=True) as into:
                for block in read_rows(cursor, table):
                    into.write(block)
                    done += block.count(b"\n")
                    if on_progress is not None:
                        on_progress(done, contents.rows, table.table)
        archive.writestr(MANIFEST, contents.model_dump_json(indent=1))
    return contents


def _member(table: TableSum) -> str:
    return f"{table.table}.copy"


def restore(store: Store, path: Path, on_progress: Progress | None = None) -> Transfer:
    """Return what was restored, having put every row of a backup into an empty database, or none.

    The whole file is checked before the first row is written, and counts and checksums of the tables before the
    commit.

    Parameters
    ----------
    store
        An empty database, at the revision of the backup; or one that holds exactly this already.
    path
        A file that `backup` made.
    on_progress
        Called as rows are written.

    Raises
    ------
    DataError
        The file is missing, no backup, cut short or damaged; or the database holds other rows.
    ConfigError
        The schema is at another revision, the database failed or is in use.
    """
    with _checked(path) as (archive, contents):

        def rows_of(table: TableSum) -> Iterator[bytes]:
            with archive.open(_member(table)) as rows:
                while block := rows.read(BLOCK):
                    yield block

        written = fill(store, contents, rows_of, on_progress)
    return Transfer(contents, written)


def read_backup(path: Path) -> Contents:
    """Return what a backup holds, having checked the whole file."""
    with _checked(path) as (_, contents):
        return contents


@contextmanager
def _checked(path: Path) -> Iterator[tuple[zipfile.ZipFile, Contents]]:
    """Give an archive every byte of which is as it was written, and its manifest."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, *_DAMAGE):
        raise DataError(f"{path} is no backup of the workbench, or its end is missing. {_WAY_OUT}") from None
    with archive:
        try:
            damaged = archive.testzip()
            contents = Contents.model_validate_json(archive.read(MANIFEST))
            missing = {_member(table) for table in contents.tables}.difference(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValidationError, *_DAMAGE) as error:
            what = "its manifest is missing or not as expected" if isinstance(error, KeyError | ValueError) else error
            raise DataError(f"{path} is damaged or no backup of the workbench: {what}. {_WAY_OUT}") from None
        if damaged or missing:
            name = damaged or min(missing)
            raise DataError(f"{path} is damaged: {name} is {'broken' if damaged else 'missing'}. {_WAY_OUT}")
        yield archive, contents


# What the library raises on broken archives, besides its own error.
_DAMAGE = (zlib.error, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError, struct.error)
_WAY_OUT = "Nothing was written. Use another backup."
