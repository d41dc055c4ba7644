"""Fixtures of the pages' tests: the app in this process, on a home with results, an empty one, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prepared import Home, empty_home, prepared_home
from streamlit.testing.v1 import AppTest

from app import cache
from quantlib.settings import get_settings

WARM_RATIOS = pytest.StashKey[dict[str, float]]()
MAIN = Path(cache.__file__).with_name("main.py")
Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def prepared() -> Iterator[Home]:
    """Return a home with the sample and the pipeline's results."""
    with prepared_home() as home:
        yield home


@pytest.fixture(scope="session")
def bare() -> Iterator[Home]:
    """Return a home with nothing in it."""
    with empty_home() as home:
        yield home


def open_page(name: str, **query: str) -> AppTest:
    """Return a page of the app after its first run, opened by its address."""
    app = AppTest.from_file(MAIN, default_timeout=60)
    app.switch_page(f"../pages/{name}.py")
    for key, value in query.items():
        app.query_params[key.replace("__", "-")] = value
    return app.run()


@contextmanager
def app_with(environment: dict[str, str]) -> Iterator[Open]:
    """Give `open_page` with these settings in force, and what pages share between runs forgotten at both ends."""

    def forget() -> None:
        get_settings.cache_clear()
        cache.session.clear()
        cache._kept.clear()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "MLFLOW_TRACKING_URI", "WORKBENCH_SOURCE"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        forget()
        yield open_page
        forget()


@pytest.fixture(scope="module")
def app(prepared: Home) -> Iterator[Open]:
    """Return a function that opens a page of the app on the prepared home."""
    with app_with(prepared.settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty_app(bare: Home) -> Iterator[Open]:
    """Return a function that opens a page of the app on an empty store."""
    with app_with(bare.settings) as opened:
        yield opened


@pytest.fixture
def lost_app(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens a page of the app whose database cannot be reached."""
    nowhere = {"DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1/nothing", "WORKBENCH_HOME": str(tmp_path)}
    with app_with(nowhere) as opened:
        yield opened


@pytest.fixture(scope="session")
def warm_ratios(pytestconfig: pytest.Config) -> dict[str, float]:
    """Return where a page's warm run over an empty page's is kept, to be printed at the end."""
    return pytestconfig.stash.setdefault(WARM_RATIOS, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how much longer each page's warm run takes than an empty page's."""
    if ratios := config.stash.get(WARM_RATIOS, {}):
        words = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
        terminalreporter.write_line(f"warm page runs, in empty ones: {words}")
