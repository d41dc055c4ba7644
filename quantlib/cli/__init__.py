"""The command line: `workbench`, the operator's way in.

Commands import what they need when they run, so that `--help` stays quick.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Annotated

import typer

import quantlib
from quantlib.cli import (
    data,
    database,
    jobs,
    models,
    quality,
    research,
    serve,
    simulation,
    strategy,
    stress,
    sweep,
    training,
    validation,
)
from quantlib.cli.terminal import console, errors
from quantlib.errors import QuantError

app = typer.Typer(
    name="workbench",
    help="Quant Workbench: load data, simulate, test strategies, recommend, report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(quantlib.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, help="Print the version.")] = False,
) -> None:
    """Read the options that stand before a command."""


# In the order of `workbench --help`.
app.command()(data.ingest)
app.command()(data.sources)
app.command()(data.smoke)
app.command()(data.events)
app.add_typer(quality.commands, name="quality")
strategy.commands.command("sweep")(sweep.sweep)
app.add_typer(strategy.commands, name="strategy")
app.command()(simulation.simulate)
app.command()(stress.scenarios)
app.command()(stress.stress)
app.command()(validation.trials)
app.command()(validation.validate)
app.command()(training.train)
app.command()(models.register)
app.command()(models.promote)
app.command()(models.champions)
app.command()(models.rerun)
app.command()(research.pipeline)
app.command()(research.report)
app.command("run")(serve.run_all)
app.command("app")(serve.serve_app)
app.command("mlflow")(serve.serve_mlflow)
app.command()(serve.notebook)
app.add_typer(jobs.commands, name="jobs")
app.command()(jobs.worker)
app.add_typer(database.commands, name="db")


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
