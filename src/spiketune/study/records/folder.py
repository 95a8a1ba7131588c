"""A study's folder on disk, and the resolved configuration in it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from spiketune.config.loading import Configuration, configure, parse_yaml
from spiketune.config.study import Study
from spiketune.drafts import draft_of
from spiketune.errors import ConfigError, InputError, StudyExistsError, StudyNotFoundError
from spiketune.messages import OUTPUT
from spiketune.samplers.auto import settled

SAMPLER_FACT = "sampler"  # in the provenance: why `auto` chose as it did
BASE_FOLDER = "base_folder"  # in the provenance: where the file lay
_FROM_STUDY = "base_folder_from_study"  # the way there, for both may be moved together
_PACKAGES = ("spiketune", "optuna", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Where everything of one study lies."""

    path: Path

    @property
    def configuration_file(self) -> Path:
        """The resolved configuration, versions, git state."""
        return self.path / "study.yaml"

    @property
    def journal(self) -> Path:
        """Optuna's journal: the one truth."""
        return self.path / "journal.log"

    @property
    def lock(self) -> Path:
        """Held by the asker for its whole life."""
        return self.path / "study.lock"

    @property
    def function_file(self) -> Path:
        """A function from a notebook, where there is no module to import it from."""
        return self.path / "function.pkl"

    def trial(self, number: int) -> Path:
        """Folder of a trial: its attempts and checkpoints."""
        return self.path / "trials" / f"{number:05d}"

    def attempt(self, number: int, attempt: int) -> Path:
        """Folder of one attempt at a trial."""
        return self.trial(number) / f"attempt-{attempt}"

    def discard(self, number: int, *, checkpoints: bool, logs: bool) -> None:
        """Remove a finished trial's checkpoints and logs, and its folder once that is empty.

        What it left in its output folder stays.
        """
        folder = self.trial(number)
        if not folder.exists():
            return
        for entry in folder.iterdir():
            if entry.name == OUTPUT:
                continue
            is_attempt = entry.name.startswith("attempt-")
            if (logs if is_attempt else checkpoints) and entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()

    def checkpoints(self, number: int) -> Path:
        """Folder that the attempts of a trial share for checkpoints."""
        return self.trial(number) / "checkpoints"


def create(path: Path, configuration: Configuration) -> StudyFolder:
    """Make the folder and write `study.yaml` into it.

    Raises:
        StudyExistsError: If it holds a study already.
        InputError: If it cannot be written.
    """
    folder = StudyFolder(path)
    if folder.configuration_file.exists():
        raise StudyExistsError(
            f"{path}: holds a study already; go on with `spiketune resume {path}`, "
            "or start a dated sibling with `--new`"
        )
    if configuration.study is None:
        raise ConfigError("study", "the section is missing; a search needs its objectives")
    study, why = settled(configuration.study, configuration.space)
    facts = provenance(configuration.base_folder)
    facts[_FROM_STUDY] = os.path.relpath(configuration.base_folder, path.resolve())
    document = {
        "study": study.model_dump(mode="json"),
        "trial": _plain(configuration.trial),
        "provenance": facts if why is None else {SAMPLER_FACT: why, **facts},
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(folder.configuration_file, yaml.safe_dump(document, sort_keys=False))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return folder


def unmake(folder: StudyFolder) -> None:
    """Take back a study that never began; what else lies in its folder stays."""
    for file in (folder.configuration_file, folder.journal, folder.lock):
        file.unlink(missing_ok=True)
    if not any(folder.path.iterdir()):
        folder.path.rmdir()


def load(path: Path) -> tuple[StudyFolder, Configuration]:
    """The folder's configuration.

    Raises:
        StudyNotFoundError: If there is no study in the folder.
    """
    folder = StudyFolder(path)
    try:
        text = folder.configuration_file.read_text(encoding="utf-8")
    except OSError:
        raise StudyNotFoundError(
            f"{path}: no study there (no study.yaml); a STUDY is the path of its folder, "
            "such as runs/quickstart"
        ) from None
    document = parse_yaml(text, str(folder.configuration_file))
    facts = document.pop("provenance", {})
    return folder, configure(document, _base_folder(path, facts))


def _base_folder(path: Path, facts: Mapping[str, Any]) -> str:
    """Where the file lay, or lies now if it was moved together with the study."""
    stored = str(facts.get(BASE_FOLDER, path))
    if _FROM_STUDY in facts and not Path(stored).is_dir():
        moved = (path / facts[_FROM_STUDY]).resolve()
        return str(moved) if moved.is_dir() else stored
    return stored


def read_document(folder: StudyFolder) -> dict[str, Any]:
    """What `study.yaml` holds, `provenance` included."""
    text = folder.configuration_file.read_text(encoding="utf-8")
    return parse_yaml(text, str(folder.configuration_file))


def update_study(folder: StudyFolder, study: Study) -> None:
    """Write a changed study section (a longer budget) into `study.yaml`."""
    document = read_document(folder)
    document["study"] = study.model_dump(mode="json")
    write_atomically(folder.configuration_file, yaml.safe_dump(document, sort_keys=False))


def now_text() -> str:
    """The local time, ISO 8601 with its offset."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def dated_sibling(path: Path) -> Path:
    """A folder beside `path` that does not exist yet, named by the time."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    candidates = [path.with_name(f"{path.name}_{stamp}")]
    candidates += [path.with_name(f"{path.name}_{stamp}-{i}") for i in range(2, 100)]
    return next(candidate for candidate in candidates if not candidate.exists())


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees all of it or nothing."""
    with draft_of(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def provenance(base_folder: str) -> dict[str, Any]:
    """What the study was made with: versions, machine, git state, time."""
    return {
        BASE_FOLDER: base_folder,
        "created": now_text(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: _version(name) for name in _PACKAGES},
        "git": _git_state(base_folder),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state(folder: str) -> str | None:
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def _plain(node: Any) -> Any:
    """The section as plain dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {str(key): _plain(child) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(child) for child in node]
    return node
