"""The Validation page: asked for as a job, found again with every figure, and honest about what it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from app import cache
from quantlib.strategies import READY
from quantlib.workflows import validating
from quantlib.workflows.jobs import job_history
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.validating import Validated, validate_strategy

NAME = "Coke against Pepsi"
TABS = {
    "Out of sample": ["forward", "paths"],
    "Overfitting": ["overfitting"],
    "Parameters": ["plateau"],
    "Years & markets": ["subperiods", "regimes"],
    "Chance": ["entries"],
    "Holding": ["holding"],
    "Costs": ["costs"],
}


@pytest.fixture(scope="module")
def made(app) -> Iterator[Validated]:
    """Return a validation of a pair over some years, stored in the prepared home."""
    app("today")
    before, validating.SAMPLES = validating.SAMPLES, 10
    session = cache.session()
    yield validate_strategy(session, READY[NAME], name=NAME, start=date(2015, 1, 2))
    validating.SAMPLES = before


def test_it_is_asked_for_as_a_job_that_can_be_cancelled(app):
    page = app("validation", strategy="Factor ETF switch")
    assert any("has not been validated" in info.value for info in page.info)
    page.checkbox(key="open_holdout").check().run()
    page.button(key="validate-start").click().run()
    assert not page.exception
    [row] = job_history(cache.session(), task="validate", open_only=True).to_dict("records")
    assert (row["args"]["name"], row["args"]["open_holdout"]) == ("Factor ETF switch", True)
    assert row["args"]["params"] == READY["Factor ETF switch"].model_dump(mode="json")
    assert page.warning[0].value.startswith("**No worker is running**")
    other = app("validation", strategy="Factor ETF switch")
    other.button(key=f"validate-cancel-{row['id']}").click().run()
    assert not other.exception
    page.run()
    assert any(f"Job {row['id']} cancelled" in info.value for info in page.info)
    assert job_history(cache.session(), task="validate", open_only=True).empty


def test_the_verdict_comes_first_in_words_with_what_would_change_it(app, made):
    page = app("validation", strategy=NAME)
    card = made.card
    said = page.subheader[0].value.replace("\\", "")
    assert card.sentence in said
    assert {"pass": "Pass.", "weak": "Weak.", "fail": "Fail."}[card.edge] in said
    first = next(m.value for m in page.markdown if m.value.startswith("**What would change it**")).replace("\\", "")
    assert any(check.change in first for check in card.checks)
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Sharpe ratio"] == f"{card.luck.sharpe:.2f}"
    assert values["Luck shows"] == f"{card.luck.hurdle:.2f}"
    written = " ".join(m.value for m in page.markdown).replace("\\", "")
    assert f"the best of {card.luck.n:,} trials shows by luck" in written
    for check in card.checks:
        assert f"**{check.title}: {check.outcome}.** {check.sentence}" in written


def test_every_tab_stands_in_the_address_and_has_its_figures(app, made):
    assert [tab.label for tab in app("validation", strategy=NAME).tabs][1:8] == list(TABS)
    for tab, names in TABS.items():
        page = app("validation", strategy=NAME, tab=tab)
        assert not page.exception, tab
        shown = {toggle.key for toggle in page.toggle}
        assert {f"validation-{name}-numbers" for name in names} <= shown, tab
    page = app("validation", strategy=NAME, tab="Look-ahead & hold-out")
    written = " ".join(m.value for m in page.markdown).replace("\\", "")
    assert made.card.leaks.sentence in written
    assert made.card.holdout in written


def test_trials_made_since_are_said(app, made):
    backtest_strategy(cache.session(), READY[NAME].model_copy(update={"lookback": 77}), start=made.card.first)
    page = app("validation", strategy=NAME)
    assert any("1 more trials" in one.value or "1 more trial" in one.value for one in page.warning)


def test_a_name_that_is_not_there_is_said(app):
    page = app("validation", strategy="Coke against Peppsi")
    assert not page.exception
    assert any("Did you mean Coke against Pepsi" in one.value for one in page.warning)
