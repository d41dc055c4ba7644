"""The universe file the project ships, and every way such a file can be wrong."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml

from quantlib.errors import DataError
from quantlib.models import MODELS
from quantlib.sources import sample
from quantlib.universe import Universe, load_universe

FILE = Path(__file__).resolve().parents[1] / "data" / "universe.yaml"


@pytest.fixture(scope="module")
def universe() -> Universe:
    return load_universe(FILE)


def kinds(universe: Universe, name: str) -> set[str]:
    return {universe.instrument(symbol).kind for symbol in universe.symbols(name)}


def test_every_list_of_the_scope_is_there_with_its_size(universe: Universe) -> None:
    assert {name: len(entry.symbols) for name, entry in universe.lists.items()} == {
        "sample": 27,
        "largest-etfs": 30,
        "largest-us-stocks": 30,
        "dow-jones-30": 30,
        "largest-crypto": 10,
        "fx-majors": 4,
        "quantum-etfs": 2,
        "reit-etfs": 9,
        "reit-data-centres": 3,
        "reit-warehouses": 8,
        "energy-etfs": 13,
        "fusion-nuclear-etfs": 4,
        "growth-quantum": 8,
        "growth-defence": 13,
        "growth-consumer": 15,
        "growth-ai-infrastructure": 26,
    }


def test_lists_hold_the_kinds_they_promise(universe: Universe) -> None:
    for name in universe.lists:
        if name.endswith("-etfs"):
            assert kinds(universe, name) == {"etf"}
        elif name.startswith("reit-") or name in {"largest-us-stocks", "dow-jones-30", "growth-quantum"}:
            assert kinds(universe, name) == {"stock"}
    assert kinds(universe, "largest-crypto") == {"crypto"}
    assert all(symbol.endswith("-USD") for symbol in universe.symbols("largest-crypto"))
    assert kinds(universe, "fx-majors") == {"fx"}
    for symbol in universe.symbols("fx-majors"):
        assert symbol == f"EUR{universe.instrument(symbol).currency}=X"


def test_every_list_says_when_and_why_it_was_drawn_up(universe: Universe) -> None:
    for entry in universe.lists.values():
        assert entry.drawn_up == (date(2025, 6, 30) if entry.name == "dow-jones-30" else date(2026, 11, 20))
        assert entry.basis.endswith(".")
        assert "\n" not in entry.basis
        assert entry.tags
    assert "looks into the future" in universe.lists["largest-us-stocks"].basis
    assert "stablecoins" in universe.lists["largest-crypto"].basis
    assert "private" in universe.lists["fusion-nuclear-etfs"].basis


def test_every_instrument_is_fully_described_and_in_some_list(universe: Universe) -> None:
    listed = {symbol for entry in universe.lists.values() for symbol in entry.everyone}
    assert set(universe.symbols()) == listed
    for instrument in universe.instruments:
        assert instrument.name, instrument.symbol
        assert instrument.exchange, instrument.symbol
        assert instrument.sector, instrument.symbol
        assert instrument.currency == "USD" or instrument.kind == "fx"
        assert instrument.tags


def test_an_instrument_carries_the_tags_of_all_its_lists_once(universe: Universe) -> None:
    assert universe.instrument("NVDA").tags == ("stock", "largest", "dow", "growth", "ai")
    assert universe.instrument("EQIX").tags == ("stock", "reit", "data-centre", "growth", "ai")


def test_the_sample_list_is_what_the_sample_source_holds(universe: Universe) -> None:
    assert universe.symbols("sample") == sample.SYMBOLS


def test_a_symbol_that_yaml_eats_survives(universe: Universe) -> None:
    assert "ON" in universe.symbols("growth-ai-infrastructure")
    assert universe.instrument("ON").name == "ON Semiconductor"


def test_the_universe_survives_json(universe: Universe) -> None:
    assert Universe.model_validate_json(universe.model_dump_json()) == universe


def test_wrong_names_are_answered_with_the_nearest(universe: Universe) -> None:
    with pytest.raises(DataError, match=r"no list 'largest-etf'. Did you mean largest-etfs"):
        universe.symbols("largest-etf")
    with pytest.raises(DataError, match=r"Accepted: all, dow-jones-30, energy-etfs, .*sample"):
        universe.symbols("zzz")
    with pytest.raises(DataError, match=r"no instrument 'APPL'. Did you mean AAPL"):
        universe.instrument("APPL")


def dow(universe: Universe, on: str) -> set[str]:
    return set(universe.members("dow-jones-30", on))


def test_the_dow_is_known_as_it_was(universe: Universe) -> None:
    """Against the 30 names of two days, and every change from the day before to the day itself."""
    autumn_2013 = "AXP BA CAT CSCO CVX DD-2017 DIS GE GS HD IBM INTC JNJ JPM KO MCD MMM MRK MSFT NKE PFE PG RTX T TRV"
    assert dow(universe, "2013-09-23") == {*autumn_2013.split(), "UNH", "V", "VZ", "WMT", "XOM"}
    assert dow(universe, "2013-09-23") == dow(universe, "2015-03-18")
    changes = {
        "2015-03-19": ("AAPL", "T"),
        "2017-09-01": ("DD", "DD-2017"),
        "2018-06-26": ("WBA", "GE"),
        "2019-04-02": ("DOW", "DD"),
        "2020-08-31": ("AMGN CRM HON", "PFE RTX XOM"),
        "2024-02-26": ("AMZN", "WBA"),
        "2024-11-08": ("NVDA SHW", "DOW INTC"),
    }
    for day, (joined, left) in changes.items():
        before, after = dow(universe, str(date.fromisoformat(day) - timedelta(days=1))), dow(universe, day)
        assert len(after) == 30
        assert (after - before, before - after) == (set(joined.split()), set(left.split()))
    assert universe.members("dow-jones-30", "2025-06-30") == universe.symbols("dow-jones-30")
    with pytest.raises(DataError, match=r"dow-jones-30 is known from 2013-09-23 on, not on 2013-09-20"):
        universe.members("dow-jones-30", "2013-09-20")
    with pytest.raises(DataError, match="no list 'dow'"):
        universe.members("dow", "2020-01-01")


def test_a_list_of_one_day_says_nothing_about_earlier_ones(universe: Universe) -> None:
    assert universe.members("quantum-etfs", "2026-11-20") == ("QTUM", "WQTM")
    with pytest.raises(DataError, match=r"quantum-etfs is known from 2026-11-20 on, not on 2026-11-19"):
        universe.members("quantum-etfs", "2026-11-19")


def test_the_history_of_a_list_is_stored_stay_by_stay(universe: Universe) -> None:
    rows = universe.history()
    assert tuple(rows.columns) == MODELS["membership"].columns()
    assert not rows.duplicated(["list", "symbol", "member_from"]).any()
    assert set(rows["basis"]) == {"history"}
    assert set(rows["list"]) == {"dow-jones-30"}
    own = rows[rows["list"] == "dow-jones-30"].set_index("symbol")
    assert len(own) == 40
    assert own.loc["WBA", ["member_from", "member_to"]].tolist() == [
        pd.Timestamp("2018-06-26"),
        pd.Timestamp("2024-02-26"),
    ]
    assert own.loc["KO", "member_from"] == pd.Timestamp("2013-09-23")
    assert own["member_to"].isna().sum() == 30


@pytest.mark.parametrize(
    ("chosen", "start", "sentence"),
    [
        ("largest-us-stocks", "2010-01-04", "The list largest-us-stocks is known from 2026-11-20 on, but used from"),
        ("largest-us-stocks", "2026-11-20", ""),
        ("dow-jones-30", "2013-09-23", ""),
        ("dow-jones-30", "2013-09-20", "The list dow-jones-30 is known from 2013-09-23 on, but used from 2013-09-20"),
        ("all", "2020-01-02", "AAPL, ABBV and "),
        (["KO", "PEP"], "1990-01-02", "KO and PEP were chosen from a list drawn up on 2026-11-20, but used from 1990"),
        (["KO"], "2025-06-30", ""),  # on the list of that day
        (["KO"], "2025-06-27", "KO was chosen from a list drawn up on 2025-06-30, but used from 2025-06-27 on: sel"),
        (["^GSPC", "^IXIC"], "1990-01-02", ""),
        (["^GSPC", "KO"], "1990-01-02", "KO was chosen"),
        (["GHOST"], "2020-01-02", "GHOST was chosen without a dated list"),
        ([], "2020-01-02", ""),
    ],
)
def test_hindsight_in_the_choice_is_named(
    universe: Universe, chosen: str | list[str], start: str, sentence: str
) -> None:
    said = universe.selection_bias(chosen, start)
    assert said.startswith(sentence)
    assert bool(said) == bool(sentence)
    assert said.endswith("selection-biased.") or not said


def test_exactly_the_members_of_the_first_day_are_no_hindsight(universe: Universe) -> None:
    of_2014 = universe.members("dow-jones-30", "2014-01-02")
    assert universe.selection_bias(of_2014, "2014-01-02") == ""
    assert universe.selection_bias((*of_2014, "^GSPC"), "2014-01-02") == ""
    assert universe.selection_bias(of_2014[:-1], "2014-01-02")
    assert universe.selection_bias(universe.symbols("dow-jones-30"), "2014-01-02")  # today's Dow, in 2014
    assert universe.selection_bias(universe.lists["dow-jones-30"].everyone, "2014-01-02")


GOOD = """
instruments:
  stock:
    ABC: {name: Alphabet Soup, exchange: NYSE, sector: Food}
    "ON": {name: On and off, exchange: NYSE, sector: Switches}
