"""Commands on definitions: `workbench strategy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import Cash, Idea, Lag, console, minute, opened, print_table
from quantlib.errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlib.strategies.difference import Change
    from quantlib.workflows.research import StrategyRun

commands = typer.Typer(no_args_is_help=True, help="Strategies: list, show, run, compare, save and pass on definitions.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="As listed; an older version as NAME@2.")]
What = Annotated[str, typer.Argument(help="A name as listed, or a .yaml or .py file.")]
Document = Annotated[Path, typer.Argument(metavar="FILE", help="A .yaml file, as `export` writes it.")]
Note = Annotated[str | None, typer.Option(help="What was changed, for whoever reads it later.")]


@commands.command("list")
def list_all() -> None:
    """List the definitions: the ready ones, and those saved here."""
    from quantlib.strategies import LIBRARY
    from quantlib.workflows.definitions import daily, definition_versions, known_definitions
    from quantlib.workflows.lab import definitions

    rows = []
    with opened() as session:
        every_day, runnable = daily(session), definitions(session)
        for name, definition in known_definitions(session).items():
            strategy = definition.strategy
            version = "ready" if name in LIBRARY else f"version {definition_versions(session, name)[-1].version}"
            kind = getattr(strategy, "kind", strategy.family)
            said = ["daily"] if name in every_day else []
            said += [] if name in runnable else ["no prices"]
            rows.append((name, kind, _some(strategy.symbols), version, ", ".join(said)))
    print_table("Definitions", ("name", "kind", "symbols", "from", ""), rows, whole=("name",))


@commands.command()
def show(name: What) -> None:
    """Show a definition, why it might work and where it was written about."""
    from quantlib.strategies.document import to_yaml
    from quantlib.workflows.definitions import open_definition

    with opened() as session:
        called, definition = open_definition(session, name)
    strategy = definition.strategy
    if strategy.source_code:
        console.print(f"{called} ({strategy.id})", soft_wrap=True, markup=False, highlight=False)
        print_table("Parameters", ("parameter", "value"), [(k, str(v)) for k, v in strategy.model_dump().items()])
        return
    text = to_yaml(strategy, called, definition.why, definition.reference)
    console.print(text, end="", soft_wrap=True, markup=False, highlight=False)


@commands.command()
def run(
    what: What,
    start: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last session, YYYY-MM-DD.")] = None,
    cash: Cash = 1_000_000.0,
    lag: Lag = 1,
    idea: Idea = None,
) -> None:
    """Run a definition over the stored prices; the run is stored, logged to MLflow and counted."""
    from quantlib.workflows.definitions import open_definition
    from quantlib.workflows.research import backtest_strategy

    with opened(idea) as session:
        name, definition = open_definition(session, what)
        with console.status(f"Running {name}"):
            done = backtest_strategy(session, definition.strategy, name=name, start=start, end=end, cash=cash, lag=lag)
    _print_run(done)


def _print_run(done: StrategyRun) -> None:
    from quantlib.charts.numbers import count, interval, money
    from quantlib.metrics import METRICS
    from quantlib.workflows.research import data_label

    days, result = done.panel.index, done.result
    rows = []
    for key, value, low, high, n, *_ in done.metrics.itertuples():
        card = METRICS[str(key)]
        rows.append((card.title, interval(value, low, high, unit=card.unit), count(n)))
    title = f"{done.name}, {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d} ({data_label(done.panel.source, days[-1])})"
    print_table(title, ("metric", "value and its 95 % interval", "n"), rows, right=("n",))
    spent = money(float(result.costs.sum()))
    ended = money(float(result.equity.iloc[-1]))
    for line in (
        f"{count(len(result.trades))} fills; {spent} of costs; the account ended with {ended}.",
        f"Verdict: {done.verdict.outcome}. {done.verdict.sentence}",
        *([f"Beware: {done.hindsight}"] if done.hindsight else []),
        f"Stored as {done.run_id}, of {done.strategy.id}.",
    ):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


@commands.command()
def diff(a: What, b: What) -> None:
    """Say what changed from one definition to another."""
    from quantlib.strategies.difference import diff as compare
    from quantlib.workflows.definitions import open_definition

    with opened() as session:
        old, new = (open_definition(session, what)[1].strategy for what in (a, b))
    _print_changes(compare(old, new))


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        console.print(change.sentence, soft_wrap=True, markup=False, highlight=False)
    if not changes:
        console.print("Nothing has changed.")


@commands.command()
def versions(name: Annotated[str, typer.Argument(help="A saved name, as listed.")]) -> None:
    """List the versions of a saved definition, and what changed from one to the next."""
    from quantlib.workflows.definitions import definition_versions, version_changes

    with opened() as session:
        found = definition_versions(session, name)
    rows = [
        (str(record.version), minute(record.saved_at), record.strategy_id, changed, record.note)
        for record, changed in zip(found, version_changes(found), strict=True)
    ]
    print_table(f"Versions of {name}", ("version", "saved (UTC)", "id", "what changed", "note"), rows)


@commands.command()
def save(
    name: Annotated[str, typer.Argument(help="A new name, or one in use.")],
    what: Annotated[str, typer.Argument(metavar="FILE", help="A .yaml or .py file, or a name to copy.")],
    note: Note = None,
) -> None:
    """Save a definition under a name; a change of it becomes its next version."""
    from quantlib.workflows.definitions import save_opened

    with opened() as session:
        record = save_opened(session, name, what, note)
    console.print(f"{record.name} is version {record.version} ({record.strategy_id}).", markup=False, highlight=False)


@commands.command()
def export(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="File to write; by default it is printed.")] = None,
) -> None:
    """Write a definition as YAML."""
    from quantlib.workflows.definitions import export_definition

    with opened() as session:
        text = export_definition(session, name)
    if out is None:
        console.print(text, end="", soft_wrap=True, markup=False, highlight=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StrategyError(f"{out} cannot be written ({error.strerror}). Check the path.") from None
    console.print(f"{out}", soft_wrap=True, markup=False, highlight=False)


@commands.command("import")
def read_in(
    file: Document,
    name: Annotated[str | None, typer.Option(help="Another name than the one in the file.")] = None,
    note: Note = None,
) -> None:
    """Read a definition from YAML and save it under the name in it."""
    from quantlib.workflows.definitions import import_file

    with opened() as session:
        record = import_file(session, file, name=name, note=note)
    console.print(f"{record.name} is version {record.version} ({record.strategy_id}).", markup=False, highlight=False)


@commands.command()
def rename(name: Annotated[str, typer.Argument(help="A saved name.")], new: str) -> None:
    """Give a saved definition another name; its versions go with it."""
    from quantlib.workflows.definitions import move_definition

    with opened() as session:
        move_definition(session, name, new)
    console.print(f"{name} is now {new}.", markup=False, highlight=False)


@commands.command()
def delete(name: Annotated[str, typer.Argument(help="A saved name.")]) -> None:
    """Take a saved name out of use; its versions are kept, and come back when it is saved again."""
    from quantlib.workflows.definitions import drop_definition

    with opened() as session:
        drop_definition(session, name)
    console.print(f"{name} is out of use; its versions are kept.", markup=False, highlight=False)


def _some(symbols: tuple[str, ...], most: int = 4) -> str:
    more = len(symbols) - most
    return ", ".join(symbols[:most]) + (f" and {more} more" if more > 0 else "")
