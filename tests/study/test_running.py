"""What a study's file says to its sampler."""

import pytest

from spiketune.config.loading import configure
from spiketune.study.running import sampler_options, study_of

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
