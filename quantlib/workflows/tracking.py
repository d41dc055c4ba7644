"""MLflow as the memory of runs: what went in, what came out, and the files behind it."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

EXPERIMENT = "quant-workbench"


@dataclass(frozen=True)
class Logged:
    """One run as it is logged.

    Parameters
    ----------
    name
        What it is called in the list of runs.
    kind
        "backtest", "simulation" or "model".
    params, metrics, tags
        What went in, the numbers that came out (unknown ones are left out), and labels.
    texts, frames
        Artifacts by file name: text as it is, frames as CSV.
    model, model_input, model_requirements
        A fitted scikit-learn model, a few rows it accepts, and the packages it needs.
    """

    name: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    model: Any = None
    model_input: pd.DataFrame | None = None
    model_requirements: tuple[str, ...] = ()


def _mlflow() -> Any:
    """Return the MLflow module: imported on first use because that takes seconds, and kept quiet."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: PLC0415 - see above
        import mlflow.sklearn  # noqa: PLC0415
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


class Tracker:
    """Writes runs to one MLflow experiment.

    Parameters
    ----------
    uri
        Absolute tracking address.
    artifact_root
        Folder for artifacts of a local SQLite tracking store; a server chooses its own.
    """

    def __init__(self, uri: str, artifact_root: Path) -> None:
        self.uri = uri
        self._artifact_root = artifact_root
        self._experiment_id: str | None = None

    def _ready(self) -> Any:
        mlflow = _mlflow()
        mlflow.set_tracking_uri(self.uri)
        if self._experiment_id is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._experiment_id = self._find_or_create(mlflow)
        return mlflow

    def _find_or_create(self, mlflow: Any) -> str:
        location = None
        if self.uri.startswith("sqlite:"):
            self._artifact_root.mkdir(parents=True, exist_ok=True)
            location = self._artifact_root.as_uri()
        found = mlflow.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(mlflow.create_experiment(EXPERIMENT, artifact_location=location))
        except mlflow.exceptions.MlflowException:
            # Another process made it between the look and the try.
            return str(mlflow.get_experiment_by_name(EXPERIMENT).experiment_id)

    @contextmanager
    def group(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        """Open a parent run; what is logged inside becomes its child. Yields the parent's id."""
        mlflow = self._ready()
        with mlflow.start_run(experiment_id=self._experiment_id, run_name=name, tags=dict(tags or {})) as run:
            yield run.info.run_id

    def log(self, logged: Logged) -> str:
        """Return the id of a new run that holds everything in `logged`."""
        mlflow = self._ready()
        nested = mlflow.active_run() is not None
        tags = {"kind": logged.kind, **logged.tags}
        with (
            warnings.catch_warnings(),
            mlflow.start_run(experiment_id=self._experiment_id, run_name=logged.name, nested=nested, tags=tags) as run,
        ):
            warnings.simplefilter("ignore")
            mlflow.log_params({key: str(value)[:6000] for key, value in logged.params.items()})
            mlflow.log_metrics({key: value for key, value in logged.metrics.items() if math.isfinite(value)})
            for file, text in logged.texts.items():
                mlflow.log_text(text, file)
            for file, frame in logged.frames.items():
                mlflow.log_text(frame.to_csv(lineterminator="\n"), file)
            if logged.model is not None:
                mlflow.sklearn.log_model(
                    logged.model,
                    name="model",
                    signature=mlflow.models.infer_signature(
                        logged.model_input, logged.model.predict_proba(logged.model_input)
                    ),
                    input_example=logged.model_input,
                    pip_requirements=list(logged.model_requirements),
                    serialization_format="cloudpickle",
                )
            return str(run.info.run_id)

    def runs(self, limit: int = 500) -> pd.DataFrame:
        """Return the newest runs with their parameters, metrics and tags, one a row."""
        mlflow = self._ready()
        found = mlflow.search_runs(experiment_ids=[self._experiment_id], max_results=limit)
        return pd.DataFrame(found)

    def read_csv(self, run_id: str, file: str) -> pd.DataFrame:
        """Return a frame that was logged with a run; the first column becomes the index."""
        mlflow = self._ready()
        path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=file, tracking_uri=self.uri)
        return pd.read_csv(path, index_col=0)

    @property
    def experiment_id(self) -> str:
        """The experiment's id, for links into the MLflow UI."""
        self._ready()
        return str(self._experiment_id)
