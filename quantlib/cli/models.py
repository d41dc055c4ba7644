"""Commands on the registry: `workbench register`, `promote`, `champions` and `rerun`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import console, opened, print_table

if TYPE_CHECKING:
    from quantlib.models.promotions import Promotion

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, in MLflow or as `workbench` prints it.")]
Called = Annotated[str, typer.Argument(metavar="NAME", help="Registered name; `workbench champions` lists them.")]


def register(
    run: Run,
    name: Annotated[
        str | None, typer.Option(help="Registered name; by default the strategy's, or what a model predicts.")
    ] = None,
) -> None:
    """Register a logged backtest or model as a version: the candidate, until it is promoted."""
    from quantlib.workflows.registry import register as enter

    with opened() as session, console.status("Making the run again"):
        made = enter(session, run, name)
    _say(f"Version {made.version} of {made.name}, a {made.kind}, is the candidate. `workbench promote` asks the gate.")


def promote(
    name: Called,
    version: Annotated[int | None, typer.Option(help="Which; by default the candidate.", min=1)] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Make the former champion the champion again.")] = False,
) -> None:
    """Make a version the champion, if what it showed out of sample lets it through the gate; exit 1 if not."""
    from quantlib.errors import ConfigError
    from quantlib.workflows.registry import promote as decide
    from quantlib.workflows.registry import rollback as take_back

    if rollback and version is not None:
        raise ConfigError("--rollback goes back to the former champion; leave --version out.")
    with opened() as session, console.status(f"Deciding about {name}"):
        decision = take_back(session, name) if rollback else decide(session, name, version)
    _say(_outcome(decision))
    _say(decision.why)
    if decision.outcome == "refused":
        raise typer.Exit(1)


def champions(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only of this name, with its decisions.")] = None,
) -> None:
    """List what is registered, and which version of each name is the champion."""
    from quantlib.workflows.registry import promotions, version_of, versions

    with opened() as session:
        found, log = versions(session, name), promotions(session, name)
        if not found and name is not None:
            version_of(session, name)  # says what there is
    if not found:
        console.print("Nothing is registered yet. `workbench register` registers a run.")
        return
    rows = [(one.name, str(one.version), one.kind, ", ".join(one.aliases), one.mlflow_run_id[:12]) for one in found]
    print_table("Registered", ("name", "version", "kind", "", "run"), rows, right=("version",), whole=("name", "run"))
    if name is not None:
        for decision in log:
            when = f"{decision.decided_at:%Y-%m-%d %H:%M}" if decision.decided_at else ""
            _say(f"{when} {decision.who}: {_outcome(decision)} {decision.why}")


def rerun(run: Run) -> None:
    """Make a logged run again from MLflow, and say whether it comes out the same; exit 1 if not."""
    from quantlib.workflows.rerunning import rerun as again

    with opened() as session, console.status("Making the run again"):
        made = again(session, run)
    _say(made.sentence)
    if not made.same:
        raise typer.Exit(1)


def _outcome(decision: Promotion) -> str:
    before = "" if decision.from_version is None else f" instead of version {decision.from_version}"
    if decision.outcome == "refused":
        stays = "there is still no champion" if not before else f"version {decision.from_version} stays the champion"
        return f"Refused: version {decision.to_version} of {decision.name}; {stays}."
    return f"Version {decision.to_version} of {decision.name} is the champion{before}."


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
