"""The verdict on the page: the answer, what would change it, the key numbers, and every question."""

from __future__ import annotations

import streamlit as st

from app import layout
from app.cache import keep
from app.layout import plain, tile
from quantlib.charts.numbers import count, percent, ratio
from quantlib.reports.verdict_types import VerdictCard
from quantlib.validation import DECISIVE
from quantlib.workflows.ledger import trial_counts

WORDS = {"pass": "Pass", "weak": "Weak", "fail": "Fail"}
#: Answers that would have to change first, so many of them.
FIRST = 3


def verdict(card: VerdictCard) -> None:
    """Draw the verdict as a mark, a word and a sentence, and below it what would change it."""
    st.subheader(f"{layout.OUTCOMES[card.edge]} {WORDS[card.edge]}. {plain(card.sentence)}", anchor=False)
    layout.stamped(card.hindsight)
    asked = sorted(card.to_change, key=lambda check: check.key not in DECISIVE)
    if card.edge == "pass":  # what would take the edge away comes before what would make it better
        asked = [check for check in card.checks if check.key == "dsr"] + asked
    if asked:
        lines = [f"- *{plain(check.title)}:* {plain(check.change)}" for check in asked[:FIRST]]
        more = len(asked) - FIRST
        rest = f"\n\n:small[and {more} more, under Every question.]" if more > 0 else ""
        st.markdown("**What would change it**\n" + "\n".join(lines) + rest)
    _since(card)


def _since(card: VerdictCard) -> None:
    """Say how much has been tried since the verdict was made: it is deflated by what there was then."""
    now = keep(trial_counts).get(card.idea, 0)
    if card.luck is not None and now > card.luck.n:
        st.warning(
            f"**{count(now - card.luck.n)} more trials of {plain(card.idea)} have been made since.** The hurdle is "
            "higher by now; validate again.",
            icon=":material/schedule:",
        )  # fmt: skip


def numbers(card: VerdictCard) -> None:
    """Draw the numbers that the verdict hangs on."""
    luck, forward = card.luck, card.forward[0] if card.forward else None
    overfitting = card.check("pbo")
    with st.container(horizontal=True):
        tile("Sharpe ratio", ratio(luck.sharpe if luck else None), help_text="A year, after costs.")
        tile("Luck shows", ratio(luck.hurdle if luck else None),
             help_text="Sharpe ratio that the best of all trials of the idea has without any skill.")  # fmt: skip
        tile("More than luck", percent(luck.probability if luck else None),
             help_text="Deflated Sharpe ratio: the probability that it is better than luck.")  # fmt: skip
        tile("Out of sample", ratio(forward.out_of_sample if forward else None),
             help_text="Sharpe ratio a year of choosing by all the past and living with it.")  # fmt: skip
        tile("Overfitting", percent(overfitting.value if overfitting else None, 0),
             help_text="How often the best of one half of the record is below the median of the other.")  # fmt: skip


def certificate(card: VerdictCard) -> None:
    """Draw the leak certificate and the budget of the hold-out, in sentences."""
    leaks = card.leaks
    mark = layout.OUTCOMES["pass" if leaks.passed else "fail"]
    found = "No decision changed." if leaks.passed else f"{len(leaks.sessions)} decisions changed, so it looks ahead."
    st.markdown(f"**Leak certificate**\n\n{mark} {plain(leaks.sentence)} {found}")
    if leaks.sessions:
        st.markdown("Sessions: " + ", ".join(f"{day}" for day in leaks.sessions))
    st.markdown(f"**Hold-out**\n\n{plain(card.holdout)}")
    used = "It was used for this verdict." if card.opened else "It was not used for this verdict."
    st.caption(f"{used} Opened {count(card.openings)} times by people when the verdict was made.")
