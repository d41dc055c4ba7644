"""Models: causal features, a purged walk-forward, and an honest comparison with knowing nothing."""

from __future__ import annotations

from quantlib.ml.baseline import walk_forward_evaluate
from quantlib.ml.features import FEATURES, features
from quantlib.ml.models import Model, gradient_boosting, logistic, prior
from quantlib.ml.result import ModelResult
from quantlib.ml.targets import targets

MODELS: dict[str, Model] = {
    "prior": Model("prior", "Base rate", "The frequency of rises in training, whatever the features say.", prior),
    "logistic": Model("logistic", "Logistic regression", "A weighted sum of the scaled features.", logistic),
    "gradient_boosting": Model(
        "gradient_boosting",
        "Gradient boosting",
        "Sixty small trees, each mending what is left over.",
        gradient_boosting,
    ),
}

__all__ = ["FEATURES", "MODELS", "Model", "ModelResult", "features", "targets", "walk_forward_evaluate"]
