"""MLflow as the memory of runs: what went in, what came out, and the files behind it, by idea."""

from __future__ import annotations

import getpass
import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from quantlib.errors import DataError
from quantlib.workflows.logged import Logged, dataset_of, write_files
from quantlib.workflows.strategy_model import MODEL_NAME, is_rebuildable, log_strategy_model
from quantlib.workflows.tracking_place import TrackingPlace, first_sentence, load_mlflow

#: Kinds of runs that hold others, or belong to one: no rows of a table of runs.
APART = ("pipeline", "set")

_parent: ContextVar[str | None] = ContextVar("_parent", default=None)
"""The run that what is logged now belongs to."""


@dataclass(frozen=True)
class ReadRun:
    """A run as it was logged: what `Tracker.read` returns.

    Parameters
    ----------
    id, name, kind
        Which, what people call it, and its kind.
    params, tags, metrics
        As text, as text, as numbers.
    began
        When it was begun (UTC).
    """

    id: str
    name: str
    kind: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    began: pd.Timestamp


class Tracker(TrackingPlace):
    """Writes runs to MLflow, each idea's to an experiment of its own, and reads them over all.

    Parameters
    ----------
    uri, artifact_root
        As in `TrackingPlace`.
    """

    def __init__(self, uri: str, artifact_root: Path) -> None:
        super().__init__(uri, artifact_root)
        self._models: dict[tuple[str, str], str] = {}

    @contextmanager
    def _run(self, idea: str, name: str, tags: Mapping[str, str]) -> Iterator[tuple[Any, str]]:
        """Open a run, a child of the one that is open; yield MLflow's client and the run's id."""
        mlflow, experiment = self._ready(), self.experiment_of(idea)
        client, parent = mlflow.MlflowClient(self.uri), _parent.get()
        labels = {"mlflow.source.name": "quantlib", "mlflow.source.type": "LOCAL", **tags}
        with suppress(KeyError, OSError):  # a container may run as a number that has no name
            labels["mlflow.user"] = getpass.getuser()
        if parent is not None:
            labels["mlflow.parentRunId"] = parent
        with self.plainly(mlflow), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_id = str(client.create_run(experiment, run_name=name, tags=labels).info.run_id)
            try:
                yield client, run_id
            except BaseException:
                with suppress(Exception):  # what failed first is what is told
                    client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id)

    @contextmanager
    def group(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        """Open a parent run; what is logged inside becomes its child. Yields the parent's id."""
        with self._run("", name, tags or {}) as (_, run_id):
            before = _parent.set(run_id)
            try:
                yield run_id
            finally:
                _parent.reset(before)

    def log(self, logged: Logged) -> str:
        """Return the id of a new run that holds everything in `logged`."""
        idea = logged.idea
        with self._run(idea, logged.name, {"kind": logged.kind, "idea": idea, **logged.tags}) as (client, run_id):
            _log_numbers(client, run_id, logged.params, logged.metrics)
            if logged.data is not None:
                client.log_inputs(run_id, datasets=[dataset_of(logged.data, logged.kind)])
            with TemporaryDirectory() as folder:
                if tables := write_files(logged, Path(folder)):
                    client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps(tables))
                if any(Path(folder).iterdir()):
                    client.log_artifacts(run_id, folder)
            if logged.strategy is not None and is_rebuildable(logged.strategy):
                self._log_strategy(client, run_id, logged)
            if logged.model is not None:
                self._log_model(run_id, logged)
            for child in logged.children:
                tags = {"kind": "set", "idea": idea, **child.tags}
                before = _parent.set(run_id)
                try:
                    with self._run(idea, child.name, tags) as (_, child_id):
                        _log_numbers(client, child_id, child.params, child.metrics)
                finally:
                    _parent.reset(before)
            return run_id

    def _log_strategy(self, client: Any, run_id: str, logged: Logged) -> None:
        """Log the strategy as a model of the run: once an idea and definition, which later runs point to."""
        from mlflow.entities import LoggedModelOutput  # noqa: PLC0415  takes seconds

        strategy, experiment = logged.strategy, self.experiment_of(logged.idea)
        assert strategy is not None  # noqa: S101  asked by `log`
        key = (experiment, strategy.id)
        if key not in self._models:
            wanted = f"tags.strategy_id = '{strategy.id}' AND name = '{MODEL_NAME}'"
            found = client.search_logged_models([experiment], filter_string=wanted, max_results=1)
            if not found:
                mlflow = load_mlflow()
                with mlflow.start_run(run_id=run_id, nested=True):
                    self._models[key] = log_strategy_model(mlflow, strategy)
                return
            self._models[key] = str(found[0].model_id)
        client.log_outputs(run_id, [LoggedModelOutput(self._models[key], 0)])

    def _log_model(self, run_id: str, logged: Logged) -> None:
        mlflow = load_mlflow()
        ask = getattr(logged.model, logged.model_asked)
        with mlflow.start_run(run_id=run_id, nested=True):
            mlflow.sklearn.log_model(
                logged.model,
                name="model",
                signature=mlflow.models.infer_signature(logged.model_input, ask(logged.model_input)),
                input_example=logged.model_input,
                pip_requirements=list(logged.model_requirements),
                serialization_format="cloudpickle",
                pyfunc_predict_fn=logged.model_asked,
                tags=dict(logged.tags),
            )

    def runs(self, limit: int = 500, idea: str | None = None) -> pd.DataFrame:
        """Return the newest runs with their parameters, metrics and tags, one a row, of all ideas or of one.

        A pipeline is not one, nor is a set of a sweep.
        """
        mlflow = self._ready()
        places = list(self.experiments().values()) if idea is None else [self.experiment_of(idea)]
        kinds = " AND ".join(f"tags.kind != '{kind}'" for kind in APART)
        with self.plainly(mlflow):
            found = mlflow.search_runs(experiment_ids=places, filter_string=kinds, max_results=limit)
        return pd.DataFrame(found)

    def read(self, run_id: str) -> ReadRun:
        """Return one run.

        Raises
        ------
        DataError
            MLflow knows no such run.
        """
        mlflow = self._ready()
        try:
            run = mlflow.MlflowClient(self.uri).get_run(run_id)
        except mlflow.exceptions.MlflowException as error:
            raise DataError(f"MLflow has no run {run_id!r}: {first_sentence(error)}") from None
        tags, began = dict(run.data.tags), pd.Timestamp(run.info.start_time, unit="ms")
        kind, params = tags.get("kind", ""), dict(run.data.params)
        return ReadRun(run_id, str(run.info.run_name), kind, params, tags, dict(run.data.metrics), began)

    def read_text(self, run_id: str, file: str) -> str:
        """Return a text that was logged with a run.

        Raises
        ------
        DataError
            The run or the file is not there.
        """
        mlflow = self._ready()
        try:
            return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{file}"))
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise DataError(f"Run {run_id} in MLflow has no {file}: {first_sentence(error)}") from None

    def read_csv(self, run_id: str, file: str) -> pd.DataFrame:
        """Return a frame that was logged as CSV, to the last bit; the first column becomes the index.

        Raises
        ------
        DataError
            The run or the file is not there.
        """
        return pd.read_csv(StringIO(self.read_text(run_id, file)), index_col=0)

    def read_parquet(self, run_id: str, file: str) -> pd.DataFrame:
        """Return a frame that was logged as Parquet, to the last bit, with its index and types.

        Raises
        ------
        DataError
            The run or the file is not there.
        """
        mlflow = self._ready()
        with TemporaryDirectory() as folder:
            try:
                path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{file}", dst_path=folder)
            except (mlflow.exceptions.MlflowException, OSError) as error:
                raise DataError(f"Run {run_id} in MLflow has no {file}: {first_sentence(error)}") from None
            return pd.read_parquet(path)

    def model_uri(self, run_id: str, name: str) -> str:
        """Return where MLflow keeps a model of a run: "strategy" or "model".

        A strategy is kept once, so `runs:/` finds it only in the run that logged it first.

        Raises
        ------
        DataError
            There is no such run, or it has no such model.
        """
        mlflow = self._ready()
        client = mlflow.MlflowClient(self.uri)
        try:
            outputs = client.get_run(run_id).outputs
            models = [client.get_logged_model(one.model_id) for one in outputs.model_outputs] if outputs else []
        except mlflow.exceptions.MlflowException as error:
            raise DataError(f"Run {run_id} in MLflow has no {name}: {first_sentence(error)}") from None
        for model in models:
            if model.name == name:
                return str(model.model_uri)
        raise DataError(f"Run {run_id} in MLflow has no {name}; it was logged without one.")

    def load(self, run_id: str, name: str) -> Any:
        """Return a model that was logged with a run, as it was: "strategy" or "model".

        Raises
        ------
        DataError
            The run has no such model, or it cannot be loaded here.
        """
        mlflow, uri = self._ready(), self.model_uri(run_id, name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if name == MODEL_NAME:
                    return mlflow.pyfunc.load_model(uri).unwrap_python_model().strategy
                return mlflow.sklearn.load_model(uri)
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise DataError(f"The {name} of run {run_id} cannot be loaded: {first_sentence(error)}") from None


def _log_numbers(client: Any, run_id: str, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Log parameters and metrics in one go; what is unknown is left out."""
    from mlflow.entities import Metric, Param  # noqa: PLC0415  takes seconds

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), now, 0) for key, value in metrics.items() if math.isfinite(value)],
        params=[Param(key, str(value)[:6000]) for key, value in params.items()],
    )
