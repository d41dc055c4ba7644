"""Made-up accounts: markets with holes, groups, stops, limits and costs, for the kernel and its reference alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from backtest.reference import Account, Answer, Idea
from hypothesis import strategies as st

from quantlib.backtest import GroupTargets, Rebalance, run_groups
from quantlib.backtest.result import BacktestResult
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import Panel


@dataclass(frozen=True)
class Case:
    """All that a run needs."""

    panel: Panel
    groups: tuple[GroupTargets, ...]
    costs: Mapping[str, Costs]
    limits: Limits
    execution: Execution
    lag: int = 1
    rebalance: Rebalance = "on_change"
    delisted: Mapping[str, date] = field(default_factory=dict)
    cash: float = 10_000.0

    def by_reference(self) -> Answer:
        """Return what the slow loop makes of it."""
        ideas = [
            Idea(
                group.name,
                [dict(zip(used, row, strict=True)) for row in group.targets[used].to_numpy().tolist()],
                group.stops or Stops(),
                None if group.spread_z is None else [float(z) for z in group.spread_z],
                group.linked,
            )
            for group in self.groups
            for used in [list(group.legs or [s for s in group.targets if group.targets[s].ne(0.0).any()])]
        ]
        return Account(
            self.panel,
            ideas,
            costs=self.costs,
            limits=self.limits,
            execution=self.execution,
            cash=self.cash,
            lag=self.lag,
            rebalance=self.rebalance,
            delisted=self.delisted,
        ).run()

    def by_kernel(self) -> BacktestResult:
        """Return what the engine makes of it."""
        return run_groups(
            self.panel,
            self.groups,
            costs=self.costs,
            limits=self.limits,
            execution=self.execution,
            cash=self.cash,
            lag=self.lag,
            rebalance=self.rebalance,
            delisted=self.delisted,
        )


def made_up_panel(
    seed: int, n: int, symbols: int, *, size: float, prices: str, volume: str, gaps: float, events: bool, weekends: bool
) -> Panel:
    """Return a panel of random walks.

    Parameters
    ----------
    seed, n, symbols
        Of the draw, and its size.
    size
        Daily standard deviation.
    prices
        "closes" only, "full", or "holes": some opens, highs or lows unknown.
    volume
        "none", "full" or "holes": some zero, some unknown.
    gaps
        Chance that a symbol has no price at all for some bars, at a bar.
    events
        Whether there are splits and dividends.
    weekends
        Whether every day is a session.
    """
    rng = np.random.default_rng(seed)
    shape = (n, symbols)
    split = np.where(rng.random(shape) < 0.05, rng.choice([2.0, 0.5, 1.5], shape), 1.0) if events else np.ones(shape)
    close = 50 * np.exp(np.cumsum(rng.normal(0, size, shape), axis=0)) / np.cumprod(split, axis=0)
    opens = close * np.exp(rng.normal(0, size, shape))
    high = np.maximum(opens, close) * np.exp(np.abs(rng.normal(0, size / 2, shape)))
    low = np.minimum(opens, close) * np.exp(-np.abs(rng.normal(0, size / 2, shape)))
    traded = rng.lognormal(5, 1, shape)
    if prices == "closes":
        opens, high, low = (np.full(shape, np.nan) for _ in range(3))
    if prices == "holes":
        opens[rng.random(shape) < 0.2] = np.nan
        high[rng.random(shape) < 0.15] = np.nan
        low[rng.random(shape) < 0.15] = np.nan
        close[rng.random(shape) < 0.05] = np.nan
    if volume == "holes":
        traded[rng.random(shape) < 0.3] = np.nan
        traded[rng.random(shape) < 0.3] = 0.0
    if volume == "none":
        traded[:] = np.nan
    for i in range(symbols):
        for t in np.flatnonzero(rng.random(n) < gaps):
            rows = slice(t, t + int(rng.integers(1, 10)))
            for field_ in (opens, high, low, close, traded):
                field_[rows, i] = np.nan
    extra = {}
    if events:
        extra = {"split": split, "dividend": np.where(rng.random(shape) < 0.08, rng.uniform(0, 2, shape), 0.0)}
    index = pd.date_range("2020-01-01", periods=n, freq="D" if weekends else "B")
    return Panel(index, tuple("ABCD"[:symbols]), opens, high, low, close, traded, extra=extra)


def made_up_targets(seed: int, panel: Panel, symbols: list[str], *, change: float, size: float) -> pd.DataFrame:
    """Return decisions that stay for a while: flat, long, short, turned, or in one leg only."""
    rng = np.random.default_rng(seed)
    row, rows = np.zeros(len(symbols)), []
    for _ in panel.index:
        if rng.random() < change:
            kind = rng.integers(5)
            if kind == 0:
                row = np.zeros(len(symbols))
            elif kind == 1:
                row = -row
            elif kind == 2:
                row = row.copy()
                row[rng.integers(len(symbols))] = size * rng.uniform(-1, 1)
            else:
                row = size * rng.uniform(-1, 1, len(symbols)) / len(symbols)
        rows.append(row)
    decided = pd.DataFrame(np.array(rows), index=panel.index, columns=symbols)
    return decided.reindex(columns=list(panel.symbols), fill_value=0.0)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for something that may be left out."""
    return st.one_of(st.none(), strategy)


