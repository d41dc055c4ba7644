"""The Experiments page on a ledger with a sweep of some hundred sets in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import cache, experiments_runs
from quantlib.errors import ConfigError
from quantlib.models.trials import Trial
from quantlib.store.trials import Ending, begin_trials, end_trials

IDEA, SETS = "swept", 600
SPAN: dict[str, Any] = {"first": date(1995, 1, 3), "last": date(2019, 12, 31)}


def trial(name: str, kind: str = "set", **more: Any) -> Trial:
    given = {"idea": IDEA, "title": "Swept idea", "universe": "KO,PEP", "origin": "notebook", "who": "ada"}
    return Trial(**{"id": f"trial-swept-{name}", "kind": kind, **given, **SPAN, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ledger(app: Callable[..., AppTest]) -> Iterator[Callable[..., AppTest]]:
    """Return the app on the prepared home with a sweep more in its ledger, which is taken out again at the end."""
    store, rng = cache.session().store, np.random.default_rng(5)
    sets = [trial(f"{k:04d}", parent="trial-swept-all", params={"fast": 5 + k % 20, "slow": 40 + k // 20})
            for k in range(SETS)]  # fmt: skip
    begin_trials(store, [trial("all", "sweep", terms={"source": "sample"}), *sets, trial("kill", "backtest")])
    endings = [
        Ending(one.id, n=6000, mean=2e-4, sd=0.01, skew=0.0, kurtosis=3.0, sharpe=k * 1e-4,
               curve=rng.normal(0.01, 0.05, 96))
        for k, one in enumerate(sets)
    ]  # fmt: skip
    end_trials(store, [*endings, Ending("trial-swept-all", mlflow_run_id="abc")])
    yield app
    with cache.session().store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM strategies.trials WHERE idea = %s", (IDEA,))


def rows(page: AppTest) -> pd.DataFrame:
    """Return the trials that a page shows."""
    return next(one.value for one in page.dataframe if "sharpe" in one.value and "origin" in one.value)


def told(page: AppTest) -> str:
    """Return how many rows a page says it found."""
    return next(one.value for one in page.caption if "Tick rows" in one.value)


def alt(page: AppTest) -> str:
    (chart,) = page.get("plotly_chart")
    return str(chart.proto.alt)


def test_every_idea_stands_with_what_it_amounts_to_and_the_newest_trials(ledger):
    page = ledger("experiments")
    assert not page.exception
    ideas = page.dataframe[0].value.set_index("name")
    assert ideas.index[0] == IDEA
    assert ideas.loc[IDEA, "trials"] == SETS + 1  # the killed one too
    assert 1.0 < ideas.loc[IDEA, "effective"] <= SETS + 1
    assert "was opened" not in ideas.loc[IDEA, "budget"]
    assert "from 2020-01-01 on was never opened" in ideas.loc[IDEA, "budget"]
    assert {"ma_cross", "pair", "rotation"} < set(ideas.index)  # what the pipeline tried
    assert "1 began and did not end" in " ".join(one.value for one in page.caption)
    strip = next(one.value for one in page.markdown if "Sample data" in one.value)
    assert f"**trials** {ideas['trials'].sum():,}" in strip


def test_one_idea_says_in_a_sentence_whether_its_best_beats_luck(ledger):
    page = ledger("experiments", idea=IDEA)
    numbers = {one.label: one.value for one in page.metric}
    assert numbers["Trials"] == f"{SETS + 1:,}"
    assert numbers["Best Sharpe"] == f"{(SETS - 1) * 1e-4 * 252**0.5:.2f}"
    assert numbers["Hold-out opened"] == "0"
    sentence = next(one.value for one in page.markdown if "luck alone would give" in one.value)
    assert f"of {numbers['Luck' + chr(39) + 's Sharpe']} that" in sentence or numbers["Luck's Sharpe"] in sentence


def test_a_long_table_comes_in_pages_that_the_address_names(ledger):
    page = ledger("experiments", idea=IDEA, kind="Sets", order="Sharpe", page="2")
    assert told(page).startswith(f"{SETS} of ")
    shown = rows(page)
    assert len(shown) == SETS - 500
    assert shown["sharpe"].iloc[0] == pytest.approx((SETS - 501) * 1e-4 * 252**0.5)
    first = rows(page.number_input(key="page").set_value(1).run())
    assert len(first) == 500
    assert first["sharpe"].is_monotonic_decreasing
    fewer = page.text_input(key="search").set_value("fast 7,").run()
    assert not fewer.exception
    assert len(rows(fewer)) == SETS // 20


@pytest.mark.parametrize(
    ("asked", "n"),
    [
        ({"kind": "Sweeps"}, 1),
        ({"kind": "Backtests"}, 1),
        ({"from": "notebook", "who": "ada"}, SETS + 1),
        ({"search": "FAST 7, slow 44"}, 1),
        ({"since": "2019-12-31"}, SETS + 1),
        ({"until": "1995-01-03", "kind": "Sets"}, SETS),
    ],
)
def test_the_address_filters(ledger, asked, n):
    assert told(ledger("experiments", idea=IDEA, **asked)).startswith(f"{n} of ")


def test_what_a_filter_leaves_nothing_of_says_so_and_the_rest_still_works(ledger):
    page = ledger("experiments", idea=IDEA, search="no such thing")
    assert not page.exception
    assert not page.error
    assert any("No trial fits" in one.value for one in page.info)
    assert len(page.tabs) == 4
    page = ledger("experiments", idea=IDEA, until="1994-12-31", search="")
    assert not page.exception


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"idea": "swetp"}, "There is no idea 'swetp'. Did you mean swept?"),
        ({"kind": "Set"}, "There is no kind 'Set'. Did you mean Sets?"),
        ({"order": "Sharp"}, "Did you mean Sharpe?"),
        ({"who": "eve"}, "There is no person 'eve'."),
        ({"since": "1800-01-01"}, "'1800-01-01'; accepted: "),
        ({"page": "77"}, "The page in the address: '77'; accepted: 1 to 2."),
        ({"compare": "fast 7"}, "There is no trial 'fast 7'."),
        ({"tab": "Growht"}, "Did you mean Growth?"),
    ],
)
def test_what_the_address_asks_for_and_is_not_there_is_said(ledger, asked, said):
    page = ledger("experiments", **asked)
    assert not page.exception
    assert not page.error
    assert any(said in one.value.replace("\\", "") for one in page.warning)


def test_hundreds_of_curves_are_drawn_and_the_chosen_named(ledger):
    label = f"fast {5 + 599 % 20}, slow {40 + 599 // 20} · Swept idea (0599)"
    page = ledger("experiments", idea=IDEA, compare=label)
    assert page.multiselect(key="compare").value == [label]
    assert alt(page).startswith("Line chart of the growth of 1 of many trials. 600 trials turned 1 into")
    assert f"{label} made most" in alt(page)
    assert any("400 of 599 thin lines" in one.value for one in page.caption)
    # A chosen trial that the filter leaves out is drawn all the same.
    other = ledger("experiments", idea="pair", compare=label)
    assert label in alt(other)


def test_parameters_stand_beside_results(ledger):
    page = ledger("experiments", idea=IDEA, kind="Sets", tab="Parameters")
    assert "The Sharpe ratio rises with slow: rank correlation +1.00" in alt(page)
    single = ledger("experiments", idea="rotation", tab="Parameters")
    assert not single.error
    assert any("differ in no parameter" in one.value for one in single.info)


def test_differences_of_what_went_in_are_a_table(ledger):
    page = ledger("experiments", idea=IDEA, tab="What went in")
    page.multiselect(key="compare").set_value([]).run()
    assert any("two trials or more" in one.value for one in page.info)
    options = page.multiselect(key="compare").options
    pair = [one for one in options if one.endswith(("(0599)", "(0598)"))]
    differ = page.multiselect(key="compare").set_value(pair).run().dataframe[-1].value
    assert differ.index.tolist() == ["Fast"]
    assert sorted(differ.loc["Fast"]) == ["23", "24"]


def test_simulations_and_models_of_mlflow_stay_findable(ledger):
    page = ledger("experiments", tab="Runs in MLflow")
    shown = page.dataframe[-1].value
    assert {"realism", "expected_value", "link"} <= set(shown.columns)
    assert len(shown) == 6
    assert shown["link"].str.contains("/#/runs/").all()
    models = page.segmented_control(key="runs").set_value("Models").run().dataframe[-1].value
    assert set(models.columns) >= {"auc", "gain", "verdict"}
    assert len(models)


def test_without_mlflow_the_ledger_still_stands(ledger, monkeypatch):
    def broken(*_: object) -> pd.DataFrame:
        raise ConfigError("MLflow at somewhere cannot be used.")

    monkeypatch.setattr(experiments_runs, "runs_table", broken)
    page = ledger("experiments", tab="Runs in MLflow")
    assert [one.value.partition(".**")[0] for one in page.error] == [
        "**MLflow cannot be read; the ledger above does not need it"
    ]
    assert len(rows(page))


def test_what_is_tried_meanwhile_is_shown_at_the_next_run(ledger):
    page = ledger("experiments", idea=IDEA)
    before = int(page.metric[0].value)
    begin_trials(cache.session().store, [trial("more", "backtest", last=date(2021, 1, 4))])
    page.session_state["ledger-read"] = page.session_state["ledger-read"]._replace(
        holds=pd.Timestamp("2000-01-01", tz="UTC")
    )
    page.run()
    assert int(page.metric[0].value) == before + 1
    assert "opened once" in next(one.value for one in page.markdown if "was opened" in one.value)


def test_a_slow_reading_is_held_and_says_that_there_is_more(ledger):
    page = ledger("experiments", idea=IDEA)
    before = page.metric[0].value
    later = pd.Timestamp("2100-01-01", tz="UTC")
    page.session_state["ledger-read"] = page.session_state["ledger-read"]._replace(holds=later)
    begin_trials(cache.session().store, [trial("later", "backtest")])
    page.run()
    assert page.metric[0].value == before
    assert any("More was tried since" in one.value for one in page.info)
    page.button(key="refresh").click().run()
    assert int(page.metric[0].value) == int(before) + 1
    assert not any("More was tried since" in one.value for one in page.info)
