"""Validation: splits that do not leak, the leak certificate, and the verdict on a strategy."""

from quantlib.validation.card import DECISIVE, Check, Evidence, Outcome, Verdict
from quantlib.validation.deep import validate_deeply
from quantlib.validation.leaks import LeakCertificate, certify
from quantlib.validation.nulls import RandomEntries, random_entries
from quantlib.validation.overfitting import Overfitting, probability_of_backtest_overfitting
from quantlib.validation.plateau import Plateau, plateau
from quantlib.validation.reality import RealityCheck, reality_check
from quantlib.validation.selection import Paths, WalkForward, select_forward, select_on_paths
from quantlib.validation.sharpe import (
    ReturnMoments,
    deflated_sharpe,
    expected_max_sharpe,
    luck_hurdle,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe,
)
from quantlib.validation.splits import CombinatorialSplit, Split, combinatorial_purged, purged_kfold, walk_forward
from quantlib.validation.stability import by_regime, by_subperiod
from quantlib.validation.trials import Trials, align_curves, effective_trials, growth_curves, variant_returns
from quantlib.validation.verdict import validate

__all__ = [
    "DECISIVE",
    "Check",
    "CombinatorialSplit",
    "Evidence",
    "LeakCertificate",
    "Outcome",
    "Overfitting",
    "Paths",
    "Plateau",
    "RandomEntries",
    "RealityCheck",
    "ReturnMoments",
    "Split",
    "Trials",
    "Verdict",
    "WalkForward",
    "align_curves",
    "by_regime",
    "by_subperiod",
    "certify",
    "combinatorial_purged",
    "deflated_sharpe",
    "effective_trials",
    "expected_max_sharpe",
    "growth_curves",
    "luck_hurdle",
    "minimum_backtest_length",
    "minimum_track_record_length",
    "plateau",
    "probabilistic_sharpe",
    "probability_of_backtest_overfitting",
    "purged_kfold",
    "random_entries",
    "reality_check",
    "select_forward",
    "select_on_paths",
    "validate",
    "validate_deeply",
    "variant_returns",
    "walk_forward",
]
