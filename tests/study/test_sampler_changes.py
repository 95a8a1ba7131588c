"""A study that goes on with another sampler: allowed, said, and replayed."""

import logging

import pytest
import yaml

from spiketune.api import Study
from spiketune.samplers.stock import SAMPLERS
from spiketune.study.records.folder import load
from spiketune.study.replaying import replay
from tests.study.support import document, make

SPACE = {"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 9]}, "kind": {"choice": ["a", "b"]}}
FEW = {  # so that models begin at once
    "gp": {"n_startup_trials": 4},
    "cmaes": {"n_startup_trials": 2},
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "grid": {"levels": 3},
    "random-from-grid": {"levels": 3},
}


def go_on_with(study, sampler, trials, options=None):
    """Run a study further after an edit of its file."""
    file = study.folder.configuration_file
    content = yaml.safe_load(file.read_text())
    content["study"]["sampler"] = {"name": sampler, **(options or FEW.get(sampler, {}))}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return Study(study.path).run(trials=trials, listen=lambda progress: None)


def started(tmp_path, sampler, trials=5):
    chosen = {"name": sampler, **FEW.get(sampler, {})}
    content = document(
        "quadratic", SPACE, sampler=chosen, budget={"trials": trials}, executor={"name": "inline"}
    )
    return Study(make(tmp_path / "s", content).path).run(listen=lambda progress: None)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "random"])
def test_a_study_goes_on_with_any_other_sampler_and_says_so(tmp_path, caplog, sampler):
    study = started(tmp_path, "random")
    with caplog.at_level(logging.WARNING):
        study = go_on_with(study, sampler, 2 if sampler == "gp" else 5)
    (said,) = [r.getMessage() for r in caplog.records]
    assert said.startswith(f"the sampler was random and is {sampler}")
    assert said.endswith("it learns from the 5 trials that there are")
    assert {row.state for row in study.rows()} == {"finished"}
    found = replay(*load(study.path))
    assert found.samplers == ("random", sampler)
    assert (found.n_asked, found.differences) == (len(study.rows()), ())


def test_no_sampler_is_confused_by_what_another_left(tmp_path):
    study = started(tmp_path, "cmaes", trials=6)
    for sampler in ("nsga2", "islands", "cascbo", "cmaes", "turbo", "nsga3", "tpe", "grid"):
        study = go_on_with(study, sampler, 3)
    assert [row.state for row in study.rows()] == ["finished"] * 30
    found = replay(*load(study.path))
    assert len(found.samplers) == 9
    assert found.differences == ()


def test_the_same_sampler_is_no_news_and_other_options_are(tmp_path, caplog):
    study = started(tmp_path, "tpe")
    with caplog.at_level(logging.WARNING):
        study.run(trials=1, listen=lambda progress: None)
    assert not caplog.records
    go_on_with(study, "tpe", 1, {"n_startup_trials": 6})
    assert "was tpe (n_startup_trials: 4) and is tpe (n_startup_trials: 6)" in caplog.text
