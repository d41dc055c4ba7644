"""Fixtures every room's tests share: real sample panels and the folder of recorded data."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from skfolio.datasets import load_factors_dataset, load_sp500_dataset

from quantlib.settings import Settings
from quantlib.types import Panel

pytest_plugins = ["chromium", "database", "prepared", "recorded"]

# Whatever the developer has set for their own workbench stays out of the tests, and their data out of reach.
_named = {str(field.validation_alias) for field in Settings.model_fields.values() if field.validation_alias}
for _name in [n for n in os.environ if n.startswith("WORKBENCH_") or n in _named]:
    del os.environ[_name]
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
Settings.model_config["env_file"] = None

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that have slow tests first, so that no process is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def replay() -> Path:
    """Return the folder of recorded real data, which stands beside the project where it exists."""
    folder = Path(os.environ.get("REPLAY_DIR", ROOT.parent / "shared" / "replay"))
    if not folder.is_dir():
        reason = "the folder of recorded real data is not here"
        if os.environ.get("REPLAY_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def stocks() -> Panel:
    """Return 20 US stocks, adjusted closes only, 1990-01-02 to 2022-12-28."""
    return Panel.from_frames(load_sp500_dataset(), source="sample")


@pytest.fixture(scope="session")
def factor_etfs() -> Panel:
    """Return five factor ETFs, adjusted closes only, 2014-01-02 to 2022-12-28."""
    return Panel.from_frames(load_factors_dataset(), source="sample")


@pytest.fixture
def small(stocks: Panel) -> Panel:
    """Return three stocks over the last 500 sessions."""
    return stocks.select(["KO", "PEP", "MSFT"]).tail(500)


@pytest.fixture(scope="session")
def ohlcv() -> Panel:
    """Return the S&P 500 index with open, high, low, close and volume, 1999 to 2018."""
    from arch.data import sp500

    frame = sp500.load()

    def wide(column: str) -> pd.DataFrame:
        return frame[[column]].astype(float).set_axis(["^GSPC"], axis=1)

    return Panel.from_frames(
        wide("Close"),
        open=wide("Open"),
        high=wide("High"),
        low=wide("Low"),
        volume=wide("Volume"),
        source="sample",
    )
