"""Deliveries of every kind into a real database: nothing lost, nothing twice, one vendor's fault its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from prices import prices

from quantlib.errors import DataError
from quantlib.sources import SOURCES
from quantlib.sources.base import (
    EVERYTHING,
    Ask,
    BadKeyError,
    Call,
    FormatError,
    LimitError,
    NoKeyError,
    Parsed,
    Payload,
    Source,
    UnreachableError,
    bars_frame,
)
from quantlib.store import (
    Store,
    check_bars,
    check_rows,
    coverage,
    decide_repair,
    list_payloads,
    propose_repairs,
    read_ingest_log,
    read_panel,
    read_payload,
    read_quarantine,
    read_versions,
    write_bars,
    write_versions,
)
from quantlib.universe import Universe
from quantlib.workflows import deliveries as delivering
from quantlib.workflows import refresh as refreshing
from quantlib.workflows.ingest import IngestResult, ingest
from quantlib.workflows.refresh import refresh
from quantlib.workflows.session import Session

DAYS = pd.bdate_range("2024-01-01", periods=40).as_unit("us")
NEWS = {
    "source": "paper", "id": "1", "published_at": pd.Timestamp("2024-02-01 12:00", tz="UTC"), "title": "A headline",
    "summary": "", "url": "", "publisher": "", "symbols": ["AAA"],
}  # fmt: skip


def bars(source: str, symbol: str = "AAA", scale: float = 1.0) -> pd.DataFrame:
    """Return bars with one price a day."""
    flat = scale * prices(5, DAYS)["close"]
    made = dict.fromkeys(("open", "high", "low", "close", "adj_close"), flat)
    return bars_frame(pd.DataFrame({"ts": DAYS, "volume": 1e6} | made), symbol, source)


def actions(source: str, *rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["ts", "kind", "value"])
    return frame.assign(symbol="AAA", source=source, ts=pd.to_datetime(frame["ts"]))[
        ["symbol", "source", "ts", "kind", "value"]
    ]


@dataclass
class Vendor:
    """A source that answers what a test put into it, by kind and name."""

    name: str
    answers: dict[tuple[str, str], Parsed] = field(default_factory=dict)
    fault: Exception | None = None
    asked: list[Ask] = field(default_factory=list)

    def request(self, ask: Ask, call: Call) -> Payload:
        self.asked.append(ask)
        if self.fault is not None:
            raise self.fault
        return Payload(self.name, ask.kind, ask.name, f"body of {ask.kind} {ask.name}", url="https://example.com/x")

    def parse(self, payload: Payload) -> Parsed:
        return self.answers[payload.kind, payload.name]

    def source(self, *kinds: Any, **more: Any) -> Source:
        given = {"note": "For tests.", "priority": 1, "markets": ("stock",)} | more
        return Source(self.name, self.name.title(), kinds, request=self.request, parse=self.parse, **given)


Take = Callable[..., IngestResult]


@pytest.fixture
def take(store: Store, universe: Universe, tmp_path: Path) -> Take:
    def take(name: str, symbols: list[str] | None = None, **options: Any) -> IngestResult:
        return ingest(store, name, symbols, **({"universe": universe, "call": Call(tmp_path)} | options))

    return take


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    one = Vendor("paper")
    one.answers["news", "AAA"] = Parsed(news=pd.DataFrame([NEWS]))
    one.answers["releases", EVERYTHING] = Parsed(
        releases=pd.DataFrame(
            [
                {"source": "paper", "country": "US", "name": "CPI", "period": "2024-01", "actual": 3.1,
                 "released_at": pd.Timestamp("2024-02-13 13:30", tz="UTC"), "forecast": 2.9, "forecast_kind": "survey",
                 "previous": 3.4, "revised": None, "unit": "%", "importance": "high"},
                {"source": "paper", "country": "US", "name": "", "period": "", "actual": 1.0,
                 "released_at": pd.Timestamp("2024-02-14 13:30", tz="UTC"), "forecast": None, "forecast_kind": "none",
                 "previous": None, "revised": None, "unit": "", "importance": ""},
            ]
        )
    )  # fmt: skip
    monkeypatch.setitem(SOURCES, "paper", one.source("news", "releases"))
    return one


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    one = Vendor("exchange", {("bars", "AAA"): Parsed(bars=bars("exchange"))})
    monkeypatch.setitem(SOURCES, "exchange", one.source("bars", actions=True))
    return one


def test_news_and_releases_are_stored_once_and_what_breaks_a_rule_is_kept_aside(
    store: Store, take: Take, paper: Vendor
) -> None:
    result = take("paper", ["AAA"], kinds=["news"])
    assert [s.symbol for s in result.symbols] == ["AAA news"]
    assert result.total == (1, 0, 0)
    assert take("paper", ["AAA"], kinds=["news"]).changed_nothing
    assert read_versions(store, "news")["title"].tolist() == ["A headline"]

    result = take("paper", kinds=["releases"])
    assert (result.total, result.rejected.total()) == ((1, 0, 0), 1)
    aside = read_quarantine(store, source="paper").iloc[0]
    assert (aside["kind"], aside["row"]["actual"], aside["times"]) == ("releases", 1.0, 1)
    assert read_payload(store, aside["payload_id"]).body == b"body of releases *"
    take("paper", kinds=["releases"])
    assert read_quarantine(store, source="paper")["times"].tolist() == [2]


def test_without_a_span_news_are_asked_for_around_today(take: Take, paper: Vendor) -> None:
    take("paper", ["AAA"], kinds=["news"])
    assert (paper.asked[0].end - paper.asked[0].start).days == 7
    take("paper", ["AAA"], kinds=["news"], start="2024-01-01", end="2024-01-31")
    assert f"{paper.asked[1].start:%Y-%m-%d}" == "2024-01-01"


def test_the_answer_is_kept_as_delivered_once(store: Store, take: Take, exchange: Vendor) -> None:
    take("exchange", ["AAA"])
    take("exchange", ["AAA"])
    kept = list_payloads(store, source="exchange")
    assert kept["name"].tolist() == ["AAA"]
    whole = read_payload(store, kept["id"].iloc[0])
    assert whole.body == b"body of bars AAA"
    assert whole.asked == {"url": "https://example.com/x"}


def test_prices_are_adjusted_by_actions_and_a_withdrawn_one_no_longer_counts(
    store: Store, take: Take, exchange: Vendor
) -> None:
    plain = bars("exchange")
    close = plain["close"].to_numpy()
    factor = np.where(np.arange(40) < 20, 1 - 1.0 / close[19], 1.0)
    paid = plain.assign(adj_close=close * factor)
    dividend = Parsed(bars=paid, actions=actions("exchange", (f"{DAYS[20]:%Y-%m-%d}", "dividend", 1.0)))
    exchange.answers["bars", "AAA"] = dividend
    take("exchange", ["AAA"])
    read = read_panel(store, "AAA", source="exchange").frame("close")["AAA"].to_numpy()
    np.testing.assert_allclose(read[:20], close[:20] * (1 - 1.0 / close[19]))
    np.testing.assert_allclose(read[20:], close[20:])

    exchange.answers["bars", "AAA"] = Parsed(bars=paid)  # its own adjustment still has the dividend it lacks
    torn = take("exchange", ["AAA"], start="2024-01-01")
    assert "lacks 1 of the stored dividends and splits of AAA" in torn.symbols[0].error
    assert read_panel(store, "AAA", source="exchange").frame("close")["AAA"].to_numpy()[0] == read[0]

    exchange.answers["bars", "AAA"] = Parsed(bars=plain)
    take("exchange", ["AAA"], start="2024-01-01")
    read = read_panel(store, "AAA", source="exchange").frame("close")["AAA"].to_numpy()
    np.testing.assert_allclose(read, close)


def state(store: Store) -> tuple[list[float], list[float]]:
    """Return the dividends and the closes anybody can read now."""
    closes = read_panel(store, "AAA", source="exchange", adjust=False).close[:, 0].tolist()
    return read_versions(store, "actions")["value"].tolist(), closes


def test_a_restatement_is_seen_whole_or_not_at_all(
    store: Store, take: Take, exchange: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = f"{DAYS[20]:%Y-%m-%d}"
    exchange.answers["bars", "AAA"] = Parsed(bars=bars("exchange"), actions=actions("exchange", (day, "dividend", 1.0)))
    take("exchange", ["AAA"])
    before = state(store)
    halved = Parsed(bars=bars("exchange", scale=0.5), actions=actions("exchange", (day, "dividend", 0.5)))
    exchange.answers["bars", "AAA"] = halved
    write, seen = delivering.db.write_bars, []

    def cut_off(store: Store, good: pd.DataFrame, **turn: Any) -> Any:
        assert turn["within"].cursor.execute("SELECT value FROM market_data.actions WHERE replaced_at IS NULL")
        assert turn["within"].cursor.fetchall() == [(0.5,)], "the actions are written"
        seen.append(state(store))  # by somebody else
        write(store, good, **turn)
        raise DataError("Cut off.")

    with monkeypatch.context() as patch:
        patch.setattr(delivering.db, "write_bars", cut_off)
        assert take("exchange", ["AAA"]).symbols[0].status == "failed"
    assert seen == [before]
    assert state(store) == before
    with store.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM market_data.bar_revisions")) == 0

    assert take("exchange", ["AAA"]).ok
    assert state(store) == ([0.5], [close / 2 for close in before[1]])
    with store.begin() as connection:
        stamps = connection.scalars(
            sa.text(
                "SELECT recorded_at FROM market_data.actions WHERE replaced_at IS NULL "
                "UNION SELECT replaced_at FROM market_data.actions WHERE replaced_at IS NOT NULL "
                "UNION SELECT recorded_at FROM market_data.bars UNION SELECT replaced_at FROM market_data.bar_revisions"
            )
        ).all()
    assert len(stamps) == 1, "prices and actions change at the same moment"


def test_deliveries_and_decisions_at_once_do_not_block_each_other_for_good(
    store: Store, take: Take, exchange: Vendor
) -> None:
    take("exchange", ["AAA"])
    close = float(bars("exchange").loc[10, "close"])
    columns = ("open", "high", "low", "close")
    proposal = {
        "symbol": "AAA", "source": "exchange", "ts": DAYS[10], "check_name": "hundredfold", "reason": "Doubled.",
        "before": dict.fromkeys(columns, close), "after": dict.fromkeys(columns, close / 2),
    }  # fmt: skip
    propose_repairs(store, pd.DataFrame([proposal]))
    good, _ = check_rows("actions", actions("exchange", ("2024-01-10", "dividend", 1.0)))
    with ThreadPoolExecutor(3) as pool:
        jobs = []
        for turn in range(6):
            jobs.append(pool.submit(take, "exchange", ["AAA"]))
            jobs.append(
                pool.submit(decide_repair, store, "AAA", "exchange", DAYS[10], "hundredfold", apply=turn % 2 == 0)
            )
            jobs.append(pool.submit(write_versions, store, "actions", good))
        for job in jobs:
            job.result(60)
    assert read_panel(store, "AAA", source="exchange", adjust=False).close[10, 0] in {close, close / 2}


def test_an_applied_repair_survives_the_next_delivery(store: Store, take: Take, exchange: Vendor) -> None:
    wrong = bars("exchange")
    right = float(wrong.loc[10, "close"])
    wrong.loc[10, ["open", "high", "low", "close"]] = right * 100
    exchange.answers["bars", "AAA"] = Parsed(bars=wrong)
    take("exchange", ["AAA"])
    columns = ("open", "high", "low", "close")
    proposal = {
        "symbol": "AAA", "source": "exchange", "ts": DAYS[10], "check_name": "hundredfold",
        "before": dict.fromkeys(columns, right * 100), "after": dict.fromkeys(columns, right),
        "reason": "A hundred times.",
    }  # fmt: skip
    propose_repairs(store, pd.DataFrame([proposal]))
    decide_repair(store, "AAA", "exchange", DAYS[10], "hundredfold", apply=True)
    assert read_panel(store, "AAA", source="exchange").close[10, 0] == right
    assert take("exchange", ["AAA"]).total[:2] == (0, 0)
    panel = read_panel(store, "AAA", source="exchange")
    assert panel.close[10, 0] == right
    assert panel.grade == "repaired"


def test_a_wrong_kind_is_refused(take: Take, paper: Vendor) -> None:
    with pytest.raises(DataError, match="Paper has no 'newz'"):
        take("paper", kinds=["newz"])
    with pytest.raises(DataError, match="nothing to ask Paper for"):
        take("paper", ["AAA"], kinds=["releases"])


def test_without_its_key_a_vendor_is_not_asked(take: Take, exchange: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "exchange", exchange.source("bars", keys=("EXCHANGE_KEY",)))
    with pytest.raises(NoKeyError, match="EXCHANGE_KEY"):
        take("exchange", ["AAA"])
    assert exchange.asked == []


def test_a_refused_key_ends_the_questions(take: Take, exchange: Vendor) -> None:
    names = ["AAA", "BBB", "CCC", "DDD"]
    exchange.fault = BadKeyError("The key is not accepted.")
    result = take("exchange", names, universe=Universe(instruments=[{"symbol": s} for s in names], lists={}))
    assert [s.status for s in result.symbols] == ["failed", "failed", "failed", "skipped"]
    assert "Exchange refused the key" in result.symbols[-1].error
    assert len(exchange.asked) == 3


def test_one_symbol_beyond_the_plan_does_not_stop_the_others(take: Take, exchange: Vendor) -> None:
    exchange.answers["bars", "BBB"] = Parsed(bars=bars("exchange", "BBB"))
    ask = exchange.request

    def request(one: Ask, call: Call) -> Payload:
        if one.name == "AAA":
            raise BadKeyError("Not in your plan.")
        return ask(one, call)

    SOURCES["exchange"] = Source(**{**vars(SOURCES["exchange"]), "request": request})
    assert [s.status for s in take("exchange", ["AAA", "BBB"]).symbols] == ["failed", "ok"]


def test_the_stalest_are_asked_first_so_that_a_quota_reaches_them(take: Take, exchange: Vendor) -> None:
    exchange.answers["bars", "BBB"] = Parsed(bars=bars("exchange", "BBB").head(30))
    take("exchange", ["AAA"])
    take("exchange")
    assert [one.name for one in exchange.asked] == ["AAA", "BBB", "AAA"]
    take("exchange")
    assert exchange.asked[3].name == "BBB"


def test_prices_stored_with_the_vendors_own_adjustment_are_fetched_again_as_a_whole(
    store: Store, take: Take, exchange: Vendor
) -> None:
    write_bars(store, check_bars(bars("exchange"))[0])  # as an earlier version of the workbench did
    result = take("exchange", ["AAA"])
    assert [one.start for one in exchange.asked] == [DAYS[-1] - pd.Timedelta(days=30), DAYS[0]]
    assert "own adjustment" in result.symbols[0].notes[-1]
    assert take("exchange", ["AAA"]).symbols[0].notes == ()


def test_a_source_of_quotes_is_asked_once_and_nothing_is_called_restated(
    take: Take, exchange: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "exchange", exchange.source("bars", history=False))
    exchange.answers["bars", "AAA"] = Parsed(bars=bars("exchange").iloc[[0]])
    take("exchange", ["AAA"])
    exchange.answers["bars", "AAA"] = Parsed(bars=bars("exchange").iloc[[1]])
    assert take("exchange", ["AAA"]).symbols[0].notes == ()
    assert len(exchange.asked) == 2


def test_news_are_asked_for_from_the_last_answer_on(store: Store, take: Take, paper: Vendor) -> None:
    take("paper", ["AAA"], kinds=["news"])
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE raw.payloads SET fetched_at = now() - interval '40 days'")
    take("paper", ["AAA"], kinds=["news"])
    assert (paper.asked[1].end - paper.asked[1].start).days == 41


@pytest.mark.parametrize("fault", [UnreachableError("Down."), LimitError("Too many."), FormatError("Garbage.")])
def test_one_vendor_in_trouble_leaves_the_others_alone(
    here: Session, paper: Vendor, exchange: Vendor, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    third = Vendor("third", {("bars", name): Parsed(bars=bars("third", name)) for name in ("AAA", "BBB")})
    keyed = Vendor("keyed")
    sources = {
        "sample": SOURCES["sample"],
        "exchange": exchange.source("bars"),
        "third": third.source("bars", priority=2),
        "keyed": keyed.source("bars", priority=3, keys=("NEWSAPI_API_KEY",)),
    }
    for module in (refreshing, __import__("quantlib.workflows.ingest", fromlist=["x"])):
        monkeypatch.setattr(module, "SOURCES", sources)
    exchange.fault = fault
    done = refresh(here)
    assert list(done.results) == ["exchange", "third"]
    assert done.results["exchange"].status == "failed"
    assert done.results["third"].ok
    assert not done.ok
    assert "NEWSAPI_API_KEY" in done.left_out["keyed"]
    assert set(coverage(here.store)["source"]) == {"third"}
    log = read_ingest_log(here.store, source="exchange").iloc[0]
    assert (log["status"], str(fault) in log["message"]) == ("failed", True)
