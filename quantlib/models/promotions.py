"""Rows of what was promoted: the memory of who made which version the champion, and by what numbers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from quantlib.models.base import Name, Row, Stamp
from quantlib.models.trials import Origin

Registered = Literal["strategy", "model"]
Decision = Literal["promoted", "refused", "rolled back"]


class Promotion(Row):
    """Every decision on which version of a registered name is the champion, refusals and rollbacks included."""

    table: ClassVar[str] = "strategies.promotions"
    key: ClassVar[tuple[str, ...]] = ("id",)

    id: Name = Field(description="Of the decision.")
    name: Name = Field(description="Registered name.")
    kind: Registered = Field(description="What is registered under it.")
    outcome: Decision = Field(description="What was decided; the champion stays where it was refused.")
    from_version: int | None = Field(default=None, description="The champion before; NULL where there was none.")
    to_version: int = Field(description="The version that was asked for; on a rollback the former champion.")
    strategy_id: str | None = Field(default=None, description="That version's definition; NULL of a model.")
    snapshot_id: str = Field(default="", description="Content hash of the prices that version was made on.")
    mlflow_run_id: Name = Field(description="The run in MLflow that version came from.")
    why: Name = Field(description="The reasons with their numbers.")
    scores: dict[str, Any] = Field(default_factory=dict, description="Those numbers.")
    origin: Origin = Field(description="Where it was asked for.")
    who: str = Field(default="", description="User who did.")
    decided_at: Stamp = Field(default=None, description="When.")
