"""A scenario as a world: a panel that goes on from history, like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import index as whole_number

import numpy as np

from quantlib.costs import AnyCosts, Costs
from quantlib.errors import DataError
from quantlib.scenarios.completion import Completed, complete
from quantlib.scenarios.gaussian import root_of
from quantlib.scenarios.learning import Estimation
from quantlib.scenarios.scenario import Scenario
from quantlib.types import FloatArray, Panel

VOLUME_SESSIONS = 20
"""Sessions whose mean volume goes on."""


def scenario_worlds(
    panel: Panel,
    scenario: Scenario,
    *,
    n: int = 1,
    seed: int = 0,
    first: int = 0,
    noise: bool | None = None,
    estimation: Estimation | None = None,
    proxies: Mapping[str, str] | None = None,
    seen_by: Mapping[str, str] | None = None,
) -> Iterator[Panel]:
    """Return `n` panels of the scenario's sessions after the panel's last one; `completed_worlds` of `complete`.

    Examples
    --------
    >>> world = next(scenario_worlds(panel, scenarios["covid-2020"]))  # doctest: +SKIP
    >>> panel.append(world)  # doctest: +SKIP
    """
    done = complete(panel, scenario, estimation=estimation, proxies=proxies, seen_by=seen_by)
    return completed_worlds(panel, done, n=n, seed=seed, first=first, noise=noise)


def completed_worlds(
    panel: Panel, done: Completed, *, n: int = 1, seed: int = 0, first: int = 0, noise: bool | None = None
) -> Iterator[Panel]:
    """Return `n` panels of a completed scenario, made as they are read.

    Without noise a world is the conditional mean along the scenario's path: one world says all. With it, each
    symbol's log return of a session is normal around that, with the covariance that the scenario leaves; whatever is
    named still stands exactly where the path says at its pinned closes (`Scenario.pinned`), and reaches them as a
    Brownian bridge does. World i depends on (seed, i) alone.

    Only closes are made; open, high and low stay unknown. Volume is the mean of the last 20 sessions times the
    liquidity that is left, where the panel has volumes.

    Parameters
    ----------
    panel
        The history that was completed.
    n, first
        How many worlds, and the number of the first.
    seed
        Zero or above.
    noise
        None has noise where more than one world is asked for, or where the scenario names no move.

    Raises
    ------
    DataError
        A count is out of range, or the panel is not the one that was completed.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0), ("first", first, 0)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            raise DataError(f"{name} is {value!r}; accepted: a whole number of {least} or more.")
    if panel.symbols != done.symbols:
        raise DataError(f"{done.scenario.title} was completed for {', '.join(done.symbols)}; the panel has others.")
    noisy = noise if noise is not None else n > 1 or not len(done.named)
    sessions = panel.sessions_ahead(done.scenario.sessions)
    centre = _centre(done)
    volume = _volume(panel, done.scenario)
    unknown = np.full(centre.shape, np.nan)
    root = root_of(done.covariance)

    def worlds() -> Iterator[Panel]:
        for number in range(whole_number(first), whole_number(first) + whole_number(n)):
            moved = centre + _noise(done, root, seed, number) if noisy else centre
            with np.errstate(over="ignore"):
                close = done.start * np.exp(moved)
            if not (close.min() > 0.0 and close.max() < np.inf):
                raise DataError(f"{done.scenario.title} drives a price out of the range of numbers. Shorten it.")
            yield Panel(
                index=sessions,
                symbols=done.symbols,
                open=unknown,
                high=unknown,
                low=unknown,
                close=close,
                volume=volume,
                source=f"scenario: {done.scenario.id}",
            )

    return worlds()


def scenario_costs(costs: AnyCosts, scenario: Scenario) -> AnyCosts:
    """Return what trading costs while the scenario lasts: spreads, and participation, over the liquidity left.

    Impact rises with the root of participation: by itself where the world has volumes, which are scaled too, and by
    the assumed participation where not. The average amount an order is held against looks back 20 sessions, so a
    loss of volume is felt in full only after those.
    """
    left = scenario.law.liquidity

    def under(one: Costs) -> Costs:
        return one.model_copy(
            update={
                "half_spread_bps": min(one.half_spread_bps / left, 1_000.0),
                "assumed_participation": min(one.assumed_participation / left, 1.0),
            }
        )

    return under(costs) if isinstance(costs, Costs) else {symbol: under(one) for symbol, one in costs.items()}


def _centre(done: Completed) -> FloatArray:
    """Return the log move from the last close by each session without noise [sessions, N]."""
    shares = done.scenario.shares()
    return shares[:, None] * done.jump + np.arange(1, len(shares) + 1)[:, None] * done.drift


def _noise(done: Completed, root: FloatArray, seed: int, number: int) -> FloatArray:
    """Return a random walk [sessions, N] whose named combinations are zero at the pinned sessions."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    walk = np.cumsum(generator.standard_normal((done.scenario.sessions, len(root))) @ root.T, axis=0)
    if not len(done.named):
        return np.asarray(walk)
    pins = np.array([0, *done.scenario.pinned()])
    at_pins = np.vstack([np.zeros(len(done.named)), walk[pins[1:] - 1] @ done.named.T])
    sessions = np.arange(1, len(walk) + 1)
    off = np.column_stack([np.interp(sessions, pins, column) for column in at_pins.T])
    return np.asarray(walk - off @ done.gain.T)


def _volume(panel: Panel, scenario: Scenario) -> FloatArray:
    usual = panel.frame("volume").tail(VOLUME_SESSIONS).mean().to_numpy()
    return np.tile(usual * scenario.law.liquidity, (scenario.sessions, 1))
