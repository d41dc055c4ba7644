"""The case asked most: how well a model foretells the direction of the coming sessions, walking forward."""

from __future__ import annotations

from collections.abc import Iterable

from quantlib.errors import DataError
from quantlib.ml.evaluation import evaluate
from quantlib.ml.examples import build_examples
from quantlib.ml.features import USUAL, FeatureGroup
from quantlib.ml.models import model_of
from quantlib.ml.result import ModelResult
from quantlib.ml.schemes import WalkForward
from quantlib.ml.training import OnFit
from quantlib.types import Panel


def walk_forward_evaluate(
    panel: Panel,
    model: str,
    *,
    target: str = "direction",
    features: Iterable[str | FeatureGroup] = USUAL,
    horizon: int = 5,
    train: int = 1260,
    test: int = 252,
    anchored: bool = True,
    purge: int | None = None,
    every: int | None = None,
    importance: bool = True,
    seed: int = 7,
    on_fit: OnFit | None = None,
) -> ModelResult:
    """Return how well a model foretells the next `horizon` sessions, out of sample.

    `build_examples` and `evaluate` in one: the model is fitted on the past, asked about the next `test` sessions,
    fitted again, and so on to the last known label.

    Parameters
    ----------
    panel
        Closes are enough. Its first 251 sessions warm the usual features up.
    model
        A key of `MODELS`.
    target, features, horizon
        See `build_examples`.
    train
        Sessions before the first test, warm-up not counted; with `anchored=False`, before every test.
    test
        Sessions between two fits.
    anchored
        Train on everything since the start, or on the latest `train` sessions.
    purge
        Sessions left out before each test. None leaves out every label that ends in the test, on a symbol's own
        calendar. Less than the horizon is accepted to show the damage, and warned of.
    every, importance, seed, on_fit
        See `evaluate`.

    Raises
    ------
    DataError
        A name is unknown, a count out of range, there are too few sessions, or training labels all say the same.

    Examples
    --------
    >>> result = walk_forward_evaluate(panel, "logistic")  # doctest: +SKIP
    >>> print(result.verdict)  # doctest: +SKIP
    """
    model_of(model)
    examples = build_examples(panel, target, features=features, horizon=horizon)
    usable = examples.known.features.index.get_level_values("ts").nunique()
    if usable <= train:
        warmup = max(group.warmup for group in examples.groups)
        raise DataError(
            f"{usable} of {len(panel)} sessions have features and labels (the first {warmup} warm up, the last "
            f"{horizon} have no label yet); a walk-forward with train={train} needs more. Take a longer span or a "
            "shorter train."
        )
    scheme = WalkForward(train=train, test=test, anchored=anchored, purge=purge)
    short = purge is not None and purge < horizon
    return evaluate(
        examples,
        model,
        scheme=scheme,
        every=every,
        importance=importance,
        allow_overlap=short,
        seed=seed,
        on_fit=on_fit,
    )
