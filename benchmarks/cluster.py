"""A sweep on a real Ray cluster on this machine: two nodes of one core each against one."""

from __future__ import annotations

import logging
import time
from importlib.util import find_spec

import pandas as pd
from skfolio.datasets import load_sp500_dataset

from benchmarks.race import Race
from quantlib.backtest.sweep import sweep
from quantlib.strategies import READY
from quantlib.types import Panel

# Every set fits hedge ratios of its own: work enough for a cluster, where the ones of a cheap sweep wait for the asker.
STRATEGY = READY["Exxon against Chevron"]
GRID = {"hedge.lookback": range(60, 460), "timing.lookback": range(60, 140, 10)}
SETS, ROUNDS = len(GRID["hedge.lookback"]) * len(GRID["timing.lookback"]), 2
WARM = 512
"""Sets of the first wave of two workers."""


def races() -> list[Race]:
    """Return the race, or none where Ray is not installed."""
    if find_spec("ray") is None:
        print("Ray is not installed; its race needs the extra `distributed`.")
        return []
    import ray  # noqa: PLC0415  # an optional extra
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    panel = Panel.from_frames(load_sp500_dataset())
    here = sweep(STRATEGY, GRID, panel)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    seconds = {"two nodes": float("inf"), "one node": float("inf")}
    starts = []
    try:
        for _ in range(ROUNDS):
            for workers, name in ((2, "two nodes"), (1, "one node")):
                clock, begin = [], time.perf_counter()
                found = sweep(
                    STRATEGY,
                    GRID,
                    panel,
                    engine="ray",
                    workers=workers,
                    on_progress=lambda done, _, clock=clock: (
                        clock.append(time.perf_counter()) if done >= WARM else None
                    ),
                )
                seconds[name] = min(seconds[name], time.perf_counter() - clock[0])
                starts.append(clock[0] - begin)
                pd.testing.assert_frame_equal(found.table, here.table, check_exact=True)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return [
        Race(
            f"{SETS - WARM:,} sets of Exxon against Chevron over {len(panel):,} days on Ray nodes of one core each",
            seconds,
            SETS - WARM,
            "sets",
            f"Two nodes are {seconds['one node'] / seconds['two nodes']:.2f} times as fast as one, where work runs in "
            f"the process that asks. {WARM} sets were done before the clock starts: it takes up to {max(starts):.0f} s "
            "until the workers have read their libraries. All answers are those of threads to the last bit.",
        )
    ]
