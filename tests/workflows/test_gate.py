"""The gate of a vendor: waits for short limits, refuses at long ones, and leaves a failing vendor alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from quantlib.errors import SourceError
from quantlib.settings import Settings
from quantlib.sources.base import (
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    Gate,
    LimitError,
    NotFoundError,
    Parsed,
    PartialError,
    PausedError,
    Payload,
    Rate,
    Source,
    UnreachableError,
)
from quantlib.sources.transport import attempt
from quantlib.store import Store
from quantlib.store.quota import Refusal
from quantlib.store.vendors import note_fault, vendor_states
from quantlib.workflows import gate as module
from quantlib.workflows.gate import StoreGate, call_for, rate_words, read_answer

PAYLOAD = Payload("acme", "bars", "KO", "{}")


def acme(**given: object) -> Source:
    """Return a vendor of no limits that answers nothing."""
    source = Source(
        name="acme",
        title="Acme",
        kinds=("bars",),
        request=lambda ask, call: PAYLOAD,
        parse=lambda payload: Parsed(),
        note="For tests.",
        priority=1,
    )
    return replace(source, **given)  # type: ignore[arg-type]


def that_raises(error: SourceError) -> Source:
    def parse(payload: Payload) -> Parsed:
        raise error

    return acme(parse=parse)


def failures(store: Store) -> int:
    return int(vendor_states(store).set_index("source").loc["acme", "failures"])


def test_it_is_a_gate(store: Store) -> None:
    gate: Gate = StoreGate(store, acme())
    gate.enter("acme")
    gate.succeeded("acme")
    assert vendor_states(store)["source"].tolist() == ["acme"]


def test_calls_within_the_limit_pass_and_a_long_limit_is_an_error_that_says_when(store: Store) -> None:
    gate = StoreGate(store, acme(rates=(Rate(2, 86_400),)))
    gate.enter("acme")
    gate.enter("acme")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    when = rf"next possible ({tomorrow:%Y-%m-%d %H:%M}|{tomorrow + timedelta(minutes=1):%Y-%m-%d %H:%M}) UTC\."
    with pytest.raises(LimitError, match=rf"^Acme: 2 calls a day are used up; {when}$"):
        gate.enter("acme")
    assert vendor_states(store).empty, "our own limit is no fault of the vendor's"


def test_a_short_limit_is_waited_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    due = datetime(2024, 3, 5, tzinfo=UTC)
    refusals = iter([Refusal(1, 1, 0.4, due), Refusal(1, 1, 0.3, due)])
    gate = StoreGate(store, acme(rates=(Rate(1, 1),)), patience=1)
    monkeypatch.setattr(gate._quota, "take", lambda: next(refusals, None))
    monkeypatch.setattr(module.time, "sleep", waited.append)
    gate.enter("acme")
    assert waited == [0.4, 0.3]


def test_it_waits_no_longer_than_its_patience_in_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    gate = StoreGate(store, acme(rates=(Rate(1, 1),)), patience=1)
    monkeypatch.setattr(gate._quota, "take", lambda: Refusal(1, 1, 0.4, datetime(2024, 3, 5, tzinfo=UTC)))
    monkeypatch.setattr(module.time, "sleep", waited.append)
    with pytest.raises(LimitError, match="1 calls a second are used up"):
        gate.enter("acme")
    assert waited == [0.4, 0.4]


def test_the_quota_is_shared_by_gates(store: Store) -> None:
    rates = (Rate(3, 3600),)
    first, second = (StoreGate(store, acme(rates=rates), patience=0) for _ in range(2))
    first.enter("acme")
    second.enter("acme")
    first.enter("acme")
    for gate in (first, second):
        with pytest.raises(LimitError, match="3 calls an hour"):
            gate.enter("acme")


@pytest.mark.parametrize(
    ("calls", "seconds", "words"),
    [
        (25, 86_400, "25 calls a day"),
        (60, 60, "60 calls a minute"),
        (50, 43_200, "50 calls in 12 hours"),
        (5, 1, "5 calls a second"),
        (1000, 3600, "1,000 calls an hour"),
    ],
)
def test_limits_are_said_in_words(calls: int, seconds: int, words: str) -> None:
    assert rate_words(calls, seconds) == words


def test_five_faults_in_a_row_pause_the_vendor_and_the_pause_says_why(store: Store) -> None:
    gate = StoreGate(store, acme())
    for number in range(5):
        gate.enter("acme")
        gate.failed("acme", UnreachableError(f"Acme is not reachable ({number})."))
    with pytest.raises(
        PausedError,
        match=r"^Acme is left alone until \d{4}-\d\d-\d\d \d\d:\d\d UTC: 5 faults in a row, the last: "
        r"Acme is not reachable \(4\)\.$",
    ):
        gate.enter("acme")


@pytest.mark.parametrize("error", [UnreachableError("x"), FormatError("x"), LimitError("x")])
def test_faults_count(store: Store, error: SourceError) -> None:
    StoreGate(store, acme()).failed("acme", error)
    assert failures(store) == 1


@pytest.mark.parametrize("error", [BadKeyError("x"), PartialError("x")])
def test_other_errors_are_only_written_down(store: Store, error: SourceError) -> None:
    StoreGate(store, acme()).failed("acme", error)
    assert failures(store) == 0
    assert vendor_states(store)["last_error"].tolist() == ["x"]


def pass_time(store: Store) -> None:
    """Put the end of the vendor's pause into the past."""
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE ops.vendors SET open_until = now() - interval '1 second'"))


