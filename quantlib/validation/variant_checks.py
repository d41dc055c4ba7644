"""Checks on the matrix of variants: does choosing among them pay, and do the parameters stand on a plateau?"""

from __future__ import annotations

import math

import numpy as np

from quantlib.charts.numbers import count, percent, ratio
from quantlib.charts.sensitivity import LEAST
from quantlib.validation.card import Check, Outcome
from quantlib.validation.overfitting import Overfitting
from quantlib.validation.plateau import Plateau
from quantlib.validation.reality import RealityCheck
from quantlib.validation.record_checks import SURE, moments_of
from quantlib.validation.selection import Paths, WalkForward
from quantlib.validation.sharpe import probabilistic_sharpe


def forward(found: WalkForward, periods: int) -> Check:
    """Return whether choosing by the past and living with it earned something."""
    how = "anchored" if found.anchored else "rolling"
    key, title = f"walk_forward_{how}", f"Walk-forward, {how}"
    year = math.sqrt(periods)
    moments = moments_of(found.returns)
    sharpe, kept = (found.sharpe * year, found.kept) if moments else (0.0, float("nan"))
    sure = moments is not None and probabilistic_sharpe(moments) >= SURE
    outcome: Outcome = "pass" if sure and kept >= 0.5 else "weak" if sharpe > 0 else "fail"
    expected = float(found.steps["in_sample"].mean()) * year
    share = f" ({percent(kept, 0)} of it kept)" if expected >= LEAST else ""
    sentence = (
        f"Choosing the best of the past {len(found.steps)} times made a Sharpe ratio of {ratio(sharpe)} a year out of "
        f"sample, where {ratio(expected)} was seen in sample{share}."
    )
    change = {
        "pass": "An out-of-sample ratio of less than half of what was seen in sample.",
        "weak": "More than half of the Sharpe ratio kept out of sample, for long enough to be sure it is above 0.",
        "fail": "Variants whose past says something about their future.",
    }[outcome]
    return Check(key, title, outcome, sharpe, sentence, change)


def on_paths(found: Paths, periods: int) -> Check:
    """Return whether choosing pays on every path of the combinatorial cross-validation."""
    key, title = "cpcv", "Good on all cross-validated paths"
    sharpes = np.nan_to_num(found.sharpes) * math.sqrt(periods)
    low, middle, high = float(sharpes.min()), float(np.median(sharpes)), float(sharpes.max())
    expected = float(found.splits["in_sample"].mean()) * math.sqrt(periods)
    outcome: Outcome = "pass" if low > 0 and middle >= 0.5 * expected else "fail" if middle <= 0 else "weak"
    sentence = (
        f"On {len(sharpes)} paths from {len(found.splits)} purged splits the Sharpe ratio out of sample is "
        f"{ratio(low)} to {ratio(high)} a year, {ratio(middle)} in the middle; {ratio(expected)} was seen in sample."
    )
    change = (
        "A path that loses, or half of what was seen in sample lost outside."
        if outcome == "pass"
        else "All paths above zero, and at least half of the ratio in sample left out of sample."
    )
    return Check(key, title, outcome, middle, sentence, change)


def seldom_overfitted(found: Overfitting) -> Check:
    """Return whether the best of one half of the record is good in the other."""
    key, title = "pbo", "The best stays good elsewhere"
    harmless = found.loss <= 0.05
    tolerable = found.probability <= 0.5 or harmless
    outcome: Outcome = "pass" if found.probability <= 0.2 else "weak" if tolerable else "fail"
    sentence = (
        f"Over {count(len(found.logits))} ways to halve the record, the best of one half was below the median of the "
        f"other in {percent(found.probability, 0)} (the probability of backtest overfitting), and lost there in "
        f"{percent(found.loss, 0)}."
    )
    if harmless and outcome != "pass":
        sentence += " The variants are too much alike, or all too good, for the choice among them to matter."
    change = (
        "Variants that lead in one half of the record and lose in the other."
        if outcome == "pass"
        else "Variants that keep their order from one half of the record to the other: a probability of 20 % or less."
    )
    return Check(key, title, outcome, found.probability, sentence, change)


def beats_benchmark(found: RealityCheck, *, holding: bool) -> Check:
    """Return whether the best variant is above zero, or above holding, by more than the number of variants explains."""
    key, title = ("spa_holding", "The best beats holding") if holding else ("spa_zero", "The best beats cash")
    p = found.consistent
    outcome: Outcome = "pass" if p <= 0.05 else "weak" if p < 0.5 else "fail"
    what = "holding the same symbols at the same volatility" if holding else "cash"
    sentence = (
        f"Hansen's test gives p {ratio(p, 3)} that no variant beats {what} (White's {ratio(found.white, 3)}); "
        f"{len(found.survivors)} of the variants do so for sure."
    )
    change = (
        "More variants that were tried and are not in this matrix: the test only knows these."
        if outcome == "pass"
        else "A p-value of 0.05 or less: a better best variant, or as good a one over a longer record."
    )
    return Check(key, title, outcome, p, sentence, change)


def on_plateau(found: Plateau, periods: int) -> Check:
    """Return whether most neighbours are nearly as good."""
    key, title = "plateau", "On a plateau, not on a peak"
    around, own = found.neighbours * math.sqrt(periods), found.sharpe * math.sqrt(periods)
    if not len(around):
        sentence = f"None of the {len(found.table)} variants is near the chosen parameters."
        return Check(key, title, "weak", float("nan"), sentence, "Variants between half and double each number.")
    if not own > 0:
        sentence = (
            f"Its Sharpe ratio of {ratio(own)} a year is no height that its {len(around)} neighbours could share."
        )
        return Check(key, title, "fail", float("nan"), sentence, "Parameters that earned something.")
    share = found.share
    outcome: Outcome = "pass" if share >= 2 / 3 else "weak" if share >= 1 / 3 else "fail"
    sentence = (
        f"{percent(share, 0)} of {len(around)} neighbours have at least half of its Sharpe ratio of {ratio(own)} a "
        f"year; theirs is {ratio(float(around.median()))} in the middle, and it is number {found.rank} among them."
    )
    change = (
        "Neighbours that lose most of it when a number changes a little."
        if outcome == "pass"
        else f"Parameters whose neighbours earn {ratio(0.5 * own)} a year or more in two of three cases."
    )
    return Check(key, title, outcome, share, sentence, change)
