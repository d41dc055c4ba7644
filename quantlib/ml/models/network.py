"""A small neural network."""

from __future__ import annotations

from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from quantlib.ml.models.model import Between, Model, OneOf

#: A fixed number of rounds instead of early stopping, whose validation rows would be drawn out of time order.
_NETWORK = {"hidden_layer_sizes": (16,), "alpha": 1.0, "learning_rate_init": 1e-3, "max_iter": 20}


def network_classifier(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return one hidden layer of 16 units on scaled features, 20 rounds of Adam."""
    return make_pipeline(StandardScaler(), MLPClassifier(**{**_NETWORK, **params}, random_state=seed))


def network_regressor(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return the same network for numbers, which it learns as deviations from their mean."""
    network = MLPRegressor(**{**_NETWORK, **params}, random_state=seed)
    return make_pipeline(StandardScaler(), TransformedTargetRegressor(network, transformer=StandardScaler()))


MLP = Model(
    "mlp",
    "Small network",
    "One hidden layer of sixteen units.",
    network_classifier,
    network_regressor,
    {
        "hidden_layer_sizes": OneOf(((8,), (16,), (32,), (16, 8))),
        "alpha": Between(1e-2, 100.0, log=True),
        "learning_rate_init": Between(3e-4, 1e-2, log=True),
        "max_iter": Between(5, 30),
    },
)
