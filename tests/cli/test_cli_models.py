"""`workbench register`, `promote`, `champions` and `rerun`: what they ask for, print and exit with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from quantlib.cli import app, models
from quantlib.errors import ConfigError
from quantlib.models.promotions import Promotion
from quantlib.workflows import registry, rerunning
from quantlib.workflows.registry import Version
from quantlib.workflows.rerunning import ReadRun, Rerun

GIVEN: dict[str, Any] = {"id": "p", "name": "direction", "kind": "model", "mlflow_run_id": "r", "origin": "cli"}
MADE = Version("direction", 2, "model", "0123456789abcdef", None, "", ("candidate",))


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened() -> Iterator[None]:
        yield None

    monkeypatch.setattr(models, "opened", opened)


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_promotion_is_told_with_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def decide(_: object, name: str, version: int | None) -> Promotion:
        asked.append((name, version))
        return Promotion(**GIVEN, outcome="promoted", from_version=1, to_version=2, why="Log loss 0.6 against 0.7.")

    monkeypatch.setattr(registry, "promote", decide)
    code, text = said("promote", "direction", "--version", "2")
    assert asked == [("direction", 2)]
    assert code == 0
    assert text == "Version 2 of direction is the champion instead of version 1.\nLog loss 0.6 against 0.7.\n"


@pytest.mark.parametrize(
    ("before", "stays"), [(None, "there is still no champion"), (1, "version 1 stays the champion")]
)
def test_a_refusal_is_an_exit_code_too(monkeypatch: pytest.MonkeyPatch, before: int | None, stays: str) -> None:
    refused = Promotion(**GIVEN, outcome="refused", from_version=before, to_version=2, why="It is no better.")
    monkeypatch.setattr(registry, "promote", lambda *_: refused)
    assert said("promote", "direction") == (1, f"Refused: version 2 of direction; {stays}.\nIt is no better.\n")


def test_a_rollback_asks_for_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    back = Promotion(**GIVEN, outcome="rolled back", from_version=2, to_version=1, why="Taken back.")
    monkeypatch.setattr(registry, "rollback", lambda *_: back)
    code, text = said("promote", "direction", "--rollback")
    assert (code, text) == (0, "Version 1 of direction is the champion instead of version 2.\nTaken back.\n")
    with pytest.raises(ConfigError, match="leave --version out"):
        said("promote", "direction", "--rollback", "--version", "1")
    assert said("promote", "direction", "--force")[0] == 2  # there is no way around the gate


def test_what_is_registered_is_listed_with_its_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "versions", lambda *_: [MADE])
    refused = Promotion(**GIVEN, outcome="refused", to_version=2, why="It is no better.", who="ann")
    monkeypatch.setattr(registry, "promotions", lambda *_: [refused])
    code, text = said("champions", "direction")
    assert code == 0
    assert "candidate" in text
    assert "0123456789ab" in text
    assert "ann: Refused: version 2 of direction; there is still no champion. It is no better." in text
    monkeypatch.setattr(registry, "versions", lambda *_: [])
    assert "Nothing is registered yet." in said("champions")[1]


def test_registering_and_making_again_say_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "register", lambda _, run, name: MADE)
    assert "Version 2 of direction, a model, is the candidate." in said("register", "r")[1]
    run = ReadRun("r", "Trend", "backtest", {}, {"code_version": "old"}, {}, None)  # type: ignore[arg-type]  # unread
    monkeypatch.setattr(rerunning, "rerun", lambda *_: Rerun(run, 7, ()))
    assert said("rerun", "r") == (0, "Trend: 7 numbers came out the same to the last bit.\n")
    monkeypatch.setattr(rerunning, "rerun", lambda *_: Rerun(run, 7, ("cagr was 1 and is 2.",)))
    code, text = said("rerun", "r")
    assert code == 1
    assert text.startswith("Trend came out differently: cagr was 1 and is 2. It was made by code old; this is ")
