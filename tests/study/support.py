"""Studies in a temporary folder, run in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiketune.clock import Clock, SystemClock
from spiketune.config.loading import configure
from spiketune.executors.base import Executor
from spiketune.executors.inline import InlineExecutor
from spiketune.messages import Result
from spiketune.objectives.execution import execute
from spiketune.study.jobs import JobMaker
from spiketune.study.loop import StudyLoop
from spiketune.study.records.folder import StudyFolder, create, load
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import asker_of, study_of

TESTS = str(Path(__file__).parents[1])
X = {"x": {"float": [0.0, 1.0]}}


def document(
    function: str = "number", params: Mapping[str, Any] | None = None, **study: Any
) -> dict[str, Any]:
    section = {"objectives": {"loss": "minimize"}, "budget": {"trials": 8}, **study}
    return {
        "study": section,
        "trial": {"function": f"targets:{function}", "params": dict(params or X)},
    }


def make(path: Path, content: Mapping[str, Any]) -> StudyFolder:
    return create(path, configure(content, TESTS))


def loop_of(
    path: Path, executor: Executor | None = None, clock: Clock | None = None, **options: Any
) -> tuple[StudyLoop, StudyStorage]:
    """A loop on the study in a folder, as a session makes one, and its storage."""
    folder, configuration = load(path)
    study = study_of(configuration)
    storage = StudyStorage(folder, study, configuration.space.fingerprint(), writable=True)
    asker = asker_of(storage, configuration)
    jobs = JobMaker(study, configuration, folder)
    executor = executor or InlineExecutor(execute)
    return StudyLoop(storage, asker, executor, jobs, clock or SystemClock(), **options), storage


def ended(job: Any, loss: float = 0.0, **fields: Any) -> Result:
    return Result(job.number, job.attempt, {"loss": loss}, **fields)


def n_open_files() -> int:
    """File descriptors of this process."""
    return len(list(Path("/dev/fd").iterdir()))
