"""Whether learning from simulated worlds helped on days that really came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.evaluation import evaluate
from quantlib.ml.examples import Examples
from quantlib.ml.result import ModelResult
from quantlib.ml.schemes import Scheme, WalkForward
from quantlib.ml.scores import LOSS, gain_interval, gain_over
from quantlib.ml.simulated import USES, Use, Worlds, learning_from_worlds
from quantlib.types import Panel


@dataclass(frozen=True, eq=False)
class Comparison:
    """Whether learning from worlds helped out of sample.

    Parameters
    ----------
    history
        The model that learned from history alone.
    with_worlds
        The models that learned from worlds, by use.
    table
        Rows `history` and the uses: `loss`, and `gain` over history alone with its 95 % interval `low`, `high`.
    sentences
        One a use: helped, hurt, or made no difference beyond chance.
    """

    history: ModelResult
    with_worlds: dict[Use, ModelResult]
    table: pd.DataFrame
    sentences: tuple[str, ...]


def compare_with_worlds(
    panel: Panel,
    examples: Examples,
    model: str,
    *,
    worlds: Sequence[Worlds] = (Worlds(), Worlds(use="pretrain")),
    scheme: WalkForward | None = None,
    every: int | None = None,
    seed: int = 7,
    **params: Any,
) -> Comparison:
    """Return the same model taught by history alone and with worlds, asked about the same sessions out of sample.

    Parameters
    ----------
    panel, examples, model, seed, params
        See `learning_from_worlds`.
    worlds
        What to try, each use once.
    scheme
        The walk-forward; a scheme that learns from both sides of the test would let the simulator see it.
    every
        See `evaluate`.
    """
    chosen: Scheme = WalkForward() if scheme is None else scheme
    if not chosen.foretells:
        raise DataError("Worlds must be drawn from the past of each test alone; take a walk-forward.")
    settings: dict[str, Any] = {"scheme": chosen, "every": every, "seed": seed, "importance": False}
    history = evaluate(examples, model, params=params, **settings)
    rows: dict[str, dict[str, float]] = {"history": {"loss": _loss(history), "gain": 0.0, "low": 0.0, "high": 0.0}}
    results: dict[Use, ModelResult] = {}
    sentences: list[str] = []
    for one in worlds:
        train = learning_from_worlds(panel, examples, model, one, seed=seed, **params)
        result = evaluate(examples, model, params=params, train=train, **settings)
        beside = result.predictions.assign(history=history.predictions["prediction"])
        gain, low, high = gain_over(beside, "history", result.kind, lags=examples.lags)
        results[one.use] = result
        rows[one.use] = {"loss": _loss(result), "gain": gain, "low": low, "high": high}
        word = "helped" if low > 0 else "hurt" if high < 0 else "made no difference beyond chance"
        sentences.append(
            f"Learning from {one.number} worlds ({one.simulator.title}) {USES[one.use]} {word}: the loss out of sample "
            f"is {_loss(result):.4g} against {_loss(history):.4g} from history alone, a gain of {gain:.2g} "
            f"({gain_interval(low, high, '.2g')})."
        )
    return Comparison(history, results, pd.DataFrame(rows).T.rename_axis("taught by"), tuple(sentences))


def _loss(result: ModelResult) -> float:
    return float(result.scores[LOSS[result.kind]]["model"])
