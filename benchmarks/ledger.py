"""What it costs to write down ten thousand trials: `python -m benchmarks.ledger`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quantlib.backtest import SweepResult
from quantlib.settings import Settings
from quantlib.sources.base import Call
from quantlib.store import Store, embedded, read_instruments
from quantlib.store.trials import Ending, begin_trials, end_trials, read_trials
from quantlib.strategies import Pair
from quantlib.workflows import ledger, sweeping
from quantlib.workflows.ingest import ingest
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session

SETS, LIMIT = 10_000, 20.0
MANY = 100_000
STRATEGY = Pair(y="KO", x="PEP")
GRID = {
    "lookback": range(20, 20 + SETS // 50),
    "entry": [1.0 + k / 10 for k in range(10)],
    "exit": [0.0, 0.1, 0.2, 0.3, 0.4],
}


@dataclass
class Clock:
    """Seconds spent in something."""

    spent: float = 0.0

    def timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same work with its time taken."""

        def run(*args: Any, **how: Any) -> Any:
            begin = time.perf_counter()
            try:
                return work(*args, **how)
            finally:
                self.spent += time.perf_counter() - begin

        return run


def swept(session: Session) -> tuple[float, float, SweepResult]:
    """Return seconds in all, seconds of them in the engine alone, and what was found, of ten thousand sets."""
    told, engine = Clock(), Clock()
    plain_sweep, plain_found = sweeping.sweep, ledger.SetsTried.found
    sweeping.sweep = engine.timed(plain_sweep)
    ledger.SetsTried.found = told.timed(plain_found)
    begin = time.perf_counter()
    try:
        made = sweeping.sweep_strategy(session, STRATEGY, GRID)
    finally:
        sweeping.sweep, ledger.SetsTried.found = plain_sweep, plain_found
    return time.perf_counter() - begin, engine.spent - told.spent, made.result


def lines() -> list[str]:
    """Return what was measured as Markdown."""
    # Not in a folder of the user's: the embedded server of root closes it to its own account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        home = Path(folder).resolve()
        try:
            with Store.connect(None, home) as store:
                return _lines(Session(Settings(home=home, _env_file=None), store))
        finally:
            embedded.stop(home)


def _lines(session: Session) -> list[str]:
    store = session.store
    ingest(store, "sample", ["KO", "PEP"], call=Call(session.settings.home))
    assert set(read_instruments(store)) >= {"KO", "PEP"}
    sweeping.sweep_strategy(session, STRATEGY, {"lookback": [20, 30]})  # compiles, and MLflow makes its file
    total, engine, found = swept(session)
    rows = ledger.ledger_table(session, STRATEGY.family)
    done = rows[(rows["kind"] == "set") & (rows["outcome"] == "done")]
    if found.n_tried != SETS or len(done) < SETS:
        raise SystemExit(f"{SETS:,} sets were asked for, {found.n_tried:,} run and {len(done):,} written down.")
    if total - engine > LIMIT:
        raise SystemExit(f"Logging took {total - engine:.1f} s; the limit is {LIMIT:.0f}.")
    again = Clock()
    again.timed(lambda: sweeping.sweep_strategy(session, STRATEGY, GRID))()
    counted = Clock()
    trials = counted.timed(ledger.trials_of)(session, STRATEGY.family)
    if trials.n != SETS + 2:
        raise SystemExit(f"{trials.n:,} trials were counted instead of {SETS + 2:,}.")
    alike = f"as many as {trials.effective:,.1f} independent ones"
    many = Clock()
    table = many.timed(ledger.ledger_table)(_filled(session))
    return [
        f"**A sweep of {SETS:,} sets of a pair over {done['n'].max():,} sessions, every set a trial in the ledger.**",
        "",
        "| | s |",
        "|---|---:|",
        f"| the sweep from its call to its end, stored, logged and counted | {total:.2f} |",
        f"| of it the engine alone, growth in 96 buckets included | {engine:.2f} |",
        f"| of it writing down: ledger before and after, table, MLflow, curves | {total - engine:.2f} |",
        f"| the same sweep asked for again | {again.spent:.2f} |",
        f"| {trials.n:,} trials read and compared, {alike} | {counted.spent:.2f} |",
        f"| {len(table):,} trials read as a table | {many.spent:.2f} |",
        "",
    ]


def _filled(session: Session) -> Session:
    """Return the session with so many trials on record that reading them takes long, if it ever does."""
    [one] = read_trials(session.store, kind="set", limit=1).to_dict(orient="records")
    pattern = ledger.sweep_trial(session, "sweep", STRATEGY, _panel(session), name="", costs={}, content={})
    trials = [
        pattern.model_copy(update={"id": f"many-{k}", "kind": "set", "params": {"entry": k}, "terms": {}})
        for k in range(MANY)
    ]
    for begin in range(0, MANY, SETS):
        part = trials[begin : begin + SETS]
        begin_trials(session.store, part)
        ending = Ending("", n=int(one["n"]), mean=0.0, sd=0.01, sharpe=0.0, curve=np.zeros(96))
        end_trials(session.store, [replace(ending, id=trial.id) for trial in part])
    return session


def _panel(session: Session) -> Any:
    return shared_panel(session, STRATEGY.inputs)


if __name__ == "__main__":
    print("\n".join(lines()))
