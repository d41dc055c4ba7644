"""Is an edge seen where there is none, and found where there is one: a strategy judged in many worlds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from quantlib.backtest.departure import Variant, depart
from quantlib.backtest.worlds import How, run_in_worlds
from quantlib.backtest.worlds_result import Outcomes
from quantlib.charts.numbers import count, interval, percent, signed_percent
from quantlib.costs import AnyCosts
from quantlib.errors import DataError
from quantlib.simulators import Simulator
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

#: Share of records without any edge that the rule calls good by chance alone: one end of a 95 % interval.
BY_CHANCE = 0.025


@dataclass(frozen=True)
class EdgeResult:
    """What a strategy made in worlds of one kind, with its costs and without any, and how often it looked good.

    A record is called good where the 95 % interval of its Sharpe ratio after costs is above zero, the verdict's main
    check. Here the interval is the closed form of independent returns (Lo 2002), ratio +- 1.96 sqrt((1 + ratio^2 / 2)
    / T) of one session, because a bootstrap in every world would take a minute; on returns that hardly depend on their
    past the two agree. One that never trades is not good.

    Parameters
    ----------
    simulator
        Title of what made the worlds.
    without_drift
        Whether all drift was taken out of them.
    horizon
        Sessions of each record.
    periods_per_year
        Sessions a year.
    net, gross
        What the account did with its costs, and paying nothing: no fee, spread, impact, borrow or interest.
    edge_left
        What is an edge in these worlds without any drift, such as spreads that revert; empty where nothing is.

    References
    ----------
    Lo, A. (2002), The statistics of Sharpe ratios, Financial Analysts Journal 58, 36-52.
    """

    simulator: str
    without_drift: bool
    horizon: int
    periods_per_year: int
    net: Outcomes
    gross: Outcomes
    edge_left: str = ""

    @property
    def good(self) -> NDArray[np.bool_]:
        """In which worlds the record would have been called good [n]."""
        ratio = self.net.sharpe / np.sqrt(self.periods_per_year)
        # A ratio that is unknown is not above zero.
        return np.asarray(ratio - 1.96 * np.sqrt((1.0 + 0.5 * ratio**2) / self.horizon) > 0.0)

    @property
    def share_good(self) -> float:
        """Share of worlds in which the record would have been called good: the false positives where no edge is."""
        return float(self.good.mean())

    @property
    def share_interval(self) -> tuple[float, float]:
        """The 95 % interval of that share over the draws (Wilson)."""
        from scipy.stats import binomtest  # noqa: PLC0415  its import takes half a second

        found = binomtest(int(self.good.sum()), len(self.good)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    @property
    def mean(self) -> tuple[float, float]:
        """Mean net return over the horizon and its standard error over the draws."""
        return _mean(self.net.returns)

    @property
    def beyond_cost(self) -> tuple[float, float]:
        """Mean return over the horizon with every cost taken out, and its standard error over the draws."""
        return _mean(self.gross.returns)

    @property
    def cost(self) -> tuple[float, float]:
        """What costs take on average over the horizon, world by world, and its standard error."""
        return _mean(self.gross.returns - self.net.returns)

    @property
    def has_edge(self) -> bool:
        """Whether the mean return beyond cost is above zero by more than 1.96 of its errors."""
        mean, error = self.beyond_cost
        return mean > 1.96 * error

    @property
    def sentences(self) -> tuple[str, str]:
        """What was found, in words: the mean beyond cost, and how often it looked good."""
        mean, error = self.beyond_cost
        made = interval(mean, mean - 1.96 * error, mean + 1.96 * error, signed=True)
        what = "without any drift" if self.without_drift else "as fitted"
        what += f", but with {self.edge_left}, an edge of their own," if self.without_drift and self.edge_left else ""
        if abs(mean) <= 1.96 * error:
            means = "no more than chance in the draws explains"
        else:
            means = "more than chance in the draws explains" if mean > 0 else "a loss that chance does not explain"
        low, high = self.share_interval
        return (
            f"In {count(len(self.net))} worlds of {self.simulator} {what} it makes {made} in {count(self.horizon)} "
            f"sessions before costs, {means}; costs take {percent(self.cost[0], 2)} and leave "
            f"{signed_percent(self.mean[0], 2)}.",
            f"Its record would have been called good in {interval(self.share_good, low, high)} of them; the rule "
            f"alone calls {percent(BY_CHANCE)} good where there is nothing.",
        )


def edge_in_worlds(
    strategy: Strategy,
    simulator: Simulator,
    panel: Panel,
    *,
    n: int = 1000,
    horizon: int = 252,
    seed: int = 0,
    costs: AnyCosts | None = None,
    **how: Unpack[How],
) -> EdgeResult:
    """Return how often the strategy looks good in the worlds of a simulator, and what it makes beyond its costs.

    Where the law holds an edge, the share called good is the power to see it within the horizon.

    Parameters
    ----------
    panel, n, horizon, seed, costs, how
        As in `evaluate_in_worlds`.

    Raises
    ------
    DataError
        As in `evaluate_in_worlds`.
    """
    accounts = Variant.own(strategy, costs), Variant.without_cost(strategy)
    departure = depart(strategy, panel, *accounts)
    run = run_in_worlds(
        departure,
        simulator,
        n=n,
        horizon=horizon,
        seed=seed,
        **how,
    )
    free = getattr(simulator, "drift", "history") == "none"
    year = departure.shared.periods_per_year
    left = simulator.edge_without_drift if free else ""
    net, gross = run.accounts
    return EdgeResult(simulator.title, free, horizon, year, net, gross, left)


def zero_edge(
    strategy: Strategy,
    simulator: Simulator,
    panel: Panel,
    *,
    n: int = 1000,
    horizon: int = 252,
    seed: int = 0,
    costs: AnyCosts | None = None,
    **how: Unpack[How],
) -> EdgeResult:
    """Return how often the strategy looks good in worlds whose drift is taken out: its false positives.

    Where sessions are independent (Brownian motion, jumps, a bootstrap of blocks of 1) no rule can earn anything there
    before costs, whatever it decides and wherever it stops. A law that remembers, such as a bootstrap of longer blocks,
    keeps what one session says about the next, and a rule may live on that without any drift. Where an edge is
    sure to be left, as in spreads of Ornstein-Uhlenbeck, which revert all the same, the result says so (`edge_left`).

    Parameters
    ----------
    simulator
        One that has a drift to take out; its other parameters stay.
    panel, n, horizon, seed, costs, how
        As in `evaluate_in_worlds`.

    Raises
    ------
    DataError
        The simulator has no drift that can be taken out, or as in `evaluate_in_worlds`.
    """
    return edge_in_worlds(
        strategy,
        without_drift(simulator),
        panel,
        n=n,
        horizon=horizon,
        seed=seed,
        costs=costs,
        **how,
    )


def without_drift(simulator: Simulator) -> Simulator:
    """Return the same simulator with all drift taken out.

    Raises
    ------
    DataError
        It has none that could be.
    """
    if "drift" not in type(simulator).model_fields:
        raise DataError(
            f"{simulator.title} has no drift that can be taken out, so its worlds are no test of nothing. Use one with "
            'drift="none", such as gbm.'
        )
    return type(simulator)(**{**simulator.model_dump(), "drift": "none"})


def _mean(values: FloatArray) -> tuple[float, float]:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)
