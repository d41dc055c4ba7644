"""`workbench train` as its user meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from quantlib.store import Store
from quantlib.store.trials import read_trials
from quantlib.workflows import learn

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--model", "logistc"), "There is no model 'logistc'. Did you mean logistic?"),
        (("--target", "directon"), "Did you mean direction?"),
        (("--features", "own,calender"), "Did you mean calendar?"),
        (("--scheme", "walk_foward"), "Did you mean walk_forward?"),
        (("--worlds", "gmb"), "Did you mean gbm?"),
        (("--calibrate", "isotonc"), "Did you mean isotonic?"),
        (("--model", "ridge"), "Ridge regression does regression only"),
        (("--tune", "1000"), "from 0 to 200"),
        (("--features", "own,macro"), "or `--macro CPIAUCSL,VIXCLS`"),
        (("--target", "meta_label"), "needs the side of a strategy"),
        (("--side", "Coke against Pepsi"), "Direction takes no side."),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(
    workbench: Run, store: Store, given: tuple[str, ...], said: str
) -> None:
    code, out, err = workbench("train", "mine", "--symbols", "KO", *given)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert read_trials(store).empty


def test_what_was_asked_for_is_trained_and_what_came_of_it_is_said(
    workbench: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    drift = pd.DataFrame({"psi": [0.9, 0.01], "word": ["drifted", "stable"]}, index=["own", "prediction"])
    made = SimpleNamespace(
        version=SimpleNamespace(name="mine", version=3),
        foretold=SimpleNamespace(as_of=date(2022, 12, 28), latest=pd.Series({"KO": 0.51, "PEP": 0.62}), drift=drift),
        verdict="No edge.",
        warnings=("A flag.",),
        run_id="model-1",
    )

    def train(session: Any, symbols: list[str], **settings: Any) -> Any:
        asked.update(settings, symbols=symbols, idea=session.idea, origin=session.origin)
        return made

    monkeypatch.setattr(learn, "train_model", train)
    given = ("--symbols", "KO, PEP", "--symbols", "MSFT", "--tune", "4", "--worlds", "gbm", "--idea", "tops")
    code, out, err = workbench("train", "mine", *given, "--horizon", "10", "--features", "own")
    assert (code, err) == (0, "")
    assert asked["symbols"] == ["KO", "PEP", "MSFT"]
    assert (asked["tune"], asked["worlds"], asked["horizon"], asked["features"]) == (4, "gbm", 10, ("own",))
    assert (asked["idea"], asked["origin"], asked["open_holdout"]) == ("tops", "cli", False)
    assert out.index("PEP") < out.index("KO")  # the highest first
    assert "No edge.\nA flag.\n1 of 2 features and predictions of the last year have drifted" in out
    assert "own most" in out
    assert "Version 3 of mine is the candidate, kept as model-1." in out
    made.foretold.latest["KO"] = float("nan")
    more = ("--macro", "VIXCLS, CPILFESL", "--target", "meta_label", "--side", "Coke against Pepsi")
    code, out, err = workbench("train", "mine", *given[:2], *more)
    assert (code, err) == (0, "")
    assert (asked["macro"], asked["side"]) == (("CPILFESL", "VIXCLS"), "Coke against Pepsi")
    assert asked["features"] == ("own", "calendar", "macro")
    assert re.search(r"KO\W+–", out), "no side, nothing said"
