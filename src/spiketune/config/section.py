"""What every part of a configuration is: frozen, no key unknown; and its kinds of numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """A part of a configuration: frozen, its numbers finite, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"must be a number, got {str(value).lower()}")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth)]  # true and false are no numbers
Number = Annotated[float, BeforeValidator(_no_truth)]
Count = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Number, Field(ge=0.0)]
Positive = Annotated[Number, Field(gt=0.0)]
Share = Annotated[Number, Field(ge=0.0, le=1.0)]