SIZES = st.floats(0.01, 0.3)
STOPS: dict[str, st.SearchStrategy[Any]] = {
    "loss": SIZES,
    "profit": SIZES,
    "trailing": SIZES,
    "time": st.integers(1, 12),
    "volatility": st.floats(0.3, 4.0),
    "spread_z": st.floats(0.5, 3.0),
}
HOW: dict[str, st.SearchStrategy[Any]] = {
    "same_bar": st.sampled_from(["pessimistic", "optimistic"]),
    "reentry": st.one_of(st.sampled_from(["reset", "next"]), st.integers(1, 6)),
}
MIXED = st.fixed_dictionaries({**{name: maybe(values) for name, values in STOPS.items()}, **HOW})
BPS = st.one_of(st.just(0.0), st.floats(0.1, 80.0))
COSTS = st.builds(
    Costs,
    commission_bps=BPS,
    half_spread_bps=BPS,
    borrow_bps_per_year=st.sampled_from([0.0, 50.0, 3000.0]),
    impact_bps=BPS,
    assumed_participation=st.sampled_from([0.0, 1e-4, 0.1]),
)
EXECUTION = st.builds(
    Execution,
    fill=st.sampled_from(["open", "close"]),
    limit_bps=st.one_of(st.none(), st.none(), st.floats(-300.0, 300.0)),
    whole_shares=st.booleans(),
    financing_bps_per_year=st.sampled_from([0.0, 600.0]),
    cash_bps_per_year=st.sampled_from([0.0, 300.0]),
)


@st.composite
def any_limits(draw: st.DrawFn) -> Limits:
    """Return caps, a drawdown limit and a maintenance margin."""
    gross = draw(st.sampled_from([0.7, 2.0, 3.9]))
    return Limits(
        max_gross=gross,
        max_net=draw(maybe(st.floats(0.1, gross))),
        max_weight=draw(maybe(st.floats(0.1, gross))),
        drawdown=draw(maybe(st.floats(0.02, 0.4))),
        cool_down=draw(st.integers(1, 12)),
        maintenance=draw(st.sampled_from([0.0, 0.25])),
    )


OPEN = Limits(max_gross=10.0, maintenance=0.0)
"""Limits that limit nothing."""


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    most_symbols: int = 4,
    most_groups: int = 3,
    bars: tuple[int, int] = (5, 60),
    prices: tuple[str, ...] = ("full", "closes", "holes"),
    gaps: tuple[float, ...] = (0.0, 0.0, 0.03, 0.1),
    events: st.SearchStrategy[bool] = st.booleans(),  # noqa: B008  -- a description of draws, not a draw
    sizes: tuple[float, ...] = (0.5, 1.0, 3.0),
    daily: tuple[float, ...] = (0.01, 0.03, 0.12, 0.3),
    stops: st.SearchStrategy[dict[str, Any]] = st.one_of(st.just({}), MIXED),  # noqa: B008
    watch: tuple[str, ...] = ("close", "intrabar"),
    costs: st.SearchStrategy[Costs] = COSTS,
    limits: st.SearchStrategy[Limits] = any_limits(),  # noqa: B008
    execution: st.SearchStrategy[Execution] = EXECUTION,
    rebalance: tuple[Rebalance, ...] = ("on_change", "on_change", "every_bar"),
    delisted: int = 1,
) -> Case:
    """Return an account with anything in it that docs/backtest.md knows; less of it where an argument says so."""
    seed = st.integers(0, 1_000_000)
    names = list("ABCD"[: draw(st.integers(1, most_symbols))])
    panel = made_up_panel(
        draw(seed),
        draw(st.integers(*bars)),
        len(names),
        size=draw(st.sampled_from(daily)),
        prices=draw(st.sampled_from(prices)),
        volume=draw(st.sampled_from(["none", "full", "holes"])),
        gaps=draw(st.sampled_from(gaps)),
        events=draw(events),
        weekends=draw(st.booleans()),
    )
    size = draw(st.sampled_from(sizes))
    groups = []
    for k in range(draw(st.integers(1, most_groups))):
        legs = draw(st.permutations(names))[: draw(st.integers(1, len(names)))]
        z = np.random.default_rng(draw(seed)).normal(0, 1.5, len(panel.index))
        z[z > 2.5] = np.nan
        own = Stops(**draw(stops), watch=draw(st.sampled_from(watch)) if len(legs) == 1 else "close")
        named = own.spread_z is not None or draw(st.booleans())
        groups.append(
            GroupTargets(
                f"g{k}",
                made_up_targets(draw(seed), panel, legs, change=draw(st.sampled_from([0.1, 0.4])), size=size),
                own,
                None if own.spread_z is None else z,
                draw(st.booleans()),
                tuple(legs) if named else None,
            )
        )
    return Case(
        panel,
        tuple(groups),
        {name: draw(costs) for name in names},
        draw(limits),
        draw(execution),
        lag=draw(st.integers(1, 3)),
        rebalance=draw(st.sampled_from(rebalance)),
        delisted={
            name: (panel.index[0] + pd.Timedelta(days=draw(st.integers(-3, 60)))).date()
            for name in draw(st.lists(st.sampled_from(names), max_size=delisted))
        },
    )
