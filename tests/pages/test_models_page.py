"""The Models page: asked for, listed, examined, registered, promoted through the gate, taken back."""

from __future__ import annotations

import pandas as pd
import pytest

from app import cache
from app.models_list import label
from app.models_train import SCHEME_TITLES
from quantlib.errors import ConfigError
from quantlib.ml import FEATURES, TARGETS
from quantlib.simulators import SIMULATORS
from quantlib.workflows import registry
from quantlib.workflows.foretelling import asked
from quantlib.workflows.jobs import cancel_job, job_history
from quantlib.workflows.promotion_gate import Hurdle
from quantlib.workflows.trained import KeptModel, kept_models


def said(page, kind):
    return [element.value.replace("\\", "") for element in getattr(page, kind)]


@pytest.fixture
def told():
    """Return a model that did not show a gain beyond chance, and what the page calls it."""

    def one(*, registered: bool) -> tuple[KeptModel, str]:
        made = kept_models(cache.session())
        found = next(m for m in made if m.low <= 0 and (m.version is not None) == registered)
        return found, label(found)

    return one


def test_what_the_pipeline_trained_is_listed_and_none_is_trusted(app):
    page = app("models")
    made = kept_models(cache.session())
    assert {one.model for one in made} >= {"logistic", "gradient_boosting"}
    assert "**None is trusted yet:** no version has passed the gate." in said(page, "markdown")
    listed = page.dataframe[0].value
    assert listed["gain"].tolist() == [one.gain for one in made]
    chosen = next(one for one in made if label(one) == page.selectbox(key="model").value)
    assert chosen.verdict in page.subheader[0].value.replace("\\", "")
    assert any("Selection-biased" in text for text in said(page, "markdown"))


def test_the_one_in_the_address_is_shown_with_what_it_says_today(app):
    made = kept_models(cache.session())[-1]
    name = label(made)
    page = app("models", model=name, tab="Today")
    assert page.selectbox(key="model").value == name
    latest = asked(cache.session(), made.mlflow_run_id)
    shown = page.dataframe[-1].value.set_index("symbol")["said"]
    pd.testing.assert_series_equal(shown.sort_index(), latest.latest.sort_index(), check_names=False)
    drift = app("models", model=name, tab="Drift").dataframe[-1].value.set_index("feature")["psi"]
    pd.testing.assert_series_equal(drift, latest.drift["psi"])
    wrong = app("models", model="nothing")
    assert any("There is no model 'nothing'" in text for text in said(wrong, "warning"))
    assert not wrong.exception


def test_it_is_trained_as_a_job_with_what_the_form_holds(app):
    page = app("models", train="true", target=TARGETS["volatility"].title, ahead="21", tune="3")
    assert not page.exception
    offered = page.selectbox(key="learner").options
    assert "Logistic regression" not in offered  # it foretells no numbers
    page.multiselect(key="symbols").set_value(["KO", "PEP"])
    page.selectbox(key="worlds").set_value(SIMULATORS["gbm"].title)
    page.run().button(key="train-start").click().run()
    assert not page.exception
    assert any("No worker is running" in text for text in said(page, "warning"))
    [row] = job_history(cache.session(), task="train", open_only=True).to_dict("records")
    args = row["args"]
    assert (args["symbols"], args["model"], args["target"]) == (["KO", "PEP"], "ridge", "volatility")
    assert (args["horizon"], args["tune"], args["worlds"]) == (21, 3, "gbm")
    page.multiselect(key="symbols").set_value(["KO"])
    page.selectbox(key="scheme").set_value(SCHEME_TITLES["purged_kfold"])
    page.run().button(key="train-start").click().run()
    assert any("Worlds must be drawn from the past" in text for text in said(page, "error"))
    cancel_job(cache.session(), int(row["id"]))


def test_the_form_asks_for_a_side_and_for_series_where_they_are_needed(app):
    page = app("models", train="true")
    assert "side" not in [box.key for box in page.selectbox]
    assert "macro" not in [box.key for box in page.multiselect]
    page = app("models", train="true", target=TARGETS["meta_label"].title, side="Coke against Pepsi")
    assert not page.exception
    assert page.selectbox(key="side").value == "Coke against Pepsi"
    assert page.multiselect(key="judged-Coke against Pepsi").value == ["KO", "PEP"]
    assert page.text_input[0].value == "Meta-label, logistic regression, Coke against Pepsi"
    page.multiselect(key="features").set_value([FEATURES[name].title for name in ("own", "macro")]).run()
    page.button(key="train-start").click().run()
    assert any("needs a macro series or more" in text for text in said(page, "error"))
    page.multiselect(key="macro").set_value(["VIXCLS"]).run()
    page.button(key="train-start").click().run()
    assert not page.exception
    [row] = job_history(cache.session(), task="train", open_only=True).to_dict("records")
    args = row["args"]
    assert (args["target"], args["side"], args["symbols"]) == ("meta_label", "Coke against Pepsi", ["KO", "PEP"])
    assert (args["macro"], args["features"]) == (["VIXCLS"], ["own", "macro"])
    cancel_job(cache.session(), int(row["id"]))


def test_a_version_asks_the_gate_and_its_refusal_is_shown_with_its_numbers(app, told, monkeypatch: pytest.MonkeyPatch):
    made, name = told(registered=False)
    page = app("models", model=name)
    page.button(key="model-register").click().run()
    assert "Version 1 of direction is the candidate." in said(page, "success")
    assert page.dataframe[0].value["status"].tolist().count("candidate") == 1
    page.button(key="model-promote").click().run()
    (refused,) = said(page, "error")
    assert "was refused; nothing has changed." in refused
    assert "Better than the base rate: no." in refused
    assert "97.5 % interval" in refused, "the pipeline tried two models"
    assert page.button(key="model-rollback").disabled
    assert "**None is trusted yet:** no version has passed the gate." in said(page, "markdown")
    again = told(registered=True)
    assert again[0].id == made.id
    log = app("models", model=again[1], tab="Decisions").dataframe[-1].value
    assert log["outcome"].tolist() == ["refused"]

    # A gate that lets everything through.
    monkeypatch.setattr(registry, "hurdles", lambda *_: [Hurdle("any", "Anything", passed=True, sentence="It is.")])
    page = app("models", model=again[1])
    page.button(key="model-promote").click().run()
    assert any("is the champion." in text for text in said(page, "success"))
    assert f"**Trusted:** {again[0].version.name} version 1." in said(page, "markdown")
    page.button(key="model-rollback").click().run()
    assert any("There is no former champion" in text for text in said(page, "error"))


def test_without_mlflow_it_says_so_and_still_trains(app, monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object) -> None:
        raise ConfigError("MLflow does not answer.")

    monkeypatch.setattr("quantlib.workflows.trained.versions", gone)
    cache._kept.clear()
    page = app("models", train="true")
    assert not page.exception
    assert said(page, "error") == ["**MLflow cannot be read, so no model can be shown.** MLflow does not answer."]
    assert not page.button(key="train-start").disabled
