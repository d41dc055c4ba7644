"""The event files: what they hold, checked against prices and rates, and what the reader turns away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.events import AFFECTED, COLUMNS, KINDS, read_events
from quantlib.models import MODELS

FOLDER = Path(__file__).resolve().parents[1] / "data" / "events"
LINE = "lehman-2008,2008-09-15,,01:45,America/New_York,market,Lehman fails,banks;credit,Court"

# Rates were decided at them too, but not on the committee's calendar.
BETWEEN_MEETINGS = {
    "1994-04-18", "1998-10-15", "2001-01-03", "2001-04-18", "2001-09-17",
    "2008-01-22", "2008-10-08", "2020-03-03", "2020-03-15",
}  # fmt: skip


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return read_events(FOLDER)


@pytest.fixture(scope="module")
def decisions(events: pd.DataFrame) -> pd.DataFrame:
    """Return the decisions of the Federal Reserve's committee by day, with the target after each (mid of a range)."""
    own = events[events["id"].str.startswith("fomc-")].set_index("day")
    target = own["title"].str.extract(r"(\d\.\d\d)(?:-(\d\.\d\d))? %$").astype("float64").mean(axis=1)
    return own.assign(target=target)


def lines(tmp_path: Path, *text: str, header: str = ",".join(COLUMNS)) -> Path:
    (tmp_path / "mine.csv").write_text("\n".join([header, *text]) + "\n", encoding="utf-8")
    return tmp_path


def test_events_come_as_the_table_wants_them(events: pd.DataFrame) -> None:
    assert tuple(events.columns) == MODELS["world_events"].columns()
    assert events["id"].is_unique
    assert events["happened_at"].is_monotonic_increasing
    assert set(events["kind"]) == set(KINDS)
    assert {name for names in events["affected"] for name in names} == set(AFFECTED)
    moments = events.set_index("id")["happened_at"]
    assert moments["lehman-2008"] == pd.Timestamp("2008-09-15 05:45", tz="UTC")  # daylight time in New York
    assert moments["tohoku-2011"] == pd.Timestamp("2011-03-11 05:46", tz="UTC")
    assert moments["svb-2023"] == pd.Timestamp("2023-03-10 17:00", tz="UTC")  # midday: only the day is known


def test_there_are_well_known_events_of_every_year(events: pd.DataFrame) -> None:
    world = events[~events["id"].str.startswith("fomc-")]
    assert len(world) >= 60
    assert set(world["day"].dt.year) == set(range(1990, 2026))
    assert not world["title"].duplicated().any()
    assert world["title"].str.len().max() <= 120
    assert not world["title"].str.endswith(".").any()
    assert not world["source"].str.contains("http|www", case=False).any()


def test_titles_agree_with_prices(events: pd.DataFrame, sample_closes: pd.Series) -> None:
    """Levels and falls of the S&P 500 that titles name are those of the index on that day."""
    titles = events.set_index("day")["title"]
    level = titles.str.extract(r"S&P 500 closes at ([\d,]+\.\d\d)")[0].dropna().str.replace(",", "").astype("float64")
    assert len(level) == 4
    np.testing.assert_allclose(sample_closes.reindex(level.index), level, atol=0.01)
    moved = titles.str.extract(r"S&P 500 (rises|falls) (\d+\.\d) percent").dropna()
    moved = moved[moved.index <= sample_closes.index[-1]]
    assert len(moved) == 4
    percent = moved[1].astype("float64") * np.where(moved[0] == "rises", 1, -1)
    returns = sample_closes.pct_change() * 100
    np.testing.assert_allclose(returns.reindex(moved.index), percent, atol=0.06)


@pytest.fixture(scope="module")
def sample_closes() -> pd.Series:
    from skfolio.datasets import load_sp500_index

    return load_sp500_index()["SP500"]


def test_decisions_of_the_committee(decisions: pd.DataFrame) -> None:
    scheduled = decisions[~decisions.index.strftime("%Y-%m-%d").isin(BETWEEN_MEETINGS)]
    per_year = scheduled.index.year.value_counts()
    assert per_year.drop(2020).eq(8).all()
    assert per_year[2020] == 7  # the meeting of 17 and 18 March gave way to that of Sunday, 15 March
    assert set(per_year.index) == set(range(1990, 2027))
    assert scheduled.index.day_of_week.isin([1, 2, 3, 4]).all()
    assert decisions["title"].str.contains("between meetings").sum() == len(BETWEEN_MEETINGS)
    assert decisions.loc["1994":"2025", "target"].notna().all()