def test_after_the_pause_one_gate_tries_with_as_many_calls_as_it_takes(store: Store) -> None:
    for _ in range(5):
        note_fault(store, "acme", "down")
    pass_time(store)
    one, other = StoreGate(store, acme()), StoreGate(store, acme())
    one.enter("acme")
    one.enter("acme")  # the second page of the same answer
    with pytest.raises(PausedError):
        other.enter("acme")
    one.succeeded("acme")
    other.enter("acme")


def test_a_try_that_fails_ends_the_turn(store: Store) -> None:
    for _ in range(5):
        note_fault(store, "acme", "down")
    pass_time(store)
    gate = StoreGate(store, acme())
    asked = []

    def once() -> None:
        asked.append(1)
        raise UnreachableError("still down")

    call = Call(Path("nowhere"), attempts=4, wait=0.001, gate=gate)
    with pytest.raises(UnreachableError, match="still down"):
        attempt(call, "acme", once)
    assert len(asked) == 4
    with pytest.raises(PausedError, match="6 faults in a row, the last: still down"):
        attempt(call, "acme", once)
    assert len(asked) == 4


def test_answers_that_cannot_be_read_open_the_breaker(store: Store) -> None:
    source = that_raises(FormatError("not JSON"))
    call = Call(Path("nowhere"), gate=StoreGate(store, source))
    for _ in range(5):
        payload = attempt(call, "acme", lambda: PAYLOAD)
        with pytest.raises(FormatError):
            read_answer(source, payload, call)
    with pytest.raises(PausedError, match="the last: not JSON"):
        attempt(call, "acme", lambda: PAYLOAD)


@pytest.mark.parametrize("error", [None, EmptyError("nothing"), NotFoundError("unknown")])
def test_an_answer_that_was_understood_closes_it(store: Store, error: SourceError | None) -> None:
    for _ in range(4):
        note_fault(store, "acme", "down")
    source = that_raises(error) if error else acme()
    call = Call(Path("nowhere"), gate=StoreGate(store, source))
    if error:
        with pytest.raises(type(error)):
            read_answer(source, PAYLOAD, call)
    else:
        read_answer(source, PAYLOAD, call)
    assert failures(store) == 0


def test_no_credential_is_written_down(store: Store) -> None:
    gate = StoreGate(store, acme(), secrets=["canary+key"])
    gate.failed("acme", UnreachableError("https://acme/?key=canary+key and canary%2Bkey"))
    assert vendor_states(store)["last_error"].tolist() == ["https://acme/?key=… and …"]


def test_a_call_has_the_keys_that_are_set_and_a_cache_of_its_own(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, _env_file=None, fred_api_key="fred", polygon_api_key="polygon")
    source = acme(keys=("FRED_API_KEY", "FINNHUB_API_KEY"), optional_keys=("POLYGON_API_KEY",))
    call = call_for(store, settings, source)
    assert call.keys == {"FRED_API_KEY": SecretStr("fred"), "POLYGON_API_KEY": SecretStr("polygon")}
    assert call.home == tmp_path / "cache" / "acme"
    assert not call.home.exists(), "asking for a call makes nothing"
    call.gate.failed("acme", BadKeyError("fred is wrong"))
    assert vendor_states(store)["last_error"].tolist() == ["… is wrong"]
    assert call.gate is not call_for(store, settings, source).gate
