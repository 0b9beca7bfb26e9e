"""What every section of the configuration is, and values that may be written in more than one way.

Runs on: supervisor.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else (v,) if type(v) is str else v)
]


class Section(BaseModel):
    """A table of the configuration: an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _everywhere(value: object) -> object:
    """One number is that of every name."""
    return {"": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


ByName = Annotated[
    dict[str, Annotated[float, Field(ge=0, le=36000)]], BeforeValidator(_everywhere)
]  # seconds, by parts of names
