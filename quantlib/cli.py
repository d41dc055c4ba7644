"""The command line: `workbench`, the operator's way in."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

import quantlib
from quantlib.errors import ConfigError, QuantError

if TYPE_CHECKING:
    from quantlib.workflows.ingest import IngestResult
    from quantlib.workflows.serve import Service

app = typer.Typer(
    name="workbench",
    help="Quant Workbench: load data, simulate, test strategies, recommend, report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
database = typer.Typer(help="The database: what it is, migrate it, open a shell, stop it.", no_args_is_help=True)
app.add_typer(database, name="db")
console = Console()
errors = Console(stderr=True)

AsOf = Annotated[str | None, typer.Option(help="Use only what was known on this date, YYYY-MM-DD.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)]


def _version(wanted: bool) -> None:
    if wanted:
        console.print(quantlib.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, help="Print the version.")] = False,
) -> None:
    """Read the options that stand before a command."""


def _progress(*, transient: bool = False) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=transient,
    )


@app.command()
def ingest(
    source: Annotated[str, typer.Option(help="Where prices come from: sample or yahoo.")] = "sample",
    universe: Annotated[str | None, typer.Option(help="A list of data/universe.yaml, or all.")] = None,
    symbols: Annotated[list[str] | None, typer.Option("--symbol", help="One symbol; repeat for more.")] = None,
    start: Annotated[str | None, typer.Option(help="First session to ask for, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last session to ask for, YYYY-MM-DD.")] = None,
) -> None:
    """Load daily bars into the store; what is stored already is left alone."""
    from quantlib.workflows.ingest import ingest as run_ingest  # noqa: PLC0415 - keeps `--help` quick
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    session = open_session()
    try:
        with _progress(transient=True) as progress:
            bar = progress.add_task(f"Loading from {source}", total=None)
            result = run_ingest(
                session.store,
                source,
                _wanted(symbols, universe, session.universe.symbols),
                start=start,
                end=end,
                universe=session.universe,
                on_progress=lambda done, total, label: progress.update(
                    bar, completed=done, total=total, description=label
                ),
            )
        _print_ingest(result)
    finally:
        session.close()
    if not result.ok or result.rejected:
        raise typer.Exit(1)


@app.command()
def pipeline(
    as_of: AsOf = None,
    force: Annotated[bool, typer.Option("--force", help="Compute again even if nothing has changed.")] = False,
) -> None:
    """Run the whole job: simulate, run strategies, validate, log to MLflow, recommend, report."""
    _pipeline(as_of, force=force)


def _pipeline(as_of: str | None, *, force: bool = False) -> None:
    from quantlib.workflows.pipeline import run_pipeline  # noqa: PLC0415
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    with console.status("Opening the database"):
        session = open_session()
    try:
        with _progress() as progress:
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
    for column in ("Strategy", "What to do", f"Expected, next {horizon} sessions", "Chance of a loss"):
        table.add_column(column, overflow="fold")
    for row in result.rows:
        table.add_row(*row)
    console.print(table)
    for line in result.skipped:
        console.print(f"Skipped: {line}")
    if result.reused:
        console.print("Nothing has changed since this was computed.")
    console.print(f"Report: {result.path}", soft_wrap=True)


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="File to write; by default one in data/local/reports.")] = None,
    as_of: AsOf = None,
) -> None:
    """Write the latest recommendation report, or that of a date, as one HTML file."""
    from quantlib.workflows.reporting import export_report  # noqa: PLC0415
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    session = open_session()
    try:
        path = export_report(session, as_of=as_of, out=out)
    finally:
        session.close()
    console.print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)


@app.command("run")
def run_all() -> None:
    """Run the pipeline, then serve the app and the MLflow UI until Ctrl-C."""
    from quantlib.settings import get_settings  # noqa: PLC0415
    from quantlib.workflows import serve  # noqa: PLC0415

    settings = get_settings()
    services = [serve.app_service(settings)]
    with console.status("Looking whether the ports are free"):
        if not settings.tracking_uri.startswith("http"):
            services.insert(0, serve.mlflow_service(settings))
        serve.check_ports(services)
    _pipeline(None)
    _serve(services, logs=settings.home / "logs")


@app.command("app")
def serve_app(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve the Streamlit app alone."""
    from quantlib.settings import get_settings  # noqa: PLC0415
    from quantlib.workflows import serve  # noqa: PLC0415

    _serve([serve.app_service(get_settings(), host, port)])


