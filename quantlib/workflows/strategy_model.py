"""A strategy as an MLflow model: logged as code, loaded and asked for its targets anywhere quantlib is installed."""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from quantlib.errors import DataError
from quantlib.strategies import STRATEGIES, Strategy, build
from quantlib.strategies.from_file import load_source
from quantlib.types import Panel

if TYPE_CHECKING:
    from mlflow.pyfunc.model import PythonModel

MODEL_NAME = "strategy"
"""What the model is called among those of a run."""
#: What MLflow runs to load a strategy of a Python file.
FILE_CODE = '''"""The strategy beside this file, in artifacts/strategy.py; quantlib has to be installed."""

from quantlib.workflows.strategy_model import set_model

set_model()
'''
#: What MLflow runs to load a strategy of a family.
FAMILY_CODE = '''"""A definition of the family {family!r} by artifacts/parameters.json; quantlib has to be installed."""

from quantlib.workflows.strategy_model import set_model

set_model(family={family!r})
'''
#: What the logged models need to be loaded again, besides this module.
REQUIREMENTS = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "pydantic")]


def is_rebuildable(strategy: Strategy) -> bool:
    """Return whether a strategy can be made again elsewhere: it is one of a family, or came from a Python file.

    A class that was written in a notebook is only there; its runs are logged without it.
    """
    return bool(strategy.source_code) or STRATEGIES.get(strategy.family) is type(strategy)


def log_strategy_model(mlflow: Any, strategy: Strategy) -> str:
    """Return the id of the model that a strategy was logged as with the run under way; nothing is pickled.

    A definition of a family is a few lines that build it and its parameters as JSON; one of a Python file is the text
    of that file and its parameters.
    """
    text = strategy.source_code
    code = FILE_CODE if text else FAMILY_CODE.format(family=strategy.family)
    parameters = json.dumps(strategy.model_dump(mode="json"), indent=2)
    contents = {"parameters.json": parameters, "model.py": code, **({"strategy.py": text} if text else {})}
    with tempfile.TemporaryDirectory() as folder:
        for file, content in contents.items():
            (Path(folder) / file).write_text(content, encoding="utf-8")
        info = mlflow.pyfunc.log_model(
            name=MODEL_NAME,
            python_model=str(Path(folder) / "model.py"),
            artifacts={Path(file).stem: str(Path(folder) / file) for file in contents if file != "model.py"},
            pip_requirements=REQUIREMENTS,
            tags={"strategy_id": strategy.id, "family": strategy.family},
        )
    return str(info.model_id)


def set_model(family: str | None = None) -> None:
    """Hand MLflow the model while it runs the code of one: of a family, or of the file beside it."""
    if family is not None and family not in STRATEGIES:
        build(family, {})  # says which there are
    import mlflow  # noqa: PLC0415  takes seconds

    mlflow.models.set_model(_model(family))


def _model(family: str | None) -> PythonModel:
    from mlflow.pyfunc.model import PythonModel  # noqa: PLC0415  takes seconds

    class StrategyModel(PythonModel):  # type: ignore[misc]  # MLflow comes without types
        """A panel in, target weights out; or a frame of closes [time x symbol]."""

        def load_context(self, context: Any) -> None:
            """Load the strategy from the files beside the model."""
            parameters = json.loads(Path(context.artifacts["parameters"]).read_text(encoding="utf-8"))
            if family is not None:
                self.strategy = build(family, parameters)
                return
            file = Path(context.artifacts["strategy"])
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
