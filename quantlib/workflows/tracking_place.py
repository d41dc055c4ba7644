"""Where MLflow keeps runs: its address, opened by one process at a time, and an experiment for each idea."""

from __future__ import annotations

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from quantlib.errors import ConfigError

EXPERIMENT = "quant-workbench"
"""Experiment of what is of no idea, and of runs made before there was one an idea; the others are named below it."""
ADDRESS = "MLFLOW_TRACKING_URI"


def load_mlflow() -> Any:
    """Return the MLflow module: imported on first use because that takes seconds, and kept quiet."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A server that is down is known to be so after seconds; by MLflow's own default after four minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: PLC0415 - see above
        import mlflow.sklearn  # noqa: PLC0415
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


def first_sentence(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200].rstrip(".") + "."


def experiment_name(idea: str) -> str:
    """Return what the experiment of an idea is called."""
    return f"{EXPERIMENT}/{idea}" if idea else EXPERIMENT


class TrackingPlace:
    """An address of MLflow, and the experiments of ideas there.

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
        self._experiments: dict[str, str] = {}

    @property
    def exists(self) -> bool:
        """Whether there is something to read: false where the local file of runs was never made, or is gone."""
        return not self.uri.startswith("sqlite:") or Path(self.uri.removeprefix("sqlite:///")).exists()

    @property
    def place(self) -> str:
        """The tracking address without the password it may hold."""
        secret, at, _ = urlsplit(self.uri).netloc.rpartition("@")
        return self.uri.replace(secret + at, "", 1) if at else self.uri

    @property
    def experiment_id(self) -> str:
        """The id of the experiment of no idea."""
        return self.experiment_of("")

    def prepare(self) -> None:
        """Make the local file of runs and the first experiment where they are not there yet."""
        self._ready()

    def experiment_of(self, idea: str) -> str:
        """Return the id of an idea's experiment, which is made where there is none yet."""
        mlflow = self._ready()
        if idea not in self._experiments:
            with self.plainly(mlflow):
                self._experiments[idea] = self._find_or_create(mlflow, experiment_name(idea))
        return self._experiments[idea]

    def experiments(self) -> dict[str, str]:
        """Return the ids of all experiments by their names: that of no idea, and those of ideas."""
        mlflow = self._ready()
        with self.plainly(mlflow):
            found = mlflow.search_experiments(filter_string=f"name LIKE '{EXPERIMENT}%'")
        return {one.name: str(one.experiment_id) for one in found if f"{one.name}/".startswith(f"{EXPERIMENT}/")}

    def _ready(self) -> Any:
        mlflow = load_mlflow()
        given = os.environ.get(ADDRESS)
        mlflow.set_tracking_uri(self.uri)
        # MLflow writes the address into the environment too, where Settings would take it for the user's own wish.
        if given is None:
            os.environ.pop(ADDRESS, None)
        else:
            os.environ[ADDRESS] = given
        if "" not in self._experiments:
            with warnings.catch_warnings(), self._alone(), self.plainly(mlflow):
                warnings.simplefilter("ignore")
                self._experiments[""] = self._find_or_create(mlflow, EXPERIMENT)
        return mlflow

    def client(self) -> Any:
        """Return MLflow's client of this address, for what is not a run: models and their versions."""
        return self._ready().MlflowClient(self.uri)

    @contextmanager
    def plainly(self, mlflow: Any = None) -> Iterator[None]:
        """Turn MLflow's own error into one line, without the password an address may hold."""
        mlflow = mlflow or load_mlflow()
        try:
            yield
        except mlflow.exceptions.MlflowException as error:
            text = f"MLflow at {self.uri} ({ADDRESS}) cannot be used: {first_sentence(error)}"
            raise ConfigError(text.replace(self.uri, self.place)) from None

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

    def _find_or_create(self, mlflow: Any, name: str) -> str:
        location = self._artifact_root.as_uri() if self.uri.startswith("sqlite:") else None
        found = mlflow.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(mlflow.create_experiment(name, artifact_location=location))
        except mlflow.exceptions.MlflowException:
            # Another process made it between the look and the try; or there is another reason, said as it is.
            if (found := mlflow.get_experiment_by_name(name)) is None:
                raise
            return str(found.experiment_id)
