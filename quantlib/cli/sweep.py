"""A sweep from the command line: `workbench strategy sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantlib.cli.terminal import Idea, console, opened, print_table, watched

if TYPE_CHECKING:
    from quantlib.workflows.sweeping import StoredSweep

Vary = Annotated[
    list[str],
    typer.Option(
        metavar="PARAMETER=VALUES",
        help='What varies, once for each: "timing.entry=1.5,2,2.5" or "fast=20:120:10" (first, last, step). '
        "null stands for none.",
    ),
]


def sweep(
    what: Annotated[str, typer.Argument(help="A name as listed, or a .yaml file.")],
    vary: Vary,
    metric: Annotated[str, typer.Option(help="What the sets are ordered by.")] = "sharpe_ratio",
    sample: Annotated[int | None, typer.Option(help="Draw so many sets instead of all.", min=1)] = None,
    start: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    top: Annotated[int, typer.Option(help="Sets to print.", min=1)] = 10,
    idea: Idea = None,
    open_holdout: Annotated[
        bool, typer.Option("--open-holdout", help="Use the hold-out too; that is counted.")
    ] = False,
) -> None:
    """Run a definition for every set of parameters, before the hold-out; it is stored, logged to MLflow and counted."""
    from quantlib.errors import StrategyError, nearest
    from quantlib.types import as_date
    from quantlib.workflows.definitions import open_definition
    from quantlib.workflows.sweeping import METRICS, sweep_args, sweep_strategy

    if metric not in METRICS:
        raise StrategyError(f"A sweep is not ordered by {metric!r}. {nearest(metric, METRICS)}")
    grid: dict[str, list[Any]] = {}
    for text in vary:
        name, equals, values = text.partition("=")
        if not equals or name in grid:
            why = "is given twice" if name in grid else "has no values"
            raise StrategyError(f'--vary {text}: {name} {why}. Write "PARAMETER=1,2,3", once for each parameter.')
        grid[name.strip()] = values_of(values)
    since = None if start is None else as_date(start, "--from").date()
    with opened(idea) as session:
        name, definition = open_definition(session, what)
        sweep_args(definition.strategy, grid, sample=sample)
        with watched(f"Sweeping {name}") as tell:
            made = sweep_strategy(
                session, definition.strategy, grid, name=name, start=since, sample=sample, open_holdout=open_holdout,
                on_progress=lambda done, total: tell(done, total, ""),
            )  # fmt: skip
    _print(made, metric, top)


def values_of(text: str) -> list[Any]:
    """Return the values that are written as "1,2,3", or as "first:last:step" with both ends.

    Raises
    ------
    StrategyError
        A range is not three numbers, its step is zero or leads away, or a value cannot be read.

    Examples
    --------
    >>> values_of("20:40:10"), values_of("1.5,2"), values_of("ols,tls")
    ([20, 30, 40], [1.5, 2], ['ols', 'tls'])
    """
    import numpy as np

    from quantlib.errors import StrategyError
    from quantlib.strategies.plain_yaml import read_plain

    try:
        read = [read_plain(part)[0] for part in text.split(":" if ":" in text else ",")]
    except StrategyError:
        raise StrategyError(f"{text!r} cannot be read. Write values as 1,2,3 or first:last:step.") from None
    if ":" not in text:
        return read
    if len(read) != 3 or not all(isinstance(one, int | float) for one in read):
        raise StrategyError(f"{text!r} is no range. Write first:last:step in numbers, such as 20:120:10.")
    first, last, step = read
    if step == 0 or (last - first) / step < 0:
        raise StrategyError(f"{text!r} never gets from {first} to {last} in steps of {step}.")
    steps = int(np.floor((last - first) / step + 1e-9)) + 1
    return [first + step * k if isinstance(first, int) and isinstance(step, int) else round(first + step * k, 12)
            for k in range(steps)]  # fmt: skip


def _print(made: StoredSweep, metric: str, top: int) -> None:
    from quantlib.charts.numbers import count, number
    from quantlib.metrics import METRICS as CARDS

    found = made.result
    best = found.table.sort_values(metric, ascending=not CARDS[metric].higher_is_better, kind="stable").head(top)
    heads = (*found.parameters, *(CARDS[key].title for key in found.metrics))
    texts = [
        *([str(value) for value in best[name].tolist()] for name in found.parameters),
        *([number(value, CARDS[key].unit) for value in best[key].tolist()] for key in found.metrics),
    ]
    rows = list(zip(*texts, strict=True))
    print_table(f"{made.name}, best by {CARDS[metric].title}", heads, rows, right=heads[len(found.parameters) :])
    for _, row in found.invalid.head(3).iterrows():
        given = ", ".join(f"{name} {row[name]}" for name in found.parameters)
        console.print(f"Refused: {given}: {row['reason']}", soft_wrap=True, markup=False, highlight=False)
    for line in (
        f"{count(found.n_tried)} sets run, {count(len(found.invalid))} refused. The best of many looks good by luck "
        "alone; look for a plateau, not for a peak.",
        f"Stored as {made.id}; the strategy lab shows its heatmap.",
    ):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
