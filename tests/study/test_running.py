"""What a study's file says to its sampler, and how a session ends that cannot begin."""

import gc

import pytest

from spiketune.config.loading import configure
from spiketune.errors import InputError
from spiketune.study.records.folder import load
from spiketune.study.running import run_session, sampler_options, study_of
from tests.study.support import document, make, n_open_files

EPOCHS = {"int": [2, 9], "name": "how long"}


def options(sampler, epochs, *, fidelity=None, trial=None):
    study = {"objectives": {"loss": "minimize"}, "sampler": sampler}
    if fidelity is not None:
        study["fidelity"] = fidelity
    trial = trial or {
        "function": "mine:train",
        "params": {"epochs": epochs, "x": {"float": [0, 1]}},
    }
    configuration = configure({"study": study, "trial": trial}, ".")
    return dict(sampler_options(study_of(configuration), configuration))


@pytest.mark.parametrize(
    ("sampler", "epochs", "fidelity", "told"),
    [
        ("cascbo", EPOCHS, {"name": "asha", "resource": "params.epochs"}, {"resource": "how long"}),
        (
            "cascbo",
            {"int": [2, 9]},
            {"name": "asha", "resource": "params.epochs"},
            {"resource": "epochs"},
        ),
        ("cascbo", 9, {"name": "asha", "resource": "params.epochs"}, {}),
        ("cascbo", EPOCHS, {"name": "asha"}, {}),
        ("cascbo", EPOCHS, None, {}),
        ("tpe", EPOCHS, {"name": "asha", "resource": "params.epochs"}, {}),
    ],
)
def test_a_sampler_is_told_which_parameter_is_the_full_fidelity(sampler, epochs, fidelity, told):
    assert options({"name": sampler}, epochs, fidelity=fidelity) == told


def test_the_file_has_the_last_word_on_the_full_fidelity():
    given = {"name": "cascbo", "resource": "x"}
    rule = {"name": "asha", "resource": "params.epochs"}
    assert options(given, EPOCHS, fidelity=rule) == {"resource": "x"}


def test_trainings_have_their_epochs():
    trial = {
        "dataset": {"name": "digits"},
        "network": {"layers": [{"dense": "classes"}]},
        "training": {"epochs": {"int": [1, 9]}},
    }
    told = options({"name": "cascbo"}, None, fidelity={"name": "asha"}, trial=trial)
    assert told == {"resource": "training.epochs"}


def test_a_session_that_cannot_begin_leaves_no_file_open(tmp_path):
    make(tmp_path / "s", document(warm_start=str(tmp_path / "absent.csv")))
    gc.collect()
    before, kept = n_open_files(), []
    for _ in range(3):
        with pytest.raises(InputError, match="absent") as caught:
            run_session(*load(tmp_path / "s"))
        kept.append(caught)  # with all that its frames refer to
    assert n_open_files() == before
