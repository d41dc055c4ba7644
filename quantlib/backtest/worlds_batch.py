"""Accounts of a strategy in a batch of worlds: what is the same in every world is prepared once, the kernel runs all.

Each world is joined to the tail of history that tells where the strategy stands. Prices of that tail, costs and rules
do not change from world to world, so only the worlds' own bars are written; and the worlds of a batch stand beside each
other as symbols of one market, so that one call of the kernel runs the accounts of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

import numpy as np
import pandas as pd

from quantlib.backtest.accounts import equities_of
from quantlib.backtest.departure import ACTIONS, Departure, joined
from quantlib.backtest.market import AMOUNT, AMOUNT_BARS, DIVIDEND, SPLIT, Market, prepare
from quantlib.backtest.state import IntArray
from quantlib.errors import StrategyError
from quantlib.strategies.memo import Memo
from quantlib.types import PRICE_FIELDS, FloatArray, Panel

#: Numbers of a batch's market: 8 MB, which stays near the cache and keeps memory flat for any number of worlds.
BATCH_NUMBERS = 2**20

#: Planes of most markets, by which the size of a batch is reckoned.
PLANES = 6

#: What stands in planes that a market leaves out where it has nothing to put there.
LEFT_OUT = {AMOUNT: np.nan, SPLIT: 1.0, DIVIDEND: 0.0}


def equities_in(departure: Departure, worlds: Iterable[Panel]) -> Iterator[tuple[list[Panel], FloatArray]]:
    """Yield worlds in batches, and the equity of every account in them [accounts, worlds, horizon + 1].

    Equity is over that of the as-of close, which comes first. The answer for a world does not depend on the others.

    Parameters
    ----------
    worlds
        Panels of the strategy's inputs, all as long as the first, on the sessions after history.

    Raises
    ------
    DataError
        An account is ruined by the as-of close.
    StrategyError
        The strategy decides what is no number in a world, or lacks what its stops need.
    """
    _check_stops(departure)
    batch: list[Panel] = []
    for world in worlds:
        batch.append(world)
        rows = len(departure.history) + len(world)
        if (len(batch) + 1) * len(departure.history.symbols) * rows * PLANES > BATCH_NUMBERS:
            yield batch, _equities(departure, batch)
            batch = []
    if batch:
        yield batch, _equities(departure, batch)


def _equities(departure: Departure, worlds: list[Panel]) -> FloatArray:
    strategy, history = departure.strategy, departure.history
    rows, symbols, legs = len(history) + len(worlds[0]), len(history.symbols), len(strategy.symbols)
    targets = np.empty((len(worlds), legs, rows))
    spread = np.empty((len(worlds), rows)) if _reads_spread(departure) else None
    for k, panel in enumerate(_joined(departure, worlds)):
        memo = Memo()
        targets[k] = strategy.weights(panel, memo).T
        if spread is not None:
            spread[k] = strategy.spread(panel, memo)
    if not np.isfinite(targets).all():
        raise StrategyError(f"{strategy.title} decided an infinite weight. Check its parameters: {strategy!r}.")
    # The strategy's own symbols come first among its inputs.
    columns: IntArray = np.arange(len(worlds))[:, None] * symbols + np.arange(legs)
    found = np.empty((len(departure.accounts), len(worlds), len(worlds[0]) + 1))
    for a, market in enumerate(_markets(departure, worlds)):
        equity = equities_of(
            market,
            targets,
            columns,
            stops=departure.accounts[a].stops,
            spread_z=spread,
            linked=strategy.linked,
        )[:, departure.start :]
        if not (equity[:, 0] > 0.0).all():
            raise departure.ruined()
        np.divide(equity, equity[:, :1], out=found[a])
    return found


def _joined(departure: Departure, worlds: list[Panel]) -> Iterator[Panel]:
    """Yield history followed by each world.

    Worlds that differ in prices alone are put in place of the first one's: both parts were checked when they were made,
    and to check them joined, too, would take longer than to run them.
    """
    history, strategy, first = departure.history, departure.strategy, worlds[0]
    whole = joined(history, first, strategy)
    yield whole
    for world in worlds[1:]:
        if world.extra or first.extra or world.flags or first.flags or not world.index.equals(first.index):
            yield joined(history, world, strategy)
            continue
        other = copy(whole)
        changed = {str(name): np.concatenate([getattr(history, name), getattr(world, name)]) for name in PRICE_FIELDS}
        for array in changed.values():
            array.flags.writeable = False
        vars(other).update(changed)
        vars(other).pop("snapshot_id", None)
        yield other


def _markets(departure: Departure, worlds: list[Panel]) -> Iterator[Market]:
    """Yield the market of each account: the worlds' symbols after each other, on the bars of history and the world."""
    history, horizon = departure.history, len(worlds[0])
    past = departure.markets[0].bars
    # The traded amount of a bar looks back so far; nothing else does.
    beside = _beside(history.tail(AMOUNT_BARS), worlds)
    ahead = prepare(beside, execution=departure.accounts[0].execution).bars[:, :, -horizon:]
    bars: FloatArray = np.empty((max(len(past), len(ahead)), ahead.shape[1], len(history) + horizon))
    for part, rows in ((np.tile(past, (1, len(worlds), 1)), slice(None, -horizon)), (ahead, slice(-horizon, None))):
        bars[: len(part), :, rows] = part
        for plane in range(len(part), len(bars)):
            bars[plane, :, rows] = LEFT_OUT[plane]
    for market in departure.markets:
        symbols = np.tile(market.symbols, len(worlds))
        symbols["last"] = bars.shape[2]
        yield market._replace(bars=bars, symbols=symbols)


def _beside(near: Panel, worlds: list[Panel]) -> Panel:
    """Return the worlds beside each other, each after the same near past: W x N symbols."""

    def part(panel: Panel, name: str) -> FloatArray:
        if name not in ACTIONS:
            return np.asarray(getattr(panel, name))
        return panel.frame(name).to_numpy() if name in panel.extra else np.full(panel.close.shape, ACTIONS[name])

    def beside(name: str) -> FloatArray:
        ahead = np.concatenate([part(world, name) for world in worlds], axis=1)
        return np.concatenate([np.tile(part(near, name), (1, len(worlds))), ahead])

    acted = [name for name in ACTIONS if any(name in panel.extra for panel in (near, *worlds))]
    return Panel(
        index=pd.DatetimeIndex(near.index.append(worlds[0].index)),
        symbols=tuple(f"{k}:{symbol}" for k in range(len(worlds)) for symbol in near.symbols),
        open=beside("open"),
        high=beside("high"),
        low=beside("low"),
        close=beside("close"),
        volume=beside("volume"),
        extra={name: beside(name) for name in acted},
    )


def _reads_spread(departure: Departure) -> bool:
    return any(one.stops.spread_z is not None for one in departure.accounts)


def _check_stops(departure: Departure) -> None:
    strategy = departure.strategy
    for one in departure.accounts:
        if one.stops.watch == "intrabar" and one.stops.any and len(strategy.symbols) > 1:
            raise StrategyError(
                f"Stops within the bar are for one leg, and {strategy.title} has {len(strategy.symbols)}. "
                'Use watch="close".'
            )
    if _reads_spread(departure) and strategy.spread(departure.history, Memo()) is None:
        raise StrategyError(f"{strategy.title} has a spread stop but no spread. Leave the stop out.")
