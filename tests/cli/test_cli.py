"""The command line as its user meets it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import quantlib
from quantlib.sources import SOURCES
from quantlib.sources.base import Ask, Call, Payload
from quantlib.store import Store, check_bars, coverage, read_ingest_log, read_panel, write_bars
from quantlib.strategies import MACross, Pair
from quantlib.types import BAR_COLUMNS

Run = Callable[..., tuple[int, str, str]]
START = 1_672_756_200  # 2023-01-03 14:30 UTC


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets what the vendor will answer to every request."""

    def answer(body: str) -> None:
        def request(ask: Ask, call: Call) -> Payload:
            return Payload("yahoo", ask.kind, ask.name, body)

        monkeypatch.setitem(SOURCES, "yahoo", replace(SOURCES["yahoo"], request=request))

    return answer


def chart(closes: list[float | None], *, days: list[int] | None = None) -> str:
    """Return a vendor's answer for KO with these closes on consecutive days, or on the days given."""
    stamps = [START + 86_400 * d for d in (days or range(len(closes)))]
    meta = {
        "symbol": "KO",
        "currency": "USD",
        "exchangeTimezoneName": "America/New_York",
        "gmtoffset": -18_000,
        "dataGranularity": "1d",
        "regularMarketTime": START + 10_000_000,
        "instrumentType": "EQUITY",
        "currentTradingPeriod": {"regular": {"start": START + 9_976_600, "end": START + 10_000_000}},
    }
    quote = dict.fromkeys(("open", "high", "low", "close"), closes) | {"volume": [1000] * len(closes)}
    indicators = {"quote": [quote], "adjclose": [{"adjclose": closes}]}
    result = {"meta": meta, "timestamp": stamps, "indicators": indicators}
    return json.dumps({"chart": {"result": [result], "error": None}})


def one_line(text: str) -> bool:
    return text.startswith("Error: ") and text.count("\n") == 1 and "Traceback" not in text


def test_ingest_shows_a_summary_and_says_when_nothing_changed(workbench: Run) -> None:
    code, out, _ = workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "^GSPC")
    assert code == 0
    assert "8,313" in out
    code, out, _ = workbench("ingest", "--source", "sample", "--symbol", "KO", "--symbol", "^GSPC")
    assert code == 0
    assert "Nothing changed." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "--source", "sample", "--symbol", "PEPP"], "PEP"),
        (["ingest", "--source", "sampel"], "Did you mean sample?"),
        (["ingest", "--universe", "largest-etf"], "Did you mean largest-etfs?"),
        (["ingest", "--start", "2020-02-01", "--end", "2020-01-01"], "before the start"),
        (["ingest", "--start", "yesterday"], "YYYY-MM-DD"),
        (["report"], "workbench pipeline"),
        (["report", "--as-of", "2020-13-01"], "YYYY-MM-DD"),
        (["pipeline", "--as-of", "12/31/2020"], "YYYY-MM-DD"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    workbench: Run, store: Store, arguments: list[str], message: str
) -> None:
    code, out, err = workbench(*arguments)
    assert code == 2
    assert out.strip() == "", "the error is all there is to read"
    assert one_line(err), err
    assert message in err
    if arguments[0] == "ingest":
        assert coverage(store).empty


def test_bad_rows_are_turned_away_with_reasons_and_the_rest_is_stored(
    workbench: Run, store: Store, vendor: Callable[[str], None]
) -> None:
    vendor(chart([60.0, -61.0, 62.0, 63.0, 64.0, 64.5], days=[0, 1, 2, 3, 6, 6]))
    code, out, _ = workbench("ingest", "--source", "yahoo", "--symbol", "KO")
    assert code == 1
    assert "KO" in out
    assert "Rejected: open is not above zero (1)" in out
    stored = read_panel(store, ["KO"]).frame()["KO"]
    assert stored.loc["2023-01-03"] == 60.0
    assert (stored > 0).all()
    assert pd.Timestamp("2023-01-04") not in stored.index


def test_days_without_a_price_stay_unknown(workbench: Run, store: Store, vendor: Callable[[str], None]) -> None:
    vendor(chart([60.0, None, 62.0]))
    code, out, _ = workbench("ingest", "--source", "yahoo", "--symbol", "KO")
    assert code == 0, out
    assert read_panel(store, ["KO"]).frame()["KO"].tolist() == [60.0, 62.0]


