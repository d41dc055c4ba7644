"""A trained model as it is logged: the model, what it foretold out of sample, its card and its charts."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pandas as pd

from quantlib.charts import calibration_chart, fold_losses, importance_bars
from quantlib.ml import MODELS, Examples, ModelResult
from quantlib.ml.drift import drift
from quantlib.ml.scores import LOSS
from quantlib.types import Panel
from quantlib.workflows.holdout import holdout_start
from quantlib.workflows.ledger import models_tried
from quantlib.workflows.logged import Logged
from quantlib.workflows.model_card import model_card
from quantlib.workflows.model_inputs import INPUTS, ModelInputs
from quantlib.workflows.run_records import tags_of
from quantlib.workflows.session import Session

#: What the logged models need to be loaded again, besides quantlib.
REQUIREMENTS = ("scikit-learn", "numpy", "pandas", "cloudpickle")
PREDICTIONS, AHEAD = "predictions.parquet", "ahead.parquet"
"""What was said out of sample, and what the logged model says of the sessions after the last label it learned from."""
RECENT = 252
"""Sessions that are compared with those before them for drift."""


def logged_model(
    session: Session,
    result: ModelResult,
    examples: Examples,
    panel: Panel,
    inputs: ModelInputs,
    *,
    idea: str,
    choice: dict[str, Any],
) -> Logged:
    """Return a trained model as it is logged.

    Parameters
    ----------
    examples
        What it learned from and was asked about.
    inputs
        What its panel is made of, for whoever asks it again.
    idea
        What it is a trial of.
    choice
        What more there is to say of how its data were chosen.
    """
    loss, said = LOSS[result.kind], _said(result, examples)
    begins = holdout_start(session)
    opened = panel.index[-1].date() >= begins
    card = model_card(
        result,
        panel,
        _drift(examples, said),
        trials=models_tried(session, str(result.parameters["target"])),
        hindsight=session.universe.selection_bias(panel.symbols, panel.index[0]),
        holdout=f"The hold-out, from {begins} on, was {'opened: scores are of it too' if opened else 'kept out'}.",
    )
    packages = (*REQUIREMENTS, *(("lightgbm",) if result.model == "lightgbm" else ()))
    kept = [name for name in result.predictions.columns if name not in {"forward_return", "label_end"}]
    scores = {"folds": result.folds, "calibration": result.calibration, "importance": result.importance}
    return Logged(
        name=f"{MODELS[result.model].title} on {len(panel.symbols)} symbols",
        kind="model",
        idea=idea,
        params={**result.parameters, **choice, "holdout": "opened" if opened else "kept out"},
        metrics=model_numbers(result),
        tags={
            **tags_of(panel),
            "verdict": "edge" if result.has_edge else "no edge",
            "yardstick": result.yardstick,
            "model": result.model,
            "target": str(result.parameters["target"]),
            "target_kind": result.kind,
            "predicts": foretells(result),
            "foretold": str(result.foretold),
            "lags": str(examples.lags),
            "inputs": INPUTS,
            "mlflow.note.content": card[:8000],
        },
        texts={
            "verdict.txt": "\n".join([result.verdict, *result.warnings]),
            "card.md": card,
            INPUTS: json.dumps(inputs.record, indent=2),
        },
        frames={
            **{f"{name}.csv": frame for name, frame in scores.items()},
            "latest.csv": result.latest.to_frame(),
            PREDICTIONS: result.predictions[kept],
            AHEAD: examples.ahead.assign(prediction=result.ahead),
        },
        tables=scores,
        figures={
            "calibration": calibration_chart(
                result.calibration, what="probability" if result.kind == "classification" else "prediction"
            ),
            "folds": fold_losses(result.folds, loss),
            "importance": importance_bars(result.importance["importance"]),
        },
        data=panel,
        model=result.estimator,
        model_asked="predict_proba" if result.kind == "classification" else "predict",
        model_input=examples.features.tail(5).reset_index(drop=True),
        model_requirements=tuple(f"{name}=={version(name)}" for name in packages),
    )


def model_numbers(result: ModelResult) -> dict[str, float]:
    """Return the numbers of a model as they are logged: its scores, those of the yardsticks, and the gain."""
    scores = result.scores.to_dict(orient="index")
    numbers = {str(key): float(value) for key, value in scores.pop("model").items()}
    for name, row in scores.items():
        numbers |= {f"{name}_{key}": float(value) for key, value in row.items() if key != "n"}
    return numbers | {"gain": result.gain, "gain_low": result.gain_low, "gain_high": result.gain_high}


def foretells(result: ModelResult) -> str:
    """Return what a model is about, in the words two models must share to be compared."""
    about = {key: value for key, value in result.parameters.items() if key in {"target", "horizon", "width", "side"}}
    return ", ".join(f"{key} {value}" for key, value in sorted(about.items()))


def _said(result: ModelResult, examples: Examples) -> pd.Series:
    """Return what was said of each row out of sample, and of those after the last label."""
    past = result.predictions["prediction"].groupby(level=["ts", "symbol"]).mean()
    said: pd.Series = pd.concat([past, result.ahead]).reindex(examples.features.index)
    return said


def _drift(examples: Examples, said: pd.Series) -> pd.DataFrame:
    """Return the drift of features and predictions over the last year against the sessions before it."""
    table = examples.features.assign(prediction=said)
    sessions = table.index.get_level_values("ts")
    since = sessions.unique()[-min(RECENT, sessions.nunique() // 2) - 1]
    return drift(table[sessions <= since], table[sessions > since])
