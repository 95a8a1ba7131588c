"""The checked model of a trial section that calls a Python function (`trial:` with `function:`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from spiketune.config.section import Section


class FunctionTrial(Section):
    """`function: "package.module:name"`, given a `spiketune.Trial` with these `params`."""

    function: Annotated[str, Field(pattern=r"^[\w./-]+:\w[\w.]*$")]
    params: dict[str, Any] = {}