@app.command("mlflow")
def serve_mlflow(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve the MLflow UI on the recorded runs."""
    from quantlib.settings import get_settings  # noqa: PLC0415
    from quantlib.workflows import serve  # noqa: PLC0415

    _serve([serve.mlflow_service(get_settings(), host, port)])


@app.command()
def notebook(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve JupyterLab on the research notebooks."""
    from quantlib.workflows import serve  # noqa: PLC0415

    _serve([serve.notebook_service(host, port or 8888)])


def _serve(services: list[Service], *, logs: Path | None = None) -> None:
    from quantlib.workflows import serve  # noqa: PLC0415

    def ready(service: Service) -> None:
        console.print(f"[bold]{service.name}[/bold]: {service.url}", soft_wrap=True)
        if service is services[-1]:
            console.print("Ctrl-C stops everything.")

    raise typer.Exit(serve.serve(services, ready, logs=logs))


@database.command("info")
def database_info() -> None:
    """Say which database is in use and what it holds."""
    from quantlib.store import coverage  # noqa: PLC0415
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    session = open_session()
    try:
        for key, value in session.store.info().items():
            console.print(f"{key}: {value}", soft_wrap=True, highlight=False)
        bars = coverage(session.store)
    finally:
        session.close()
    console.print(f"bars: {int(bars['bars'].sum()):,} of {bars['symbol'].nunique()} symbols")


@database.command("migrate")
def database_migrate() -> None:
    """Bring the database to the current schema."""
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    session = open_session()
    try:
        console.print(f"The schema is at revision {session.store.info()['revision']}.")
    finally:
        session.close()


@database.command("stop")
def database_stop() -> None:
    """Stop the embedded database server; whoever needs it next starts it again."""
    from quantlib.settings import get_settings  # noqa: PLC0415
    from quantlib.store import embedded  # noqa: PLC0415

    settings = get_settings()
    if settings.database_url is not None:
        raise ConfigError("DATABASE_URL names a server that is not ours to stop. Stop it where it runs.")
    embedded.stop(settings.home)
    console.print("The embedded server is stopped.")


@database.command("shell")
def database_shell() -> None:
    """Open psql on the database."""
    from quantlib.workflows.session import open_session  # noqa: PLC0415

    session = open_session()
    command, environment = session.store.psql()
    if shutil.which(command[0]) is None:
        session.close()
        raise QuantError(f"{command[0]} is not installed. Install a PostgreSQL client, or use `workbench db info`.")
    try:
        done = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603 - our own command
    finally:
        session.close()
    raise typer.Exit(done.returncode)


def _wanted(symbols: list[str] | None, universe: str | None, named: object) -> list[str] | None:
    if symbols:
        return symbols
    return list(named(universe)) if universe and callable(named) else None


def _print_ingest(result: IngestResult) -> None:
    from quantlib.workflows.ingest import COLUMNS  # noqa: PLC0415

    table = Table(title=f"Ingest from {result.source}", title_justify="left")
    for i, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if 2 <= i <= 5 else "left", overflow="fold")
    *rows, total = result.rows()
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*total)
    console.print(table)
    for reason, count in result.rejected.items():
        console.print(f"Rejected: {reason} ({count:,})", soft_wrap=True)
    console.print(result.headline, soft_wrap=True)


def main() -> None:
    """Run the command line; an error a user can mend becomes one line and exit code 2."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # retries show in the progress, not as bare lines
    try:
        app()
    except QuantError as error:
        errors.print(f"Error: {error}", style="red", soft_wrap=True, markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        sys.exit(130)


if __name__ == "__main__":
    main()
