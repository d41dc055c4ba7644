"""Rows of what has been tried: the ledger by which a Sharpe ratio is deflated."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from quantlib.models.base import Name, Row, Stamp

Kind = Literal["backtest", "set", "model", "fit", "sweep", "search"]
Origin = Literal["app", "notebook", "cli", "pipeline", "worker", "ray", "unknown"]
Outcome = Literal["begun", "done", "refused", "failed"]


class Trial(Row):
    """Everything that was tried, each once; written before the work begins, so that what is killed stays counted."""

    table: ClassVar[str] = "strategies.trials"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: Name = Field(description="Hash of the idea and of all that went in; asking again is no new trial.")
    parent: str | None = Field(default=None, description="The sweep or search it was first a part of.")
    kind: Kind = Field(description="What it is; a sweep or search is no trial of its own, its sets and fits are.")
    idea: Name = Field(description="What it is a trial of: the kind of strategy, or what the person called it.")
    strategy_id: str | None = Field(default=None, description="Family and content hash of the definition.")
    title: str = Field(default="", description="What people call it.")
    universe: str = Field(default="", description="Symbols it read, with commas between.")
    first: date | None = Field(default=None, description="First session; NULL where that was not kept.")
    last: date | None = Field(default=None, description="Last session.")
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters; of a set or fit those that vary.")
    terms: dict[str, Any] = Field(
        default_factory=dict, description="Costs, cash, lag and the like; a set's are those of its parent."
    )
    snapshot_id: str = Field(default="", description="Content hash of the prices.")
    code_version: str = Field(default="", description="The code that ran it first.")
    origin: Origin = Field(description="Where it was last asked for; the pipeline only where no person ever did.")
    who: str = Field(default="", description="User who did.")
    began_at: Stamp = Field(default=None, description="When it was first begun.")
    ended_at: datetime | None = Field(default=None, description="When it last came to an end.")
    last_at: Stamp = Field(default=None, description="When it was last asked for, by those of whom origin speaks.")
    times: int = Field(default=1, ge=1, description="How often it was asked for.")
    outcome: Outcome = Field(default="begun", description="What came of it; begun counts as tried.")
    said: str = Field(default="", description="Why it was refused or failed.")
    n: int | None = Field(default=None, description="Returns, from the first fill on.")
    mean: float | None = Field(default=None, description="Mean return of a session.")
    sd: float | None = Field(default=None, description="Standard deviation of the returns.")
    skew: float | None = Field(default=None, description="Skewness of the returns.")
    kurtosis: float | None = Field(default=None, description="Kurtosis of the returns; 3 for a normal law.")
    sharpe: float | None = Field(default=None, description="Sharpe ratio of a session, not annualised.")
    curve: bytes | None = Field(
        default=None, description="Log growth in at most 96 equal parts of the span, float32, little endian."
    )
    run_id: str | None = Field(default=None, description="The run in strategies.runs.")
    mlflow_run_id: str | None = Field(default=None, description="The run in MLflow.")
