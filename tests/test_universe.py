"""The universe file the project ships, and every way such a file can be wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from quantlib.errors import DataError
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
        "largest-crypto": 10,
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
        elif name.startswith("reit-") or name in {"largest-us-stocks", "growth-quantum"}:
            assert kinds(universe, name) == {"stock"}
    assert kinds(universe, "largest-crypto") == {"crypto"}
    assert all(symbol.endswith("-USD") for symbol in universe.symbols("largest-crypto"))


def test_every_list_says_when_and_why_it_was_drawn_up(universe: Universe) -> None:
    for entry in universe.lists.values():
        assert entry.drawn_up == date(2026, 11, 20)
        assert entry.basis.endswith(".")
        assert "\n" not in entry.basis
        assert entry.tags
    assert "looks into the future" in universe.lists["largest-us-stocks"].basis
    assert "stablecoins" in universe.lists["largest-crypto"].basis
    assert "private" in universe.lists["fusion-nuclear-etfs"].basis


def test_every_instrument_is_fully_described_and_in_some_list(universe: Universe) -> None:
    listed = {symbol for entry in universe.lists.values() for symbol in entry.symbols}
    assert set(universe.symbols()) == listed
    for instrument in universe.instruments:
        assert instrument.name, instrument.symbol
        assert instrument.exchange, instrument.symbol
        assert instrument.sector, instrument.symbol
        assert instrument.currency == "USD"
        assert instrument.tags


def test_an_instrument_carries_the_tags_of_all_its_lists_once(universe: Universe) -> None:
    assert universe.instrument("NVDA").tags == ("stock", "largest", "growth", "ai")
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
    with pytest.raises(DataError, match=r"Accepted: all, energy-etfs, .*sample"):
        universe.symbols("zzz")
    with pytest.raises(DataError, match=r"no instrument 'APPL'. Did you mean AAPL"):
        universe.instrument("APPL")


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
