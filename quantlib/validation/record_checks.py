"""Checks of one record by itself: is it honest, long enough, above luck, and good in all its parts?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns
from quantlib.charts.numbers import count, interval, percent, ratio
from quantlib.errors import DataError
from quantlib.metrics import ENOUGH, sharpe_ratio, summary
from quantlib.validation.card import Check, Outcome
from quantlib.validation.leaks import LeakCertificate
from quantlib.validation.sharpe import (
    ReturnMoments,
    deflated_sharpe,
    luck_hurdle,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe,
)
from quantlib.validation.trials import Trials

SURE = 0.95
"""Probability from which on something counts as shown."""
_Z = 1.6448536269514722  # the normal quantile of SURE
_BETTER = "A rule that earns more for its risk; a longer record of the same would not help."


def no_look_ahead(certificate: LeakCertificate) -> Check:
    """Return whether any decision changed when the future was cut away."""
    key, title = "look_ahead", "No look-ahead"
    if certificate.passed:
        sentence = f"No decision changed when the future was cut away at {certificate.checked} sessions."
        if certificate.every is not None:
            sentence = f"{certificate.sentence} No decision changed."
        return Check(key, title, "pass", 0.0, sentence, "A session not looked at where a decision uses a later price.")
    sentence = (
        f"{len(certificate.leaks)} of {certificate.checked} decisions changed when the future was cut away, first on "
        f"{certificate.leaks[0]:%Y-%m-%d}: the rule uses prices it could not have known."
    )
    change = f"A rule that decides on {certificate.leaks[0]:%Y-%m-%d} by prices up to that close alone."
    return Check(key, title, "fail", float(len(certificate.leaks)), sentence, change)


def too_short(result: BacktestResult, returns: pd.Series) -> Check:
    """Return that there is no record to judge."""
    if result.trades.empty:
        sentence = f"It has not traded in {len(returns)} sessions, so there is no record to judge."
        change = "A longer span, or a rule that finds something to do in this one."
    else:
        sentence = f"It has {len(returns)} returns since its first trade; {ENOUGH} are the least to judge by."
        change = f"{ENOUGH - len(returns)} more sessions."
    return Check("record", "Long enough to judge", "weak", float(len(returns)), sentence, change)


def above_zero(result: BacktestResult, seed: int) -> Check:
    """Return whether the bootstrap interval of the Sharpe ratio is above zero."""
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
    change = {
        "pass": f"A loss of about {ratio(low)} of Sharpe ratio a year would bring zero back into the interval.",
        "weak": "A longer record of the same, or a better ratio: the interval narrows with the root of the length.",
        "fail": _BETTER,
    }[outcome]
    return Check("sharpe", "Sharpe ratio above zero", outcome, value, sentence, change)


def surely_positive(moments: ReturnMoments, periods: int) -> Check:
    """Return the probabilistic Sharpe ratio against zero."""
    value = probabilistic_sharpe(moments)
    outcome = _by_chance(value)
    sentence = (
        f"With a Sharpe ratio of {ratio(_annual(moments.sharpe, periods))} a year, skew {ratio(moments.skew)} and "
        f"kurtosis {ratio(moments.kurtosis)} over {count(moments.n)} sessions, the true ratio is above zero with a "
        f"probability of {percent(value)}."
    )
    return Check("psr", "Probably above zero", outcome, value, sentence, _to_reach(moments, 0.0, outcome, periods))


def surely_not_luck(moments: ReturnMoments, trials: Trials, periods: int, *, whose: str) -> Check:
    """Return the deflated Sharpe ratio after all trials; `whose` says where their count comes from."""
    variance = trials.variance_over(moments.n)
    hurdle = luck_hurdle(moments, n_trials=trials.effective, variance=variance)
    value = deflated_sharpe(moments, n_trials=trials.effective, variance=variance)
    outcome = _by_chance(value)
    many = "1 trial" if trials.n == 1 else f"{count(trials.n)} trials, {ratio(trials.effective, 1)} independent ones"
    sentence = (
        f"{many} in effect{whose}: the best of so many shows {ratio(_annual(hurdle, periods))} a year by luck alone. "
        f"With {ratio(_annual(moments.sharpe, periods))} it is better than that with a probability of "
        f"{percent(value)}."
    )
    return Check(
        "dsr", "More than luck after all trials", outcome, value, sentence, _to_reach(moments, hurdle, outcome, periods)
    )


def long_enough(moments: ReturnMoments, periods: int, hurdle: float = 0.0) -> Check:
    """Return whether the record is as long as its Sharpe ratio asks for, to be above a hurdle per session."""
    key, title = "track_record", "Long enough to believe"
    needed = minimum_track_record_length(moments, benchmark=hurdle)
    above = "zero" if hurdle == 0.0 else f"the {ratio(_annual(hurdle, periods))} that luck explains"
    if not math.isfinite(needed):
        sentence = (
            f"Its Sharpe ratio is not above {above}, so no length of {count(moments.n)} sessions or more would do."
        )
        return Check(key, title, "fail", needed, sentence, _BETTER)
    outcome: Outcome = "pass" if moments.n >= needed else "weak"
    sentence = (
        f"To be {percent(SURE, 0)} sure of more than {above}, {count(math.ceil(needed))} sessions "
        f"({ratio(needed / periods, 1)} years) of this quality are needed; there are {count(moments.n)}."
    )
    more = math.ceil(needed) - moments.n
    change = f"{count(more)} more sessions of the same quality." if more > 0 else "A worse record from here on."
    return Check(key, title, outcome, needed, sentence, change)


def longer_than_luck(moments: ReturnMoments, trials: Trials, periods: int) -> Check:
    """Return whether so many trials would show such a Sharpe ratio on a record of this length by luck."""
    key, title = "backtest_length", "Longer than the trials ask for"
    if not moments.sharpe > 0.0:
        sentence = f"Its Sharpe ratio of {ratio(_annual(moments.sharpe, periods))} a year needs no luck."
        return Check(key, title, "fail", math.inf, sentence, _BETTER)
    needed = minimum_backtest_length(trials.effective, moments.sharpe)
    outcome: Outcome = "pass" if moments.n > needed else "fail"
    sentence = (
        f"Below {ratio(needed / periods, 1)} years the best of {ratio(trials.effective, 1)} independent trials shows "
        f"{ratio(_annual(moments.sharpe, periods))} a year by luck alone; there are {ratio(moments.n / periods, 1)}."
    )
    change = (
        "More trials of the same idea: each makes the record too short a little sooner."
        if outcome == "pass"
        else f"{ratio((needed - moments.n) / periods, 1)} more years, or a better ratio. Trials cannot be undone."
    )
    return Check(key, title, outcome, needed, sentence, change)


def holds_up(returns: pd.Series, periods_per_year: int) -> Check:
    """Return whether the last third is as good as the first two."""
    key, title = "last_third", "Holds up in the last third"
    cut = len(returns) * 2 // 3
    if cut < 252 or len(returns) - cut < 126:
        sentence = f"{len(returns)} sessions are too few to set a third aside."
        return Check(key, title, "weak", float("nan"), sentence, f"{max(378 - len(returns), 1)} more sessions or so.")
    early, late = (sharpe_ratio(part, periods_per_year=periods_per_year) for part in (returns[:cut], returns[cut:]))
    outcome: Outcome = "pass" if late > 0.5 * max(early, 0.0) and late > 0 else "weak" if late > 0 else "fail"
    sentence = (
        f"Sharpe ratio was {ratio(early)} until {returns.index[cut - 1]:%Y-%m-%d} and {ratio(late)} in the last third."
    )
    least = 0.5 * max(early, 0.0)
    change = f"A last third {'below' if outcome == 'pass' else 'above'} {ratio(least)}, half of what came before."
    return Check(key, title, outcome, late, sentence, change)


def good_in_all_years(parts: pd.DataFrame, periods: int) -> Check:
    """Return whether the Sharpe ratio is above zero through the calendar; parts as by `by_subperiod`."""
    key, title = "subperiods", "Good in most years"
    known = parts.dropna(subset=["sharpe"])
    if len(known) < 2:
        sentence = f"{len(known)} part of the record is long enough to judge; it takes 2."
        return Check(key, title, "weak", float("nan"), sentence, "A longer record.")
    good = int((known["sharpe"] > 0).sum())
    share = good / len(known)
    lost = int((known["high"] < 0).sum())
    outcome: Outcome = "pass" if share >= 0.75 and not lost else "fail" if share < 0.5 else "weak"
    name, worst = _worst(known, periods)
    sentence = f"Sharpe ratio was above zero in {good} of {len(known)} parts; the worst was {name} with {worst}."
    change = (
        "A part that loses for sure, or more than a quarter of them below zero."
        if outcome == "pass"
        else f"A reason for {name} that can be seen beforehand, or a rule that does without it."
    )
    return Check(key, title, outcome, share, sentence, change)


def good_in_all_markets(regimes: pd.DataFrame, periods: int) -> Check:
    """Return whether the Sharpe ratio is above zero whatever the market; regimes as by `by_regime`."""
    key, title = "regimes", "Good in calm and wild, rising and falling markets"
    known = regimes.dropna(subset=["sharpe"])
    if known.empty:
        sentence = f"None of {len(regimes)} states of the market lasted long enough to judge."
        return Check(key, title, "weak", float("nan"), sentence, "A longer record.")
    good, lost = int((known["sharpe"] > 0).sum()), int((known["high"] < 0).sum())
    outcome: Outcome = "fail" if lost else "pass" if good == len(known) == len(regimes) else "weak"
    name, worst = _worst(known, periods)
    sentence = (
        f"Sharpe ratio was above zero in {good} of {len(known)} states of the market; the worst was the {name} one "
        f"with {worst}."
    )
    change = (
        "A state of the market in which it loses."
        if outcome == "pass"
        else f"Standing aside while the market is {name}, if that was the reason and not the result of looking."
    )
    return Check(key, title, outcome, float(known["sharpe"].min()) * math.sqrt(periods), sentence, change)


def moments_of(returns: pd.Series) -> ReturnMoments | None:
    """Return the moments of a record, None where its Sharpe ratio is unknown."""
    try:
        moments = ReturnMoments.of(returns)
    except DataError:
        return None
    return moments if math.isfinite(moments.sharpe) and math.isfinite(moments.stretch) else None


def _worst(known: pd.DataFrame, periods: int) -> tuple[str, str]:
    name = str(known["sharpe"].idxmin())
    value, low, high = known.loc[[name], ["sharpe", "low", "high"]].to_numpy(dtype=np.float64)[0] * math.sqrt(periods)
    return name, interval(value, low, high, "ratio")


def _annual(sharpe: float, periods: int) -> float:
    return sharpe * math.sqrt(periods)


def _by_chance(probability: float) -> Outcome:
    return "pass" if probability >= SURE else "weak" if probability >= 0.5 else "fail"


def _to_reach(moments: ReturnMoments, hurdle: float, outcome: Outcome, periods: int) -> str:
    """Return which Sharpe ratio would be enough, or how much less would not be."""
    enough = hurdle + _Z * math.sqrt(moments.stretch / (moments.n - 1))
    if outcome == "pass":
        return f"A Sharpe ratio below {ratio(_annual(enough, periods))} a year over the same sessions."
    length = minimum_track_record_length(moments, benchmark=hurdle)
    longer = f", or {count(math.ceil(length))} sessions of this one" if math.isfinite(length) else ""
    return f"A Sharpe ratio of {ratio(_annual(enough, periods))} a year over the same sessions{longer}."
