"""The realism card: how far a simulator's worlds can be told from the history they were fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from quantlib.compute import Progress, map_work
from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Simulator
from quantlib.simulators.realism_card import TOGETHER, RealismCard
from quantlib.simulators.streams import Streams
from quantlib.simulators.stylised_facts import JOINT, LAGS, MEASURES, Measure, facts, joint_facts
from quantlib.types import FloatArray, Panel

LEVEL = 0.99
"""Chance with which all measures of a series drawn from the very law lie inside their intervals at once."""
MOST_SESSIONS = 2520
LEAST_SESSIONS = 250
LEAST_WORLDS = 99  # fewer cannot resolve one in a hundred
BURN = 252
"""Sessions a world runs before it is measured, so that a law that starts at today's volatility has forgotten it."""
FAR = 700.0  # log growth at which a price is no number any more
AT_ONCE = 2**20  # returns drawn and measured at a time by a thread: 8 MB of workspace an array


def realism(
    simulator: Simulator,
    panel: Panel,
    *,
    n: int = 200,
    sessions: int | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> RealismCard:
    """Return the realism card of a simulator: its worlds against the history they were fitted to.

    The simulator learns from the latest `sessions` returns, then makes `n` worlds of that same length, and every
    measure is taken of each world as of history. So the worlds give each measure's own sampling distribution, and
    history is compared with that rather than with a single number.

    The intervals hold together: each runs from the worlds' median to the outer 2.5 % on either side (in logarithms
    where a measure has a sign, such as a drawdown), stretched by one factor for all measures of a symbol, and the
    factor is the smallest for which 99 % of worlds and history lie inside all of their intervals. A history made by
    the law itself thus fails anything at most once in a hundred times, whatever the measures have to do with each
    other. Two things are left out of that: parameters are estimated, which makes what is fitted (mean, volatility)
    pass more often; and the symbols, and the measures of all symbols together, are each judged for themselves.

    Worlds run for 252 sessions before they are measured: a law that starts from today's volatility, such as GARCH, is
    judged on its long run.

    Parameters
    ----------
    simulator
        The law and its parameters.
    panel
        The history; only sessions on which every close is known count.
    n
        Number of worlds, 99 or more.
    sessions
        Returns to learn from and to be judged on, 250 or more; None takes all there are, at most 2,520, and no more
        than the simulator's own window.
    seed
        Of the worlds; the same seed gives the same card.
    on_progress
        Called with (worlds done, n).

    Raises
    ------
    DataError
        A number is out of range, the history is too short or does not move, or the simulator refuses it.

    References
    ----------
    Myllymäki, Mrkvička, Grabarnik, Seijo, Hahn (2017), Global envelope tests for spatial processes, J. Royal
    Statistical Society B 79, 381-404: the directional quantile envelope.

    Examples
    --------
    >>> card = realism(GBM(), panel)  # doctest: +SKIP
    >>> card.grade, card.sentence  # doctest: +SKIP
    """
    judged = _judged(panel, getattr(simulator, "window", None), n, sessions)
    length, width, year = len(judged) - 1, len(judged.symbols), judged.periods_per_year
    fit = simulator.calibrate(judged)
    size = max(1, AT_ONCE // ((BURN + length) * width))
    parts = [Streams(seed, first, min(size, n - first)) for first in range(0, n, size)]

    def progress(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(min(done * size, n), n)

    # History stands first: row 0 of every array below.
    past = _Measured.of(np.diff(np.log(judged.close), axis=0)[None], year)
    drawn = map_work(partial(_measure, fit, length, year), parts, on_progress=progress)
    each, waves, pairs, shared = (np.concatenate(rows) for rows in zip(past, *drawn, strict=True))
    groups = {symbol: (MEASURES, each[:, i]) for i, symbol in enumerate(judged.symbols)}
    if width > 1:
        misplaced = np.sqrt(np.square(pairs - pairs.mean(axis=0)).mean(axis=-1))
        groups[TOGETHER] = (JOINT, np.column_stack([pairs.mean(axis=-1), misplaced, shared]))
    return RealismCard(
        name=simulator.name,
        title=simulator.title,
        symbols=judged.symbols,
        start=judged.index[0],
        end=judged.index[-1],
        sessions=length,
        worlds=n,
        seed=seed,
        table=pd.concat(
            {symbol: _verdict(*group, length) for symbol, group in groups.items()}, names=["symbol", "measure"]
        ),
        acf=_acf_frame(judged.symbols, waves),
    )


class _Measured(NamedTuple):
    """What is measured of k worlds: facts, autocorrelations, correlations of pairs, falls shared."""

    facts: FloatArray
    acf: FloatArray
    pairs: FloatArray
    shared: FloatArray

    @classmethod
    def of(cls, moves: FloatArray, periods_per_year: int) -> _Measured:
        alone = moves.shape[2] == 1
        nothing = np.empty((len(moves), 0)), np.empty(len(moves))
        return cls(*facts(moves, periods_per_year), *(nothing if alone else joint_facts(moves)))


def _measure(fit: Calibration, length: int, periods_per_year: int, streams: Streams) -> _Measured:
    """Draw worlds and measure them after their burn-in."""
    moves = fit.draw(streams, BURN + length)[:, BURN:]
    if not np.abs(np.cumsum(moves, axis=1)).max() < FAR:  # unknown returns, too, are not below it
        raise DataError(
            f"A simulated price left the range of numbers within {BURN + length:,} sessions; the highest volatility "
            f"fitted is {fit.volatility.max():.0%} a year ({fit.symbols[fit.volatility.argmax()]}). Check that "
            "symbol's prices, or take fewer sessions."
        )
    return _Measured.of(moves, periods_per_year)


def _judged(panel: Panel, window: int | None, n: int, sessions: int | None) -> Panel:
    """Return the rows to learn from and be judged on: the latest ones on which every close is known."""
    if n < LEAST_WORLDS:
        raise DataError(f"A realism card came with n={n} worlds; accepted: {LEAST_WORLDS} or more, 200 do well.")
    if sessions is not None and sessions < LEAST_SESSIONS:
        raise DataError(
            f"A realism card came with sessions={sessions}; accepted: {LEAST_SESSIONS} or more. A shorter history "
            "fits almost any law."
        )
    known = panel.complete()
    there = len(known) - 1
    wanted = min(MOST_SESSIONS, there, window or MOST_SESSIONS) if sessions is None else sessions
    if wanted < LEAST_SESSIONS or wanted > there:
        needs = f"A realism card needs {max(LEAST_SESSIONS, wanted):,} returns"
        if sessions is None and there >= LEAST_SESSIONS:
            raise DataError(f"{needs}; the simulator learns from the latest {window}. Take a longer window.")
        fewer = "" if sessions is None else f", or fewer sessions, {LEAST_SESSIONS} at least"
        raise DataError(f"{needs}; this panel has {max(there, 0):,} with every close known. Take a longer span{fewer}.")
    judged = known.tail(wanted + 1)
    still = np.ptp(judged.close, axis=0) == 0.0
    if still.any():
        raise DataError(
            f"{judged.symbols[int(still.argmax())]} never moves in the {wanted:,} sessions judged, so there is nothing "
            "to compare. Leave that symbol out or take a longer span."
        )
    return judged


def envelope(pool: FloatArray, one_sided: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return low, median and high [M] of intervals that hold together, and the first row's signed place in them [M].

    Parameters
    ----------
    pool
        Measures [1 + n, M] of history, first, and of the worlds; none unknown.
    one_sided
        Which of them [M] speak against the law only where they are large.

    Returns
    -------
    tuple
        At most 1 % of rows that are alike lie outside any interval; a place beyond -1 or 1 is outside.
    """
    low, middle, high = np.quantile(pool, [0.025, 0.5, 0.975], axis=0)
    above = pool > middle
    spread = np.where(above, high - middle, middle - low)
    away = np.abs(pool - middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(away > 0, away / spread, 0.0)
    # Where nearly all worlds agree but some do not, as on the longest drawdown of what only falls, there is no scale
    # to say how far out they are. Where all agree, anything else is infinitely far out.
    away[np.isinf(away) & np.isinf(away[1:]).any(axis=0)] = 0.0
    away[~above & one_sided] = 0.0
    furthest = np.sort(away.max(axis=1))
    factor = furthest[-1 - int((1.0 - LEVEL) * len(pool) + 1e-9)]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(away[0] > 0, away[0] / factor, 0.0) * np.where(above[0], 1.0, -1.0)
    return middle - factor * (middle - low), middle, middle + factor * (high - middle), place


def _verdict(measures: Mapping[str, Measure], values: FloatArray, length: int) -> pd.DataFrame:
    """Return the rows of a card's table for measures [1 + n, M] of history and worlds of `length` sessions."""
    known = np.asarray(np.isfinite(values).all(axis=0))
    signs = np.array([float(m.sign) for m in measures.values()])
    result = np.full((4, values.shape[1]), np.nan)
    if known.any():
        one_sided = np.array([m.larger_only for m in measures.values()])
        result[:, known] = envelope(_compared(values, signs)[:, known], one_sided[known])
        result[:3] = _back(result[:3], signs)
    rows = []
    for (name, m), value, ok, (low, middle, high, place) in zip(
        measures.items(), values[0], known, result.T, strict=True
    ):
        failed = ok and abs(place) > 1.0
        words = m.above if place > 0 else m.below
        if low <= 0.0 <= high:
            words = words.replace("too little", "no")
        rows.append(
            {
                "measure": name,
                "title": m.title,
                "facet": m.facet,
                "unit": m.unit,
                "history": value,
                "low": m.floor if m.larger_only and ok else np.maximum(low, m.floor),
                "median": middle,
                "high": np.minimum(high, length if m.unit == "count" else m.ceiling),
                "passed": not failed if ok else pd.NA,
                "distance": place,
                "words": words if failed else "",
            }
        )
    return pd.DataFrame(rows).set_index("measure").astype({"passed": "boolean"})


def _compared(values: FloatArray, signs: FloatArray) -> FloatArray:
    """Return measures on the scale on which they are compared: logarithms of what has a sign, in the same order."""
    return np.where(signs == 0.0, values, signs * np.log(np.maximum(signs * values, np.finfo(float).tiny)))


def _back(compared: FloatArray, signs: FloatArray) -> FloatArray:
    """Return what `_compared` was made from."""
    return np.where(signs == 0.0, compared, signs * np.exp(signs * compared))


def _acf_frame(symbols: Sequence[str], waves: FloatArray) -> pd.DataFrame:
    """Return a card's autocorrelations from those of history and worlds [1 + n, N, 2, lags]."""
    tail = (1.0 - LEVEL) / 2.0
    low, middle, high = np.quantile(waves[1:], [tail, 0.5, 1.0 - tail], axis=0)
    index = pd.MultiIndex.from_product(
        [symbols, ("returns", "absolute returns"), LAGS], names=["symbol", "series", "lag"]
    )
    columns = {"history": waves[0], "low": low, "median": middle, "high": high}
    return pd.DataFrame({name: part.ravel() for name, part in columns.items()}, index=index)
