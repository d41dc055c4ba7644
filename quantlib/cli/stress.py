"""Scenarios, and strategies that go through them: `workbench scenarios` and `workbench stress`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import Out, Seed, check_new, console, opened, print_lines, print_table, watched, write_table
from quantlib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from quantlib.scenarios import Scenario
    from quantlib.strategies import Strategy
    from quantlib.types import Panel
    from quantlib.workflows.session import Session
    from quantlib.workflows.stressing import Breach, BreachingWorlds, Stressed

One = Annotated[str | None, typer.Argument(help="An id or a title, or a .yaml file; without it all are listed.")]
Strategies = Annotated[list[str], typer.Argument(metavar="STRATEGY...", help="Names as listed, or files.")]
Through = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME|FILE", help="Id, title or .yaml file; repeat for more. All without it."),
]


def scenarios(name: One = None) -> None:
    """List the ready scenarios, or show one: what it does to every stored symbol."""
    from quantlib.workflows.stressing import complete_here
    from quantlib.workflows.stressing import scenarios as ready

    with opened() as session:
        there = ready(session)
        if name is None:
            rows = [(key, one.title, one.kind, f"{one.sessions:,}", _moves(one)) for key, one in there.items()]
            print_table("Scenarios", ("id", "title", "kind", "sessions", "what moves"), rows, right=("sessions",),
                        whole=("id",))  # fmt: skip
            return
        (scenario,) = _chosen(there, [name])
        done, panel = complete_here(session, scenario)
    print_lines([scenario.story, *done.said])
    _print_shocks(scenario, done.table, panel)


def stress(
    strategies: Strategies,
    scenario: Through = None,
    worlds: Annotated[int | None, typer.Option(help="Of each; without it one, its own path.", min=1, max=1000)] = None,
    loss: Annotated[str | None, typer.Option(help="In reverse: what costs them so much, such as 10%.")] = None,
    sessions: Annotated[int | None, typer.Option(help="With --loss: over so many; 21 without it.", min=1)] = None,
    drawdown: Annotated[
        bool, typer.Option("--drawdown", help="With --loss: worlds count it from the highest equity on the way.")
    ] = False,
    seed: Seed = None,
    out: Out = None,
) -> None:
    """Send strategies with their stops through scenarios from what they hold now, or ask what costs them so much."""
    if loss is None and sessions is not None:
        raise DataError("--sessions goes with --loss; a scenario says itself how long it lasts. Leave it out.")
    if loss is None and drawdown:
        raise DataError("--drawdown goes with --loss; the deepest fall in a scenario is always shown. Leave it out.")
    if loss is not None and (scenario, worlds, seed) != (None, None, None):
        raise DataError("--loss looks for the scenario itself. Leave --scenario, --worlds and --seed out.")
    share = None if loss is None else share_of(loss)
    check_new(out)
    with opened() as session:
        opened_up = _definitions(session, strategies)
        if share is not None:
            table = _in_reverse(session, opened_up, share, sessions or 21, drawdown)
        else:
            table = _through(session, opened_up, scenario, worlds or 1, seed or 0)
    write_table(table, out)


def _through(
    session: Session, strategies: Mapping[str, Strategy], names: Sequence[str] | None, worlds: int, seed: int
) -> pd.DataFrame:
    from quantlib.workflows.stressing import scenarios as ready
    from quantlib.workflows.stressing import stress_strategies

    there = ready(session)
    chosen = _chosen(there, names) if names else list(there.values())
    with watched("Going through the scenarios") as tell:
        done = stress_strategies(
            session, strategies, chosen, worlds=worlds, seed=seed, on_progress=lambda k, of: tell(k, of, "")
        )
    _print_stress(done, worlds)
    return done.result.outcomes


def _in_reverse(
    session: Session, strategies: Mapping[str, Strategy], loss: float, sessions: int, drawdown: bool
) -> pd.DataFrame:
    """Print the smallest move and the likeliest worlds of each strategy, and return both: one row a symbol of each.

    What cannot be had of one is said; where nothing can be had of any, it is an error.
    """
    import pandas as pd

    from quantlib.workflows.stressing import breaching_worlds, smallest_breach

    tables: list[pd.DataFrame] = []
    refused: list[str] = []
    for name, strategy in strategies.items():
        with console.status(f"Looking for what costs {name} so much"):
            try:
                breach = smallest_breach(session, strategy, loss, sessions)
            except DataError as error:
                breach = None
                refused.append(f"{name}, the smallest move: {error}")
            try:
                worlds = breaching_worlds(session, strategy, loss, sessions, drawdown)
            except DataError as error:
                worlds = None
                refused.append(f"{name}, in simulated worlds: {error}")
        if breach is not None:
            _print_breach(name, breach, loss)
            shock = breach.shock.rename("shock").to_frame().assign(strategy=name, weight=breach.weights)
            shock = shock.assign(found="smallest move", loss=loss, distance=breach.found.distance)
            tables.append(shock.rename_axis("symbol").reset_index())
        if worlds is not None:
            _print_worlds(name, worlds)
            tables.append(_moves_in(name, worlds))
    if not tables:
        raise DataError(" ".join(refused))
    print_lines(refused)
    columns = ["strategy", "found", "loss", "distance", "symbol", "weight", "shock", "grade"]
    return pd.concat(tables, ignore_index=True).reindex(columns=columns)


def _moves_in(name: str, worlds: BreachingWorlds) -> pd.DataFrame:
    """Return the moves of every symbol in the likeliest worlds, one row each."""
    long = worlds.table.reset_index().melt(["world", "loss", "distance"], list(worlds.symbols), "symbol", "shock")
    long = long.sort_values(["distance", "world"], kind="stable")
    called = worlds.simulator + ", world " + long["world"].astype(str)
    return long.assign(strategy=name, found=called, grade=worlds.grade.letter)


def share_of(text: str) -> float:
    """Return the share that is written as "10%", "10 %" or "0.1".

    Raises
    ------
    DataError
        It is no number, or not above 0 and below 1.

    Examples
    --------
    >>> share_of("12.5%"), share_of("0.1")
    (0.125, 0.1)
    """
    number, sign = text.strip().removesuffix("%").strip(), text.strip().endswith("%")
    try:
        share = float(number) / (100.0 if sign else 1.0)
    except ValueError:
        raise DataError(f"--loss {text} is no number. Write a share of the account, such as 10%.") from None
    if not 0.0 < share < 1.0:
        hint = f" Write {text}% for a percentage." if not sign and 1.0 <= share < 100.0 else ""
        raise DataError(f"--loss {text}: accepted are shares above 0% and below 100%.{hint}")
    return share


def _chosen(there: Mapping[str, Scenario], names: Sequence[str]) -> list[Scenario]:
    """Return scenarios by id or title, or from a file."""
    from quantlib.scenarios import parse_scenario
    from quantlib.workflows.stressing import pick

    chosen: dict[str, Scenario] = {}
    for name in names:
        file = Path(name)
        if file.suffix in {".yaml", ".yml"}:
            try:
                one = parse_scenario(file.read_text(encoding="utf-8"), name)
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"{name} cannot be read as UTF-8 text ({error}). Check the path.") from None
        else:
            (one,) = pick(there, [name])
        if one.title in chosen:
            raise DataError(f"{one.title} is given twice. Leave one out, or give it another title.")
        chosen[one.title] = one
    return list(chosen.values())


def _definitions(session: Session, names: Sequence[str]) -> dict[str, Strategy]:
    from quantlib.workflows.definitions import open_definition

    found: dict[str, Strategy] = {}
    for what in names:
        called, definition = open_definition(session, what)
        if called in found:
            raise DataError(f"{called} is given twice. Leave one out.")
        found[called] = definition.strategy
    return found


def _moves(scenario: Scenario) -> str:
    """Return in words what a scenario names."""
    from quantlib.charts.numbers import ratio, signed_percent

    said = []
    for shock in scenario.shocks:
        if shock.bps is not None:
            said.append(f"{shock.name} {shock.bps:+,.0f} bps")
        elif shock.times is not None:
            said.append(f"{shock.name} x {shock.times:g}")
        else:
            said.append(f"{shock.name} {signed_percent(shock.change)}")
    law = scenario.law
    said += [] if law.volatility == 1.0 else [f"volatilities x {law.volatility:g}"]
    said += [] if law.correlation is None else [f"every correlation {ratio(law.correlation)}"]
    said += [] if law.liquidity == 1.0 else [f"liquidity x {law.liquidity:g}"]
    return ", ".join(said)


def _print_shocks(scenario: Scenario, table: pd.DataFrame, panel: Panel) -> None:
    from quantlib.charts.numbers import UNKNOWN, ratio, signed_percent, span
    from quantlib.workflows.research import data_label

    rows = [
        (str(symbol), signed_percent(shock), UNKNOWN if how == "named" else span(low, high), how, ratio(r2), because)
        for symbol, shock, how, r2, low, high, because in table.itertuples()
    ]
    title = f"{scenario.title} by session {scenario.trough:,} of {scenario.sessions:,} "
    title += f"({data_label(panel.source, panel.index[-1])})"
    heads = ("symbol", "moves", "95 % interval", "how it is known", "R²", "because")
    print_table(title, heads, rows, right=("moves", "95 % interval", "R²"), whole=("symbol", "moves", "95 % interval"))


def _print_stress(done: Stressed, worlds: int) -> None:
    from quantlib.charts.numbers import percent, signed_percent
    from quantlib.workflows.research import data_label

    result, panel = done.result, done.panel
    print_lines(result.sentences)
    returns, holds, falls = (result.matrix(measure) for measure in ("return", "hold", "max_drawdown"))
    stops = result.stops
    rows = [
        (strategy, scenario, signed_percent(returns.loc[strategy, scenario]),
         signed_percent(holds.loc[strategy, scenario]), percent(falls.loc[strategy, scenario]),
         stops.loc[strategy, scenario])
        for strategy in returns.index for scenario in returns.columns
    ]  # fmt: skip
    several = ", means over the worlds of each" if worlds > 1 else ""
    title = f"From {result.as_of:%Y-%m-%d} on{several} ({data_label(panel.source, panel.index[-1])})"
    heads = ("strategy", "scenario", "return", "holdings left alone", "deepest fall", "stopped by")
    print_table(title, heads, rows, right=heads[2:5], whole=heads[2:5])
    print_lines([f"Left out: {sentence}" for sentence in done.left_out])


def _print_breach(name: str, breach: Breach, loss: float) -> None:
    from quantlib.charts.numbers import percent, ratio, signed_percent
    from quantlib.charts.reverse import odds

    found = breach.found
    print_lines(
        [
            f"The smallest move that costs what {name} holds now {percent(loss)} in {breach.sessions:,} sessions is "
            f"{ratio(found.distance, 1)} standard deviations away; the chance of losing so much, by any move, "
            f"is {odds(found.probability)} by a normal law."
        ]
    )
    rows = [
        (str(symbol), signed_percent(breach.weights[str(symbol)]), signed_percent(shock))
        for symbol, shock in breach.shock.items()
    ]
    print_table(name, ("symbol", "held now", "moves"), rows, right=("held now", "moves"))


def _print_worlds(name: str, worlds: BreachingWorlds) -> None:
    from quantlib.charts.numbers import count, percent, signed_percent
    from quantlib.charts.reverse import how_far

    lost = f"falls {percent(worlds.loss)} below its highest" if worlds.drawdown else f"loses {percent(worlds.loss)}"
    print_lines(
        [
            f"With its stops {name} {lost} within {worlds.sessions:,} sessions in {count(worlds.breaching)} of "
            f"{count(worlds.worlds)} worlds of {worlds.simulator} ({percent(worlds.breaching / worlds.worlds)}). "
            f"{worlds.grade.sentence}."
        ]
    )
    rows = [
        (str(world), percent(row["loss"]), how_far(row["distance"], row["plausibility"]),
         ", ".join(f"{symbol} {signed_percent(row[symbol])}" for symbol in _furthest(row, worlds.symbols)))
        for world, row in worlds.table.iterrows()
    ]  # fmt: skip
    all_shown = len(_furthest(worlds.table.iloc[0], worlds.symbols)) == len(worlds.symbols)
    heads = ("world", "loses", "how far from the usual", "what moves" if all_shown else "what moves most")
    print_table(f"{name}: the likeliest of these worlds", heads, rows, right=heads[:2], whole=heads[:2])


def _furthest(row: pd.Series, symbols: Sequence[str]) -> list[str]:
    """Return the four symbols that move most in a world, or all of fewer."""
    return sorted(symbols, key=lambda symbol: -abs(float(row[symbol])))[:4]
