"""Fixtures of the store's tests: homes for embedded servers, client processes, and small real bars."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from quantlib.store import embedded
from quantlib.types import BAR_COLUMNS

# The server's module without the rest of the room, whose pandas and pyarrow take seconds to import many times.
LIGHT = f"""
import sys, types
package = types.ModuleType("quantlib.store")
package.__path__ = [{str(Path(embedded.__file__).parent)!r}]
sys.modules["quantlib.store"] = package
from pathlib import Path
from quantlib.store import embedded
embedded.LINGER_SECONDS = 0.2
"""
CLIENT = """
print(embedded.start(Path(sys.argv[1])), flush=True)
sys.stdin.readline()
"""


class Client:
    """Another process that uses the embedded server until it is told to go, or killed."""

    def __init__(self, home: Path, code: str = CLIENT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LIGHT + code, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        assert self.process.stdin is not None
        if self.process.poll() is None:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        self.process.wait(20)
        self.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)
        self.close()

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Return a function that starts another client process; all are ended after the test."""
    made: list[Client] = []

    def start(home: Path, code: str = CLIENT) -> Client:
        made.append(Client(home, code))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.kill()
        one.close()


def _home() -> Iterator[Path]:
    # Not under pytest's own folder: every pytest session of root closes that to the server's account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        home = Path(folder).resolve() / "home"
        yield home
        embedded.stop(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a folder for an embedded server of its own, stopped after the test."""
    yield from _home()


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    """Return a folder whose embedded server the tests of a module mistreat one after another."""
    yield from _home()


@pytest.fixture
def bars() -> pd.DataFrame:
    """Return six daily bars of two symbols as Yahoo gave them (January 2024, Coca-Cola across no dividend)."""
    rows = [
        ("KO", "2024-01-02", 58.93, 59.86, 58.88, 59.82, 15_463_500.0, 58.0021),
        ("KO", "2024-01-03", 59.93, 60.30, 59.62, 59.93, 14_226_500.0, 58.1088),
        ("KO", "2024-01-04", 60.01, 60.20, 59.75, 59.85, 13_004_900.0, 58.0312),
        ("PEP", "2024-01-02", 169.60, 172.60, 169.28, 171.49, 6_063_100.0, 166.0502),
        ("PEP", "2024-01-03", 171.43, 171.82, 169.56, 169.92, 6_058_800.0, 164.5300),
        ("PEP", "2024-01-05", 169.46, 169.67, 166.75, 167.53, 5_210_300.0, 163.4103),
    ]
    names = ["symbol", "ts", "open", "high", "low", "close", "volume", "adj_close"]
    frame = pd.DataFrame(rows, columns=names).assign(source="yahoo")
    return frame.assign(ts=pd.to_datetime(frame["ts"]).astype("datetime64[us]"))[list(BAR_COLUMNS)]
