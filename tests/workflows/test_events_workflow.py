"""World events in the store: loaded by difference, withdrawn with their line, listed by kind, day and as-of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.settings import Settings
from quantlib.store import Store, WriteCount
from quantlib.workflows.events import list_events, load_events
from quantlib.workflows.session import Session

FILES = Path(__file__).resolve().parents[2] / "data" / "events"


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    shutil.copytree(FILES, tmp_path / "data" / "events")
    return Session(Settings(home=tmp_path, data=tmp_path / "data", _env_file=None), store)


def test_loading_again_writes_nothing_and_a_mended_line_only_itself(session: Session) -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in FILES.glob("*.csv"))
    assert load_events(session) == WriteCount(new=lines)
    assert load_events(session) == WriteCount(unchanged=lines)
    path = session.settings.data / "events" / "world_events.csv"
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith("suez-2021,")]
    path.write_text("".join(kept).replace("Lehman Brothers files", "Lehman files"), encoding="utf-8")
    assert load_events(session) == WriteCount(changed=2, unchanged=lines - 2)
    titles = list_events(session).set_index("id")["title"]
    assert titles["lehman-2008"].startswith("Lehman files")
    assert "suez-2021" not in titles


def test_events_are_listed_by_kind_day_and_what_they_moved(session: Session) -> None:
    load_events(session)
    september = list_events(session, start="2008-09-15", end="2008-09-16")
    assert september["id"].tolist() == ["lehman-2008", "fomc-2008-09-16", "reserve-fund-2008"]  # AIG: 17th in UTC
    assert list_events(session, kinds=("monetary",), start="2008-09-15", end="2008-09-16")["id"].tolist() == [
        "fomc-2008-09-16"
    ]
    crypto = list_events(session, affected=("crypto",), end="2014-12-31")
    assert crypto["id"].tolist() == ["cyprus-2013", "mt-gox-2014"]
    assert crypto["happened_at"].is_monotonic_increasing
    with pytest.raises(DataError, match="Did you mean monetary"):
        list_events(session, kinds=("monetery",))


def test_what_lay_ahead_is_not_known(session: Session) -> None:
    load_events(session)
    then = list_events(session, as_of="2008-09-15")
    assert then["id"].iloc[-1] == "lehman-2008"
    assert then["happened_at"].max() < pd.Timestamp("2008-09-16", tz="UTC")


def test_a_wrong_file_stores_nothing(session: Session) -> None:
    path = session.settings.data / "events" / "world_events.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("2008-09-15,,01:45", "2008-09-16,,1:45"), encoding="utf-8")
    with pytest.raises(DataError, match=r"world_events\.csv, line \d+: the time is '1:45'"):
        load_events(session)
    assert list_events(session).empty
