"""The lab: try a definition, look at what came out, and know how many have been tried before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.backtest import holding_beside
from quantlib.charts import drawdown, trades_on_price, weights_over_time
from quantlib.charts.numbers import count, money
from quantlib.conditions import ConditionError, evaluate, evaluate_each
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.store import coverage, read_runs, read_strategies
from quantlib.strategies import READY, Explanation, Group, Strategy, build
from quantlib.strategies.document import LONGEST_NAME
from quantlib.strategies.timing import NAMES, Band, Rank, Rules
from quantlib.types import DateLike
from quantlib.workflows.definitions import known_definitions
from quantlib.workflows.extras import explained
from quantlib.workflows.research import StrategyRun, backtest_strategy, choose_source, data_label, strategy_panel
from quantlib.workflows.session import Session
from quantlib.workflows.spread import signal_figure
from quantlib.workflows.tear_sheet import TearSheet

MOST_NAMED = 3  # symbols a name can hold


@dataclass(frozen=True, eq=False)
class Trial:
    """A backtest as it is looked at.

    Parameters
    ----------
    run
        The backtest with its metrics and checks.
    holding
        Equity of buying the same symbols in equal parts and holding them, after costs, from where both compare.
    why
        Why the strategy holds what it holds at the end.
    seed
        Of the resampling.
    """

    run: StrategyRun
    holding: pd.Series
    why: Explanation
    seed: int = 0
    _drawn: dict[str, go.Figure] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> dict[str, str]:
        """What the numbers are of, for the strip of a page."""
        index = self.run.panel.index
        return {
            "as of": f"{index[-1]:%Y-%m-%d}",
            "prices": data_label(self.run.panel.source, index[-1]),
            "sessions": f"{len(index):,} since {index[0]:%Y-%m-%d}",
        }

    @property
    def paid(self) -> str:
        """What trading and borrowing cost, in a sentence."""
        trades, equity = self.run.result.trades, self.run.result.equity
        traded = float(trades["cost"].sum())
        borrowed = money(float(self.run.result.costs.sum()) - traded)
        times = "fill" if len(trades) == 1 else "fills"
        return (
            f"{count(len(trades))} {times} cost {money(traded)} and borrowing {borrowed}, on an account that began "
            f"with {money(equity.iloc[0])} and ended with {money(equity.iloc[-1])}."
        )

    @cached_property
    def sheet(self) -> TearSheet:
        """The tear sheet, whose parts are made when they are asked for."""
        return TearSheet(self.run, self.holding, self.why, self.seed)

    def drawdown(self) -> go.Figure:
        """Return the loss from the highest value so far."""
        return self._once("drawdown", lambda: drawdown({self.run.name: self.run.result.equity}))

    def weights(self) -> go.Figure:
        """Return what was held."""
        return self._once("weights", lambda: weights_over_time(self.run.result.weights))

    def trades(self, symbol: str) -> go.Figure:
        """Return one symbol's trades on its price."""
        return self._once(f"trades {symbol}", lambda: trades_on_price(self.run.panel, symbol, self.run.result.trades))

    def signal(self) -> go.Figure | None:
        """Return the number the rule hangs on, or None while it has none."""
        if "signal" not in self._drawn and (drawn := signal_figure(self.why)) is not None:
            self._drawn["signal"] = drawn
        return self._drawn.get("signal")

    def _once(self, key: str, draw: Callable[[], go.Figure]) -> go.Figure:
        """Return a figure, drawn the first time it is asked for."""
        if key not in self._drawn:
            self._drawn[key] = draw()
        return self._drawn[key]


def try_strategy(
    session: Session, strategy: Strategy, name: str, costs: Costs | None = None, start: DateLike | None = None
) -> Trial:
    """Return a backtest over all stored prices as it is looked at; it is stored, logged and counted.

    See Also
    --------
    quantlib.workflows.research.backtest_strategy
    """
    run = backtest_strategy(session, strategy, name=name, costs=costs, start=start)
    holding = holding_beside(run.panel.select(strategy.symbols), run.result, costs=run.costs)
    return Trial(run, holding, explained(session, strategy, run.panel, run.models), session.settings.seed)