lists:
  soup: {title: Soup, drawn_up: 2026-11-20, basis: We like it., tags: [food], symbols: [ABC, "ON"]}
"""


def test_a_small_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "universe.yaml"
    path.write_text(GOOD, encoding="utf-8")
    universe = load_universe(path)
    assert universe.symbols() == universe.symbols("soup") == ("ABC", "ON")
    assert universe.instrument("ABC").tags == ("food",)


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ('symbols: [ABC, "ON"]', "symbols: [ABC, ON]", r"lists > soup: YAML reads a symbol as True.*quotes"),
        ('symbols: [ABC, "ON"]', "symbols: [ABC, ABCD]", r"lists > soup: ABCD is not under.*Did you mean ABC\?"),
        ('symbols: [ABC, "ON"]', "symbols: [ABC, ABC]", r"lists > soup: ABC is named 2 times"),
        ('symbols: [ABC, "ON"]', "symbols: []", r"lists > soup > symbols"),
        ('    "ON":', "    ON:", r"instruments > stock: YAML reads a symbol as True"),
        ('    "ON":', "    ABC:", r"line 5 writes 'ABC' a second time"),
        ('    "ON":', '  etf:\n    "ON": {}\n    ABC:', r"ABC is described 2 times"),
        ('    "ON":', '  boat:\n    "ON":', r"kind"),
        ("2026-11-20", "2026-13-40", r"lists > soup > drawn_up: .*date.*2026-13-40"),
        ("2026-11-20", "soon", r"lists > soup > drawn_up"),
        ("drawn_up: 2026-11-20, ", "", r"lists > soup > drawn_up: Field required"),
        ("exchange: NYSE, sector: Food", "exchange: NYSE, colour: red", r"colour"),
        ("  soup:", "  soup: {}\n  soup:", r"line 8 writes 'soup' a second time"),
        ("  soup:", "  Soup Of The Day:", r"Soup Of The Day"),
        ("lists:", "list:", r"universe\.yaml, lists: Field required"),
        ("symbols: [", "symbols: [[", r"is not YAML"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, was: str, now: str, words: str) -> None:
    path = tmp_path / "universe.yaml"
    assert was in GOOD
    path.write_text(GOOD.replace(was, now), encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        load_universe(path)
    assert str(caught.value).startswith("universe.yaml")
    assert "\n" not in str(caught.value)


HISTORY = """
instruments:
  stock: {ABC: {name: A}, DEF: {name: D}, "ON": {name: O, listed: 2019-01-02, delisted: 2020-05-29}}
