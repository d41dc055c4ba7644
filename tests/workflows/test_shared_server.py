"""The app, a notebook and an ingest on one embedded server, while each of them, and the server, is killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from quantlib.settings import ROOT, Settings
from quantlib.store import coverage, embedded, read_ingest_log
from quantlib.workflows.ingest import ingest
from quantlib.workflows.session import Session, open_session

pytestmark = pytest.mark.slow
BARS = {"KO": 8313, "PEP": 8313, "MTUM": 2264, "^IXIC": 5031}


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a folder for an embedded server, stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        yield Path(folder)
        embedded.stop(Path(folder))


@pytest.fixture
def app(home: Path) -> Iterator[Session]:
    """Return the app's part: a long-lived session of this process, as `app.cache.session` holds it."""
    session = open_session(Settings(home=home, _env_file=None))
    yield session
    session.close()


class Notebook:
    """A real Jupyter kernel with an open session."""

    def __init__(self, home: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.kernel_spec.argv[0] = sys.executable
        environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"WORKBENCH_HOME": str(home)}
        self.manager.start_kernel(env=environment, cwd=str(ROOT))
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.run("from quantlib.workflows.session import open_session")
        self.run("from quantlib.workflows.research import load_panel")
        self.run("session = open_session()")

    def run(self, code: str) -> str:
        """Return what a cell prints; an error in it fails the test."""
        self.client.execute(code)
        printed = ""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=60)
            except queue.Empty:
                pytest.fail(f"The kernel did not answer: {code}")
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", "\n".join(content["traceback"])
            printed += content["text"] if kind == "stream" and content["name"] == "stdout" else ""
            if kind == "status" and content["execution_state"] == "idle":
                return printed.strip()

    def bars_of(self, symbol: str) -> int:
        """Return how many bars the kernel reads."""
        return int(self.run(f"print(len(load_panel(session, ['{symbol}'])))"))

    def stop(self) -> None:
        """Shut the kernel down."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(home: Path) -> Iterator[Notebook]:
    """Return a running notebook on the same home."""
    kernel = Notebook(home)
    yield kernel
    kernel.stop()


def start_ingest(home: Path, *symbols: str) -> subprocess.Popen[bytes]:
    """Return a running `workbench ingest` of the sample."""
    command = [sys.executable, "-m", "quantlib.cli", "ingest", "--source", "sample"]
    command += [word for symbol in symbols for word in ("--symbol", symbol)]
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"WORKBENCH_HOME": str(home)}
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_server(home: Path) -> None:
    """Kill the server with everything it started, as a power cut would."""
    pid = int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])
    postmaster = psutil.Process(pid)
    for process in [postmaster, *postmaster.children(recursive=True)]:
        process.kill()
    psutil.wait_procs([postmaster], timeout=10)


def counts(session: Session) -> dict[str, int]:
    table = coverage(session.store)
    return dict(zip(table["symbol"], table["bars"].astype(int), strict=True))


def test_all_three_at_once_see_one_database(home: Path, app: Session, notebook: Notebook) -> None:
    assert start_ingest(home, "KO").wait(timeout=60) == 0
    assert notebook.bars_of("KO") == BARS["KO"]
    assert counts(app) == {"KO": BARS["KO"]}
    assert len(list((home / "pg").glob("postmaster.pid"))) == 1


def test_killing_the_server_loses_no_committed_row_and_all_go_on(home: Path, app: Session, notebook: Notebook) -> None:
    ingest(app.store, "sample", ["KO"], universe=app.universe)
    ingest(app.store, "sample", ["PEP"], universe=app.universe)
    kill_server(home)
    assert notebook.bars_of("KO") == BARS["KO"]
    assert counts(app) == {"KO": BARS["KO"], "PEP": BARS["PEP"]}
    assert ingest(app.store, "sample", ["MTUM"], universe=app.universe).ok
    kill_server(home)
    assert start_ingest(home, "^IXIC").wait(timeout=60) == 0
    assert counts(app) == {name: BARS[name] for name in ("KO", "PEP", "MTUM", "^IXIC")}


def test_killing_an_ingest_leaves_whole_symbols_only_and_the_next_one_completes(home: Path, app: Session) -> None:
    for wait in (0.9, 1.2, 1.5, 1.9, 2.4):
        process = start_ingest(home)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for symbol, bars in counts(app).items():
            assert bars == BARS.get(symbol, bars)
            assert bars in {8313, 2264, 5031}
    assert start_ingest(home).wait(timeout=120) == 0
    assert sum(counts(app).values()) == 190_924
    assert read_ingest_log(app.store)["status"].iloc[0] == "ok"


def test_killing_the_notebook_leaves_the_others_alone(home: Path, app: Session, notebook: Notebook) -> None:
    ingest(app.store, "sample", ["KO"], universe=app.universe)
    assert notebook.bars_of("KO") == BARS["KO"]
    os.kill(notebook.manager.provisioner.pid, signal.SIGKILL)
    assert counts(app) == {"KO": BARS["KO"]}
    assert start_ingest(home, "PEP").wait(timeout=60) == 0
    assert counts(app) == {"KO": BARS["KO"], "PEP": BARS["PEP"]}
