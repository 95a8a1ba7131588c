"""GPUs that others use too: a stand-in for the driver says how busy they are."""

import pytest

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.config.executor import GpuLimits
from spiketune.errors import InputError
from spiketune.executors.gpus import GpuPool, gpu_of_rank, gpu_pool
from spiketune.executors.local import LocalExecutor
from spiketune.executors.nvml import GpuUse, Nvml
from spiketune.executors.registry import make_executor
from spiketune.messages import Report
from tests.executors.test_contract import TESTS, collect, ends, job
from tests.study.support import document, loop_of, make


class Driver:
    """GPUs 0, 1 and 7, idle until a test says otherwise."""

    def __init__(self):
        self.uses = {gpu: GpuUse(0.1, 0.0) for gpu in (0, 1, 7)}

    def visible(self):
        return tuple(self.uses)

    def use(self, gpu):
        return self.uses[gpu]


class Time:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def pool(driver, time, gpus=(0, 1, 7), per_gpu=1, **limits):
    return GpuPool(driver, gpus, per_gpu, GpuLimits(**limits), time)


def test_every_gpu_takes_one_trial_and_takes_another_when_it_is_given_back():
    gpus = pool(Driver(), Time())
    assert (gpus.n_slots, gpus.n_free) == (3, 3)
    assert [gpus.take(), gpus.take(), gpus.take()] == [0, 1, 7]
    assert gpus.n_free == 0
    gpus.give_back(1)
    assert (gpus.n_free, gpus.take()) == (1, 1)


@pytest.mark.parametrize("use", [GpuUse(0.9, 0.0), GpuUse(0.1, 0.95)])
def test_a_gpu_that_others_keep_busy_takes_none(use):
    driver, time = Driver(), Time()
    driver.uses[0] = use
    gpus = pool(driver, time)
    assert gpus.n_free == 2
    assert [gpus.take(), gpus.take()] == [1, 7]
    driver.uses[0] = GpuUse(0.2, 0.1)
    assert gpus.n_free == 0  # what the driver said is believed for a moment
    time.now_s = 1.0
    assert gpus.n_free == 1


def test_a_start_settles_before_the_gpu_takes_another():
    driver, time = Driver(), Time()
    gpus = pool(driver, time, gpus=(0,), per_gpu=3, settle=10.0)
    gpus.take()
    assert gpus.n_free == 0
    time.now_s = 9.9
    assert gpus.n_free == 0
    time.now_s = 10.0
    assert gpus.n_free == 1
    gpus.take()
    driver.uses[0] = GpuUse(0.85, 0.2)  # by now ours: it counts all the same
    time.now_s = 30.0
    assert gpus.n_free == 0


def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"no GPU 3 is visible; there: 0, 1, 7"):
        gpu_pool((0, 3), 1, GpuLimits(), Driver)


def test_without_a_driver_there_are_no_gpus_unless_some_were_asked_for():
    def absent():
        raise OSError("no NVIDIA driver answers")

    assert gpu_pool(None, 1, GpuLimits(), absent) is None
    assert gpu_pool((), 1, GpuLimits(), absent) is None
    with pytest.raises(InputError, match=r"gpus: no NVIDIA driver answers; `gpus: \[\]` takes non"):
        gpu_pool((0,), 1, GpuLimits(), absent)


class Library:
    """As much of nvidia-ml-py as is used, for a machine with two GPUs."""

    class NVMLError_NotSupported(Exception):  # noqa: N801, N818 -- the library's name
        pass

    NVMLError = Exception

    def nvmlInit(self):
        pass

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, gpu):
        return gpu

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle}{handle}".encode()

    def nvmlDeviceGetMemoryInfo(self, handle):
        return type("Memory", (), {"used": 2, "total": 8})()

    def nvmlDeviceGetUtilizationRates(self, handle):
        if handle == 1:
            raise self.NVMLError_NotSupported
        return type("Rates", (), {"gpu": 40})()


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({}, (0, 1)),
        ({"CUDA_VISIBLE_DEVICES": "1"}, (1,)),
        ({"CUDA_VISIBLE_DEVICES": "GPU-11,GPU-00"}, (1, 0)),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
    ],
)
def test_visible_gpus_are_those_of_the_environment(monkeypatch, environment, gpus):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", Library())
    reader = Nvml(environment)
    assert reader.visible() == gpus
    assert reader.use(0) == GpuUse(0.25, 0.4)
    assert reader.use(1) == GpuUse(0.25, 0.0)


def test_a_missing_library_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    with pytest.raises(OSError, match=r"pip install 'spiketune\[gpu\]'"):
        Nvml({})


def test_children_see_one_gpu_each(tmp_path):
    executor = LocalExecutor(3, base_folder=TESTS, gpus=pool(Driver(), Time()))
    for number in range(3):
        executor.submit(job(tmp_path, number, "sees_gpus"))
    assert executor.free_slots == 0
    found = {end.number: end.metrics["loss"] for end in ends(collect(executor, 3))}
    assert found == {0: 0.0, 1: 1.0, 2: 7.0}
    assert executor.free_slots == 3
    executor.close()


def test_a_study_waits_while_others_take_every_gpu(tmp_path):
    driver = Driver()
    driver.uses = {0: GpuUse(0.9, 1.0)}
    gpus = GpuPool(driver, (0,), 1, GpuLimits())
    make(tmp_path / "s", document("sees_gpus", budget={"trials": 1}))
    waited = []

    def listen(progress):
        waited.append(progress.running)
        driver.uses[0] = GpuUse(0.1, 0.0)

    executor = LocalExecutor(1, base_folder=TESTS, gpus=gpus)
    loop, storage = loop_of(tmp_path / "s", executor, listen=listen)
    assert loop.run() == "budget"
    assert waited[0] == ()
    assert storage.trials()[0].value == 0.0


@pytest.mark.parametrize(("device", "seen"), [("cpu", -1.0), ("auto", 7.0)])
def test_trials_on_the_cpu_get_no_gpu(tmp_path, monkeypatch, device, seen):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    there = pool(Driver(), Time(), gpus=(7,))
    monkeypatch.setattr("spiketune.executors.registry.gpu_pool", lambda *given: there)
    section = {"device": device, "function": "targets:sees_gpus"}
    executor = make_executor(ExecutorConfig(workers=1), section, TESTS)
    executor.submit(job(tmp_path, 0, "sees_gpus"))
    (end,) = ends(collect(executor, 1))
    executor.close()
    assert end.metrics["loss"] == seen


def test_reports_still_come_from_children_with_gpus(tmp_path):
    executor = LocalExecutor(1, base_folder=TESTS, gpus=pool(Driver(), Time(), gpus=(7,)))
    executor.submit(job(tmp_path, 0, "quick"))
    assert isinstance(collect(executor, 1)[0], Report)
    executor.close()


def test_every_rank_of_a_machine_keeps_to_one_gpu():
    taken = [gpu_of_rank(None, 1, index, Driver).take() for index in range(3)]
    assert taken == [0, 1, 7]
    assert [gpu_of_rank((1, 7), 2, index, Driver).take() for index in range(4)] == [1, 7, 1, 7]


def test_more_ranks_than_gpus_are_refused_unless_asked_for():
    with pytest.raises(InputError, match=r"than its 3 GPUs take \(1 each\); start fewer ranks"):
        gpu_of_rank(None, 1, 3, Driver)
    assert gpu_of_rank((), 1, 3, Driver) is None
    assert gpu_of_rank(None, 2, 3, Driver).gpus == (0,)
