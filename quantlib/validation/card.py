"""The card of a strategy: questions asked of its record, their outcomes, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from quantlib.backtest.variants import Variants
from quantlib.validation.leaks import LeakCertificate
from quantlib.validation.nulls import RandomEntries
from quantlib.validation.overfitting import Overfitting
from quantlib.validation.plateau import Plateau
from quantlib.validation.reality import RealityCheck
from quantlib.validation.selection import Paths, WalkForward
from quantlib.validation.trials import Trials

Outcome = Literal["pass", "weak", "fail"]

_ORDER: tuple[Outcome, ...] = ("fail", "weak", "pass")

#: The questions whether there is an edge over cash at all; the others ask whether it is robust and worth the trouble.
DECISIVE = ("look_ahead", "psr", "dsr", "spa_zero")


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
    change
        What would change it.
    """

    key: str
    title: str
    outcome: Outcome
    value: float
    sentence: str
    change: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the checks of a deep validation were made from, for figures; None where it could not be made.

    Parameters
    ----------
    variants
        The matrix of variants.
    trials
        The trials that the Sharpe ratio was deflated by.
    from_ledger
        Whether they were counted by a ledger, or are the variants alone.
    anchored, rolling
        Walk-forward selection among the variants.
    paths
        Combinatorial paths.
    overfitting
        Of choosing among the variants.
    against_zero, against_holding
        Tests of the best variant.
    plateau
        The Sharpe ratio around the chosen parameters.
    subperiods, regimes
        Sharpe ratios by part of the record.
    entries
        The strategy's positions at random other times.
    break_even
        Cost a side in basis points at which nothing is left.
    """

    variants: Variants
    trials: Trials
    from_ledger: bool
    anchored: WalkForward | None = None
    rolling: WalkForward | None = None
    paths: Paths | None = None
    overfitting: Overfitting | None = None
    against_zero: RealityCheck | None = None
    against_holding: RealityCheck | None = None
    plateau: Plateau | None = None
    subperiods: pd.DataFrame | None = None
    regimes: pd.DataFrame | None = None
    entries: RandomEntries | None = None
    break_even: float = float("nan")


@dataclass(frozen=True)
class Verdict:
    """All checks of one strategy on one panel, and what they add up to.

    Parameters
    ----------
    checks
        One a question.
    certificate
        Of the search for look-ahead.
    evidence
        What a deep validation was made from; None after a quick one.
    complete
        Whether all checks were made; a cancelled validation has fewer.
    """

    checks: tuple[Check, ...]
    certificate: LeakCertificate
    evidence: Evidence | None = None
    complete: bool = True

    @property
    def outcome(self) -> Outcome:
        """The worst outcome among the checks."""
        return _worst(self.checks)

    @property
    def edge(self) -> Outcome:
        """The worst outcome among the checks that ask whether there is an edge over cash at all.

        Weak at best where the number of trials is not known or the validation was cut short: nobody can tell then.
        """
        asked = tuple(check for check in self.checks if check.key in DECISIVE)
        found = _worst(asked)
        counted = any(check.key == "dsr" for check in asked)
        return found if counted and self.complete else _ORDER[min(_ORDER.index(found), 1)]

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        if short := self.check("record"):
            return f"There is no record to judge yet. {short.sentence}"
        count = {o: sum(c.outcome == o for c in self.checks) for o in ("pass", "weak", "fail")}
        start = {
            "pass": "The record stands up to every check made here",
            "weak": "The record does not show an edge beyond doubt",
            "fail": "The record does not support trading this for profit",
        }[self.outcome]
        if self.evidence is not None:
            start = {
                "pass": f"It earns more than luck and the number of trials explain{self._beside_holding}",
                "weak": "An edge is not shown: luck or the number of trials may explain the record",
                "fail": "The record does not support an edge",
            }[self.edge]
        noun = "check" if count["pass"] == 1 else "checks"
        stopped = "" if self.complete else " It was cancelled before all checks were made."
        return f"{start}: {count['pass']} {noun} passed, {count['weak']} weak, {count['fail']} failed.{stopped}"

    @property
    def _beside_holding(self) -> str:
        """What is to be added to an edge over cash: a market that rises is one, and takes no rule."""
        found = _worst(tuple(check for check in self.checks if check.key in ("holding", "equal_weight")))
        return {
            "pass": ", and more for its risk than holding the same symbols",
            "weak": ", but not surely more for its risk than holding the same symbols",
            "fail": ", but holding the same symbols was better for its risk",
        }[found]

    def check(self, key: str) -> Check | None:
        """Return the check of a key, or None where it was not made."""
        return next((check for check in self.checks if check.key == key), None)


def _worst(checks: tuple[Check, ...]) -> Outcome:
    return next((o for o in _ORDER if any(c.outcome == o for c in checks)), "weak")