def test_changes_of_the_target_lead_from_level_to_level(decisions: pd.DataFrame) -> None:
    known = decisions.loc["1994":"2025"]
    said = known["title"].str.extract(r"(raises|lowers) .* by (\d+) bp")
    change = said[1].astype("float64") * np.where(said[0] == "raises", 1, -1)
    step = known["target"].diff().mul(100).round(6)
    rows = change.notna() & step.notna()
    # On 2008-12-16 the level became a range, which is no step of so many points.
    np.testing.assert_allclose(step[rows], change[rows])
    assert (step[~change.notna() & step.notna()].drop(pd.Timestamp("2008-12-16")) == 0).all()


@pytest.mark.replay
def test_days_are_those_of_another_list(decisions: pd.DataFrame, replay: Path) -> None:
    other = pd.read_csv(replay / "events" / "fomc_decision_dates_2000_2026.csv", parse_dates=["date"])["date"]
    mine = set(decisions.loc["2000":].index)
    assert {f"{day:%Y-%m-%d}" for day in set(other) - mine} == {
        "2007-08-17",  # the Board lowered the discount rate; the target stayed (world event discount-rate-2007)
        "2026-05-06",  # that list has another day; the published calendar of 2026 says 28-29 April
    }
    assert {f"{day:%Y-%m-%d}" for day in mine - set(other)} == {"2026-04-29"}


@pytest.mark.replay
def test_targets_are_what_banks_paid(decisions: pd.DataFrame, replay: Path) -> None:
    """The month's average of the effective rate lies near the average of the targets in force."""
    frame = pd.read_csv(replay / "macro" / "fred_unrate_cpi_dff_recession_monthly.csv")
    effective = pd.Series(frame["DFF"].to_numpy(), pd.to_datetime(frame["DATE"], dayfirst=True))
    target = decisions.loc["1994":"2025", "target"]
    daily = target.reindex(pd.date_range(target.index[0], "2025-12-31")).ffill().shift()
    gap = (effective - daily.resample("MS").mean()).dropna().abs()
    assert len(gap) > 250
    assert gap.median() < 0.03
    # After Lehman banks lent far below the target until the range began.
    assert set(gap[gap > 0.25].index) == {pd.Timestamp(2008, month, 1) for month in (10, 11, 12)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE.replace("2008-09-15,,", "2008-09-14,,"), "2008-09-14 is a Sunday, but weekend is empty"),
        (LINE.replace("2008-09-15,,", "2008-09-15,yes,"), "2008-09-15 is a Monday, but weekend is yes"),
        (LINE.replace("2008-09-15,,", "2008-09-15,no,"), "weekend is 'no'"),
        (LINE.replace("2008-09-15", "2008-09-31"), "the date is '2008-09-31'"),
        (LINE.replace("2008-09-15", "15.09.2008"), "YYYY-MM-DD"),
        (LINE.replace("2008-09-15", "2009-09-15"), "hold the year 2009"),
        (LINE.replace("lehman-2008", "Lehman 2008"), "lower case with hyphens"),
        (LINE.replace("01:45", "25:45"), "HH:MM"),
        (LINE.replace("New_York", "New_Yrok"), "Did you mean America/New_York?"),
        (LINE.replace(",market,", ",markets,"), "Did you mean market?"),
        (LINE.replace("credit", "credits"), "Did you mean credit?"),
        (LINE.replace("credit", "banks"), "banks is affected twice"),
        (LINE.replace("Lehman fails", ""), "title is empty"),
        (LINE.replace("Lehman fails", " Lehman fails"), "spaces around"),
        (LINE.replace("Lehman fails", "Lehman, too, fails"), "11 cells where 9 belong"),
        (LINE.replace("Lehman fails", '"Lehman fails'), "unexpected end of data"),
        (LINE.replace("2008-09-15,,01:45", "2008-03-09,yes,02:30"), "does not name one moment"),  # skipped
        (LINE.replace("2008-09-15,,01:45", "2008-11-02,yes,01:30"), "does not name one moment"),  # twice
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=r"^mine\.csv, line 3: ") as caught:
        read_events(lines(tmp_path, LINE.replace("lehman", "first"), line))
    assert message in str(caught.value)


def test_an_id_belongs_to_one_event_in_all_files(tmp_path: Path) -> None:
    lines(tmp_path, LINE).joinpath("mine.csv").rename(tmp_path / "earlier.csv")
    with pytest.raises(DataError, match=r"^mine\.csv, line 2: the id 'lehman-2008' is that of earlier\.csv, line 2"):
        read_events(lines(tmp_path, LINE))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No event files in"):
        read_events(tmp_path)
    with pytest.raises(DataError, match=r"mine\.csv, line 1: the header is id,day"):
        read_events(lines(tmp_path, LINE, header="id,day"))
    (tmp_path / "mine.csv").write_bytes(",".join(COLUMNS).encode() + b"\n\xff\xfe")
    with pytest.raises(DataError, match=r"mine\.csv is not UTF-8"):
        read_events(tmp_path)
