"""Faults to plant into sound bars: each kind returns the bars with the fault, and the sessions it was planted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from quantlib.quality import CHECKS, histories, inspect
from quantlib.store.bars import check_bars

PRICES = ["open", "high", "low", "close", "adj_close"]
DOOR = "door"
#: Sessions between two plantings in one series: a fault must be found without the help of another, or against it.
APART = 90

Planted = tuple[pd.DataFrame, tuple[int, int]]
Planter = Callable[[pd.DataFrame, int, np.random.Generator], Planted]


def hundredfold(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    bars.loc[i, PRICES] *= float(rng.choice([100.0, 0.01]))
    return bars, (i, i)


def other_powers(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    last = i + int(rng.integers(0, 4))
    bars.loc[i:last, PRICES] *= float(rng.choice([10.0, 1000.0, 0.1, 0.001]))
    return bars, (i, last)


def one_field(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    name = str(rng.choice(["open", "high", "low", "close", "adj_close"]))
    bars.loc[i, name] *= float(rng.choice([100.0, 0.01]))
    return bars, (i, i)


def phantom_split(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    bars.loc[: i - 1, PRICES] *= float(rng.choice([1.5, 2, 3, 4, 5, 10, 20, 1 / 2, 1 / 4, 1 / 5, 1 / 10]))
    return bars, (i, i)


def stuck(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    last = i + int(rng.integers(3, 9)) - 1
    if rng.random() < 0.5:  # the feed repeats its last bar
        for name in [*PRICES, "volume"]:
            bars.loc[i:last, name] = bars.loc[i - 1, name]
    else:  # the feed carries the close on, without trades
        for name in ["open", "high", "low", "close"]:
            bars.loc[i:last, name] = bars.loc[i - 1, "close"]
        bars.loc[i:last, "adj_close"] = bars.loc[i - 1, "adj_close"]
        bars.loc[i:last, "volume"] = 0.0
    return bars, (i, last)


def swapped(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    columns = [*PRICES, "volume"]
    bars.loc[[i, i + 1], columns] = bars.loc[[i + 1, i], columns].to_numpy()
    return bars, (i, i + 1)


def repeated_row(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    return pd.concat([bars, bars.loc[[i]]], ignore_index=True), (i, i)


def contradicting_row(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    again = bars.loc[[i]].assign(close=(bars.loc[i, "high"] + 2 * bars.loc[i, "low"]) / 3)
    return pd.concat([bars, again], ignore_index=True), (i, i)


def doubled_session(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    columns = [*PRICES, "volume"]
    bars.loc[i, columns] = bars.loc[i - 1, columns].to_numpy()
    return bars, (i, i)


def moved_dates(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    last = i + int(rng.integers(15, 60))
    bars.loc[i:last, "ts"] += pd.Timedelta(days=int(rng.choice([-1, 1])))
    return bars, (i, last)


def nan_run(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    last = i + int(rng.integers(1, 11)) - 1
    columns = [*PRICES, "volume"] if rng.random() < 0.5 else ["open", "high", "low", "volume"]
    bars.loc[i:last, columns] = np.nan
    return bars, (i, last)


def lost_rows(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    last = i + int(rng.integers(1, 6)) - 1
    return bars.drop(index=range(i, last + 1)), (i, last)


def wrong_tick(bars: pd.DataFrame, i: int, rng: np.random.Generator) -> Planted:
    moves = np.log(bars["close"]).diff().abs()
    typical = float(moves.iloc[max(i - 63, 1) : i].median())
    factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(15, 40) * max(typical, 0.004)))
    bars.loc[i, ["close", "adj_close"]] *= factor
    bars.loc[i, "high"] = max(bars.loc[i, "high"], bars.loc[i, "close"])
    bars.loc[i, "low"] = min(bars.loc[i, "low"], bars.loc[i, "close"])
    return bars, (i, i)


@dataclass(frozen=True)
class Fault:
    """A kind of fault: how it is planted, and the checks that may claim to have found it."""

    plant: Planter
    named_by: tuple[str, ...]


FAULTS: dict[str, Fault] = {
    "100-fold, whole row": Fault(hundredfold, ("hundredfold",)),
    "10- or 1,000-fold, 1 to 4 rows": Fault(other_powers, ("hundredfold",)),
    "100-fold, one field": Fault(one_field, ("hundredfold", DOOR)),
    "phantom split": Fault(phantom_split, ("phantom_split",)),
    "stuck prices": Fault(stuck, ("stuck_prices",)),
    "swapped days": Fault(swapped, ("swapped_days",)),
    "duplicate row": Fault(repeated_row, (DOOR,)),
    "contradicting row": Fault(contradicting_row, (DOOR,)),
    "doubled session": Fault(doubled_session, ("doubled_session",)),
    "dates off by a day": Fault(moved_dates, ("shifted_dates", "extra_sessions")),
    "NaN run": Fault(nan_run, ("unknown_values", DOOR)),
    "lost rows": Fault(lost_rows, ("missing_sessions",)),
    "wrong tick": Fault(wrong_tick, ("outlier", "phantom_split")),
}


def plant(bars: pd.DataFrame, fault: Fault, each: int, seed: int) -> tuple[pd.DataFrame, list[tuple[str, int, int]]]:
    """Return bars with `each` faults in every series, and (symbol, first, last session number) of each."""
    parts, planted = [], []
    for number, (symbol, own) in enumerate(bars.groupby("symbol", sort=True)):
        rng = np.random.default_rng([seed, number])
        out = own.reset_index(drop=True)
        slots = np.arange(APART, len(out) - APART, APART)
        # From the newest back: a split changes all that is before it.
        for slot in sorted(rng.choice(slots, size=min(each, len(slots)), replace=False), reverse=True):
            out, (first, last) = fault.plant(out, int(slot), rng)
            planted.append((str(symbol), first, last))
        parts.append(out)
    return pd.concat(parts, ignore_index=True), planted


def recall_table(bars: pd.DataFrame, *, each: int = 5, seed: int = 7) -> pd.DataFrame:
    """Return one row a kind of fault: planted, caught, missed, share caught, and what caught it.

    Caught means: the door rejected a row, or a check that may name the fault did, in that series and not more than
    one session beside it.
    """
    calendar = {str(symbol): own["ts"].to_numpy() for symbol, own in bars.groupby("symbol")}
    rows = []
    for kind, fault in FAULTS.items():
        faulty, planted = plant(bars, fault, each, seed)
        good, rejected = check_bars(faulty)
        found = inspect(histories(good))[["symbol", "ts", "check_name"]]
        turned_away = rejected[["symbol", "ts"]].assign(check_name=DOOR)
        seen = pd.concat([found, turned_away])
        seen = seen[seen["check_name"].isin(fault.named_by)]
        caught, by = 0, set()
        for symbol, first, last in planted:
            days = calendar[symbol]
            low, high = days[max(first - 1, 0)], days[min(last + 1, len(days) - 1)]
            here = seen[(seen["symbol"] == symbol) & (seen["ts"] >= low) & (seen["ts"] <= high)]
            caught += not here.empty
            by |= set(here["check_name"])
        rows.append((kind, len(planted), caught, len(planted) - caught, caught / len(planted), ", ".join(sorted(by))))
    return pd.DataFrame(rows, columns=["fault", "planted", "caught", "missed", "recall", "by"])


def false_alarms(bars: pd.DataFrame) -> pd.DataFrame:
    """Return one row a check: findings on sound bars, and how many that is for 10,000 of them."""
    found = inspect(histories(check_bars(bars)[0]))
    counts = found.groupby("check_name").size().reindex(list(CHECKS), fill_value=0)
    table = counts.rename("findings").rename_axis("check").reset_index()
    return table.assign(per_10_000=table["findings"] / len(bars) * 10_000)


def known_faults(folder: Path) -> pd.DataFrame:
    """Return one row a file of the folder: bars kept, rows turned away by reason, doubts by check."""
    rows = []
    for path in sorted(folder.glob("*.csv")):
        frame = pd.read_csv(path).rename(columns=lambda name: name.lower().replace(" ", "_"))
        # The symbol is in the name of the file and stays text: TRUE is a share.
        frame = frame.rename(columns={"date": "ts"}).assign(symbol=path.stem.split("_")[1], source="folder")
        good, rejected = check_bars(frame)
        found = inspect(histories(good))
        turned_away = rejected["reason"].value_counts().to_dict()
        rows.append((path.name, len(good), turned_away, found["check_name"].value_counts().to_dict()))
    return pd.DataFrame(rows, columns=["file", "bars", "turned_away", "doubts"])
