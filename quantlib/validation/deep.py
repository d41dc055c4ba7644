"""The whole verdict on a strategy: everything that is known to ask, on its record and on that of its variants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TypedDict

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns, break_even_cost, run_strategy
from quantlib.backtest.variants import Variants, variants_of
from quantlib.compute import Progress
from quantlib.costs import AnyCosts, Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import ENOUGH
from quantlib.metrics.ratios import sharpe_ratio_of
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation.card import Check, Evidence, Verdict
from quantlib.validation.leaks import certify, decisions
from quantlib.validation.nulls import RandomEntries, beside, hold, random_entries
from quantlib.validation.overfitting import probability_of_backtest_overfitting
from quantlib.validation.plateau import plateau
from quantlib.validation.reality import reality_check
from quantlib.validation.record_checks import (
    above_zero,
    good_in_all_markets,
    good_in_all_years,
    holds_up,
    moments_of,
    no_look_ahead,
    too_short,
)
from quantlib.validation.rival_checks import beats_holding, far_from_break_even, knows_when, survives_costs
from quantlib.validation.selection import select_forward, select_on_paths
from quantlib.validation.stability import by_regime, by_subperiod
from quantlib.validation.trials import Trials, effective_trials, growth_curves, variant_returns
from quantlib.validation.variant_checks import beats_benchmark, forward, on_paths, on_plateau, seldom_overfitted
from quantlib.validation.verdict import luck_checks

CUTS = 150
"""Decisions at which the future is cut away, about, where not said otherwise."""
#: Share of the work of each part, in percent, as progress tells it.
_PARTS = {"look_ahead": 30, "variants": 30, "selection": 15, "entries": 20, "rivals": 5}


def validate_deeply(
    strategy: Strategy,
    panel: Panel,
    variants: Variants | None = None,
    trials: Trials | None = None,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    delisted: Mapping[str, date] | None = None,
    result: BacktestResult | None = None,
    every: int | None = None,
    samples: int = 200,
    seed: int = 0,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Verdict:
    """Return the whole verdict on a strategy over a panel, after costs, with what its checks were made from.

    Beyond `validate`: look-ahead at every so many-th decision, the Sharpe ratio deflated by the trials, walk-forward
    and combinatorial selection among the variants, the probability of overfitting, tests of the best variant against
    cash and holding, the plateau, parts of the record, random entries, equal weights and the break-even cost.

    Parameters
    ----------
    variants
        The strategy among its like, run with the same costs and account; None makes its neighbourhood.
    trials
        How much was tried of the same idea, from the ledger. None takes the variants as the least there can have
        been, and says so.
    costs, limits, execution, cash, lag, delisted, result
        As in `validate`.
    every
        Cut the future away at every so many-th decision; None takes what makes about `CUTS` of them.
    samples
        Random entries to draw.
    seed
        Of all that is drawn.
    on_progress
        Called with (percent done, 100).
    cancelled
        Asked all along; once it says yes, the checks made by then are returned, and the verdict is not `complete`.

    Raises
    ------
    StrategyError
        The strategy cannot be run, or the variants are not its own.
    DataError
        The panel is empty or lacks a symbol.
    """
    paid = Costs() if costs is None else costs
    own = panel.select(strategy.inputs)
    terms: _Terms = {"limits": limits, "execution": execution, "cash": cash, "lag": lag}
    account = _Account(strategy, own, paid, terms, delisted)
    work = _Work(on_progress, cancelled)
    result = account.run(costs=paid) if result is None else result
    returns, periods = active_returns(result), result.periods_per_year
    if every is None:
        changes = len(decisions(strategy.targets(own).to_numpy(dtype=np.float64)))
        every = max(1, math.ceil(changes / CUTS))
    certificate = certify(
        strategy.targets, own, every=every, on_progress=work.part("look_ahead"), cancelled=work.stopped
    )
    checks = [no_look_ahead(certificate)]
    if result.trades.empty or len(returns) < ENOUGH:
        return Verdict((*checks, too_short(result, returns)), certificate, complete=not work.stopped())
    if variants is None:
        variants = variants_of(
            strategy,
            own,
            costs=paid,
            delisted=delisted,
            on_progress=work.part("variants"),
            cancelled=work.stopped,
            **terms,
        )
    if len(variants.returns) != len(own) or not variants.returns.index.equals(own.index):
        raise StrategyError(
            f"The variants have {len(variants.returns)} sessions and the panel {len(own)}; run them on the same panel."
        )
    matrix = variants.returns.loc[returns.index[0] :]
    if not np.allclose(matrix[variants.chosen].fillna(0.0), returns, rtol=0.0, atol=1e-9):
        raise StrategyError(
            f"Column {variants.chosen} of the variants is not this strategy's account. Run both with the same costs, "
            "limits, execution, cash and lag."
        )
    counted = _least_trials(matrix) if trials is None else trials
    evidence = Evidence(variants, counted, from_ledger=trials is not None)
    whose = "" if trials is not None else " (no ledger was given, so the variants made here are the least there were)"
    checks.append(above_zero(result, seed))
    moments = moments_of(returns)
    if moments is not None:
        checks += luck_checks(moments, counted, periods, whose=whose)
    if not work.stopped():
        evidence, made = _of_variants(evidence, matrix, periods, seed, work)
        checks += made
    traded = own.select(strategy.symbols)
    if not work.stopped():
        evidence, made = _of_holding(evidence, matrix, traded, paid, seed)
        checks += made
    checks.append(holds_up(returns, periods))
    subperiods, regimes = by_subperiod(returns), by_regime(returns, traded)
    evidence = replace(evidence, subperiods=subperiods, regimes=regimes)
    checks += [good_in_all_years(subperiods, periods), good_in_all_markets(regimes, periods)]
    if not work.stopped():
        entries = account.entries(samples, seed, work.part("entries"), work.stopped)
        evidence = replace(evidence, entries=entries)
        checks.append(knows_when(entries, periods))
    if not work.stopped():
        checks.append(beats_holding(traded, returns, paid, seed))
        if len(strategy.symbols) > 1:
            checks.append(beats_holding(traded, returns, paid, seed, rebalanced=True))
    if not work.stopped():
        evidence = replace(evidence, break_even=account.break_even())
        checks += [far_from_break_even(evidence.break_even, result), survives_costs(account.run, paid, result)]
        work.part("rivals")(1, 1)
    return Verdict(tuple(checks), certificate, evidence, complete=not work.halted)


class _Terms(TypedDict):
    """What accounts are run with, beside their costs."""

    limits: Limits | None
    execution: Execution | None
    cash: float
    lag: int


@dataclass(frozen=True)
class _Account:
    """How the strategy is run, each time the same way."""

    strategy: Strategy
    panel: Panel
    costs: AnyCosts
    terms: _Terms
    delisted: Mapping[str, date] | None

    @property
    def run(self) -> Callable[..., BacktestResult]:
        """The backtest, but for its costs."""
        return partial(run_strategy, self.strategy, self.panel, delisted=self.delisted, **self.terms)

    def entries(self, samples: int, seed: int, on_progress: Progress, cancelled: Callable[[], bool]) -> RandomEntries:
        """Return the strategy at random other times."""
        return random_entries(
            self.strategy,
            self.panel,
            costs=self.costs,
            delisted=self.delisted,
            samples=samples,
            seed=seed,
            on_progress=on_progress,
            cancelled=cancelled,
            **self.terms,
        )

    def break_even(self) -> float:
        """Return the cost a side in basis points at which nothing is left."""
        return break_even_cost(self.strategy, self.panel, costs=self.costs, delisted=self.delisted, **self.terms)


class _Work:
    """How far the whole has come, and whether to go on."""

    def __init__(self, on_progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self.on_progress, self.asked = on_progress, cancelled
        self.halted = False

    def stopped(self) -> bool:
        """Return whether it was cancelled; once it was, it stays so."""
        self.halted = self.halted or (self.asked is not None and self.asked())
        return self.halted

    def part(self, name: str) -> Progress:
        """Return how one part tells its progress, as a share of all."""
        names = list(_PARTS)
        before = sum(_PARTS[other] for other in names[: names.index(name)])

        def progress(done: int, total: int) -> None:
            if self.on_progress is not None:
                self.on_progress(before + _PARTS[name] * done // max(total, 1), 100)

        return progress


def _least_trials(matrix: pd.DataFrame) -> Trials:
    """Return what the variants alone amount to as trials."""
    sharpes = sharpe_ratio_of(np.ascontiguousarray(variant_returns(matrix).T), 1.0)
    return effective_trials(growth_curves(matrix), sharpes)


def _of_variants(
    evidence: Evidence, matrix: pd.DataFrame, periods: int, seed: int, work: _Work
) -> tuple[Evidence, list[Check]]:
    """Return the evidence and checks that live on the matrix of variants alone."""
    title, tell = "Chosen among its like", work.part("selection")
    against_zero = reality_check(matrix, seed=seed)
    evidence, zero = replace(evidence, against_zero=against_zero), beats_benchmark(against_zero, holding=False)
    if len(matrix.columns) < 2:
        change = "A grid of parameters to vary, or a definition with numbers in it."
        return evidence, [zero, Check("variants", title, "weak", 1.0, evidence.variants.sentence, change)]
    around = plateau(matrix, evidence.variants.parameters, evidence.variants.chosen)
    evidence, flat = replace(evidence, plateau=around), on_plateau(around, periods)
    if len(matrix) < 2 * periods:
        sentence = f"{len(matrix)} sessions are too few to choose in one part and live in another."
        change = f"{2 * periods - len(matrix)} more sessions."
        return evidence, [Check("variants", title, "weak", float(len(matrix)), sentence, change), zero, flat]
    tell(1, 5)
    train, test = min(3 * periods, len(matrix) // 3), min(periods, len(matrix) // 6)
    anchored, rolling = (select_forward(matrix, train=train, test=test, anchored=way) for way in (True, False))
    tell(2, 5)
    paths = select_on_paths(matrix)
    tell(3, 5)
    overfitting = probability_of_backtest_overfitting(matrix)
    tell(5, 5)
    evidence = replace(evidence, anchored=anchored, rolling=rolling, paths=paths, overfitting=overfitting)
    return evidence, [
        forward(anchored, periods),
        forward(rolling, periods),
        on_paths(paths, periods),
        seldom_overfitted(overfitting),
        zero,
        flat,
    ]


def _of_holding(
    evidence: Evidence, matrix: pd.DataFrame, traded: Panel, costs: AnyCosts, seed: int
) -> tuple[Evidence, list[Check]]:
    """Return the evidence and check of the best variant against holding, all at the volatility of holding."""
    try:
        held = hold(traded, costs, matrix.index[0], rebalanced=False)
        _, theirs = beside(matrix.iloc[:, 0], held)
        own = pd.DataFrame(variant_returns(matrix), matrix.index, matrix.columns).loc[theirs.index]
        found = reality_check(
            own * (theirs.std() / own.std().where(own.std() > 0)).fillna(0.0), benchmark=theirs, seed=seed
        )
    except DataError as error:
        why = Check("spa_holding", "The best beats holding", "weak", float("nan"), str(error), "A longer common span.")
        return evidence, [why]
    return replace(evidence, against_holding=found), [beats_benchmark(found, holding=True)]
