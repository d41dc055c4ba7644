"""A price or a strategy in simulated worlds: `workbench simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import Out, Seed, check_new, opened, print_lines, print_table, watched, write_table
from quantlib.errors import DataError, nearest

if TYPE_CHECKING:
    from quantlib.strategies import Strategy
    from quantlib.workflows.session import Session
    from quantlib.workflows.worlds import Outlook

What = Annotated[str, typer.Argument(metavar="STRATEGY|SYMBOL", help="A name as listed, a file, or a stored symbol.")]
Simulators = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Whose worlds; repeat for more. The usual ones without it.")
]


def simulate(
    what: What,
    simulator: Simulators = None,
    worlds: Annotated[int | None, typer.Option(help="How many, of each simulator.", min=2)] = None,
    sessions: Annotated[int | None, typer.Option(help="How many ahead.", min=1)] = None,
    seed: Seed = None,
    out: Out = None,
) -> None:
    """Say what could happen to a price or a strategy, in the worlds of each simulator."""
    from dataclasses import replace

    import pandas as pd

    from quantlib.simulators import SIMULATORS
    from quantlib.workflows.research import choose_source
    from quantlib.workflows.worlds import ask, look_ahead, usual_extent

    for name in simulator or ():
        if name not in SIMULATORS:
            raise DataError(f"There is no simulator {name!r}. {nearest(name, SIMULATORS, limit=len(SIMULATORS))}")
    chosen = list(dict.fromkeys(simulator or ("stationary_bootstrap",)))
    check_new(out)
    given = {"worlds": worlds, "horizon": sessions, "seed": seed}
    with opened() as session:
        called, strategy = _strategy_or_symbol(session, what)
        extent = usual_extent(session) | {key: value for key, value in given.items() if value is not None}
        asked = ask(called, strategy, chosen[0], {}, extent | {"compare": simulator is None})
        asked = replace(asked, simulators=(*asked.simulators, *(SIMULATORS[name]() for name in chosen[1:])))
        with watched(f"Simulating {called}") as tell:
            found = look_ahead(session, asked, lambda done, total: tell(done, total, ""))
        _print_outlook(found, choose_source(session))
    tables = [
        pd.DataFrame({"simulator": title, "grade": found.grades[title].letter, "world": range(len(one.hold)),
                      "return": one.returns, "max_drawdown": one.account.max_drawdown,
                      **({"hold": one.hold} if strategy else {})})
        for title, one in found.worlds.items()
    ]  # fmt: skip
    write_table(pd.concat(tables, ignore_index=True), out)


def _strategy_or_symbol(session: Session, what: str) -> tuple[str, Strategy | None]:
    """Return what people call it, and the definition: None where it is a stored symbol."""
    from quantlib.workflows.definitions import known_definitions, open_definition
    from quantlib.workflows.stressing import stored_symbols

    known, symbols = known_definitions(session), stored_symbols(session)
    if what in symbols and what not in known:
        return what, None
    if what.partition("@")[0].strip() in known or Path(what).suffix in {".py", ".yaml", ".yml"}:
        called, definition = open_definition(session, what)
        return called, definition.strategy
    raise DataError(f"There is no definition and no stored symbol {what!r}. {nearest(what, [*known, *symbols])}")


def _print_outlook(found: Outlook, source: str) -> None:
    from quantlib.charts.numbers import count, interval, percent, signed_percent, span
    from quantlib.workflows.research import data_label

    name, first, title = found.asked.name, found.first, next(iter(found.worlds))
    said = [
        f"{name} makes {interval(first.mean, *first.mean_interval, signed=True)} over the next "
        f"{count(first.horizon)} sessions in {count(len(first.hold))} worlds of {title} (grade {found.grade.letter}), "
        f"and loses in {percent(first.probability_of_loss)} of them."
    ]
    if len(found.worlds) > 1:
        means = [one.mean for one in found.worlds.values()]
        said.append(f"By the simulator its mean is {span(min(means), max(means))}: so much hangs on what is assumed.")
    print_lines(said)
    rows = [
        (row["world"], row["grade"], row["what"], signed_percent(row["mean"]), percent(row["loses"]),
         *(signed_percent(row[key]) for key in ("p05", "p50", "p95")))
        for row in found.table.to_dict("records")
    ]  # fmt: skip
    label = data_label(source, found.history.index[-1])
    heads = ("world", "grade", "what", "mean", "loses in", "5 % below", "middle", "5 % above")
    print_table(
        f"{name}, {count(first.horizon)} sessions ahead ({label})", heads, rows, right=heads[3:], whole=("world",)
    )
    print_lines(f"{title}: {grade.sentence}" for title, grade in found.grades.items())
    print_lines([f"Beware: {found.hindsight}"] if found.hindsight else [])
