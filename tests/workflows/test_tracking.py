"""MLflow as the memory of runs: what is logged comes back to the last bit, and faults are one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from quantlib.errors import ConfigError, DataError
from quantlib.workflows import tracking
from quantlib.workflows.tracking import Logged, Tracker

AWKWARD = {"third": 1 / 3, "sum": 0.1 + 0.2, "tiny": 5e-324, "huge": 1.7976931348623157e308, "less": -1e-17}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def tracker(home: Path) -> Tracker:
    return Tracker(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


def row(tracker: Tracker, run_id: str) -> pd.Series:
    return tracker.runs().set_index("run_id").loc[run_id]


def test_numbers_come_back_to_the_last_bit(tracker: Tracker) -> None:
    unknown = {"nan": float("nan"), "infinite": float("inf")}
    logged = Logged("A run", "backtest", params={"fast": 50, "on": True}, metrics=AWKWARD | unknown, tags={"a": "b"})
    found = row(tracker, tracker.log(logged))
    assert {name: found[f"metrics.{name}"] for name in AWKWARD} == AWKWARD
    assert not any(f"metrics.{name}" in found for name in unknown)  # left out, not zero
    assert (found["params.fast"], found["params.on"]) == ("50", "True")
    assert (found["tags.mlflow.runName"], found["tags.kind"], found["tags.a"]) == ("A run", "backtest", "b")
    assert found["status"] == "FINISHED"


def test_frames_and_texts_come_back_to_the_last_bit(tracker: Tracker, home: Path) -> None:
    days = pd.bdate_range("1990-01-02", periods=2000).as_unit("us").rename("ts")
    draws = np.random.default_rng(3).lognormal(12, 3, (2000, 2))
    frame = pd.DataFrame(draws, index=days, columns=["equity", "cash"])
    frame.iloc[5, 1] = np.nan
    run_id = tracker.log(Logged("A run", "backtest", frames={"equity.csv": frame}, texts={"note.txt": "Größe\n"}))

    back = tracker.read_csv(run_id, "equity.csv")
    back.index = pd.DatetimeIndex(back.index)
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_freq=False)
    assert (home / "artifacts" / run_id / "artifacts" / "note.txt").read_text(encoding="utf-8") == "Größe\n"
    assert not Path("mlruns").exists()  # where MLflow writes when it is not told where


def test_a_pipeline_holds_its_runs_and_is_not_one(tracker: Tracker) -> None:
    with tracker.group("Pipeline", {"kind": "pipeline"}) as parent:
        inside = tracker.log(Logged("Inside", "simulation"))
    outside = tracker.log(Logged("Outside", "simulation"))
    found = tracker.runs().set_index("run_id")
    assert parent not in found.index
    assert found.loc[inside, "tags.mlflow.parentRunId"] == parent
    assert pd.isna(found.loc[outside, "tags.mlflow.parentRunId"])


def test_the_newest_runs_come_first_and_a_limit_holds(tracker: Tracker) -> None:
    last = [tracker.log(Logged(f"Run {i}", "backtest")) for i in range(3)]
    assert tracker.runs(limit=2)["run_id"].tolist() == last[:0:-1]


def test_a_model_can_be_loaded_and_says_the_same(tracker: Tracker) -> None:
    import mlflow

    inputs = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(inputs, inputs["a"] > 0)
    needs = ("scikit-learn", "cloudpickle")
    run_id = tracker.log(Logged("A model", "model", model=model, model_input=inputs[:5], model_requirements=needs))
    loaded = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
    np.testing.assert_array_equal(loaded.predict_proba(inputs), model.predict_proba(inputs))


def test_what_is_not_there_is_said_in_one_line(tracker: Tracker) -> None:
    run_id = tracker.log(Logged("Bare", "backtest"))
    with pytest.raises(DataError, match=rf"^Run {run_id} in MLflow has no equity.csv: .*\.$"):
        tracker.read_csv(run_id, "equity.csv")
    with pytest.raises(DataError, match=r"^Run 0{32} in MLflow has no equity.csv: "):
        tracker.read_csv("0" * 32, "equity.csv")


def test_a_deleted_experiment_is_said_in_one_line(tmp_path: Path) -> None:
    import mlflow

    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    mlflow.MlflowClient(tracker.uri).delete_experiment(tracker.experiment_id)
    with pytest.raises(ConfigError, match=r"cannot be used: .*'active' state.*\.$"):
        tracker.log(Logged("A run", "backtest"))


def test_a_second_tracker_finds_the_same_experiment(tracker: Tracker, home: Path) -> None:
    again = Tracker(tracker.uri, home / "artifacts")
    assert again.experiment_id == tracker.experiment_id
    assert len(again.runs()) == len(tracker.runs())


@pytest.mark.parametrize("given", [None, "http://127.0.0.1:1"])
def test_the_environment_stays_as_the_user_set_it(
    tracker: Tracker, home: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    if given is None:
        monkeypatch.delenv(tracking.ADDRESS, raising=False)
    else:
        monkeypatch.setenv(tracking.ADDRESS, given)
    other = Tracker(f"sqlite:///{home / 'other.db'}", home / "other")
    for one in (other, tracker):  # MLflow sets the variable whenever the address changes
        one.log(Logged("A run", "backtest"))
        assert os.environ.get(tracking.ADDRESS) == given


def test_a_server_that_is_down_is_said_in_one_line_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking._mlflow()
    assert int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) <= 2  # MLflow's own default waits four minutes
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    down = Tracker(f"http://me:hunter2@127.0.0.1:{port}", tmp_path / "artifacts")
    with pytest.raises(ConfigError, match=rf"^MLflow at http://127.0.0.1:{port} \(MLFLOW_TRACKING_URI\)") as error:
        down.runs()
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)
    assert down.place == f"http://127.0.0.1:{port}"
    assert not (tmp_path / "artifacts").exists()  # a server keeps its own


FIRST_CONTACT = """
import sys
from pathlib import Path
from quantlib.workflows import tracking

tracking._mlflow()
tracker = tracking.Tracker(f"sqlite:///{sys.argv[1]}/mlflow.db", Path(sys.argv[1]) / "artifacts")
print("ready", flush=True)
sys.stdin.readline()
print(tracker.experiment_id)
"""


@pytest.mark.slow
def test_two_processes_may_open_a_fresh_store_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FIRST_CONTACT, str(tmp_path)]
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as one, subprocess.Popen(command, text=True, **pipes) as two:
        for process in (one, two):
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in (one, two):
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120) for process in (one, two)]
    assert [out for out, _ in said] == ["1\n", "1\n"], said
