"""What a stored row is: a Pydantic model whose fields are the columns of one table."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    versioned: ClassVar[bool] = False
    known: ClassVar[str] = ""

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the columns in their order."""
        return tuple(cls.model_fields)
