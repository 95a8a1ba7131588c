"""A journal replayed: every sampler asks again what it asked."""

import json

import pytest

from spiketune.api import Study
from spiketune.errors import InputError
from spiketune.executors.local import LocalExecutor
from spiketune.samplers.stock import SAMPLERS
from spiketune.study.records.folder import StudyFolder, load, read_document, write_atomically
from spiketune.study.replaying import replay
from tests.study.support import TESTS, document, loop_of, make

SPACE = {
    "x": {"float": [1e-3, 1.0], "scale": "log"},
    "y": {"int": [1, 30]},
    "d": {"float": [0.5, 0.99], "scale": "reverse-log"},
    "kind": {"choice": ["a", "b"]},
    "only": {"float": [0.0, 1.0], "when": "kind == 'a'"},
}
OURS = [name for name in SAMPLERS if name not in ("grid", "gp", "random-from-grid")]


def ran(tmp_path, name, *, function="noisy", space=None, trials=12, workers=0, **study):
    sampler = {"name": name, **study.pop("options", {})}
    content = document(
        function, space or SPACE, sampler=sampler, budget={"trials": trials}, seed=5, **study
    )
    folder = make(tmp_path / "study", content)
    executor = LocalExecutor(workers, base_folder=TESTS) if workers else None
    loop, storage = loop_of(folder.path, executor)
    loop.run()
    storage.close()
    return folder


def replayed(folder):
    return replay(*load(folder.path))


@pytest.mark.parametrize("name", OURS)
def test_a_fresh_sampler_asks_for_the_same_trials(tmp_path, name):
    folder = ran(tmp_path, name, function="raises_above_half" if name == "tpe" else "noisy")
    found = replayed(folder)
    assert (found.n_asked, found.differences) == (12, ())


def test_optunas_gp_fits_and_asks_the_same_again(tmp_path):
    folder = ran(tmp_path, "gp", trials=7, options={"n_startup_trials": 4})
    found = replayed(folder)
    assert (found.n_asked, found.differences) == (7, ())


@pytest.mark.parametrize("name", ["cascbo", "nsga2"])
def test_workers_that_overtake_each_other_and_rejected_trials_do_not_matter(tmp_path, name):
    options = {"n_startup_trials": 4} if name == "cascbo" else {"population_size": 4}
    folder = ran(
        tmp_path,
        name,
        workers=3,
        trials=16,
        options=options,
        objectives={"loss": "minimize", "size": "minimize"},
        require=["y < 20"],
    )
    assert replayed(folder).differences == ()


def test_a_grid_is_asked_again_in_its_order(tmp_path):
    folder = ran(tmp_path, "grid", space={"x": {"grid": [0.1, 0.2, 0.3]}}, trials=9)
    assert (replayed(folder).n_asked, replayed(folder).differences) == (3, ())


def test_a_study_that_was_interrupted_and_got_more_trials_replays(tmp_path):
    folder = ran(tmp_path, "cascbo", trials=7, options={"n_startup_trials": 4})
    Study(folder.path).run(trials=7, listen=lambda progress: None)
    assert (replayed(folder).n_asked, replayed(folder).differences) == (14, ())


def test_a_changed_value_is_found_and_named(tmp_path):
    folder = ran(tmp_path, "random", space={"x": {"float": [0.0, 1.0]}})
    lines = folder.journal.read_text().splitlines()
    k, changed = [(i, json.loads(t)) for i, t in enumerate(lines) if '"params"' in t][5]
    changed["params"]["x"] = 0.123
    lines[k] = json.dumps(changed)
    folder.journal.write_text("\n".join(lines) + "\n")
    (only,) = replayed(folder).differences
    assert only.number == 5
    assert only.journal == {"x": 0.123}
    assert 0.0 <= only.replayed["x"] <= 1.0


def test_another_seed_asks_for_other_trials(tmp_path):
    folder = ran(tmp_path, "tpe")
    facts = read_document(folder)
    facts["study"]["seed"] = 6
    write_atomically(folder.configuration_file, json.dumps(facts))
    found = replayed(folder)
    assert found.differences[0].number == 0
    assert len(found.differences) == 12


def test_what_was_enqueued_is_no_choice_of_the_sampler(tmp_path):
    import optuna

    from spiketune.study.records.storage import stock_storage

    folder = ran(tmp_path, "tpe", trials=3)
    study = optuna.load_study(study_name="study", storage=stock_storage(folder))
    study.enqueue_trial({"x": 0.5, "y": 3, "d": 0.9, "kind": "b"})
    Study(folder.path).run(trials=3, listen=lambda progress: None)
    found = replayed(folder)
    assert (found.n_asked, found.n_others, found.differences) == (5, 1, ())


def test_a_study_that_never_started_has_nothing_to_replay(tmp_path):
    folder = make(tmp_path / "study", document())
    with pytest.raises(InputError, match="never started"):
        replay(StudyFolder(folder.path), load(folder.path)[1])
