"""The ledger in the database: each trial once, whatever happens to whoever made it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.models.trials import Trial
from quantlib.store import Store
from quantlib.store.trials import (
    Ending,
    begin_trials,
    count_trials,
    curves_of,
    end_trials,
    read_openings,
    read_trials,
    take_over,
    trial_id,
)

HOLDOUT = date(2020, 1, 1)


def trial(name: str, **more: Any) -> Trial:
    span = {"first": date(2010, 1, 4), "last": date(2022, 12, 28)}
    return Trial(**{"id": name, "kind": "backtest", "idea": "pair", "origin": "cli", "who": "ada", **span, **more})


def row(store: Store, name: str) -> dict[str, Any]:
    [found] = read_trials(store, id=name, curves=True).to_dict(orient="records")
    return {str(key): value for key, value in found.items()}


def test_a_trial_is_begun_once_and_asked_for_again(store: Store) -> None:
    assert begin_trials(store, [trial("a"), trial("b")]) == 2
    assert begin_trials(store, [trial("b"), trial("c"), trial("c")]) == 1
    assert {name: row(store, name)["times"] for name in "abc"} == {"a": 1, "b": 2, "c": 1}
    assert set(read_trials(store)["outcome"]) == {"begun"}
    assert count_trials(store) == {"pair": 3}, "what was killed stays counted"
    assert begin_trials(store, []) == end_trials(store, []) == 0


def test_what_was_put_in_comes_out(store: Store) -> None:
    params, curve = {"entry": 1.5, "legs": ["KO", "PEP"], "ß": None}, np.array([0.25, -0.5, 0.0])
    begin_trials(store, [trial("a", params=params, universe="KO,PEP", first=None, parent="p", kind="set")])
    end_trials(store, [Ending("a", n=900, mean=0.001, sd=0.01, sharpe=float("nan"), curve=curve, run_id="run")])
    found = row(store, "a")
    assert found["params"] == '{"ß": null, "legs": ["KO", "PEP"], "entry": 1.5}'
    assert (found["n"], found["mean"], found["sd"]) == (900, 0.001, 0.01)
    assert np.isnan(found["sharpe"])
    assert np.isnan(found["skew"])
    assert pd.isna(found["first"])
    assert found["last"] == pd.Timestamp("2022-12-28")
    assert found["run_id"] == "run"
    assert found["began_at"] <= found["ended_at"]
    np.testing.assert_array_equal(curves_of(read_trials(store, curves=True))[0], curve)
    begin_trials(store, [trial("b")])
    assert [len(one) for one in curves_of(read_trials(store, curves=True))] == [0, 3], "the newest first"


def test_what_was_done_stays_done_and_what_failed_may_be_done_yet(store: Store) -> None:
    begin_trials(store, [trial("a"), trial("b")])
    assert end_trials(store, [Ending("a", sharpe=0.1, mlflow_run_id="m"), Ending("b", "refused", "No.")]) == 2
    assert count_trials(store) == {"pair": 1}, "what was refused was not tried"
    begin_trials(store, [trial("a"), trial("b")])
    assert [row(store, name)["outcome"] for name in "ab"] == ["done", "begun"]
    assert end_trials(store, [Ending("a", "failed", "The disk is full."), Ending("b")]) == 1
    assert (row(store, "a")["outcome"], row(store, "a")["said"], row(store, "a")["sharpe"]) == ("done", "", 0.1)
    end_trials(store, [Ending("a", sharpe=0.2)])
    assert (row(store, "a")["sharpe"], row(store, "a")["mlflow_run_id"]) == (0.2, "m")
    assert (row(store, "b")["outcome"], row(store, "b")["said"]) == ("done", "")


def test_sets_count_and_their_sweep_does_not(store: Store) -> None:
    sets = [trial(f"s{k}", kind="set", parent="sweep") for k in range(3)]
    begin_trials(store, [trial("sweep", kind="sweep"), *sets, trial("m", kind="model"), trial("x", idea="other")])
    assert count_trials(store) == {"other": 1, "pair": 4}
    assert count_trials(store, "pair") == {"pair": 4}
    assert len(read_trials(store, idea="pair", counted=True)) == 4
    assert len(read_trials(store, parent="sweep")) == 3
    assert read_trials(store, kind="model")["id"].tolist() == ["m"]
    assert len(read_trials(store, limit=2)) == 2


def test_only_what_reaches_into_a_span_is_read(store: Store) -> None:
    begin_trials(store, [trial("old", last=date(2015, 1, 2)), trial("new")])
    assert read_trials(store, start="2015-01-03")["id"].tolist() == ["new"]
    assert len(read_trials(store, start="2015-01-02", end="2010-01-04")) == 2
    assert read_trials(store, end="2010-01-03").empty


def test_a_person_takes_a_trial_over_from_the_pipeline_and_it_takes_none_back(store: Store) -> None:
    begin_trials(store, [trial("a", origin="pipeline", who="robot")])
    assert read_openings(store, "pair", HOLDOUT).openings == 0
    begin_trials(store, [trial("a", origin="app")])
    mine = row(store, "a")
    begin_trials(store, [trial("a", origin="pipeline", who="robot")])
    again = row(store, "a")
    assert (again["origin"], again["who"], again["last_at"]) == ("app", "ada", mine["last_at"])
    assert again["times"] == 3
    begin_trials(store, [trial("a", origin="notebook", who="bob")])
    assert (row(store, "a")["origin"], row(store, "a")["who"]) == ("notebook", "bob")
    assert row(store, "a")["last_at"] > mine["last_at"]


def test_openings_are_acts_of_people_that_reach_the_hold_out(store: Store) -> None:
    before = {"last": date(2019, 12, 31)}
    begin_trials(store, [trial("safe", **before), trial("its", origin="pipeline"), trial("old", origin="unknown")])
    assert read_openings(store, "pair", HOLDOUT).last_at is None
    begin_trials(store, [trial("a", last=HOLDOUT)])
    begin_trials(store, [trial("sweep", kind="sweep"), *(trial(f"s{k}", kind="set", parent="sweep") for k in range(5))])
    begin_trials(store, [trial("refused", origin="app", who="eve"), trial("x", idea="other", who="eve")])
    end_trials(store, [Ending("refused", "refused", "No.")])
    found = read_openings(store, "pair", HOLDOUT)
    assert (found.openings, found.trials, found.unknown, found.who, found.origin) == (2, 6, 1, "ada", "cli")
    assert found.last_at == row(store, "s4")["last_at"].to_pydatetime()


def test_writers_at_once_lose_nothing_and_do_not_block_each_other_for_good(store: Store) -> None:
    trials = [trial(f"t{k}", kind="set") for k in range(200)]

    def write(n: int) -> None:
        mine = trials if n % 2 else trials[::-1]
        begin_trials(store, mine)
        end_trials(store, [Ending(one.id, sharpe=0.1) for one in mine])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    found = read_trials(store)
    assert len(found) == 200
    assert set(found["times"]) == {8}
    assert set(found["outcome"]) == {"done"}


def test_an_id_is_of_the_content_whatever_its_order() -> None:
    assert trial_id({"a": 1, "b": (1.0, None)}) == trial_id({"b": [1.0, None], "a": 1})
    assert trial_id({"a": 1}) != trial_id({"a": 2})


def test_an_unknown_outcome_is_refused_by_the_database(store: Store) -> None:
    begin_trials(store, [trial("a")])
    with pytest.raises(Exception, match="trials_outcome_check"):
        end_trials(store, [Ending("a", "odd")])  # type: ignore[arg-type]


def test_what_a_person_takes_over_from_the_pipeline_is_theirs(store: Store) -> None:
    """A sweep over what the pipeline had run before is one opening of the hold-out, and not one for each set."""
    begin_trials(store, [trial("a", origin="pipeline"), trial("b", origin="pipeline", mlflow_run_id=None)])
    begin_trials(store, [trial(name, parent="sweep", kind="set", origin="app") for name in ("a", "c")])
    found = read_trials(store).set_index("id")
    assert found.loc["a", ["parent", "origin"]].tolist() == ["sweep", "app"]
    begin_trials(store, [trial("a", parent="other", kind="set", origin="cli")])
    assert read_trials(store, id="a")["parent"].tolist() == ["sweep"], "between persons the first keeps it"
    begin_trials(store, [trial("a", origin="pipeline")])
    assert read_trials(store, id="a")["parent"].tolist() == ["sweep"]
    assert read_openings(store, "pair", date(2000, 1, 1)).openings == 1

    end_trials(store, [Ending("b", mlflow_run_id="run")])
    assert take_over(store, "run", "pipeline", "cron") == 0
    assert take_over(store, "run", "cli", "ada") == 1
    assert take_over(store, "run", "cli", "bob") == 0, "it is ada's"
    assert read_trials(store, id="b").iloc[0][["origin", "who", "times"]].tolist() == ["cli", "ada", 2]
    assert read_openings(store, "pair", date(2000, 1, 1)).openings == 2
