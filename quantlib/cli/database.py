"""Commands on the database: `workbench db`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from quantlib.cli.terminal import console, opened, progress_bar
from quantlib.errors import ConfigError, QuantError

if TYPE_CHECKING:
    from quantlib.store.transfer import Transfer

commands = typer.Typer(
    help="The database: what it is, migrate it, copy it, back it up, restore it, open a shell, stop it.",
    no_args_is_help=True,
)


@commands.command("info")
def info(
    tables: Annotated[bool, typer.Option("--tables", help="Count every table, with a checksum of its rows.")] = False,
) -> None:
    """Say which database is in use and what it holds."""
    from quantlib.store import coverage
    from quantlib.store.transfer import checksums

    with opened() as session:
        if tables:
            _print_rows(list(checksums(session.store).itertuples(index=False, name=None)))
        for key, value in session.store.info().items():
            console.print(f"{key}: {value}", soft_wrap=True, highlight=False)
        bars = coverage(session.store)
    console.print(f"bars: {int(bars['bars'].sum()):,} of {bars['symbol'].nunique()} symbols")


@commands.command("migrate")
def migrate() -> None:
    """Bring the database to the current schema."""
    with opened() as session:
        console.print(f"The schema is at revision {session.store.info()['revision']}.")


@commands.command("copy")
def copy(
    to: Annotated[
        str,
        typer.Option(
            help="postgresql://user:password@host:port/database; an empty database. "
            "Put it into the variable instead if others can see your commands.",
            envvar="TARGET_DATABASE_URL",
        ),
    ],
) -> None:
    """Copy every row to another database, of whatever kind, and compare counts and checksums."""
    from quantlib.store import Store, transfer

    if not to.strip():
        raise ConfigError("--to is empty. Name the database to copy to, as postgresql://user:password@host/database.")
    with opened() as session, Store.connect(to, session.settings.home) as target:
        place = target.info()["address"]
        with _progress(f"Copying to {place}") as show:
            done = transfer.copy(session.store, target, show)
    _print_transfer(done, "copied to", place)


@commands.command("backup")
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="File to write; by default one with the time in its name, in backups.")
    ] = None,
) -> None:
    """Save every row into one file."""
    from quantlib.store.backup import backup as save

    with opened() as session:
        if file is None:
            file = session.settings.home / "backups" / f"workbench-{datetime.now().astimezone():%Y%m%d-%H%M%S}.zip"
            file.parent.mkdir(parents=True, exist_ok=True)
        with _progress("Saving") as show:
            done = save(session.store, file, show)
    _print_tables(done)
    size = file.stat().st_size / 1e6
    console.print(f"{done.contents.rows:,} rows saved to {file} ({size:,.1f} MB).", soft_wrap=True, highlight=False)


@commands.command("restore")
def restore(file: Annotated[Path, typer.Argument(help="A file that `workbench db backup` made.")]) -> None:
    """Put every row of a backup into the database, which must be empty."""
    from quantlib.store.backup import restore as put_back

    with opened() as session:
        place = session.store.info()["address"]
        with _progress(f"Restoring {file.name}") as show:
            done = put_back(session.store, file, show)
    _print_transfer(done, "restored to", place)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    with progress_bar(transient=True) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda done, total, table: progress.update(
            bar, completed=done, total=total, description=f"{title}: {table}"
        )


def _print_transfer(done: Transfer, what: str, place: str) -> None:
    _print_tables(done)
    if done.written:
        text = f"{done.contents.rows:,} rows {what} {place}. Counts and checksums of all tables are the same."
    else:
        text = f"Nothing to do: {place} holds exactly these {done.contents.rows:,} rows already."
    console.print(text, soft_wrap=True, highlight=False)


def _print_tables(done: Transfer) -> None:
    _print_rows([(table.table, table.rows, table.checksum) for table in done.contents.tables])


def _print_rows(rows: list[tuple[str, int, str]]) -> None:
    table = Table("Table")
    table.add_column("Rows", justify="right")
    table.add_column("Checksum", justify="right")
    for name, count, checksum in sorted(rows):
        if count:
            table.add_row(name, f"{count:,}", checksum)
    console.print(table)


@commands.command("stop")
def stop() -> None:
    """Stop the embedded database server; whoever needs it next starts it again."""
    from quantlib.settings import get_settings
    from quantlib.store import embedded

    settings = get_settings()
    if settings.database_url is not None:
        raise ConfigError("DATABASE_URL names a server that is not ours to stop. Stop it where it runs.")
    embedded.stop(settings.home)
    console.print("The embedded server is stopped.")


@commands.command("shell")
def shell() -> None:
    """Open psql on the database."""
    with opened() as session:
        command, environment = session.store.psql()
        if shutil.which(command[0]) is None:
            raise QuantError(f"{command[0]} is not installed. Install a PostgreSQL client, or use `workbench db info`.")
        done = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603 - our own command
    raise typer.Exit(done.returncode)
