"""The tear sheet: what a backtest earned, risked, traded and cost, each part made the first time it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.backtest import active_returns
from quantlib.backtest.fragility import HIGHEST_BPS, LAGS, break_even_cost, delay_decay, same_bar_band
from quantlib.charts import (
    by_delay,
    cost_parts,
    drawdown,
    equity_band,
    excursions,
    exposure,
    monthly_heatmap,
    profit_by_leg,
    profit_by_reason,
    rolling_line,
    stack,
    trades_on_spread,
)
from quantlib.charts.numbers import number, ratio
from quantlib.costs import costs_of
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import (
    METRICS,
    FactorRegression,
    drawdown_table,
    factor_regression,
    growth_band,
    monthly_table,
    rolling,
    summary,
    trade_summary,
)
from quantlib.sources.french import FACTORS, RISK_FREE, french_factors
from quantlib.strategies import Explanation
from quantlib.workflows.capacity import capacity_in_words
from quantlib.workflows.opened_trade import OpenedTrade, open_trade
from quantlib.workflows.research import StrategyRun

YEAR = 252
#: Ratios over a moving year: column of `metrics.rolling`, what it is, and its unit.
ROLLING = {
    "sharpe_ratio": ("Sharpe ratio", "ratio"),
    "volatility": ("volatility", "percent"),
    "beta": ("beta with buy and hold", "ratio"),
}
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class TearSheet:
    """The tear sheet of a run.

    Parameters
    ----------
    run
        The backtest.
    holding
        Equity of buying the same symbols in equal parts and holding them, from where both compare.
    why
        Why the strategy holds what it holds at the end.
    seed
        Of the resampling.
    """

    run: StrategyRun
    holding: pd.Series
    why: Explanation
    seed: int = 0
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def growth(self) -> go.Figure:
        """Return growth of 1 beside holding, inside the band that other orders of its returns span."""

        def draw() -> go.Figure:
            equity = self.run.result.equity.loc[self.holding.index[0] :]
            band = growth_band(equity.pct_change().fillna(0.0), seed=self.seed)
            return equity_band(equity, band, self.run.name, benchmark=self.holding)

        return self._once("growth", draw)

    def record(self) -> go.Figure:
        """Return growth as above, and under it on the same dates the loss from the highest value so far."""
        under = {self.run.name: self.run.result.equity}
        return self._once("record", lambda: stack([self.growth(), drawdown(under, height=180)]))

    def drawdowns(self) -> pd.DataFrame:
        """Return the deepest drawdowns, the deepest first."""
        return self._once("drawdowns", lambda: drawdown_table(active_returns(self.run.result), top=8))

    def rolling(self) -> list[go.Figure]:
        """Return Sharpe ratio, volatility and beta with holding over a moving year.

        Raises
        ------
        DataError
            There is less than a year.
        """

        def draw() -> list[go.Figure]:
            held = self.holding.pct_change().fillna(0.0)
            own = self.run.result.returns.loc[held.index]
            table = rolling(own, YEAR, periods_per_year=self.run.result.periods_per_year, benchmark=held)
            return [
                rolling_line(table[name].rename(self.run.name), what, window=YEAR, unit=cast(Any, unit))
                for name, (what, unit) in ROLLING.items()
                if table[name].notna().any() or name == "sharpe_ratio"
            ]

        return self._once("rolling", draw)

    def months(self) -> go.Figure:
        """Return the returns of all months as a calendar."""
        return self._once("months", lambda: monthly_heatmap(monthly_table(active_returns(self.run.result))))

    def exposure(self) -> go.Figure:
        """Return gross and net exposure."""
        return self._once("exposure", lambda: exposure(self.run.result.weights))

    def spread_trades(self) -> go.Figure | None:
        """Return the spread with the trades on it, as the strategy sees it; None where it has no spread."""

        def draw() -> go.Figure | None:
            if self.why.signal.startswith("Spread"):  # what decisions hang on, which the levels are in
                spread, levels = self.why.series.iloc[:, 0], self.why.levels
            elif (z := self.run.strategy.spread_z(self.run.panel.select(self.run.strategy.inputs))) is not None:
                spread, levels = pd.Series(z, index=self.run.panel.index), {}
            else:
                return None
            if not np.isfinite(spread).any():
                return None
            trades = self.run.result.group_trades
            return trades_on_spread(spread.rename("Spread z"), trades, levels=levels, unit="Standard deviations")

        return self._once("spread", draw)

    def excursions(self) -> go.Figure:
        """Return how far each trade was under water against its result.

        Raises
        ------
        DataError
            No trade has ended.
        """
        return self._once("excursions", lambda: excursions(self.run.result.group_trades))

    def of_trades(self) -> pd.DataFrame:
        """Return the metrics of the trades, as `run.metrics` are of the account."""
        result = self.run.result
        return self._once(
            "of trades",
            lambda: trade_summary(result.group_trades, periods_per_year=result.periods_per_year, seed=self.seed),
        )

    def by_leg(self) -> go.Figure:
        """Return the profit of each leg so far."""
        return self._once("legs", lambda: profit_by_leg(self.run.result.leg_pnl.droplevel("group", axis=1)))

    def by_reason(self) -> go.Figure:
        """Return the profit of the trades by the reason they ended for."""
        return self._once("reasons", lambda: profit_by_reason(self.run.result.pnl_by_reason))

    def costs(self) -> go.Figure:
        """Return what trading and holding cost, part by part."""
        equity = self.run.result.equity
        profit = float(equity.iloc[-1] - equity.iloc[0])
        return self._once("costs", lambda: cost_parts(self.run.result.cost_parts, profit))

    def break_even(self) -> str:
        """Return at which cost a side the edge is gone, in a sentence beside what it pays now."""

        def say() -> str:
            run = self.run
            bps = break_even_cost(run.strategy, run.panel, costs=run.costs, cash=run.cash, lag=run.lag)
            sides = {costs_of(symbol, self.run.costs).usual_side * 1e4 for symbol in self.run.strategy.symbols}
            paid = " to ".join(ratio(side) for side in sorted({min(sides), max(sides)}))
            now = f"a small order pays {paid} bps now"
            if np.isnan(bps):
                return "It never trades, so no cost takes its edge."
            if bps == 0.0:
                return f"Even without trading costs it ends below where it began; {now}."
            if np.isinf(bps):
                return f"It still earns at {HIGHEST_BPS:,.0f} bps a side; {now}."
            return f"The edge is gone at {ratio(bps)} bps a side; {now}."

        return self._once("break-even", say)

    def delay(self) -> go.Figure:
        """Return the Sharpe ratio by how many sessions after the decision orders fill."""

        def draw() -> go.Figure:
            run, lags = self.run, sorted({*LAGS, self.run.lag})
            table = delay_decay(run.strategy, run.panel, costs=run.costs, cash=run.cash, lags=lags, seed=self.seed)
            return by_delay(table, name=run.name)

        return self._once("delay", draw)

    def same_bar(self) -> pd.DataFrame | None:
        """Return metrics if stop and target in one bar fall one way or the other; None where they cannot meet."""

        def find() -> pd.DataFrame | None:
            run = self.run
            try:
                band = same_bar_band(run.strategy, run.panel, costs=run.costs, cash=run.cash, lag=run.lag)
            except StrategyError:
                return None
            rows = [
                {"Metric": METRICS[key].title, **{way: number(value, METRICS[key].unit) for way, value in row.items()}}
                for key, row in ((str(key), row) for key, row in band.to_dict(orient="index").items())
            ]
            return pd.DataFrame(rows)

        return self._once("same bar", find)

    def fragility(self) -> tuple[str, ...]:
        """Return in sentences what cost takes the edge, how large it scales, and what one bar leaves open."""
        band = self.same_bar()
        if band is None:
            return self.break_even(), self.capacity(), "It has no stop and target that could meet in one bar."
        ways = "; ".join(
            f"{title.lower()} {first} with the stop first and {second} with the target first"
            for title, first, second in band.itertuples(index=False)
        )
        one_bar = f"Daily bars do not say which of stop and target in one bar came first: {ways}."
        return self.break_even(), self.capacity(), one_bar

    def capacity(self) -> str:
        """Return how large an account could follow it, in a sentence."""
        return self._once("capacity", lambda: capacity_in_words(self.run))

    def beside_holding(self) -> pd.DataFrame:
        """Return the metrics against holding its symbols in equal parts, as `run.metrics` are of the account."""

        def compare() -> pd.DataFrame:
            held = self.holding.pct_change().fillna(0.0)
            keys = [key for key, metric in METRICS.items() if metric.made_from == "benchmark"]
            year = self.run.result.periods_per_year
            own = self.run.result.returns.loc[held.index]
            return summary(own, periods_per_year=year, benchmark=held, keys=keys, seed=self.seed)

        return self._once("beside holding", compare)

    def factors(self) -> FactorRegression:
        """Return what the record owes to the three factors of Fama and French, by month.

        Raises
        ------
        DataError
            Record and factors share fewer than 30 months.
        """

        def fit() -> FactorRegression:
            french = french_factors()
            return factor_regression(
                active_returns(self.run.result),
                french[list(FACTORS)],
                risk_free=french[RISK_FREE],
                periods_per_year=12,
            )

        return self._once("factors", fit)

    def opened(self, number: int) -> OpenedTrade:
        """Return one trade by its row: why it was entered and left, its orders and fills, and its legs' profit."""
        return self._once(f"trade {number}", lambda: open_trade(self.run, number))

    def _once(self, key: str, make: Callable[[], Made]) -> Made:
        """Return a part, made the first time it is asked for; one that cannot be made says so every time."""
        if key not in self._made:
            try:
                self._made[key] = make()
            except DataError as error:
                self._made[key] = error
        if isinstance(found := self._made[key], DataError):
            raise found
        return cast(Made, found)
