"""A sweep from the Strategy lab: asked for, waited for, cancelled, found again."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from app import cache
from app.lab_draft import as_link
from quantlib.costs import Costs
from quantlib.strategies import Group
from quantlib.workflows.jobs import job_history
from quantlib.workflows.lab import trials
from quantlib.workflows.sweeping import start_sweep, sweep_strategy

PAIR = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 2.0, "lookback": 60}, hedge={"lookback": 60})


@pytest.fixture
def page(app):
    opened = app("strategy_lab", d=as_link(PAIR, "A pair"), view="Sweep")
    assert not opened.exception
    return opened


def test_it_is_asked_for_as_a_job_that_waits_for_a_worker_and_can_be_cancelled(page):
    assert any("No sweep of this definition is stored yet." in caption.value for caption in page.caption)
    for box in page.number_input:
        if box.label == "Values":
            box.set_value(3)
    page.run()
    page.button(key="sweep-start").click().run()
    assert not page.exception
    assert page.warning[0].value.startswith("**No worker is running**")
    [row] = job_history(cache.session(), task="sweep", open_only=True).to_dict("records")
    assert row["args"]["grid"] == [["hedge.lookback", [30, 60, 90]], ["timing.entry", [1.0, 2.0, 3.0]]]
    assert "costs" not in row["args"]  # the usual ones
    page.button(key=f"sweep-cancel-{row['id']}").click().run()
    assert not page.exception
    page.run()
    assert job_history(cache.session(), task="sweep", open_only=True).empty
    assert not page.warning


def test_another_visit_sees_it_under_way(page, app):
    page.button(key="sweep-start").click().run()
    other = app("strategy_lab", d=as_link(PAIR, "A pair"), view="Sweep")
    [row] = job_history(cache.session(), task="sweep", open_only=True).to_dict("records")
    other.button(key=f"sweep-cancel-{row['id']}").click().run()
    assert not other.exception
    page.run()  # and the first visit is told
    assert any(f"Job {row['id']} cancelled" in info.value for info in page.info)


def test_one_parameter_is_too_few(page):
    page.selectbox(key="sweep-1-group").set_value("hedge.lookback").run()
    assert page.button(key="sweep-start").disabled
    assert any("Choose two different parameters." in caption.value for caption in page.caption)


def test_what_it_found_is_a_map_of_any_metric_and_every_set_counts(app):
    app("today")
    session = cache.session()
    before = trials(session, "sample")
    grid = {"timing.entry": [0.4, 1.0, 2.0], "timing.exit": [0.25, 0.5]}
    made = sweep_strategy(session, PAIR, grid, name="A pair")
    assert trials(session, "sample").backtests == before.backtests + 5
    page = app("strategy_lab", d=as_link(PAIR, "A pair"), view="Sweep")
    assert not page.exception
    text = " ".join(element.value for element in page.markdown)
    assert "**5 combinations tried, 1 refused.**" in text
    best = made.result.best()
    assert f"Best Sharpe ratio {best['sharpe_ratio']:.2f}" in text
    newer = sweep_strategy(session, PAIR, {"timing.entry": [0.7, 1.1], "hedge.lookback": [60, 90]}, name="A pair")
    page.run()
    assert page.selectbox(key="sweep-shown").value == newer.id, "what was made last is shown, whatever was before"
    page.selectbox(key="sweep-shown").set_value(made.id).run()
    assert page.selectbox(key="sweep-shown").value == made.id
    page.selectbox(key="sweep-metric").set_value("max_drawdown").run()
    assert not page.exception
    assert "Maximum drawdown" in " ".join(element.value for element in page.markdown)
    refused = page.dataframe[0].value
    assert list(refused["timing.entry"]) == [0.4]
    assert np.isclose(refused["timing.exit"], 0.5).all()


def test_sweeps_over_words_of_other_costs_and_of_no_known_number_are_all_shown(app):
    app("today")
    session = cache.session()
    pair = PAIR.model_copy(update={"capital": 0.8})
    words = {"hedge.method": ["ols", "tls"], "stops.loss": [None, 0.05]}
    usual = sweep_strategy(session, pair, words)
    dear = sweep_strategy(session, pair, words, costs=Costs(commission_bps=50.0))
    last = sweep_strategy(
        session,
        pair,
        {"timing.entry": [1.0, 2.0], "timing.exit": [0.25, 0.5]},
        start=date(2022, 12, 1),
        open_holdout=True,
    )
    page = app("strategy_lab", d=as_link(pair, "A pair"), view="Sweep")
    box = page.selectbox(key="sweep-shown")
    assert len(set(box.options)) == 3
    for made, said in ((usual, "Best Sharpe ratio"), (dear, "trading cost 52.0 bps"), (last, "No combination has")):
        page.selectbox(key="sweep-shown").set_value(made.id).run()
        assert not page.exception
        kinds = (page.markdown, page.caption, page.info)
        assert said in " ".join(element.value for kind in kinds for element in kind)


def test_a_job_that_is_no_longer_among_the_newest_has_not_ended(page):
    page.button(key="sweep-start").click().run()
    first = max(job_history(cache.session(), task="sweep", open_only=True)["id"])
    for n in range(5):
        start_sweep(cache.session(), PAIR, {"timing.entry": [1.0 + n, 2.5]})
    page.run()
    page.run()
    assert not page.exception
    assert not any(f"Job {first} " in info.value for info in page.info)
    assert first in page.session_state["sweep-jobs"]
