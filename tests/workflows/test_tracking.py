"""MLflow as the memory of runs: what is logged comes back to the last bit, and faults are one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from quantlib.charts import calibration_chart
from quantlib.errors import ConfigError, DataError
from quantlib.types import Panel
from quantlib.workflows import tracking_place
from quantlib.workflows.logged import Child, Logged
from quantlib.workflows.tracking import Tracker

AWKWARD = {"third": 1 / 3, "sum": 0.1 + 0.2, "tiny": 5e-324, "huge": 1.7976931348623157e308, "less": -1e-17}


Lay = Callable[[Path], Path]


@pytest.fixture(scope="module")
def home(with_tables: Lay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_tables(tmp_path_factory.mktemp("runs")) / "mlflow"


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


def test_each_idea_has_its_experiment_and_all_are_read_together(tracker: Tracker) -> None:
    former = tracker.log(Logged("As it was before there were ideas", "backtest"))
    of_idea = tracker.log(Logged("Of an idea", "backtest", idea="oil's pairs / daily"))
    assert tracker.experiments()["quant-workbench/oil's pairs / daily"] == tracker.experiment_of("oil's pairs / daily")
    assert len(set(tracker.experiments().values())) == len(tracker.experiments()) >= 2
    assert tracker.runs(limit=2)["run_id"].tolist() == [of_idea, former]
    assert tracker.runs(idea="oil's pairs / daily")["run_id"].tolist() == [of_idea]
    assert row(tracker, of_idea)["experiment_id"] != row(tracker, former)["experiment_id"]
    assert tracker.read(of_idea).tags["idea"] == "oil's pairs / daily"


def test_an_experiment_of_someone_else_is_left_alone(tracker: Tracker) -> None:
    theirs = tracker.client().create_experiment("quant-workbenches")
    assert theirs not in tracker.experiments().values()


def test_sets_of_a_sweep_stand_below_it_and_are_no_rows(tracker: Tracker) -> None:
    sets = [Child(f"fast {n}", {"fast": n}, {"sharpe_ratio": n / 3, "cagr": float("nan")}) for n in (1, 2)]
    parent = tracker.log(Logged("A sweep", "sweep", idea="grid", children=sets))
    assert tracker.runs(idea="grid")["run_id"].tolist() == [parent]
    client = tracker.client()
    below = client.search_runs([tracker.experiment_of("grid")], f"tags.mlflow.parentRunId = '{parent}'")
    assert {run.data.params["fast"]: run.data.metrics for run in below} == {
        "1": {"sharpe_ratio": 1 / 3},
        "2": {"sharpe_ratio": 2 / 3},
    }
    assert {run.info.status for run in below} == {"FINISHED"}


def test_a_run_that_cannot_be_written_is_marked_failed(tracker: Tracker) -> None:
    class Unwritable(pd.DataFrame):
        def to_csv(self, *_: object, **__: object) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        tracker.log(Logged("Half", "backtest", idea="half", frames={"equity.csv": Unwritable()}))
    assert tracker.runs(idea="half")["status"].tolist() == ["FAILED"]


def test_tables_charts_and_data_are_where_mlflow_shows_them(tracker: Tracker, small: Panel) -> None:
    table = pd.DataFrame({"day": pd.to_datetime(["2020-01-02"]), "loss": [np.nan], "n": [3]}).rename_axis("fold")
    figure = calibration_chart(pd.DataFrame({"predicted": [0.4, 0.6], "observed": [0.5, 0.7], "n": [10, 10]}))
    logged = Logged("Shown", "model", tables={"folds": table}, figures={"calibration": figure}, data=small)
    run_id = tracker.log(logged)
    client = tracker.client()
    shown = client.load_table(tracker.experiment_of(""), "folds.json", run_ids=[run_id])
    assert shown.astype(object).where(shown.notna(), None).to_dict("list") == {
        "fold": [0],
        "day": ["2020-01-02T00:00:00.000"],
        "loss": [None],
        "n": [3],
    }
    page = tracker.read_text(run_id, "calibration.html")
    assert '"showSendToCloud": false' in page
    assert "https://cdn.plot.ly/plotly-" in page
    [data] = client.get_run(run_id).inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("KO, PEP, MSFT", small.snapshot_id)
    profile = json.loads(data.dataset.profile)
    assert (profile["sessions"], profile["last"]) == (500, "2022-12-28")
    assert [one["name"] for one in json.loads(data.dataset.schema)["mlflow_colspec"]] == ["close"]  # all that is known


def test_the_newest_runs_come_first_and_a_limit_holds(tracker: Tracker) -> None:
    last = [tracker.log(Logged(f"Run {i}", "backtest")) for i in range(3)]
    assert tracker.runs(limit=2)["run_id"].tolist() == last[:0:-1]


def test_a_model_can_be_loaded_and_says_the_same(tracker: Tracker) -> None:
    inputs = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(inputs, inputs["a"] > 0)
    needs = ("scikit-learn", "cloudpickle")
    run_id = tracker.log(Logged("A model", "model", model=model, model_input=inputs[:5], model_requirements=needs))
    loaded = tracker.load(run_id, "model")
    np.testing.assert_array_equal(loaded.predict_proba(inputs), model.predict_proba(inputs))


def test_what_is_not_there_is_said_in_one_line(tracker: Tracker) -> None:
    run_id = tracker.log(Logged("Bare", "backtest"))
    with pytest.raises(DataError, match=rf"^Run {run_id} in MLflow has no equity.csv: .*\.$"):
        tracker.read_csv(run_id, "equity.csv")
    with pytest.raises(DataError, match=r"^Run 0{32} in MLflow has no equity.csv: "):
        tracker.read_csv("0" * 32, "equity.csv")


def test_a_deleted_experiment_is_said_in_one_line(with_tables: Lay, tmp_path: Path) -> None:
    import mlflow

    tracker = Tracker(f"sqlite:///{with_tables(tmp_path) / 'mlflow' / 'mlflow.db'}", tmp_path / "artifacts")
    mlflow.MlflowClient(tracker.uri).delete_experiment(tracker.experiment_id)
    with pytest.raises(ConfigError, match=r"cannot be used: .*'active' state.*\.$"):
        tracker.log(Logged("A run", "backtest"))


def test_a_second_tracker_finds_the_same_experiment(tracker: Tracker, home: Path) -> None:
    again = Tracker(tracker.uri, home / "artifacts")
    assert again.experiment_id == tracker.experiment_id
    assert len(again.runs()) == len(tracker.runs())


@pytest.mark.parametrize("given", [None, "http://127.0.0.1:1"])
def test_the_environment_stays_as_the_user_set_it(
    tracker: Tracker, with_tables: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    if given is None:
        monkeypatch.delenv(tracking_place.ADDRESS, raising=False)
    else:
        monkeypatch.setenv(tracking_place.ADDRESS, given)
    other = Tracker(f"sqlite:///{with_tables(tmp_path) / 'mlflow' / 'mlflow.db'}", tmp_path / "other")
    for one in (other, tracker):  # MLflow sets the variable whenever the address changes
        one.log(Logged("A run", "backtest"))
        assert os.environ.get(tracking_place.ADDRESS) == given


def test_a_server_that_is_down_is_said_in_one_line_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking_place.load_mlflow()
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
from quantlib.workflows import tracking, tracking_place

tracking_place.load_mlflow()
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
