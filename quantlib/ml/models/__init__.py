"""The models a person may pick, from knowing nothing to a small network."""

from __future__ import annotations

from quantlib.errors import DataError, nearest
from quantlib.ml.models.linear import LINEAR, LOGISTIC, PRIOR, RIDGE
from quantlib.ml.models.model import Between, Model, OneOf
from quantlib.ml.models.network import MLP
from quantlib.ml.models.trees import GRADIENT_BOOSTING, LIGHTGBM, RANDOM_FOREST

MODELS: dict[str, Model] = {
    "prior": PRIOR,
    "linear": LINEAR,
    "ridge": RIDGE,
    "logistic": LOGISTIC,
    "gradient_boosting": GRADIENT_BOOSTING,
    "lightgbm": LIGHTGBM,
    "random_forest": RANDOM_FOREST,
    "mlp": MLP,
}

__all__ = ["MODELS", "Between", "Model", "OneOf", "model_of"]


def model_of(name: str) -> Model:
    """Return the model of this name, refusing one there is not."""
    if name not in MODELS:
        raise DataError(f"There is no model {name!r}. {nearest(name, MODELS)}")
    return MODELS[name]
