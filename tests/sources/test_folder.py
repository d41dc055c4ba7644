"""The drop folder: columns, symbols, dates and numbers as people write them, and files that must be refused."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.sources import folder
from quantlib.sources.base import Ask, Call, EmptyError, FormatError, NotFoundError, Parsed, Payload
from quantlib.types import BAR_COLUMNS


def parse(text: str | bytes, name: str = "KO.csv", **span: pd.Timestamp) -> Parsed:
    return folder.parse(Payload("folder", "bars", name, text, **span))  # type: ignore[arg-type]


def days(parsed: Parsed) -> list[str]:
    return parsed.bars["ts"].dt.strftime("%Y-%m-%d").tolist()


@pytest.mark.parametrize(
    "head",
    [
        "Date,Open,High,Low,Close,Adj Close,Volume",
        "timestamp,open,high,low,close,adjusted_close,volume",
        "date,o,h,l,c,adjClose,v",
        "Trade Date,Open Price,High Price,Low Price,Close/Last,Adjusted,Vol.",
        ",Open,High,Low,Close,Adj. Close,Volume",
        "Date,AAPL.Open,AAPL.High,AAPL.Low,AAPL.Close,AAPL.Adjusted,AAPL.Volume",
    ],
)
def test_columns_go_by_the_names_people_use(head: str) -> None:
    bars = parse(f"{head}\n2024-01-02,1,3,0.5,2,1.9,100\n").bars
    assert tuple(bars) == BAR_COLUMNS
    row = bars.iloc[0]
    assert row[["open", "high", "low", "close", "adj_close", "volume"]].tolist() == [1.0, 3.0, 0.5, 2.0, 1.9, 100.0]
    assert row["ts"] == pd.Timestamp("2024-01-02")
    assert row["symbol"] == ("AAPL" if "AAPL" in head else "KO")
    assert row["source"] == "folder"


def test_what_is_not_there_is_unknown_and_what_is_not_read_is_said() -> None:
    parsed = parse("Date,Close,RSI,Note\n2024-01-02,2,50,x\n")
    assert parsed.bars[["open", "high", "low", "volume", "adj_close"]].isna().all(axis=None)
    assert parsed.notes == ("KO.csv: column(s) not read: RSI, Note.",)


@pytest.mark.parametrize("symbol", ["TRUE", "NA", "NAN", "ON", "ALL", "NULL", "None", "1E5", "007", "BRK-B", "^GSPC"])
def test_symbols_survive_as_they_are(symbol: str, tmp_path: Path) -> None:
    assert parse(f"Symbol,Date,Close\n{symbol},2024-01-02,2\n", "x.csv").bars["symbol"].tolist() == [symbol]
    assert parse(f"Date,Close,Ticker\n2024-01-02,2, {symbol} \n", "x.csv").bars["symbol"].tolist() == [symbol]
    assert parse("Date,Close\n2024-01-02,2\n", f"{symbol}.csv").bars["symbol"].tolist() == [symbol]
    frame = pd.DataFrame({"ticker": [symbol], "date": pd.to_datetime(["2024-01-02"]), "close": [2.0]})
    frame.to_parquet(tmp_path / "many.parquet")
    assert folder.read_file(tmp_path / "many.parquet").bars["symbol"].tolist() == [symbol]


@pytest.mark.parametrize(
    ("dates", "meant"),
    [
        (["2024-01-02", "2024-01-03"], ["2024-01-02", "2024-01-03"]),
        (["2024-1-2", "2024-1-3"], ["2024-01-02", "2024-01-03"]),
        (["2024-01-02 00:00:00-05:00", "2024-01-03 00:00:00-05:00"], ["2024-01-02", "2024-01-03"]),
        (["2024-01-02T21:00:00Z", "2024-01-03T21:00:00Z"], ["2024-01-02", "2024-01-03"]),
        (["2024/01/02", "2024/01/03"], ["2024-01-02", "2024-01-03"]),
        (["20240102", "20240103"], ["2024-01-02", "2024-01-03"]),
        (["02.01.2024", "03.01.2024"], ["2024-01-02", "2024-01-03"]),
        (["02/01/2024", "13/01/2024"], ["2024-01-02", "2024-01-13"]),
        (["01/02/2024", "01/13/2024"], ["2024-01-02", "2024-01-13"]),
        (["1-2-2024", "1-13-2024"], ["2024-01-02", "2024-01-13"]),
        (["1704153600", "1704240000"], ["2024-01-02", "2024-01-03"]),
        (["1704153600000", "1704240000000"], ["2024-01-02", "2024-01-03"]),
    ],
)
def test_dates_are_read_by_the_whole_column(dates: list[str], meant: list[str]) -> None:
    assert days(parse("Date,Close\n" + "".join(f"{date},2\n" for date in dates))) == meant


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (["01/02/2024", "02/02/2024"], "two ways: no day in it is above 12"),
        (["12/02/2024", "02/12/2024"], "two ways: no day in it is above 12"),
        (["13/02/2024", "02/13/2024"], "two ways: some have the day first"),
        (["2024-01-02", "02/13/2024"], r"'02/13/2024' in row 2.*a date like the others"),
        (["2024-02-29", "2023-02-29"], r"'2023-02-29' in row 2.*in the calendar"),
        (["Jan 2 2024", "Jan 3 2024"], "accepted: YYYY-MM-DD"),
        (["02/01/24", "13/01/24"], "accepted: YYYY-MM-DD"),
    ],
)
def test_dates_that_can_be_misread_are_refused(dates: list[str], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse("Date,Close\n" + "".join(f"{date},2\n" for date in dates))


def test_thousands_signs_and_words_for_unknown() -> None:
    text = 'Date,Open,Close,Volume\n2024-01-02,"$1,234.50","1,234,567.25","12,000"\n2024-01-03,null,2,NaN\n'
    bars = parse(text).bars
    assert bars["open"].tolist()[0] == 1234.5
    assert bars["close"].tolist() == [1234567.25, 2.0]
    assert bars["volume"].tolist()[0] == 12000.0
    assert bars.loc[1, ["open", "volume"]].isna().all()


@pytest.mark.parametrize("value", ['"12,5"', "abc", "1.5M", "12%", "0x10", "1 2", "#REF!", '"1,23,456"'])
def test_what_is_no_number_is_refused_with_its_row(value: str) -> None:
    if "," in value:  # a comma out of place is the way the whole file is written
        with pytest.raises(FormatError, match=r"has close .* in row 2.*decimals are written with a point"):
            parse(f"Date,Close\n2024-01-02,2\n2024-01-03,{value}\n2024-01-04,3\n")
        return
    one = parse(f"Date,Close\n2024-01-02,2\n2024-01-03,{value}\n2024-01-04,3\n")
    assert one.bars["close"].tolist() == [2, 3]
    assert one.refused["reason"].tolist() == ["close is not a number"]
    assert one.refused["close"].tolist() == [value.strip('"')]
    with pytest.raises(FormatError, match=r"has close .* in row 1, which is not a number"):
        parse(f"Date,Close\n2024-01-02,{value}\n2024-01-03,{value}\n2024-01-04,3\n")


@pytest.mark.parametrize("price", ["0", "-5", "1e300"])
def test_a_wrong_number_is_kept_for_the_door_to_judge(price: str) -> None:
    assert parse(f"Date,Close\n2024-01-02,{price}\n").bars["close"].tolist() == [float(price)]


def test_rows_without_a_date_symbol_or_close_are_counted() -> None:
    text = "Symbol,Date,Open,Close\nKO,2024-01-02,,\nKO,,1,2\n,2024-01-03,1,2\n\nKO,2024-01-04,1,2\n"
    parsed = parse(text)
    assert days(parsed) == ["2024-01-04"]
    assert parsed.notes == ("KO.csv: 3 row(s) without a date, symbol or close left out.",)
    with pytest.raises(EmptyError, match="no row with a date"):
        parse("Date,Close\n2024-01-02,\n")


def test_descending_and_mixed_order_is_fine() -> None:
    text = "Symbol,Date,Close\nPEP,2024-01-03,4\nKO,2024-01-03,2\nPEP,2024-01-02,3\nKO,2024-01-02,1\n"
    bars = parse(text).bars
    assert bars["symbol"].tolist() == ["PEP", "PEP", "KO", "KO"]
    assert bars["close"].tolist() == [3.0, 4.0, 1.0, 2.0]
    assert bars["ts"].dt.day.tolist() == [2, 3, 2, 3]


def test_a_day_given_twice_is_kept_for_the_door_to_judge() -> None:
    rows = "".join(f"2024-01-0{day},{day}\n" for day in range(2, 8))
    assert len(parse(f"Date,Close\n{rows}2024-01-05,9\n").bars) == 7


def test_bars_of_minutes_are_refused() -> None:
    rows = "".join(f"2024-01-02 09:{minute}:00,2\n" for minute in range(30, 50))
    with pytest.raises(FormatError, match="several bars a day"):
        parse(f"Date,Close\n{rows}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "KO.csv has no column date and close; it has none"),
        ("Date,Price\n2024-01-02,2\n", "no column close; it has Date, Price"),
        ("Day,Date,Close\n2024-01-02,2024-01-02,2\n", "two columns for ts: Day and Date"),
        ("Date,Close,Close\n2024-01-02,1,2\n", "two columns for close"),
        ("Date,Close\n2024-01-02,1,2\n", "cannot be read as a table"),
        ("Symbol,Date,Close\nK O,2024-01-02,1\n", "has the symbol 'K O'"),
        (b"PAR1 and nothing more", "cannot be read as a table"),
        (gzip.compress(b"Date,Close\n2024-01-02,1\n", mtime=0)[:20], "cannot be read as a table"),
    ],
)
def test_files_that_are_no_bars_are_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters(encoding: str, delimiter: str) -> None:
    text = "Date,Close,Größe\r\n2024-01-02,2.5,x\r\n".replace(",", delimiter)
    assert parse(text.encode(encoding)).bars["close"].tolist() == [2.5]


def test_parquet_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "Ticker": pd.Categorical(["KO", "KO", "PEP"]),
            "Date": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-02"]).tz_localize("Asia/Tokyo"),
            "Close": np.array([1, 2, 3], dtype="int32"),
            "Volume": pd.array([10, None, 30], dtype="Int64"),
        }
    )
    frame.to_parquet(tmp_path / "many.parquet")
    bars = folder.read_file(tmp_path / "many.parquet").bars
    assert bars["symbol"].tolist() == ["KO", "KO", "PEP"]
    assert bars["ts"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-02", "2024-01-03", "2024-01-02"]
    assert bars["close"].tolist() == [1.0, 2.0, 3.0]
    assert bars["volume"].isna().tolist() == [False, True, False]
    frame.assign(Close=[True, False, True]).to_parquet(tmp_path / "wrong.parquet")
    with pytest.raises(FormatError, match="close of type bool"):
        folder.read_file(tmp_path / "wrong.parquet")
    frame.assign(Date=[0.5, 1.5, 2.5]).to_parquet(tmp_path / "wrong.parquet")
    with pytest.raises(FormatError, match="dates of type double"):
        folder.read_file(tmp_path / "wrong.parquet")


def test_the_folder_s_files_are_listed_and_nothing_outside_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "drop"
    for name in ("b.csv", "a.parquet", "sub/c.CSV", "sub/d.csv.gz", "notes.txt", ".hidden.csv", ".git/e.csv"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(b"Date,Close\n2024-01-02,1\n")
    (tmp_path / "secret.csv").write_text("Date,Close\n2024-01-02,1\n", encoding="utf-8")
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert folder.files(inside) == ["a.parquet", "b.csv", "sub/c.CSV", "sub/d.csv.gz"]
    call = Call(inside)
    payload = folder.request(Ask.of("bars", "sub/c.CSV", "2024-01-01"), call)
    assert folder.parse(payload).bars["symbol"].tolist() == ["c"]
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "notes.txt", "absent.csv", "sub"):
        with pytest.raises(NotFoundError, match="has no file"):
            folder.request(Ask.of("bars", name), call)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "a.csv").touch()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(NotFoundError, match=r"a\.csv.*cannot be read: Permission denied"):
        folder.read_file(tmp_path / "a.csv")


def test_a_packed_file_and_a_span(tmp_path: Path) -> None:
    text = "Date,Close\n2024-01-02,1\n2024-01-03,2\n2024-01-04,3\n"
    (tmp_path / "KO.csv.gz").write_bytes(gzip.compress(text.encode()))
    parsed = folder.read_file(tmp_path / "KO.csv.gz")
    assert set(parsed.bars["symbol"]) == {"KO"}
    span = {"start": pd.Timestamp("2024-01-03"), "end": pd.Timestamp("2024-01-03")}
    assert parse(text, **span).bars["close"].tolist() == [2.0]
    with pytest.raises(EmptyError, match="in the span"):
        parse(text, start=pd.Timestamp("2025-01-01"))


@pytest.mark.replay
def test_half_a_million_bars_go_through_unchanged_in_under_a_second(replay: Path) -> None:
    file = replay / "prices" / "us_equities_raw_2000_20240308.parquet"
    best = np.inf
    for _ in range(3):
        began = time.perf_counter()
        parsed = folder.read_file(file)
        best = min(best, time.perf_counter() - began)
    assert best < 1.0
    theirs = pd.read_parquet(file)
    assert parsed.notes == ()
    assert len(parsed.bars) == 556_806
    for name in ("symbol", "open", "high", "low", "close", "adj_close", "volume"):
        assert (parsed.bars[name].to_numpy() == theirs[name].to_numpy()).all(), name
    assert (parsed.bars["ts"].to_numpy() == theirs["date"].to_numpy()).all()


@pytest.mark.replay
@pytest.mark.parametrize(
    ("file", "symbol", "rows", "left"),
    [
        ("bad_inputs/crypto_ETH-USD_leading_nan_rows.csv", "crypto_ETH-USD_leading_nan_rows", 1559, 1149),
        ("bad_inputs/yf2024_AACIW.csv", "yf2024_AACIW", 1, 0),
        ("bad_inputs/yf2024_KIQ.csv", "yf2024_KIQ", 5131, 0),
        ("bad_inputs/yf2024_QUBT.csv", "yf2024_QUBT", 4305, 0),
        ("bad_inputs/yf2024_TRUE.csv", "yf2024_TRUE", 2470, 0),
        ("bad_inputs/yf2024_WHLRL.csv", "yf2024_WHLRL", 138, 492),
        ("prices/plotly_aapl_2015_2017_with_bollinger.csv", "AAPL", 506, 0),
        ("prices/crypto_daily_2014_20220214.parquet", "AAVE-USD", 24126, 0),
        ("macro/vix_daily_cboe.csv", "vix_daily_cboe", 9235, 0),
    ],
)
def test_recorded_files_give_every_row_or_count_it(replay: Path, file: str, symbol: str, rows: int, left: int) -> None:
    parsed = folder.read_file(replay / file)
    assert len(parsed.bars) == rows
    assert parsed.bars["symbol"].iloc[0] == symbol
    assert any(f"{left} row(s)" in note for note in parsed.notes) == bool(left)


@pytest.mark.replay
@pytest.mark.parametrize("name", ["us10y_monthly.csv", "arch_vix.csv", "fred_unrate_cpi_dff_recession_monthly.csv"])
def test_recorded_files_of_something_else_are_refused(replay: Path, name: str) -> None:
    with pytest.raises(FormatError, match="has no column close"):
        folder.read_file(replay / "macro" / name)
