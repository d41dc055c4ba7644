"""Do a strategy's stops help or hurt: the same worlds with and without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from quantlib.backtest.departure import Variant, depart
from quantlib.backtest.worlds import How, run_in_worlds
from quantlib.backtest.worlds_result import Outcomes
from quantlib.charts.numbers import count, interval, percent
from quantlib.costs import AnyCosts
from quantlib.errors import StrategyError
from quantlib.risk import Stops
from quantlib.simulators import Simulator
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

#: Share of the worst worlds that make up the tail.
TAIL = 0.05
#: Resamples of the tail's interval, and numbers drawn for it at a time.
SAMPLES, DRAWN = 1_000, 2**20
#: Returns closer than this are the same: what is left is rounding.
SAME = 1e-9


@dataclass(frozen=True)
class StopsEffect:
    """What a strategy made with its stops and without them, in the same worlds.

    Parameters
    ----------
    simulator
        Title of what made the worlds.
    horizon
        Sessions.
    seed
        Of the worlds, and of the resamples of the tail.
    stops
        The stops.
    kept, left_out
        What the account did with its stops, and without any.
    """

    simulator: str
    horizon: int
    seed: int
    stops: Stops
    kept: Outcomes
    left_out: Outcomes

    @property
    def gap(self) -> FloatArray:
        """Return with stops less return without, one a world [n]."""
        return self.kept.returns - self.left_out.returns

    @property
    def better(self) -> float:
        """Share of worlds in which the stops helped."""
        return float((self.gap > SAME).mean())

    @property
    def worse(self) -> float:
        """Share of worlds in which the stops hurt."""
        return float((self.gap < -SAME).mean())

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean of the gap, and its 95 % interval over the draws."""
        mean = float(self.gap.mean())
        error = float(self.gap.std(ddof=1) / np.sqrt(len(self.gap))) if len(self.gap) > 1 else float("nan")
        return mean, mean - 1.96 * error, mean + 1.96 * error

    @property
    def tail(self) -> tuple[float, float, float]:
        """Mean of the worst 5 % of worlds with stops less that without, and its 95 % interval.

        Each account has its own worst worlds. The interval is that of a bootstrap that draws worlds, both accounts of
        one together.
        """
        both = np.stack([self.kept.returns, self.left_out.returns])
        value = float(np.subtract(*_tail_mean(both)))
        n = both.shape[1]
        rng, chunk = np.random.default_rng(self.seed), max(1, DRAWN // n)
        found = []
        for first in range(0, SAMPLES, chunk):
            drawn = rng.integers(n, size=(min(chunk, SAMPLES - first), n))
            found.append(np.subtract(*_tail_mean(both[:, drawn])))
        low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
        return value, float(low), float(high)

    @property
    def sentences(self) -> tuple[str, str, str]:
        """What was found, in words: how often, how much on average, and in the tail."""
        mean, low, high = self.mean
        tail, tail_low, tail_high = self.tail
        verdict = "help" if low > 0 else "hurt" if high < 0 else "neither help nor hurt beyond chance"
        guard = "shallower" if tail_low > 0 else "deeper" if tail_high < 0 else "no different beyond chance"
        return (
            f"In {count(len(self.gap))} worlds of {self.simulator} over {count(self.horizon)} sessions the stops help "
            f"in {percent(self.better)} and hurt in {percent(self.worse)}; in the others nothing changes.",
            f"On average they {verdict}: {interval(mean, low, high, signed=True)}.",
            f"The worst {percent(TAIL, 0)} of worlds are {guard} with them: "
            f"{interval(tail, tail_low, tail_high, signed=True)}.",
        )


def stops_effect(
    strategy: Strategy,
    simulator: Simulator,
    panel: Panel,
    *,
    stops: Stops | None = None,
    n: int = 1000,
    horizon: int = 252,
    seed: int = 0,
    costs: AnyCosts | None = None,
    **how: Unpack[How],
) -> StopsEffect:
    """Return what the strategy makes with its stops and without them in the same worlds.

    Each account starts from the position it would hold today: one that was stopped out before is out, its twin is not.
    What belongs to the rule and not to its stops, such as a pair that enters only within its spread stop, stays.

    Parameters
    ----------
    stops
        Instead of the strategy's own.
    panel, n, horizon, seed, costs, how
        As in `evaluate_in_worlds`.

    Raises
    ------
    StrategyError
        There are no stops to leave out.
    DataError
        As in `evaluate_in_worlds`.
    """
    own = Variant.own(strategy, costs)
    kept = own if stops is None else replace(own, stops=stops)
    if not kept.stops.any:
        raise StrategyError(f"{strategy.title} has no stops, so there is nothing to compare. Give some with stops=.")
    departure = depart(strategy, panel, kept, replace(kept, stops=Stops()))
    run = run_in_worlds(
        departure,
        simulator,
        n=n,
        horizon=horizon,
        seed=seed,
        **how,
    )
    return StopsEffect(simulator.title, horizon, seed, kept.stops, *run.accounts)


def _tail_mean(values: FloatArray) -> FloatArray:
    """Return the mean of the lowest 5 % along the last axis, of one value at least."""
    some = max(1, int(np.ceil(TAIL * values.shape[-1] - 1e-9)))
    return np.asarray(np.partition(values, some - 1, axis=-1)[..., :some].mean(axis=-1))
