"""Propulate's default propagator as a peer, in an environment of its own.

Propulate pins libraries that the rest here does not want, so it is installed into a virtual
environment beside the kept runs, once, and a process of that environment breeds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search_rungs import FIDELITIES, Rungs

VERSION = "1.2.2"
_BREEDER = Path(__file__).with_name("propulate_breeder.py")


def environment(folder: Path) -> Path:
    """The Python of an environment with Propulate, made if it is not there yet."""
    python = folder / f"propulate-{VERSION}" / "bin" / "python"
    ready = python.parent.parent / "ready"
    if not ready.exists():
        print(f"installing propulate {VERSION} into {python.parent.parent}", file=sys.stderr)
        venv.create(python.parent.parent, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", f"propulate=={VERSION}"], check=True
        )
        ready.touch()
    return python


class PropulateAdapter:
    """Propulate's asynchronous evolution of one island, as the simulator wants it.

    All is in its favour: it searches the world's unit cube, so it has the scales that its own
    limits lack; infeasible runs have their violation as loss, behind all feasible ones; its own
    processor time is not charged to the clock. The population is twice the workers, as in its
    tutorials.

    Args:
        python: Of the environment with Propulate.
        dim: Parameters.
        workers: At once.
        seed: Of the search.
        fidelity: Name of the rule that stops weak runs, if any: the same as for our samplers.
    """

    def __init__(
        self, python: Path, dim: int, workers: int, seed: int, fidelity: str | None
    ) -> None:
        self._process = subprocess.Popen(
            [python, _BREEDER, str(dim), str(2 * workers), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._rungs = Rungs(*FIDELITIES[fidelity]) if fidelity else None

    def _line(self, message: Mapping[str, Any]) -> Any:
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(json.dumps(message) + "\n")
        pipes.stdin.flush()
        answer = pipes.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that breeds ended with {pipes.wait()}")
        return json.loads(answer)

    def ask(self, now_s: float, pending: Sequence[Any]) -> Any:
        """A place in the unit cube."""
        return self._line({"ask": True}), {}

    def report(self, trial: Any, epoch: int, accuracy: float, now_s: float) -> bool:
        """Whether a run ends after this epoch, counted from 0."""
        return self._rungs is not None and self._rungs.heard_run(trial, epoch + 1, [accuracy])

    def tell(self, trial: Any, result: Mapping[str, Any], now_s: float) -> None:
        """Hand over the loss of a run that ended."""
        if self._rungs is not None and not trial.cut:
            self._rungs.finished(trial.id)
        bad = result["stopped"] or result["constraint"] > 0
        loss = max(1e-9, result["constraint"]) if bad else -result["accuracy"]
        self._line({"tell": list(map(float, trial.u)), "loss": float(loss)})

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