class Trials(NamedTuple):
    """How much has been tried: different definitions, and backtests of them on any span, costs or code."""

    definitions: int
    backtests: int

    @property
    def sentence(self) -> str:
        """How much has been tried, and why that matters, in words."""
        tried = "1 definition" if self.definitions == 1 else f"{count(self.definitions)} definitions"
        made = "1 backtest" if self.backtests == 1 else f"{count(self.backtests)} backtests"
        return (
            f"{tried} tried so far on these prices, in {made}. The best of many looks good by luck alone; the "
            "checks count all trials of the same idea."
        )


def definitions(session: Session) -> dict[str, Strategy]:
    """Return the definitions that can be run on the source in force, by name.

    First the ready ones, then those saved under a name in their newest version, then the newest of those run before.
    One whose symbols are not all stored is left out, and so is one that its family no longer accepts.
    """
    bars = coverage(session.store)
    here = set() if bars.empty else set(bars.loc[bars["source"] == choose_source(session), "symbol"])
    named = {name: kept.strategy for name, kept in known_definitions(session).items()}
    found = {name: strategy for name, strategy in named.items() if here.issuperset(strategy.inputs)}
    known = {strategy.id for strategy in named.values()}
    stored = sorted(read_strategies(session.store), key=lambda r: (r.created_at is None, r.created_at), reverse=True)
    for record in stored:
        try:
            strategy = build(record.family, record.params)
        except StrategyError:
            continue
        if record.id in known or not here.issuperset(strategy.inputs):
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
    if isinstance(strategy, Group):
        return _group_name(strategy)
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


def _group_name(group: Group) -> str:
    """Return what to call a group: its kind and legs, and when it is in."""
    more = len(group.symbols) - MOST_NAMED
    legs = "/".join(group.symbols[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    timing = group.timing
    if isinstance(timing, Band):
        when = f"{group.hedge.method} {timing.entry:g}/{timing.exit:g} over {timing.lookback}"
        when += " followed" if timing.way == "follow" else ""
    elif isinstance(timing, Rules):
        when = f"by rule: {timing.long or timing.short}"
    elif isinstance(timing, Rank):
        when = f"by {timing.by}"
    else:
        when = f"held, {timing.every}"
    name = f"{group.kind.capitalize()} {legs} {when}"
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…"


def unreadable(session: Session, strategy: Strategy) -> str:
    """Return which condition of a definition names something that there is not, and where; empty where none does.

    Where its symbols share no session to look at, that is what is said.

    A condition is read without prices, so that this is all that can still be wrong with it.
    """
    if not isinstance(strategy, Group) or not strategy.conditions:
        return ""
    try:
        panel = strategy_panel(session, strategy)
    except DataError as error:
        return str(error)
    last = panel.window(panel.index[-1], panel.index[-1])
    own = dict.fromkeys(NAMES, np.zeros(len(last)))
    for name, condition in strategy.conditions.items():
        try:
            if isinstance(strategy.timing, Rank):
                evaluate_each(condition, last, strategy.symbols)
            else:
                evaluate([condition], last, subject=strategy.subject, names=own)
        except ConditionError as error:
            return f"{strategy.title}: timing.{name} cannot be read. {error}"
    return ""


def tried(session: Session, source: str) -> frozenset[str]:
    """Return the ids of the definitions that have been tried on the prices of one source."""
    made = [run for run in read_runs(session.store, kind="backtest") if run.params.get("source") == source]
    return frozenset(run.strategy_id for run in made if run.strategy_id is not None)


def trials(session: Session, source: str) -> Trials:
    """Return how much is on record as tried on the prices of one source; every set of a sweep counts."""
    made, swept = (
        [run for run in read_runs(session.store, kind=kind, metrics=False) if run.params.get("source") == source]
        for kind in ("backtest", "sweep")
    )
    sets = sum(int(run.params["tried"]) for run in swept)
    return Trials(definitions=len({run.strategy_id for run in made}) + sets, backtests=len(made) + sets)
