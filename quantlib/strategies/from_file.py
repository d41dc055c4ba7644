"""Strategies out of a Python file: the way out where fields and conditions are not enough."""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pandas as pd
from pydantic import ValidationError

from quantlib.errors import QuantError, StrategyError, nearest
from quantlib.strategies import STRATEGIES
from quantlib.strategies.base import Strategy
from quantlib.strategies.refusal import refusal
from quantlib.types import Panel

NAME = "strategy"
"""What a file calls the definition it means."""
_TOLD = ("family", "title", "description")


def load_file(path: Path | str) -> Strategy:
    """Return the strategy that a Python file holds: what it calls `strategy`, or its one class with its defaults.

    The file runs as any Python does: load only what you trust. Where the class is written in it, the text of the file
    is a part of the definition's id, so that another text is another strategy; what it imports from elsewhere is not.

    Raises
    ------
    StrategyError
        The file is not there, is not Python, fails while it runs, or does not hold one strategy. The message names
        the file and the line.
    """
    path = Path(path)
    if path.suffix != ".py":
        raise StrategyError(f"{path} is not a Python file; its name must end in .py.")
    return load_source(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    StrategyError
        It cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise StrategyError(f"{path} cannot be read ({error.strerror}). Check the path.") from None
    except UnicodeDecodeError:
        raise StrategyError(f"{path} is not text in UTF-8. Save it so.") from None


def load_source(text: str, file: str, parameters: dict[str, Any] | None = None) -> Strategy:
    """Return the strategy that the text of a Python file holds.

    Parameters
    ----------
    text
        The file's text.
    file
        What to call it in errors.
    parameters
        Values of the fields, for the class; by default those the file gives.

    Raises
    ------
    StrategyError
        As in `load_file`.
    """
    module = _run(text, file)
    written = _written(module)
    # A base that others of the file build on is no strategy.
    classes = [family for family in written if not inspect.isabstract(family)]
    given = getattr(module, NAME, None)
    if given is not None and not isinstance(given, Strategy):
        what = type(given).__name__
        raise StrategyError(f"{file}, line {_line(text, NAME)}: `strategy` is a {what}; accepted: a Strategy.")
    if given is None and len(classes) != 1:
        raise _not_one(text, file, written, classes)
    family = type(given) if given is not None else classes[0]
    if family in written:
        _check(family, text, file)
    if given is not None and parameters is None:
        return given
    try:
        return family(**(parameters or {}))
    except ValidationError as error:
        fault = refusal(family, error, parameters or {})
        where = f"{file}, line {_line(text, family.__name__)}: {family.__name__}"
        raise StrategyError(f"{where}: {fault.sentence}") from None


def _run(text: str, file: str) -> ModuleType:
    """Return the module of a text, having run it."""
    # The same text is the same module, so that a strategy loaded twice is of one class.
    name = f"strategy_file_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module  # where Pydantic looks the annotations up
    try:
        exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  what it is for
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise StrategyError(f"{file}, line {_failed_at(error, file)}: {_what(error)}") from None
    for family in _written(module):
        family.source_code = text
        if "decide" in vars(family) and not getattr(family.decide, "__isabstractmethod__", False):
            setattr(family, "decide", _guarded(family.decide, file))  # noqa: B010  a method cannot be assigned to
        copyreg.pickle(family, _packed)
    return module


def _guarded(decide: Callable[[Any, Panel], Any], file: str) -> Callable[[Any, Panel], pd.DataFrame]:
    """Return a strategy's `decide`, whose faults are told with the file and the line."""

    @wraps(decide)
    def guarded(self: Strategy, panel: Panel) -> pd.DataFrame:
        try:
            weights = decide(self, panel)
        except QuantError:
            raise
        except Exception as error:
            raise StrategyError(f"{file}, line {_failed_at(error, file)}: {_what(error)}") from error
        if fault := _fault(weights, self.symbols, panel.index):
            raise StrategyError(f"{file}, line {inspect.unwrap(decide).__code__.co_firstlineno}: decide gives {fault}")
        return cast(pd.DataFrame, weights)

    return guarded


def _fault(weights: object, symbols: tuple[str, ...], sessions: pd.DatetimeIndex) -> str:
    """Return what is wrong with decided weights, which would else be zero without a word; empty where nothing is."""
    if not isinstance(weights, pd.DataFrame):
        return f"a {type(weights).__name__}; accepted: a DataFrame of weights, one row a session, one column a symbol."
    if strange := [name for name in weights.columns if name not in symbols]:
        return f"weights of {strange[0]!r}, which is not among its symbols. {nearest(str(strange[0]), symbols)}"
    if not weights.index.isin(sessions).all():
        day = weights.index[~weights.index.isin(sessions)][0]
        return f"weights on {day}, which is no session of the panel. Use the panel's own index."
    if text := [name for name, kind in weights.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]:
        return f"weights of {text[0]!r} that are no numbers but {weights[text[0]].dtype}."
    return ""


def _written(module: ModuleType) -> list[type[Strategy]]:
    """Return the classes of strategies that are written in a file, not those it imports."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]


def _failed_at(error: Exception, file: str) -> int:
    """Return the last line of the file that an error passed through."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno or 1
    frames = [frame.lineno or 1 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1] if frames else 1


def _what(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"this is not Python: {error.msg}."
    words = " ".join(str(error).split())
    return words if isinstance(error, QuantError) else f"{type(error).__name__}: {words}"


def _line(text: str, name: str) -> int:
    """Return the line on which a class is written or a name is given a value."""
    lines = text.splitlines()
    found = (n for n, line in enumerate(lines, start=1) if line.startswith((f"class {name}", f"{name} =", f"{name}:")))
    return next(found, 1)


def _not_one(text: str, file: str, written: list[type[Strategy]], classes: list[type[Strategy]]) -> StrategyError:
    """Return the error of a file that holds no strategy, or several."""
    if classes:
        places = ", ".join(f"{family.__name__} (line {_line(text, family.__name__)})" for family in classes)
        return StrategyError(f"{file} holds {len(classes)} strategies: {places}. Say which: `strategy = ...`.")
    for family in written:
        missing = ", ".join(sorted(family.__abstractmethods__))
        where = f"{file}, line {_line(text, family.__name__)}"
        return StrategyError(f"{where}: {family.__name__} does not say its {missing}. A strategy has to.")
    return StrategyError(f"{file}, line 1: there is no strategy. Write a class of Strategy, or `strategy = ...`.")


def _check(family: type[Strategy], text: str, file: str) -> None:
    """Raise where a class does not say what it is, or says it is one of the families built in."""
    where = f"{file}, line {_line(text, family.__name__)}: {family.__name__}"
    for name in _TOLD:
        if not isinstance(getattr(family, name, None), str):
            raise StrategyError(f"{where} does not say its {name}. Write `{name} = ...` in it, as text.")
    if family.family in STRATEGIES:
        raise StrategyError(f"{where} calls its family {family.family!r}, which is built in. Choose another word.")


def _packed(strategy: Strategy) -> tuple[Any, ...]:
    """Return how a strategy of a file goes to another process: as the text of the file and its parameters."""
    return _unpacked, (strategy.source_code, type(strategy).__name__, strategy.model_dump_json())


def _unpacked(text: str, name: str, parameters: str) -> Strategy:
    family: type[Strategy] = getattr(_run(text, f"{name}.py"), name)
    return family(**json.loads(parameters))
