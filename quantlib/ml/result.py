"""What a walk-forward evaluation of a model leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from sklearn.base import ClassifierMixin


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What a model foretold out of sample, how good that was, and the model as it stands now.

    Parameters
    ----------
    model
        Its key in `MODELS`.
    parameters
        Everything the evaluation was asked for, for the record.
    predictions
        Indexed (ts, symbol), out of sample only: `probability` of a rise, the `prior` known then, `up`,
        `forward_return`, `label_end` and `fold`.
    folds
        One row a fold: spans of training and test, rows, and the scores of the model and (`prior_`...) the prior.
    scores
        Rows `model` and `prior` over all folds: `log_loss`, `auc`, `accuracy`, `brier`, `n`. The AUC is the mean
        of the folds' (weighted by rows), as base rates differ between folds.
    gain, gain_low, gain_high
        By how much the log loss is below the prior's, and its 95 % interval (Diebold-Mariano).
    calibration
        Predicted and observed frequency in ten bins of equal count.
    importance
        Indexed by feature: `importance`, by how much out-of-sample log loss rises when the feature is shuffled,
        mean over folds; `coefficient`, log-odds per standard deviation, NaN where the model has none.
    estimator
        The model fitted on every label known at the panel's end, by the same rule as in each fold.
    latest
        Its probability of a rise over the coming sessions, for symbols whose features are known at the last row.
    verdict
        One sentence.
    warnings
        Sentences on what makes the scores untrustworthy; empty is good.
    """

    model: str
    parameters: Mapping[str, str | int | bool]
    predictions: pd.DataFrame
    folds: pd.DataFrame
    scores: pd.DataFrame
    gain: float
    gain_low: float
    gain_high: float
    calibration: pd.DataFrame
    importance: pd.DataFrame
    estimator: ClassifierMixin
    latest: pd.Series
    verdict: str
    warnings: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns the estimator takes, in their order."""
        return tuple(self.importance.index)

    @property
    def has_edge(self) -> bool:
        """Whether it beat the prior by more than chance explains."""
        return self.gain_low > 0
