"""The lab: which definitions there are to try, what they are called, and how many have been tried."""

from __future__ import annotations

from typing import NamedTuple

from quantlib.errors import StrategyError
from quantlib.store import coverage, read_runs, read_strategies
from quantlib.strategies import READY, Strategy, build
from quantlib.workflows.research import choose_source
from quantlib.workflows.session import Session

MOST_NAMED = 3  # symbols a name can hold


class Trials(NamedTuple):
    """How much has been tried: different definitions, and backtests of them on any span, costs or code."""

    definitions: int
    backtests: int


def definitions(session: Session) -> dict[str, Strategy]:
    """Return the definitions that can be run on the source in force, by name: the ready ones, then the newest stored.

    One whose symbols are not all stored is left out, and so is one that its family no longer accepts.
    """
    bars = coverage(session.store)
    here = set() if bars.empty else set(bars.loc[bars["source"] == choose_source(session), "symbol"])
    found = {name: strategy for name, strategy in READY.items() if here.issuperset(strategy.symbols)}
    known = {strategy.id for strategy in READY.values()}
    stored = sorted(read_strategies(session.store), key=lambda r: (r.created_at is None, r.created_at), reverse=True)
    for record in stored:
        try:
            strategy = build(record.family, record.params)
        except StrategyError:
            continue
        if record.id in known or not here.issuperset(strategy.symbols):
            continue
        name = record.title if record.title not in found else f"{record.title} ({record.id[-4:]})"
        found[name] = strategy
    return found


def definition_name(strategy: Strategy) -> str:
    """Return what to call a definition: the name of the ready one, else its family, numbers and symbols.

    Examples
    --------
    >>> definition_name(build("ma_cross", {"universe": ["KO"], "fast": 20, "slow": 100}))
    'Moving-average cross 20/100 on KO'
    """
    for name, ready in READY.items():
        if ready.id == strategy.id:
            return name
    fields = type(strategy).model_fields
    values = {name: getattr(strategy, name) for name in fields}
    numbers = [f"{v:g}" for v in values.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    switched = [
        f", {'with' if value else 'without'} {(fields[name].title or name).lower()}"
        for name, value in values.items()
        if isinstance(value, bool) and value is not fields[name].default
    ]
    symbols = ", ".join(strategy.symbols[:MOST_NAMED])
    more = len(strategy.symbols) - MOST_NAMED
    return f"{strategy.title} {'/'.join(numbers)} on {symbols}{f' and {more} more' if more > 0 else ''}" + "".join(
        switched
    )


def trials(session: Session, source: str) -> Trials:
    """Return how much has been tried on the prices of one source, as far as it is on record."""
    made = [run for run in read_runs(session.store, kind="backtest") if run.params.get("source") == source]
    return Trials(definitions=len({run.strategy_id for run in made}), backtests=len(made))
