"""What the whole verdict says of the ready strategies on the sample: `python -m benchmarks.verdicts [FILE.md]`."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from quantlib.charts.numbers import count, percent, ratio
from quantlib.reports.verdict_types import VerdictCard
from quantlib.settings import Settings
from quantlib.sources.base import Call
from quantlib.store import Store, embedded
from quantlib.store.trials import curves_of, read_trials
from quantlib.strategies import READY
from quantlib.validation import ReturnMoments, Trials, deflated_sharpe, effective_trials
from quantlib.workflows.ingest import ingest
from quantlib.workflows.lab import definitions
from quantlib.workflows.session import Session
from quantlib.workflows.validating import validate_strategy

COLUMNS = (
    "strategy", "edge", "Sharpe", "trials", "independent", "DSR", "DSR after all", "walk-forward", "kept", "CPCV",
    "PBO", "SPA p", "random p", "than holding", "passed", "weak", "failed",
)  # fmt: skip
TO_STDERR = Console(stderr=True)


@dataclass
class Judged:
    """A strategy's card, and the moments of its returns."""

    card: VerdictCard
    moments: ReturnMoments | None

    @property
    def sharpe(self) -> float:
        """Sharpe ratio of a session, and what is last in any order where it is unknown."""
        return -9.0 if self.moments is None else self.moments.sharpe


def judged(session: Session) -> dict[str, Judged]:
    """Return the cards of all ready strategies with prices, each an idea of its own."""
    there = definitions(session)
    cards: dict[str, Judged] = {}
    for name in track([name for name in READY if name in there], "Verdicts", console=TO_STDERR):
        made = validate_strategy(session.asked(idea=name), READY[name], name=name)
        rows = read_trials(session.store, idea=name, counted=True)
        own = rows[rows["strategy_id"] == READY[name].id].iloc[0]
        known = np.isfinite([own["sharpe"], own["skew"], own["kurtosis"]]).all()
        fields = [float(own[field]) for field in ("mean", "sd", "skew", "kurtosis")]
        cards[name] = Judged(made.card, ReturnMoments(int(own["n"]), *fields) if known else None)
    return cards


def together(session: Session) -> Trials:
    """Return what all trials of all these ideas amount to: whoever picks the best of the table has made them all."""
    found = read_trials(session.store, counted=True, curves=True)
    done = found[(found["outcome"] == "done") & found["last"].notna()]
    return effective_trials(
        curves_of(done),
        done["sharpe"].to_numpy(dtype=np.float64),
        first=done["first"].fillna(done["last"]).tolist(),
        last=done["last"].tolist(),
        sessions=done["n"].to_numpy(dtype=np.float64),
    )


def row(name: str, one: Judged, everything: Trials) -> list[str]:
    """Return one line of the table."""
    card = one.card
    value = {check.key: check.value for check in card.checks}
    outcomes = [check.outcome for check in card.checks]
    tally = [str(outcomes.count(outcome)) for outcome in ("pass", "weak", "fail")]
    after = None
    if one.moments is not None:
        variance = everything.variance_over(one.moments.n)
        after = deflated_sharpe(one.moments, n_trials=everything.effective, variance=variance)
    held = card.check("holding")
    anchored = card.forward[0] if card.forward else None
    luck = card.luck
    return [
        name, card.edge, ratio(luck.sharpe if luck else None), count(luck.n if luck else None),
        ratio(luck.effective if luck else None, 1), percent(value.get("dsr")), percent(after),
        ratio(anchored.out_of_sample if anchored else None), percent(anchored.kept if anchored else None, 0),
        ratio(value.get("cpcv")), percent(value.get("pbo"), 0), ratio(value.get("spa_zero"), 3),
        ratio(value.get("random_entry"), 3), held.outcome if held else "–", *tally,
    ]  # fmt: skip


def lines(session: Session) -> list[str]:
    """Return the table of verdicts as Markdown, the best Sharpe ratio first."""
    ingest(session.store, "sample", None, call=Call(session.settings.home))
    begin = time.perf_counter()
    cards = judged(session)
    everything = together(session)
    took = time.perf_counter() - begin
    ordered = sorted(cards, key=lambda name: -cards[name].sharpe)
    spans = [card.card for card in cards.values()]
    lacking = [name for name in READY if name not in cards]
    return [
        "# The verdict on the ready strategies",
        "",
        f"On the sample, {min(card.first for card in spans)} to {max(card.last for card in spans)}, before the "
        "hold-out, after the usual costs. Sharpe ratios are of a year. Each strategy is an idea of its own, whose "
        f'trials are its neighbourhood; "DSR after all" deflates by the {count(everything.n)} trials of all of them, '
        f"as many as {ratio(everything.effective, 1)} independent ones, for the best of a table was chosen from all. "
        "The stocks of the sample were picked with hindsight, they survived: the Sharpe ratios of what holds them are "
        "too high, and no check here can see that. Walk-forward is anchored; kept is the share of the Sharpe ratio in "
        "sample that was left out of sample.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|---|---|{'---:|' * (len(COLUMNS) - 2)}",
        *(f"| {' | '.join(row(name, cards[name], everything))} |" for name in ordered),
        "",
        *([f"Not in the sample, so not judged: {', '.join(lacking)}.", ""] if lacking else []),
        f"Made in {took:.0f} s.",
    ]


def main(asked: list[str]) -> None:
    """Print the table, and write it where asked."""
    # Not in a folder of the user's: the embedded server of root closes it to its own account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        home = Path(folder).resolve()
        try:
            with Store.connect(None, home) as store:
                text = "\n".join(lines(Session(Settings(home=home, _env_file=None), store)))
        finally:
            embedded.stop(home)
    print(text)
    for path in asked[:1]:
        Path(path).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
