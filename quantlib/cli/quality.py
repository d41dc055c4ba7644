"""Commands on the quality of what is stored: `workbench quality`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import console, opened, print_frame, print_table, watched
from quantlib.errors import DataError, nearest

if TYPE_CHECKING:
    from quantlib.workflows.session import Session

commands = typer.Typer(help="Quality: how fresh and sound each series is; check, and decide on repairs.")

Symbols = Annotated[list[str] | None, typer.Option("--symbol", help="Only this symbol; repeat for more.")]


@commands.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    symbols: Symbols = None,
    doubts: Annotated[bool, typer.Option("--list", help="List every doubt, day by day.")] = False,
) -> None:
    """Say how fresh and how sound each series is, and what is in doubt."""
    if context.invoked_subcommand is not None:
        return
    with opened() as session:
        _print_series(session, symbols)
        if doubts:
            _print_doubts(session, symbols)


def _print_series(session: Session, symbols: list[str] | None) -> None:
    from quantlib.workflows.quality import freshness

    table = freshness(session)
    if table.empty:
        raise DataError("No prices are stored yet. Run `workbench ingest --source sample`, or `make run`.")
    for symbol in symbols or ():
        if symbol not in set(table["symbol"]):
            raise DataError(f"No bars of {symbol!r} are stored. {nearest(symbol, table['symbol'].unique())}")
    if symbols:
        table = table[table["symbol"].isin(symbols)]
    columns = ("symbol", "source", "grade", "last", "expected", "behind", "missing", "doubted", "quarantined", "bars")
    print_frame("Series", table, dict(zip(columns, columns, strict=True)))


def _print_doubts(session: Session, symbols: list[str] | None) -> None:
    from quantlib.store import read_grades

    columns = {"ts": "day", "symbol": "symbol", "source": "source", "check_name": "check", "grade": "grade"}
    print_frame("Doubts", read_grades(session.store, symbols=symbols), columns | {"reason": "why"})


@commands.command()
def check(
    symbols: Symbols = None,
    source: Annotated[str | None, typer.Option(help="Only what this source delivered.")] = None,
) -> None:
    """Check what is stored; doubts and proposed repairs are kept, and taken back when they are gone."""
    from quantlib.workflows.quality import check_quality

    with opened() as session, watched("Checking") as tell:
        result = check_quality(session, symbols=symbols or None, source=source, on_progress=tell)
    print_table("Checks", ("check", "grade", "doubts", "series"), result.rows(), right=("doubts", "series"))
    console.print(result.headline, soft_wrap=True, markup=False)
    if result.repairs.new:
        console.print(f"{result.repairs.new:,} repairs are proposed: `workbench quality repairs`.")


@commands.command()
def repairs(
    every: Annotated[bool, typer.Option("--all", help="Those decided as well.")] = False,
) -> None:
    """List the proposed repairs: what each would change, and why."""
    from quantlib.workflows.quality import repairs as list_repairs

    with opened() as session:
        found = list_repairs(session)
    if not every:
        found = found[found["status"] == "proposed"]
    if found.empty:
        console.print("No repair is proposed. `workbench quality check` looks for faults.")
        return
    columns = {"symbol": "symbol", "source": "source", "ts": "day", "check_name": "check", "status": "status"}
    print_frame("Repairs", found, columns | {"change": "change", "reason": "why"}, whole=list(columns.values()))


@commands.command()
def repair(
    symbol: Annotated[str, typer.Argument(help="As listed by `workbench quality repairs`.")],
    source: Annotated[str, typer.Argument(help="As listed.")],
    day: Annotated[str, typer.Argument(help="As listed, YYYY-MM-DD.")],
    check_name: Annotated[str, typer.Argument(metavar="CHECK", help="As listed.")],
    dismiss: Annotated[
        bool, typer.Option("--dismiss", help="Leave the bar as it is, or put it back if it was repaired.")
    ] = False,
) -> None:
    """Apply a proposed repair; the bar before is kept."""
    from quantlib.workflows.quality import decide

    with opened() as session:
        days = decide(session, symbol, source, day, check_name, apply=not dismiss)
    when = " and ".join(f"{one:%Y-%m-%d}" for one in days)
    console.print(f"The repair of {symbol} from {source} on {when} is {'dismissed' if dismiss else 'applied'}.")
