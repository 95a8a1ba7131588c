import pytest
from optuna.trial import TrialState

from spiketune.clock import VirtualClock
from spiketune.errors import SpiketuneError
from spiketune.executors.inline import InlineExecutor
from spiketune.objectives.execution import execute
from spiketune.study.records.folder import load
from spiketune.study.running import run_session
from tests.study.support import document, loop_of, make

PARAMS = {
    "x": {"float": [0.001, 1.0], "scale": "log"},
    "n": {"int": [1, 9], "scale": "reverse-log"},
    "kind": {"choice": ["a", [1, 2]]},
    "y": {"float": [0.0, 1.0], "when": "n > 4"},
}


def asked(path):
    _, storage = loop_of(path)
    found = [(t.state, t.params, t.values) for t in storage.trials()]
    storage.close()
    return found


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
@pytest.mark.parametrize("several", [False, True])
def test_interrupted_at_every_trial_equals_uninterrupted(tmp_path, sampler, several):
    objectives = {"loss": "minimize", **({"size": "maximize"} if several else {})}
    options = {"population_size": 6} if sampler == "nsga2" else {}
    content = document(
        "quadratic",
        PARAMS,
        objectives=objectives,
        sampler={"name": sampler, **options},
        budget={"trials": 26},
        seed=3,
    )
    make(tmp_path / "whole", content)
    loop, storage = loop_of(tmp_path / "whole")
    loop.run()
    storage.close()
    make(tmp_path / "pieces", content)
    for _ in range(60):
        loop, storage = loop_of(tmp_path / "pieces")
        done = sum(t.state == TrialState.COMPLETE for t in storage.trials())

        def stop(progress, loop=loop, done=done):
            if progress.n_done > done:
                loop.request_stop()

        loop._listen = stop
        reason = loop.run()
        storage.close()
        if reason == "budget":
            break
    assert asked(tmp_path / "pieces") == asked(tmp_path / "whole")
    assert len(asked(tmp_path / "whole")) == 26


class _PowerCutError(Exception):
    pass


def test_a_trial_written_down_but_never_started_is_run_after_a_power_cut(tmp_path):
    make(tmp_path / "s", document("number", budget={"trials": 5}))

    def power_cut(job, send, stop):
        if job.number == 2:
            raise _PowerCutError
        return execute(job, send, stop)

    loop, storage = loop_of(tmp_path / "s", InlineExecutor(power_cut), VirtualClock(1e6))
    with pytest.raises(_PowerCutError):
        loop.run()
    assert [t.state for t in storage.trials()].count(TrialState.RUNNING) == 1
    storage.close()
    loop, storage = loop_of(tmp_path / "s")
    loop.run()
    assert [t.state for t in storage.trials()] == [TrialState.COMPLETE] * 5


@pytest.mark.parametrize("times", [1, 2])
def test_an_inline_trial_hears_of_ctrl_c_and_a_second_one_breaks_it_off(tmp_path, times):
    params = {"x": {"float": [0.0, 1.0]}, "times": times}
    inline = {"name": "inline"}
    make(tmp_path / "s", document("interrupted", params, budget={"trials": 3}, executor=inline))
    assert run_session(*load(tmp_path / "s"))[0] == "interrupted"
    assert (tmp_path / "s/trials/00001/checkpoints/left").exists() is (times == 1)
    assert run_session(*load(tmp_path / "s"))[0] == "budget"
    _, storage = loop_of(tmp_path / "s")
    trials = storage.trials()
    storage.close()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    outcomes = [attempt["outcome"] for attempt in trials[1].user_attrs["attempts"]]
    assert outcomes == ["interrupted", "finished"]


def test_a_folder_that_cannot_be_written_ends_the_session_and_not_the_study(tmp_path):
    local = {"name": "local", "workers": 1}
    make(tmp_path / "s", document("number", budget={"trials": 3}, executor=local))
    obstacle = tmp_path / "s/trials/00001"
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.write_text("")  # root could write to a folder that is closed to others
    with pytest.raises(SpiketuneError, match=r"00001.*: .*; what came before is safe, `spiketune"):
        run_session(*load(tmp_path / "s"))
    obstacle.unlink()
    assert run_session(*load(tmp_path / "s"))[0] == "budget"
    _, storage = loop_of(tmp_path / "s")
    assert [trial.state for trial in storage.trials()] == [TrialState.COMPLETE] * 3
    storage.close()
