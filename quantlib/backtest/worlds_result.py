"""What came of a strategy in simulated worlds: one number a world, and the first worlds in full."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from quantlib.metrics.equity import equities_metrics_nb
from quantlib.types import FloatArray

#: Share of what it began with below which an account counts as ruined, where nobody says otherwise.
RUIN = 0.5


@dataclass(frozen=True)
class Outcomes:
    """What accounts did over a horizon, one number a world [n].

    Parameters
    ----------
    returns
        Net return over the horizon.
    sharpe
        Sharpe ratio a year; NaN below 30 sessions and where nothing moves.
    max_drawdown
        Deepest fall from a peak, the start included, as a fraction of 0 or below.
    lowest
        Lowest value over that of the start.
    """

    returns: FloatArray
    sharpe: FloatArray
    max_drawdown: FloatArray
    lowest: FloatArray

    def __len__(self) -> int:
        return len(self.returns)

    def ruin(self, below: float = RUIN) -> float:
        """Return the share of worlds in which the account falls below this fraction of its start at any close."""
        return float((self.lowest < below).mean())

    def rows(self) -> FloatArray:
        """Return the four as rows [4, n], in the order of `from_rows`."""
        return np.stack([self.returns, self.sharpe, self.max_drawdown, self.lowest])

    @classmethod
    def from_rows(cls, rows: FloatArray) -> Outcomes:
        """Return outcomes from their rows [4, n]."""
        return cls(*rows)


def outcomes_of(paths: FloatArray, periods_per_year: float) -> Outcomes:
    """Return what accounts did, from their values over that of the start, which comes first [n, horizon + 1]."""
    values = np.ascontiguousarray(paths, dtype=np.float64)
    # From the session after the start on: the first return is over the starting point.
    found = equities_metrics_nb(values, float(periods_per_year), np.ones(len(values), dtype=np.int64))
    return Outcomes(values[:, -1] - 1.0, found[:, 1], found[:, 2], values.min(axis=1))


@dataclass(frozen=True)
class WorldsResult:
    """Outcomes of one strategy over the same horizon in `n` simulated worlds.

    Parameters
    ----------
    simulator, horizon, seed
        What made the worlds.
    calibrated_on
        How many sessions of history the simulator learned from.
    paths
        The account's value from the as-of close on, 1 at the start [n, horizon + 1]; where that would be many
        numbers, of the first worlds only: they are drawn like the others, so their quantiles are those of all.
    hold
        Return of holding the strategy's symbols in equal parts, without costs, in the same worlds [n].
    dates
        The horizon's sessions, the as-of session first [horizon + 1].
    summary
        What the account did in every world; None where `paths` has them all and says it itself.
    holding
        The same of holding; None where only its return is known.
    asked
        How many worlds were asked for, more than there are where it was cancelled; None for as many as there are.
    periods_per_year
        Sessions a year.
    """

    simulator: str
    horizon: int
    seed: int
    calibrated_on: int
    paths: FloatArray
    hold: FloatArray
    dates: pd.DatetimeIndex
    summary: Outcomes | None = None
    holding: Outcomes | None = None
    asked: int | None = None
    periods_per_year: int = 252

    @cached_property
    def account(self) -> Outcomes:
        """What the account did, one number a world."""
        return self.summary or outcomes_of(self.paths, self.periods_per_year)

    @property
    def returns(self) -> FloatArray:
        """Net return of the account over the horizon, one a world [n]."""
        return self.account.returns

    @property
    def complete(self) -> bool:
        """Whether all worlds that were asked for have been run."""
        return self.asked is None or self.asked == len(self.hold)

    @property
    def mean(self) -> float:
        """Expected net return over the horizon."""
        return float(self.returns.mean())

    @property
    def draw_error(self) -> float:
        """Standard error of `mean` from the finite number of worlds alone; NaN with one world."""
        return _error(self.returns)

    @property
    def mean_interval(self) -> tuple[float, float]:
        """The 95 % interval of `mean`: from the finite number of worlds, and from the finite history behind them.

        The mean of h sessions is h times a daily mean that was estimated on T sessions; where the position is
        like today's, its standard error is the outcomes' standard deviation times the root of h / T. Model error
        comes on top: compare simulators.
        """
        spread = float(self.returns.std(ddof=1))
        error = spread * np.sqrt(1.0 / len(self.returns) + self.horizon / self.calibrated_on)
        return self.mean - 1.96 * float(error), self.mean + 1.96 * float(error)

    @property
    def beyond_holding(self) -> tuple[float, float, float]:
        """Mean of what the account makes beyond holding in the same world, and its 95 % interval over the draws."""
        gap = self.returns - self.hold
        mean, error = float(gap.mean()), _error(gap)
        return mean, mean - 1.96 * error, mean + 1.96 * error

    @property
    def probability_of_loss(self) -> float:
        """Share of worlds in which the account ends lower than it starts; standing aside is no loss."""
        return float((self.returns < 0).mean())

    def quantile(self, q: float) -> float:
        """Return the net return that a share `q` of worlds stays at or below."""
        return float(np.quantile(self.returns, q))


def _error(values: FloatArray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
