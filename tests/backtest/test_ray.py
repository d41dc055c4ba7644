"""A real Ray cluster of two nodes on this machine: the same answers, and a node that dies only costs time."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from ray_process import ON_RAY, said_on_ray

pytestmark = ON_RAY

SCRIPT = """
import json, sys, time
import pandas as pd
import ray
from ray.cluster_utils import Cluster
from skfolio.datasets import load_sp500_dataset

from quantlib.backtest.search import Between, search
from quantlib.backtest.sweep import sweep
from quantlib.compute import map_work
from quantlib.errors import DataError
from quantlib.strategies import Pair
from quantlib.types import Panel

panel = Panel.from_frames(load_sp500_dataset().iloc[-700:])
grid = {"lookback": range(20, 60, 2), "entry": [1.0, 1.5, 2.0], "exit": [0.0, 0.3], "stops.loss": [None, 0.03]}

def where(_):
    time.sleep(1.0)  # or one node would be done before the other has begun
    return ray.get_runtime_context().get_node_id()

def refuse(item):
    raise DataError(f"{item} is refused")

# A node that is gone refuses to answer at once and is given up after five tries; one that is only slow has its time.
quick = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_timeout_ms": 20_000}
quick["health_check_failure_threshold"] = 5
cluster = Cluster(
    initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": quick}
)
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
said = {"nodes": len(set(map_work(where, range(8), engine="ray")))}

local = sweep(Pair(), grid, panel)
far = sweep(Pair(), grid, panel, engine="ray")
pd.testing.assert_frame_equal(local.table, far.table, check_exact=True)
space = {"entry": Between(1.0, 2.0), "lookback": Between(20, 60)}
near, remote = (search(Pair(), space, panel, trials=8, engine=engine) for engine in ("threads", "ray"))
pd.testing.assert_frame_equal(near.table, remote.table, check_exact=True)
said["sets"] = far.n_tried
try:
    list(map_work(refuse, ["this"], engine="ray"))
except DataError as error:
    said["error"] = str(error)

killed, asked_on = [], []
def kill(done, total):
    if not killed:
        killed.append(done)
        cluster.remove_node(second, allow_graceful=False)

# The node dies while it is at work: its part is done again by the other, and all that is left.
for node in map_work(where, range(8), engine="ray", on_progress=kill):
    asked_on.append(node)
wounded = sweep(Pair(), grid, panel, engine="ray")
pd.testing.assert_frame_equal(local.table, wounded.table, check_exact=True)
until = time.monotonic() + 60
while sum(node["Alive"] for node in ray.nodes()) > 1 and time.monotonic() < until:
    time.sleep(0.2)
said |= {"killed_after": killed[0], "answers": len(asked_on), "last": len(set(asked_on[4:]))}
said["left"] = sum(node["Alive"] for node in ray.nodes())
print(json.dumps(said))
ray.shutdown()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script and return what it found; it fails where an answer differs."""
    script = tmp_path_factory.mktemp("cluster") / "cluster.py"
    script.write_text(SCRIPT)
    return said_on_ray([sys.executable, str(script)])


def test_both_nodes_work(said: dict[str, Any]) -> None:
    assert said["nodes"] == 2


def test_a_cluster_answers_what_this_process_does(said: dict[str, Any]) -> None:
    assert said["sets"] == 240


def test_an_error_comes_back_as_what_it_was(said: dict[str, Any]) -> None:
    assert said["error"] == "this is refused"


def test_a_node_that_dies_on_the_way_changes_nothing(said: dict[str, Any]) -> None:
    assert (said["killed_after"], said["answers"]) == (1, 8)
    assert said["last"] == 1, "one node did the rest"
    assert said["left"] == 1
