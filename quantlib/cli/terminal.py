"""What every command shares: the two consoles, options that recur, the progress bar and the session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from quantlib.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from quantlib.workflows.session import Session

console = Console()
errors = Console(stderr=True)

AsOf = Annotated[str | None, typer.Option(help="Use only what was known on this date, YYYY-MM-DD.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Idea = Annotated[str | None, typer.Option(help="What its trials are of; by default the kind of strategy.")]
Cash = Annotated[float, typer.Option(help="What the account begins with.", min=1.0)]
Lag = Annotated[int, typer.Option(help="Sessions from a decision to its fill.", min=1, max=20)]
Seed = Annotated[int | None, typer.Option(help="Same seed, same worlds.", min=0)]
Out = Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write every outcome there; nothing is replaced.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)]


def progress_bar(*, transient: bool = False) -> Progress:
    """Return a progress display with spinner, bar, count and time; a transient one disappears when done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=transient,
    )


@contextmanager
def watched(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield what a workflow tells (done, total, what is at work) to; the bar disappears when done."""
    with progress_bar(transient=True) as progress:
        bar = progress.add_task(label, total=None)
        yield lambda done, total, doing: progress.update(
            bar, completed=done, total=total, description=escape(doing or label)
        )


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    whole: Collection[str] = (),
    last: Sequence[str] | None = None,
) -> None:
    """Print rows of plain text under their columns.

    Parameters
    ----------
    right
        Columns of numbers.
    whole
        Columns whose words are not broken, since somebody is to type or copy them.
    last
        A row below a line.
    """
    table = Table(title=escape(title), title_justify="left")
    for column in columns:
        table.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in whole
        )
    for row in rows:
        table.add_row(*map(escape, row))
    if last is not None:
        table.add_section()
        table.add_row(*map(escape, last))
    console.print(table)


def print_frame(title: str, frame: pd.DataFrame, columns: Mapping[str, str], *, whole: Collection[str] = ()) -> None:
    """Print some columns of a frame under the headings given: days as dates, numbers to the right, unknown as empty."""
    numbers = [heading for name, heading in columns.items() if frame[name].dtype.kind in "iu"]
    rows = zip(*([_text(value) for value in frame[name].tolist()] for name in columns), strict=True)
    print_table(title, list(columns.values()), rows, right=numbers, whole=whole)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return "" if str(value) == "NaT" else f"{value:%Y-%m-%d}"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def minute(moment: datetime | None) -> str:
    """Return a moment of the store, which is in UTC, to the minute; empty where there is none."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def check_new(out: Path | None) -> None:
    """Refuse a file that is there already or cannot be made, before any long work.

    Raises
    ------
    DataError
        It is there, or its folder is not.
    """
    if out is None:
        return
    if out.exists():
        raise DataError(f"{out} exists already. Choose another name; nothing is replaced.")
    if not out.parent.is_dir():
        raise DataError(f"{out} cannot be written: there is no folder {out.parent}. Make it, or choose another.")


def write_table(table: pd.DataFrame, out: Path | None) -> None:
    """Write a table to a new CSV file, if one is named, and say so."""
    if out is None:
        return
    try:
        table.to_csv(out, index=False, lineterminator="\n", mode="x")
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}). Check the path.") from None
    print_lines([str(out)])


def print_lines(lines: Iterable[str]) -> None:
    """Print sentences as they are, however long."""
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


@contextmanager
def opened(idea: str | None = None) -> Iterator[Session]:
    """Yield the session a command works in, its trials of an idea where one is given, and close it afterwards."""
    from quantlib.workflows.session import open_session

    session = open_session(origin="cli", idea=idea)
    try:
        yield session
    finally:
        session.close()
