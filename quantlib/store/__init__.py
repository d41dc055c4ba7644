"""The store: PostgreSQL or TimescaleDB behind plain functions that take a `Store` first.

Examples
--------
>>> with Store.connect(None, Path("data/local")) as store:  # doctest: +SKIP
...     good, rejected = check_bars(frame)
...     count = write_bars(store, good)
...     panel = read_panel(store, ["KO", "PEP"], start="2020-01-01")
"""

from __future__ import annotations

from quantlib.store.adjust import adjustment_notes
from quantlib.store.bars import check_bars, coverage, write_bars
from quantlib.store.catalog import read_sources, write_sources
from quantlib.store.counts import WriteCount
from quantlib.store.database import Store
from quantlib.store.definitions import (
    VersionRecord,
    delete_definition,
    read_definition_versions,
    rename_definition,
    save_version,
)
from quantlib.store.delivered import read_bars, vendor_adjusted
from quantlib.store.grades import read_grades, save_grades
from quantlib.store.ingests import IngestRecord, read_ingest_log, save_ingest
from quantlib.store.instruments import (
    UniverseList,
    read_instruments,
    read_universe,
    write_instruments,
    write_universe,
)
from quantlib.store.macro import check_observations, read_series, read_series_at, write_observations, write_series
from quantlib.store.membership import read_members
from quantlib.store.panels import read_panel
from quantlib.store.payloads import PayloadRecord, last_fetched, list_payloads, read_payload, save_payload
from quantlib.store.quarantine import count_quarantine, quarantine, read_quarantine
from quantlib.store.realism import RealismRecord, read_realism, save_realism
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
from quantlib.store.repairs import decide_repair, propose_repairs, read_repairs, with_repairs
from quantlib.store.rows import check_rows
from quantlib.store.turns import BARS, GRADES, REPAIRS, Turn, take_turn
from quantlib.store.versions import read_versions, write_versions

__all__ = [
    "BARS",
    "GRADES",
    "REPAIRS",
    "IngestRecord",
    "PayloadRecord",
    "RealismRecord",
    "RecommendationRecord",
    "ReportRecord",
    "RunRecord",
    "Store",
    "StrategyRecord",
    "Turn",
    "UniverseList",
    "VersionRecord",
    "WriteCount",
    "adjustment_notes",
    "check_bars",
    "check_observations",
    "check_rows",
    "count_quarantine",
    "coverage",
    "decide_repair",
    "delete_definition",
    "last_fetched",
    "list_payloads",
    "propose_repairs",
    "quarantine",
    "read_bars",
    "read_definition_versions",
    "read_grades",
    "read_ingest_log",
    "read_instruments",
    "read_members",
    "read_panel",
    "read_payload",
    "read_quarantine",
    "read_realism",
    "read_recommendations",
    "read_repairs",
    "read_report",
    "read_reports",
    "read_runs",
    "read_series",
    "read_series_at",
    "read_sources",
    "read_strategies",
    "read_universe",
    "read_versions",
    "rename_definition",
    "save_grades",
    "save_ingest",
    "save_payload",
    "save_realism",
    "save_recommendations",
    "save_report",
    "save_runs",
    "save_strategies",
    "save_version",
    "take_turn",
    "touch_report",
    "vendor_adjusted",
    "watermark",
    "with_repairs",
    "write_bars",
    "write_instruments",
    "write_observations",
    "write_series",
    "write_sources",
    "write_universe",
    "write_versions",
]
