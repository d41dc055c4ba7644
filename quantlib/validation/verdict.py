"""A first verdict on a strategy: is there anything in its record that a careful person would trust?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial

from quantlib.backtest import BacktestResult, active_returns, run_strategy
from quantlib.costs import AnyCosts, Costs
from quantlib.metrics import ENOUGH
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation.card import Check, Verdict
from quantlib.validation.leaks import certify
from quantlib.validation.record_checks import (
    above_zero,
    holds_up,
    long_enough,
    longer_than_luck,
    moments_of,
    no_look_ahead,
    surely_not_luck,
    surely_positive,
    too_short,
)
from quantlib.validation.rival_checks import beats_holding, survives_costs
from quantlib.validation.sharpe import ReturnMoments, luck_hurdle
from quantlib.validation.trials import Trials


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
    trials: Trials | None = None,
    seed: int = 0,
) -> Verdict:
    """Return the quick verdict on a strategy over a panel, after costs.

    The checks: look-ahead (truncation), Sharpe ratio against zero by the bootstrap and by its moments, the length of
    the record, the last third against the first two, holding the same symbols in equal parts, and costs doubled; with
    `trials`, the Sharpe ratio deflated by their number. They are necessary, not sufficient: without `trials` nothing
    here corrects for how many variants were tried. `validate_deeply` asks the rest.

    Parameters
    ----------
    costs
        Costs of the backtest; None takes the defaults.
    limits, execution, cash, lag, delisted
        Of the backtest, as in `run`; the one with doubled costs is run the same way.
    result
        The strategy's backtest on this panel with all of these, if it is at hand.
    trials
        How much was tried of the same idea, this strategy included; see `effective_trials`.
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
        return Verdict((no_look_ahead(certificate), too_short(result, returns)), certificate)
    periods = result.periods_per_year
    moments = moments_of(returns)
    checks = (
        no_look_ahead(certificate),
        above_zero(result, seed),
        *(luck_checks(moments, trials, periods) if moments is not None else ()),
        holds_up(returns, periods),
        beats_holding(own.select(strategy.symbols), returns, costs, seed),
        survives_costs(again, costs, result),
    )
    return Verdict(checks=checks, certificate=certificate)


def luck_checks(moments: ReturnMoments, trials: Trials | None, periods: int, *, whose: str = "") -> tuple[Check, ...]:
    """Return the checks of how sure the Sharpe ratio is, after the trials where they are known."""
    positive = surely_positive(moments, periods)
    if trials is None:
        return positive, long_enough(moments, periods)
    # What is being judged was tried, whether or not a ledger has written it down yet.
    trials = replace(trials, n=max(trials.n, 1), effective=max(trials.effective, 1.0))
    hurdle = luck_hurdle(moments, n_trials=trials.effective, variance=trials.variance_over(moments.n))
    return (
        positive,
        surely_not_luck(moments, trials, periods, whose=whose),
        long_enough(moments, periods, hurdle),
        longer_than_luck(moments, trials, periods),
    )
