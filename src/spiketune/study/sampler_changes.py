"""Which sampler asked in which session: a study may go on with another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from spiketune.config.study import Named

SAMPLER: Final = "sampler"  # among the facts of a session: its name, and its options


def sampler_fact(sampler: Named) -> dict[str, Any]:
    """What is kept with a session."""
    return {SAMPLER: sampler.model_dump(mode="json")}


def last_sampler(sessions: Sequence[Mapping[str, Any]]) -> Named | None:
    """The sampler of the last session that says which it was."""
    found = next((s[SAMPLER] for s in reversed(sessions) if s.get(SAMPLER)), None)
    return Named.model_validate(found) if found is not None else None


def change_in_words(
    sessions: Sequence[Mapping[str, Any]], sampler: Named, n_trials: int
) -> str | None:
    """That this session asks another sampler than the last one did; None if it is the same.

    Args:
        sessions: The earlier ones.
        sampler: Of this session.
        n_trials: Trials that it begins with.
    """
    before = last_sampler(sessions)
    if before is None or before == Named.model_validate(sampler.model_dump(mode="json")):
        return None
    return (
        f"the sampler was {_described(before)} and is {_described(sampler)} from here on; "
        f"it learns from the {n_trials} trials that there are"
    )


def _described(sampler: Named) -> str:
    options = ", ".join(f"{name}: {value}" for name, value in sampler.options.items())
    return f"{sampler.name} ({options})" if options else sampler.name
