"""Checks of a record against what could be had without the rule: holding, chance, and higher costs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns
from quantlib.charts.numbers import percent, ratio, signed_percent
from quantlib.costs import AnyCosts, costs_times
from quantlib.errors import DataError
from quantlib.metrics import ENOUGH, cagr, sharpe_ratio, summary
from quantlib.types import Panel
from quantlib.validation.card import Check, Outcome
from quantlib.validation.nulls import RandomEntries, beside, hold

_FREE = ("commission", "spread", "impact", "borrow")


def beats_holding(own: Panel, returns: pd.Series, costs: AnyCosts, seed: int, *, rebalanced: bool = False) -> Check:
    """Return whether the strategy is better for its risk than its symbols in equal parts.

    Held as bought, or `rebalanced`, which brings them back to equal parts every session.
    """
    key, title, how = "holding", "Better for its risk than holding", "holding the same symbols in equal parts"
    if rebalanced:
        key, title, how = "equal_weight", "Better for its risk than equal weights", "equal weights every session"
    try:
        held = hold(own, costs, returns.index[0], rebalanced=rebalanced)
    except DataError as error:
        return Check(key, title, "weak", float("nan"), str(error), "A span in which all symbols have prices.")
    returns, theirs = beside(returns, held)
    if len(returns) < ENOUGH:
        sentence = (
            f"{len(returns)} sessions are shared with holding the same symbols; {ENOUGH} are the least to compare."
        )
        return Check(key, title, "weak", float("nan"), sentence, f"{ENOUGH - len(returns)} more sessions.")
    periods = held.periods_per_year
    mine, other = (sharpe_ratio(r, periods_per_year=periods) for r in (returns, theirs))
    low = gap_low(returns, theirs, periods, seed)
    outcome: Outcome = "pass" if low > 0 else "fail" if mine < other and mine <= 0.8 * other else "weak"
    rates = [percent(cagr(r, periods_per_year=periods)) for r in (returns, theirs)]
    tail = {
        "pass": "the difference is more than chance explains.",
        "weak": "the difference is within what chance explains.",
        "fail": f"{'equal weights were' if rebalanced else 'holding was'} better.",
    }[outcome]
    sentence = (
        f"Sharpe ratio {ratio(mine)} and {rates[0]} a year, against {ratio(other)} and {rates[1]} for {how}; {tail}"
    )
    change = {
        "pass": "A record in which the difference comes from a few days only.",
        "weak": f"A Sharpe ratio that stays further above {ratio(other)}, or the same difference over a longer record.",
        "fail": f"A Sharpe ratio above {ratio(other)}; until then holding is the better and cheaper way.",
    }[outcome]
    return Check(key, title, outcome, mine - other, sentence, change)


def gap_low(mine: pd.Series, other: pd.Series, periods_per_year: int, seed: int) -> float:
    """Return the low end of the 95 % interval of how far one Sharpe ratio is above another; NaN where unknown.

    Both are scaled to the same small volatility; the mean of their difference is then above zero exactly where the
    Sharpe ratio is, and the bootstrap of that difference keeps the two together, day by day.
    """
    if mine.std() == 0 or other.std() == 0:
        return float("nan")
    gap = 0.001 * (mine / mine.std() - other / other.std())
    row = summary(gap, periods_per_year=periods_per_year, keys=["sharpe_ratio"], seed=seed)[["ci_low"]]
    return float(row.to_numpy(dtype=np.float64)[0, 0])


def survives_costs(again: Callable[..., BacktestResult], costs: AnyCosts, result: BacktestResult) -> Check:
    """Return whether the strategy still earns with costs doubled; `again` runs it with other costs."""
    key, title = "costs", "Survives doubled costs"
    if not result.cost_parts[list(_FREE)].to_numpy().any():
        fills = "fill was" if len(result.trades) == 1 else "fills were"
        sentence = f"Its {len(result.trades)} {fills} charged nothing, so doubled costs are no test. Give it costs."
        return Check(key, title, "weak", float("nan"), sentence, "Costs above zero.")
    worse = active_returns(again(costs=costs_times(costs, 2.0)))
    rate = cagr(worse, periods_per_year=result.periods_per_year)
    before = cagr(active_returns(result), periods_per_year=result.periods_per_year)
    outcome: Outcome = "pass" if rate > 0.5 * before and rate > 0 else "weak" if rate > 0 else "fail"
    sentence = f"With costs doubled it makes {signed_percent(rate)} a year instead of {signed_percent(before)}."
    change = (
        "Costs several times as high."
        if outcome == "pass"
        else f"Fewer or cheaper trades, so that more than half of {signed_percent(before)} is left at twice the cost."
    )
    return Check(key, title, outcome, rate, sentence, change)


def far_from_break_even(break_even: float, result: BacktestResult) -> Check:
    """Return whether the cost at which nothing is left, in basis points a side, is well above what is paid."""
    key, title = "break_even", "Costs are far from eating it up"
    traded = float(result.trades["notional"].abs().sum())
    paid = 1e4 * float(result.trades["cost"].sum()) / traded if traded > 0 else float("nan")
    if math.isnan(break_even) or not paid > 0.0:
        sentence = f"It paid nothing on {len(result.trades)} fills, so there is no cost to compare with."
        return Check(key, title, "weak", break_even, sentence, "Costs above zero.")
    times = break_even / paid
    outcome: Outcome = "pass" if times >= 2.0 else "weak" if times >= 1.0 else "fail"
    where = "Above 1,000" if math.isinf(break_even) else ratio(break_even, 1)
    sentence = f"{where} bps a side would leave nothing; it paid {ratio(paid, 1)} bps on what it traded."
    if break_even == 0.0:
        sentence = f"Even without costs nothing would be left; it paid {ratio(paid, 1)} bps a side on what it traded."
    change = (
        f"Costs near {ratio(break_even, 1)} bps a side: other symbols, larger orders, or thinner markets."
        if outcome == "pass" and not math.isinf(break_even)
        else f"More earned on each trade: at least {ratio(2.0 * paid, 1)} bps a side."
        if outcome != "pass"
        else "Costs beyond 1,000 bps a side."
    )
    return Check(key, title, outcome, break_even, sentence, change)


def knows_when(entries: RandomEntries, periods: int) -> Check:
    """Return whether the strategy beats its own positions at random other times."""
    key, title = "random_entry", "Better than entering at random"
    p = entries.p_value
    if math.isnan(p):
        sentence = f"Its positions never change after the first, so {len(entries.others)} other times can be compared."
        return Check(key, title, "weak", float("nan"), sentence, "A rule that goes in and out.")
    outcome: Outcome = "pass" if p <= 0.05 else "weak" if p < 0.5 else "fail"
    others = np.nan_to_num(entries.others) * math.sqrt(periods)
    low, middle, high = np.quantile(others, [0.05, 0.5, 0.95])
    narrow = high - low < 0.1
    if narrow and outcome == "fail":
        outcome = "weak"
    tail = {
        "pass": "knowing when makes the difference.",
        "weak": "when it enters makes hardly any difference." if narrow else "chance often enters as well.",
        "fail": "most random times were as good or better.",
    }[outcome]
    sentence = (
        f"Sharpe ratio {ratio(entries.sharpe * math.sqrt(periods))} a year, against {ratio(middle)} "
        f"({ratio(low)} to {ratio(high)}) for the same positions at {len(others)} other times (p {ratio(p, 3)}); {tail}"
    )
    change = (
        f"A Sharpe ratio below {ratio(high)} a year, as one in twenty random times has."
        if outcome == "pass"
        else f"A Sharpe ratio above {ratio(high)} a year from the same positions, which one in twenty random times has."
    )
    return Check(key, title, outcome, p, sentence, change)
