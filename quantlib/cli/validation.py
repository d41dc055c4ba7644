"""Commands on what has been tried and what it is worth: `workbench trials` and `workbench validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import (
    Cash,
    Idea,
    Lag,
    check_new,
    console,
    opened,
    print_frame,
    print_lines,
    print_table,
    watched,
)
from quantlib.errors import DataError

if TYPE_CHECKING:
    from quantlib.workflows.validating import Validated

MARKS = {"pass": "+ pass", "weak": "? weak", "fail": "- fail"}


def trials(
    idea: Annotated[str | None, typer.Option(help="Only of this idea, with its latest trials.")] = None,
    last: Annotated[int, typer.Option(help="Trials to print of an idea.", min=0)] = 10,
) -> None:
    """Say how much has been tried of each idea, what it amounts to, and how often the hold-out was opened."""
    from quantlib.charts.numbers import count
    from quantlib.errors import nearest
    from quantlib.workflows.holdout import holdout_budget
    from quantlib.workflows.ledger import ledger_table, trial_counts, trials_of

    with opened() as session:
        known = trial_counts(session)
        if not known:
            console.print("Nothing has been tried yet. `workbench strategy run` tries a definition.")
            return
        if idea is not None and idea not in known:
            raise DataError(f"No trial of {idea!r} is on record. {nearest(idea, known)}")
        rows, sentences = [], []
        for name in known if idea is None else [idea]:
            found, budget = trials_of(session, name), holdout_budget(session, name)
            rows.append((name, count(found.n), f"{found.effective:,.1f}", count(budget.openings)))
            sentences.append(budget.sentence)
        table = None if idea is None else ledger_table(session, idea, limit=last)
    heads = ("idea", "trials", "as many as independent", "hold-out opened")
    print_table("Trials", heads, rows, right=heads[1:], whole=("idea",))
    if table is None:
        return
    console.print(sentences[0], soft_wrap=True, markup=False, highlight=False)
    asked = table.assign(last_at=table["last_at"].dt.strftime("%Y-%m-%d %H:%M"))
    columns = {"last_at": "asked for (UTC)", "kind": "kind", "title": "title", "params": "parameters"}
    print_frame("The latest", asked, {**columns, "origin": "from", "outcome": "outcome"})


def validate(
    what: Annotated[str, typer.Argument(metavar="STRATEGY", help="A name as listed, or a .yaml or .py file.")],
    start: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    open_holdout: Annotated[
        bool, typer.Option("--open-holdout", help="Judge by the hold-out too; that is counted.")
    ] = False,
    cash: Cash = 1_000_000.0,
    lag: Lag = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Only the checks that every backtest makes.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.json|.html", help="Write the card there; nothing is replaced.")
    ] = None,
    idea: Idea = None,
) -> None:
    """Say whether the edge of a strategy is real, by every check there is; stored, logged and counted."""
    from quantlib.types import as_date
    from quantlib.workflows.definitions import open_definition
    from quantlib.workflows.validating import quick_verdict, validate_strategy

    if out is not None and out.suffix not in {".json", ".html"}:
        raise DataError(f"--out {out}: a card is written as .json or .html.")
    check_new(out)
    since = None if start is None else as_date(start, "--from").date()
    with opened(idea) as session:
        name, definition = open_definition(session, what)
        if quick:
            made = quick_verdict(
                session, definition.strategy, name=name, start=since, open_holdout=open_holdout, cash=cash, lag=lag
            )
        else:
            with watched(f"Validating {name}") as tell:
                made = validate_strategy(
                    session, definition.strategy, name=name, start=since, open_holdout=open_holdout, cash=cash, lag=lag,
                    on_progress=lambda done, of: tell(done, of, ""),
                )  # fmt: skip
    _print(made)
    if out is not None:
        _write(made, out)


def _print(made: Validated) -> None:
    card = made.card
    print_lines([f"{card.name}: {MARKS[card.edge]}. {card.sentence}"])
    rows = [(MARKS[check.outcome], check.title, check.sentence) for check in card.checks]
    print_table(f"{card.first} to {card.last} ({card.data_label})", ("", "check", "why"), rows, whole=("",))
    if card.to_change:
        rows = [(MARKS[check.outcome], check.title, check.change) for check in card.to_change]
        print_table("What would change it", ("", "check", "what would change it"), rows, whole=("",))
    print_lines([f"Beware: {card.hindsight}"] if card.hindsight else [])
    print_lines([card.holdout])
    if made.again:
        print_lines(["Nothing has changed since this was made."])
    if made.id:
        print_lines([f"Stored as {made.id}; the page Validation shows its figures."])


def _write(made: Validated, out: Path) -> None:
    from quantlib.reports.verdict_page import render_verdict

    ids = {"Validation": made.id} if made.id else {}
    text = made.card.model_dump_json(indent=2) if out.suffix == ".json" else render_verdict(made.card, ids)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}). Check the path.") from None
    print_lines([str(out)])
