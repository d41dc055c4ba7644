"""How real every simulator is: its worlds against real prices, and the card itself against worlds of a known law.

python -m benchmarks.realism               print the tables
python -m benchmarks.realism REALISM.md    and write them there
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from arch.data import sp500
from rich.console import Console
from rich.progress import track
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from quantlib.errors import QuantError
from quantlib.simulators import GBM, SIMULATORS, Simulator
from quantlib.simulators.garch import GJRGARCH
from quantlib.simulators.realism import MOST_SESSIONS, realism
from quantlib.types import Panel

STOCKS = ("AAPL", "BAC", "CVX", "GE", "JNJ", "JPM", "KO", "MSFT", "PG", "WMT", "XOM")
HISTORIES, SESSIONS = 100, 1000
TO_STDERR = Console(stderr=True)  # so that what is printed can be piped


def stocks() -> Panel:
    """Return the S&P 500 and eleven of its stocks, 1990 to 2022."""
    frames = load_sp500_dataset()[list(STOCKS)], load_sp500_index().set_axis(["S&P 500"], axis=1)
    return Panel.from_frames(pd.concat(frames[::-1], axis=1, join="inner"))


def index() -> Panel:
    """Return the S&P 500 of 1999 to 2018, from another source."""
    close = sp500.load()[["Adj Close"]].astype(float)
    return Panel.from_frames(close.set_axis(["S&P 500"], axis=1))


def judged(family: type[Simulator], panel: Panel) -> tuple[pd.Series, str]:
    """Return a simulator's grades by symbol, the last "overall", and what it says of itself.

    Where it refuses the panel it is judged on the symbols that it takes one by one, if there are any.
    """
    grades = pd.Series("–", index=[*panel.symbols, "overall"], name=family.title)
    begin = time.perf_counter()
    without = ""
    try:
        card = realism(family(), panel)
    except QuantError as error:
        without = f" Refused: {error}"
        taken = [symbol for symbol in panel.symbols if takes(family, panel.select([symbol]))]
        if not taken:
            return grades, f"- {family.title}.{without}"
        card = realism(family(), panel.select(taken))
    grades[[*card.symbols, "overall"]] = [*card.grades, card.grade]
    said = card.sentence.split("; never saw")[0]
    return grades, f"- {family.title}, {time.perf_counter() - begin:.1f} s. {said}.{without}"


def takes(family: type[Simulator], panel: Panel) -> bool:
    """Return whether a simulator can be fitted to the sessions it would be judged on."""
    try:
        family().calibrate(panel.tail(MOST_SESSIONS + 1))
    except QuantError:
        return False
    return True


def lines_of(what: str, panel: Panel) -> list[str]:
    """Return the grades of all simulators on a panel as Markdown, and what each says of itself."""
    grades, notes = zip(*(judged(f, panel) for f in track(SIMULATORS.values(), what, console=TO_STDERR)), strict=True)
    card = realism(GBM(), panel)
    span = f"{card.start:%Y-%m-%d} to {card.end:%Y-%m-%d}, {card.sessions:,} sessions, {card.worlds} worlds"
    head = [f"| | {' | '.join(grades[0].index)} |", f"|---|{'---|' * len(grades[0])}"]
    rows = [f"| {row.name} | {' | '.join(row)} |" for row in grades]
    unseen = f"They never saw {', '.join(card.unseen)}."
    return [f"**{what}: {span}.**", "", *head, *rows, "", *notes, "", unseen, ""]


def false_alarms() -> list[str]:
    """Return how often a true law fails: Brownian motion judged on histories of Brownian motion."""
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2010-01-01", periods=SESSIONS + 1)
    root = np.linalg.cholesky(0.012**2 * (0.6 * np.eye(3) + 0.4)).T
    symbols = panels = measures = 0
    for seed in track(range(HISTORIES), "Histories of Brownian motion", console=TO_STDERR):
        moves = rng.normal(size=(SESSIONS, 3)) @ root + 0.0003
        closes = 100 * np.exp(np.vstack([np.zeros(3), moves.cumsum(axis=0)]))
        card = realism(GBM(), Panel.from_frames(pd.DataFrame(closes, dates, columns=["A", "B", "C"])), seed=seed)
        symbols += int((card.grades != "A").sum())
        panels += card.grade != "A"
        measures += int((~card.table["passed"]).sum())
    return [
        f"**A true law, {HISTORIES} histories of {SESSIONS:,} sessions by Brownian motion, three symbols each.** "
        f"Judged by Brownian motion, {symbols} of {3 * HISTORIES} symbols and {panels} of {HISTORIES} panels "
        f"have a grade below A; {measures} of {len(card.table) * HISTORIES:,} measures fail.",
        "",
    ]


def told_apart() -> list[str]:
    """Return the grades of GJR-GARCH and of Brownian motion on histories that GJR-GARCH made."""
    made = GJRGARCH().closes(index().tail(MOST_SESSIONS + 1), n=20, horizon=252 + SESSIONS, seed=77)[:, 252:]
    dates = pd.bdate_range("2010-01-01", periods=SESSIONS)
    grades: dict[str, list[str]] = {GJRGARCH.title: [], GBM.title: []}
    for closes in track(made, "Histories of GJR-GARCH", console=TO_STDERR):
        panel = Panel.from_frames(pd.DataFrame(closes, dates, columns=["A"]))
        for family in (GJRGARCH, GBM):
            grades[family.title].append(judged(family, panel)[0]["overall"])
    return [
        f"**{len(made)} histories of {SESSIONS:,} sessions by GJR-GARCH fitted to the index.** Grades "
        + "; ".join(f"by {title}: {' '.join(sorted(found))}" for title, found in grades.items())
        + ". A dash is a fit that was refused as not stationary.",
        "",
    ]


def main(asked: list[str]) -> None:
    """Print the tables, and write them where asked."""
    lines = ["# How real the simulators are", "", *false_alarms(), *told_apart()]
    lines += lines_of("Stocks and their index", stocks())
    lines += lines_of("The index alone", index())
    text = "\n".join(lines)
    print(text)
    for path in asked[:1]:
        Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
