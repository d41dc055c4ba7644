"""How much of a result hangs on execution: fills that come later, cost more, or fall the other way within a bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from quantlib.backtest.accounts import equity_of
from quantlib.backtest.groups import group_of, plan_of
from quantlib.backtest.market import prepare
from quantlib.backtest.result import active_returns
from quantlib.backtest.run import run_groups, run_strategy
from quantlib.costs import AnyCosts, Costs, costs_of
from quantlib.errors import StrategyError
from quantlib.metrics import summary
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy
from quantlib.types import Panel

LAGS = (1, 2, 3, 5, 10)
HIGHEST_BPS = 1_000.0
"""Cost a side beyond which nobody asks when the edge is gone."""
SHOWN = ("total_return", "sharpe_ratio", "max_drawdown")


def delay_decay(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lags: Sequence[int] = LAGS,
    metric: str = "sharpe_ratio",
    seed: int = 0,
) -> pd.DataFrame:
    """Return a metric of the returns by how many sessions after the decision orders fill [lag x (value, ..., n)].

    An edge that lives off the very next fill is gone one session later; one that is real decays slowly. The columns
    are value, ci_low, ci_high and n, as `metrics.summary` gives them.

    Raises
    ------
    StrategyError
        No lag is given.
    DataError
        There is no such metric of returns.
    """
    if not lags:
        raise StrategyError("There is no lag to try. Give at least one, 1 or more.")
    rows = {}
    for lag in lags:
        result = run_strategy(strategy, panel, costs=costs, limits=limits, execution=execution, cash=cash, lag=lag)
        own, year = active_returns(result), result.periods_per_year
        # The one metric alone: the same numbers as among all of them, in a tenth of the time.
        found = summary(own, periods_per_year=year, keys=[metric], seed=seed)
        rows[lag] = found.loc[metric, ["value", "ci_low", "ci_high", "n"]]
    return pd.DataFrame(rows).T.rename_axis("lag").astype({"n": "int64"})


def break_even_cost(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    delisted: Mapping[str, date] | None = None,
) -> float:
    """Return the cost of each side in basis points at which the strategy ends with what it began with.

    One flat cost takes the place of commission, spread and impact of `costs`; borrowing and financing stay. 0 where it
    does not even earn without costs, infinite where it still earns at 1,000, and NaN where it never trades.
    The arguments are those of `run_strategy`.

    Raises
    ------
    StrategyError
        A stop lacks what it needs, or the account cannot be run so; as in `run`.
    """
    # Legs in the strategy's own order: a spread stop goes by the first.
    group, traded = group_of(strategy, panel), panel.select(strategy.symbols)
    targets = group.targets[list(strategy.symbols)].to_numpy(dtype=np.float64)
    # The bare account below checks little: what `run_strategy` refuses is refused here.
    plan_of(panel, [group], limits or Limits())
    paid = Costs() if costs is None else costs
    gone = {symbol: day for symbol, day in (delisted or {}).items() if symbol in traded.symbols}

    def growth(bps: float) -> float:
        one = {"commission_bps": bps, "half_spread_bps": 0.0, "impact_bps": 0.0}
        flat = {symbol: costs_of(symbol, paid).model_copy(update=one) for symbol in strategy.symbols}
        equity = equity_of(
            prepare(traded, flat, execution, delisted=gone),
            targets,
            stops=group.stops,
            spread_z=group.spread_z,
            linked=group.linked,
            limits=limits,
            cash=cash,
            lag=lag,
        )
        return float(equity[-1] / cash - 1.0)

    if not targets.any():
        return float("nan")
    if growth(0.0) <= 0.0:
        return 0.0
    if growth(HIGHEST_BPS) > 0.0:
        return float("inf")
    return float(brentq(growth, 0.0, HIGHEST_BPS, xtol=1e-6))


def same_bar_band(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
) -> pd.DataFrame:
    """Return metrics if stop and target in one bar fall one way or the other [metric x (pessimistic, optimistic)].

    Daily bars do not say which price came first. A wide band says that daily bars cannot judge these stops.

    Raises
    ------
    StrategyError
        The strategy's stops are not watched within the bar, or lack a target or a stop.
    """
    stops = strategy.risk
    both = stops.profit is not None and any(kind is not None for kind in (stops.loss, stops.trailing, stops.volatility))
    if stops.watch != "intrabar" or not both:
        raise StrategyError(
            f"{strategy.title} cannot meet a stop and a target in one bar: that takes watch='intrabar', a profit "
            "target, and a loss, trailing or volatility stop."
        )
    group = group_of(strategy, panel)
    columns = {}
    for way in ("pessimistic", "optimistic"):
        judged = replace(group, stops=stops.model_copy(update={"same_bar": way}))
        result = run_groups(panel, [judged], costs=costs, limits=limits, execution=execution, cash=cash, lag=lag)
        columns[way] = result.summary(samples=0).loc[list(SHOWN), "value"]
    return pd.DataFrame(columns).rename_axis("metric")
