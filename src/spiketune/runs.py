"""One training in a folder of its own: made by `spiketune train`, gone on with by `continue`."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from spiketune.config.loading import Configuration, configure, parse_yaml, without_parameters
from spiketune.errors import InputError
from spiketune.executors.registry import n_cores
from spiketune.messages import Failure, Job, Report, Result, from_json, to_json
from spiketune.study.attempts import read_end
from spiketune.study.records.folder import provenance, write_atomically
from spiketune.study.running import signals_to

_SNAPSHOT: Final = "epoch-*.safetensors"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one training lies: `run.yaml`, `metrics.jsonl`, `result.json`, checkpoints."""

    path: Path

    @property
    def configuration_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "run.yaml"

    @property
    def result(self) -> Result | None:
        """How it ended, if it has."""
        end = read_end(self.path)
        return end if isinstance(end, Result) else None

    @property
    def checkpoint_folder(self) -> Path:
        """Holds the latest checkpoint, and snapshots."""
        return self.path / "checkpoints"

    @property
    def checkpoint(self) -> Path:
        """The latest checkpoint of a training."""
        return self.checkpoint_folder / "checkpoint.safetensors"

    @property
    def snapshots(self) -> dict[int, Path]:
        """Snapshot by epoch, in their order."""
        found = sorted(self.checkpoint_folder.glob(_SNAPSHOT))
        return {int(path.stem.removeprefix("epoch-")): path for path in found}

    @property
    def configuration(self) -> Configuration:
        """The resolved configuration.

        Raises:
            InputError: If there is no training in the folder.
        """
        document = self._read(self.configuration_file)
        return configure(document, self._facts().get("base_folder", str(self.path)))

    @property
    def seed(self) -> int:
        """Of weights, order and noise.

        Raises:
            InputError: If there is no training in the folder.
        """
        return int(self._facts()["seed"])

    def at(self, epoch: int | None) -> Path:
        """The checkpoint after an epoch, or the latest.

        Raises:
            InputError: If it was not kept.
        """
        epochs = {**self._latest(), **self.snapshots}
        if not epochs:
            raise InputError(f"{self.path}: holds no checkpoint; train it with `spiketune train`")
        if epoch is None:
            return self.checkpoint if self.checkpoint.exists() else epochs[max(epochs)]
        if epoch not in epochs:
            known = ", ".join(map(str, sorted(epochs)))
            raise InputError(f"{self.path}: no snapshot of epoch {epoch}; there are: {known}")
        return epochs[epoch]

    def _latest(self) -> dict[int, Path]:
        if not self.checkpoint.exists():
            return {}
        return {epochs_of(self.checkpoint): self.checkpoint}

    def _facts(self) -> dict[str, Any]:
        return self._read(self.path / "provenance.yaml")

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return parse_yaml(path.read_text(encoding="utf-8"), str(path))
        except OSError:
            raise InputError(
                f"{self.path}: no training there (no {path.name}); a RUN is the folder that "
                "`spiketune train` made, such as runs/mine"
            ) from None


def epochs_of(checkpoint: Path) -> int:
    """Number of epochs that a checkpoint has behind it.

    Raises:
        InputError: If the file is torn.
    """
    from spiketune.training.checkpoint import load

    try:
        return int(load(checkpoint).facts["progress"]["epochs_done"])
    except (ValueError, KeyError) as error:
        raise InputError(f"{checkpoint}: {error}") from error


def is_study(path: Path) -> bool:
    """Whether a folder holds a study."""
    return (path / "study.yaml").exists()


def rewind(
    run: RunFolder, epoch: int | None, *, epochs: int | None = None, snapshots: Sequence[int] = ()
) -> Configuration:
    """Make a run stand as it did after an epoch, with more to train.

    Going on from there equals never having stopped: weights, optimiser and counts come from the
    snapshot, and random numbers and the learning rate are those of their epoch.

    Args:
        run: The run.
        epoch: Of a snapshot; None for where the run got to.
        epochs: Epochs in all; those of the run, or up to the last of `snapshots`, if None.
        snapshots: Epochs after which to keep one, beside those that the run has.

    Returns:
        The configuration to go on with.

    Raises:
        InputError: If there is no such snapshot, or nothing left to train.
    """
    configuration = run.configuration
    section = without_parameters(configuration.trial)
    if "network" not in section:
        raise InputError(f"{run.path}: only trainings of networks can be gone on with")
    source = run.at(epoch)
    start = epochs_of(source)
    training = dict(section.get("training") or {})
    usual = max([int(training.get("epochs", _usual_epochs())), *snapshots])
    total = usual if epochs is None else epochs
    if total <= start:
        raise InputError(
            f"{run.path}: has {start} epochs behind it and shall have {total}; say how many in "
            f"all, such as --epochs {start + 10}"
        )
    kept = sorted({*training.get("snapshots", ()), *snapshots})
    training |= {"epochs": total, "snapshots": [k for k in kept if k <= total or k in snapshots]}
    document = {"trial": {**section, "training": training}}
    changed = configure(document, configuration.base_folder)
    write_atomically(run.configuration_file, yaml.safe_dump(document, sort_keys=False))
    (run.path / "result.json").unlink(missing_ok=True)
    if source != run.checkpoint:
        draft = run.checkpoint.with_name(".rewound")
        shutil.copyfile(source, draft)
        draft.replace(run.checkpoint)
    _trim(run.path / "metrics.jsonl", start)
    return changed


def _usual_epochs() -> int:
    from spiketune.config.training import Training

    return Training().epochs


def _trim(metrics: Path, epoch: int) -> None:
    """Drop what was reported after an epoch: it will be reported again."""
    if not metrics.exists():
        return
    lines = metrics.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _fidelity(line) <= epoch]
    write_atomically(metrics, "".join(f"{line}\n" for line in kept))


def _fidelity(line: str) -> float:
    try:
        message = from_json(line)
    except ValueError:  # the torn last line of a killed run
        return float("inf")
    return message.fidelity if isinstance(message, Report) else 0.0


def train_once(
    configuration: Configuration, run: RunFolder, seed: int, listen: Callable[[Report], None]
) -> Result | Failure:
    """Train in this process; SIGINT and SIGTERM write a checkpoint and leave.

    Args:
        configuration: A file without ranges.
        run: Where to; a checkpoint there is gone on from.
        seed: Of weights, order and noise.
        listen: Told of every report.

    Raises:
        InputError: If the folder cannot be written.
    """
    from spiketune.objectives.execution import execute

    section = without_parameters(configuration.trial)
    document: dict[str, Any] = {"trial": section}
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        write_atomically(run.configuration_file, yaml.safe_dump(document, sort_keys=False))
        facts = {**provenance(configuration.base_folder), "seed": seed}
        write_atomically(run.path / "provenance.yaml", yaml.safe_dump(facts, sort_keys=False))
    except OSError as error:
        raise InputError(f"{run.path}: cannot be written: {error.strerror}") from error
    job = Job(
        study=run.path.name,
        number=0,
        attempt=1,
        section=section,
        params=section.get("params", {}),
        seed=seed,
        study_seed=0,
        folder=str(run.path.absolute()),
        checkpoint_folder=str(run.checkpoint_folder.absolute()),
        base_folder=configuration.base_folder,
        threads=n_cores(),
    )
    stop = threading.Event()

    metrics = (run.path / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)
    with metrics as log, signals_to(stop.set):

        def send(report: Report) -> None:
            log.write(to_json(report) + "\n")
            listen(report)

        end = execute(job, send, stop.is_set)
    if isinstance(end, Result):
        write_atomically(run.path / "result.json", to_json(end))
    return end
