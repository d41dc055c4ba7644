"""Event studies of what is stored: world events, decisions, releases and earnings, as of a date."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.event_study import study
from quantlib.events import read_events
from quantlib.store import check_rows, write_versions
from quantlib.workflows.event_study import event_kinds, study_events
from quantlib.workflows.events import load_events
from quantlib.workflows.research import load_panel
from quantlib.workflows.session import Session

PLAN = {"before": 1, "after": 2, "over": (0, 0), "samples": 200, "placebos": 50}


@pytest.fixture(scope="module")
def stored(lab: Session) -> Session:
    """Return the session of three stocks with world events, CPI releases and earnings of two."""
    load_events(lab)
    rng = np.random.default_rng(2)
    months = pd.date_range("2016-03-01", "2022-11-01", freq="MS") + pd.Timedelta(days=11, hours=12, minutes=30)
    forecast = np.round(rng.normal(0.2, 0.1, len(months)), 1)
    releases = pd.DataFrame(
        {
            "source": "vendor",
            "country": "US",
            "name": "CPI m/m",
            "released_at": months.tz_localize("UTC"),
            "period": "",
            "actual": forecast + np.round(rng.normal(0, 0.1, len(months)), 1),
            "forecast": forecast,
            "forecast_kind": "survey",
            "previous": np.nan,
            "revised": np.nan,
            "unit": "%",
            "importance": "high",
        }
    )
    releases.loc[0, ["forecast", "forecast_kind"]] = [np.nan, "none"]
    other = releases[:5].assign(source="another", released_at=releases["released_at"][:5] + pd.Timedelta(hours=1))
    quarters = pd.bdate_range("2016-04-20", "2022-10-20", freq="91D")
    earnings = pd.concat(
        pd.DataFrame(
            {
                "symbol": symbol,
                "source": "vendor",
                "kind": "earnings",
                "ts": quarters,
                "session": when,
                "expected": 1.0,
                "actual": 1.0 + rng.normal(0.05, size, len(quarters)),
                "period": "",
            }
        )
        for symbol, when, size in (("KO", "before_open", 0.1), ("MSFT", "after_close", 0.4))
    )
    for table, frame in (("releases", pd.concat([releases, other])), ("security_events", earnings)):
        good, bad = check_rows(table, frame)
        assert bad.empty, bad["reason"].iloc[0]
        write_versions(lab.store, table, good)
    return lab


def test_kinds_are_listed_with_what_is_known_of_them(stored: Session) -> None:
    kinds = event_kinds(stored)
    assert kinds.index.tolist() == [
        *("fomc", "monetary", "market", "economic", "geopolitical", "disaster", "earnings", "release/US/CPI m/m"),
    ]
    events = read_events(stored.settings.data / "events")
    fomc = events[events["id"].str.startswith("fomc-")]
    row = kinds.loc["fomc"]
    assert (row["title"], row["events"], row["surprises"]) == ("FOMC decisions", len(fomc), 0)
    assert row["first"] == pd.Timestamp("1990-02-07")
    assert kinds.loc["release/US/CPI m/m", ["events", "surprises"]].tolist() == [81, 80]
    assert kinds.loc["earnings", "events"] == kinds.loc["earnings", "surprises"] > 40
    then = event_kinds(stored, as_of="2015-06-30")
    assert "earnings" not in then.index
    assert then.loc["fomc", "last"] <= pd.Timestamp("2015-06-30")


def test_a_kind_is_studied_as_by_hand(stored: Session) -> None:
    found = study_events(stored, ["KO", "PEP"], kind="fomc", market="MSFT", **PLAN)
    events = read_events(stored.settings.data / "events")
    fomc = events[events["id"].str.startswith("fomc-")]
    panel = load_panel(stored, ["KO", "PEP", "MSFT"])
    own = study(panel, fomc, market="MSFT", **PLAN)
    assert found.title == "FOMC decisions"
    assert found.study.symbols == ("KO", "PEP")
    assert found.study.dose is None
    assert found.study.car == own.car
    assert found.panel.snapshot_id == panel.snapshot_id
    assert found.study.n + len(found.study.left_out) == len(fomc)
    assert found.study.by_event["title"].str.contains("FOMC|Fed|rate", case=False).all()


def test_as_of_a_date_neither_later_events_nor_later_prices_count(stored: Session) -> None:
    found = study_events(stored, ["KO"], kind="fomc", as_of="2019-06-28", **PLAN)
    assert found.panel.index[-1] == pd.Timestamp("2019-06-28")
    assert found.events["day"].max() == pd.Timestamp("2019-06-19")
    assert found.study.model == "mean"
    whole = study_events(stored, ["KO"], kind="fomc", **PLAN)
    both = whole.study.by_event["car"].loc[found.study.by_event.index]
    pd.testing.assert_series_equal(found.study.by_event["car"], both)
    some = study_events(stored, ["KO"], kind="fomc", start="2018-01-01", end="2018-12-31", **PLAN)
    assert some.study.n == 8


def test_chosen_events_and_doses_of_ones_own(stored: Session) -> None:
    events = read_events(stored.settings.data / "events")
    ids = events[events["day"].between("2017-06-01", "2021-12-31")]["id"].iloc[::4].to_list()
    doses = {name: float(i) for i, name in enumerate(ids[:-2])}
    found = study_events(stored, ["KO"], ids=ids, doses=doses, **PLAN)
    assert found.title == "Chosen events"
    assert set(found.study.by_event.index) == set(ids)
    assert found.study.dose.n == len(ids) - 2
    assert found.study.by_event["dose"].dropna().to_dict() == doses
    with pytest.raises(DataError, match="A dose is of 'lehman-2008', which is not studied"):
        study_events(stored, ["KO"], ids=ids, doses={"lehman-2008": 1.0}, **PLAN)


def test_the_dose_of_a_release_is_its_standardised_surprise(stored: Session) -> None:
    found = study_events(stored, ["KO", "PEP"], kind="release/US/CPI m/m", **PLAN)
    assert found.title == "CPI m/m, US"
    events = found.events
    assert (events["source"] == "vendor").all(), "the source that has most"
    surprise = events["actual"] - events["forecast"]
    np.testing.assert_allclose(events["dose"], surprise / surprise.std(), equal_nan=True)
    assert np.isnan(events["dose"].iloc[0])
    assert found.study.dose.n == found.study.by_event["dose"].notna().sum() > 60
    # 12:30 in London's winter is half past seven in New York: the session of that day.
    day = events["released_at"].dt.tz_convert(None).dt.normalize()
    weekdays = day[day.dt.day_of_week < 5].iloc[5]
    assert weekdays in set(found.study.by_event["session"])


def test_earnings_are_studied_on_the_companys_own_prices(stored: Session) -> None:
    found = study_events(stored, ["KO", "MSFT"], kind="earnings", market="PEP", **PLAN)
    table = found.study.by_event
    assert (table["assets"] == 1).all()
    assert table.groupby("symbol").size().min() > 15
    known = np.isfinite(found.study.abnormal).all(axis=1)
    assert (known.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(np.array(found.study.symbols)[known.argmax(axis=1)], table["symbol"].to_numpy())
    stds = found.events.groupby("symbol")["dose"].std()
    np.testing.assert_allclose(stds, 1.0)
    early = found.events.set_index("id")["ts"]
    at = table["session"] - early.loc[table.index]
    assert (at[table["symbol"] == "MSFT"] > pd.Timedelta(0)).all(), "after the close belongs to the next session"
    assert (at[table["symbol"] == "KO"] == pd.Timedelta(0)).mean() > 0.8
    with pytest.raises(DataError, match="There are no earnings dates of PEP"):
        study_events(stored, ["PEP"], kind="earnings")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kind": "fomcs"}, "No events of kind 'fomcs' are stored. Did you mean fomc?"),
        ({"kind": "release/US/CPI y/y"}, "Did you mean release/US/CPI m/m?"),
        ({}, "Neither a kind nor ids"),
        ({"ids": ["lehman-2007"]}, "There is no event 'lehman-2007' among these. Did you mean lehman-2008?"),
        ({"kind": "fomc", "start": "2030-01-01"}, "There are no events of FOMC decisions from 2030-01-01"),
        ({"kind": "fomc", "end": "1991-01-01"}, "can be studied: 8 outside the prices"),
        ({"kind": "fomc", "market": "KO"}, "KO cannot both be studied and explain"),
        ({"kind": "fomc", "market": "PEP", "factors": ["MSFT"]}, "either a market or factors"),
        ({"kind": "fomc", "symbols": []}, "No symbol is given"),
        ({"kind": "fomc", "symbols": ["KOO"]}, "KOO"),
    ],
)
def test_what_cannot_be_studied_is_said(stored: Session, asked: dict, message: str) -> None:
    symbols = asked.pop("symbols", ["KO"])
    with pytest.raises(DataError) as caught:
        study_events(stored, symbols, **asked)
    assert message in str(caught.value)


def test_without_events_the_next_step_is_named(here: Session) -> None:
    assert event_kinds(here).empty
    with pytest.raises(DataError, match=r"There are no world events yet\. Run `workbench events`"):
        study_events(here, ["AAA"], kind="fomc")
