"""Models: causal features, labels and when they are known, purged evaluation, and an honest comparison."""

from __future__ import annotations

from quantlib.ml.baseline import walk_forward_evaluate
from quantlib.ml.evaluation import evaluate
from quantlib.ml.examples import Examples, build_examples
from quantlib.ml.features import FEATURES, FeatureGroup, build_features
from quantlib.ml.models import MODELS, Model
from quantlib.ml.predictions import predictions_as_extra
from quantlib.ml.result import ModelResult
from quantlib.ml.schemes import CombinatorialPurged, PurgedKFold, WalkForward
from quantlib.ml.targets import TARGETS, Target, build_target

SCHEMES: dict[str, type[WalkForward | PurgedKFold | CombinatorialPurged]] = {
    "walk_forward": WalkForward,
    "purged_kfold": PurgedKFold,
    "combinatorial_purged": CombinatorialPurged,
}

__all__ = [
    "FEATURES",
    "MODELS",
    "SCHEMES",
    "TARGETS",
    "CombinatorialPurged",
    "Examples",
    "FeatureGroup",
    "Model",
    "ModelResult",
    "PurgedKFold",
    "Target",
    "WalkForward",
    "build_examples",
    "build_features",
    "build_target",
    "evaluate",
    "predictions_as_extra",
    "walk_forward_evaluate",
]
