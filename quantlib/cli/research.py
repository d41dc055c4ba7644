"""Commands that compute: the pipeline and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID
from rich.table import Table

from quantlib.cli.terminal import AsOf, console, opened, progress_bar


def pipeline(
    as_of: AsOf = None,
    force: Annotated[bool, typer.Option("--force", help="Compute again even if nothing has changed.")] = False,
) -> None:
    """Run the whole job: simulate, run strategies, validate, log to MLflow, recommend, report."""
    run_and_print(as_of, force=force)


def run_and_print(as_of: str | None, *, force: bool = False) -> None:
    """Run the pipeline with its progress on the terminal, then print what it recommends."""
    from quantlib.workflows.pipeline import run_pipeline
    from quantlib.workflows.session import open_session

    with console.status("Opening the database"):
        session = open_session(origin="cli")
    try:
        with progress_bar() as progress:
            tasks: dict[str, TaskID] = {}

            def show(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=total)
                progress.update(tasks[stage], completed=done, total=total)

            result = run_pipeline(session, as_of=as_of, force=force, on_progress=show)
    finally:
        session.close()
    horizon = result.recommendations[0].horizon_sessions
    table = Table(title=f"Recommendations as of {result.as_of:%Y-%m-%d} ({result.data_label})", title_justify="left")
    for column in ("Strategy", "What to do", f"Expected, next {horizon} sessions", "Chance of a loss", "Realism grade"):
        table.add_column(column, overflow="fold")
    for row in result.rows:
        table.add_row(*row)
    console.print(table)
    for line in result.skipped:
        console.print(f"Skipped: {line}")
    if result.reused:
        console.print("Nothing has changed since this was computed.")
    console.print(f"Report: {result.path}", soft_wrap=True)


def report(
    out: Annotated[Path | None, typer.Option(help="File to write; by default one in data/local/reports.")] = None,
    as_of: AsOf = None,
) -> None:
    """Write the latest recommendation report, or that of a date, as one HTML file."""
    from quantlib.workflows.reporting import export_report

    with opened() as session:
        path = export_report(session, as_of=as_of, out=out)
    console.print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
