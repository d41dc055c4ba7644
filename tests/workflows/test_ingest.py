"""Ingest into a real database: what is stored, what is asked again, and what one failure leaves standing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prices import prices

from quantlib.errors import ConfigError, DataError
from quantlib.settings import get_settings
from quantlib.sources import SOURCES, sample
from quantlib.sources.base import (
    Ask,
    Call,
    EmptyError,
    LimitError,
    NotFoundError,
    Parsed,
    Payload,
    Source,
    UnreachableError,
    bars_frame,
    within,
)
from quantlib.store import Store, coverage, read_ingest_log, read_instruments, read_panel, read_series, read_universe
from quantlib.types import BAR_COLUMNS
from quantlib.universe import Universe, UniverseList, load_universe
from quantlib.workflows import deliveries as module
from quantlib.workflows.ingest import COLUMNS, IngestResult, ingest

DAYS = pd.bdate_range("2024-01-01", periods=120).as_unit("us")


@dataclass
class Vendor:
    """A live source whose prices and faults a test can change between two ingests."""

    bars: dict[str, pd.DataFrame] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def request(self, ask: Ask, call: Call) -> Payload:
        symbol = ask.name
        self.asked.append((symbol, *("" if s is None else f"{s:%Y-%m-%d}" for s in (ask.start, ask.end))))
        if symbol in self.faults:
            raise self.faults[symbol]
        if symbol not in self.bars:
            raise NotFoundError(f"The vendor does not know {symbol}.")
        return Payload("vendor", "bars", symbol, self.bars[symbol].to_csv(index=False), ask.start, ask.end)

    @staticmethod
    def parse(payload: Payload) -> Parsed:
        table = pd.read_csv(StringIO(payload.text), parse_dates=["ts"])
        bars = within(bars_frame(table, payload.name, payload.source), "ts", payload)
        if bars.empty:
            raise EmptyError(f"The vendor has no bars for {payload.name} in the span asked for.")
        return Parsed(bars=bars, notes=(f"{payload.name}: a note.",))


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    one = Vendor({"AAA": prices(1, DAYS), "BBB": prices(2, DAYS), "CCC": prices(3, DAYS)})
    source = Source("vendor", "The vendor", ("bars",), request=one.request, parse=one.parse, note="For tests.",
                    priority=1, markets=("stock",))  # fmt: skip
    monkeypatch.setitem(SOURCES, "vendor", source)
    return one


@pytest.fixture
def universe() -> Universe:
    symbols = ("AAA", "BBB", "CCC", "DDD", "EEE", "KO", "PEP")
    some = UniverseList(
        name="sample", title="Some", drawn_up="2026-11-20", basis="For tests.", tags=("t",), symbols=("KO", "PEP")
    )
    return Universe(instruments=[{"symbol": s, "tags": ("t",)} for s in symbols], lists={"sample": some})


Take = Callable[..., IngestResult]


@pytest.fixture
def take(store: Store, universe: Universe, tmp_path: Path) -> Take:
    """Return `ingest` into the test database, from the vendor unless said otherwise."""

    def take(symbols: list[str] | None = None, *, source: str = "vendor", **options: Any) -> IngestResult:
        return ingest(store, source, symbols, **({"universe": universe, "call": Call(tmp_path)} | options))

    return take


def stored(store: Store, symbol: str, source: str = "vendor") -> pd.Series:
    return read_panel(store, symbol, source=source).frame("close")[symbol]


def test_the_whole_sample_is_stored_and_a_second_run_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = ingest(store, "sample", call=Call(tmp_path))
    assert first.ok
    assert first.total == (203_647, 0, 0)  # 190,924 bars and 12,723 observations
    assert not first.rejected
    assert [s.symbol for s in first.symbols] == [*sample.SYMBOLS, *(one.name for one in sample.SERIES)]
    assert not first.changed_nothing

    again = ingest(store, "sample", call=Call(tmp_path))
    assert again.total == (0, 0, 203_647)
    assert again.changed_nothing
    assert again.headline == (
        "sample: 0 new, 0 changed, 203,647 unchanged, 0 rejected rows of 32 symbols and series. Nothing changed."
    )
    assert read_ingest_log(store)["message"].tolist() == [again.headline, first.headline]

    panel = read_panel(store, list(sample.STOCKS))
    assert panel.close.shape == (8313, 20)
    core = read_series(store, "CPILFESL", as_of="2018-12-31")
    assert core.index[-1] == pd.Timestamp("2018-10-01")  # November's was out by then, but the estimate is late
    assert len(read_instruments(store)) == len(load_universe(get_settings().data / "universe.yaml").instruments)
    assert read_universe(store)["largest-crypto"].symbols[0] == "BTC-USD"


def test_named_symbols_only_and_a_span(store: Store, take: Take) -> None:
    result = take(["KO", "AAA"], source="sample", start="2022-12-01")
    assert [s.symbol for s in result.symbols] == ["KO", "AAA"]  # AAA is a series here: yields end in 2018
    assert result.symbols[0].count == (19, 0, 0)
    assert result.symbols[1].error.startswith("The sample has nothing for AAA")
    assert result.status == "partial"
    assert stored(store, "KO", "sample").index[0] == pd.Timestamp("2022-12-01")


def test_without_names_a_live_source_is_asked_for_the_whole_universe(take: Take, vendor: Vendor) -> None:
    result = take()
    assert [symbol for symbol, _, _ in vendor.asked] == ["AAA", "BBB", "CCC", "DDD", "EEE", "KO", "PEP"]
    assert [s.symbol for s in result.failed] == ["DDD", "EEE", "KO", "PEP"]
    assert result.total == (360, 0, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"source": "vendr"}, r"no source 'vendr'. Did you mean vendor\?"),
        ({"symbols": ["AAA", "AAB"]}, r"no instrument 'AAB'. Did you mean AAA\?"),
        ({"symbols": []}, "No symbol was asked for"),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "before the start"),
        ({"start": "yesterday"}, "start is not a date"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_asked_or_stored(
    store: Store, take: Take, vendor: Vendor, call: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        take(**call)
    assert vendor.asked == []
    assert coverage(store).empty
    assert read_ingest_log(store).empty


def test_one_failure_does_not_stop_the_others(store: Store, take: Take, vendor: Vendor) -> None:
    vendor.faults["BBB"] = NotFoundError("The vendor does not know BBB.")
    result = take(["AAA", "BBB", "CCC"])
    assert result.status == "partial"
    assert not result.ok
    assert [(s.symbol, s.status, s.error) for s in result.failed] == [
        ("BBB", "failed", "The vendor does not know BBB.")
    ]
    assert coverage(store)["symbol"].tolist() == ["AAA", "CCC"]
    log = read_ingest_log(store).iloc[0]
    assert (log["status"], log["rows_new"], log["source"]) == ("partial", 240, "vendor")
    assert log["detail"]["failed"] == [{"symbol": "BBB", "status": "failed", "error": "The vendor does not know BBB."}]
    assert log["started_at"] <= log["finished_at"]


def test_a_vendor_that_stays_silent_is_not_asked_for_the_rest(take: Take, vendor: Vendor) -> None:
    vendor.faults = {s: UnreachableError("No answer.") for s in ("BBB", "CCC", "DDD")}
    vendor.faults["CCC"] = LimitError("Too many requests.")
    result = take(["AAA", "BBB", "CCC", "DDD", "EEE", "KO"])
    assert [s.status for s in result.symbols] == ["ok", *["unanswered"] * 3, "skipped", "skipped"]
    assert [symbol for symbol, _, _ in vendor.asked] == ["AAA", "BBB", "CCC", "DDD"]
    assert "not asked: The vendor left 3 others unanswered" in result.symbols[-1].error
    assert result.status == "partial"


def test_unknown_symbols_do_not_count_as_silence(take: Take, vendor: Vendor) -> None:
    vendor.bars = {"PEP": prices(4, DAYS)}
    result = take(["AAA", "BBB", "CCC", "DDD", "PEP"])
    assert result.symbols[-1].status == "ok"


def test_if_all_fail_the_ingest_failed(store: Store, take: Take) -> None:
    result = take(["DDD", "EEE"], source="sample")
    assert result.status == "failed"
    assert "2 failed, first DDD: The sample has no symbol 'DDD'" in result.headline
    assert read_ingest_log(store)["status"].tolist() == ["failed"]


def test_the_next_ingest_asks_only_for_what_is_new(store: Store, take: Take, vendor: Vendor) -> None:
    whole = vendor.bars["AAA"]
    vendor.bars["AAA"] = whole.iloc[:100]
    assert take(["AAA"]).total == (100, 0, 0)
    vendor.bars["AAA"] = whole
    result = take(["AAA"])
    since = DAYS[99] - pd.Timedelta(days=30)
    assert vendor.asked == [("AAA", "", ""), ("AAA", f"{since:%Y-%m-%d}", "")]
    assert result.total == (20, 0, int((DAYS[:100] >= since).sum()))
    assert stored(store, "AAA").tolist() == whole["close"].tolist()


def test_a_revised_bar_is_replaced_and_its_old_version_kept(store: Store, take: Take, vendor: Vendor) -> None:
    take(["AAA"])
    vendor.bars["AAA"].loc[119, ["close", "adj_close"]] = vendor.bars["AAA"]["close"].iloc[119] * 1.001
    result = take(["AAA"])
    assert result.total[:2] == (0, 1)
    assert len(vendor.asked) == 2
    assert stored(store, "AAA").iloc[-1] == vendor.bars["AAA"]["close"].iloc[-1]


@pytest.mark.parametrize("columns", [["open", "high", "low", "close", "adj_close"], ["adj_close"]])
def test_a_split_or_dividend_restates_the_past_and_all_of_it_is_fetched_again(
    store: Store, take: Take, vendor: Vendor, columns: list[str]
) -> None:
    whole = vendor.bars["AAA"]
    vendor.bars["AAA"] = whole.iloc[:100]
    take(["AAA"])
    restated = whole.copy()
    restated.loc[: 104 - 1, columns] *= 0.5  # two for one, or a dividend of half the price, on the 105th day
    vendor.bars["AAA"] = restated
    result = take(["AAA"])
    assert [call[1:] for call in vendor.asked][1:] == [("2024-04-17", ""), ("2024-01-01", "")]
    assert result.total == (20, 100, 0)
    assert "earlier prices were restated; the whole history was fetched again" in result.symbols[0].notes
    assert stored(store, "AAA").tolist() == restated["adj_close"].tolist()


def test_rounding_by_the_vendor_is_no_restatement(take: Take, vendor: Vendor) -> None:
    take(["AAA"])
    vendor.bars["AAA"]["adj_close"] *= 1 + 1e-7
    take(["AAA"])
    assert len(vendor.asked) == 2


def test_no_hole_is_left_beside_what_is_stored(store: Store, take: Take, vendor: Vendor) -> None:
    whole = vendor.bars["AAA"]
    take(["AAA"], start="2024-03-01", end="2024-03-29")
    take(["AAA"], start="2024-06-03")  # would leave April and May out
    take(["AAA"], end="2024-01-31", start="2024-01-01")  # would leave February out
    days = stored(store, "AAA").index
    assert days.tolist() == whole["ts"].tolist()


def test_nothing_new_from_the_vendor_is_no_failure_for_a_stored_symbol(take: Take, vendor: Vendor) -> None:
    vendor.faults["BBB"] = EmptyError("Nothing there.")
    assert take(["BBB"]).symbols[0].status == "failed"
    del vendor.faults["BBB"]
    take(["BBB"])
    vendor.faults["BBB"] = EmptyError("Nothing there.")
    result = take(["BBB"])
    assert result.ok
    assert result.changed_nothing
    assert result.symbols[0].notes == ("Nothing there.",)


def test_rows_turned_away_are_counted_by_reason(store: Store, take: Take, vendor: Vendor) -> None:
    bars = vendor.bars["AAA"]
    bars.loc[3, ["open", "high", "low", "close"]] = [-1.0, -1.0, -1.0, -1.0]
    bars.loc[4, "close"] = np.nan
    bars.loc[5, ["high", "low"]] = [40.0, 60.0]
    vendor.bars["AAA"] = pd.concat([bars, bars.iloc[[7]]])
    result = take(["AAA"])
    one = result.symbols[0]
    assert one.status == "ok"
    assert one.count == (117, 0, 0)
    assert dict(one.rejected) == {
        "open is not above zero": 1,
        "no close": 1,
        "high is below low": 1,
        "duplicate of a row that was kept": 1,
    }
    assert result.rejected.total() == 4
    log = read_ingest_log(store).iloc[0]
    assert log["rows_rejected"] == 4
    assert {"symbol": "AAA", "reason": "no close", "rows": 1} in log["detail"]["rejected"]


def test_a_symbol_all_of_whose_rows_are_bad_has_failed(store: Store, take: Take, vendor: Vendor) -> None:
    vendor.bars["AAA"][["open", "high", "low", "close", "adj_close"]] *= -1
    result = take(["AAA", "BBB"])
    assert result.symbols[0].error == "no row could be stored"
    assert dict(result.symbols[0].rejected) == {"open is not above zero": 120}
    assert coverage(store)["symbol"].tolist() == ["BBB"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), ConfigError("The database went away.")])
def test_a_stop_in_the_middle_keeps_what_was_stored_and_is_logged(
    store: Store, take: Take, vendor: Vendor, fault: BaseException
) -> None:
    def stop(done: int, total: int, label: str) -> None:
        if label == "CCC":
            raise fault

    with pytest.raises(type(fault)):
        take(["AAA", "BBB", "CCC"], on_progress=stop)
    assert coverage(store)["symbol"].tolist() == ["AAA", "BBB"]
    log = read_ingest_log(store).iloc[0]
    assert (log["status"], log["rows_new"]) == ("failed", 240)
    assert log["message"].startswith("stopped after 2 of 3 symbols: ")


def test_a_failing_write_leaves_nothing_of_its_symbol(
    store: Store, take: Take, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.db.write_bars

    def fail_late(store: Store, good: pd.DataFrame, **turn: Any) -> Any:
        if good["symbol"].iloc[0] == "BBB":
            good = good.assign(close=good["close"].where(good.index < 60, -1.0))  # the table refuses the second half
        return write(store, good, **turn)

    monkeypatch.setattr(module.db, "write_bars", fail_late)
    result = take(["AAA", "BBB", "CCC"])
    assert [s.status for s in result.symbols] == ["ok", "failed", "ok"]
    assert coverage(store)["symbol"].tolist() == ["AAA", "CCC"]


def test_progress_is_told_before_each_symbol_and_at_the_end(take: Take, vendor: Vendor) -> None:
    told: list[tuple[int, int, str]] = []
    take(["AAA", "BBB"], on_progress=lambda *step: told.append(step))
    assert told == [(0, 2, "AAA"), (1, 2, "BBB"), (2, 2, "")]


def test_the_table_says_what_became_of_every_symbol(take: Take, vendor: Vendor) -> None:
    vendor.bars["AAA"].loc[4, "close"] = np.nan
    result = take(["AAA", "DDD"])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in result.rows()]
    assert rows[0] == {
        "symbol": "AAA", "status": "ok", "new": "119", "changed": "0", "unchanged": "0", "rejected": "1",
        "why": "no close (1); AAA: a note.",
    }  # fmt: skip
    assert rows[1]["why"] == "The vendor does not know DDD."
    assert (rows[2]["symbol"], rows[2]["status"], rows[2]["new"]) == ("total", "partial", "119")


def test_the_vendor_of_these_tests_delivers_real_bars(vendor: Vendor, tmp_path: Path) -> None:
    parsed = vendor.parse(vendor.request(Ask("bars", "AAA"), Call(tmp_path)))
    assert tuple(parsed.bars) == BAR_COLUMNS
