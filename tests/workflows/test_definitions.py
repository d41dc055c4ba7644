"""Definitions as things people keep: saved, found, compared, passed on, run every day."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quantlib.errors import ConfigError, DataError, StrategyError
from quantlib.settings import Settings
from quantlib.strategies import DAILY, LIBRARY, READY, MACross, Pair
from quantlib.strategies.from_file import load_source
from quantlib.workflows.definitions import (
    compare_versions,
    daily,
    definition_versions,
    drop_definition,
    export_definition,
    find_definition,
    import_definition,
    import_file,
    known_definitions,
    move_definition,
    open_definition,
    save_definition,
    saved_definitions,
    version_changes,
)
from quantlib.workflows.session import Session

WIDE, NARROW = Pair(y="KO", x="PEP", exit=0.5), Pair(y="KO", x="PEP", exit=0.3)


def test_a_definition_is_kept_in_versions_that_can_be_compared(here: Session) -> None:
    assert save_definition(here, "  My pair ", WIDE, "first").version == 1
    assert save_definition(here, "My pair", WIDE).version == 1
    assert save_definition(here, "My pair", NARROW, why="Out sooner.").version == 2
    versions = definition_versions(here, "My pair")
    assert [(v.strategy_id, v.note, v.why) for v in versions] == [
        (WIDE.id, "first", ""),
        (NARROW.id, "", "Out sooner."),
    ]
    (change,) = compare_versions(here, "My pair", 1, 2)
    assert change.sentence.endswith("0.5 → 0.3")
    assert compare_versions(here, "My pair", 2, 1)[0].sentence.endswith("0.3 → 0.5")
    assert compare_versions(here, "My pair", 2, 2) == []
    assert version_changes(versions) == ["", change.sentence]
    assert find_definition(here, "My pair").strategy == NARROW
    assert find_definition(here, "My pair@1").strategy == WIDE
    assert saved_definitions(here).keys() == {"My pair"}
    assert list(known_definitions(here)) == [*LIBRARY, "My pair"]


def test_names_that_are_not_there_are_told_their_neighbours(here: Session) -> None:
    save_definition(here, "My pair", WIDE)
    for wrong, message in (
        ("My pare", "Did you mean My pair"),
        ("Coke against Peps", "Did you mean Coke against Pepsi"),
        ("My pair@2", "has no version '2'; accepted: 1"),
        ("My pair@x", "has no version 'x'"),
        ("Coke against Pepsi@1", "is a ready definition, which has no versions. Leave @1 out"),
    ):
        with pytest.raises(StrategyError, match=message):
            find_definition(here, wrong)
    with pytest.raises(DataError, match="Did you mean My pair"):
        definition_versions(here, "My pare")


def test_what_cannot_be_saved_is_refused(here: Session) -> None:
    with pytest.raises(StrategyError, match="is the name of a ready definition"):
        save_definition(here, "Coke against Pepsi", WIDE)
    with pytest.raises(StrategyError, match="has '@' in it"):
        save_definition(here, "My@pair", WIDE)
    with pytest.raises(StrategyError, match="has ',' in it"):
        save_definition(here, "A, B", WIDE)
    with pytest.raises(StrategyError, match="1 to 80 characters; got 0"):
        save_definition(here, " ", WIDE)
    for name in ("--help", "mine.yaml", "mine.py"):
        with pytest.raises(StrategyError, match="reads like an option or a file"):
            save_definition(here, name, WIDE)
    for name in ("daily", "all"):
        with pytest.raises(StrategyError, match="a meaning of its own in WORKBENCH_STRATEGIES"):
            save_definition(here, name, WIDE)
    own = load_source("from quantlib.strategies import Pair\nclass Mine(Pair):\n    family = 'mine'\n", "mine.py")
    with pytest.raises(StrategyError, match="is kept in its Python file"):
        save_definition(here, "Mine", own)
    assert saved_definitions(here) == {}


def test_a_name_can_move_and_go(here: Session) -> None:
    save_definition(here, "My pair", WIDE)
    with pytest.raises(StrategyError, match="is the name of a ready definition"):
        move_definition(here, "My pair", "Factor ETF switch")
    move_definition(here, "My pair", "Cola")
    assert saved_definitions(here)["Cola"].strategy == WIDE
    drop_definition(here, "Cola")
    assert saved_definitions(here) == {}


def test_a_name_the_pipeline_is_told_to_run_stays(here: Session) -> None:
    save_definition(here, "Cola", WIDE)
    told = replace(here, settings=here.settings.model_copy(update={"strategies": "Turn of the month, Cola"}))
    with pytest.raises(ConfigError, match="WORKBENCH_STRATEGIES names 'Cola'"):
        drop_definition(told, "Cola")
    with pytest.raises(ConfigError, match="Change the setting first"):
        move_definition(told, "Cola", "Pepsi")
    assert list(saved_definitions(here)) == ["Cola"]


def test_it_is_passed_on_as_yaml(here: Session, tmp_path: Path) -> None:
    save_definition(here, "My pair", NARROW, why="Out sooner.", reference="Author (2020), Title, Journal 1")
    text = export_definition(here, "My pair")
    drop_definition(here, "My pair")
    record = import_definition(here, text, name="Theirs", note="by mail")
    assert (record.name, record.note, record.why) == ("Theirs", "by mail", "Out sooner.")
    assert find_definition(here, "Theirs").reference == "Author (2020), Title, Journal 1"
    assert find_definition(here, "Theirs").strategy == NARROW
    with pytest.raises(StrategyError, match="is the name of a ready definition"):
        import_definition(here, export_definition(here, "Coke against Pepsi"))
    file = tmp_path / "pair.yaml"
    file.write_text(text)
    with pytest.raises(StrategyError, match=r"pair\.yaml: y is 'KO', which is not known. Accepted: AAA, BBB\."):
        import_file(here, file)
    file.write_text(text.replace("KO", "AAA").replace("PEP", "BBB"))
    assert import_file(here, file).name == "My pair"
    file.write_text(text.replace("family: pair", "family: pear"))
    with pytest.raises(StrategyError, match=r"pair\.yaml: Line \d+: family is 'pear'"):
        import_file(here, file)


def test_an_old_version_is_exported_under_its_name(here: Session) -> None:
    save_definition(here, "My pair", WIDE)
    save_definition(here, "My pair", NARROW)
    text = export_definition(here, "My pair@1")
    assert "name: My pair\n" in text
    assert WIDE.id in text


def test_a_name_or_a_file_opens(here: Session, tmp_path: Path) -> None:
    assert open_definition(here, "Coke against Pepsi") == ("Coke against Pepsi", LIBRARY["Coke against Pepsi"])
    (tmp_path / "mine.yaml").write_text(export_definition(here, "Coke against Pepsi"))
    assert open_definition(here, str(tmp_path / "mine.yaml"))[1] == LIBRARY["Coke against Pepsi"]
    (tmp_path / "mine.py").write_text("from quantlib.strategies import Pair\nstrategy = Pair(exit=0.3)\n")
    name, told = open_definition(here, str(tmp_path / "mine.py"))
    assert (name, told.strategy) == (Pair.title, Pair(exit=0.3))
    with pytest.raises(StrategyError, match=r"gone\.yaml cannot be read"):
        open_definition(here, str(tmp_path / "gone.yaml"))


def test_one_that_its_family_accepts_no_more_is_left_out_and_said_so(here: Session) -> None:
    save_definition(here, "Old", WIDE)
    save_definition(here, "Old", NARROW)
    with here.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE strategies.definitions SET params = params || '{\"exit\": -1}' WHERE id = %s", (NARROW.id,)
        )
    assert saved_definitions(here) == {}
    with pytest.raises(StrategyError, match="exit"):
        find_definition(here, "Old")
    assert "It is accepted no more." in version_changes(definition_versions(here, "Old"))[1]


def with_setting(session: Session, strategies: str) -> Session:
    return Session(session.settings.model_copy(update={"strategies": strategies}), session.store)


def test_what_runs_daily_is_set_by_names(here: Session) -> None:
    assert Settings(_env_file=None).strategies == "daily"
    assert list(daily(here)) == list(DAILY)
    save_definition(here, "My pair", NARROW)
    save_definition(here, "KO trend", MACross())
    chosen = daily(with_setting(here, " My pair, Sell in May ,"))
    assert chosen == {"My pair": NARROW, "Sell in May": READY["Sell in May"]}
    assert list(daily(with_setting(here, "all"))) == [*READY, "KO trend", "My pair"]
    with pytest.raises(ConfigError, match=r"WORKBENCH_STRATEGIES names 'My pare'.*Did you mean My pair"):
        daily(with_setting(here, "My pare"))
    with pytest.raises(ConfigError, match="names no definition"):
        daily(with_setting(here, " , "))
