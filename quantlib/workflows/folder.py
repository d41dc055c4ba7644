"""A folder of CSV and Parquet files into the store, file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from quantlib import store as db
from quantlib.errors import DataError, QuantError, SourceError
from quantlib.settings import utc_now
from quantlib.sources import SOURCES
from quantlib.sources.base import Ask, Call, Parsed, Payload
from quantlib.sources.folder import files
from quantlib.workflows.deliveries import deliver
from quantlib.workflows.ingest import SAME, Progress, write_reference
from quantlib.workflows.ingest_result import IngestResult, SymbolResult, log_ingest
from quantlib.workflows.session import Session

NAME = "folder"


def load_folder(session: Session, folder: Path, *, on_progress: Progress | None = None) -> IngestResult:
    """Return what became of every file of daily bars in a folder and the folders below it.

    Each file is stored whole or not at all; one that cannot be read does not stop the others. Where several have
    bars of a symbol over the same days, the one with the most of them is used and the others' go into quarantine,
    as do those of a file that contradicts what an earlier folder has brought: two vendors never make one series.
    Reading the same folder again changes nothing.

    Parameters
    ----------
    session
        Where to.
    folder
        Holds `.csv` and `.parquet` files, with a column of symbols or one symbol each, named by the file.
    on_progress
        Called with files done, files in all, and the one being read.

    Raises
    ------
    DataError
        There is no such folder, or no such file in it.

    Examples
    --------
    >>> load_folder(session, Path("downloads")).headline  # doctest: +SKIP
    'folder: 12,000 new, 0 changed, 0 unchanged, 0 rejected rows of 3 symbols and series.'
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Name one that holds .csv or .parquet files.")
    names = files(folder)
    if not names:
        raise DataError(f"There is no .csv or .parquet file in {folder} or below. Put daily bars there.")
    source, call = SOURCES[NAME], Call(home=folder)
    report = on_progress or (lambda done, total, label: None)
    started = utc_now()
    results: list[SymbolResult] = []
    try:
        reference = write_reference(session.store, source, session.universe)
        owners = _owners(call, names)
        for name in names:
            report(len(results), len(names), name)
            results.append(_one(session, call, name, owners))
        report(len(names), len(names), "")
    except BaseException as error:  # a key pressed, the database gone: say so in the log and let it out
        words = str(error) or type(error).__name__
        stopped = IngestResult(NAME, started, utc_now(), tuple(results))
        with suppress(QuantError):
            log_ingest(session.store, stopped, "failed", f"stopped after {len(results)} of {len(names)} files: {words}")
        raise
    result = IngestResult(NAME, started, utc_now(), tuple(results), reference)
    log_ingest(session.store, result)
    return result


def _read(call: Call, name: str) -> tuple[Payload, Parsed]:
    payload = SOURCES[NAME].request(Ask("bars", name), call)
    return payload, SOURCES[NAME].parse(payload)


class _Part(NamedTuple):
    """The bars of one symbol in one file."""

    bars: int
    file: str
    first: pd.Timestamp
    last: pd.Timestamp


def _owners(call: Call, names: Sequence[str]) -> dict[str, set[str]]:
    """Return for each symbol the files it is taken from: those with the most bars, as far as none overlap in time."""
    parts: dict[str, list[_Part]] = {}
    for name in names:
        with suppress(SourceError, DataError):  # said when the file's turn comes
            spans = _read(call, name)[1].bars.groupby("symbol")["ts"].agg(["size", "min", "max"])
            for symbol, row in spans.iterrows():
                parts.setdefault(str(symbol), []).append(_Part(int(row["size"]), name, row["min"], row["max"]))
    owners: dict[str, set[str]] = {}
    for symbol, found in parts.items():
        taken: list[_Part] = []
        for part in sorted(found, key=lambda one: (-one.bars, one.file)):
            if all(part.last < other.first or other.last < part.first for other in taken):
                taken.append(part)
        owners[symbol] = {part.file for part in taken}
    return owners


def _one(session: Session, call: Call, name: str, owners: Mapping[str, set[str]]) -> SymbolResult:
    source = SOURCES[NAME]
    try:
        payload, parsed = _read(call, name)
        bars = parsed.bars
        reasons = pd.Series("", index=bars.index, dtype="str")
        for symbol, rows in bars.groupby("symbol"):
            if name not in owners[str(symbol)]:
                reasons[rows.index] = f"{min(owners[str(symbol)])} has more of this symbol over these days"
            elif _contradicts(session, str(symbol), rows):
                reasons[rows.index] = "another series is stored for this symbol: most closes of the same days differ"
        left_out = bars[reasons != ""].assign(reason=reasons[reasons != ""])
        db.quarantine(session.store, left_out, source=NAME, kind="bars", name=name)
        done = deliver(session.store, source, payload, replace(parsed, bars=bars[reasons == ""]))
    except (SourceError, DataError) as error:
        return SymbolResult(name, "failed", error=str(error))
    rejected = Counter(done.rejected) + Counter(left_out["reason"])
    symbols = bars["symbol"].nunique()
    notes = (*parsed.notes, *((f"{symbols} symbols",) if symbols > 1 else ()))
    if not done.sound and not len(left_out):
        return SymbolResult(name, "failed", done.count, rejected, notes, "no row could be stored")
    return SymbolResult(name, "ok", done.count, rejected, notes)


def _contradicts(session: Session, symbol: str, bars: pd.DataFrame) -> bool:
    """Return whether most of the days a file shares with what is stored differ, and it does not replace all of that."""
    stored = db.read_bars(session.store, symbols=[symbol], source=NAME).set_index("ts")["close"]
    if stored.empty:
        return False
    shared = pd.concat(
        {"stored": stored, "file": bars.drop_duplicates("ts").set_index("ts")["close"]}, axis=1, sort=True
    )
    both = shared.dropna()
    differ = (both["file"] / both["stored"] - 1).abs() > SAME
    return bool(len(both) and differ.mean() > 0.5 and shared["file"].isna().any())
