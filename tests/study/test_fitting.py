"""Kernels that do not fit their input never become trials."""

from pathlib import Path
from typing import Any

from spiketune.config.loading import configure
from spiketune.study.fitting import fits_of
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import asker_of, run_session, study_of
from tests.study.support import make


def convolution(name: str) -> dict[str, object]:
    return {"name": name, "conv": 2, "kernel": {"int": [1, 8], "name": f"{name}_k"}}


CONTENT: dict[str, Any] = {
    "study": {
        "objectives": {"validation_accuracy": "maximize"},
        "budget": {"trials": 3},
        "sampler": {"name": "random"},
    },
    "trial": {
        "device": "cpu",
        "dataset": {"name": "digits", "steps": 2, "train_share": 0.05},
        "network": {"layers": [convolution("c1"), convolution("c2"), {"dense": "classes"}]},
        "training": {"epochs": 1},
    },
}


def test_kernels_that_do_not_fit_are_drawn_again(tmp_path: Path) -> None:
    for seed in range(12):
        document = {**CONTENT, "study": {**CONTENT["study"], "seed": seed}}
        configuration = configure(document, str(tmp_path))
        folder, study = make(tmp_path / str(seed), document), study_of(configuration)
        storage = StudyStorage(folder, study, configuration.space.fingerprint(), writable=True)
        proposal, accepted = asker_of(storage, configuration).ask()
        storage.close()
        # At random, 28 of 64 pairs do not fit the 8 x 8 pictures.
        assert accepted
        assert proposal.values["c1_k"] + proposal.values["c2_k"] - 1 <= 8


def test_a_study_of_convolutions_runs_to_its_budget(tmp_path: Path) -> None:
    folder = make(tmp_path / "s", CONTENT)
    assert run_session(folder, configure(CONTENT, str(tmp_path))) == ("budget", None)


def test_networks_without_kernels_are_not_looked_at(tmp_path: Path) -> None:
    trial = {**CONTENT["trial"], "network": {"layers": [{"dense": "classes"}]}}
    assert fits_of(configure({**CONTENT, "trial": trial}, str(tmp_path))) is None


def test_it_tells_what_fits(tmp_path: Path) -> None:
    fits = fits_of(configure(CONTENT, str(tmp_path)))
    assert fits is not None
    assert fits({"c1_k": 4, "c2_k": 5})
    assert not fits({"c1_k": 4, "c2_k": 6})
