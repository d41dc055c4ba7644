"""A first verdict on a strategy: is there anything in its record that a careful person would trust?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns, hold_equal_parts, run_strategy
from quantlib.charts.numbers import interval, percent, ratio, signed_percent
from quantlib.costs import AnyCosts, Costs, costs_times
from quantlib.errors import DataError
from quantlib.metrics import ENOUGH, cagr, sharpe_ratio, summary
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation.leaks import LeakCertificate, certify

Outcome = Literal["pass", "weak", "fail"]


@dataclass(frozen=True)
class Check:
    """One question asked of a strategy's record.

    Parameters
    ----------
    key, title
        Which question.
    outcome
        "pass", "weak" (not shown either way) or "fail".
    value
        The number it hangs on.
    sentence
        Why, with the numbers.
    """

    key: str
    title: str
    outcome: Outcome
    value: float
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """All checks of one strategy on one panel, and what they add up to."""

    checks: tuple[Check, ...]
    certificate: LeakCertificate

    @property
    def outcome(self) -> Outcome:
        """The worst outcome among the checks."""
        order: tuple[Outcome, ...] = ("fail", "weak", "pass")
        return next(o for o in order if any(c.outcome == o for c in self.checks))

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        if short := next((c for c in self.checks if c.key == "record"), None):
            return f"There is no record to judge yet. {short.sentence}"
        count = {o: sum(c.outcome == o for c in self.checks) for o in ("pass", "weak", "fail")}
        start = {
            "pass": "The record stands up to every check made here",
            "weak": "The record does not show an edge beyond doubt",
            "fail": "The record does not support trading this for profit",
        }[self.outcome]
        noun = "check" if count["pass"] == 1 else "checks"
        return f"{start}: {count['pass']} {noun} passed, {count['weak']} weak, {count['fail']} failed."


def validate(
    strategy: Strategy,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    limits: Limits | None = None,
    execution: Execution | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    delisted: Mapping[str, date] | None = None,
    result: BacktestResult | None = None,
    seed: int = 0,
) -> Verdict:
    """Return the verdict on a strategy over a panel, after costs.

    The checks: look-ahead (truncation), Sharpe ratio against zero, the last third against the first two, holding
    the same symbols in equal parts, and costs doubled. They are necessary, not sufficient: nothing here corrects for
    how many variants were tried.

    Parameters
    ----------
    costs
        Costs of the backtest; None takes the defaults.
    limits, execution, cash, lag, delisted
        Of the backtest, as in `run`; the one with doubled costs is run the same way.
    result
        The strategy's backtest on this panel with all of these, if it is at hand.
    seed
        Seed of the bootstrap intervals.
    """
    costs = Costs() if costs is None else costs
    own = panel.select(strategy.inputs)
    again = partial(
        run_strategy, strategy, own, limits=limits, execution=execution, cash=cash, lag=lag, delisted=delisted
    )
    result = again(costs=costs) if result is None else result
    returns = active_returns(result)
    certificate = certify(strategy.targets, own)
    if result.trades.empty or len(returns) < ENOUGH:
        return Verdict((_no_look_ahead(certificate), _too_short(result, returns)), certificate)
    checks = (
        _no_look_ahead(certificate),
        _above_zero(result, seed),
        _holds_up(returns, result.periods_per_year),
        _beats_holding(own.select(strategy.symbols), returns, costs, seed),
        _survives_costs(again, costs, result),
    )
    return Verdict(checks=checks, certificate=certificate)


def _too_short(result: BacktestResult, returns: pd.Series) -> Check:
    if result.trades.empty:
        sentence = f"It has not traded in {len(returns)} sessions, so there is no record to judge."
    else:
        sentence = f"It has {len(returns)} returns since its first trade; {ENOUGH} are the least to judge by."
    return Check("record", "Long enough to judge", "weak", float(len(returns)), sentence)


def _no_look_ahead(certificate: LeakCertificate) -> Check:
    if certificate.passed:
        sentence = f"No decision changed when the future was cut away at {certificate.checked} sessions."
        return Check("look_ahead", "No look-ahead", "pass", 0.0, sentence)
    sentence = (
        f"{len(certificate.leaks)} of {certificate.checked} decisions changed when the future was cut away, first on "
        f"{certificate.leaks[0]:%Y-%m-%d}: the rule uses prices it could not have known."
    )
    return Check("look_ahead", "No look-ahead", "fail", float(len(certificate.leaks)), sentence)


def _above_zero(result: BacktestResult, seed: int) -> Check:
    returns, periods = active_returns(result), result.periods_per_year
    row = summary(returns, periods_per_year=periods, keys=["sharpe_ratio"], seed=seed)[["value", "ci_low", "ci_high"]]
    value, low, high = row.to_numpy(dtype=np.float64)[0]
    outcome: Outcome = "weak" if not np.isfinite(low) else "pass" if low > 0 else "weak" if value > 0 else "fail"
    tail = {
        "pass": "the whole interval is above zero.",
        "weak": "the interval includes zero, so chance alone could explain it.",
        "fail": "it lost money for its risk.",
    }[outcome]
    sentence = f"Sharpe ratio after costs is {interval(value, low, high, 'ratio')}; {tail}"
    return Check("sharpe", "Sharpe ratio above zero", outcome, value, sentence)


def _holds_up(returns: pd.Series, periods_per_year: int) -> Check:
    cut = len(returns) * 2 // 3
    if cut < 252 or len(returns) - cut < 126:
        sentence = f"{len(returns)} sessions are too few to set a third aside."
        return Check("last_third", "Holds up in the last third", "weak", float("nan"), sentence)
    early, late = (sharpe_ratio(part, periods_per_year=periods_per_year) for part in (returns[:cut], returns[cut:]))
    outcome: Outcome = "pass" if late > 0.5 * max(early, 0.0) and late > 0 else "weak" if late > 0 else "fail"
    sentence = (
        f"Sharpe ratio was {ratio(early)} until {returns.index[cut - 1]:%Y-%m-%d} and {ratio(late)} in the last third."
    )
    return Check("last_third", "Holds up in the last third", outcome, late, sentence)


def _beats_holding(own: Panel, returns: pd.Series, costs: AnyCosts, seed: int) -> Check:
    title = "Better for its risk than holding"
    try:
        held = hold_equal_parts(own, costs=costs, since=returns.index[0])
    except DataError as error:
        return Check("holding", title, "weak", float("nan"), str(error))
    # Both from the same session on: the later of the strategy's first trade and the first price of every symbol.
    theirs = active_returns(held)
    returns = returns.loc[theirs.index[0] :]
    if len(returns) < ENOUGH:
        sentence = (
            f"{len(returns)} sessions are shared with holding the same symbols; {ENOUGH} are the least to compare."
        )
        return Check("holding", title, "weak", float("nan"), sentence)
    periods = held.periods_per_year
    mine, other = (sharpe_ratio(r, periods_per_year=periods) for r in (returns, theirs))
    low = _gap_low(returns, theirs, periods, seed)
    outcome: Outcome = "pass" if low > 0 else "fail" if mine < other and mine <= 0.8 * other else "weak"
    rates = [percent(cagr(r, periods_per_year=periods)) for r in (returns, theirs)]
    tail = {
        "pass": "the difference is more than chance explains.",
        "weak": "the difference is within what chance explains.",
        "fail": "holding was better.",
    }[outcome]
    sentence = (
        f"Sharpe ratio {ratio(mine)} and {rates[0]} a year, against {ratio(other)} and {rates[1]} for holding the same "
        f"symbols in equal parts; {tail}"
    )
    return Check("holding", title, outcome, mine - other, sentence)


def _gap_low(mine: pd.Series, other: pd.Series, periods_per_year: int, seed: int) -> float:
    """Return the low end of the 95 % interval of how far one Sharpe ratio is above another; NaN where unknown.

    Both are scaled to the same small volatility; the mean of their difference is then above zero exactly where the
    Sharpe ratio is, and the bootstrap of that difference keeps the two together, day by day.
    """
    if mine.std() == 0 or other.std() == 0:
        return float("nan")
    gap = 0.001 * (mine / mine.std() - other / other.std())
    row = summary(gap, periods_per_year=periods_per_year, keys=["sharpe_ratio"], seed=seed)[["ci_low"]]
    return float(row.to_numpy(dtype=np.float64)[0, 0])


def _survives_costs(again: Callable[..., BacktestResult], costs: AnyCosts, result: BacktestResult) -> Check:
    title = "Survives doubled costs"
    if not result.cost_parts[["commission", "spread", "impact", "borrow"]].to_numpy().any():
        fills = "fill was" if len(result.trades) == 1 else "fills were"
        sentence = f"Its {len(result.trades)} {fills} charged nothing, so doubled costs are no test. Give it costs."
        return Check("costs", title, "weak", float("nan"), sentence)
    worse = active_returns(again(costs=costs_times(costs, 2.0)))
    rate = cagr(worse, periods_per_year=result.periods_per_year)
    before = cagr(active_returns(result), periods_per_year=result.periods_per_year)
    outcome: Outcome = "pass" if rate > 0.5 * before and rate > 0 else "weak" if rate > 0 else "fail"
    sentence = f"With costs doubled it makes {signed_percent(rate)} a year instead of {signed_percent(before)}."
    return Check("costs", title, outcome, rate, sentence)
