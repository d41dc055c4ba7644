from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from app.address import pack, unpack
from app.simulator_own_draft import (
    Draft,
    as_link,
    begin,
    dump,
    from_link,
    name_of,
    rows_of,
    shares_of,
    shock_faults,
    shocks_of,
)
from quantlib.errors import DataError
from quantlib.scenarios import make_scenario, parse_scenario, read_scenarios

READY = read_scenarios(Path(__file__).resolve().parents[2] / "data" / "scenarios")
CRASH = READY["crash-1987"]


@pytest.fixture
def draft() -> Draft:
    return Draft(CRASH.title, begin(CRASH), tuple(READY.values()))


@pytest.mark.parametrize("name", READY)
def test_table_address_and_text_hold_every_ready_scenario(name):
    scenario = READY[name]
    fields = dump(scenario)
    assert make_scenario({**fields, "shocks": shocks_of(rows_of(fields["shocks"]))}) == scenario
    assert from_link(as_link(scenario)) == scenario
    mine = Draft(scenario.title, begin(scenario), tuple(READY.values()))
    assert mine.faults == {}
    assert parse_scenario(mine.document) == mine.scenario
    assert (mine.scenario.shocks, mine.scenario.law, mine.scenario.path) == (
        scenario.shocks,
        scenario.law,
        scenario.path,
    )


def test_a_beginning_is_an_assumption_under_a_name_of_its_own(draft):
    assert draft.scenario.title == "My Black Monday 1987"
    assert draft.scenario.id == "my-black-monday-1987"
    assert draft.scenario.kind == "hypothetical"
    assert not draft.changed


def test_the_table_is_in_the_units_of_people():
    shocks = [
        {"factor": "equities", "change": -0.285},
        {"factor": "rates_10y", "bps": 19.0},
        {"asset": "KO", "change": 0.1},
    ]
    rows = rows_of(shocks)
    assert rows.to_numpy().tolist() == [["equities", -28.5], ["rates_10y", 19.0], ["KO", 10.0]]
    assert shocks_of(rows) == shocks
    assert shocks_of(rows_of([])) == []


def test_empty_rows_are_none_and_half_filled_ones_are_said():
    rows = pd.DataFrame([["oil", None], [None, None], [None, 5.0], ["gold", -150.0], ["volatility", 0.0]])
    shocks = shocks_of(rows.set_axis(["moves", "size"], axis=1))
    assert shocks == [
        {"factor": "oil"},
        {"change": 0.05},
        {"factor": "gold", "change": -1.5},
        {"factor": "volatility", "times": 0.0},
    ]
    assert shock_faults(shocks) == [
        "oil has no size yet. Write it in %.",
        "A row says by how much (+5), but not what moves. Choose it.",
        "gold moves by -150 %; accepted: above -100 to +1,000 %.",
        "volatility moves by +0 ×; accepted: above +0 to +20 ×.",
    ]
    assert shock_faults([{"factor": "rates_10y", "bps": -2000.0}]) == []


def test_each_field_is_told_its_own_fault(draft):
    draft.typed({**draft.fields, "title": "My", "story": "Short.", "path": [0.5, 0.9], "law": {"volatility": 0.0}})
    assert draft.scenario is None
    assert set(draft.faults) == {"title", "story", "path", "volatility"}
    assert draft.faults["title"] == ["It should have at least 3 characters; got 'My'."]
    assert draft.faults["path"] == ["The path has 2 sessions, the scenario 4."]
    assert draft.faults["volatility"] == ["It should be greater than 0; got 0.0."]
    draft.typed({**begin(CRASH), "title": CRASH.title})
    assert draft.faults == {"title": ["'Black Monday 1987' is the title of a ready scenario. Change it."]}
    draft.typed({**begin(CRASH), "shocks": []})
    assert draft.faults == {"law": ["Nothing happens: give shocks or a law."]}
    draft.typed({**begin(CRASH), "kind": "historical"})
    assert draft.faults == {"window": ["A historical scenario has a window."]}
    draft.typed(begin(CRASH))
    assert draft.scenario is not None


def test_what_is_typed_one_way_is_there_the_other_way(draft):
    draft.typed({**draft.fields, "story": "Short."})
    assert "story: Short." in draft.document, "a form that is no scenario yet goes into the text"
    draft.written(draft.document.replace("story: Short.", "story: Shares fall for no reason at all."))
    assert draft.fields["story"] == "Shares fall for no reason at all."
    assert draft.scenario == make_scenario(draft.fields)
    before, turn = dict(draft.fields), draft.turn
    draft.written("title: [")
    assert draft.scenario is None
    assert draft.faults[""][0].startswith("The text is not YAML")
    assert draft.document == "title: ["
    draft.typed(before)
    assert draft.document == "title: [", "the form was not touched, so the text stays"
    draft.typed({**before, "sessions": 5, "path": "linear"})
    assert draft.text is None
    assert draft.scenario.sessions == 5
    assert draft.turn == turn


def test_names_and_shares():
    assert name_of("Öl +50 %, my way") == "ol-50-my-way"
    assert name_of("原油") == "own-scenario"
    assert shares_of(" 0.1, 0.5;1 ") == [0.1, 0.5, 1.0]
    assert shares_of("0.1 x") == [0.1, "x"]


def test_a_damaged_address_is_said():
    code = as_link(CRASH)
    assert unpack(pack({"a": [1, "ü"]})) == {"a": [1, "ü"]}
    for wrong in (code[:60], "???", pack([1])):
        with pytest.raises(DataError, match="The scenario in this address"):
            from_link(wrong)
    with pytest.raises(DataError, match=r"The scenario in this address, schema_version: is missing"):
        from_link(pack({"title": "x"}))
