"""Instruments and universe lists."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from quantlib.errors import DataError
from quantlib.store import (
    Store,
    UniverseList,
    WriteCount,
    read_instruments,
    read_universe,
    write_instruments,
    write_universe,
)
from quantlib.types import Instrument

KO = Instrument(
    symbol="KO", name="Coca-Cola", exchange="NYSE", sector="Consumer Staples", tags=("consumer", "dividend")
)
BTC = Instrument(symbol="BTC-USD", name="Bitcoin", kind="crypto")


def test_instruments_round_trip_and_repeat(store: Store) -> None:
    assert write_instruments(store, [KO, BTC]) == WriteCount(new=2)
    assert write_instruments(store, [KO, BTC]) == WriteCount(unchanged=2)
    moved = KO.model_copy(update={"tags": ("consumer",)})
    assert write_instruments(store, [moved, BTC]) == WriteCount(changed=1, unchanged=1)
    assert list(read_instruments(store).values()) == [BTC, moved]
    assert list(read_instruments(store, ["KO"])) == ["KO"]
    assert write_instruments(store, []) == WriteCount()
    with pytest.raises(DataError, match=r"Instrument 'KOO' is not stored. Did you mean KO\?"):
        read_instruments(store, ["KOO"])
    with pytest.raises(DataError, match="have the same symbol"):
        write_instruments(store, [KO, KO])


def test_every_kind_there_is_can_be_stored(store: Store) -> None:
    kinds = get_args(Instrument.model_fields["kind"].annotation)
    write_instruments(store, [Instrument(symbol=kind.upper(), kind=kind) for kind in kinds])
    assert {one.kind for one in read_instruments(store).values()} == set(kinds)


def test_lists_keep_their_order_and_their_dates(store: Store) -> None:
    spring = UniverseList("largest-etfs", "Largest ETFs", date(2026, 3, 1), ("SPY", "VOO", "IVV"))
    autumn = UniverseList("largest-etfs", "Largest ETFs", date(2026, 9, 1), ("VOO", "SPY", "QQQ"))
    empty = UniverseList("fusion", "Fusion", date(2026, 9, 1), ())
    assert write_universe(store, [spring, autumn, empty]) == WriteCount(new=6)
    assert write_universe(store, [spring, autumn, empty]) == WriteCount(unchanged=6)
    assert read_universe(store) == {"fusion": empty, "largest-etfs": autumn}
    assert read_universe(store, as_of="2026-08-31") == {"largest-etfs": spring}
    assert read_universe(store, as_of="2025-01-01") == {}


def test_a_list_written_again_is_exactly_what_was_given(store: Store) -> None:
    write_universe(store, [UniverseList("q", "Quantum", date(2026, 9, 1), ("IONQ", "RGTI", "QBTS"))])
    later = UniverseList("q", "Quantum computing", date(2026, 9, 1), ("RGTI", "QUBT"))
    assert write_universe(store, [later]) == WriteCount(new=1, changed=3)  # one moved up, two left
    assert read_universe(store) == {"q": later}


def test_listing_and_delisting_are_kept(store: Store) -> None:
    twitter = Instrument(symbol="TWTR", listed=date(2013, 11, 7))
    write_instruments(store, [twitter])
    gone = twitter.model_copy(update={"delisted": date(2022, 10, 27)})
    assert write_instruments(store, [gone]) == WriteCount(changed=1)
    assert read_instruments(store, ["TWTR"]) == {"TWTR": gone}
