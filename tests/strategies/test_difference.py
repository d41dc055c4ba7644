"""Semantic difference: what changed, in words; nothing if and only if the definitions are one."""

from __future__ import annotations

from itertools import product

import pytest

from quantlib.strategies import READY, Group, MACross, Pair, Rotation, Strategy
from quantlib.strategies.difference import diff
from quantlib.strategies.from_file import load_source


def said(old: Strategy, new: Strategy) -> list[str]:
    return [change.sentence for change in diff(old, new)]


def group(**changes: object) -> Group:
    """Return a pair of KO and PEP with some parts changed."""
    return Group.model_validate({"kind": "pair", "legs": ["KO", "PEP"], **changes})


def test_a_number_a_switch_and_an_absent_value() -> None:
    assert diff(Pair(exit=0.5), Pair(exit=0.3)) == [("exit", "0.5", "0.3", "leave at |z| 0.5 → 0.3")]
    assert said(Rotation(), Rotation(absolute=False, top=2)) == ["how many to hold 1 → 2", "cash filter yes → no"]
    assert said(group(), group(stops={"loss": 0.05})) == ["stop loss none → 0.05"]
    assert said(group(stops={"time": 20}), group()) == ["time stop 20 → none"]
    assert said(Pair(lookback=60), Pair(lookback=60)) == []


def test_a_field_inside_a_part_has_its_title_and_its_place() -> None:
    changes = diff(group(timing={"kind": "band", "exit": 0.5}), group(timing={"kind": "band", "exit": 0.3}))
    assert [(c.place, c.before, c.after) for c in changes] == [("timing.exit", "0.5", "0.3")]
    assert changes[0].sentence == f"{_title(group(), 'timing', 'exit')} 0.5 → 0.3"


def _title(strategy: Group, part: str, field: str) -> str:
    title = type(getattr(strategy, part)).model_fields[field].title
    assert title is not None
    return title[0].lower() + title[1:]


def test_legs_are_told_apart_by_their_symbols() -> None:
    fixed = {"hedge": {"method": "fixed"}}
    old = group(legs=[{"symbol": "KO"}, {"symbol": "PEP", "weight": -1.0}], **fixed)
    new = group(legs=[{"symbol": "KO"}, {"symbol": "PEP", "weight": -1.2}], **fixed)
    assert diff(old, new) == [("legs.PEP.weight", "-1", "-1.2", "leg PEP weight -1 → -1.2")]
    basket = {"kind": "basket", "legs": ["KO", "PEP", "WMT"]}
    assert said(Group(**basket), Group(**basket | {"legs": ["KO", "PEP", "WMT", "MSFT"]})) == [
        "leg MSFT added (weight 1)"
    ]
    assert said(Group(**basket), Group(**basket | {"legs": ["KO", "WMT"]})) == ["leg PEP removed"]
    assert said(Group(**basket), Group(**basket | {"legs": ["PEP", "KO", "WMT"]})) == [
        "order of the legs KO, PEP, WMT → PEP, KO, WMT"
    ]


def test_symbols_in_a_list() -> None:
    assert said(MACross(universe=("KO",)), MACross(universe=("KO", "WMT"))) == ["symbol WMT added"]
    assert said(MACross(universe=("KO", "PEP")), MACross(universe=("PEP", "KO"))) == [
        "order of the symbols KO, PEP → PEP, KO"
    ]


def test_another_kind_is_one_change_with_what_it_is_now() -> None:
    rules = {"kind": "rules", "long": "z < -2", "exit_long": "z > 0"}
    (change,) = diff(group(), group(timing=rules))
    assert change.place == "timing"
    assert change.sentence.startswith("timing band (")
    assert '→ rules (buy when "z < -2", leave a long when "z > 0")' in change.sentence
    (size,) = diff(group(), group(volatility_target={"annual": 0.15}))
    assert size.before == ""
    assert size.sentence.startswith("volatility target none → ")


def test_another_family_is_told_with_its_symbols() -> None:
    assert said(Pair(y="KO", x="PEP"), MACross(universe=("KO",))) == [
        f'family "{Pair.title}" → "{MACross.title}"',
        "symbol PEP removed",
    ]


def test_titles_that_two_parts_share_are_told_with_the_part() -> None:
    sentences = said(
        group(timing={"kind": "band", "lookback": 60}, hedge={"lookback": 60}),
        group(timing={"kind": "band", "lookback": 90}, hedge={"lookback": 120}),
    )
    assert len(set(sentences)) == 2
    assert any(s.endswith("60 → 90") for s in sentences)
    assert any(s.endswith("60 → 120") for s in sentences)


@pytest.mark.parametrize(("a", "b"), [*product(list(READY)[:12], list(READY)[12:]), *((n, n) for n in READY)])
def test_nothing_changed_exactly_where_the_definitions_are_one(a: str, b: str) -> None:
    changes = diff(READY[a], READY[b])
    assert (not changes) == (READY[a].id == READY[b].id)
    assert all(change.sentence and change.place for change in changes)
    assert len(set(changes)) == len(changes)


def test_the_code_of_a_file_is_a_part_of_it() -> None:
    text = "from quantlib.strategies import Pair\n\n\nclass Mine(Pair):\n    family = 'mine'\n    title = 'Mine'\n"
    old, new = load_source(text, "mine.py"), load_source(f"{text}\n# tried\n", "mine.py")
    assert said(old, new) == ["the code of the file has changed"]
    assert said(old, load_source(text, "elsewhere.py")) == []
    assert "leave at |z| 0.5 → 0.3" in said(old, load_source(f"{text}\n", "mine.py", {"exit": 0.3}))
