"""kill -9 at random points of an ingest, of its process and of the database server: all or nothing, then complete.

Four points by default; KILL_TRIALS=20 runs twenty. What is killed is named by the very process id.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.settings import Settings
from quantlib.store import Store, embedded
from quantlib.types import Panel
from quantlib.workflows.folder import load_folder
from quantlib.workflows.session import Session

log = logging.getLogger(__name__)
TRIALS = int(os.environ.get("KILL_TRIALS", "4"))
ROOT = Path(__file__).resolve().parents[2]
# Imports first, so that the next client can get ready while the last one is looked at.
CLIENT = """
import sys
from pathlib import Path
from quantlib.settings import Settings
from quantlib.store import Store
from quantlib.workflows.folder import load_folder
from quantlib.workflows.session import Session
print("ready", flush=True)
sys.stdin.readline()
home, folder = map(Path, sys.argv[1:])
session = Session(Settings(home=home), Store.connect(None, home))
load_folder(session, folder, on_progress=lambda done, total, name: print(done, flush=True))
"""
# When a row was written differs from run to run, and what the run was like is no data.
STAMPS = {"recorded_at", "replaced_at", "updated_at", "fetched_at", "found_at", "proposed_at", "first_seen_at"}
STAMPS |= {"last_seen_at", "first_recorded_at", "times"}
OF_THE_RUN = {"ops.ingest_log", "ops.vendors", "ops.capabilities", "ops.schema_version"}


def tables(store: Store) -> list[str]:
    with store.begin() as connection:
        names = connection.scalars(
            sa.text(
                "SELECT schemaname || '.' || tablename FROM pg_tables "
                "WHERE schemaname !~ '^(pg_|information_schema|public|jobs|quota)' ORDER BY 1"
            )
        )
        return [name for name in names if name not in OF_THE_RUN]


def content(store: Store) -> dict[str, str]:
    """Return a hash of every table's rows in their order, times of writing aside."""
    found = {}
    with store.begin() as connection:
        for name in tables(store):
            columns = connection.execute(sa.text(f"SELECT * FROM {name} LIMIT 0")).keys()
            row = ", ".join(f'"{column}"' for column in columns if column not in STAMPS)
            total = f"SELECT md5(string_agg(r, '|' ORDER BY r)) FROM (SELECT ROW({row})::text AS r FROM {name}) x"
            found[name] = connection.scalar(sa.text(total))
    return found


def counts(store: Store) -> dict[str, int]:
    with store.begin() as connection:
        rows = connection.execute(sa.text("SELECT symbol, count(*) AS bars FROM market_data.bars GROUP BY symbol"))
        return {row.symbol: row.bars for row in rows}


def start_client(home: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(home), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def end(client: subprocess.Popen[str]) -> None:
    if client.poll() is None:
        client.kill()
    client.communicate()


def run_trials(home: Path, folder: Path, sizes: dict[str, int], seed: int, trials: int) -> None:
    """Kill the client, the server, the client ... and assert each time that no trace of it is left.

    `sizes` are the bars of each file, whose name is their symbol, in the order they are read.
    """
    rng = random.Random(seed)
    names = list(sizes)
    with Store.connect(None, home) as store:
        session = Session(Settings(home=home), store)
        assert load_folder(session, folder).ok
        undisturbed = content(store)
        assert counts(store) == sizes
        client = start_client(home, folder)
        try:
            for trial in range(trials):
                with store.begin() as connection:
                    connection.execute(sa.text(f"TRUNCATE {', '.join(tables(store))} RESTART IDENTITY CASCADE"))
                assert client.stdin is not None
                assert client.stdout is not None
                assert client.stdout.readline() == "ready\n"
                begin = time.perf_counter()
                print("go", file=client.stdin, flush=True)
                done, wanted = 0, rng.randrange(len(names))
                while done < wanted:
                    done = int(client.stdout.readline())
                pace = (time.perf_counter() - begin) / (wanted + 1)
                time.sleep(rng.uniform(0, 2 * pace))
                if trial % 2:
                    pid = embedded.status(home).pid
                    assert pid is not None
                    os.kill(pid, signal.SIGKILL)
                else:
                    os.kill(client.pid, signal.SIGKILL)
                said = client.stdout.read().split()  # until the client has ended
                code = client.wait(60)
                client.communicate()
                client = start_client(home, folder)

                told = max([done, *map(int, said)])
                left = counts(store)
                victim = "server" if trial % 2 else "client"
                log.info("%s killed: %d of %d files stored, exit code %s", victim, len(left), len(names), code)
                assert {name: sizes[name] for name in left} == left, "a half-written file"
                assert set(names[:told]) <= set(left), "a file whose end was reported is gone"
                assert len(left) <= told + 1, "a file nobody has read yet"

                result = load_folder(session, folder)
                assert result.ok
                assert result.total.unchanged >= sum(left.values())
                assert content(store) == undisturbed
        finally:
            end(client)
        assert load_folder(session, folder).changed_nothing


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a folder for a server of this test alone: it is going to be killed."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = Path(folder).resolve() / "home"
        yield path
        embedded.stop(path)


@pytest.mark.slow
def test_an_ingest_killed_anywhere_is_whole_or_absent_and_completes(home: Path, stocks: Panel, tmp_path: Path) -> None:
    panel = stocks.tail(2_000)
    sizes = {}
    for i, symbol in enumerate(sorted(panel.symbols)):
        closes = panel.frame("close")[symbol].iloc[i:]
        frame = pd.DataFrame({"symbol": symbol, "date": closes.index, "close": closes.to_numpy()})
        frame.to_csv(tmp_path / f"{symbol}.csv", index=False)
        sizes[symbol] = len(closes)
    run_trials(home, tmp_path, sizes, seed=1, trials=TRIALS)


@pytest.mark.slow
@pytest.mark.replay
def test_an_ingest_of_recorded_prices_killed_anywhere_completes(home: Path, replay: Path, tmp_path: Path) -> None:
    prices = pd.read_parquet(replay / "prices" / "us_equities_raw_2000_20240308.parquet")
    sizes = {}
    for symbol in np.sort(prices["symbol"].unique())[::3]:
        one = prices[prices["symbol"] == symbol]
        one.to_parquet(tmp_path / f"{symbol}.parquet", index=False)
        sizes[str(symbol)] = len(one)
    run_trials(home, tmp_path, sizes, seed=2, trials=TRIALS if TRIALS >= 20 else 2)
