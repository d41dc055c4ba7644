"""The store: PostgreSQL or TimescaleDB behind plain functions that take a `Store` first.

Examples
--------
>>> with Store.connect(None, Path("data/local")) as store:  # doctest: +SKIP
...     good, rejected = check_bars(frame)
...     count = write_bars(store, good)
...     panel = read_panel(store, ["KO", "PEP"], start="2020-01-01")
"""

from __future__ import annotations

from quantlib.store.bars import check_bars, coverage, write_bars
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.ingests import IngestRecord, read_ingest_log, save_ingest
from quantlib.store.instruments import (
    UniverseList,
    read_instruments,
    read_universe,
    write_instruments,
    write_universe,
)
from quantlib.store.macro import check_observations, read_series, write_observations, write_series
from quantlib.store.panels import read_panel
from quantlib.store.records import (
    RecommendationRecord,
    ReportRecord,
    RunRecord,
    StrategyRecord,
    read_recommendations,
    read_report,
    read_reports,
    read_runs,
    read_strategies,
    save_recommendations,
    save_report,
    save_runs,
    save_strategies,
    touch_report,
    watermark,
)

__all__ = [
    "IngestRecord",
    "RecommendationRecord",
    "ReportRecord",
    "RunRecord",
    "Store",
    "StrategyRecord",
    "UniverseList",
    "WriteCount",
    "check_bars",
    "check_observations",
    "coverage",
    "read_ingest_log",
    "read_instruments",
    "read_panel",
    "read_recommendations",
    "read_report",
    "read_reports",
    "read_runs",
    "read_series",
    "read_strategies",
    "read_universe",
    "save_ingest",
    "save_recommendations",
    "save_report",
    "save_runs",
    "save_strategies",
    "touch_report",
    "watermark",
    "write_bars",
    "write_instruments",
    "write_observations",
    "write_series",
    "write_universe",
]
