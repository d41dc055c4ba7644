from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantlib.errors import DataError
from quantlib.scenarios import FACTORS, make_scenario, parse_scenario, read_scenarios, to_yaml

DATA = Path(__file__).resolve().parents[2] / "data" / "scenarios"
GOOD = {
    "schema_version": 1,
    "id": "test",
    "title": "A test",
    "kind": "hypothetical",
    "story": "Shares fall, for the sake of a test.",
    "source": "Own assumption.",
    "sessions": 6,
    "shocks": [{"factor": "equities", "change": -0.2}],
}


def test_every_scenario_that_comes_with_the_workbench_is_read_and_written_back():
    found = read_scenarios(DATA)
    assert len(found) >= 22
    assert sum(one.kind == "historical" for one in found.values()) >= 13
    starts = [one.window.start for one in found.values() if one.window]
    assert starts == sorted(starts)
    assert {shock.factor for one in found.values() for shock in one.shocks} == FACTORS.keys()
    for one in found.values():
        assert parse_scenario(to_yaml(one)) == one
        assert (DATA / f"{one.id}.yaml").exists()


@pytest.mark.parametrize(
    ("path", "more", "shares", "pinned"),
    [
        ("linear", {}, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1], (6,)),
        ("gap", {}, [1, 1, 1, 1, 1, 1], (1, 6)),
        ("front_loaded", {}, [11 / 36, 20 / 36, 27 / 36, 32 / 36, 35 / 36, 1], (6,)),
        ("crash_then_recover", {"recovers": 0.6}, [0.5, 1, 0.85, 0.7, 0.55, 0.4], (2, 6)),
        ([0.1, 0.4, 1.2, 0.9, 0.95, 1], {}, [0.1, 0.4, 1.2, 0.9, 0.95, 1], (1, 2, 3, 4, 5, 6)),
    ],
)
def test_paths(path, more, shares, pinned):
    scenario = make_scenario({**GOOD, "path": path, **more})
    assert scenario.shares() == pytest.approx(shares)
    assert scenario.pinned() == pinned
    assert scenario.shares()[scenario.trough - 1] == 1.0


def test_moves_are_logs():
    def move(**shock: object) -> float:
        return make_scenario({**GOOD, "shocks": [shock]}).shocks[0].move

    assert move(factor="oil", change=0.5) == pytest.approx(np.log(1.5))
    assert move(factor="rates_10y", bps=200) == pytest.approx(0.02)
    assert move(factor="volatility", times=3) == pytest.approx(np.log(3))
    assert move(asset="AAPL", change=-0.4) == pytest.approx(np.log(0.6))


