"""How every source does, and a try at all of them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError, SourceError
from quantlib.settings import Settings
from quantlib.sources import SOURCES
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    PartialError,
    Payload,
    Rate,
    Source,
    UnreachableError,
)
from quantlib.store import Store
from quantlib.store.quota import Quota
from quantlib.store.vendors import note_fault, note_success
from quantlib.workflows import vendors as module
from quantlib.workflows.session import Session
from quantlib.workflows.vendors import kind_of, list_sources, smoke


def vendor(name: str, priority: int = 1, answer: object = None, **given: object) -> Source:
    """Return a vendor that asks through its gate and gives `answer`: rows, or an error raised while reading."""

    def request(ask: Ask, call: Call) -> Payload:
        call.gate.enter(name)
        return Payload(name, ask.kind, ask.name, "{}")

    def parse(payload: Payload) -> Parsed:
        if isinstance(answer, SourceError):
            raise answer
        return Parsed(news=pd.DataFrame({"id": range(int(str(answer or 0)))}), notes=("All of it.",))

    source = Source(
        name=name,
        title=name.title(),
        kinds=("news",),
        request=request,
        parse=parse,
        note="For tests.",
        priority=priority,
        smoke=Ask.of("news", "KO"),
    )
    return replace(source, **given)  # type: ignore[arg-type]


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    return Session(Settings(home=tmp_path, _env_file=None, fred_api_key="canary"), store)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """Empty the registry; sources put into it are all there are."""
    sources: dict[str, Source] = {}
    monkeypatch.setattr(module, "SOURCES", sources)
    return sources


def test_every_source_of_the_registry_is_listed(session: Session) -> None:
    listed = {one.name: one for one in list_sources(session)}
    assert listed.keys() == SOURCES.keys()
    assert listed["sample"].key == "not needed"
    assert listed["fred"].key == "present"
    assert (listed["finnhub"].key, listed["finnhub"].missing) == ("missing", ("FINNHUB_API_KEY",))
    assert (listed["coingecko"].key, listed["coingecko"].missing) == ("optional", ("COINGECKO_API_KEY",))
    assert not listed["finnhub"].verified
    assert all(one.breaker == "closed" and one.last_success_at is None for one in listed.values())
    assert [one.name for one in list_sources(session)][-1] == "sample", "what is asked first comes first"


def test_a_vault_that_is_away_shows_where_its_keys_are_needed(store: Store, tmp_path: Path) -> None:
    away = Settings(
        home=tmp_path, _env_file=None, fred_api_key="canary", vault_addr="http://127.0.0.1:1", vault_token="t"
    )
    listed = {one.name: one for one in list_sources(Session(away, store))}
    assert listed.keys() == SOURCES.keys()
    assert (listed["sample"].key, listed["fred"].key) == ("not needed", "present")
    for name in ("finnhub", "coingecko"):
        assert listed[name].key.startswith("unknown: The Vault at http://127.0.0.1:1 is not reachable")
        assert listed[name].missing == ()


def test_quota_success_and_last_error_are_told(session: Session, registry: dict[str, Source]) -> None:
    rates = (Rate(3, 60), Rate(25, 86_400))
    registry["acme"] = vendor("acme", 2, rates=rates)
    registry["zeta"] = vendor("zeta", 1)
    calls = Quota(session.store, "acme", rates)
    calls.take()
    calls.take()
    note_success(session.store, "acme")
    note_fault(session.store, "acme", "was down")
    zeta, acme = list_sources(session)
    assert (zeta.name, zeta.quota, zeta.last_error) == ("zeta", "", "")
    assert [one.left for one in acme.limits] == [1, 23]
    assert acme.quota == "1 of 3 calls a minute; 23 of 25 calls a day"
    assert acme.last_success_at is not None
    assert acme.last_error_at is not None
    assert acme.last_success_at <= acme.last_error_at
    assert (acme.failures, acme.last_error, acme.breaker, acme.open_until) == (1, "was down", "closed", None)


def test_the_breaker_is_told(session: Session, registry: dict[str, Source]) -> None:
    registry["acme"] = vendor("acme")
    for _ in range(5):
        note_fault(session.store, "acme", "down")
    (acme,) = list_sources(session)
    assert acme.breaker == "open"
    assert acme.open_until is not None
    with session.store.begin() as connection:
        connection.execute(sa.text("UPDATE ops.vendors SET open_until = now() - interval '1 second'"))
    assert list_sources(session)[0].breaker == "half-open"


def test_each_configured_source_is_tried(session: Session, registry: dict[str, Source]) -> None:
    registry |= {
        "good": vendor("good", answer=7),
        "empty": vendor("empty", answer=EmptyError("Nothing today.")),
        "keyed": vendor("keyed", answer=1, keys=("FRED_API_KEY",)),
        "unkeyed": vendor("unkeyed", answer=1, keys=("FRED_API_KEY", "POLYGON_API_KEY")),
        "files": vendor("files", smoke=None),
        "broken": vendor("broken", answer=FormatError("Not JSON.")),
    }
    told: list[tuple[int, int, str]] = []
    results = smoke(session, on_progress=lambda *said: told.append(said))
    assert [(one.name, one.status, one.kind, one.rows, one.why) for one in results] == [
        ("good", "ok", "", 7, "All of it."),
        ("empty", "ok", "", 0, "Nothing today."),
        ("keyed", "ok", "", 1, "All of it."),
        ("unkeyed", "skipped", "no key", 0, "Set POLYGON_API_KEY."),
        ("files", "skipped", "", 0, "There is nothing to ask it."),
        ("broken", "failed", "changed format", 0, "Not JSON."),
    ]
    assert told == [(n, 6, name) for n, name in enumerate(registry)] + [(6, 6, "")]
    states = {one.name: one for one in list_sources(session)}
    assert states["good"].last_success_at is not None
    assert states["empty"].last_success_at is not None
    assert states["broken"].failures == 1


def test_only_those_named_are_tried(session: Session, registry: dict[str, Source]) -> None:
    registry |= {name: vendor(name, answer=1) for name in ("one", "two", "three")}
    assert [one.name for one in smoke(session, ["two", "one", "two"])] == ["two", "one"]
    assert smoke(session, []) == []
    with pytest.raises(DataError, match=r"There is no source 'thre'\. Did you mean three"):
        smoke(session, ["one", "thre"])


def test_a_try_tells_its_time_and_does_not_wait_for_a_long_limit(session: Session, registry: dict[str, Source]) -> None:
    registry["acme"] = vendor("acme", answer=1, rates=(Rate(1, 3600),))
    begun = time.monotonic()
    first, second = smoke(session)[0], smoke(session)[0]
    assert (first.status, second.status, second.kind) == ("ok", "failed", "limit")
    assert 0 < first.seconds <= time.monotonic() - begun < 5


def test_a_vendor_left_alone_is_not_asked(session: Session, registry: dict[str, Source]) -> None:
    registry["acme"] = vendor("acme", answer=1)
    for _ in range(5):
        note_fault(session.store, "acme", "down")
    (result,) = smoke(session)
    assert (result.status, result.kind) == ("failed", "paused")


def test_a_try_stores_no_data(session: Session) -> None:
    (result,) = smoke(session, ["sample"])
    assert result.status == "ok"
    assert result.rows > 0
    with session.store.begin() as connection:
        tables = connection.scalars(
            sa.text("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY (:schemas)"),
            {"schemas": ["raw", "market_data", "events", "macro", "derived"]},
        ).all()
        assert not [name for name in tables if connection.scalar(sa.text(f"SELECT count(*) FROM {name}"))]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadKeyError("x"), "bad key"),
        (LimitError("x"), "limit"),
        (UnreachableError("x"), "unreachable"),
        (NotFoundError("x"), "not found"),
        (PartialError("x"), "partial answer"),
        (SourceError("x"), "error"),
    ],
)
def test_errors_have_a_sort(error: SourceError, words: str) -> None:
    assert kind_of(error) == words
