"""Run every race, print the table and write it to RESULTS.md beside this file."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import backtests, indicators, panels, worlds
from benchmarks.race import Race

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("numpy", "pandas", "numba", "pyarrow", "sqlalchemy", "TA-Lib", "ta")


def lines_of(race: Race) -> list[str]:
    """Return a race as Markdown: who, how long, how much a second, and the time as a multiple of ours."""
    ours = next(iter(race.seconds.values()))
    rows = [
        f"| {name} | {seconds * 1e3:,.2f} | {race.units / seconds:,.2f} | {seconds / ours:,.3g} |"
        for name, seconds in race.seconds.items()
    ]
    head = [f"| | ms | {race.unit} a second | time, first line = 1 |", "|---|---:|---:|---:|"]
    return [f"**{race.work}.**", "", *head, *rows, "", race.note, ""]


def main() -> None:
    """Run, print and write."""
    begin = time.perf_counter()
    about = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    text = [
        "# Speeds beside a peer",
        "",
        "Written by `make bench`; run it to get the numbers of your machine. Contestants of a table run in turn in the "
        "same minutes, after one round to warm up, and the best of several rounds counts. Before the race it is "
        "checked that their answers agree. Ratios carry over to another machine, milliseconds do not.",
        "",
        f"Python {platform.python_version()}, {about}; {os.cpu_count()} cores, {platform.machine()}.",
        "",
    ]
    print("\n".join(text))
    for module in (backtests, worlds, panels, indicators):
        for race in module.races():
            lines = lines_of(race)
            print("\n".join(lines))
            text += lines
    RESULTS.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    print(f"{RESULTS.name} written in {time.perf_counter() - begin:.0f} s.")


if __name__ == "__main__":
    main()
