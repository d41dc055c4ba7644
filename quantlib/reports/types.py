"""What a recommendation and a report are: frozen, complete, and the same after a trip through JSON."""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from quantlib.grades import Grade
from quantlib.reports.figures import frozen_figure

Action = Literal["hold", "enter", "exit", "rebalance", "stay out"]
Outcome = Literal["pass", "weak", "fail"]
RealismLetter = Literal["A", "B", "C", "D", "E", "F", "unknown"]
UNGRADED = "Grade unknown: the worlds were not compared with history when this was made"


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# JSON has no NaN: what is not known is None here, and a dash on the page.
Known = Annotated[float, Field(allow_inf_nan=False)]
Maybe = Annotated[float | None, BeforeValidator(_known)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Base of everything here: frozen, and no field that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightChange(Record):
    """One holding before and after the recommendation, as fractions of equity; negative is short."""

    symbol: str
    before: Known
    after: Known

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before


class SimulatedOutcome(Record):
    """The return over the horizon in the worlds of one simulator, net of costs.

    `mean_low` and `mean_high` bound the mean at 95 %; `p05`, `p50` and `p95` are quantiles of single worlds. `grade`
    says how real those worlds are, and `grade_sentence` why; reports from before grades were kept have none.
    """

    simulator: str
    title: str
    n: Annotated[int, Field(ge=1)]
    mean: Known
    mean_low: Maybe
    mean_high: Maybe
    p05: Known
    p50: Known
    p95: Known
    probability_of_loss: Share
    grade: RealismLetter = "unknown"
    grade_sentence: str = UNGRADED

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.p05 <= self.p50 <= self.p95:
            raise ValueError(f"quantiles must ascend; got {self.p05}, {self.p50}, {self.p95}")
        if self.mean_low is not None and self.mean_high is not None and not self.mean_low <= self.mean_high:
            raise ValueError(f"the mean's interval is upside down: {self.mean_low} … {self.mean_high}")
        return self


class MetricValue(Record):
    """One metric of the backtest with its 95 % interval and the number of returns behind it."""

    value: Maybe
    ci_low: Maybe = None
    ci_high: Maybe = None
    n: Annotated[int, Field(ge=0)] = 0


class SignalState(Record):
    """The number a decision hangs on, and where it stands in its own history (0 to 1)."""

    name: str
    unit: Literal["percent", "ratio"] = "ratio"
    value: Maybe
    percentile: Maybe = None


class Check(Record):
    """One question asked of a strategy's record, its answer with the numbers, and what would change that.

    Reports from before that was kept have no `change`.
    """

    title: str
    outcome: Outcome
    sentence: str
    change: str = ""


class VerdictSummary(Record):
    """What validation made of a strategy: the worst outcome, one sentence, and the checks."""

    outcome: Outcome
    sentence: str
    checks: tuple[Check, ...] = ()


class VersionUsed(Record):
    """The champion that a recommendation was made by: which version of a registered name, since when, from which run.

    `sentence` says so in words.
    """

    name: str
    version: Annotated[int, Field(ge=1)]
    since: date
    mlflow_run_id: str

    @property
    def sentence(self) -> str:
        """Which version decides, in words."""
        return f"Decided by version {self.version} of {self.name}, the champion since {self.since:%Y-%m-%d}."


class Recommendation(Record):
    """What one strategy says to do at the close of `as_of`, what to expect, and why.

    Parameters
    ----------
    strategy_id, name, family
        Content hash of the definition, the name people use, and the registry key of its family.
    parameters
        The definition's parameters.
    action, headline
        What to do in a word, and in a sentence.
    weights_now, weights_before, changes
        Target weights now, those held before, and every symbol that differs.
    horizon_sessions
        How far the expectation looks ahead.
    expected_value, ev_low, ev_high
        Mean net return over the horizon and the 95 % interval of that mean.
    outcome_low, outcome_high
        5 % and 95 % quantiles of the net return of single worlds.
    probability_of_loss
        Share of worlds that end below where they began.
    simulators
        The same by simulator; the first one gives the numbers above. A strategy that cannot be run in simulated
        worlds has none, and those numbers are not known.
    signal, reasons, invalidation
        Why: the number behind the decision, sentences, and what would turn it around.
    cost
        What making the change costs, as a fraction of equity.
    metrics
        The backtest's metrics by key.
    verdict
        What validation made of the record.
    fragility
        How much of the edge hangs on execution, in sentences.
    data_note
        What the reader must know about the prices.
    version
        The champion that decided; None where the strategy has none.
    """

    strategy_id: str
    name: str
    family: str
    parameters: dict[str, JsonValue] = {}
    as_of: date
    action: Action
    headline: str
    weights_now: dict[str, Known]
    weights_before: dict[str, Known]
    changes: tuple[WeightChange, ...] = ()
    horizon_sessions: Annotated[int, Field(ge=1)]
    expected_value: Maybe
    ev_low: Maybe
    ev_high: Maybe
    outcome_low: Maybe
    outcome_high: Maybe
    probability_of_loss: Share | None
    simulators: tuple[SimulatedOutcome, ...]
    signal: SignalState | None = None
    reasons: tuple[str, ...]
    invalidation: str
    cost: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    metrics: dict[str, MetricValue] = {}
    verdict: VerdictSummary | None = None
    fragility: tuple[str, ...] = ()
    data_note: str = ""
    version: VersionUsed | None = None

    @property
    def grade(self) -> RealismLetter:
        """How real the worlds are that the expectation comes from: "A" to "F", or "unknown"."""
        return self.simulators[0].grade if self.simulators else "unknown"

    @property
    def grade_sentence(self) -> str:
        """That grade with its reasons, without a full stop."""
        return self.simulators[0].grade_sentence if self.simulators else UNGRADED


class Provenance(Record):
    """What a report was made from, enough to make it again.

    `data_label` names the grade of the prices in words, such as "sample ending 2022-12-28"; `snapshots` and
    `strategies` are content hashes by name.
    """

    source: str
    data_label: str
    is_sample: bool
    universe: str
    snapshots: dict[str, str]
    strategies: dict[str, str]
    code_version: str
    seed: int
    worlds: Annotated[int, Field(ge=1)]
    horizon_sessions: Annotated[int, Field(ge=1)]
    simulators: tuple[str, ...]
    costs: str = ""


FigureJson = Annotated[dict[str, JsonValue], BeforeValidator(frozen_figure)]

ADVICE = (
    "This is research output, not investment advice. Simulated and past results do not tell what will happen; "
    "you can lose money."
)


class Report(Record):
    """Everything one report page says, with its charts.

    Parameters
    ----------
    title, as_of
        Heading, and the last session whose close was known.
    recommendations
        One a strategy, in reading order.
    figures
        Charts by strategy id, then by place: "outlook", "outcomes", "signal", "record", "months", "costs", "delay",
        "weights", or any other key, which is shown after those. Plotly figures are taken as they are and kept as
        plain JSON.
    provenance
        What it was made from.
    data_grade, data_doubts
        The worst grade of the prices it stands on, and sentences on what is doubtful about them.
    data_hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    disclaimers
        Sentences at the head and foot.
    """

    title: str
    as_of: date
    recommendations: tuple[Recommendation, ...]
    figures: dict[str, dict[str, FigureJson]] = {}
    provenance: Provenance
    data_grade: Grade = "ok"
    data_doubts: tuple[str, ...] = ()
    data_hindsight: str = ""
    disclaimers: tuple[str, ...] = (ADVICE,)
