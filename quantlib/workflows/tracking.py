"""MLflow as the memory of runs: what went in, what came out, and the files behind it."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from quantlib.errors import ConfigError, DataError
from quantlib.workflows.strategy_model import log_strategy_model

EXPERIMENT = "quant-workbench"
ADDRESS = "MLFLOW_TRACKING_URI"


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
    strategy_code, strategy_parameters
        The text of a Python file that holds a strategy, and its parameters: logged as a model from code.
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
    strategy_code: str = ""
    strategy_parameters: Mapping[str, Any] = field(default_factory=dict)


def _mlflow() -> Any:
    """Return the MLflow module: imported on first use because that takes seconds, and kept quiet."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # A server that is down is known to be so after seconds; by MLflow's own default after four minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: PLC0415 - see above
        import mlflow.sklearn  # noqa: PLC0415
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


def _first_sentence(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200].rstrip(".") + "."


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

    @property
    def exists(self) -> bool:
        """Whether there is something to read: false where the local file of runs was never made, or is gone."""
        return not self.uri.startswith("sqlite:") or Path(self.uri.removeprefix("sqlite:///")).exists()

    def _ready(self) -> Any:
        mlflow = _mlflow()
        given = os.environ.get(ADDRESS)
        mlflow.set_tracking_uri(self.uri)
        # MLflow writes the address into the environment too, where Settings would take it for the user's own wish.
        if given is None:
            os.environ.pop(ADDRESS, None)
        else:
            os.environ[ADDRESS] = given
        if self._experiment_id is None:
            with warnings.catch_warnings(), self._alone(), self._plainly(mlflow):
                warnings.simplefilter("ignore")
                self._experiment_id = self._find_or_create(mlflow)
        return mlflow

    @contextmanager
    def _plainly(self, mlflow: Any) -> Iterator[None]:
        """Turn MLflow's own error into one line, without the password an address may hold."""
        try:
            yield
        except mlflow.exceptions.MlflowException as error:
            text = f"MLflow at {self.uri} ({ADDRESS}) cannot be used: {_first_sentence(error)}"
            raise ConfigError(text.replace(self.uri, self.place)) from None

    @property
    def place(self) -> str:
        """The tracking address without the password it may hold."""
        secret, at, _ = urlsplit(self.uri).netloc.rpartition("@")
        return self.uri.replace(secret + at, "", 1) if at else self.uri

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time open a local store: MLflow's own set-up of a fresh file breaks with two."""
        if not self.uri.startswith("sqlite:"):
            yield
            return
        self._artifact_root.mkdir(parents=True, exist_ok=True)
        with self._artifact_root.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _find_or_create(self, mlflow: Any) -> str:
        location = self._artifact_root.as_uri() if self.uri.startswith("sqlite:") else None
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
        with (
            self._plainly(mlflow),
            mlflow.start_run(experiment_id=self._experiment_id, run_name=name, tags=dict(tags or {})) as run,
        ):
            yield run.info.run_id

    def log(self, logged: Logged) -> str:
        """Return the id of a new run that holds everything in `logged`."""
        mlflow = self._ready()
        nested = mlflow.active_run() is not None
        tags = {"kind": logged.kind, **logged.tags}
        with (
            self._plainly(mlflow),
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
            if logged.strategy_code:
                log_strategy_model(mlflow, logged.strategy_code, logged.strategy_parameters)
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
        """Return the newest runs with their parameters, metrics and tags, one a row; a pipeline is not one."""
        mlflow = self._ready()
        with self._plainly(mlflow):
            found = mlflow.search_runs(
                experiment_ids=[self._experiment_id], filter_string="tags.kind != 'pipeline'", max_results=limit
            )
        return pd.DataFrame(found)

    def read_csv(self, run_id: str, file: str) -> pd.DataFrame:
        """Return a frame that was logged with a run, to the last bit; the first column becomes the index.

        Raises
        ------
        DataError
            The run or the file is not there.
        """
        mlflow = self._ready()
        try:
            text = mlflow.artifacts.load_text(f"runs:/{run_id}/{file}")
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise DataError(f"Run {run_id} in MLflow has no {file}: {_first_sentence(error)}") from None
        return pd.read_csv(StringIO(text), index_col=0)

    @property
    def experiment_id(self) -> str:
        """The experiment's id, for links into the MLflow UI."""
        self._ready()
        return str(self._experiment_id)
