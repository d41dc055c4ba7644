"""Learning: train the baseline models walk-forward on a panel, store the scores, log the model to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version

import numpy as np

from quantlib.ml import MODELS, ModelResult, features, walk_forward_evaluate
from quantlib.store import RunRecord, save_runs
from quantlib.types import DateLike
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.research import hindsight, load_panel, stored_run, tags_of
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import Logged

#: What the logged models need to be loaded again.
REQUIREMENTS = tuple(f"{name}=={version(name)}" for name in ("scikit-learn", "numpy", "pandas", "cloudpickle"))


def train_models(
    session: Session,
    symbols: Iterable[str],
    *,
    models: Iterable[str] = ("logistic", "gradient_boosting"),
    as_of: DateLike | None = None,
    end: DateLike | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, ModelResult]:
    """Return the walk-forward result of each model over some symbols, stored and logged with the fitted model.

    Parameters
    ----------
    symbols
        What to learn from, all together.
    models
        Keys of `quantlib.ml.MODELS`; each is compared with the base rate.
    as_of
        Only what was known at the end of that day.
    on_progress
        Called with (models done, models to do).
    """
    panel = load_panel(session, symbols, end=end, as_of=as_of)
    choice = {"selection_biased": bool(hindsight(session, panel)), "data_grade": panel.grade}
    wanted = list(models)
    results = {}
    for i, name in enumerate(wanted):
        result = walk_forward_evaluate(panel, name, seed=session.settings.seed)
        results[name] = result
        run_id = content_id(
            "model",
            {
                "snapshot": panel.snapshot_id,
                "code": code_version(),
                "model": name,
                "grade": panel.grade,
                **result.parameters,
            },
        )
        if stored_run(session, run_id) is None or not session.tracker.exists:
            scores = result.scores.to_dict(orient="index")
            metrics = {
                **{str(key): float(value) for key, value in scores["model"].items()},
                **{f"prior_{key}": float(value) for key, value in scores["prior"].items() if key != "n"},
                "gain": result.gain,
                "gain_low": result.gain_low,
                "gain_high": result.gain_high,
            }
            sample = features(panel.tail(400)).dropna().tail(5)[list(result.feature_names)]
            logged = Logged(
                name=f"{MODELS[name].title} on {len(panel.symbols)} symbols",
                kind="model",
                params={**result.parameters, **choice},
                metrics=metrics,
                tags={**tags_of(panel), "verdict": "edge" if result.has_edge else "no edge"},
                texts={"verdict.txt": "\n".join([result.verdict, *result.warnings])},
                frames={
                    "folds.csv": result.folds,
                    "calibration.csv": result.calibration,
                    "importance.csv": result.importance,
                    "latest.csv": result.latest.to_frame("probability"),
                },
                model=result.estimator,
                model_input=sample.reset_index(drop=True),
                model_requirements=REQUIREMENTS,
            )
            record = RunRecord(
                id=run_id,
                kind="model",
                as_of=panel.index[-1].date(),
                snapshot_id=panel.snapshot_id,
                code_version=code_version(),
                seed=session.settings.seed,
                params={**result.parameters, **choice, "verdict": result.verdict},
                metrics={k: v for k, v in metrics.items() if np.isfinite(v)},
                mlflow_run_id=session.tracker.log(logged),
            )
            save_runs(session.store, [record])
        if on_progress is not None:
            on_progress(i + 1, len(wanted))
    return results
