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
    assert diff(Pair(exit=0.5), Pair(exit=0.3)) == [("exit", "0.5", "0.3", "exit z 0.5 → 0.3")]
    assert said(Rotation(), Rotation(absolute=False, top=2)) == ["how many to hold 1 → 2", "cash filter yes → no"]
    assert said(group(), group(stops={"loss": 0.05})) == ["stop loss none → 5 %"]
    assert said(group(stops={"time": 20}), group()) == ["time stop 20 → none"]
    assert said(Pair(lookback=60), Pair(lookback=60)) == []


def test_a_field_inside_a_part_has_its_title_and_its_place() -> None:
    changes = diff(group(timing={"kind": "band", "exit": 0.5}), group(timing={"kind": "band", "exit": 0.3}))
    assert [(c.place, c.before, c.after) for c in changes] == [("timing.exit", "0.5", "0.3")]
    assert changes[0].sentence == "exit z 0.5 → 0.3"


# What is changed in a pair of KO and PEP, and what is told of it.
WORDS = [
    ({"timing": {"kind": "band", "entry": 1.5}}, "entry z 2 → 1.5"),
    ({"timing": {"kind": "band", "exit": 0.3}}, "exit z 0.5 → 0.3"),
    ({"timing": {"kind": "band", "lookback": 60}}, "z look-back 252 → 60"),
    ({"timing": {"kind": "band", "way": "follow"}}, "way revert → follow"),
    ({"hedge": {"method": "kalman"}}, "hedge ratio ols → kalman"),
    ({"hedge": {"lookback": 60}}, "hedge look-back 252 → 60"),
    ({"hedge": {"rehedge": "monthly"}}, "re-hedge entry → monthly"),
    ({"direction": "long"}, "direction both → long"),
    ({"min_hold": 5}, "hold at least 0 → 5"),
    ({"capital": 0.5}, "capital share 100 % → 50 %"),
    ({"stops": {"loss": 0.05}}, "stop loss none → 5 %"),
    ({"stops": {"profit": 0.07}}, "take profit none → 7 %"),
    ({"stops": {"trailing": 0.125}}, "trailing stop none → 12.5 %"),
    ({"stops": {"time": 63}}, "time stop none → 63"),
    ({"stops": {"volatility": 3.0}}, "volatility stop none → 3"),
    ({"stops": {"spread_z": 4}}, "spread stop none → 4"),
    ({"stops": {"reentry": "next"}}, "enter again reset → next"),
    (
        {"volatility_target": {"annual": 0.15}},
        "volatility target none → volatility aimed at 15 %, measured over 63, scaled at most by 1",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), WORDS, ids=[sentence for _, sentence in WORDS])
def test_each_change_is_told_in_the_terms_of_the_field(changes: dict[str, object], sentence: str) -> None:
    assert said(group(), group(**changes)) == [sentence]


def test_changes_are_told_in_the_order_of_the_fields() -> None:
    legs = [{"symbol": "KO", "weight": 2.0}, {"symbol": "PEP", "weight": -1.0}]
    old = group(hedge={"method": "fixed"}, stops={"loss": 0.05})
    new = group(
        hedge={"method": "fixed"}, legs=legs, timing={"kind": "band", "entry": 1.5, "exit": 0.3}, stops={"loss": 0.1}
    )
    assert said(old, new) == ["leg KO weight 1 → 2", "entry z 2 → 1.5", "exit z 0.5 → 0.3", "stop loss 5 % → 10 %"]
    basket = {"kind": "basket", "legs": ["KO", "PEP"]}
    sized = [{**basket, "volatility_target": {"annual": annual}} for annual in (0.1, 0.12)]
    assert said(*map(Group.model_validate, sized)) == ["volatility aimed at 10 % → 12 %"]


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
    assert "exit z 0.5 → 0.3" in said(old, load_source(f"{text}\n", "mine.py", {"exit": 0.3}))
