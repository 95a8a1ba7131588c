"""Edits of `study.yaml` under which the journal's numbers would mean something else."""

import pytest
import yaml

from spiketune.api import Study
from spiketune.errors import InputError, StudyExistsError
from tests.study.support import document, make

SPACE = {"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 9]}}


def unheard(progress):
    return None


def begun(tmp_path, **study):
    chosen = {"sampler": {"name": "random"}, "executor": {"name": "inline"}, **study}
    content = document("quadratic", SPACE, budget={"trials": 4}, **chosen)
    return Study(make(tmp_path / "s", content).path).run(listen=unheard)


def edited(study, **changes):
    file = study.folder.configuration_file
    content = yaml.safe_load(file.read_text())
    content["study"].update(changes)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return Study(study.path)


@pytest.mark.parametrize(
    "objectives",
    [
        {"size": "minimize"},
        {"loss": "maximize"},
        {"loss": "minimize", "size": "minimize"},
    ],
)
def test_other_objectives_than_those_of_the_journal_are_refused(tmp_path, objectives):
    study = begun(tmp_path)
    journal = study.folder.journal.read_bytes()
    with pytest.raises(StudyExistsError, match=r"objectives \{loss: minimize\}; undo.*warm_start"):
        edited(study, objectives=objectives).run(trials=2, listen=unheard)
    with pytest.raises(StudyExistsError, match="objectives"):
        Study(study.path).rows()
    assert study.folder.journal.read_bytes() == journal


def test_another_name_begins_no_second_study_in_the_journal(tmp_path):
    study = begun(tmp_path)
    with pytest.raises(InputError, match=r"no study named 't', but '\w+'; undo the change of"):
        edited(study, name="t").run(trials=2, listen=unheard)


def test_objectives_in_another_order_are_refused(tmp_path):
    study = begun(tmp_path, objectives={"loss": "minimize", "size": "maximize"})
    turned = edited(study, objectives={"size": "maximize", "loss": "minimize"})
    with pytest.raises(StudyExistsError, match=r"\{loss: minimize, size: maximize\}"):
        turned.rows()


@pytest.mark.parametrize(("before", "after"), [((), ("size <= 3",)), (("size <= 3",), ())])
def test_other_constraints_than_those_of_the_journal_are_refused(tmp_path, before, after):
    study = begun(tmp_path, constraints=list(before))
    words = "the constraints size <= 3" if before else "no constraints"
    with pytest.raises(StudyExistsError, match=f"was written for {words}; undo"):
        edited(study, constraints=list(after)).run(trials=2, listen=unheard)


def test_the_remedy_that_is_named_measures_all_trials_by_the_new_aims(tmp_path):
    before = begun(tmp_path)
    content = document(
        "quadratic",
        SPACE,
        objectives={"size": "maximize"},
        constraints=["loss <= 0.1"],
        warm_start=str(before.path),
        budget={"trials": 1},
        executor={"name": "inline"},
    )
    study = Study(make(tmp_path / "new", content).path).run(listen=unheard)
    known, new = study.rows()[:4], before.rows()
    assert [r.objectives for r in known] == [{"size": r.metrics["size"]} for r in new]
    assert [r.feasible for r in known] == [r.metrics["loss"] <= 0.1 for r in new]


def test_budget_sampler_executor_and_the_order_of_constraints_may_be_edited(tmp_path):
    study = begun(tmp_path, constraints=["size <= 8", "loss <= 1"])
    changed = edited(
        study,
        constraints=["loss <= 1", "size <= 8"],
        budget={"trials": 6},
        sampler={"name": "tpe"},
        executor={"name": "local", "workers": 1},
        fidelity={"name": "median"},
    )
    assert len(changed.run(listen=unheard).rows()) == 6
