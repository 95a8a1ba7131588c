import json

import pytest
import torch

from spiketune.errors import InputError, SpiketuneError
from spiketune.messages import Failure, Result, from_json, to_json
from spiketune.objectives.execution import execute
from spiketune.objectives.function import load_function
from spiketune.objectives.preparation import prepare
from spiketune.objectives.trial import Trial
from tests.executors.test_contract import TESTS, job


def run(tmp_path, function, stop=lambda: False, **fields):
    reports = []
    end = execute(job(tmp_path, 0, function, **fields), reports.append, stop)
    return end, reports


def test_a_number_is_the_value_of_the_only_objective(tmp_path):
    end, _ = run(tmp_path, "number")
    assert isinstance(end, Result)
    assert end.metrics == {"loss": 0.25}
    assert end.cost_s > 0


def test_a_metric_called_as_the_time_does_not_replace_the_time(tmp_path):
    end, _ = run(tmp_path, "costs")
    assert end.metrics["cost_s"] == 1e6
    assert 0 < end.cost_s < 100


def test_a_number_is_refused_where_there_are_several_objectives(tmp_path):
    end, _ = run(tmp_path, "number", objectives=("loss", "size"))
    assert isinstance(end, Failure)
    assert "must return a mapping with loss, size" in end.message


def test_reports_constraints_and_the_fidelity_reach_the_result(tmp_path):
    end, reports = run(tmp_path, "quick")
    assert [report.fidelity for report in reports] == [1, 2, 3]
    assert end.fidelity == 3
    end, _ = run(tmp_path, "with_constraint")
    assert end.constraints == {"small": -0.25}


def test_an_objective_that_obeyed_a_stop_did_not_finish(tmp_path):
    end, _ = run(tmp_path, "waits_for_stop", stop=lambda: True)
    assert isinstance(end, Failure)
    assert end.kind == "preempted"


def test_an_objective_that_never_looked_finished_all_the_same(tmp_path):
    end, _ = run(tmp_path, "number", stop=lambda: True)
    assert isinstance(end, Result)


@pytest.mark.parametrize("fidelity", [0, -1, float("nan"), float("inf")])
def test_a_report_needs_a_fidelity_above_zero(tmp_path, fidelity):
    with pytest.raises(InputError, match="fidelity"):
        Trial(job(tmp_path)).report(fidelity, loss=1.0)


def test_numbers_of_numpy_reach_the_asker_as_plain_ones(tmp_path):
    end, reports = run(tmp_path, "speaks_numpy")
    assert [report.fidelity for report in reports] == [1, 2, 3, 3.5]
    assert from_json(to_json(reports[0])) == reports[0]
    assert (end.metrics, end.constraints, end.fidelity) == ({"loss": 0.5}, {"small": -1.0}, 3.5)
    assert end.details == {"rate": 0.25, "rates": [[0.5, 1.0]], "counts": {3: [0.5, True]}}
    assert json.loads(to_json(end))["details"]["counts"] == {"3": [0.5, True]}


def test_tensors_are_noted_as_numbers_and_lists(tmp_path):
    trial = Trial(job(tmp_path))
    weights = torch.ones(2, requires_grad=True)
    trial.note(loss=weights.sum(), weights=weights, nothing=None, text="a", pair=(1, 2.5))
    details = trial.outcome[-1]
    assert details == {
        "loss": 2.0,
        "weights": [1.0, 1.0],
        "nothing": None,
        "text": "a",
        "pair": (1, 2.5),
    }


def test_a_note_that_is_no_json_is_a_crash_that_names_it(tmp_path):
    end, _ = run(tmp_path, "notes_an_object")
    assert isinstance(end, Failure)
    assert end.kind == "crash"
    assert "note 'model': cannot be kept as JSON (Object of type object is not" in end.message
    circle = []
    circle.append(circle)
    with pytest.raises(InputError, match="note 'circle': cannot be kept as JSON"):
        Trial(job(tmp_path)).note(circle=circle)


def test_a_constraint_must_be_a_finite_number(tmp_path):
    with pytest.raises(InputError, match="'c': must be a finite number"):
        Trial(job(tmp_path)).set_constraint("c", float("nan"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:f", "cannot import 'no_such_module'"),
        ("targets:no_such_function", "has no 'no_such_function'"),
        ("targets:sys", "is not a function"),
        ("cloudpickle:absent.pkl", "cannot be loaded"),
    ],
)
def test_a_function_that_is_not_there_is_named(target, words):
    with pytest.raises(InputError, match=words):
        load_function(target, TESTS)


def test_a_module_that_breaks_on_import_is_named_with_its_error(tmp_path):
    (tmp_path / "breaks_on_import.py").write_text("1 / 0")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_function("breaks_on_import:f", str(tmp_path))
    with pytest.raises(InputError, match="ZeroDivisionError"):
        prepare([{"function": "breaks_on_import:f"}], str(tmp_path))


def test_preparing_never_imports_the_function_into_the_asker(tmp_path):
    (tmp_path / "imported_by_child_only.py").write_text("def f(trial): return 0.0")
    prepare([{"function": "imported_by_child_only:f"}], str(tmp_path))
    import sys

    assert "imported_by_child_only" not in sys.modules


def test_preparing_names_the_device_that_is_not_there():
    section = {
        "device": "cuda",
        "dataset": {"name": "digits"},
        "network": {"layers": [{"dense": "classes"}]},
    }
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(SpiketuneError, match=r"trial\.device"):
        prepare([section], "")
