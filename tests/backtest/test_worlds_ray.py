"""Worlds on a Ray cluster of this machine: the same answers as in threads, told and cancelled alike."""

from __future__ import annotations

import sys

from ray_process import ON_RAY, said_on_ray

pytestmark = ON_RAY

SCRIPT = """
import json
import numpy as np
import ray
from skfolio.datasets import load_sp500_dataset

from quantlib.backtest import evaluate_in_worlds, stops_effect
from quantlib.risk import Stops
from quantlib.simulators import StationaryBootstrap
from quantlib.strategies import Group
from quantlib.types import Panel

panel = Panel.from_frames(load_sp500_dataset().iloc[-600:])
strategy = Group(kind="basket", legs=("KO", "PEP"), stops=Stops(loss=0.05, reentry=5))
asked = dict(n=120, horizon=10, seed=5)
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
near = evaluate_in_worlds(strategy, StationaryBootstrap(), panel, **asked)
seen = []
far = evaluate_in_worlds(
    strategy, StationaryBootstrap(), panel, **asked, engine="ray", on_progress=lambda done, n: seen.append((done, n))
)
np.testing.assert_array_equal(near.paths, far.paths)
np.testing.assert_array_equal(near.account.rows(), far.account.rows())
here, there = (stops_effect(strategy, StationaryBootstrap(), panel, **asked, engine=e) for e in ("threads", "ray"))
np.testing.assert_array_equal(here.gap, there.gap)
some = evaluate_in_worlds(
    strategy, StationaryBootstrap(), panel, n=2000, horizon=10, seed=5, engine="ray", workers=1,
    on_progress=lambda *_: seen.append(None), cancelled=lambda: None in seen,
)
print(json.dumps({"seen": seen[:3], "some": len(some.returns), "complete": some.complete}))
"""


def test_ray_gives_the_same_worlds() -> None:
    said = said_on_ray([sys.executable, "-c", SCRIPT])
    assert said["seen"] == [[50, 120], [100, 120], [120, 120]]
    assert 50 <= said["some"] < 2000
    assert not said["complete"]
