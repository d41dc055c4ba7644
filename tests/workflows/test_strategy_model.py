"""A strategy of a Python file in MLflow: what is loaded from a run decides as the file did."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quantlib.store import read_runs
from quantlib.strategies.from_file import load_source
from quantlib.workflows.research import backtest_strategy, simulate_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import Logged, Tracker

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

        return mlflow.pyfunc.load_model(f"runs:/{run_id}/strategy")


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


def test_a_strategy_of_the_workbench_is_not_logged_as_code(lab: Session) -> None:
    run_id = lab.tracker.log(Logged("Plain", "backtest"))
    with pytest.raises(Exception, match="strategy"):
        load(lab.tracker, run_id)
