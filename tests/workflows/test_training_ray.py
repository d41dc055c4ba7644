"""Training on Ray: the same scores as here, and each fit counted once."""

from __future__ import annotations

from prepared import empty_home
from ray_process import ON_RAY, said_on_ray

pytestmark = ON_RAY

SCRIPT = """
import json
from dataclasses import replace

import ray

from quantlib.ml import WalkForward
from quantlib.settings import get_settings
from quantlib.sources.base import Call
from quantlib.workflows.ingest import ingest
from quantlib.workflows.learn import train_model
from quantlib.workflows.ledger import ledger_table, trial_counts
from quantlib.workflows.session import open_session

session = open_session()
ingest(session.store, "sample", ["KO"], start="2016-01-01", call=Call(get_settings().home))
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
tasks = []
remote = ray.remote
ray.remote = lambda *given, **more: tasks.append(1) or remote(*given, **more)

given = {"features": ["own"], "scheme": WalkForward(train=400, test=600), "tune": 2}
here = replace(session, settings=session.settings.model_copy(update={"engine": "threads"}), idea="near")
near = train_model(here, ["KO"], name="near", **given)
before = len(tasks)
far = train_model(session.asked(idea="far"), ["KO"], name="far", **given)
again = train_model(session.asked(idea="far"), ["KO"], name="far", **given)
tables = {idea: ledger_table(session, idea) for idea in ("near", "far")}
print(json.dumps({
    "engine": session.settings.engine,
    "sent": [before, len(tasks) > before],
    "scores": [dict(near.scores), dict(far.scores)],
    "said": [near.foretold.said.to_json(), far.foretold.said.to_json()],
    "again": [again.version.version, again.run_id == far.run_id],
    "counts": trial_counts(session),
    "kinds": {idea: sorted(table["kind"]) for idea, table in tables.items()},
    "outcomes": sorted(set(tables["far"]["outcome"])),
    "times": tables["far"].set_index("kind")["times"].groupby(level=0).max().to_dict(),
    "origins": sorted(set(tables["far"]["origin"])),
    "params": [sorted(table.loc[table["kind"] == "fit", "params"]) for table in tables.values()],
}))
ray.shutdown()
session.close()
"""


def test_a_model_trained_on_a_cluster_has_the_same_scores_and_is_counted_once() -> None:
    with empty_home() as home:
        command, environment = home.command(SCRIPT)
        environment["WORKBENCH_ENGINE"] = "ray"
        said = said_on_ray(command, environment)
    assert said["engine"] == "ray"
    assert said["sent"] == [0, True], "threads send nothing to Ray, and the other engine does"
    assert said["scores"][0] == said["scores"][1]
    assert said["said"][0] == said["said"][1]
    assert said["kinds"] == {"near": ["fit", "fit", "model"], "far": ["fit", "fit", "model"]}
    assert said["counts"] == {"near": 3, "far": 3}
    assert said["outcomes"] == ["done"]
    assert said["times"] == {"fit": 1, "model": 2}, "asked for again it is fitted no more"
    assert said["again"] == [1, True]
    assert said["origins"] == ["ray"]
    assert said["params"][0] == said["params"][1]
