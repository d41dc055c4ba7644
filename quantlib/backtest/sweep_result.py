"""What a sweep or a search found: a row for every set of parameters that was run, and those refused with the reason."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import pandas as pd

from quantlib.backtest.curves import Traces
from quantlib.backtest.sweep_grid import Definition, Grid, plain
from quantlib.errors import DataError, StrategyError, nearest
from quantlib.metrics import METRICS


@dataclass(frozen=True)
class SweepResult:
    """Every set of parameters with its metrics.

    Parameters
    ----------
    table
        One row a set, and a symbol with by="symbol": the parameters, `symbol`, the metrics.
    invalid
        One row a set that was not run: the parameters, `reason`.
    metrics
        Keys of the columns that are metrics.
    asked
        How many sets there were to run; `table` and `invalid` have fewer where the sweep was cancelled.
    grid
        What the sets were made from.
    traces
        Moments and growth of the accounts in the order of `table`; None where no curves were asked for.
    """

    table: pd.DataFrame
    invalid: pd.DataFrame
    metrics: tuple[str, ...]
    asked: int
    grid: Grid = field(repr=False)
    traces: Traces | None = field(default=None, repr=False)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that vary."""
        return self.grid.names

    @property
    def n_tried(self) -> int:
        """How many accounts were run: the number of trials that an honest Sharpe ratio is deflated by."""
        return len(self.table)

    @property
    def done(self) -> bool:
        """Whether every set was run or refused."""
        sets = self.table["symbol"].nunique() if "symbol" in self.table else 1
        return len(self.table) // max(sets, 1) + len(self.invalid) == self.asked

    def best(self, metric: str = "sharpe_ratio") -> pd.Series:
        """Return the row with the best value of a metric; the first of equals.

        Raises
        ------
        StrategyError
            The sweep has no such metric.
        DataError
            It is unknown in every row.
        """
        self._check(metric)
        known = self.table[metric].dropna()
        if known.empty:
            raise DataError(f"{METRICS[metric].title} is unknown for all of {len(self.table)} sets, so none is best.")
        place = known.to_numpy().argmax() if METRICS[metric].higher_is_better else known.to_numpy().argmin()
        return self.table.iloc[int(self.table.index.get_indexer(known.index)[place])]

    def definition(self, row: int) -> Definition:
        """Return the strategy and stops of a row of the table, by its label."""
        found = self.grid.definition({name: plain(self.table.loc[row, name]) for name in self.parameters})
        if "symbol" not in self.table:
            return found
        alone = found.strategy.model_copy(update={"universe": (self.table.loc[row, "symbol"],)})
        return Definition(alone, found.stops)

    def pivot(self, x: str, y: str, metric: str = "sharpe_ratio") -> pd.DataFrame:
        """Return a metric by two parameters, for a heatmap: y down, x across; the median over what else varies.

        `symbol` counts as a parameter where every symbol has its own account.

        Raises
        ------
        StrategyError
            The sweep has no such metric or parameter.
        """
        self._check(metric)
        accepted = [*self.parameters, *({"symbol"} & set(self.table))]
        for name in (x, y):
            if name not in accepted:
                raise StrategyError(f"The sweep does not vary {name!r}. {nearest(name, accepted)}")
            if not all(isinstance(value, Hashable) for value in self.table[name]):
                raise StrategyError(f"Values of {name!r} are mappings, which no table has for a side. Use `table`.")
        if x == y:
            raise StrategyError(f"Both sides of the table are {x!r}. Choose two parameters.")
        return self.table.pivot_table(index=y, columns=x, values=metric, aggfunc="median", dropna=False, observed=True)

    def _check(self, metric: str) -> None:
        if metric not in self.metrics:
            raise StrategyError(f"The sweep has no metric {metric!r}. {nearest(metric, self.metrics)}")
