"""What a stored row is: a Pydantic model whose fields are the columns of one table."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _no_truth(value: Any) -> Any:
    """Refuse True and False, which Python would count as 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("truth_value", "a truth value is no number")
    return value


BY_SERVER = "set by the server"
"""Mark of a field that is None only until the row is written."""
Stamp = Annotated[datetime | None, BY_SERVER]
Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, BeforeValidator(_no_truth), Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]


class Row(BaseModel):
    """A row of a table; the description of each field is the documentation of its column.

    Attributes
    ----------
    table
        Schema and name.
    key
        The columns that say which row is meant.
    versioned
        Whether the table keeps every version: its columns `recorded_at` and `replaced_at` then say from when
        to when a version was what was known, and are set by the store.
    known
        Column with the moment the fact was public; before a series was first recorded, an as-of read goes by it.
    recorded_by
        The columns that tell one series from another; each is known to be recorded since its first row was.
    ends
        Columns, of the type of `known`, with the moment at which the fact ended; one that lies ahead is unknown
        before the series was recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    versioned: ClassVar[bool] = False
    known: ClassVar[str] = ""
    recorded_by: ClassVar[tuple[str, ...]] = ("source",)
    ends: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the columns in their order."""
        return tuple(cls.model_fields)
