"""A strategy of a Python file in MLflow: what is loaded from a run decides as the file did."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.store import read_runs
from quantlib.strategies import MACross
from quantlib.strategies.from_file import load_source
from quantlib.workflows.logged import Logged
from quantlib.workflows.research import backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import Tracker

FILE = '''
from __future__ import annotations

from typing import ClassVar

import pandas as pd
from pydantic import Field

from quantlib.strategies.base import Strategy
from quantlib.types import Panel


class AboveMean(Strategy):
    """Own what stands above its mean."""

    family: ClassVar[str] = "above_mean"
    title: ClassVar[str] = "Above its mean"
    description: ClassVar[str] = "Own what stands above its mean."

    symbol: str = Field(default="KO", title="Symbol")
    lookback: int = Field(default=100, ge=2, title="Look-back")

    @property
    def symbols(self) -> tuple[str, ...]:
        return (self.symbol,)

    @property
    def warmup(self) -> int:
        return self.lookback

    def decide(self, panel: Panel) -> pd.DataFrame:
        close = panel.frame("close")
        mean = close.rolling(self.lookback).mean()
        return (close > mean).astype(float).where(mean.notna())
'''


def load(tracker: Tracker, run_id: str) -> Any:
    assert tracker.exists
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(tracker.model_uri(run_id, "strategy"))


def test_a_run_brings_its_strategy_back(lab: Session) -> None:
    strategy = load_source(FILE, "above.py", {"symbol": "PEP", "lookback": 20})
    run = backtest_strategy(lab, strategy, start="2020-01-01")
    assert run.mlflow_run_id
    model = load(lab.tracker, run.mlflow_run_id)
    expected = strategy.targets(run.panel)
    assert 0 < (expected["PEP"] == 1).mean() < 1
    pd.testing.assert_frame_equal(model.predict(run.panel), expected)
    pd.testing.assert_frame_equal(model.predict(run.panel.frame()), expected)
    assert model.unwrap_python_model().strategy.id == strategy.id
    with pytest.raises(Exception, match="a frame of closes"):
        model.predict([1.0])
    kept = tracker_files(model)
    assert kept["strategy.py"] == FILE
    assert not [name for name in kept if name.endswith(".pkl")], "code, not a pickle"


def tracker_files(model: Any) -> dict[str, str]:
    import mlflow.artifacts

    folder = Path(mlflow.artifacts.download_artifacts(model.metadata.get_model_info().model_uri))
    return {file.name: file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_worlds_bring_it_back_too(lab: Session) -> None:
    strategy = load_source(FILE, "above.py", {"symbol": "PEP", "lookback": 20})
    simulate_strategy(lab, strategy, "gbm", n=2, horizon=5)
    record = next(record for record in read_runs(lab.store, kind="simulation") if record.strategy_id == strategy.id)
    assert record.mlflow_run_id
    assert load(lab.tracker, record.mlflow_run_id).unwrap_python_model().strategy == strategy


def test_a_definition_of_a_family_is_a_few_lines_and_its_parameters(lab: Session) -> None:
    strategy = MACross(universe=("KO", "PEP"), fast=7, slow=30)
    run = backtest_strategy(lab, strategy, start="2020-01-01")
    model = load(lab.tracker, str(run.mlflow_run_id))
    assert model.unwrap_python_model().strategy == strategy
    pd.testing.assert_frame_equal(model.predict(run.panel), strategy.targets(run.panel))
    kept = tracker_files(model)
    assert "strategy.py" not in kept
    assert "set_model(family='ma_cross')" in kept["model.py"]
    assert json.loads(kept["parameters.json"]) == strategy.model_dump(mode="json")


def test_a_strategy_is_kept_once_however_often_it_runs(lab: Session) -> None:
    strategy = MACross(universe=("KO", "PEP"), fast=7, slow=30)
    again = [str(backtest_strategy(lab, strategy, start=f"20{year}-01-01").mlflow_run_id) for year in (18, 19)]
    other = Tracker(lab.tracker.uri, lab.settings.artifact_root)  # as another process has it, which remembers nothing
    again.append(other.log(Logged("Again", "backtest", idea="ma_cross", strategy=strategy)))
    elsewhere = other.log(Logged("Again", "backtest", idea="another idea", strategy=strategy))
    assert len({lab.tracker.model_uri(run, "strategy") for run in again}) == 1
    assert lab.tracker.model_uri(elsewhere, "strategy") != lab.tracker.model_uri(again[0], "strategy")


def test_a_run_without_a_strategy_says_so(lab: Session) -> None:
    run_id = lab.tracker.log(Logged("Plain", "backtest"))
    with pytest.raises(DataError, match="has no strategy; it was logged without one"):
        lab.tracker.load(run_id, "strategy")
    with pytest.raises(DataError, match="has no strategy: "):
        lab.tracker.load("0" * 32, "strategy")


def test_a_class_of_a_notebook_is_logged_without_itself(lab: Session) -> None:
    class Noted(MACross):
        family = "noted"

    run = backtest_strategy(lab, Noted(universe=("KO", "PEP"), fast=5, slow=20))
    assert run.mlflow_run_id is not None
    with pytest.raises(DataError, match="has no strategy; it was logged without one"):
        lab.tracker.model_uri(run.mlflow_run_id, "strategy")
