"""A folder of files into a real database: once, file by file, and never two series as one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from prices import prices

from quantlib.errors import DataError
from quantlib.store import coverage, read_ingest_log, read_panel, read_quarantine
from quantlib.workflows.folder import load_folder
from quantlib.workflows.session import Session

DAYS = pd.bdate_range("2024-01-01", periods=40).as_unit("us")


def test_a_folder_is_loaded_once_file_by_file(here: Session, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    (folder / "more").mkdir(parents=True)
    frame = prices(5, DAYS)
    frame.rename(columns={"ts": "Date", "adj_close": "Adj Close"}).to_csv(folder / "TRUE.csv", index=False)
    two = pd.concat([frame.assign(symbol="ON"), frame.assign(symbol="NA")])
    two.to_parquet(folder / "more" / "two.parquet")
    (folder / "bad.csv").write_text("nothing,here\n1,2\n")
    result = load_folder(here, folder)
    assert [(s.symbol, s.status) for s in result.symbols] == [
        ("TRUE.csv", "ok"), ("bad.csv", "failed"), ("more/two.parquet", "ok")
    ]  # fmt: skip
    assert result.total == (120, 0, 0)
    assert set(coverage(here.store)["symbol"]) == {"TRUE", "ON", "NA"}
    again = load_folder(here, folder)
    assert again.changed_nothing
    assert again.total.unchanged == 120
    assert read_ingest_log(here.store)["status"].tolist() == ["partial", "partial"]


def test_two_files_never_make_one_series(here: Session, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    frame = prices(5, DAYS).drop(columns="adj_close").assign(symbol="KO")
    frame.head(5).assign(close=lambda few: few["close"] * 1.0001).to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "b.csv", index=False)
    first, again = load_folder(here, folder), load_folder(here, folder)
    assert (first.total, again.total) == ((40, 0, 0), (0, 0, 40))
    assert read_panel(here.store, "KO").close[:, 0].tolist() == frame["close"].tolist()
    assert read_quarantine(here.store)["reason"].unique().tolist() == ["b.csv has more of this symbol over these days"]
    assert len(read_quarantine(here.store)) == 5


def test_parts_of_a_series_join_and_another_series_later_does_not(here: Session, tmp_path: Path) -> None:
    frame = prices(5, DAYS).drop(columns="adj_close").assign(symbol="KO")
    for folder in ("parts", "other", "whole"):
        (tmp_path / folder).mkdir()
    frame.head(25).to_csv(tmp_path / "parts" / "a.csv", index=False)
    frame.tail(15).to_csv(tmp_path / "parts" / "b.csv", index=False)
    assert load_folder(here, tmp_path / "parts").total == (40, 0, 0)

    doubled = frame.assign(**{name: frame[name] * 2 for name in ("open", "high", "low", "close")})
    doubled.tail(20).to_csv(tmp_path / "other" / "c.csv", index=False)
    other = load_folder(here, tmp_path / "other")
    assert other.total == (0, 0, 0)
    assert list(other.rejected) == ["another series is stored for this symbol: most closes of the same days differ"]
    assert read_panel(here.store, "KO").close[:, 0].tolist() == frame["close"].tolist()

    doubled.to_csv(tmp_path / "whole" / "d.csv", index=False)  # replaces all of it, so no two scales are mixed
    assert load_folder(here, tmp_path / "whole").total == (0, 40, 0)


@pytest.mark.parametrize(("name", "words"), [("absent", "There is no folder"), (".", "no .csv or .parquet")])
def test_a_folder_without_files_is_refused(here: Session, tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_folder(here, tmp_path / name)
