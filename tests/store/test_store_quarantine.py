"""Payloads and quarantine: what came is kept as it came, and once."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store import (
    Store,
    check_bars,
    list_payloads,
    quarantine,
    read_payload,
    read_quarantine,
    save_payload,
)

ASKED = {"start": "2024-01-01", "url": "https://vendor.example/chart"}


def save(store: Store, body: str | bytes = "{}", **other: str) -> str:
    values = {"source": "yahoo", "kind": "bars", "name": "KO"} | other
    return save_payload(store, **values, asked=ASKED, status=200, body=body)


@pytest.mark.parametrize("body", ["", '{"price": "61 €"}', b"PK\x03\x04\x00\xff", "\ud800 half a sign", "\x00"])
def test_a_payload_comes_back_as_it_came(store: Store, body: str | bytes) -> None:
    found = read_payload(store, save(store, body))
    assert found.body == (body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body)
    assert (found.source, found.kind, found.name, found.status, found.asked) == ("yahoo", "bars", "KO", 200, ASKED)
    assert (datetime.now(UTC) - found.fetched_at).total_seconds() < 60


def test_the_same_answer_is_stored_once_and_small(store: Store) -> None:
    body = '{"close": 61.0}' * 10_000
    first = save(store, body)
    when = read_payload(store, first).fetched_at
    assert save(store, body) == first
    assert read_payload(store, first).fetched_at == when, "when it came first"
    others = {save(store, body, name="PEP"), save(store, body, kind="macro"), save(store, body, source="other")}
    assert len({first, *others, save(store, body + " ")}) == 5
    table = list_payloads(store)
    assert len(table) == 5
    assert table["size"].max() < 2_000
    assert list_payloads(store, source="yahoo", kind="bars", name="KO")["id"].iloc[1] == first
    assert len(list_payloads(store, limit=2)) == 2
    with pytest.raises(DataError, match="No payload 'nothing'"):
        read_payload(store, "nothing")


def test_rejected_rows_are_kept_as_they_came_with_their_payload(store: Store, bars: pd.DataFrame) -> None:
    bars = bars.astype(object)
    bars.loc[0, "close"] = -1.5
    bars.loc[1, "volume"] = math.inf
    bars.loc[2, "symbol"] = True
    bars.loc[3, "ts"] = pd.NaT
    _, rejected = check_bars(bars)
    payload = save(store)
    assert quarantine(store, rejected, source="yahoo", kind="bars", name="KO", payload_id=payload) == 4
    kept = read_quarantine(store).set_index("reason")
    assert set(kept["payload_id"]) == {payload}
    assert set(kept["times"]) == {1}
    price = kept.loc["close is not above zero", "row"]
    assert price["close"] == -1.5
    assert price["ts"] == "2024-01-02T00:00:00"
    assert price["volume"] == 15_463_500.0
    assert kept.loc["volume is infinite", "row"]["volume"] == "inf"
    assert kept.loc["symbol is not a name", "row"]["symbol"] is True
    assert kept.loc["date is missing or unreadable", "row"]["ts"] is None


def test_the_same_row_again_is_counted_not_kept_twice(store: Store) -> None:
    def send(
        *closes: float, reason: str = "close is not above zero", name: str = "KO", payload: str | None = None
    ) -> int:
        frame = pd.DataFrame({"symbol": "KO", "close": closes, "reason": reason})
        return quarantine(store, frame, source="yahoo", kind="bars", name=name, payload_id=payload)

    assert send(-1.0, -2.0, -1.0) == 2
    before = read_quarantine(store)
    payload = save(store)
    assert send(-1.0, -3.0, payload=payload) == 1
    after = read_quarantine(store)
    times = {row["close"]: times for row, times in zip(after["row"], after["times"], strict=True)}
    assert times == {-1.0: 3, -2.0: 1, -3.0: 1}
    one = after[after["times"] == 3].iloc[0]
    assert one["last_seen_at"] > one["first_seen_at"] == before["first_seen_at"].iloc[0]
    assert one["payload_id"] == payload, "the answer it came in last"
    assert send(-1.0, reason="something else") == 1
    assert send(-1.0, name="PEP") == 1
    assert len(read_quarantine(store, name="KO")) == 4
    assert len(read_quarantine(store, source="yahoo", limit=2)) == 2
    assert read_quarantine(store, source="nobody").empty


def test_nothing_is_too_odd_for_the_quarantine(store: Store) -> None:
    odd = [
        b"\x00\xff",
        "nul\0",
        "\ud800",
        10**400,
        np.int64(7),
        np.float64("nan"),
        {1: [pd.NaT]},
        object,
        "'; DROP TABLE",
    ]
    frame = pd.DataFrame({"value": pd.Series(odd, dtype=object), "reason": "odd"})
    assert quarantine(store, frame, source="file", kind="bars", name="odd.csv") == len(odd)
    rows = [row["value"] for row in read_quarantine(store)["row"]]
    assert 7 in rows
    assert None in rows
    assert 10**400 in rows
    assert {"1": [None]} in rows
    assert quarantine(store, frame, source="file", kind="bars", name="odd.csv") == 0


def test_what_cannot_go_into_quarantine_is_said(store: Store) -> None:
    frame = pd.DataFrame({"close": [1.0], "reason": "odd"})
    assert quarantine(store, frame.iloc[:0], source="s", kind="bars", name="n") == 0
    with pytest.raises(DataError, match="lack the column reason"):
        quarantine(store, frame[["close"]], source="s", kind="bars", name="n")
    with pytest.raises(DataError, match="refused rows of s n"):
        quarantine(store, frame, source="s", kind="bars", name="n", payload_id="nothing")
    with store.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM ops.quarantine")) == 0
