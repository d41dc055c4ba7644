"""Trials of Ray workers: sets that run on a cluster, and backtests that its tasks ask for, each counts once."""

from __future__ import annotations

from prepared import empty_home
from ray_process import ON_RAY, said_on_ray

pytestmark = ON_RAY

SCRIPT = """
import json, os
import ray
from quantlib.settings import get_settings
from quantlib.sources.base import Call
from quantlib.strategies import MACross
from quantlib.workflows import tracking
from quantlib.workflows.ingest import ingest
from quantlib.workflows.ledger import ledger_table, trial_counts
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import open_session
from quantlib.workflows.sweeping import sweep_strategy

tracking.Tracker.log = lambda *_: "none"
session = open_session()
ingest(session.store, "sample", ["KO"], start="2016-01-01", call=Call(get_settings().home))
strategy = MACross(universe=("KO",), fast=10)
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

@ray.remote(max_retries=1)
def ask(fast, die):
    from quantlib.settings import Settings
    Settings.model_config["env_file"] = None
    from quantlib.workflows import research, tracking
    tracking.Tracker.log = lambda *_: "none"
    mine = open_session(idea="remote")
    if die and ray.get_runtime_context().get_task_id() and not os.path.exists(die):
        open(die, "w").close()
        research.run_strategy = lambda *_, **__: os.kill(os.getpid(), 9)
    backtest_strategy(mine, strategy.model_copy(update={"fast": fast}))
    mine.close()
    return mine.origin

mark = str(get_settings().home / "died")
said = {"origins": sorted(set(ray.get([ask.remote(fast, "") for fast in (5, 6, 6)])))}
ray.get(ask.remote(7, mark))
said["died"] = os.path.exists(mark)
grid = {"slow": list(range(50, 60))}
sweep_strategy(session.asked(idea="near"), strategy, grid)
sweep_strategy(session.asked(idea="far"), strategy, grid, engine="ray")
sweep_strategy(session.asked(idea="far"), strategy, grid)
said["counts"] = trial_counts(session)
said["times"] = ledger_table(session, "remote")["times"].sort_values().tolist()
far, near = (ledger_table(session, idea, kind="set").sort_values("params") for idea in ("far", "near"))
said["same"] = far["sharpe"].tolist() == near["sharpe"].tolist()
said["from"] = sorted(set(far["origin"]))
ray.shutdown()
session.close()
print(json.dumps(said))
"""


def test_what_runs_on_a_cluster_is_counted_once() -> None:
    with empty_home() as home:
        command, environment = home.command(SCRIPT)
        said = said_on_ray(command, environment)
    assert said["origins"] == ["ray"]
    assert said["died"], "a task was killed in the middle of its backtest"
    assert said["counts"] == {"far": 10, "near": 10, "remote": 3}
    assert said["times"] == [1, 2, 2], "asked for twice, and begun again after the kill"
    assert said["same"]
    assert said["from"] == ["ray"], "found again, it is not swept again"
