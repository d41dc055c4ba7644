"""The draft on the page: what it is called, what it travels as, and that nothing typed is lost."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
import streamlit as st

from app.address import LONGEST
from app.lab_draft import HELD, Draft, as_link, from_link, open_draft
from quantlib.errors import StrategyError
from quantlib.strategies import READY, STRATEGIES, Group, Strategy
from quantlib.strategies.document import from_yaml

PAIR = Group(legs=("KO", "PEP"))


def packed(content: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode().rstrip("=")


@pytest.mark.parametrize("strategy", [*READY.values(), *(family() for family in STRATEGIES.values())])
def test_a_link_gives_back_the_definition_it_was_made_of(strategy: Strategy) -> None:
    code = as_link(strategy, "A name, with @ signs")
    name, found = from_link(code)
    assert found == strategy
    assert found.id == strategy.id
    assert set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")  # needs no escapes
    assert len(code) < 1500
    assert not set(name) & set(",@")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "cannot be read"),
        ("%%%", "cannot be read"),
        (as_link(PAIR, "x")[:-8], "cannot be read"),
        (packed([1, 2]), "cannot be read"),
        (packed({"n": "x"}), "cannot be read"),
        (packed({"n": "x", "f": "magic", "p": {}}), "'magic', which is not known"),
        (packed({"n": "x", "f": "group", "p": [1]}), "not known"),
        (packed({"n": "x", "f": [], "p": {}}), "not known"),
        (packed({"n": "x", "f": "group", "p": {"capital": -1}}), "not accepted. Group: capital"),
        (packed({"n": "x" * 300_000, "f": "group", "p": {}}), "cannot be read"),
    ],
)
def test_a_link_that_holds_none_says_why(code: str, said: str) -> None:
    with pytest.raises(StrategyError, match=said.replace(".", r"\.")):
        from_link(code)


def test_a_link_that_would_unpack_to_very_much_is_not_unpacked() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"0" * 50_000_000, 9)).decode().rstrip("=")
    assert len(bomb) < LONGEST
    with pytest.raises(StrategyError, match="cannot be read"):
        from_link(bomb)


def test_it_is_called_as_it_came_until_it_is_changed() -> None:
    draft = Draft("Mine", PAIR)
    assert (draft.title, draft.changed) == ("Mine", False)
    draft.typed({**draft.params, "capital": 0.5})
    assert (draft.title, draft.changed) == ("Pair KO/PEP ols 2/0.5 over 252", True)
    draft.become(Group(legs=("KO", "MSFT")), "Theirs")
    assert (draft.title, draft.changed, draft.turn) == ("Theirs", True, 2)


def test_what_is_typed_stays_while_it_is_wrong() -> None:
    draft = Draft("Mine", PAIR)
    wrong = {**draft.params, "capital": -1.0}
    draft.typed(wrong)
    assert draft.strategy is None
    assert "capital" in draft.fault
    assert draft.params == wrong
    assert "capital: -1.0" in draft.document
    draft.typed({**wrong, "capital": 1.0})
    assert (draft.strategy, draft.fault) == (PAIR, "")


def test_a_document_that_is_wrong_is_kept_until_it_is_one_or_the_form_is_used() -> None:
    draft = Draft("Mine", PAIR)
    good = draft.document
    draft.written("nonsense: [")
    assert (draft.strategy, draft.text, draft.document) == (None, "nonsense: [", "nonsense: [")
    assert draft.fault.startswith("Line ")
    draft.written(good.replace("entry: 2.0", "entry: 3.0").replace("name: Mine", "name: Wider\nwhy: Fewer trades."))
    assert draft.text is None
    assert isinstance(draft.strategy, Group)
    assert draft.strategy.timing.entry == 3.0  # type: ignore[union-attr]
    assert draft.title == "Wider"
    assert "why: Fewer trades." in draft.document
    draft.written("nonsense: [")
    draft.typed({**draft.params, "capital": 2.0})
    assert draft.text is None
    assert draft.fault == ""


def test_a_condition_refused_later_is_a_fault_like_any_other() -> None:
    draft = Draft("Mine", PAIR)
    draft.refused("timing.long cannot be read.")
    assert (draft.strategy, draft.fault, draft.changed) == (None, "timing.long cannot be read.", True)
    draft.typed(draft.params)
    assert draft.strategy is None  # the same again is not judged again


@pytest.mark.parametrize("name", READY)
def test_its_document_is_the_definition(name: str) -> None:
    called, told = from_yaml(Draft(name, READY[name]).document)
    assert (called, told.strategy) == (name, READY[name])
    assert told.why
    assert told.reference


def test_a_name_of_nothing_but_blanks_still_makes_a_document() -> None:
    name, strategy = from_link(packed({"n": " ", "f": "group", "p": {}}))
    assert name == "Definition"
    assert from_yaml(Draft(name, strategy).document)[0] == name


def test_what_was_changed_is_kept_when_the_name_is_saved_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    draft, newer = Draft("Mine", PAIR), PAIR.model_copy(update={"capital": 0.9})
    monkeypatch.setattr(st, "session_state", {HELD: draft})
    monkeypatch.setattr(st, "query_params", {})
    draft.typed({**draft.params, "capital": 0.5})
    mine = draft.strategy
    found = open_draft("Mine", newer)
    assert (found.strategy, found.base, found.changed) == (mine, newer, True)
    assert "saved anew" in found.notice
    assert mine is not None
    saved = open_draft("Mine", mine)  # it was this visit that saved it
    assert (saved.strategy, saved.changed, saved.notice) == (mine, False, "")