@pytest.mark.parametrize(
    "body",
    [
        "<html>Too busy</html>",
        '{"chart": {"result": [{"meta"',
        '{"chart": {"result": null, "error": {"code": "Not Found", "description": "No data found"}}}',
        '{"quoteSummary": {}}',
        "",
    ],
)
def test_a_broken_payload_fails_clearly_and_leaves_nothing(
    workbench: Run, store: Store, vendor: Callable[[str], None], body: str
) -> None:
    vendor(body)
    code, out, err = workbench("ingest", "--source", "yahoo", "--symbol", "KO")
    assert code == 1
    assert "failed" in out
    assert "Traceback" not in out + err
    assert coverage(store).empty
    assert read_ingest_log(store)["status"].tolist() == ["failed"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hush-hush@127.0.0.1:1/none", "127.0.0.1:1"),
        ("mysql://me:hush-hush@127.0.0.1/none", "postgresql://"),
        ("not an address", "postgresql://"),
    ],
)
def test_an_unreachable_database_is_one_line_without_the_password(
    workbench: Run, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    for command in (["db", "info"], ["ingest"], ["pipeline"], ["report"]):
        code, out, err = workbench(*command)
        assert code == 2
        assert one_line(err), err
        assert message in err
        assert "hush-hush" not in out + err


def test_a_wrong_setting_is_named(workbench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_WORLDS", "many")
    code, _, err = workbench("pipeline")
    assert code == 2
    assert one_line(err)
    assert "WORKBENCH_WORLDS" in err


def test_a_port_in_use_is_said_with_the_way_out(workbench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = workbench("app", "--port", str(port))
        assert code == 2
        assert one_line(err)
        assert str(port) in err
        assert f"--port {port + 1}" in err or f"WORKBENCH_APP_PORT={port + 1}" in err


def test_db_info_tells_what_is_there(workbench: Run) -> None:
    code, out, _ = workbench("db", "info")
    assert code == 0
    assert "revision" in out
    assert "bars: 0 of 0 symbols" in out


def test_help_lists_every_command(workbench: Run) -> None:
    code, out, _ = workbench("--help")
    assert code == 0
    data = ("ingest", "sources", "smoke", "events", "quality")
    for command in (*data, "pipeline", "report", "run", "app", "mlflow", "notebook", "jobs", "worker", "db"):
        assert f" {command} " in out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, quantlib.cli; print([m for m in ('pandas', 'sqlalchemy', 'mlflow', 'ccxt') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_also_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quantlib.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == quantlib.__version__


def test_sources_are_listed_with_what_is_missing(workbench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", "hush-hush")
    code, out, err = workbench("sources")
    assert code == 0
    row = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert set(SOURCES) <= {name.removesuffix(" (unverified)") for name in row}
    assert "missing: FRED_API_KEY" in row["fred"]
    assert "present" in row["polygon"]
    assert "not needed" in row["sample"]
    assert "hush-hush" not in out + err


def test_smoke_tells_by_its_exit_code(workbench: Run, vendor: Callable[[str], None]) -> None:
    vendor(chart([60.0, 61.0], days=[364, 365]).replace('"KO"', '"SPY"'))
    code, out, _ = workbench("smoke", "sample", "yahoo", "fred")
    assert code == 0, out  # without its key a source is skipped
    assert re.search(r"yahoo +│ ok +│ +2 ", out)
    assert re.search(r"fred +│ skipped: no key", out)
    vendor("<html>Too busy</html>")
    code, out, _ = workbench("smoke", "sample", "yahoo")
    assert code == 1
    assert re.search(r"yahoo +│ failed: changed format", out)
    code, _, err = workbench("smoke", "yaho")
    assert code == 2
    assert one_line(err)
    assert "Did you mean yahoo?" in err


def test_events_are_loaded_and_listed(workbench: Run, store: Store) -> None:
    code, out, _ = workbench("events", "--kind", "market", "--from", "2008-09-15", "--to", "2008-09-30")
    assert code == 0
    assert "Lehman Brothers" in out
    assert "Federal Reserve lends AIG" in out
    assert "FOMC" not in out
    assert "0 unchanged." in out
    code, out, _ = workbench("events", "--affected", "crypto", "--to", "2014-12-31")
    assert code == 0
    assert out.splitlines()[-1].startswith("2 events; loaded: 0 new, 0 changed, ")
    code, _, err = workbench("events", "--kind", "markets")
    assert code == 2
    assert "Did you mean market?" in err


def test_a_folder_is_loaded_file_by_file(workbench: Run, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "AAPL.csv").write_text("date,close\n2024-01-02,185.0\n2024-01-03,184.0\n", encoding="utf-8")
    code, out, _ = workbench("ingest", "--folder", str(folder))
    assert code == 0, out
    assert "AAPL.csv" in out
    assert read_panel(store, "AAPL").close.ravel().tolist() == [185.0, 184.0]
    code, out, _ = workbench("ingest", "--folder", str(folder))
    assert "Nothing changed." in out
    code, _, err = workbench("ingest", "--folder", str(folder), "--symbol", "KO")
    assert code == 2
    assert one_line(err)


def test_kinds_and_lists_choose_what_is_asked_for(workbench: Run, store: Store) -> None:
    code, out, _ = workbench("ingest", "--kind", "macro")
    assert code == 0
    assert "VIXCLS" in out
    assert coverage(store).empty
    code, _, err = workbench("ingest", "--kind", "prices")
    assert code == 2
    assert one_line(err)
    code, out, _ = workbench(
        "ingest", "--universe", "all", "--kind", "bars", "--start", "2018-12-03", "--end", "2018-12-31"
    )
    assert code == 0, out  # all that the source has
    assert len(coverage(store)) == 27
    code, out, _ = workbench("ingest", "--universe", "largest-etfs")
    assert code == 1
    assert "The sample has no symbol" in out


def test_quality_is_checked_shown_and_mended(workbench: Run, store: Store) -> None:
    code, _, err = workbench("quality")
    assert code == 2
    assert "No prices are stored yet" in err
    days = pd.bdate_range("2023-01-02", periods=120)
    close = 100 + np.random.default_rng(5).normal(0, 0.5, len(days)).cumsum()
    close[60] *= 100  # a fault in pence
    bars = pd.DataFrame({"symbol": "ABC", "ts": days, "close": close, "source": "sample"})
    write_bars(store, check_bars(bars.reindex(columns=list(BAR_COLUMNS)))[0])
    code, out, _ = workbench("quality", "check", "--symbol", "ABC")
    assert code == 0, out
    assert "repairs are proposed" in out
    code, out, _ = workbench("quality", "repairs")
    day = f"{days[60]:%Y-%m-%d}"
    line = next(line for line in out.splitlines() if day in line)
    assert "proposed" in line
    check = line.split("│")[4].strip()
    code, out, _ = workbench("quality", "--symbol", "ABC", "--list")
    assert code == 0
    assert "suspect" in out
    assert day in out
    code, out, _ = workbench("quality", "repair", "ABC", "sample", day, check)
    assert code == 0
    assert read_panel(store, "ABC", adjust=False).close[60, 0] == pytest.approx(close[60] / 100)
    code, out, _ = workbench("quality", "repair", "ABC", "sample", day, check, "--dismiss")
    assert "dismissed" in out
    assert read_panel(store, "ABC", adjust=False).close[60, 0] == pytest.approx(close[60])
    assert "No repair is proposed" in workbench("quality", "repairs")[1]
    assert "dismissed" in workbench("quality", "repairs", "--all")[1]
    code, _, err = workbench("quality", "--symbol", "ABD")
    assert code == 2
    assert "Did you mean ABC?" in err


def test_the_pipeline_prints_what_to_do_and_the_report_is_written(
    workbench: Run, monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path
) -> None:
    """Early enough that the models have too little to learn from, which is said; a second run changes nothing."""
    tried = {"Pepsi trend": MACross(universe=("PEP",)), "Ghost": Pair(x="GHOST")}
    monkeypatch.setattr("quantlib.workflows.pipeline.daily", lambda session: tried)
    monkeypatch.setenv("WORKBENCH_WORLDS", "20")
    code, out, _ = workbench("pipeline", "--as-of", "1995-06-30")
    assert code == 0
    assert "Recommendations as of 1995-06-30" in out
    assert "Pepsi trend" in out
    assert "Skipped: Ghost: no prices of GHOST from sample." in out
    assert "Skipped: The baseline models need" in out
    code, out, _ = workbench("pipeline", "--as-of", "1995-06-30")
    assert code == 0
    assert "Nothing has changed" in out
    code, out, _ = workbench("report", "--as-of", "1995-07-02", "--out", str(tmp_path / "mine.html"))
    assert code == 0
    assert "mine.html" in out
    assert (tmp_path / "mine.html").stat().st_size > 1e6


def test_the_database_can_be_migrated(workbench: Run) -> None:
    code, out, _ = workbench("db", "migrate")
    assert code == 0
    assert "revision" in out


def test_a_server_of_others_is_not_stopped(workbench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/x")
    code, _, err = workbench("db", "stop")
    assert code == 2
    assert "not ours to stop" in err
