"""What every section of the configuration is, and values that may be written in more than one way.

Runs on: supervisor.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else (v,) if type(v) is str else v)
]


class Section(BaseModel):
    """A table of the configuration: an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