def test_correlation_can_be_written_in_words():
    assert make_scenario({**GOOD, "law": {"correlation": "one"}}).law.correlation == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"shocks": [{"factor": "equity", "change": -0.2}]},
            "shocks > 1: there is no factor 'equity'. Did you mean equities",
        ),
        (
            {"shocks": [{"factor": "snow", "change": -0.2}]},
            "no factor 'snow'. Accepted: credit, crypto, equities, gold, oil",
        ),
        (
            {"shocks": [{"factor": "oil", "change": -1.0}]},
            r"oil is -1, -100%; accepted: above -1 \(-100 %\), at most 10",
        ),
        ({"shocks": [{"factor": "oil", "change": -20}]}, "Write -20 % as -0.2"),
        ({"shocks": [{"factor": "oil", "change": 11.0}]}, "at most 10"),
        ({"shocks": [{"factor": "oil", "bps": 20}]}, "the shock of oil is written as `change: …`; got bps"),
        ({"shocks": [{"factor": "rates_10y", "change": 0.1}]}, "written as `bps: …`; got change"),
        ({"shocks": [{"factor": "rates_10y"}]}, "got none"),
        ({"shocks": [{"factor": "rates_10y", "bps": 3000}]}, "3000 bps; accepted: -2,000 to 2,000"),
        ({"shocks": [{"factor": "volatility", "times": 0}]}, "is 0; accepted: above 0"),
        ({"shocks": [{"factor": "oil", "asset": "USO", "change": 0.1}]}, "either a factor or an asset"),
        ({"shocks": [{"change": 0.1}]}, "either a factor or an asset"),
        ({"shocks": [{"asset": True, "change": 0.1}]}, 'got True. Put a symbol such as "ON" in quotes'),
        (
            {"shocks": [{"factor": "oil", "chnge": 0.1}]},
            "shocks > 1 > chnge: there is no field 'chnge'. Did you mean change",
        ),
        ({"shocks": GOOD["shocks"] * 2}, "equities is shocked 2 times. Keep one"),
        ({"shocks": []}, "nothing happens: give shocks or a law"),
        ({"sessions": 0}, "sessions: it should be greater than or equal to 1; got 0"),
        ({"sessions": 5000}, "sessions: it should be less than or equal to 2520; got 5000"),
        ({"path": "liner"}, "path: there is no path 'liner'. Did you mean linear"),
        ({"path": {"a": 1}}, "a path is one of gap, linear"),
        ({"path": [0.5, 1]}, "the path has 2 sessions, the scenario 6"),
        ({"path": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, "the path ends at 0.6"),
        ({"path": "crash_then_recover"}, "crash_then_recover, which needs it"),
        ({"recovers": 0.5}, "`recovers` belongs to the path crash_then_recover"),
        ({"kind": "historical"}, "a historical scenario has a window"),
        ({"window": {"start": "2020-01-01", "end": "2020-02-01"}}, "a hypothetical scenario has no window"),
        (
            {"kind": "historical", "window": {"start": "2020-02-01", "end": "2020-01-01"}},
            "window: the window ends on 2020-01-01, not after its start 2020-02-01",
        ),
        ({"law": {"volatility": 0}}, "law > volatility: it should be greater than 0; got 0"),
        ({"law": {"correlation": 1.5}}, "law > correlation: it should be less than or equal to 1; got 1.5"),
        ({"law": {"liqidity": 0.5}}, "no field 'liqidity'. Did you mean liquidity"),
        ({"schema_version": 2}, "schema_version: it should be 1; got 2"),
        ({"id": "Bad Id"}, "id: it should match"),
        ({"colour": "red"}, "there is no field 'colour'"),
    ],
)
def test_a_scenario_that_breaks_a_rule_says_where_and_what_is_accepted(change, words):
    with pytest.raises(DataError, match=words):
        make_scenario({**GOOD, **change})


def test_a_missing_field_is_named():
    with pytest.raises(DataError, match=r"The scenario, sessions: is missing. Give it a value."):
        make_scenario({name: value for name, value in GOOD.items() if name != "sessions"})


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_an_id_may_be_there_once(tmp_path):
    write(tmp_path, "a.yaml", to_yaml(make_scenario(GOOD)))
    write(tmp_path, "b.yaml", to_yaml(make_scenario(GOOD)))
    with pytest.raises(DataError, match=r"b.yaml, id: 'test' is that of a.yaml. Give each scenario its own"):
        read_scenarios(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: [x\nfoo", r"^bad.yaml is not YAML: line 2, column 4: expected ',' or '\]', but got"),
        ("id: \x00", "bad.yaml is not YAML"),
        ("id: a\nid: b\n", "bad.yaml, line 2: 'id' is written twice"),
        ("- 1\n", "bad.yaml holds list"),
        ("", "bad.yaml holds NoneType"),
        ("id: a\n", "bad.yaml, schema_version: is missing"),
    ],
)
def test_files_that_are_no_scenario_are_named(tmp_path, text, words):
    write(tmp_path, "bad.yaml", text)
    with pytest.raises(DataError, match=words):
        read_scenarios(tmp_path)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DataError, match=r"No scenario files in"):
        read_scenarios(tmp_path)


def test_a_file_that_is_not_text_is_said(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bad.yaml cannot be read as UTF-8 text"):
        read_scenarios(tmp_path)
