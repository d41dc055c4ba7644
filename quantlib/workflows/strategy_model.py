"""A strategy of a Python file as an MLflow model: logged as code, loaded and asked for its targets anywhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from quantlib.errors import DataError
from quantlib.strategies.from_file import load_source
from quantlib.types import Panel

if TYPE_CHECKING:
    from mlflow.pyfunc.model import PythonModel

#: What MLflow runs to load such a model.
CODE = '''"""The strategy beside this file, in artifacts/strategy.py; quantlib has to be installed."""

from quantlib.workflows.strategy_model import set_model

set_model()
'''
#: What the logged models need to be loaded again, besides this module.
REQUIREMENTS = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "pydantic")]


def log_strategy_model(mlflow: Any, text: str, parameters: Mapping[str, Any]) -> None:
    """Log a strategy with the run under way, as the text of its file and its parameters; nothing is pickled."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("strategy.py", "parameters.json", "model.py")}
        for file, content in zip(files.values(), (text, json.dumps(parameters, indent=2), CODE), strict=True):
            file.write_text(content, encoding="utf-8")
        mlflow.pyfunc.log_model(
            name="strategy",
            python_model=str(files["model.py"]),
            artifacts={"strategy": str(files["strategy.py"]), "parameters": str(files["parameters.json"])},
            pip_requirements=REQUIREMENTS,
        )


def set_model() -> None:
    """Hand MLflow the model while it runs the code of one."""
    import mlflow  # noqa: PLC0415  takes seconds

    mlflow.models.set_model(_model())


def _model() -> PythonModel:
    from mlflow.pyfunc.model import PythonModel  # noqa: PLC0415  takes seconds

    class StrategyModel(PythonModel):  # type: ignore[misc]  # MLflow comes without types
        """A panel in, target weights out; or a frame of closes [time x symbol]."""

        def load_context(self, context: Any) -> None:
            """Load the strategy from the files beside the model."""
            file = Path(context.artifacts["strategy"])
            parameters = json.loads(Path(context.artifacts["parameters"]).read_text(encoding="utf-8"))
            self.strategy = load_source(file.read_text(encoding="utf-8"), str(file), parameters)

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
            """Return the weights decided at each close [time x symbol]."""
            given: Any = model_input  # MLflow warns of every other type that is written there
            panel = Panel.from_frames(given) if isinstance(given, pd.DataFrame) else given
            if not isinstance(panel, Panel):
                came = type(given).__name__
                raise DataError(f"A strategy takes a Panel, or a frame of closes [time x symbol]; got a {came}.")
            return self.strategy.targets(panel)

    return StrategyModel()