lists:
  soup:
    title: Soup
    drawn_up: 2022-01-01
    basis: We like it.
    tags: [food]
    symbols: [ABC, DEF]
    since: 2018-01-01
    changes:
      - {day: 2019-06-03, joined: ["ON"]}
      - {day: 2020-06-01, joined: [DEF], left: ["ON"]}
      - {day: 2021-06-01, left: [ABC]}
      - {day: 2021-07-01, joined: [ABC]}
"""


def test_a_list_with_history_is_read(tmp_path: Path) -> None:
    path = tmp_path / "universe.yaml"
    path.write_text(HISTORY, encoding="utf-8")
    universe = load_universe(path)
    assert universe.instrument("ON").tags == ("food",)
    assert universe.instrument("ON").delisted == date(2020, 5, 29)
    assert set(universe.lists["soup"].spans) == {
        ("ABC", date(2018, 1, 1), date(2021, 6, 1)),
        ("ABC", date(2021, 7, 1), None),
        ("DEF", date(2020, 6, 1), None),
        ("ON", date(2019, 6, 3), date(2020, 6, 1)),
    }
    days = ("2018-01-01", "2019-06-03", "2020-06-01", "2021-06-15", "2021-07-01", "2026-01-01")
    assert [universe.members("soup", on=day) for day in days] == [
        ("ABC",), ("ABC", "ON"), ("ABC", "DEF"), ("DEF",), ("ABC", "DEF"), ("ABC", "DEF"),
    ]  # fmt: skip
    assert Universe.model_validate_json(universe.model_dump_json()) == universe


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ("    since: 2018-01-01\n", "", r"lists > soup: changes need `since`"),
        ("since: 2018-01-01", "since: 2023-01-01", r"lists > soup: since 2023-01-01 is after drawn_up 2022-01-01\."),
        ("since: 2018-01-01", "since: 2019-06-03", r"change on 2019-06-03 must lie after 2019-06-03"),
        ("day: 2021-07-01", "day: 2022-07-01", r"change on 2022-07-01 must lie after 2021-06-01 and not after 2022"),
        ("day: 2020-06-01", "day: 2019-06-01", r"change on 2019-06-01 must lie after 2019-06-03"),
        ("day: 2020-06-01", "on: 2020-06-01", r"lists > soup > changes > 1 > day: Field required"),
        (', left: ["ON"]', "", r"ON joined on 2019-06-03, but is no member afterwards"),
        ("left: [ABC]", "left: [DEF]", r"DEF left on 2021-06-01, but is a member afterwards"),
        ("joined: [ABC]", 'joined: ["ON"]', r"ON joined on 2021-07-01, but is no member afterwards"),
        ("joined: [DEF]", "joined: [DFE]", r"soup > changes > 2020-06-01: DFE is not under.*Did you mean DEF\?"),
        ("joined: [DEF]", "joined: [DEF, DEF]", r"soup > changes > 2020-06-01: DEF is named 2 times"),
        ('joined: ["ON"]', "joined: [ON]", r"soup > changes > 2019-06-03: YAML reads a symbol as True"),
        ("delisted: 2020-05-29", "delisted: 2018-05-29", r"ON is delisted on 2018-05-29, before it is listed"),
    ],
)
def test_a_wrong_history_names_the_place(tmp_path: Path, was: str, now: str, words: str) -> None:
    path = tmp_path / "universe.yaml"
    assert was in HISTORY
    path.write_text(HISTORY.replace(was, now), encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        load_universe(path)
    assert str(caught.value).startswith("universe.yaml")
    assert len(str(caught.value)) < 250


def test_a_missing_or_empty_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No universe file at"):
        load_universe(tmp_path / "universe.yaml")
    (tmp_path / "universe.yaml").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"universe\.yaml, the file"):
        load_universe(tmp_path / "universe.yaml")


def test_the_file_repeats_no_description() -> None:
    groups = yaml.safe_load(FILE.read_text(encoding="utf-8"))["instruments"]
    names = [fields["name"] for group in groups.values() for fields in group.values()]
    assert len(names) == len(set(names))
