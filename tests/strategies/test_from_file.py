"""Strategies out of Python files: what is loaded, what its id hangs on, and what a bad file is told."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from quantlib.errors import QuantError, StrategyError
from quantlib.strategies import MACross
from quantlib.strategies.from_file import load_file, load_source
from quantlib.types import Panel

GOOD = '''\
from __future__ import annotations

from typing import ClassVar

import pandas as pd
from pydantic import Field

from quantlib.strategies import Strategy
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


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_the_one_class_of_a_file_is_the_strategy(tmp_path: Path, small: Panel) -> None:
    strategy = load_file(written(tmp_path, GOOD))
    assert (strategy.family, strategy.symbols, strategy.warmup) == ("above_mean", ("KO",), 100)
    close = small.frame()["KO"]
    expected = (close > close.rolling(100).mean()).astype(float)
    pd.testing.assert_series_equal(strategy.targets(small)["KO"], expected, check_names=False)


def test_where_it_decides_nothing_the_last_decision_stands(tmp_path: Path, small: Panel) -> None:
    strategy = load_file(written(tmp_path, GOOD))
    held = strategy.targets(small)["KO"]
    at = int(np.flatnonzero(held.to_numpy()[150:300] == 1.0)[0]) + 150
    close = small.frame().copy()
    close.iloc[at + 1, close.columns.get_loc("KO")] = np.nan
    weights = strategy.targets(Panel.from_frames(close))["KO"]
    assert (weights.iloc[at : at + 101] == 1.0).all(), "no mean is known for a hundred sessions"


def test_the_id_hangs_on_the_text_and_on_the_parameters(tmp_path: Path) -> None:
    first = load_file(written(tmp_path, GOOD))
    assert load_file(written(tmp_path, GOOD, "copy.py")) == first
    assert load_file(written(tmp_path, GOOD, "copy.py")).id == first.id
    assert load_file(written(tmp_path, f"{GOOD}\n")).id != first.id
    assert load_source(GOOD, "mine.py", {"lookback": 50}).id != first.id
    assert first.id == load_file(written(tmp_path, GOOD)).id, "what was loaded since does not change it"


def test_an_instance_that_is_named_wins(tmp_path: Path) -> None:
    two = GOOD + GOOD.partition("class ")[1] + GOOD.partition("class ")[2].replace("AboveMean", "Other", 1)
    with pytest.raises(StrategyError, match=r"mine\.py holds 2 strategies: AboveMean \(line 12\), Other \(line 34\)"):
        load_file(written(tmp_path, two))
    strategy = load_file(written(tmp_path, f"{two}\nstrategy = Other(symbol='PEP')\n"))
    assert (type(strategy).__name__, strategy.symbols) == ("Other", ("PEP",))


def test_a_definition_of_a_family_is_just_that(tmp_path: Path) -> None:
    text = "from quantlib.strategies import MACross\n\nstrategy = MACross(universe=('KO',), fast=20)\n"
    strategy = load_file(written(tmp_path, text))
    assert strategy == MACross(universe=("KO",), fast=20)
    assert strategy.id == MACross(universe=("KO",), fast=20).id
    assert MACross.source_code == ""


def test_a_base_of_ones_own_is_no_strategy(tmp_path: Path) -> None:
    base = GOOD.replace("def warmup", "def length")
    below = "\n\nclass Long(AboveMean):\n    @property\n    def warmup(self) -> int:\n        return self.lookback\n"
    assert type(load_file(written(tmp_path, base + below))).__name__ == "Long"
    with pytest.raises(StrategyError, match=r"mine\.py, line 12: AboveMean does not say its warmup"):
        load_file(written(tmp_path, base))


def test_it_goes_to_another_process(tmp_path: Path) -> None:
    strategy = load_source(GOOD, "mine.py", {"symbol": "PEP", "lookback": 20})
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    packed = written(tmp_path, "", "strategy.pickle")
    packed.write_bytes(cloudpickle.dumps(strategy))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).id)"
    done = subprocess.run([sys.executable, "-c", code, str(packed)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == strategy.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", r"mine\.py, line 1: this is not Python: "),
        ("import pandas\n\nimport no_such_module\n", r"mine\.py, line 3: ModuleNotFoundError: No module named"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", r"mine\.py, line 2: ZeroDivisionError: division by zero"),
        ("x = 1\n", r"mine\.py, line 1: there is no strategy"),
        ("from quantlib.strategies import MACross\n", r"mine\.py, line 1: there is no strategy"),
        ("x = 1\nstrategy = 7\n", r"mine\.py, line 2: `strategy` is a int; accepted: a Strategy"),
        (
            "from quantlib.strategies import MACross\nstrategy = MACross(universe=('KO',), fast=300)\n",
            r"mine\.py, line 2: ValidationError: .*must be shorter than",
        ),
        (GOOD.replace('family: ClassVar[str] = "above_mean"', ""), r"line 12: AboveMean does not say its family"),
        (GOOD.replace('"above_mean"', '"pair"'), r"line 12: AboveMean calls its family 'pair', which is built in"),
        (GOOD.replace("default=100, ", ""), r"mine\.py, line 12: AboveMean: lookback is missing"),
        (GOOD.replace("default=100", "default='x'"), None),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str | None) -> None:
    before = set(sys.modules)
    if message is None:  # Pydantic takes defaults as they are
        assert load_file(written(tmp_path, text)).warmup == "x"
        return
    with pytest.raises(StrategyError, match=message) as caught:
        load_file(written(tmp_path, text))
    assert str(tmp_path / "mine.py") in str(caught.value)
    if "Error" in message or "Python" in message:
        assert not [name for name in set(sys.modules) - before if name.startswith("strategy_file_")]


RETURNS = "return (close > mean).astype(float).where(mean.notna())"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("return close['XX']", r"mine\.py, line 33: KeyError: 'XX'$"),
        ("return self._missing(close)", r"mine\.py, line 33: AttributeError: .*_missing"),
        ("return close['KO']", r"mine\.py, line 30: decide gives a Series; accepted: a DataFrame of weights"),
        ("return None", r"mine\.py, line 30: decide gives a NoneType; accepted"),
        ("return close.rename(columns={'KO': 'KOO'})", r"line 30: decide gives weights of 'KOO'.*Did you mean KO\?"),
        ("return close.reset_index(drop=True)", r"line 30: decide gives weights on 0, which is no session"),
        ("return close.shift(1, freq='D')", r"line 30: decide gives weights on 20.*, which is no session"),
        ("return close.astype(str)", r"line 30: decide gives weights of 'KO' that are no numbers but str"),
        ("return panel.until('x')", r"'x'"),
    ],
)
def test_what_fails_while_it_decides_is_told_with_its_line(
    tmp_path: Path, small: Panel, line: str, message: str
) -> None:
    assert RETURNS in GOOD
    strategy = load_file(written(tmp_path, GOOD.replace(RETURNS, line)))
    with pytest.raises(QuantError, match=message):
        strategy.targets(small)


def test_what_is_no_file_of_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"must end in \.py"):
        load_file(tmp_path / "mine.txt")
    with pytest.raises(StrategyError, match=r"mine\.py cannot be read \(No such file"):
        load_file(tmp_path / "mine.py")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    with pytest.raises(StrategyError, match="not text in UTF-8"):
        load_file(tmp_path / "latin.py")


def test_leaving_the_interpreter_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        load_file(written(tmp_path, "raise SystemExit(3)\n"))


def test_parameters_are_checked(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"mine\.py, line 12: AboveMean: lokback is not a parameter.*lookback"):
        load_source(GOOD, "mine.py", {"lokback": 5})
